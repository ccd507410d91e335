"""One tap turns a suggestion into the order that the comment meant, by the same rules, at the tap's time, once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import pytest

from domain import db as database
from domain.claims.commands import ResolveAction, resolve
from domain.claims.errors import BadChoice, BuyerRestricted, NotResolvable, OverLimit, SuggestionClosed, SuggestionOver, TooFew
from domain.claims.offering import SuggestionMode, version_of, version_of_text
from domain.claims.rules import OnEdit, Proxy, RepeatMode, Shortage
from domain.claims.suggestions import OPEN_FOR, dismiss
from domain.errors import DomainError, NotFound
from domain.ids import new_id
from plusone.invariants import check
from tests.build import NOW, a_device, a_member
from tests.domain.claims.acts import STAFF, close, fill, pay
from tests.domain.claims.taps import a_fan, claim_of, offer_of, standing, suggested, tap
from tests.wall import Wall, a_wall

COLOURS = ("紅", "白", "黑")


@pytest.fixture(autouse=True)
async def invariants_hold(db: str):
    """After every flow the invariants hold."""
    yield
    assert await check(NOW + timedelta(seconds=30)) == []


async def refused(
    wall: Wall, refusal: type[DomainError], comment: str, member: UUID, lines: Sequence[tuple[UUID, int]] | None = None, **when: object
) -> DomainError:
    """The refusal of a tap, which changed nothing."""
    before = await standing()
    with pytest.raises(refusal) as raised:
        await tap(wall, comment, member, lines, **when)  # type: ignore[arg-type]
    assert await standing() == before
    return raised.value


async def staff_make_order(wall: Wall, comment: str, quantity: int = 1) -> None:
    await resolve(
        comment_id=await database.fetchval("select comment_id from claim where id = $1", await claim_of(comment)),
        shop_id=wall.shop.id, action=ResolveAction.MAKE_ORDER, lines=[(wall.product.variants[0].id, quantity)], actor=STAFF,
        by_member_id=new_id(), now=NOW, jobs=wall.services.jobs,
    )  # fmt: skip


# --- yes ---------------------------------------------------------------------------------------------------------------------


async def test_one_tap_takes_all_lines_as_they_were_written(db: str) -> None:
    wall = await a_wall(variants=COLOURS)
    comment, member = await suggested(wall, "小美", "紅1個 白2個")
    await a_device(member)
    assert await wall.level(0) == (10, 0, 0)
    await tap(wall, comment, member, at=NOW + timedelta(minutes=5))
    assert await wall.outcome(comment) == ("ORDERED", "ACCEPTED")
    assert await wall.pieces("小美") == {"紅": 1, "白": 2}
    assert [await wall.level(n) for n in range(3)] == [(10, 1, 0), (10, 2, 0), (10, 0, 0)]
    kinds = await database.fetch("select kind, read_at is not null as read from notice order by created_at, id")
    assert [tuple(row) for row in kinds] == [("SUGGESTION", True), ("ORDER_PLACED", False)]
    assert await database.fetchval("select count(*) from push_delivery") == 1
    actions = await database.fetch("select action, actor from audit_entry order by id")
    assert [tuple(row) for row in actions] == [
        ("CLAIM_DECIDED", "worker:ingest"), ("CLAIM_DECIDED", f"member:{member}"), ("SUGGESTION_ACCEPTED", f"member:{member}"),
    ]  # fmt: skip
    events = await database.fetch("select kind from order_event order by id")
    assert [row["kind"] for row in events] == ["OPENED", "LINES_ADDED"]
    assert await database.fetchval("select count(*) from order_line where claim_id = $1", await claim_of(comment)) == 2


async def test_the_claim_keeps_what_was_read_beside_what_was_accepted(db: str) -> None:
    wall = await a_wall(variants=COLOURS)
    comment, member = await suggested(wall, "小美", "紅色白色+1".replace("色", ""))
    before = await database.fetchrow("select result, text_hash from claim where id = $1", await claim_of(comment))
    await tap(wall, comment, member, [(wall.product.variants[1].id, 3)])
    row = await database.fetchrow("select intent, result, text_hash, order_id from claim where id = $1", await claim_of(comment))
    result = database.from_jsonb(row["result"])
    assert result.pop("accepted") == {
        "at": NOW.isoformat(), "lines": [{"variant": str(wall.product.variants[1].id), "op": "ADD", "qty": 3}],
    }  # fmt: skip
    assert result == database.from_jsonb(before["result"])
    assert (row["intent"], row["text_hash"]) == ("ORDER", before["text_hash"])
    assert row["order_id"] == await database.fetchval('select id from "order"')
    assert version_of(row["text_hash"]) == version_of_text("紅白+1")


async def test_the_order_stacks_on_the_buyers_open_one(db: str) -> None:
    wall = await a_wall(variants=COLOURS)
    comment, member = await suggested(wall, "小美", "紅1個")
    await wall.says("小美", "白+1")
    await wall.drain()
    await tap(wall, comment, member)
    assert await database.fetchval('select count(*) from "order"') == 1
    assert await database.fetchval('select total_minor from "order"') == 2 * 590


async def test_the_tap_queues_at_its_own_time(db: str) -> None:
    wall = await a_wall(on_hand=1)
    comment, member = await suggested(wall, "甲", "我要2個", at=NOW)
    await wall.says("乙", "+1", at=NOW + timedelta(seconds=10))
    await wall.says("丙", "+1", at=NOW + timedelta(seconds=20))
    await wall.drain()
    await tap(wall, comment, member, at=NOW + timedelta(seconds=30))
    assert await wall.outcome(comment) == ("WAITLISTED", "INSUFFICIENT_STOCK")
    assert await wall.waiting() == [("丙", 1), ("甲", 2)]
    queued = await database.fetchval("select queued_at from waitlist_entry where claim_id = $1", await claim_of(comment))
    assert queued == NOW + timedelta(seconds=30)
    await fill(wall, more=2)
    assert await wall.waiting() == [("甲", 1)]
    assert await wall.outcome(comment) == ("PARTIAL", "INSUFFICIENT_STOCK")


@pytest.mark.parametrize(
    ("text", "mode", "labels", "quantity"),
    [
        ("紅x2", SuggestionMode.CONFIRM, ["紅"], 2),
        ("我要紅", SuggestionMode.CHOOSE, ["紅"], 1),
        ("紅白+1", SuggestionMode.CHOOSE, ["紅", "白"], 1),
        ("紅白+2", SuggestionMode.CHOOSE, ["紅", "白"], 2),
        ("+3", SuggestionMode.CHOOSE, ["紅", "白", "黑"], 3),
        ("瓦片+1", SuggestionMode.CHOOSE, ["紅", "白", "黑"], 1),
        ("全部+1", SuggestionMode.CHOOSE, ["紅", "白", "黑"], 1),
        ("紅+", SuggestionMode.CHOOSE, ["紅"], 1),
        ("紅+1 白", SuggestionMode.CHOOSE, ["紅", "白"], 1),
    ],
)
async def test_what_is_offered(db: str, text: str, mode: SuggestionMode, labels: list[str], quantity: int) -> None:
    wall = await a_wall(variants=COLOURS)
    comment, _ = await suggested(wall, "小美", text)
    offer, ids = await offer_of(comment), {v.id: v.label for v in wall.product.variants}
    assert offer is not None
    assert (offer.mode, [ids[c.variant_id] for c in offer.choices]) == (mode, labels)
    assert {c.quantity for c in offer.choices} == {quantity}
    notice = database.from_jsonb(await database.fetchval("select data from notice"))
    assert [(line["label"], line["quantity"]) for line in notice["lines"]] == [(label, quantity) for label in labels]
    assert notice["claimId"] == str(await claim_of(comment))


@pytest.mark.parametrize("text", ["改+2", "-1", "我要改", "酒紅+1", "還能+1嗎？", "我要紅嗎", "紅還有嗎", "可以+1", "有貨的話+1", "好美"])
async def test_what_is_no_wish_for_something_known_is_not_offered(db: str, text: str) -> None:
    wall = await a_wall(variants=COLOURS)
    comment = await wall.says("小美", text)
    await wall.drain()
    assert (await wall.outcome(comment))[0] in ("NEEDS_REVIEW", "IGNORED")
    assert await database.fetchval("select count(*) from notice where kind = 'SUGGESTION'") == 0


async def test_a_single_choice_needs_no_lines_and_takes_another_quantity(db: str) -> None:
    wall = await a_wall(variants=COLOURS)
    first, member = await suggested(wall, "小美", "我要紅")
    await tap(wall, first, member)
    second = await wall.says("小美", "我要白")
    await wall.drain()
    await tap(wall, second, member, [(wall.product.variants[1].id, 4)])
    assert await wall.pieces("小美") == {"紅": 1, "白": 4}


async def test_several_choices_may_be_taken_at_once(db: str) -> None:
    wall = await a_wall(variants=COLOURS)
    comment, member = await suggested(wall, "小美", "紅白+1")
    red, white, _ = (v.id for v in wall.product.variants)
    await tap(wall, comment, member, [(red, 1), (white, 1), (red, 1)])
    assert await wall.pieces("小美") == {"紅": 2, "白": 1}


async def test_a_yes_to_a_new_quantity_sets_it(db: str) -> None:
    wall = await a_wall(variants=COLOURS)
    member = await a_fan("小美")
    for text in ("紅+1", "紅改成3個"):
        comment = await wall.says("小美", text)
    await wall.drain()
    assert await wall.outcome(comment) == ("SUGGESTED", "NEEDS_CONFIRMATION")
    await tap(wall, comment, member)
    assert await wall.pieces("小美") == {"紅": 3}
    later = await wall.says("小美", "紅改成1個")
    await wall.drain()
    await tap(wall, later, member, at=NOW + timedelta(minutes=1))
    assert await wall.pieces("小美") == {"紅": 1}
    assert (await wall.outcome(later))[0] == "CANCELLED"


async def test_a_new_quantity_of_what_is_not_held_or_paid_is_refused(db: str) -> None:
    wall = await a_wall(variants=COLOURS)
    comment, member = await suggested(wall, "小美", "紅改成2個")
    error = await refused(wall, SuggestionOver, comment, member)
    assert vars(error)["why"] == "NOT_HELD"
    await wall.says("小美", "紅+1")
    await wall.drain()
    await pay(wall)
    error = await refused(wall, SuggestionOver, comment, member)
    assert vars(error)["why"] == "ALREADY_PAID"


async def test_a_question_beside_it_still_waits_for_an_answer(db: str) -> None:
    wall = await a_wall(variants=COLOURS)
    comment, member = await suggested(wall, "小美", "紅1個，運費多少？")
    assert await database.fetchval("select review from claim") == "OPEN"
    await tap(wall, comment, member)
    assert await wall.pieces("小美") == {"紅": 1}
    assert await database.fetchval("select review from claim") == "OPEN"


# --- the shop's rule ----------------------------------------------------------------------------------------------------------


async def test_the_limit_per_buyer_holds(db: str) -> None:
    wall = await a_wall(per_buyer_max=2)
    comment, member = await suggested(wall, "小美", "我要2個")
    await wall.says("小美", "+1")
    await wall.drain()
    await refused(wall, OverLimit, comment, member)


async def test_the_rate_rule_counts_taps_by_their_own_time(db: str) -> None:
    wall = await a_wall(rate_limit_orders=2, rate_limit_hours=1)
    member = await a_fan("小美")
    comments = [await wall.says("小美", "我要1個", at=NOW + timedelta(seconds=n)) for n in range(3)]
    await wall.drain()
    tapped = NOW + timedelta(hours=5)
    await tap(wall, comments[0], member, at=tapped)
    await tap(wall, comments[1], member, at=tapped + timedelta(minutes=1))
    await refused(wall, OverLimit, comments[2], member, at=tapped + timedelta(minutes=2))
    later = await wall.says("小美", "+1", at=tapped + timedelta(minutes=3))
    await wall.drain()
    assert await wall.outcome(later) == ("REJECTED", "RATE_LIMITED")
    await tap(wall, comments[2], member, at=tapped + timedelta(minutes=61))


@pytest.mark.parametrize(
    ("mode", "pieces"), [(RepeatMode.ADD, {"紅": 3}), (RepeatMode.REPLACE, {"紅": 2}), (RepeatMode.ONCE, {"紅": 1})], ids=str
)
async def test_the_repeat_mode_holds(db: str, mode: RepeatMode, pieces: dict[str, int]) -> None:
    wall = await a_wall(variants=COLOURS, repeat_mode=mode)
    comment, member = await suggested(wall, "小美", "紅2個")
    await wall.says("小美", "紅+1")
    await wall.drain()
    if mode is RepeatMode.ONCE:
        await refused(wall, OverLimit, comment, member)
    else:
        await tap(wall, comment, member)
    assert await wall.pieces("小美") == pieces


async def test_replacing_by_as_many_is_a_yes_that_changes_nothing(db: str) -> None:
    wall = await a_wall(variants=COLOURS, repeat_mode=RepeatMode.REPLACE)
    comment, member = await suggested(wall, "小美", "紅2個")
    await wall.says("小美", "紅+2")
    await wall.drain()
    await tap(wall, comment, member)
    assert await wall.outcome(comment) == ("DUPLICATE", "REPLACED")
    assert await wall.pieces("小美") == {"紅": 2}


@pytest.mark.parametrize(
    ("shortage", "outcome", "held", "waits"),
    [
        (Shortage.PARTIAL_WAITLIST, "PARTIAL", 2, [("乙", 3)]),
        (Shortage.PARTIAL, "PARTIAL", 2, []),
        (Shortage.REJECT_LINE, None, 0, []),
        (Shortage.REJECT_COMMENT, None, 0, []),
    ],
    ids=str,
)
async def test_shortage_follows_the_policy(
    db: str, shortage: Shortage, outcome: str | None, held: int, waits: list[tuple[str, int]]
) -> None:
    wall = await a_wall(on_hand=2, shortage=shortage)
    comment, member = await suggested(wall, "乙", "我要5個")
    if outcome is None:
        error = await refused(wall, TooFew, comment, member)
        assert vars(error) == {"variant_id": wall.product.variants[0].id, "wanted": 5, "available": 2}
    else:
        await tap(wall, comment, member)
        assert await wall.outcome(comment) == (outcome, "INSUFFICIENT_STOCK")
    assert await wall.level() == (2, held, 0)
    assert await wall.waiting() == waits


async def test_too_few_names_the_short_one_and_takes_nothing_of_the_others(db: str) -> None:
    wall = await a_wall(variants=COLOURS, on_hand=(5, 1, 5), shortage=Shortage.REJECT_COMMENT)
    comment, member = await suggested(wall, "乙", "紅2個 白2個")
    error = await refused(wall, TooFew, comment, member)
    assert vars(error) == {"variant_id": wall.product.variants[1].id, "wanted": 2, "available": 1}


# --- what was not offered -----------------------------------------------------------------------------------------------------


async def test_only_what_is_offered_can_be_taken(db: str) -> None:
    wall = await a_wall(variants=COLOURS, max_per_line=5)
    comment, member = await suggested(wall, "小美", "紅白+1")
    red, white, black = (v.id for v in wall.product.variants)
    for lines in (None, [], [(black, 1)], [(red, 1), (black, 1)], [(red, 0)], [(red, -1)], [(new_id(), 1)]):
        await refused(wall, BadChoice, comment, member, lines)
    await refused(wall, OverLimit, comment, member, [(red, 6)])
    await refused(wall, OverLimit, comment, member, [(red, 3), (red, 3)])
    await tap(wall, comment, member, [(red, 5), (white, 1)])


async def test_a_confirmation_is_taken_as_it_stands_or_not_at_all(db: str) -> None:
    wall = await a_wall(variants=COLOURS)
    comment, member = await suggested(wall, "小美", "紅1個 白2個")
    red, white, _ = (v.id for v in wall.product.variants)
    for lines in ([(red, 1)], [(red, 2), (white, 2)], []):
        await refused(wall, BadChoice, comment, member, lines)
    await tap(wall, comment, member, [(white, 2), (red, 1)])
    assert await wall.pieces("小美") == {"紅": 1, "白": 2}


async def test_more_than_a_comment_may_ask_for_is_offered_as_one(db: str) -> None:
    wall = await a_wall(variants=COLOURS, max_per_line=5)
    comment, member = await suggested(wall, "小美", "瓦片+50")
    data = database.from_jsonb(await database.fetchval("select data from notice"))
    assert {line["quantity"] for line in data["lines"]} == {1}
    await refused(wall, OverLimit, comment, member, [(wall.product.variants[0].id, 50)])


async def test_a_limit_lowered_since_is_not_passed_silently(db: str) -> None:
    wall = await a_wall(variants=COLOURS)
    comment, member = await suggested(wall, "小美", "紅8個")
    await database.execute("update post_item set max_qty = 5")
    await database.execute("update sales_post set version = version + 1")
    await refused(wall, OverLimit, comment, member)


# --- the window ---------------------------------------------------------------------------------------------------------------


async def test_the_closing_instant_is_the_last_one_and_there_is_no_grace(db: str) -> None:
    closes = NOW + timedelta(hours=1)
    wall = await a_wall(closes_at=closes, grace_seconds=60)
    first, member = await suggested(wall, "小美", "我要1個")
    second = await wall.says("小美", "我要2個")
    await wall.drain()
    await tap(wall, first, member, at=closes)
    await refused(wall, SuggestionClosed, second, member, at=closes + timedelta(microseconds=1))


async def test_without_a_closing_time_a_yes_is_taken_for_a_day(db: str) -> None:
    wall = await a_wall()
    first, member = await suggested(wall, "小美", "我要1個")
    second = await wall.says("小美", "我要2個")
    await wall.drain()
    await tap(wall, first, member, at=NOW + OPEN_FOR)
    await refused(wall, SuggestionClosed, second, member, at=NOW + OPEN_FOR + timedelta(microseconds=1))


@pytest.mark.parametrize(
    "change",
    [
        "update sales_post set state = 'CLOSED', version = version + 1",
        "update sales_post set state = 'DRAFT', version = version + 1",
        "update sales_post set opens_at = '2030-01-01T00:00Z', version = version + 1",
        "with i as (update post_item set on_sale = false) update sales_post set version = version + 1",
        "with i as (delete from post_item) update sales_post set version = version + 1",
    ],
    ids=["closed", "draft", "not open yet", "not on sale", "no longer offered"],
)
async def test_what_is_closed_cannot_be_taken(db: str, change: str) -> None:
    wall = await a_wall(variants=COLOURS)
    comment, member = await suggested(wall, "小美", "紅1個")
    await database.execute(change)
    await refused(wall, SuggestionClosed, comment, member)


# --- no longer open -----------------------------------------------------------------------------------------------------------


async def test_it_is_taken_once(db: str) -> None:
    wall = await a_wall()
    comment, member = await suggested(wall, "小美", "我要1個")
    await tap(wall, comment, member)
    await refused(wall, SuggestionOver, comment, member)
    assert await wall.level() == (10, 1, 0)


async def test_only_its_own_buyer_knows_of_it(db: str) -> None:
    wall = await a_wall()
    comment, _ = await suggested(wall, "小美", "我要1個")
    await refused(wall, NotFound, comment, await a_member())
    with pytest.raises(NotFound):
        await dismiss(claim_id=await claim_of(comment), member_id=await a_member(), now=NOW)
    with pytest.raises(NotFound):
        await dismiss(claim_id=new_id(), member_id=await a_member(), now=NOW)
    await refused(wall, NotFound, comment, new_id())


async def test_an_order_by_comment_is_no_suggestion(db: str) -> None:
    wall = await a_wall()
    member = await a_fan("小美")
    comment = await wall.says("小美", "+1")
    await wall.drain()
    await refused(wall, SuggestionOver, comment, member)
    with pytest.raises(SuggestionOver):
        await dismiss(claim_id=await claim_of(comment), member_id=member, now=NOW)


async def test_a_removed_comment_takes_its_suggestion_along(db: str) -> None:
    wall = await a_wall()
    comment, member = await suggested(wall, "小美", "我要1個")
    await wall.says("小美", "", comment=comment, verb="remove")
    await wall.drain()
    await refused(wall, SuggestionOver, comment, member)


async def test_another_text_is_another_suggestion(db: str) -> None:
    wall = await a_wall(variants=COLOURS)
    comment, member = await suggested(wall, "小美", "紅1個", at=NOW)
    await wall.says("小美", "白2個", comment=comment, verb="edited", at=NOW + timedelta(seconds=5))
    await wall.drain()
    error = await refused(wall, SuggestionOver, comment, member, version=version_of_text("紅1個"))
    assert vars(error)["why"] == "EDITED"
    assert await database.fetchval("select count(*) from notice where kind = 'SUGGESTION'") == 2
    await tap(wall, comment, member, version=version_of_text("白2個"))
    assert await wall.pieces("小美") == {"白": 2}


@pytest.mark.parametrize("text", ["+1", "還有嗎？", "好美"])
async def test_a_text_that_is_no_suggestion_ends_it(db: str, text: str) -> None:
    wall = await a_wall()
    comment, member = await suggested(wall, "小美", "我要1個", at=NOW)
    await wall.says("小美", text, comment=comment, verb="edited", at=NOW + timedelta(seconds=5))
    await wall.drain()
    await refused(wall, SuggestionOver, comment, member)


async def test_a_shop_that_ignores_edits_keeps_the_first_text_s_suggestion(db: str) -> None:
    wall = await a_wall(variants=COLOURS, on_edit=OnEdit.IGNORE)
    comment, member = await suggested(wall, "小美", "紅1個", at=NOW)
    await wall.says("小美", "白2個", comment=comment, verb="edited", at=NOW + timedelta(seconds=5))
    await wall.drain()
    await tap(wall, comment, member, version=version_of_text("紅1個"))
    assert await wall.pieces("小美") == {"紅": 1}
    assert version_of(await database.fetchval("select text_hash from claim")) == version_of_text("紅1個")


async def test_what_the_seller_decided_is_decided(db: str) -> None:
    wall = await a_wall()
    comment, member = await suggested(wall, "小美", "我要1個")
    await staff_make_order(wall, comment)
    await refused(wall, SuggestionOver, comment, member)
    assert await wall.level() == (10, 1, 0)


async def test_what_the_seller_put_away_is_put_away(db: str) -> None:
    wall = await a_wall()
    comment, member = await suggested(wall, "小美", "我要1個，運費多少？")
    await resolve(
        comment_id=await database.fetchval("select comment_id from claim"), shop_id=wall.shop.id, action=ResolveAction.DISMISS, actor=STAFF,
        by_member_id=new_id(), now=NOW, jobs=wall.services.jobs,
    )  # fmt: skip
    await refused(wall, SuggestionOver, comment, member)


async def test_the_seller_cannot_make_the_accepted_order_once_more(db: str) -> None:
    wall = await a_wall()
    comment, member = await suggested(wall, "小美", "我要1個，運費多少？")
    await tap(wall, comment, member)
    before = await standing()
    with pytest.raises(NotResolvable):
        await staff_make_order(wall, comment)
    assert await standing() == before


# --- no -----------------------------------------------------------------------------------------------------------------------


async def test_no_is_kept_and_silent(db: str) -> None:
    wall = await a_wall()
    comment, member = await suggested(wall, "小美", "我要1個")
    claim = await claim_of(comment)
    await dismiss(claim_id=claim, member_id=member, version=version_of_text("我要1個"), now=NOW)
    assert await wall.outcome(comment) == ("IGNORED", "DISMISSED")
    assert [tuple(r) for r in await database.fetch("select kind, read_at from notice")] == [("SUGGESTION", NOW)]
    assert await database.fetchval("select action from audit_entry order by id desc limit 1") == "SUGGESTION_DISMISSED"
    before = await standing()
    await dismiss(claim_id=claim, member_id=member, now=NOW)
    assert await standing() == before
    await refused(wall, SuggestionOver, comment, member)


async def test_no_leaves_the_question_beside_it_to_the_seller(db: str) -> None:
    wall = await a_wall()
    comment, member = await suggested(wall, "小美", "我要1個，運費多少？")
    await dismiss(claim_id=await claim_of(comment), member_id=member, now=NOW)
    assert await database.fetchval("select review from claim") == "OPEN"


async def test_what_was_accepted_cannot_be_dismissed(db: str) -> None:
    wall = await a_wall()
    comment, member = await suggested(wall, "小美", "我要1個")
    await tap(wall, comment, member)
    with pytest.raises(SuggestionOver):
        await dismiss(claim_id=await claim_of(comment), member_id=member, now=NOW)
    assert await wall.level() == (10, 1, 0)


async def test_a_dismissed_one_comes_back_only_with_another_text(db: str) -> None:
    wall = await a_wall(variants=COLOURS)
    comment, member = await suggested(wall, "小美", "紅1個", at=NOW)
    await dismiss(claim_id=await claim_of(comment), member_id=member, now=NOW)
    await database.execute("update inbox_event set state = 'PENDING', decided_at = null")
    await wall.says("小美", "紅１個", comment=comment, verb="edited", at=NOW + timedelta(seconds=5))
    await wall.drain()
    assert await wall.outcome(comment) == ("IGNORED", "DISMISSED")
    await wall.says("小美", "紅2個", comment=comment, verb="edited", at=NOW + timedelta(seconds=9))
    await wall.drain()
    assert (await wall.outcome(comment))[0] == "SUGGESTED"
    await tap(wall, comment, member)
    assert await wall.pieces("小美") == {"紅": 2}


# --- afterwards ----------------------------------------------------------------------------------------------------------------


async def test_an_edit_of_an_accepted_comment_changes_its_order(db: str) -> None:
    wall = await a_wall(variants=COLOURS)
    comment, member = await suggested(wall, "小美", "紅1個", at=NOW)
    await tap(wall, comment, member)
    await wall.says("小美", "紅+3", comment=comment, verb="edited", at=NOW + timedelta(minutes=1))
    await wall.drain()
    assert await wall.pieces("小美") == {"紅": 3}


async def test_an_accepted_one_can_be_cancelled_by_comment(db: str) -> None:
    wall = await a_wall(variants=COLOURS)
    comment, member = await suggested(wall, "小美", "紅1個", at=NOW)
    await tap(wall, comment, member)
    await wall.says("小美", "取消")
    await wall.drain()
    assert await wall.level() == (10, 0, 0)
    await refused(wall, SuggestionOver, comment, member)


async def test_a_closed_post_ends_what_was_not_accepted_and_keeps_what_was(db: str) -> None:
    wall = await a_wall()
    first, member = await suggested(wall, "小美", "我要1個")
    second = await wall.says("小美", "我要2個")
    await wall.drain()
    await tap(wall, first, member)
    await close(wall.post_id)
    await refused(wall, SuggestionClosed, second, member)
    assert await wall.level() == (10, 1, 0)


# --- for whom, and from whom ----------------------------------------------------------------------------------------------------


async def test_what_was_asked_for_somebody_else_is_taken_on_the_buyers_own_name(db: str) -> None:
    wall = await a_wall(proxy=Proxy.OFF)
    comment, member = await suggested(wall, "小美", "幫小明+2")
    assert await wall.outcome(comment) == ("SUGGESTED", "PROXY")
    await tap(wall, comment, member)
    assert await database.fetchval("select beneficiary from order_line") == ""
    assert await wall.pieces("小美") == {"": 2}


async def test_where_orders_for_others_are_taken_the_line_keeps_the_name(db: str) -> None:
    wall = await a_wall(proxy=Proxy.ALLOW)
    comment, member = await suggested(wall, "小美", "幫小明瓦片2個")
    await tap(wall, comment, member)
    assert await database.fetchval("select beneficiary from order_line") == "小明"


async def test_a_restricted_buyer_cannot_tap(db: str) -> None:
    wall = await a_wall()
    comment, member = await suggested(wall, "小美", "我要1個")
    await database.execute("update buyer set restricted_until = $1", NOW + timedelta(hours=1))
    await refused(wall, BuyerRestricted, comment, member)
    await tap(wall, comment, member, at=NOW + timedelta(hours=1))


async def test_an_item_s_own_window_holds(db: str) -> None:
    wall = await a_wall(variants=COLOURS)
    comment, member = await suggested(wall, "小美", "紅1個")
    closes = NOW + timedelta(minutes=5)
    await database.execute("update post_item set closes_at = $1", closes)
    await database.execute("update sales_post set version = version + 1")
    await refused(wall, SuggestionClosed, comment, member, at=closes + timedelta(microseconds=1))
    await tap(wall, comment, member, at=closes)
