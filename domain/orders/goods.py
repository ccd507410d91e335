"""An order follows its goods: pieces that were collected, that lie in parcels, that a carrier has.

Hand-overs (pickup) and parcels (shipping) both take pieces of one order; neither room knows the other, so what they share stands here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from domain.db import Tx
from domain.orders.commands import LockedOrder, move
from domain.orders.rules import Goods, OrderState, state_of_goods

_PIECES: Final = """
with parcels as (
  select x.order_id, s.state, sum(x.quantity)::int as pieces from shipment_line x join shipment s on s.id = x.shipment_id
  where x.order_id = any($1::uuid[]) and s.return_decision is distinct from 'SHIP_AGAIN' group by 1, 2)
select l.order_id, sum(l.quantity)::int as ordered, sum(l.handed_over)::int as handed_over,
  (select coalesce(sum(p.pieces), 0)::int from parcels p where p.order_id = l.order_id and p.state = 'PREPARING') as packed,
  (select coalesce(sum(p.pieces), 0)::int from parcels p where p.order_id = l.order_id and p.state in ('SHIPPED','IN_TRANSIT','RETURNING','LOST')) as under_way,
  (select coalesce(sum(p.pieces), 0)::int from parcels p where p.order_id = l.order_id and p.state = 'ARRIVED_AT_STORE') as at_store,
  (select coalesce(sum(p.pieces), 0)::int from parcels p where p.order_id = l.order_id and p.state = 'DELIVERED') as delivered,
  (select coalesce(sum(p.pieces), 0)::int from parcels p where p.order_id = l.order_id and p.state = 'RETURNED') as returned
from order_line l where l.order_id = any($1::uuid[]) group by l.order_id"""


async def goods_of(tx: Tx, order_ids: Sequence[UUID]) -> dict[UUID, Goods]:
    """Where the pieces of these orders are; their locks guard the answer."""
    rows = [dict(row) for row in await tx.fetch(_PIECES, list(order_ids))]
    return {row.pop("order_id"): Goods(**row) for row in rows}


async def follow_goods(tx: Tx, orders: Sequence[LockedOrder], *, now: datetime) -> list[LockedOrder]:
    """Move locked orders to where their goods are: complete once the buyer has all of them, open again when that is taken back.

    Each order's version rises, for what may be read of it has changed.
    """
    goods, moved = await goods_of(tx, [order.id for order in orders]), []
    for order in orders:
        pieces = goods[order.id]
        fulfilment = state_of_goods(order.fulfilment_state, pieces)
        state = order.state
        if order.state in (OrderState.OPEN, OrderState.LOCKED) and pieces.are_received:
            state = OrderState.COMPLETED
        elif order.state is OrderState.COMPLETED and not pieces.are_received:
            state = OrderState.OPEN
        moved.append(
            await move(
                tx, order, state=state if state is not order.state else None,
                fulfilment=fulfilment if fulfilment is not order.fulfilment_state else None, now=now,
            )
        )  # fmt: skip
    return moved
