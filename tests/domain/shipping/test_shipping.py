"""Goods leave in parcels, once; each state of a parcel is told once; the order follows; the books agree."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from domain import db as database
from domain.errors import DomainError, NotFound
from domain.ids import new_id
from domain.orders.errors import VersionConflict
from domain.orders.rules import FulfilmentState, OrderState, PaymentState
from domain.posts.rules import DeliveryMethod
from domain.providers.pgqueuer_enqueue import PgQueuerJobs
from domain.shipping import commands
from domain.shipping.commands import Parcel, Step, Store, remind_last_days
from domain.shipping.errors import NoSuchStep, NotShippable
from domain.shipping.rules import NEXT, ShipmentState, fulfilment_of, remind_at
from domain.stock.errors import InsufficientStock
from plusone.invariants import check
from tests import books, build
from tests.parcels import PACKER, PARCEL, an_order_to_send, ship

JOBS = PgQueuerJobs()
NOW = build.NOW
S, F = ShipmentState, FulfilmentState


@dataclass(slots=True)
class Desk:
    shop: build.AShop
    buyer: build.ABuyer
    member: UUID


@pytest.fixture
async def desk(db: str) -> Desk:
    member, shop = await build.a_member(), await build.a_shop()
    return Desk(shop, await build.a_buyer(shop, member_id=member), member)


async def follow(desk: Desk, shipment: UUID, state: ShipmentState, *, now: Any = NOW, **more: Any) -> None:
    await commands.follow(
        shipment_id=shipment, shop_id=desk.shop.id, step=Step(state, more.pop("at", now), **more), actor=PACKER, now=now, jobs=JOBS
    )


async def stands(order: build.AnOrder) -> tuple[str, str, str]:
    row = await database.fetchrow('select state, fulfilment_state, list from "order" where id = $1', order.id)
    assert row is not None
    return tuple(row.values())  # type: ignore[return-value]


async def told() -> list[str]:
    return [row["kind"] for row in await database.fetch("select kind from notice order by created_at, id")]


async def test_goods_leave_once_and_all_agrees(desk: Desk) -> None:
    variant = await build.a_variant(desk.shop, on_hand=5)
    order = await an_order_to_send(desk.shop, {variant: 2}, buyer=desk.buyer)
    assert await books.figures(variant) == (5, 0, 2)
    shipment = await ship(order, jobs=JOBS)
    assert await books.figures(variant) == (3, 0, 0)
    assert await stands(order) == ("OPEN", "SHIPPED", "TO_RECEIVE")
    row = await database.fetchrow("select member_id, state, carrier, tracking_number, version from shipment where id = $1", shipment)
    assert row is not None
    assert tuple(row.values()) == (desk.member, "SHIPPED", "黑貓宅急便", "8842-1190", 1)
    assert [(r["kind"], r["actor"]) for r in await database.fetch("select kind, actor from order_event where order_id = $1", order.id)] == [
        ("SHIPPED", "member:packer")
    ]
    notice = await database.fetchrow("select kind, data from notice")
    assert notice is not None
    facts = database.from_jsonb(notice["data"])
    assert (notice["kind"], facts["carrier"], facts["trackingNumber"], facts["shipmentId"]) == (
        "SHIPMENT_SENT",
        "黑貓宅急便",
        "8842-1190",
        str(shipment),
    )
    assert await database.fetchval("select count(*) from audit_entry where action = 'order.ship'") == 1
    await books.books_agree()
    before = await books.everything()
    with pytest.raises(NotShippable):
        await ship(order, jobs=JOBS)
    assert await books.everything() == before


async def test_a_part_goes_first_and_the_order_is_complete_when_all_parcels_are_there(desk: Desk) -> None:
    variant = await build.a_variant(desk.shop, on_hand=5)
    order = await an_order_to_send(desk.shop, {variant: 3}, buyer=desk.buyer)
    first = await ship(order, Parcel("郵局", lines={order.lines[0]: 1}), jobs=JOBS)
    assert await stands(order) == ("OPEN", "PARTIAL", "TO_SHIP")
    assert await books.figures(variant) == (4, 0, 2)
    await follow(desk, first, S.DELIVERED)
    assert await stands(order) == ("OPEN", "PARTIAL", "TO_SHIP")
    second = await ship(order, jobs=JOBS)
    assert await stands(order) == ("OPEN", "SHIPPED", "TO_RECEIVE")
    await follow(desk, second, S.DELIVERED)
    assert await stands(order) == ("COMPLETED", "DELIVERED", "DONE")
    assert await told() == ["SHIPMENT_SENT", "SHIPMENT_DELIVERED", "SHIPMENT_SENT", "SHIPMENT_DELIVERED"]
    await books.books_agree()
    assert {violation.invariant for violation in await check(NOW)} <= {"I6b"}, "the builder writes no payment"


REFUSED = {
    "unpaid": {"payment": PaymentState.UNPAID},
    "collected": {"method": DeliveryMethod.PICKUP},
    "cancelled": {"state": OrderState.CANCELLED},
    "locked": {"state": OrderState.LOCKED},
}


@pytest.mark.parametrize("what", REFUSED)
async def test_only_open_paid_orders_that_are_sent_are_sent(desk: Desk, what: str) -> None:
    order = await an_order_to_send(desk.shop, buyer=desk.buyer, **REFUSED[what])
    before = await books.everything()
    with pytest.raises(NotShippable):
        await ship(order, jobs=JOBS)
    assert await books.everything() == before


async def test_other_refusals_change_nothing(desk: Desk) -> None:
    variant = await build.a_variant(desk.shop, on_hand=5)
    order = await an_order_to_send(desk.shop, {variant: 2}, buyer=desk.buyer)
    other = await build.a_shop()
    await database.execute("update stock_level set backorder_limit = 9, sell_beyond = 'PREORDER'")
    short = await an_order_to_send(desk.shop, {variant: 4}, buyer=await build.a_buyer(desk.shop))
    before = await books.everything()

    async def refused(error: type[DomainError], **given: Any) -> None:
        asked = {
            "order_id": order.id, "shop_id": desk.shop.id, "parcel": PARCEL, "expected_version": None, "actor": PACKER, "now": NOW, "jobs": JOBS,
        } | given  # fmt: skip
        with pytest.raises(error):
            await commands.ship(**asked)
        assert await books.everything() == before

    await refused(NotFound, shop_id=other.id)
    await refused(NotFound, order_id=new_id())
    await refused(VersionConflict, expected_version=7)
    await refused(NotShippable, parcel=Parcel("x", lines={}))
    await refused(NotShippable, parcel=Parcel("x", lines={order.lines[0]: 3}))
    await refused(NotShippable, parcel=Parcel("x", lines={order.lines[0]: 0}))
    await refused(NotShippable, parcel=Parcel("x", lines={short.lines[0]: 1}))
    await database.execute("update stock_level set on_hand = 1, version = version + 1 where variant_id = $1", variant.id)
    before = await books.everything()
    await refused(InsufficientStock, order_id=short.id)


async def test_each_state_is_told_once_and_the_last_day_is_reminded_of_once(desk: Desk) -> None:
    order = await an_order_to_send(desk.shop, buyer=desk.buyer)
    shipment = await ship(order, Parcel("7-ELEVEN 交貨便", "F1", Store("991182", "台大門市", "台北市")), jobs=JOBS)
    last = date(2026, 11, 25)
    await follow(desk, shipment, S.ARRIVED_AT_STORE, last_day=last, place="台大門市")
    await follow(desk, shipment, S.ARRIVED_AT_STORE, last_day=last, note="再次通知")
    assert await stands(order) == ("OPEN", "ARRIVED_AT_STORE", "TO_RECEIVE")
    assert await told() == ["SHIPMENT_SENT", "SHIPMENT_ARRIVED"]
    assert (
        database.from_jsonb(await database.fetchval("select data from notice where kind = 'SHIPMENT_ARRIVED'"))["lastDay"] == "2026-11-25"
    )
    due = await database.fetchval("select remind_at from shipment")
    assert due.isoformat() == "2026-11-24T02:00:00+00:00"
    assert await remind_last_days(now=due - timedelta(seconds=1), limit=9, jobs=JOBS) == 0
    assert await remind_last_days(now=due, limit=9, jobs=JOBS) == 1
    assert await remind_last_days(now=due, limit=9, jobs=JOBS) == 0
    assert (await told())[-1] == "SHIPMENT_LAST_DAY"
    await follow(desk, shipment, S.DELIVERED, now=due)
    assert await stands(order) == ("COMPLETED", "DELIVERED", "DONE")
    events = await database.fetch("select state, place, note from shipment_event order by id")
    assert [tuple(row.values()) for row in events] == [
        ("SHIPPED", "", ""), ("ARRIVED_AT_STORE", "台大門市", ""), ("ARRIVED_AT_STORE", "", "再次通知"), ("DELIVERED", "", ""),
    ]  # fmt: skip


async def test_a_parcel_that_was_fetched_is_not_reminded_of(desk: Desk) -> None:
    order = await an_order_to_send(desk.shop, buyer=desk.buyer)
    shipment = await ship(order, jobs=JOBS)
    await follow(desk, shipment, S.ARRIVED_AT_STORE, last_day=date(2026, 11, 25))
    await follow(desk, shipment, S.DELIVERED)
    assert await remind_last_days(now=NOW + timedelta(days=30), limit=9, jobs=JOBS) == 0


async def test_a_parcel_goes_only_where_it_may(desk: Desk) -> None:
    for old in S:
        for new in S:
            order = await an_order_to_send(desk.shop, buyer=desk.buyer)
            shipment = await ship(order, jobs=JOBS)
            if old is not S.SHIPPED:
                await follow(desk, shipment, old)
            before = await books.everything()
            if new is old or new in NEXT[old]:
                await follow(desk, shipment, new)
            else:
                with pytest.raises(NoSuchStep):
                    await follow(desk, shipment, new)
                assert await books.everything() == before
    with pytest.raises(NotFound):
        await commands.follow(shipment_id=shipment, shop_id=new_id(), step=Step(S.DELIVERED, NOW), actor=PACKER, now=NOW, jobs=JOBS)
    await books.books_agree()


async def test_a_parcel_follows_its_buyers_name(desk: Desk) -> None:
    from domain.members.people import hand

    shipment = await ship(await an_order_to_send(desk.shop, buyer=desk.buyer), jobs=JOBS)
    other = await build.a_member()
    async with database.transaction() as tx:
        await hand(tx, [desk.buyer.id], other, actor=PACKER, now=NOW)
    assert await database.fetchval("select member_id from shipment where id = $1", shipment) == other


@pytest.mark.parametrize(
    ("parcels", "all_left", "expected"),
    [
        ([S.SHIPPED], True, F.SHIPPED),
        ([S.DELIVERED], False, F.PARTIAL),
        ([S.DELIVERED, S.SHIPPED], True, F.SHIPPED),
        ([S.DELIVERED, S.ARRIVED_AT_STORE], True, F.ARRIVED_AT_STORE),
        ([S.DELIVERED, S.RETURNED], True, F.DELIVERED),
        ([S.RETURNED, S.RETURNED], True, F.RETURNED),
    ],
)
def test_an_order_stands_where_its_last_parcel_is(parcels: list[ShipmentState], all_left: bool, expected: FulfilmentState) -> None:
    assert fulfilment_of(parcels, everything_left=all_left) is expected


@pytest.mark.parametrize(
    ("zone", "now", "expected"),
    [
        ("Asia/Taipei", "2026-11-20T00:00:00+00:00", "2026-11-24T02:00:00+00:00"),
        ("Asia/Taipei", "2026-11-24T02:00:00+00:00", "2026-11-25T02:00:00+00:00"),
        ("Asia/Taipei", "2026-11-25T02:00:00+00:00", None),
        ("America/New_York", "2026-11-20T00:00:00+00:00", "2026-11-24T15:00:00+00:00"),
        ("Europe/Berlin", "2026-11-20T00:00:00+00:00", "2026-11-24T09:00:00+00:00"),
    ],
)
def test_the_reminder_is_at_ten_of_the_day_before_or_of_the_day(zone: str, now: str, expected: str | None) -> None:
    from datetime import datetime

    found = remind_at(date(2026, 11, 25), ZoneInfo(zone), datetime.fromisoformat(now))
    assert (found and found.isoformat()) == expected
