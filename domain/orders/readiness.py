"""When a paid order may be collected: every piece of it lies in the room, counted in the order of payment.

Paying (payments) and goods that arrive (pickup) both make orders ready; neither room knows the other, so what they share stands here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final
from uuid import UUID

from domain.audit.commands import Actor, Entry, record
from domain.db import Record, Tx, transaction
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
insert into pickup (id, shop_id, buyer_id, member_id, slot_id, code_id, state, issue_number, short_code, version, created_at)
select n.id, b.shop_id, b.id, b.member_id, n.slot_id, n.code_id, 'OPEN', 0, '', 1, $1
from unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::bigint[]) n(id, buyer_id, slot_id, code_id) join buyer b on b.id = n.buyer_id
order by b.shop_id, b.id, n.slot_id nulls first
on conflict (shop_id, buyer_id, slot_id) where state = 'OPEN' do update set version = pickup.version + 1, member_id = excluded.member_id
returning id, buyer_id, slot_id"""


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


async def _pickups_for(tx: Tx, orders: Sequence[LockedOrder], now: datetime) -> dict[UUID, UUID]:
    """The open pickup for each order, of its buyer and of the slot it chose; one is made where there is none. They are locked then."""
    chosen = await tx.fetch("select order_id, slot_id from order_delivery where order_id = any($1::uuid[])", [order.id for order in orders])
    slots: dict[UUID, UUID | None] = {row["order_id"]: row["slot_id"] for row in chosen}
    keys = list(dict.fromkeys((order.buyer_id, slots.get(order.id)) for order in orders))
    codes = [int.from_bytes(os.urandom(8), "big", signed=True) for _ in keys]
    rows = await tx.fetch(_OPEN_PICKUPS, now, [new_id() for _ in keys], [key[0] for key in keys], [key[1] for key in keys], codes)
    pickup_of = {(row["buyer_id"], row["slot_id"]): row["id"] for row in rows}
    return {order.id: pickup_of[order.buyer_id, slots.get(order.id)] for order in orders}


async def open_pickups(tx: Tx, orders: Sequence[LockedOrder], *, now: datetime) -> dict[UUID, UUID]:
    """Put ready orders onto their buyers' open pickups of the slots they chose; answers the pickup of each order."""
    joined = await _pickups_for(tx, orders, now)
    await tx.execute(
        """insert into pickup_order (order_id, shop_id, pickup_id) select * from unnest($1::uuid[], $2::uuid[], $3::uuid[])
           on conflict (order_id) do update set pickup_id = excluded.pickup_id""",
        [order.id for order in orders],
        [order.shop_id for order in orders],
        list(joined.values()),
    )
    return joined


class _Gathered(Exception):
    """The order went to another pass of the same slot while its own was waited for."""


_LOCK: Final = "select id from pickup where id = $1 for update"
_OTHER_SLOT: Final = """
select p.id, p.buyer_id, p.slot_id, d.slot_id as wanted from pickup_order po join pickup p on p.id = po.pickup_id and p.state = 'OPEN'
left join order_delivery d on d.order_id = po.order_id where po.order_id = $1 and p.slot_id is distinct from d.slot_id"""
_GO_OVER: Final = "update pickup_order set pickup_id = $3 where order_id = $1 and pickup_id = $2"
_LEFT: Final = """
update pickup p set version = p.version + 1, state = case
    when exists (select 1 from pickup_order po join "order" o on o.id = po.order_id and o.state in ('OPEN', 'LOCKED') join order_line l on l.order_id = o.id
      where po.pickup_id = p.id and l.quantity > l.handed_over + l.packed + l.shipped) then p.state
    when exists (select 1 from hand_over h where h.pickup_id = p.id) then 'COLLECTED' else 'CANCELLED' end
where p.id = $1"""


async def follow_slot(tx: Tx, order: LockedOrder, *, actor: Actor, now: datetime) -> None:
    """The slot of a locked order was chosen anew: it goes to that slot's pass, if it stands on an open one of another slot."""
    while (old := await tx.fetchrow(_OTHER_SLOT, order.id)) is not None:
        with suppress(_Gathered):  # what was locked in vain is free again then: passes are locked in one order only
            async with transaction() as step:
                await _to_its_slot(step, order, old, actor, now)


async def _to_its_slot(tx: Tx, order: LockedOrder, old: Record, actor: Actor, now: datetime) -> None:
    """Both passes are locked in the order of buyers and slots; where nothing is left on the old one, it is no more."""
    old_first = _place(old["buyer_id"], old["slot_id"]) < _place(order.buyer_id, old["wanted"])
    if old_first:
        await tx.fetch(_LOCK, old["id"])
    into = (await _pickups_for(tx, [order], now))[order.id]
    if not old_first:
        await tx.fetch(_LOCK, old["id"])
    if not await tx.execute(_GO_OVER, order.id, old["id"], into):
        raise _Gathered
    await tx.execute(_LEFT, old["id"])
    detail = {"number": order.number, "into": str(into)}
    await record(tx, actor, [Entry(order.shop_id, "pickup.change_slot", "pickup", old["id"], detail)], now=now)


def _place(buyer_id: UUID, slot_id: UUID | None) -> tuple[UUID, bool, UUID]:
    return buyer_id, slot_id is not None, slot_id or buyer_id


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
