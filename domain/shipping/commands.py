"""Goods of paid orders leave in a parcel, and what the shop hears of its way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from domain import db
from domain.audit.commands import Actor, Entry, record
from domain.db import Record, Tx
from domain.errors import NotFound
from domain.ids import new_id
from domain.jobs import JobQueue
from domain.notices.commands import NoticeDraft, enqueue
from domain.notices.rules import NoticeKind
from domain.orders.commands import Line, LockedOrder, add_events, lines_of, lock_order, move
from domain.orders.errors import VersionConflict
from domain.orders.rules import FulfilmentState, OrderState, PaymentState
from domain.posts.rules import DeliveryMethod
from domain.shipping.errors import NoSuchStep, NotShippable
from domain.shipping.rules import NEXT, ShipmentState, fulfilment_of, remind_at
from domain.stock.commands import Move, lock_levels
from domain.stock.commands import move as move_stock
from domain.stock.errors import InsufficientStock
from domain.stock.rules import Level, MovementKind

SWEEP: Final = Actor("worker:deadlines", "worker")
KIND: Final = {
    ShipmentState.SHIPPED: NoticeKind.SHIPMENT_SENT,
    ShipmentState.ARRIVED_AT_STORE: NoticeKind.SHIPMENT_ARRIVED,
    ShipmentState.DELIVERED: NoticeKind.SHIPMENT_DELIVERED,
    ShipmentState.RETURNED: NoticeKind.SHIPMENT_RETURNED,
}


@dataclass(frozen=True, slots=True)
class Store:
    """The convenience store where a parcel is fetched."""

    code: str = ""
    name: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Parcel:
    """What the shop knows of a parcel that it sends. `lines`: pieces by order line; all that are left when None."""

    carrier: str
    tracking_number: str = ""
    store: Store = field(default_factory=Store)
    lines: Mapping[UUID, int] | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What is heard of a parcel's way: where it now stands, and by when it must be fetched from the store (`last_day`)."""

    state: ShipmentState
    at: datetime
    place: str = ""
    note: str = ""
    last_day: date | None = None


async def ship(
    *, order_id: UUID, shop_id: UUID, parcel: Parcel, expected_version: int | None, actor: Actor, now: datetime, jobs: JobQueue
) -> UUID:
    """Send goods of an open, paid order that is to be sent; they leave the shelf, and the buyer is told. Answers the shipment's id.

    Raises:
        NotFound: this shop has no such order.
        VersionConflict: the order is another than the one that was looked at.
        NotShippable: it is not open, paid and to be sent, or these pieces are not left in it.
        InvalidTransition: its goods are not in a state from which they leave.
        InsufficientStock: they are not on hand.
    """
    async with db.transaction() as tx:
        order = await lock_order(tx, order_id, shop_id)
        if expected_version is not None and expected_version != order.version:
            raise VersionConflict(order.id, expected_version, order.version)
        lines = await lines_of(tx, [order.id])
        leaving = _leaving(order, lines, parcel.lines)
        levels = await lock_levels(tx, [line.variant_id for line in lines])
        await _take(tx, lines, leaving, levels, actor=actor, now=now)
        shipment_id = await _write(tx, order, parcel, leaving, now)
        await _event(tx, shop_id, shipment_id, Step(ShipmentState.SHIPPED, now))
        left = sum(line.left - leaving.get(line.id, 0) for line in lines)
        moved = await _order_follows(tx, order, everything_left=left == 0, now=now)
        facts = _facts(parcel.carrier, parcel.tracking_number, parcel.store.name)
        sent = [line.facts(leaving[line.id]) for line in lines if line.id in leaving]
        told = {"shipmentId": str(shipment_id), "lines": sent, **facts}
        await add_events(tx, "SHIPPED", [moved], {order.id: told}, actor=actor, now=now)
        detail = {"number": order.number, "shipment": str(shipment_id), "pieces": sum(leaving.values())}
        await record(tx, actor, [Entry(shop_id, "order.ship", "order", order.id, detail)], now=now)
        draft = NoticeDraft(order.buyer_id, NoticeKind.SHIPMENT_SENT, f"shipment:{shipment_id}:SHIPPED", order.facts() | told)
        await enqueue(tx, shop_id, [draft], now=now, jobs=jobs)
        return shipment_id


