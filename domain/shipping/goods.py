"""What parcels do to lines, levels and passes: pieces are packed, leave, and come back. All inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from domain.audit.commands import Actor
from domain.db import Record, Tx
from domain.jobs import JobQueue
from domain.orders.commands import LockedOrder, lines_of, move
from domain.orders.readiness import open_pickups, served, tell_ready
from domain.orders.rules import FulfilmentState, PaymentState
from domain.posts.rules import DeliveryMethod
from domain.shipping.parcels import Parcel
from domain.shipping.rules import ReturnDecision
from domain.stock.commands import Move, lock_levels, restocked
from domain.stock.commands import move as move_stock
from domain.stock.errors import InsufficientStock
from domain.stock.rules import MovementKind

_PACK: Final = "update order_line l set packed = l.packed + x.pieces from unnest($1::uuid[], $2::int[]) x(id, pieces) where l.id = x.id"
_LEAVE: Final = """update order_line l set packed = l.packed - x.pieces, shipped = l.shipped + x.pieces
  from unnest($1::uuid[], $2::int[]) x(id, pieces) where l.id = x.id"""
_AGAIN: Final = "update order_line l set shipped = l.shipped - x.pieces from unnest($1::uuid[], $2::int[]) x(id, pieces) where l.id = x.id"


async def pack(tx: Tx, pieces: Mapping[UUID, int]) -> None:
    """Keep these pieces of lines for a parcel."""
    await tx.execute(_PACK, list(pieces), list(pieces.values()))


async def unpack(tx: Tx, parcel: Parcel) -> None:
    """Its pieces are their lines' again."""
    await pack(tx, {line_id: -count for line_id, count in parcel.lines})


async def leave(tx: Tx, parcel: Parcel, *, actor: Actor, now: datetime) -> None:
    """Its pieces leave the shelf, the lines and the levels.

    Raises:
        InsufficientStock: they are not on the shelf.
    """
    lines = await _lines(tx, parcel)
    levels = await lock_levels(tx, [line["variant_id"] for line in lines])
    pieces: dict[UUID, int] = {}
    for line in lines:
        pieces[line["variant_id"]] = pieces.get(line["variant_id"], 0) + line["quantity"]
    for variant_id, count in pieces.items():
        if levels[variant_id].on_hand < count:
            raise InsufficientStock(variant_id, wanted=count, available=levels[variant_id].on_hand)
    moves = [Move(parcel.shop_id, line["variant_id"], line["id"], on_hand=-line["quantity"], committed=-line["quantity"]) for line in lines]
    await move_stock(tx, MovementKind.SHIPPED, moves, actor=actor, now=now)
    await tx.execute(_LEAVE, *_columns(parcel))


async def give_back(tx: Tx, parcel: Parcel, decision: ReturnDecision, *, actor: Actor, now: datetime, jobs: JobQueue) -> None:
    """Its pieces go where the seller says: on the shelf for all, on the shelf for their orders, or nowhere."""
    if decision is ReturnDecision.WRITE_OFF:
        return
    again = decision is ReturnDecision.SHIP_AGAIN
    lines = await _lines(tx, parcel)
    await lock_levels(tx, [line["variant_id"] for line in lines])
    moves = [
        Move(parcel.shop_id, line["variant_id"], line["id"], on_hand=line["quantity"], committed=line["quantity"] if again else 0)
        for line in lines
    ]
    await move_stock(tx, MovementKind.RETURNED, moves, actor=actor, now=now)
    if again:
        await tx.execute(_AGAIN, *_columns(parcel))
    else:
        await restocked(tx, parcel.shop_id, [line["variant_id"] for line in lines], jobs=jobs)


async def close_passes(tx: Tx, order_ids: Sequence[UUID]) -> None:
    """Passes of these orders on which nothing is left to collect are no more."""
    await tx.execute(
        """with theirs as (
             select p.id from pickup p where p.state = 'OPEN' and p.id in (select pickup_id from pickup_order where order_id = any($1::uuid[]))
             order by p.id for update)
           update pickup p set version = p.version + 1,
             state = case when exists (select 1 from hand_over h where h.pickup_id = p.id) then 'COLLECTED' else 'CANCELLED' end
           from theirs where p.id = theirs.id and not exists (
             select 1 from pickup_order po join "order" o on o.id = po.order_id and o.state in ('OPEN','LOCKED') join order_line l on l.order_id = o.id
             where po.pickup_id = p.id and l.quantity > l.handed_over + l.packed + l.shipped)""",
        list(order_ids),
    )


async def make_ready(tx: Tx, orders: Sequence[LockedOrder], *, actor: Actor, now: datetime, jobs: JobQueue) -> list[LockedOrder]:
    """Orders meant to be collected may be again, now that pieces of theirs came out of a parcel; answers all of them as they now are."""
    found = []
    for order in orders:
        paid = order.delivery_method is DeliveryMethod.PICKUP and order.payment_state is PaymentState.PAID
        if paid and order.fulfilment_state is FulfilmentState.UNFULFILLED:
            await lock_levels(tx, [line.variant_id for line in await lines_of(tx, [order.id])])
            ready = order.id in await served(tx, [order.id])
            order = await move(tx, order, fulfilment=FulfilmentState.READY_FOR_PICKUP if ready else FulfilmentState.WAITING_STOCK, now=now)
            if ready:
                await tell_ready(tx, order.shop_id, [order], actor=actor, now=now, jobs=jobs)
        elif paid and order.fulfilment_state in (FulfilmentState.READY_FOR_PICKUP, FulfilmentState.PARTIAL):
            await open_pickups(tx, [order], now=now)
        found.append(order)
    return found


async def _lines(tx: Tx, parcel: Parcel) -> list[Record]:
    return await tx.fetch(
        """select l.id, l.variant_id, x.quantity from shipment_line x join order_line l on l.id = x.order_line_id where x.shipment_id = $1 order by x.id""",
        parcel.id,
    )


def _columns(parcel: Parcel) -> tuple[list[UUID], list[int]]:
    return [line_id for line_id, _ in parcel.lines], [count for _, count in parcel.lines]
