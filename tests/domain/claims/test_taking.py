"""Comments become what they asked for, and nothing else."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from domain import db as database
from domain.audit.commands import Actor
from domain.claims import waiting
from domain.claims.commands import ResolveAction, resolve
from domain.claims.errors import TooFew
from domain.claims.rules import OnDelete, OnEdit, PublicReply, RepeatMode, Shortage
from domain.errors import NotFound
from domain.ids import new_id
from domain.jobs import REPLY
from domain.providers.pgqueuer_enqueue import PgQueuerJobs
from plusone.invariants import check
from tests.build import NOW, a_device, a_member
from tests.wall import Wall, a_wall


@pytest.fixture(autouse=True)
async def invariants_hold(db: str):
    """After every flow the invariants hold."""
    yield
    assert await check(NOW + timedelta(seconds=30)) == []


async def test_a_comment_becomes_an_order_held_stock_and_a_notice(db: str) -> None:
    wall = await a_wall()
    comment = await wall.says("小美", "+2")
    assert await wall.drain() == 1
    assert await wall.outcome(comment) == ("ORDERED", "")
    assert await wall.level() == (10, 2, 0)
    order = await database.fetchrow('select state, payment_state, total_minor, currency, list from "order"')
    assert order is not None
    assert tuple(order.values()) == ("OPEN", "UNPAID", 1180, "TWD", "TO_PAY")
    assert [r["kind"] for r in await database.fetch("select kind from notice")] == ["ORDER_PLACED"]
    assert [r["action"] for r in await database.fetch("select action from audit_entry")] == ["CLAIM_DECIDED"]


@pytest.mark.parametrize(("unheard", "answers"), [((), 1), ((REPLY,), 0)])
async def test_an_order_is_answered_where_somebody_sends_answers(db: str, unheard: tuple[str, ...], answers: int) -> None:
    wall = await a_wall(public_reply=PublicReply.EACH)
    wall.services = replace(wall.services, jobs=PgQueuerJobs(unheard))
    await wall.says("小美", "+2")
    await wall.drain()
    assert await wall.level() == (10, 2, 0)
    assert await database.fetchval("select count(*) from platform_reply") == answers
    assert await database.fetchval("select count(*) from pgqueuer where entrypoint = $1", REPLY) == answers


async def test_a_question_never_orders(db: str) -> None:
    wall = await a_wall()
    comment = await wall.says("小美", "還能+1嗎？")
    await wall.drain()
    assert (await wall.outcome(comment))[0] == "NEEDS_REVIEW"
    assert await wall.level() == (10, 0, 0)
    assert await database.fetchval('select count(*) from "order"') == 0


async def test_chatter_is_kept_and_silent(db: str) -> None:
    wall = await a_wall()
    comment = await wall.says("小美", "看起來好好吃")
    await wall.drain()
    assert await wall.outcome(comment) == ("IGNORED", "NO_TRIGGER")
    assert await database.fetchval("select count(*) from notice") == 0


async def test_the_page_itself_never_orders(db: str) -> None:
    wall = await a_wall()
    comment = await wall.says("104561234567890", "+1")
    await wall.drain()
    assert await wall.outcome(comment) == ("IGNORED", "FROM_SHOP")


async def test_claims_of_one_buyer_stack_on_one_order(db: str) -> None:
    wall = await a_wall(variants=("紅", "白"))
    for text in ("紅+1", "白+2", "紅+1"):
        await wall.says("小美", text)
    await wall.drain()
    assert await wall.pieces("小美") == {"紅": 2, "白": 2}
    assert await database.fetchval('select count(*) from "order"') == 1
    assert await database.fetchval('select total_minor from "order"') == 4 * 590


async def test_the_same_event_again_changes_nothing(db: str) -> None:
    wall = await a_wall()
    comment = await wall.says("小美", "+1", at=NOW)
    await wall.drain()
    await wall.says("小美", "+1", comment=comment, at=NOW)
    await database.execute("update inbox_event set state = 'PENDING', decided_at = null")
    await wall.drain()
    assert await wall.level() == (10, 1, 0)
    assert await database.fetchval("select outcome from inbox_event") == "DUPLICATE"


async def test_the_last_pieces_go_by_platform_time_and_the_rest_waits(db: str) -> None:
    wall = await a_wall(on_hand=3)
    late = await wall.says("乙", "+2", at=NOW + timedelta(seconds=9))
    early = await wall.says("甲", "+2", at=NOW + timedelta(seconds=1))
    none = await wall.says("丙", "+1", at=NOW + timedelta(seconds=10))
    await wall.drain()
    assert await wall.outcome(early) == ("ORDERED", "")
    assert await wall.outcome(late) == ("PARTIAL", "INSUFFICIENT_STOCK")
    assert await wall.outcome(none) == ("WAITLISTED", "INSUFFICIENT_STOCK")
    assert await wall.waiting() == [("乙", 1), ("丙", 1)]
    assert await wall.level() == (3, 3, 0)


@pytest.mark.parametrize(
    ("shortage", "outcome", "held", "waits"),
    [
        (Shortage.PARTIAL_WAITLIST, "PARTIAL", 2, [("乙", 3)]),
        (Shortage.PARTIAL, "PARTIAL", 2, []),
        (Shortage.REJECT_LINE, "REJECTED", 0, []),
        (Shortage.REJECT_COMMENT, "REJECTED", 0, []),
    ],
)
async def test_shortage_follows_the_policy(db: str, shortage: Shortage, outcome: str, held: int, waits: list[tuple[str, int]]) -> None:
    wall = await a_wall(on_hand=2, shortage=shortage)
    comment = await wall.says("乙", "+5")
    await wall.drain()
    assert (await wall.outcome(comment))[0] == outcome
    assert await wall.level() == (2, held, 0)
    assert await wall.waiting() == waits


async def test_over_the_limit_is_refused_whole(db: str) -> None:
    wall = await a_wall(per_buyer_max=3)
    await wall.says("小美", "+2")
    second = await wall.says("小美", "+2")
    await wall.drain()
    assert await wall.outcome(second) == ("REJECTED", "OVER_LIMIT")
    assert await wall.level() == (10, 2, 0)


async def test_the_rate_rule_refuses_the_next_claim(db: str) -> None:
    wall = await a_wall(rate_limit_orders=2)
    comments = [await wall.says("小美", "+1") for _ in range(3)]
    await wall.drain()
    assert [(await wall.outcome(c))[1] for c in comments] == ["", "", "RATE_LIMITED"]


@pytest.mark.parametrize(("mode", "held"), [(RepeatMode.ADD, 3), (RepeatMode.REPLACE, 1), (RepeatMode.ONCE, 2)])
async def test_repeat_follows_the_policy(db: str, mode: RepeatMode, held: int) -> None:
    wall = await a_wall(repeat_mode=mode)
    await wall.says("小美", "+2")
    await wall.says("小美", "+1")
    await wall.drain()
    assert await wall.level() == (10, held, 0)


async def test_a_simple_cancel_frees_the_one_line_and_closes_the_empty_order(db: str) -> None:
    wall = await a_wall()
    await wall.says("小美", "+2")
    cancel = await wall.says("小美", "取消")
    await wall.drain()
    assert (await wall.outcome(cancel))[0] == "CANCELLED"
    assert await wall.level() == (10, 0, 0)
    assert await database.fetchval('select state from "order"') == "CANCELLED"
    again = await wall.says("小美", "+1")
    await wall.drain()
    assert (await wall.outcome(again))[0] == "ORDERED"
    assert await wall.level() == (10, 1, 0)


async def test_a_cancel_that_could_mean_several_lines_asks(db: str) -> None:
    wall = await a_wall(variants=("紅", "白"))
    await wall.says("小美", "紅+1")
    await wall.says("小美", "白+1")
    cancel = await wall.says("小美", "取消")
    await wall.drain()
    assert await wall.outcome(cancel) == ("NEEDS_REVIEW", "WHICH")
    assert await wall.pieces("小美") == {"紅": 1, "白": 1}


async def test_freed_pieces_go_to_those_who_wait_before_newcomers(db: str) -> None:
    wall = await a_wall(on_hand=2)
    await wall.says("甲", "+2")
    await wall.says("乙", "+1")
    await wall.says("甲", "取消")
    newcomer = await wall.says("丙", "+2")
    await wall.drain()
    assert await wall.outcome(newcomer) == ("PARTIAL", "INSUFFICIENT_STOCK")
    n = await waiting.fill(
        shop_id=wall.shop.id, variant_ids=[wall.product.variants[0].id], now=NOW + timedelta(minutes=1), jobs=wall.services.jobs
    )
    assert n == 1
    assert await wall.pieces("乙") == {"": 1}
    assert await wall.waiting() == [("丙", 1)]
    assert await waiting.fill(shop_id=wall.shop.id, variant_ids=[wall.product.variants[0].id], now=NOW, jobs=wall.services.jobs) == 0


class TestEdits:
    async def test_a_rise_queues_and_a_fall_frees(self, db: str) -> None:
        wall = await a_wall(on_hand=3)
        first = await wall.says("甲", "+2")
        await wall.says("乙", "+1")
        await wall.says("甲", "+3", comment=first, verb="edited")
        await wall.drain()
        assert await wall.level() == (3, 3, 0)
        assert await wall.waiting() == [("甲", 1)]
        assert await wall.outcome(first) == ("PARTIAL", "INSUFFICIENT_STOCK")
        await wall.says("甲", "+1", comment=first, verb="edited")
        await wall.drain()
        assert await wall.pieces("甲") == {"": 1}
        assert await wall.waiting() == []
        assert await wall.outcome(first) == ("ORDERED", "")

    async def test_an_edit_that_comes_first_counts_once(self, db: str) -> None:
        wall = await a_wall()
        comment = await wall.says("甲", "+3", comment="1_9", verb="edited", at=NOW + timedelta(seconds=5))
        await wall.drain()
        await wall.says("甲", "+1", comment="1_9", at=NOW)
        await wall.drain()
        assert await wall.pieces("甲") == {"": 3}
        assert (await wall.outcome(comment))[0] == "ORDERED"

    async def test_an_edit_into_a_question_keeps_the_order_and_asks(self, db: str) -> None:
        wall = await a_wall()
        comment = await wall.says("甲", "+1")
        await wall.says("甲", "+1 可以嗎？", comment=comment, verb="edited")
        await wall.drain()
        assert await wall.outcome(comment) == ("ORDERED", "EDITED_TO_QUESTION")
        assert await wall.level() == (10, 1, 0)
        assert await database.fetchval('select list from "order"') == "REVIEW"

    @pytest.mark.parametrize(("on_edit", "held"), [(OnEdit.REPARSE_IF_OPEN, 3), (OnEdit.FLAG, 1), (OnEdit.IGNORE, 1)])
    async def test_edits_follow_the_policy(self, db: str, on_edit: OnEdit, held: int) -> None:
        wall = await a_wall(on_edit=on_edit)
        comment = await wall.says("甲", "+1")
        await wall.says("甲", "+3", comment=comment, verb="edited")
        await wall.drain()
        assert await wall.level() == (10, held, 0)

    async def test_chatter_edited_into_an_order_orders(self, db: str) -> None:
        wall = await a_wall()
        comment = await wall.says("甲", "好想要")
        await wall.drain()
        await wall.says("甲", "+1", comment=comment, verb="edited")
        await wall.drain()
        assert (await wall.outcome(comment))[0] == "ORDERED"


class TestRemovals:
    @pytest.mark.parametrize(("on_delete", "held"), [(OnDelete.KEEP_AND_FLAG, 1), (OnDelete.RELEASE_IF_UNPAID, 0)])
    @pytest.mark.parametrize("removal_first", [False, True])
    async def test_removals_follow_the_policy_in_any_order(self, db: str, on_delete: OnDelete, held: int, removal_first: bool) -> None:
        wall = await a_wall(on_delete=on_delete)
        acts = [("add", NOW), ("remove", NOW + timedelta(seconds=5))]
        for verb, at in reversed(acts) if removal_first else acts:
            await wall.says("甲", "+1", comment="1_7", verb=verb, at=at)
            await wall.drain()
        assert await wall.level() == (10, held, 0)
        expected = ("ORDERED", "REMOVED") if on_delete is OnDelete.KEEP_AND_FLAG else ("CANCELLED", "REMOVED")
        assert await wall.outcome("1_7") == expected


async def test_after_closing_by_platform_time_nothing_orders(db: str) -> None:
    closes = NOW + timedelta(minutes=5)
    wall = await a_wall(closes_at=closes)
    in_time = await wall.says("甲", "+1", at=closes, received_at=closes + timedelta(seconds=30))
    late_delivery = await wall.says("丙", "+1", at=closes - timedelta(seconds=1), received_at=closes + timedelta(minutes=10))
    await wall.drain()
    assert await wall.outcome(in_time) == ("ORDERED", "")
    assert await wall.outcome(late_delivery) == ("NEEDS_REVIEW", "LATE")


async def test_a_member_s_device_gets_a_push_row_and_a_job(db: str) -> None:
    wall = await a_wall()
    member = await a_member()
    await a_device(member)
    await database.execute(
        "insert into identity (id, member_id, provider, subject, created_at, last_seen_at) values ($1, $2, 'facebook', '小美', $3, $3)",
        new_id(),
        member,
        NOW,
    )
    await wall.says("小美", "+1")
    await wall.drain()
    assert await database.fetchval('select member_id from "order"') == member
    assert await database.fetchval("select count(*) from push_delivery") == 1
    assert await database.fetchval("select count(*) from pgqueuer where entrypoint = 'push'") == 1


async def test_one_public_reply_per_buyer_and_post(db: str) -> None:
    wall = await a_wall()
    for author in ("甲", "甲", "乙"):
        await wall.says(author, "+1")
    await wall.drain()
    assert await database.fetchval("select count(*) from platform_reply") == 2


class TestResolve:
    async def _unclear(self) -> tuple[Wall, str]:
        wall = await a_wall(variants=("紅", "白"), on_hand=2)
        return wall, await wall.says("甲", "+1")

    async def test_staff_make_the_order_that_was_meant(self, db: str) -> None:
        wall, comment = await self._unclear()
        await wall.drain()
        comment_id = await database.fetchval("select id from social_comment where external_id = $1", comment)
        staff = await a_member()
        await resolve(
            comment_id=comment_id, shop_id=wall.shop.id, action=ResolveAction.MAKE_ORDER, lines=[(wall.product.variants[1].id, 2)],
            actor=Actor(f"member:{staff}", "HELPER"), by_member_id=staff, now=NOW, jobs=wall.services.jobs,
        )  # fmt: skip
        assert await wall.pieces("甲") == {"白": 2}
        assert await wall.outcome(comment) == ("ORDERED", "BY_STAFF")

    async def test_two_of_the_staff_make_one_order(self, db: str) -> None:
        wall, comment = await self._unclear()
        await wall.drain()
        comment_id = await database.fetchval("select id from social_comment where external_id = $1", comment)
        done = await asyncio.gather(
            *(
                resolve(
                    comment_id=comment_id, shop_id=wall.shop.id, action=ResolveAction.MAKE_ORDER, lines=[(wall.product.variants[1].id, 1)],
                    actor=Actor("member:x"), by_member_id=new_id(), now=NOW, jobs=wall.services.jobs,
                )
                for _ in range(2)
            ),
            return_exceptions=True,
        )  # fmt: skip
        assert sorted(type(d).__name__ for d in done) == ["NoneType", "NotResolvable"]
        assert await wall.pieces("甲") == {"白": 1}

    async def test_too_few_pieces_change_nothing(self, db: str) -> None:
        wall, comment = await self._unclear()
        await wall.drain()
        comment_id = await database.fetchval("select id from social_comment where external_id = $1", comment)
        before = await database.fetch("select * from claim")
        with pytest.raises(TooFew) as refusal:
            await resolve(
                comment_id=comment_id, shop_id=wall.shop.id, action=ResolveAction.MAKE_ORDER, lines=[(wall.product.variants[1].id, 3)],
                actor=Actor("member:x"), by_member_id=new_id(), now=NOW, jobs=wall.services.jobs,
            )  # fmt: skip
        assert refusal.value.available == 2
        assert await database.fetch("select * from claim") == before

    async def test_another_shop_s_comment_is_not_found(self, db: str) -> None:
        wall, comment = await self._unclear()
        other = await a_wall()
        await wall.drain()
        comment_id = await database.fetchval("select id from social_comment where external_id = $1", comment)
        with pytest.raises(NotFound):
            await resolve(
                comment_id=comment_id, shop_id=other.shop.id, action=ResolveAction.DISMISS, actor=Actor("member:x"), by_member_id=new_id(), now=NOW,
                jobs=wall.services.jobs,
            )  # fmt: skip
