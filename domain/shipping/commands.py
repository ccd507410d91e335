"""Parcels are packed, sent, followed, cancelled, and settled when they came back.

Every act locks the parcel's orders first (by id), then the parcel, and last, only where pieces move, the stock levels (by variant) and the
buyer's pass. What a carrier or the seller says about a parcel is kept once; it moves the parcel only if it is newer than what is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from enum import Enum, auto
from typing import Final
from uuid import UUID

import asyncpg

from domain import db
from domain.audit.commands import Actor, Entry, record
from domain.db import Tx
from domain.errors import NotFound
from domain.ids import new_id
from domain.jobs import JobQueue
from domain.orders.carriers import Carrier
from domain.orders.commands import COLUMNS, Line, LockedOrder, as_locked, lines_of
from domain.orders.errors import InvalidTransition
from domain.orders.goods import follow_goods
from domain.orders.rules import SETTLED_STATES, OrderState
from domain.orders.timeline import OrderEventKind
from domain.shipping.chosen import Label, completed, differences, places_of
from domain.shipping.errors import InvalidMove, NumberTaken, PiecesGone, TwoBuyers
from domain.shipping.goods import close_passes, give_back, leave, make_ready, pack, unpack
from domain.shipping.parcels import Parcel, lock_parcel, tell, write_state
from domain.shipping.rules import (
    EXPECTED,
    MOST_LINES,
    WITH_CARRIER,
    Pieces,
    ReturnDecision,
    Said,
    ShipmentState,
    Store,
    check_parcel,
    check_said,
    is_newer,
)

LOCK_ORDERS_OF_LINES: Final = f"""select {COLUMNS} from "order" o
  where o.shop_id = $1 and o.id in (select l.order_id from order_line l where l.id = any($2::uuid[]) and l.shop_id = $1) order by o.id for update of o"""
NUMBER: Final = "shipment_of_number"


class Heard(Enum):
    """What became of something that was said about a parcel."""

    MOVED = auto()
    """It is the newest, and says another state."""
    CONFIRMED = auto()
    """It is the newest, and says the same state."""
    OLDER = auto()
    """Kept; something newer is known."""
    KNOWN = auto()
    """It was said before; nothing was written."""


async def create(
    *, shop_id: UUID, pieces: Sequence[Pieces] | None, order_id: UUID | None = None, label: Label, actor: Actor, now: datetime
) -> UUID:
    """Pack pieces of paid orders of one buyer into a parcel; answers its id. Without `pieces`, all that is left of the order `order_id`.

    Packed pieces are kept for the parcel: nobody can collect them meanwhile. What `label` leaves open is as the buyer chose.

    Raises:
        NotFound: this shop has no such line or order.
        TwoBuyers: the lines are not of one buyer.
        InvalidTransition: an order is not open, or not paid.
        PiecesGone: more than is left of a line.
        BadParcel: the label cannot be, or it names no carrier and none was chosen.
        ChoicesDiffer: it names no carrier, and different places were chosen.
        NumberTaken: another parcel has this number.
    """
    if label.carrier is not None:
        check_parcel(label.carrier, label.carrier_name, label.tracking_number, label.store)
    async with db.transaction() as tx:
        orders, lines, wanted = await _wanted(tx, shop_id, pieces, order_id)
        _check_orders(orders)
        for line_id, count in wanted.items():
            if not 1 <= count <= lines[line_id].left:
                raise PiecesGone(line_id, count, lines[line_id].left)
        carrier, label = completed(label, await places_of(tx, [order.id for order in orders]))
        check_parcel(carrier, label.carrier_name, label.tracking_number, label.store)
        parcel_id = await _write(tx, orders[0], carrier, label, [(lines[line_id], count) for line_id, count in wanted.items()], now)
        await pack(tx, wanted)
        moved = await follow_goods(tx, orders, now=now)
        await close_passes(tx, [order.id for order in orders])
        parcel = await lock_parcel(tx, shop_id, parcel_id)
        await tell(tx, parcel, moved, OrderEventKind.SHIPMENT_CREATED, actor=actor, now=now)
        detail = {"carrier": carrier.value, "pieces": sum(wanted.values()), "orders": [order.number for order in moved]}
        if unlike := await differences(tx, parcel_id):
            detail["unlike"] = unlike
        await record(tx, actor, [Entry(shop_id, "shipment.create", "shipment", parcel_id, detail)], now=now)
        return parcel_id


async def _wanted(
    tx: Tx, shop_id: UUID, pieces: Sequence[Pieces] | None, order_id: UUID | None
) -> tuple[list[LockedOrder], dict[UUID, Line], dict[UUID, int]]:
    """The locked orders, their lines, and how many pieces of which."""
    if pieces is None:
        rows = await tx.fetch(f'select {COLUMNS} from "order" o where o.shop_id = $1 and o.id = $2 for update of o', shop_id, order_id)
    else:
        rows = await tx.fetch(LOCK_ORDERS_OF_LINES, shop_id, [each.order_line_id for each in pieces])
    orders = [as_locked(row) for row in rows]
    lines = {line.id: line for line in await lines_of(tx, [order.id for order in orders])}
    if pieces is None:
        wanted = {line.id: line.left for line in lines.values() if line.left}
    else:
        wanted = {each.order_line_id: each.quantity for each in pieces}
        if len(wanted) != len(pieces) or len(wanted) > MOST_LINES or wanted.keys() - lines.keys():
            raise NotFound
    if not orders:
        raise NotFound
    if not wanted:
        nothing = next(iter(lines), None)
        raise PiecesGone(nothing or orders[0].id, 1, 0)
    return orders, lines, wanted


def _check_orders(orders: Sequence[LockedOrder]) -> None:
    if len({order.buyer_id for order in orders}) > 1:
        raise TwoBuyers
    for order in orders:
        if order.state is not OrderState.OPEN:
            raise InvalidTransition(order.id, "state", order.state.value, "SHIPPED")
        if order.payment_state not in SETTLED_STATES:
            raise InvalidTransition(order.id, "payment", order.payment_state.value, "SHIPPED")


async def _write(tx: Tx, order: LockedOrder, carrier: Carrier, label: Label, lines: Sequence[tuple[Line, int]], now: datetime) -> UUID:
    parcel_id, store = new_id(), label.store or Store("")
    try:
        async with tx.raw.transaction():
            await tx.execute(
                """insert into shipment (id, shop_id, buyer_id, member_id, state, state_at, carrier, carrier_name, tracking_number, store_code, store_name,
                     store_address, last_pickup_day, version, created_at, updated_at)
                   select $1, b.shop_id, b.id, b.member_id, 'PREPARING', $3, $4, $5, $6, $7, $8, $9, $10, 1, $3, $3 from buyer b where b.id = $2""",
                parcel_id, order.buyer_id, now, carrier.value, label.carrier_name, label.tracking_number, store.code, store.name, store.address,
                store.last_pickup_day,
            )  # fmt: skip
    except asyncpg.UniqueViolationError as error:
        raise _taken(error) from None
    await tx.execute(
        """insert into shipment_line (shop_id, shipment_id, order_id, order_line_id, quantity)
           select $1, $2, o, l, n from unnest($3::uuid[], $4::uuid[], $5::int[]) x(o, l, n)""",
        order.shop_id,
        parcel_id,
        [line.order_id for line, _ in lines],
        [line.id for line, _ in lines],
        [count for _, count in lines],
    )
    return parcel_id


def _taken(error: asyncpg.UniqueViolationError) -> Exception:
    return NumberTaken() if error.constraint_name == NUMBER else error


async def relabel(
    *, shop_id: UUID, shipment_id: UUID, carrier: Carrier | None = None, carrier_name: str | None = None, tracking_number: str | None = None,
    store: Store | None = None, last_pickup_day: date | None = None, actor: Actor, now: datetime,
) -> bool:  # fmt: skip
    """Change what a parcel says on its outside; what is None stays. Another carrier takes the store away, and brings the one that the buyer
    chose there. Answers whether anything is another.

    Raises:
        NotFound: this shop has no such parcel.
        InvalidMove: it was cancelled, or settled.
        BadParcel: the label cannot be.
        NumberTaken: another parcel has this number.
    """
    async with db.transaction() as tx:
        orders = await _lock_orders(tx, shop_id, shipment_id)
        parcel = await lock_parcel(tx, shop_id, shipment_id)
        if parcel.is_over:
            raise InvalidMove(parcel.id, parcel.state.value, parcel.state.value)
        if carrier is not None and carrier is not parcel.carrier and store is None:
            store = completed(Label(carrier), await places_of(tx, [order.id for order in orders]))[1].store
        label = parcel.relabelled(carrier, carrier_name, tracking_number, store, last_pickup_day, now)
        check_parcel(label.carrier, label.carrier_name, label.tracking_number, label.store)
        if label == parcel:
            return False
        try:
            async with tx.raw.transaction():
                changed = await write_state(tx, label, now=now)
        except asyncpg.UniqueViolationError as error:
            raise _taken(error) from None
        moved = await follow_goods(tx, orders, now=now)
        await tell(tx, changed, moved, OrderEventKind.SHIPMENT_CHANGED, actor=actor, now=now)
        detail = {"carrier": changed.carrier.value, "number_changed": changed.tracking_number != parcel.tracking_number}
        await record(tx, actor, [Entry(shop_id, "shipment.relabel", "shipment", parcel.id, detail)], now=now)
        return True


async def hear(*, shop_id: UUID, shipment_id: UUID, said: Said, freely: bool, actor: Actor, now: datetime, jobs: JobQueue) -> Heard:
    """Take something said about a parcel: kept once, it moves the parcel and its orders when it is newer than what is known. When the parcel
    leaves, its pieces leave the shop's books; its buyer is told of every change of state, once.

    `freely`: a carrier's own news, or a correction, may say any move; a person's word only what can follow (`EXPECTED`).

    Raises:
        NotFound: this shop has no such parcel.
        InvalidMove: it was cancelled or settled, or this cannot follow.
        BadParcel: it cannot have been so.
        InsufficientStock: the pieces are not in the shop; nothing was changed.
    """
    async with db.transaction() as tx:
        orders = await _lock_orders(tx, shop_id, shipment_id)
        parcel = await lock_parcel(tx, shop_id, shipment_id)
        check_said(said, made_at=parcel.created_at, now=now)
        if parcel.is_over:
            raise InvalidMove(parcel.id, parcel.state.value, said.state.value)
        newer = is_newer(said.state, said.at, parcel.state, parcel.state_at)
        if newer and not freely and said.state is not parcel.state and said.state not in EXPECTED[parcel.state]:
            raise InvalidMove(parcel.id, parcel.state.value, said.state.value)
        if not await _keep(tx, parcel, said, actor, now):
            return Heard.KNOWN
        outcome = Heard.OLDER if not newer else Heard.CONFIRMED if said.state is parcel.state else Heard.MOVED
        if newer:
            if parcel.left_at is None:
                await leave(tx, parcel, actor=actor, now=now)
            moved_parcel = await write_state(tx, parcel.moved(said.state, said.at, now), now=now)
            moved = await follow_goods(tx, orders, now=now)
            if outcome is Heard.MOVED:
                kind = OrderEventKind.SHIPPED if said.state is ShipmentState.SHIPPED else OrderEventKind.SHIPMENT_MOVED
                await tell(tx, moved_parcel, moved, kind, note=said.note, actor=actor, now=now, jobs=jobs)
        detail = {"state": said.state.value, "at": said.at.isoformat(), "outcome": outcome.name, "from": parcel.state.value}
        await record(tx, actor, [Entry(shop_id, "shipment.update", "shipment", parcel.id, detail)], now=now)
        return outcome


async def cancel(*, shop_id: UUID, shipment_id: UUID, actor: Actor, now: datetime, jobs: JobQueue) -> None:
    """Unpack a parcel that the carrier does not have yet; its pieces are its orders' again. Cancelling it again changes nothing.

    Raises:
        NotFound: this shop has no such parcel.
        InvalidMove: it has left.
    """
    async with db.transaction() as tx:
        orders = await _lock_orders(tx, shop_id, shipment_id)
        parcel = await lock_parcel(tx, shop_id, shipment_id)
        if parcel.state is ShipmentState.CANCELLED:
            return
        if parcel.state is not ShipmentState.PREPARING:
            raise InvalidMove(parcel.id, parcel.state.value, ShipmentState.CANCELLED.value)
        changed = await write_state(tx, parcel.moved(ShipmentState.CANCELLED, now, now), now=now)
        await unpack(tx, parcel)
        moved = await make_ready(tx, await follow_goods(tx, orders, now=now), actor=actor, now=now, jobs=jobs)
        await tell(tx, changed, moved, OrderEventKind.SHIPMENT_CANCELLED, actor=actor, now=now, jobs=jobs)
        await record(tx, actor, [Entry(shop_id, "shipment.cancel", "shipment", parcel.id)], now=now)


async def settle_return(*, shop_id: UUID, shipment_id: UUID, decision: ReturnDecision, actor: Actor, now: datetime, jobs: JobQueue) -> None:
    """Decide, once, what becomes of the pieces of a parcel that came back. The same decision again changes nothing.

    RESTOCK puts them on the shelf for everybody, SHIP_AGAIN on the shelf for the same orders, WRITE_OFF nowhere.

    Raises:
        NotFound: this shop has no such parcel.
        InvalidMove: it did not come back, or another decision was taken.
        InvalidTransition: the pieces are to be sent again for an order that is not open.
    """
    async with db.transaction() as tx:
        orders = await _lock_orders(tx, shop_id, shipment_id)
        parcel = await lock_parcel(tx, shop_id, shipment_id)
        if parcel.return_decision is decision:
            return
        if parcel.state is not ShipmentState.RETURNED or parcel.return_decision is not None:
            raise InvalidMove(parcel.id, parcel.state.value, decision.value)
        for order in orders:
            if decision is ReturnDecision.SHIP_AGAIN and order.state is not OrderState.OPEN:
                raise InvalidTransition(order.id, "state", order.state.value, "SHIPPED")
        changed = await write_state(tx, parcel.settled(decision, now), now=now)
        await give_back(tx, parcel, decision, actor=actor, now=now, jobs=jobs)
        moved = await follow_goods(tx, orders, now=now)
        if decision is ReturnDecision.SHIP_AGAIN:
            moved = await make_ready(tx, moved, actor=actor, now=now, jobs=jobs)
        await tell(tx, changed, moved, OrderEventKind.SHIPMENT_SETTLED, actor=actor, now=now)
        detail = {"decision": decision.value, "pieces": sum(count for _, count in parcel.lines)}
        await record(tx, actor, [Entry(shop_id, "shipment.settle_return", "shipment", parcel.id, detail)], now=now)


async def _lock_orders(tx: Tx, shop_id: UUID, shipment_id: UUID) -> list[LockedOrder]:
    """The orders of a parcel, locked; what lies in it never changes."""
    rows = await tx.fetch(
        f"""select {COLUMNS} from "order" o where o.shop_id = $1
            and o.id in (select x.order_id from shipment_line x where x.shipment_id = $2) order by o.id for update of o""",
        shop_id,
        shipment_id,
    )
    if not rows:
        raise NotFound
    return [as_locked(row) for row in rows]


async def _keep(tx: Tx, parcel: Parcel, said: Said, actor: Actor, now: datetime) -> bool:
    """Write what was said; False when it was said before."""
    assert said.state in WITH_CARRIER
    return bool(
        await tx.execute(
            """insert into shipment_event (shop_id, shipment_id, state, at, note, actor, recorded_at) values ($1, $2, $3, $4, $5, $6, $7)
               on conflict (shipment_id, at, state) do nothing""",
            parcel.shop_id, parcel.id, said.state.value, said.at, said.note, actor.name, now,
        )
    )  # fmt: skip