def _leaving(order: LockedOrder, lines: Sequence[Line], wanted: Mapping[UUID, int] | None) -> dict[UUID, int]:
    """Pieces by line that leave."""
    if (
        order.state is not OrderState.OPEN
        or order.payment_state is not PaymentState.PAID
        or order.delivery_method is not DeliveryMethod.SHIP
    ):
        raise NotShippable(order.id, "state")
    left = {line.id: line.left for line in lines if line.left}
    if wanted is None:
        if not left:
            raise NotShippable(order.id, "nothing left")
        return left
    if not wanted or any(not 1 <= pieces <= left.get(line_id, 0) for line_id, pieces in wanted.items()):
        raise NotShippable(order.id, "lines")
    return dict(wanted)


async def _take(
    tx: Tx, lines: Sequence[Line], leaving: Mapping[UUID, int], levels: Mapping[UUID, Level], *, actor: Actor, now: datetime
) -> None:
    """Pieces leave the shelf, the lines and the levels."""
    by_id, pieces = {line.id: line for line in lines}, dict[UUID, int]()
    for line_id, count in leaving.items():
        variant_id = by_id[line_id].variant_id
        pieces[variant_id] = pieces.get(variant_id, 0) + count
    for variant_id, count in pieces.items():
        if levels[variant_id].on_hand < count:
            raise InsufficientStock(variant_id, wanted=count, available=max(levels[variant_id].on_hand, 0))
    moves = [Move(by_id[i].shop_id, by_id[i].variant_id, i, on_hand=-count, committed=-count) for i, count in leaving.items()]
    await move_stock(tx, MovementKind.HANDED_OVER, moves, actor=actor, now=now)
    await tx.execute(
        "update order_line l set handed_over = l.handed_over + x.pieces from unnest($1::uuid[], $2::int[]) x(id, pieces) where l.id = x.id",
        list(leaving),
        list(leaving.values()),
    )


async def _write(tx: Tx, order: LockedOrder, parcel: Parcel, leaving: Mapping[UUID, int], now: datetime) -> UUID:
    shipment_id = new_id()
    await tx.execute(
        """insert into shipment (id, shop_id, order_id, buyer_id, member_id, state, carrier, tracking_number, store_code, store_name, store_address,
             version, created_at, updated_at)
           select $1, $2, $3, $4, b.member_id, 'SHIPPED', $5, $6, $7, $8, $9, 1, $10, $10 from buyer b where b.id = $4 and b.shop_id = $2""",
        shipment_id, order.shop_id, order.id, order.buyer_id, parcel.carrier, parcel.tracking_number, parcel.store.code, parcel.store.name,
        parcel.store.address, now,
    )  # fmt: skip
    await tx.execute(
        """insert into shipment_line (shop_id, shipment_id, order_line_id, quantity) select $1, $2, l, n from unnest($3::uuid[], $4::int[]) x(l, n)""",
        order.shop_id,
        shipment_id,
        list(leaving),
        list(leaving.values()),
    )
    return shipment_id


async def _event(tx: Tx, shop_id: UUID, shipment_id: UUID, step: Step) -> None:
    await tx.execute(
        "insert into shipment_event (shop_id, shipment_id, state, place, note, at) values ($1, $2, $3, $4, $5, $6)",
        shop_id,
        shipment_id,
        step.state.value,
        step.place,
        step.note,
        step.at,
    )


async def _order_follows(tx: Tx, order: LockedOrder, *, everything_left: bool, now: datetime) -> LockedOrder:
    """The order stands where the parcel stands that is furthest behind; delivered as a whole, it is complete."""
    rows = await tx.fetch("select state from shipment where order_id = $1", order.id)
    stands = fulfilment_of([ShipmentState(row["state"]) for row in rows], everything_left=everything_left)
    done = stands is FulfilmentState.DELIVERED and order.state is OrderState.OPEN
    fulfilment = None if stands is order.fulfilment_state else stands
    return await move(tx, order, state=OrderState.COMPLETED if done else None, fulfilment=fulfilment, now=now)


def _facts(carrier: str, tracking_number: str, store: str) -> dict[str, Any]:
    return {"carrier": carrier, "trackingNumber": tracking_number, "store": store}


