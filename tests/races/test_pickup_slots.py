"""A slot is changed while its code is at the counter or on its way to the phone: a piece leaves by the pass of its slot, or not at all."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from uuid import UUID

import pytest

from domain import db as database
from domain.db import Tx
from domain.delivery import choosing
from domain.orders import readiness
from domain.orders.commands import COLUMNS, LockedOrder, as_locked
from domain.pickup import commands
from domain.pickup.errors import PickupRefused
from domain.pickup.hand_over import HandOverResult
from domain.pickup.rules import PickupRefusal
from plusone.invariants import check
from tests.books import books_agree
from tests.build import NOW, AnOrder, AVariant, a_buyer, a_member, a_shop, a_variant, an_order
from tests.domain.delivery.acts import TOMORROW, Ways, a_shop_with_ways, a_slot, chosen
from tests.races.test_pickup import CLERKS, ROUNDS, SIGNER, Due, all_of, confirmed, pay, refusals, scanned
from tests.races.turns import HeldUp, until_somebody_waits


@dataclass(frozen=True, slots=True)
class Meeting:
    """A shop with two slots."""

    ways: Ways
    later: UUID
    variant: AVariant


@pytest.fixture
async def meeting(db: str) -> Meeting:
    shop = await a_shop()
    ways = await a_shop_with_ways(10_000, shop)
    return Meeting(ways, await a_slot(shop, ways.meet, 10_000, starts_at=TOMORROW.replace(hour=20)), await a_variant(shop, on_hand=10_000))


async def ready(meeting: Meeting, member: UUID, name: str = "甲") -> AnOrder:
    """An order of a new name of the member that chose the first slot and was paid."""
    buyer = await a_buyer(meeting.ways.shop, member_id=member, name=name)
    order = await an_order(meeting.ways.shop, [(meeting.variant, 1)], buyer=buyer)
    await chosen(member, order, meeting.ways.at_slot())
    await pay(order)
    return order


async def pass_of(order: AnOrder) -> UUID:
    found: UUID = await database.fetchval("select pickup_id from pickup_order where order_id = $1", order.id)
    return found


async def issued(member: UUID, pickup: UUID) -> commands.IssuedPass:
    return await commands.issue(member_id=member, pickup_id=pickup, shop_id=None, signer=SIGNER, now=NOW)


async def due(meeting: Meeting) -> tuple[UUID, Due, str]:
    """A member, their scanned pass, and the scan."""
    member = await a_member()
    order = await ready(meeting, member)
    found = Due(meeting.ways.shop, order, (await issued(member, await pass_of(order))).token)
    return member, found, await scanned(found, CLERKS[0])


async def handed_over_in(order: AnOrder) -> list[tuple[UUID, UUID]]:
    """(slot of the pass, slot of the order) of each hand-over of the order."""
    rows = await database.fetch(
        """select p.slot_id, d.slot_id as chosen from hand_over_line x join order_line l on l.id = x.order_line_id join hand_over h on h.id = x.hand_over_id
           join pickup p on p.id = h.pickup_id join order_delivery d on d.order_id = l.order_id where l.order_id = $1""",
        order.id,
    )
    return [tuple(row) for row in rows]


async def test_a_slot_is_changed_or_its_goods_leave(meeting: Meeting) -> None:
    for number in range(ROUNDS):
        member, found, scan = await due(meeting)
        change = chosen(member, found.order, meeting.ways.at_slot(meeting.later))
        race = [change, confirmed(found, scan, CLERKS[0])] if number % 2 else [confirmed(found, scan, CLERKS[0]), change]
        answers = sorted(type(answer).__name__ for answer in await all_of(*race))
        assert answers in (["HandOverResult", "InvalidTransition"], ["NoneType", "PickupRefused"])
        left = [(meeting.ways.slot, meeting.ways.slot)] if answers[0] == "HandOverResult" else []
        assert await handed_over_in(found.order) == left
    await books_agree()
    assert await check(NOW) == []


async def test_a_hand_over_waits_for_a_slot_that_is_being_changed(meeting: Meeting, monkeypatch: pytest.MonkeyPatch) -> None:
    member, found, scan = await due(meeting)
    step = HeldUp(monkeypatch, choosing, "_take_slot")
    change = asyncio.create_task(chosen(member, found.order, meeting.ways.at_slot(meeting.later)))
    await step.reached.wait()
    handing = asyncio.create_task(confirmed(found, scan, CLERKS[0]))
    await until_somebody_waits(handing)
    step.go_on.set()
    await change
    with pytest.raises(PickupRefused) as refused:
        await handing
    assert refused.value.refusal is PickupRefusal.CANCELLED
    assert await handed_over_in(found.order) == []
    assert await check(NOW) == []


async def test_without_the_order_s_lock_goods_leave_in_a_slot_that_was_left(meeting: Meeting, monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin: the buyer's change has looked at the order before the goods leave, and writes afterwards."""

    async def unlocked(tx: Tx, order_id: UUID, _: UUID) -> LockedOrder:
        return as_locked(await tx.fetchrow(f'select {COLUMNS} from "order" o where o.id = $1', order_id))

    monkeypatch.setattr(choosing, "lock_own_order", unlocked)
    member, found, scan = await due(meeting)
    step = HeldUp(monkeypatch, choosing, "_take_slot")
    change = asyncio.create_task(chosen(member, found.order, meeting.ways.at_slot(meeting.later)))
    await step.reached.wait()
    assert isinstance(await confirmed(found, scan, CLERKS[0]), HandOverResult)
    step.go_on.set()
    await change
    assert await handed_over_in(found.order) == [(meeting.ways.slot, meeting.later)]


