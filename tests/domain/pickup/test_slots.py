"""A pass is one per shop, buyer and slot: each slot's scan hands over only its own orders."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from importlib import import_module
from uuid import UUID

import pytest

from domain import db as database
from domain.errors import NotFound
from domain.pickup import commands
from domain.pickup.commands import ready_waiting_orders
from domain.pickup.issuing import next_of
from domain.pickup.passes import Pass, PassSlot
from domain.pickup.rules import PickupState
from domain.stock.commands import adjust
from domain.stock.rules import AdjustReason, SellBeyond
from plusone.invariants import check
from tests.books import books_agree, everything
from tests.build import NOW, ABuyer, AnOrder, a_buyer, a_member, a_variant, an_order
from tests.counter import CLERK, JOBS, SIGNER, Counter, R, paid, pay, refused
from tests.domain.delivery.acts import TOMORROW, Ways, a_shop_with_ways, a_slot, chosen

SOON = NOW + timedelta(seconds=30)
HOUR = timedelta(hours=1)


@pytest.fixture
async def ways(counter: Counter) -> Ways:
    return await a_shop_with_ways(9, counter.shop)


async def passes() -> dict[UUID | None, tuple[UUID, str]]:
    """(id, state) of the newest pass of each slot."""
    return {row["slot_id"]: (row["id"], row["state"]) for row in await database.fetch("select * from pickup order by id")}


async def pass_of(order: AnOrder) -> tuple[UUID, UUID | None, str]:
    """(id, slot, state) of the pass on which an order stands."""
    row = await database.fetchrow(
        "select p.id, p.slot_id, p.state from pickup_order po join pickup p on p.id = po.pickup_id where po.order_id = $1", order.id
    )
    assert row is not None
    return tuple(row)  # type: ignore[return-value]


async def ready_in(counter: Counter, ways: Ways, slot: UUID, buyer: ABuyer | None = None) -> AnOrder:
    """An order of one white piece that chose this slot and was paid."""
    order = await an_order(counter.shop, [(counter.white, 1)], buyer=buyer or counter.buyer)
    await chosen(counter.member, order, ways.at_slot(slot))
    await pay(order)
    return order


async def issued(counter: Counter, pickup: UUID, now: datetime = NOW) -> commands.IssuedPass:
    return await commands.issue(member_id=counter.member, pickup_id=pickup, shop_id=None, signer=SIGNER, now=now)


async def test_two_slots_are_two_passes_and_each_scan_hands_over_its_own(counter: Counter, ways: Ways) -> None:
    later = await a_slot(ways.shop, ways.meet, starts_at=TOMORROW + 3 * HOUR)
    first, second, third = [await ready_in(counter, ways, slot) for slot in (ways.slot, later, ways.slot)]
    assert [(await pass_of(order))[1] for order in (first, second, third, counter.order)] == [ways.slot, later, ways.slot, None]
    found = await passes()
    codes = {slot: await issued(counter, found[slot][0]) for slot in (None, ways.slot, later)}
    assert {slot: set(code.order_ids) for slot, code in codes.items()} == {
        None: {counter.order.id}, ways.slot: {first.id, third.id}, later: {second.id},
    }  # fmt: skip
    place = PassSlot(ways.slot, TOMORROW, TOMORROW + 2 * HOUR, "中山站 2 號出口")
    assert [codes[slot].slot for slot in (None, ways.slot)] == [None, place]
    seen = await counter.scan(codes[ways.slot].token)
    assert (seen.slot, set(seen.order_ids)) == (place, {first.id, third.id})
    done = await counter.confirm(seen.scan_id)
    assert (set(done.order_ids), done.left, done.pickup_state) == ({first.id, third.id}, 0, PickupState.COLLECTED)
    assert [(await pass_of(order))[2] for order in (second, counter.order)] == ["OPEN", "OPEN"]
    await counter.confirm((await counter.scan(codes[later].token)).scan_id)
    assert {state for _, state in (await passes()).values()} == {"COLLECTED", "OPEN"}
    await books_agree()
    assert await check(SOON) == []


async def test_a_slot_changed_after_it_was_ready_is_another_pass(counter: Counter, ways: Ways) -> None:
    old = (await issued(counter, (await passes())[None][0])).token
    await chosen(counter.member, counter.order, ways.at_slot())
    before, now = (await passes())[None], await pass_of(counter.order)
    assert (before[1], now[1:]) == ("CANCELLED", (ways.slot, "OPEN"))
    entry = await database.fetchrow("select actor, object_id, detail->>'into' as into from audit_entry where action = 'pickup.change_slot'")
    assert entry is not None
    assert tuple(entry) == (f"member:{counter.member}", before[0], str(now[0]))
    await refused(counter.scan(old), R.CANCELLED)
    assert (await issued(counter, before[0])).pickup_id == now[0], "the old id leads to the new pass"
    unchanged = await everything()
    await chosen(counter.member, counter.order, ways.at_slot())
    assert await everything() == unchanged
    assert await check(SOON) == []


async def test_what_stays_in_the_slot_keeps_its_pass_and_its_code(counter: Counter, ways: Ways) -> None:
    later = await a_slot(ways.shop, ways.meet, starts_at=TOMORROW + 3 * HOUR)
    stays, goes = await ready_in(counter, ways, ways.slot), await ready_in(counter, ways, ways.slot)
    code = await issued(counter, (await pass_of(stays))[0])
    scan = await counter.scan(code.token)
    await chosen(counter.member, goes, ways.at_slot(later))
    done = await counter.confirm(scan.scan_id)
    assert (done.order_ids, done.pickup_state) == ((stays.id,), PickupState.COLLECTED)
    assert (await pass_of(goes))[1:] == (later, "OPEN")
    await chosen(counter.member, goes, ways.at_slot())  # back: a collected pass is not opened again
    assert (await pass_of(goes))[1:] == (ways.slot, "OPEN")
    assert (await pass_of(goes))[0] != (await pass_of(stays))[0]
    await books_agree()
    assert await check(SOON) == []


async def test_a_pass_on_which_only_collected_orders_stay_is_collected(counter: Counter, ways: Ways) -> None:
    code = await counter.issue()
    goes = await paid(counter.shop, [(counter.white, 1)], counter.buyer)
    lines = [line for line in (await counter.scan(code.token)).lines if line.order_id == counter.order.id]
    scan = await counter.scan(code.token)
    await counter.confirm(scan.scan_id, [commands.LineQuantity(line.order_line_id, line.left) for line in lines])
    assert (await pass_of(goes))[1:] == (None, "OPEN")
    await chosen(counter.member, goes, ways.at_slot())
    assert (await passes())[None] == (code.pickup_id, "COLLECTED")
    assert await check(SOON) == []


async def test_two_names_of_one_person_in_one_slot_are_one_code(counter: Counter, ways: Ways) -> None:
    later = await a_slot(ways.shop, ways.meet, starts_at=TOMORROW + 3 * HOUR)
    name = await a_buyer(counter.shop, member_id=counter.member, name="小美")
    first, second = await ready_in(counter, ways, ways.slot), await ready_in(counter, ways, ways.slot, name)
    apart = await ready_in(counter, ways, later, name)
    assert (await pass_of(first))[0] != (await pass_of(second))[0]
    gone = (await pass_of(second))[0]
    code = await issued(counter, (await pass_of(first))[0])
    assert set(code.order_ids) == {first.id, second.id}
    assert (await pass_of(second))[0] == code.pickup_id
    assert ((await pass_of(apart))[1:], (await pass_of(counter.order))[1:]) == ((later, "OPEN"), (None, "OPEN"))
    assert (await issued(counter, gone)).pickup_id == code.pickup_id
    # One of them goes to the other slot from a pass of the person's other name.
    await chosen(counter.member, second, ways.at_slot(later))
    assert (await pass_of(second))[0] == (await pass_of(apart))[0]
    assert (await pass_of(first))[1:] == (ways.slot, "OPEN")
    assert await check(SOON) == []


async def test_the_shop_s_pass_is_the_one_of_the_slot_that_runs_or_comes_next(counter: Counter, ways: Ways) -> None:
    later = await a_slot(ways.shop, ways.meet, starts_at=TOMORROW + 3 * HOUR)
    second, first = await ready_in(counter, ways, later), await ready_in(counter, ways, ways.slot)
    for now, order in (
        (NOW, first), (TOMORROW + HOUR, first), (TOMORROW + 2 * HOUR, second), (TOMORROW + 4 * HOUR, second), (TOMORROW + 5 * HOUR, counter.order),
    ):  # fmt: skip
        assert (await counter.issue(now)).order_ids == (order.id,)
    await database.execute("update pickup set state = 'CANCELLED' where slot_id is null")
    assert (await counter.issue(TOMORROW + 6 * HOUR)).order_ids == (second.id,), "the one that ended last"


def test_of_several_passes_of_a_slot_the_newest() -> None:
    slot = PassSlot(UUID(int=5), NOW, NOW + HOUR, "")
    first = Pass(UUID(int=1), UUID(int=9), UUID(int=9), 1, PickupState.OPEN, 0, "", None, None, None, None, "", None, slot)
    second, none = replace(first, id=UUID(int=2)), replace(first, id=UUID(int=3), slot=None)
    assert next_of([first, none, second], NOW) == second
    assert next_of([first, none, second], NOW + HOUR) == none
    assert next_of([none, replace(none, id=UUID(int=4))], NOW).id == UUID(int=4)


async def test_a_counter_of_one_slot_refuses_codes_of_others(counter: Counter, ways: Ways) -> None:
    later = await a_slot(ways.shop, ways.meet, starts_at=TOMORROW + 3 * HOUR)
    without = await counter.issue()
    order = await ready_in(counter, ways, ways.slot)
    code = await issued(counter, (await pass_of(order))[0])
    for text in (code.token, code.short_code):
        facts = await refused(counter.scan(text, slot=later), R.WRONG_SLOT, changed=("audit_entry", "guess_count"))
        assert facts == {"slot_id": ways.slot}
        assert (await counter.scan(text, slot=ways.slot)).order_ids == (order.id,)
        assert (await counter.scan(text, now=NOW + HOUR)).order_ids == (order.id,), "a day before its hours"
    entry = await database.fetchrow("select object_id from audit_entry where action = 'pickup.refused' order by id limit 1")
    assert entry is not None
    assert entry["object_id"] == code.pickup_id
    assert (await counter.scan(without.token, slot=later)).slot is None
    elsewhere = await a_shop_with_ways()
    for slot in (elsewhere.slot, UUID(int=1)):
        before = await everything()
        with pytest.raises(NotFound):
            await counter.scan(code.token, slot=slot)
        assert await everything() == before
    await chosen(counter.member, order, ways.at_slot(later))
    await refused(counter.scan(code.token, slot=later), R.CANCELLED)


async def test_goods_that_arrive_put_orders_onto_the_pass_of_their_slot(counter: Counter, ways: Ways) -> None:
    name = await a_buyer(counter.shop, member_id=await a_member())
    empty = await a_variant(counter.shop, on_hand=0, sell_beyond=SellBeyond.PREORDER, backorder_limit=9)
    order, other = [await an_order(counter.shop, [(empty, 2)], buyer=buyer) for buyer in (counter.buyer, name)]
    await chosen(counter.member, order, ways.at_slot())
    await pay(order)
    await pay(other)
    assert await database.fetchval("select count(*) from pickup_order") == 1
    await adjust(shop_id=counter.shop.id, variant_id=empty.id, delta=4, reason=AdjustReason.RECEIPT, actor=CLERK, now=NOW, jobs=JOBS)
    assert await ready_waiting_orders(shop_id=counter.shop.id, variant_ids=[empty.id], now=NOW, jobs=JOBS) == 2
    assert [(await pass_of(each))[1:] for each in (order, other)] == [(ways.slot, "OPEN"), (None, "OPEN")]
    assert await check(SOON) == []


async def test_passes_from_before_are_told_apart_by_what_their_orders_chose(counter: Counter, ways: Ways) -> None:
    """What the migration does with open passes, of which there was one per buyer whichever slots the orders chose."""
    migration = import_module("domain.migrations.0021_pass_slots")
    later = await a_slot(ways.shop, ways.meet, starts_at=TOMORROW + 3 * HOUR)
    orders = [await ready_in(counter, ways, slot) for slot in (ways.slot, later)]
    name = await a_buyer(counter.shop, member_id=counter.member)
    single = await ready_in(counter, ways, later, name)
    old = {order.id: (await pass_of(order))[0] for order in (counter.order, single)}
    async with database.transaction() as tx:
        await tx.execute("drop index pickup_open")
        await tx.execute(
            "update pickup_order set pickup_id = $1 where order_id = any($2::uuid[])", old[counter.order.id], [o.id for o in orders]
        )
        await tx.execute("update pickup set state = 'CANCELLED' where id <> all($1::uuid[])", list(old.values()))
        await tx.execute("update pickup set slot_id = null")
        for statement in migration.SPLIT.split(";")[:-1]:
            await tx.execute(statement)
        await tx.execute("create unique index pickup_open on pickup (shop_id, buyer_id, slot_id) nulls not distinct where state = 'OPEN'")
    assert await pass_of(counter.order) == (old[counter.order.id], None, "OPEN")
    assert await pass_of(single) == (old[single.id], later, "OPEN")
    assert [(await pass_of(order))[1:] for order in orders] == [(ways.slot, "OPEN"), (later, "OPEN")]
    assert len((await issued(counter, (await pass_of(orders[0]))[0])).order_ids) == 1
    assert await check(SOON) == []