async def follow(*, shipment_id: UUID, shop_id: UUID, step: Step, actor: Actor, now: datetime, jobs: JobQueue) -> None:
    """Write down where a parcel now stands; its buyer is told once of each state. The same state again adds an event and the last day.

    Raises:
        NotFound: this shop has no such parcel.
        NoSuchStep: from where it stands it does not come to stand here.
    """
    async with db.transaction() as tx:
        order_id = await tx.fetchval("select order_id from shipment where id = $1 and shop_id = $2", shipment_id, shop_id)
        if order_id is None:
            raise NotFound
        order = await lock_order(tx, order_id, shop_id)
        row = await tx.fetchrow(
            """select h.state, h.carrier, h.tracking_number, h.store_name, h.pick_up_by, s.time_zone from shipment h join shop s on s.id = h.shop_id
               where h.id = $1 for update of h""",
            shipment_id,
        )
        assert row is not None
        old = ShipmentState(row["state"])
        if step.state is not old and step.state not in NEXT[old]:
            raise NoSuchStep(shipment_id, old.value, step.state.value)
        await _stands(tx, shipment_id, step, row, now)
        await _event(tx, shop_id, shipment_id, step)
        if step.state is old:
            moved = await move(tx, order, now=now)
        else:
            left = await tx.fetchval("select sum(quantity - handed_over) from order_line where order_id = $1", order.id)
            moved = await _order_follows(tx, order, everything_left=not left, now=now)
        told = {"shipmentId": str(shipment_id), "state": step.state.value}
        await add_events(tx, "SHIPMENT_MOVED", [moved], {order.id: told}, actor=actor, now=now)
        await record(
            tx, actor, [Entry(shop_id, "shipment.update", "shipment", shipment_id, {"old": old.value, "new": step.state.value})], now=now
        )
        draft = _told(order, shipment_id, step.state, row, step.last_day or row["pick_up_by"])
        await enqueue(tx, shop_id, [draft], now=now, jobs=jobs)


async def _stands(tx: Tx, shipment_id: UUID, step: Step, row: Record, now: datetime) -> None:
    """The parcel's row; the reminder is of the last day that is known, as long as the parcel lies in the store."""
    last_day, reminder = step.last_day or row["pick_up_by"], None
    if step.state is ShipmentState.ARRIVED_AT_STORE and step.last_day is not None and step.last_day != row["pick_up_by"]:
        reminder = remind_at(step.last_day, ZoneInfo(row["time_zone"]), now)
    await tx.execute(
        """update shipment set state = $2::text, pick_up_by = $3, version = version + 1, updated_at = $5,
             remind_at = case when $2 <> 'ARRIVED_AT_STORE' then null else coalesce($4::timestamptz, remind_at) end where id = $1""",
        shipment_id,
        step.state.value,
        last_day,
        reminder,
        now,
    )


def _told(order: LockedOrder, shipment_id: UUID, state: ShipmentState, row: Record, last_day: date | None) -> NoticeDraft:
    facts = _facts(row["carrier"], row["tracking_number"], row["store_name"]) | {"shipmentId": str(shipment_id)}
    if state is ShipmentState.ARRIVED_AT_STORE and last_day is not None:
        facts["lastDay"] = last_day.isoformat()
    return NoticeDraft(order.buyer_id, KIND[state], f"shipment:{shipment_id}:{state.value}", order.facts() | facts)


_DUE: Final = """
with due as (select id from shipment where remind_at <= $1 order by remind_at, id limit $2 for update skip locked)
update shipment h set remind_at = null from due, "order" o, shop s where h.id = due.id and o.id = h.order_id and s.id = h.shop_id
returning h.id, h.shop_id, h.buyer_id, h.pick_up_by, h.carrier, h.tracking_number, h.store_name, o.id as order_id, o.number, s.name as shop"""


async def remind_last_days(*, now: datetime, limit: int, jobs: JobQueue) -> int:
    """Remind buyers of parcels that lie in a store until today or tomorrow, at most `limit`; answers how many."""
    async with db.transaction() as tx:
        rows = await tx.fetch(_DUE, now, limit)
        by_shop: dict[UUID, list[NoticeDraft]] = {}
        for row in sorted(rows, key=lambda row: (row["shop_id"], row["id"])):
            facts = _facts(row["carrier"], row["tracking_number"], row["store_name"]) | {
                "shopName": row["shop"], "orderId": str(row["order_id"]), "orderNumber": row["number"], "shipmentId": str(row["id"]),
                "lastDay": row["pick_up_by"].isoformat(),
            }  # fmt: skip
            key = f"shipment_last_day:{row['id']}:{row['pick_up_by'].isoformat()}"
            by_shop.setdefault(row["shop_id"], []).append(NoticeDraft(row["buyer_id"], NoticeKind.SHIPMENT_LAST_DAY, key, facts))
        for shop_id, drafts in by_shop.items():
            await enqueue(tx, shop_id, drafts, now=now, jobs=jobs)
        return len(rows)