async def changed_while_gathered(meeting: Meeting, monkeypatch: pytest.MonkeyPatch) -> tuple[UUID, UUID, UUID | None]:
    """An order's slot is changed, and its pass went up into that of the member's other name meanwhile: its first pass, the one it left, and
    the one that the audit says it left."""
    member = await a_member()
    first, second = await ready(meeting, member, "甲"), await ready(meeting, member, "乙")
    before, into = await pass_of(first), await pass_of(second)
    step = HeldUp(monkeypatch, readiness, "_to_its_slot")
    change = asyncio.create_task(chosen(member, first, meeting.ways.at_slot(meeting.later)))
    await step.reached.wait()
    assert (await issued(member, into)).pickup_id == into
    step.go_on.set()
    await change
    assert await check(NOW) == []
    told = await database.fetchval("select object_id from audit_entry where action = 'pickup.change_slot'")
    return before, into, told


async def test_a_pass_that_is_gathered_while_its_order_leaves(meeting: Meeting, monkeypatch: pytest.MonkeyPatch) -> None:
    _, left, told = await changed_while_gathered(meeting, monkeypatch)
    assert told == left


async def test_without_a_second_look_another_pass_is_left(meeting: Meeting, monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin: the order goes over from wherever it is by now."""
    monkeypatch.setattr(readiness, "_GO_OVER", readiness._GO_OVER.replace("and pickup_id = $2", "and $2::uuid is not null"))
    before, _, told = await changed_while_gathered(meeting, monkeypatch)
    assert told == before


async def test_slots_are_changed_and_codes_renewed_all_at_once(meeting: Meeting) -> None:
    for _ in range(max(1, ROUNDS // 5)):
        member = await a_member()
        stays, *others = [await ready(meeting, member, name) for name in "甲乙丙"]
        pickup = await pass_of(stays)
        for slot in (meeting.later, meeting.ways.slot, meeting.later):
            changes = [chosen(member, order, meeting.ways.at_slot(slot)) for order in others]
            answers = await all_of(*changes, issued(member, pickup), issued(member, pickup))
            assert refusals(answers) == []
        assert await check(NOW) == []
