"""When a paid order may be collected: every piece of it lies in the room, counted in the order of payment.

Paying (payments) and goods that arrive (pickup) both make orders ready; neither room knows the other, so what they share stands here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from domain.audit.commands import Actor
from domain.db import Tx
from domain.ids import new_id
from domain.jobs import JobQueue
from domain.notices.commands import NoticeDraft, enqueue
from domain.notices.rules import NoticeKind
from domain.orders.commands import Line, LockedOrder, add_events
from domain.orders.rules import FulfilmentState
from domain.stock.rules import Level

_SERVED: Final = """
with wanted as (select distinct variant_id from order_line where order_id = any($1::uuid[]) and quantity > handed_over + shipped),
queue as (
  select l.order_id, l.variant_id, sum(l.quantity - l.handed_over - l.shipped) as pieces,
         coalesce((select max(p.recorded_at) from payment p where p.order_id = l.order_id), max(o.created_at)) as paid_at
  from order_line l join "order" o on o.id = l.order_id
  where l.variant_id in (select variant_id from wanted) and l.quantity > l.handed_over + l.shipped and o.state = 'OPEN' and o.payment_state = 'PAID'
  group by l.order_id, l.variant_id),
running as (select order_id, variant_id, sum(pieces) over (partition by variant_id order by paid_at, order_id) as needed from queue)
select a.order_id from unnest($1::uuid[]) a(order_id)
where not exists (select 1 from running r join stock_level s using (variant_id) where r.order_id = a.order_id and r.needed > s.on_hand)"""

_OPEN_PICKUPS: Final = """
insert into pickup (id, shop_id, buyer_id, member_id, code_id, state, issue_number, short_code, version, created_at)
select n.id, b.shop_id, b.id, b.member_id, n.code_id, 'OPEN', 0, '', 1, $1
from unnest($2::uuid[], $3::uuid[], $4::bigint[]) n(id, buyer_id, code_id) join buyer b on b.id = n.buyer_id
order by b.shop_id, b.id
on conflict (shop_id, buyer_id) where state = 'OPEN' do update set version = pickup.version + 1, member_id = excluded.member_id
returning id, buyer_id"""


def newest_is_served(lines: Sequence[Line], levels: Mapping[UUID, Level]) -> bool:
    """May the order that was paid last be collected? `levels` are those after its pieces were committed, so all committed ones must be there."""
    return all(levels[line.variant_id].committed <= levels[line.variant_id].on_hand for line in lines if line.left)


def state_when_paid(current: FulfilmentState, *, served: bool) -> FulfilmentState | None:
    """Where a pickup order goes when it is paid; None when it stays."""
    if current not in (FulfilmentState.UNFULFILLED, FulfilmentState.WAITING_STOCK, FulfilmentState.READY):
        return None
    if served:
        return FulfilmentState.READY_FOR_PICKUP
    return FulfilmentState.WAITING_STOCK if current is FulfilmentState.UNFULFILLED else None


async def served(tx: Tx, order_ids: Sequence[UUID]) -> set[UUID]:
    """Those of these paid orders whose pieces are all on hand once everyone who paid before has theirs. Their levels are locked."""
    return {row["order_id"] for row in await tx.fetch(_SERVED, list(order_ids))}


async def open_pickups(tx: Tx, orders: Sequence[LockedOrder], *, now: datetime) -> dict[UUID, UUID]:
    """Put ready orders onto their buyers' open pickups, making one where there is none; answers the pickup of each order."""
    buyers = sorted({order.buyer_id for order in orders})
    codes = [int.from_bytes(os.urandom(8), "big", signed=True) for _ in buyers]
    rows = await tx.fetch(_OPEN_PICKUPS, now, [new_id() for _ in buyers], buyers, codes)
    pickup_of = {row["buyer_id"]: row["id"] for row in rows}
    joined = {order.id: pickup_of[order.buyer_id] for order in orders}
    await tx.execute(
        """insert into pickup_order (order_id, shop_id, pickup_id) select * from unnest($1::uuid[], $2::uuid[], $3::uuid[])
           on conflict (order_id) do update set pickup_id = excluded.pickup_id""",
        [order.id for order in orders],
        [order.shop_id for order in orders],
        list(joined.values()),
    )
    return joined


async def tell_ready(tx: Tx, shop_id: UUID, orders: Sequence[LockedOrder], *, actor: Actor, now: datetime, jobs: JobQueue) -> None:
    """Open the pickups of orders that just became ready, and tell their buyers where to go."""
    if not orders:
        return
    pickups = await open_pickups(tx, orders, now=now)
    place = await tx.fetchval("select pickup_place from shop where id = $1", shop_id)
    await add_events(tx, "READY_FOR_PICKUP", orders, {o.id: {"pickupId": str(pickups[o.id])} for o in orders}, actor=actor, now=now)
    drafts = [
        NoticeDraft(
            o.buyer_id,
            NoticeKind.PICKUP_READY,
            f"pickup_ready:{o.id}",
            o.facts() | {"pickupId": str(pickups[o.id]), "place": place},
        )
        for o in orders
    ]
    await enqueue(tx, shop_id, drafts, now=now, jobs=jobs)
