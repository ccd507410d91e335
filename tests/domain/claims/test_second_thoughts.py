"""Comments that change: edited, taken back, copied, cut short by the shop, and what must not follow from it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain import db as database
from domain.claims.commands import ResolveAction, resolve
from domain.claims.rules import CancelUntil, OnDelete, PublicReply, RepeatMode, Shortage
from domain.ids import new_id
from domain.inbox.commands import replay_parked
from domain.orders.commands import cancel
from domain.posts.commands import place_post
from plusone.invariants import check
from tests.build import NOW, a_channel, a_post, a_shop
from tests.domain.claims.acts import STAFF, close, expire, fill, first_order, pay, tell_line
from tests.wall import a_wall


@pytest.fixture(autouse=True)
async def invariants_hold(db: str):
    """After every flow the invariants hold."""
    yield
    assert await check(NOW + timedelta(seconds=59)) == []


class TestEdits:
    async def test_after_the_post_was_closed_the_order_stays_and_is_flagged(self, db: str) -> None:
        wall = await a_wall()
        comment = await wall.says("甲", "+1")
        await wall.drain()
        await close(wall.post_id)
        await wall.says("甲", "+3", comment=comment, verb="edited")
        await wall.drain()
        assert await wall.outcome(comment) == ("ORDERED", "EDITED_AFTER_CLOSE")
        assert await wall.pieces("甲") == {"": 1}

    @pytest.mark.parametrize("words", ["取消", "+1取消", "全部取消"])
    async def test_into_a_cancellation_frees_what_it_ordered(self, db: str, words: str) -> None:
        wall = await a_wall()
        comment = await wall.says("甲", "+1")
        await wall.says("甲", words, comment=comment, verb="edited")
        await wall.drain()
        assert await wall.outcome(comment) == ("CANCELLED", "")
        assert await wall.level() == (10, 0, 0)

    async def test_into_a_cancellation_of_something_else_asks(self, db: str) -> None:
        wall = await a_wall(variants=("紅", "白"))
        comment = await wall.says("甲", "紅+1")
        await wall.says("甲", "白+1")
        await wall.says("甲", "白取消", comment=comment, verb="edited")
        await wall.drain()
        assert await wall.outcome(comment) == ("ORDERED", "EDITED_TO_CANCEL")
        assert await wall.pieces("甲") == {"紅": 1, "白": 1}

    async def test_into_a_cancellation_that_the_shop_does_not_take_asks(self, db: str) -> None:
        wall = await a_wall(cancel_until=CancelUntil.NEVER)
        comment = await wall.says("甲", "+1")
        await wall.says("甲", "取消", comment=comment, verb="edited")
        await wall.drain()
        assert await wall.outcome(comment) == ("ORDERED", "EDITED_TO_CANCEL")
        assert await wall.level() == (10, 1, 0)

    async def test_of_an_order_that_was_taken_back_never_orders_again(self, db: str) -> None:
        wall = await a_wall()
        comment = await wall.says("甲", "+1")
        await wall.says("甲", "取消")
        await wall.says("甲", "+1 謝謝", comment=comment, verb="edited")
        await wall.drain()
        assert await wall.outcome(comment) == ("ORDERED", "EDITED_AFTER_CANCEL")
        assert await wall.level() == (10, 0, 0)

    @pytest.mark.parametrize("at_once", [False, True])
    @pytest.mark.parametrize("edit_first", [False, True])
    async def test_within_one_second_wins_over_the_first_text(self, db: str, at_once: bool, edit_first: bool) -> None:
        wall = await a_wall()
        acts = [("add", "+1"), ("edited", "+3")]
        for verb, text in reversed(acts) if edit_first else acts:
            await wall.says("甲", text, comment="1_9", verb=verb, at=NOW)
            if not at_once:
                await wall.drain()
        await wall.drain()
        assert await wall.pieces("甲") == {"": 3}

    async def test_that_come_after_the_removal_count_as_in_their_order(self, db: str) -> None:
        states = []
        for late in (False, True):
            wall = await a_wall(on_delete=OnDelete.RELEASE_IF_UNPAID)
            comment = await wall.says("甲", "+1", at=NOW)
            acts = [("edited", "+2", 3), ("remove", "", 6)]
            for verb, text, second in reversed(acts) if late else acts:
                await wall.says("甲", text, comment=comment, verb=verb, at=NOW + timedelta(seconds=second))
                await wall.drain()
            states.append((await wall.outcome(comment), await wall.level()))
        assert states[0] == states[1] == (("CANCELLED", "REMOVED"), (10, 0, 0))

    async def test_of_nobody_known_are_seen_by_a_human(self, db: str) -> None:
        wall = await a_wall()
        comment = await wall.says("", "好美")
        await wall.drain()
        assert await wall.outcome(comment) == ("IGNORED", "NO_TRIGGER")
        await wall.says("", "+1", comment=comment, verb="edited")
        await wall.drain()
        assert await wall.outcome(comment) == ("NEEDS_REVIEW", "NO_AUTHOR")

    async def test_keep_the_limit_when_claims_replace_each_other(self, db: str) -> None:
        wall = await a_wall(repeat_mode=RepeatMode.REPLACE, per_buyer_max=3)
        comment = await wall.says("甲", "+2")
        await wall.says("甲", "+5", comment=comment, verb="edited")
        await wall.drain()
        assert await wall.outcome(comment) == ("ORDERED", "OVER_LIMIT")
        assert await wall.pieces("甲") == {"": 2}

    @pytest.mark.parametrize("at_once", [False, True])
    async def test_are_no_new_orders_for_the_rate_rule(self, db: str, at_once: bool) -> None:
        wall = await a_wall(rate_limit_orders=2)
        first = await wall.says("甲", "+1")
        if not at_once:
            await wall.drain()
        await wall.says("甲", "+2", comment=first, verb="edited")
        if not at_once:
            await wall.drain()
        second, third = await wall.says("甲", "+1"), await wall.says("甲", "+1")
        await wall.drain()
        assert [await wall.outcome(c) for c in (first, second, third)] == [("ORDERED", ""), ("ORDERED", ""), ("REJECTED", "RATE_LIMITED")]


async def test_the_rate_rule_looks_at_the_comments_times(db: str) -> None:
    wall = await a_wall(rate_limit_orders=1, rate_limit_hours=1)
    first = await wall.says("甲", "+1", at=NOW - timedelta(hours=3))
    second = await wall.says("甲", "+1", at=NOW)
    await wall.drain()
    assert [await wall.outcome(c) for c in (first, second)] == [("ORDERED", ""), ("ORDERED", "")]


async def test_a_smaller_wish_that_replaces_is_told(db: str) -> None:
    wall = await a_wall(repeat_mode=RepeatMode.REPLACE)
    await wall.says("甲", "+3")
    await wall.says("甲", "+1")
    await wall.drain()
    assert await wall.pieces("甲") == {"": 1}
    assert [r["kind"] for r in await database.fetch("select kind from notice order by kind")] == ["LINES_CANCELLED", "ORDER_PLACED"]


async def test_a_refused_comment_takes_nothing_back(db: str) -> None:
    wall = await a_wall(variants=("紅", "白"), on_hand=(5, 1), repeat_mode=RepeatMode.REPLACE, shortage=Shortage.REJECT_COMMENT)
    await wall.says("甲", "紅+3")
    comment = await wall.says("甲", "紅+1 白+2")
    await wall.drain()
    assert await wall.outcome(comment) == ("REJECTED", "INSUFFICIENT_STOCK")
    assert await wall.pieces("甲") == {"紅": 3}


async def test_a_refused_swap_changes_nothing_and_is_told(db: str) -> None:
    wall = await a_wall(variants=("紅", "白"), on_hand=(5, 0), shortage=Shortage.REJECT_COMMENT)
    await wall.says("甲", "紅+1")
    comment = await wall.says("甲", "紅-1 白+1")
    await wall.drain()
    assert await wall.outcome(comment) == ("REJECTED", "INSUFFICIENT_STOCK")
    assert await wall.pieces("甲") == {"紅": 1}
    assert await database.fetchval("select count(*) from notice where kind = 'CLAIM_REJECTED'") == 1


async def test_a_set_quantity_beside_paid_pieces_asks(db: str) -> None:
    wall = await a_wall()
    await wall.says("甲", "+2")
    await wall.drain()
    await pay(wall)
    await wall.says("甲", "+1")
    comment = await wall.says("甲", "改+3")
    await wall.drain()
    assert await wall.outcome(comment) == ("NEEDS_REVIEW", "ALREADY_PAID")
    assert await wall.pieces("甲") == {"": 3}


class TestWaiting:
    async def test_what_was_paid_stays_paid_when_the_rest_arrives(self, db: str) -> None:
        wall = await a_wall(on_hand=2)
        await wall.says("甲", "+4")
        await wall.drain()
        await pay(wall)
        assert await fill(wall, more=1) == 1
        assert await fill(wall, more=1) == 1
        orders = await database.fetch(
            """select o.payment_state, o.total_minor, sum(l.quantity)::int as n, count(l.claim_id)::int as of_claim, count(*)::int as lines
               from "order" o join order_line l on l.order_id = o.id group by o.id, 1, 2 order by o.created_at, o.id"""
        )
        assert [tuple(row.values()) for row in orders] == [("PAID", 1180, 2, 1, 1), ("UNPAID", 1180, 2, 1, 1)]
        assert await database.fetchval("select state from waitlist_entry") == "FILLED"
        later = await wall.says("甲", "取消")
        await wall.drain()
        assert await wall.outcome(later) == ("CANCELLED", "")
        assert await wall.level() == (4, 0, 2)

    @pytest.mark.parametrize("end", ["cancelled", "expired"])
    async def test_pieces_of_an_order_that_ended_do_not_come_back_to_it(self, db: str, end: str) -> None:
        wall = await a_wall(on_hand=2)
        await wall.says("甲", "+4")
        await wall.says("乙", "+1")
        await wall.drain()
        if end == "cancelled":
            await cancel(order_id=await first_order(), shop_id=wall.shop.id, reason="shop", actor=STAFF, now=NOW, jobs=wall.services.jobs)
        else:
            await expire(wall)
        assert await fill(wall) == 1
        assert await wall.pieces("甲") == {}
        assert await wall.pieces("乙") == {"": 1}
        assert [r["state"] for r in await database.fetch("select state from waitlist_entry order by queued_at")] == ["EXPIRED", "FILLED"]

    async def test_a_cancel_on_one_post_leaves_the_place_of_another(self, db: str) -> None:
        wall = await a_wall(on_hand=0)
        other = await a_post(wall.shop, products=[wall.product], title="另一團")
        async with database.transaction() as tx:
            await place_post(tx, shop_id=wall.shop.id, post_id=other.id, channel_id=wall.channel_id, external_post_id="other", now=NOW)
        wall.external_posts.append("other")
        await wall.says("甲", "+2")
        comment = await wall.says("甲", "取消", place=1)
        await wall.drain()
        assert await wall.outcome(comment) == ("IGNORED", "NOTHING_TO_CANCEL")
        assert await wall.waiting() == [("甲", 2)]

    async def test_a_later_wish_overtakes_nobody(self, db: str) -> None:
        wall = await a_wall(on_hand=0)
        first = await wall.says("甲", "+1")
        await wall.says("乙", "+1")
        await wall.says("甲", "+3", comment=first, verb="edited")
        await wall.drain()
        assert await wall.waiting() == [("乙", 1), ("甲", 3)]

    async def test_an_overdue_order_that_grows_gets_its_time_again(self, db: str) -> None:
        wall = await a_wall()
        await wall.says("甲", "+1")
        await wall.drain()
        await database.execute('update "order" set pay_by = $1, version = version + 1', NOW - timedelta(seconds=1))
        comment = await wall.says("甲", "+1")
        await wall.drain()
        await expire(wall, at=NOW)
        assert await wall.outcome(comment) == ("ORDERED", "")
        assert await wall.pieces("甲") == {"": 2}


class TestLine:
    @pytest.mark.parametrize("order", ["add unsend", "unsend add"])
    async def test_an_unsent_message_leaves_no_text(self, db: str, order: str) -> None:
        wall = await a_wall()
        secret = "+1 寄到忠孝東路9號"
        texts = {"add": secret, "unsend": None}
        for second, act in (("1", "add"), ("2", "unsend")) if order == "add unsend" else (("2", "unsend"), ("1", "add")):
            await tell_line(wall, "甲", "m1", texts[act], at=NOW + timedelta(seconds=int(second)))
            await wall.drain()
        rows = await database.fetch(
            """select text from social_comment union all select text from comment_revision
               union all select result::text from claim union all select data::text from notice"""
        )
        assert not [row["text"] for row in rows if "忠孝" in row["text"]]
        assert await wall.outcome("m1") in {("ORDERED", "REMOVED"), ("NEEDS_REVIEW", "REMOVED"), ("NEEDS_REVIEW", "UNKNOWN_ITEM")}
        await tell_line(wall, "甲", "m1", secret, at=NOW + timedelta(seconds=1), event="again")
        await wall.drain()
        assert await database.fetchval("select text from social_comment") == ""

    async def test_an_edit_stays_on_the_post_that_the_message_quoted(self, db: str) -> None:
        wall = await a_wall()
        await tell_line(wall, "甲", "m1", "+1", at=NOW, quotes="post-message")
        quoted = await database.fetchval("select id from sales_post where id <> $1", wall.post_id)
        await tell_line(wall, "甲", "m1", "+2", at=NOW + timedelta(seconds=3), edit=True)
        await wall.drain()
        assert await database.fetch("select distinct post_id, quantity from order_line") == [(quoted, 2)]


async def test_a_public_word_of_help_keeps_the_shop_s_silence(db: str) -> None:
    for policy, words in ((PublicReply.NEVER, 0), (PublicReply.ONCE_PER_BUYER, 1)):
        wall = await a_wall(variants=("紅", "白"), on_near_miss="REPLY_HELP", public_reply=policy)
        await wall.says("甲", "+1")
        await wall.drain()
        assert await database.fetchval("select count(*) from platform_reply where shop_id = $1", wall.shop.id) == words


async def test_a_partial_order_without_a_waiting_list_promises_none(db: str) -> None:
    wall = await a_wall(on_hand=1, shortage=Shortage.PARTIAL)
    await wall.says("甲", "+2")
    await wall.drain()
    assert "候補" not in await database.fetchval("select text from platform_reply")


async def test_events_of_a_channel_that_is_not_connected_wait_to_be_replayed(db: str) -> None:
    wall = await a_wall()
    await database.execute("update channel set external_id = 'another' where id = $1", wall.channel_id)
    await wall.says("甲", "+1")
    await wall.drain()
    assert await database.fetchrow("select state, outcome from inbox_event") == ("PARKED", "NO_CHANNEL")
    await database.execute("update channel set external_id = '104561234567890' where id = $1", wall.channel_id)
    assert await replay_parked() == 1
    await wall.drain()
    assert await wall.pieces("甲") == {"": 1}


async def test_one_app_two_shops_two_channels_one_comment_id(db: str) -> None:
    wall = await a_wall()
    other = await a_shop()
    channel = await a_channel(other, endpoint_id=wall.endpoint_id, external_id="2222")
    post = await a_post(other, products=[], channel=channel, external_post_id="2222_1")
    comment = await wall.says("甲", "+1", comment="9_9")
    wall.external_posts.append("2222_1")
    await database.execute(
        """insert into inbox_event (endpoint_id, source, external_key, lane, occurred_at, payload, state, outcome, tries, received_at, parked_reason)
           select endpoint_id, source, '2222:9_9', 7, occurred_at, replace(payload::text, $1, '2222')::jsonb, 'PENDING', '', 0, received_at, ''
           from inbox_event""",
        "104561234567890",
    )
    assert await wall.drain() == 2
    rows = await database.fetch("select shop_id, count(*)::int as n from social_comment where external_id = $1 group by 1", comment)
    assert {row["shop_id"]: row["n"] for row in rows} == {wall.shop.id: 1, other.id: 1}
    assert await database.fetchval('select count(*) from "order"') == 1
    assert post.shop_id == other.id


class TestCommentsOfNobodyKnown:
    @pytest.mark.parametrize(("seen", "outcome", "held"), [(False, ("ORDERED", ""), 1), (True, ("NEEDS_REVIEW", "NO_AUTHOR"), 0)])
    async def test_order_once_their_author_is_known_unless_the_shop_waved_them_off(
        self, db: str, seen: bool, outcome: tuple[str, str], held: int
    ) -> None:
        wall = await a_wall()
        comment = await wall.says("", "+1", at=NOW + timedelta(seconds=5), verb="edited")
        await wall.drain()
        assert await wall.outcome(comment) == ("NEEDS_REVIEW", "NO_AUTHOR")
        if seen:
            await resolve(
                comment_id=await database.fetchval("select id from social_comment"), shop_id=wall.shop.id, action=ResolveAction.DISMISS,
                actor=STAFF, by_member_id=new_id(), now=NOW, jobs=wall.services.jobs,
            )  # fmt: skip
        await wall.says("甲", "+1", comment=comment, at=NOW)
        await wall.drain()
        assert await wall.outcome(comment) == outcome
        assert await wall.level() == (10, held, 0)
        assert await database.fetchval("select count(*) from claim where buyer_id is not null") == 1
