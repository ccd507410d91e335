"""Parcels that wait for others, as their buyer wants it, for at most the shop's days; and those that need not wait any more."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from domain import db
from domain.audit.commands import Actor, Entry, record
from domain.errors import NotFound
from domain.orders.acts import SETTLED, WAITS_TO_SHIP
from domain.orders.commands import COLUMNS, LockedOrder, add_events, as_locked
from domain.orders.errors import InvalidTransition
from domain.orders.rules import FulfilmentState, OrderState, PaymentState
from domain.posts.rules import DeliveryMethod

LOCK: Final = f"""select {COLUMNS}, o.ship_later_until, (select ship_later_days from shop where shop.id = o.shop_id) as days
  from "order" o where o.id = $1 and o.member_id = $2 for update of o"""


async def ship_later(*, order_id: UUID, member_id: UUID, now: datetime) -> None:
    """Let the parcel of a paid order of mine wait for others; while it waits, nothing changes.

    Raises:
        NotFound: no such order of this member's.
        InvalidTransition: it is not open and paid, is not sent, has a label already, or the shop lets nothing wait.
    """
    await _set(order_id, member_id, now, wait=True)


async def ship_now(*, order_id: UUID, member_id: UUID, now: datetime) -> None:
    """The parcel need not wait any more; when it does not, nothing changes.

    Raises:
        NotFound: no such order of this member's.
        InvalidTransition: it is not open and paid, is not sent, or has a label already.
    """
    await _set(order_id, member_id, now, wait=False)


async def _set(order_id: UUID, member_id: UUID, now: datetime, *, wait: bool) -> None:
    async with db.transaction() as tx:
        row = await tx.fetchrow(LOCK, order_id, member_id)
        if row is None:
            raise NotFound
        order = as_locked({name: value for name, value in row.items() if name not in ("ship_later_until", "days")})  # type: ignore[arg-type]
        waits = row["ship_later_until"] is not None and row["ship_later_until"] > now
        _check(order, row["days"] if wait and not waits else 1)
        if waits is wait:
            return
        until = now + timedelta(days=row["days"]) if wait else None
        await tx.execute(
            'update "order" set ship_later_until = $2, version = version + 1, updated_at = $3 where id = $1', order.id, until, now
        )
        actor, kind = Actor(f"member:{member_id}", "buyer"), "SHIP_LATER" if wait else "SHIP_NOW"
        data = {order.id: {"until": until.isoformat()}} if until is not None else {}
        await add_events(tx, kind, [order], data, actor=actor, now=now)
        await record(tx, actor, [Entry(order.shop_id, f"order.{kind.lower()}", "order", order.id, {"number": order.number})], now=now)


def _check(order: LockedOrder, days: int) -> None:
    if order.state is not OrderState.OPEN:
        raise InvalidTransition(order.id, "state", order.state.value, OrderState.OPEN.value)
    if order.payment_state not in SETTLED:
        raise InvalidTransition(order.id, "payment", order.payment_state.value, PaymentState.PAID.value)
    if order.delivery_method is not DeliveryMethod.SHIP or order.fulfilment_state not in WAITS_TO_SHIP or days == 0:
        raise InvalidTransition(order.id, "fulfilment", order.fulfilment_state.value, FulfilmentState.READY.value)
