"""Goods leave over the counter once, whole or in parts, and everything says so."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from domain import db as database
from domain.pickup.hand_over import HandOverResult
from domain.pickup.rules import LineQuantity, PickupState
from domain.pickup.scans import read_scan, sign_scan
from domain.stock.commands import adjust
from domain.stock.rules import AdjustReason, SellBeyond
from domain.vault import Vault
from tests.books import books_agree, everything, figures
from tests.build import NOW, a_buyer, a_member, a_shop, a_variant
from tests.counter import CLERK, CLERK_ID, JOBS, VAULT, Counter, R, paid, refused


async def test_goods_leave_and_everything_says_so(counter: Counter) -> None:
    issued = await counter.issue()
    preview = await counter.scan(issued.token)
    at = NOW + timedelta(minutes=3)
    result = await counter.confirm(preview.scan_id, now=at)
    seen = read_scan(preview.scan_id, counter.shop.id, VAULT)
    assert seen is not None
    assert result == HandOverResult(
        hand_over_id=seen.hand_over_id,
        pickup_id=issued.pickup_id,
        lines=(LineQuantity(counter.order.lines[0], 2), LineQuantity(counter.order.lines[1], 1)),
        order_ids=(counter.order.id,),
        collected_minor=0,
        at=at,
        left=0,
        pickup_state=PickupState.COLLECTED,
    )
    assert await counter.state() == ("COMPLETED", "HANDED_OVER", "COLLECTED")
    assert (await figures(counter.red), await figures(counter.white)) == ((1, 0, 0), (3, 0, 0))
    moved = await database.fetch(
        "select on_hand_delta, held_delta, committed_delta, order_line_id from stock_movement where kind = 'HANDED_OVER'"
    )
    assert sorted(tuple(m) for m in moved) == sorted([(-2, 0, -2, counter.order.lines[0]), (-1, 0, -1, counter.order.lines[1])])
    over = await database.fetchrow(
        "select id, shop_id, pickup_id, issue_number, by_member_id, device, collected_minor, conflict, at from hand_over"
    )
    assert over is not None
    assert tuple(over) == (seen.hand_over_id, counter.shop.id, issued.pickup_id, 1, CLERK_ID, "櫃台 1", 0, False, at)
    assert await database.fetchval("select array_agg(kind order by id) from order_event") == ["PAID", "READY_FOR_PICKUP", "HANDED_OVER"]
    actions = await database.fetch("select action, object_id, actor from audit_entry order by id desc limit 2")
    assert {tuple(a) for a in actions} == {
        ("pickup.hand_over", issued.pickup_id, CLERK.name), ("order.hand_over", counter.order.id, CLERK.name),
    }  # fmt: skip
    notice = await database.fetchrow("select member_id, data from notice where kind = 'PICKED_UP'")
    assert notice is not None
    assert notice["member_id"] == counter.member
    assert [line["quantity"] for line in database.from_jsonb(notice["data"])["lines"]] == [2, 1]
    assert await database.fetchval('select list from "order"') == "DONE"
    await books_agree()


async def test_the_same_scan_confirmed_again_is_the_same_hand_over(counter: Counter) -> None:
    preview = await counter.scan((await counter.issue()).token)
    result = await counter.confirm(preview.scan_id)
    before = await everything()
    for later in (timedelta(0), timedelta(minutes=9), timedelta(days=30)):
        assert await counter.confirm(preview.scan_id, [LineQuantity(counter.order.lines[0], 1)], now=NOW + later, collected=5) == result
    assert await everything() == before


async def test_in_parts_the_code_stays_good_for_the_rest(counter: Counter) -> None:
    issued = await counter.issue()
    red, white = counter.order.lines
    first = await counter.confirm((await counter.scan(issued.token)).scan_id, [LineQuantity(red, 1)])
    assert (first.left, first.pickup_state) == (2, PickupState.OPEN)
    assert await counter.state() == ("OPEN", "PARTIAL", "OPEN")
    assert await database.fetchval('select list from "order"') == "TO_PICK_UP"
    await books_agree()
    preview = await counter.scan(issued.token)
    assert [(x.order_line_id, x.quantity, x.left) for x in preview.lines] == [(red, 2, 1), (white, 1, 1)]
    await refused(counter.confirm(preview.scan_id, [LineQuantity(red, 2)]), R.RULES)
    second = await counter.confirm(preview.scan_id, [LineQuantity(white, 1)])
    assert (second.left, await counter.state()) == (1, ("OPEN", "PARTIAL", "OPEN"))
    third = await counter.confirm((await counter.scan(issued.token)).scan_id)
    assert (third.lines, third.left) == ((LineQuantity(red, 1),), 0)
    assert await counter.state() == ("COMPLETED", "HANDED_OVER", "COLLECTED")
    assert await database.fetchval("select count(*) from notice where kind = 'PICKED_UP'") == 3
    await books_agree()


async def test_one_pass_hands_over_several_orders(counter: Counter) -> None:
    other = await paid(counter.shop, [(counter.white, 2)], counter.buyer)
    issued = await counter.issue()
    assert set(issued.order_ids) == {counter.order.id, other.id}
    part = await counter.confirm((await counter.scan(issued.token)).scan_id, [LineQuantity(other.lines[0], 2)])
    assert (part.order_ids, part.left) == ((other.id,), 3)
    assert await database.fetchval('select state from "order" where id = $1', other.id) == "COMPLETED"
    assert await counter.state() == ("OPEN", "READY_FOR_PICKUP", "OPEN")
    rest = await counter.confirm((await counter.scan(issued.token)).scan_id)
    assert (rest.order_ids, rest.left, rest.pickup_state) == ((counter.order.id,), 0, PickupState.COLLECTED)
    await books_agree()


async def test_after_all_was_collected_the_next_order_has_a_pass_of_its_own(counter: Counter) -> None:
    issued = await counter.issue()
    await counter.confirm((await counter.scan(issued.token)).scan_id)
    await paid(counter.shop, [(counter.white, 1)], counter.buyer, at=NOW + timedelta(hours=1))
    fresh = await counter.issue()
    assert (fresh.pickup_id != issued.pickup_id, fresh.issue_number) == (True, 1)
    await refused(counter.scan(issued.token), R.ALREADY_USED)
    assert (await counter.scan(fresh.token)).pickup_id == fresh.pickup_id


async def test_a_scan_is_confirmed_within_ten_minutes(counter: Counter) -> None:
    preview = await counter.scan((await counter.issue()).token)
    assert (await refused(counter.confirm(preview.scan_id, now=NOW + timedelta(minutes=10, seconds=1)), R.EXPIRED))["reason"] == "scan"
    await refused(counter.confirm(preview.scan_id, now=NOW - timedelta(minutes=2)), R.EXPIRED)
    assert (await counter.confirm(preview.scan_id, now=NOW + timedelta(minutes=10))).left == 0


async def test_a_renewed_code_kills_the_scans_of_the_old_one(counter: Counter) -> None:
    preview = await counter.scan((await counter.issue()).token)
    await counter.issue()
    await refused(counter.confirm(preview.scan_id), R.REVOKED)


async def test_a_scan_is_its_scanners_and_its_shops(counter: Counter) -> None:
    scan_id = (await counter.scan((await counter.issue()).token)).scan_id
    await refused(counter.confirm(scan_id, by=UUID(int=8)), R.NOT_PERMITTED)
    await refused(counter.confirm(scan_id, shop=await a_shop()), R.INVALID)


async def test_an_altered_scan_is_refused(counter: Counter) -> None:
    scan_id = (await counter.scan((await counter.issue()).token)).scan_id
    for place in range(0, len(scan_id), 7):
        altered = scan_id[:place] + ("A" if scan_id[place] != "A" else "B") + scan_id[place + 1 :]
        await refused(counter.confirm(altered), R.INVALID)
    for odd in ("", "A", scan_id[:-2], scan_id + "AAAA", "é" * 94, "\ud800", "=" * 94, "A" * 94, "A" * 100_000):
        await refused(counter.confirm(odd), R.INVALID)
    seen = read_scan(scan_id, counter.shop.id, VAULT)
    assert seen is not None
    other_root = Vault("another secret of at least thirty-two chars")
    await refused(counter.confirm(sign_scan(seen, counter.shop.id, other_root)), R.INVALID)
    gone = sign_scan(replace(seen, pickup_id=uuid4()), counter.shop.id, VAULT)
    await refused(counter.confirm(gone), R.INVALID)


async def test_money_that_nobody_owes_is_not_collected(counter: Counter) -> None:
    preview = await counter.scan((await counter.issue()).token)
    assert await refused(counter.confirm(preview.scan_id, collected=590), R.RULES) == {"due_minor": 0, "collected_minor": 590}


async def test_lines_of_another_order_do_not_leave(counter: Counter) -> None:
    stranger = await paid(counter.shop, [(counter.white, 1)], await a_buyer(counter.shop))
    preview = await counter.scan((await counter.issue()).token)
    facts = await refused(counter.confirm(preview.scan_id, [LineQuantity(stranger.lines[0], 1)]), R.RULES)
    assert facts == {"order_line_id": stranger.lines[0], "due": 0, "asked": 1}
    await refused(counter.confirm(preview.scan_id, []), R.RULES)


async def test_goods_that_are_not_there_do_not_leave(db: str) -> None:
    """Sold beyond, then lost: the order was ready, the shelf is empty."""
    shop, member = await a_shop(), await a_member()
    buyer = await a_buyer(shop, member_id=member)
    variant = await a_variant(shop, on_hand=2, sell_beyond=SellBeyond.OVERSELL, backorder_limit=5)
    order = await paid(shop, [(variant, 2)], buyer)
    await adjust(shop_id=shop.id, variant_id=variant.id, delta=-1, reason=AdjustReason.LOSS, actor=CLERK, now=NOW, jobs=JOBS)
    counter = Counter()
    counter.shop, counter.member, counter.order = shop, member, order
    preview = await counter.scan((await counter.issue()).token)
    facts = await refused(counter.confirm(preview.scan_id), R.NOT_READY)
    assert facts == {"variant_id": variant.id, "on_hand": 1, "wanted": 2}
    assert (await counter.confirm(preview.scan_id, [LineQuantity(order.lines[0], 1)])).left == 1
    await books_agree()


@pytest.mark.parametrize(("state", "left", "becomes"), [("LOCKED", 1, "OPEN"), ("CANCELLED", 0, "COLLECTED")])
async def test_a_pass_waits_for_a_locked_order_and_not_for_a_cancelled_one(counter: Counter, state: str, left: int, becomes: str) -> None:
    other = await paid(counter.shop, [(counter.white, 1)], counter.buyer)
    await database.execute('update "order" set state = $2, version = version + 1 where id = $1', other.id, state)
    result = await counter.confirm((await counter.scan((await counter.issue()).token)).scan_id)
    assert (result.order_ids, result.left, result.pickup_state.value) == ((counter.order.id,), left, becomes)


async def test_a_scan_opens_in_its_own_shop_alone(counter: Counter) -> None:
    scan_id = (await counter.scan((await counter.issue()).token)).scan_id
    assert read_scan(scan_id, counter.shop.id, VAULT) is not None
    assert read_scan(scan_id, (await a_shop()).id, VAULT) is None
