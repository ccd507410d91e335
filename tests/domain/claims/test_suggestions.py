"""One tap turns a suggestion into the order that the comment meant, at the tap's time."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain import db as database
from domain.claims.errors import BadChoice, OverLimit, SuggestionOver
from domain.claims.offering import SuggestionMode, version_of, version_of_text
from domain.ids import new_id
from plusone.invariants import check
from tests.build import NOW, a_device
from tests.domain.claims.acts import fill, pay
from tests.domain.claims.taps import a_fan, claim_of, offer_of, refused, suggested, tap
from tests.wall import a_wall

COLOURS = ("紅", "白", "黑")


@pytest.fixture(autouse=True)
async def invariants_hold(db: str):
    """After every flow the invariants hold."""
    yield
    assert await check(NOW + timedelta(seconds=30)) == []


# --- yes -------------------------------------------------------------------------------------------------------------------


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
    assert [row["kind"] for row in events] == ["LINES_ADDED"]
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


# --- what was not offered --------------------------------------------------------------------------------------------------


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
