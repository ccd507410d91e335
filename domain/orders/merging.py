"""Orders of one member become one: same shop, unpaid, same delivery, no gift. Lines move as they are; nothing is freed and nothing is held anew.

A buyer has one open, unpaid order per way of delivery, so what is merged are orders of one person's different names (docs/rules/people.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from domain import db
from domain.audit.commands import Actor, Entry, record
from domain.db import Record, Tx
from domain.errors import NotFound
from domain.jobs import JobQueue
from domain.notices.commands import NoticeDraft, enqueue
from domain.notices.rules import NoticeKind
from domain.orders.attached import may_be_one
from domain.orders.commands import COLUMNS, LockedOrder, add_events, as_locked, move
from domain.orders.errors import CrossShopMerge, HoldOver, InvalidTransition, NotMergeable
from domain.orders.rules import OrderState, PaymentState

MOST: Final = 10
"""Orders that one request makes one of."""
MORE: Final = ("pay_by", "subtotal_minor", "shipping_minor", "discount_minor", "created_at")
LOCK_BUYERS: Final = """select id from buyer where id in (select buyer_id from "order" where id = any($1::uuid[]) and member_id = $2)
  order by id for no key update"""
LOCK_ORDERS: Final = f"""select {COLUMNS}, {", ".join(f"o.{name}" for name in MORE)} from "order" o
  where o.id = any($1::uuid[]) and o.member_id = $2 order by o.id for update of o"""
MOVE_LINES: Final = "update order_line set order_id = $1 where order_id = any($2::uuid[])"
EMPTY: Final = """update "order" set subtotal_minor = 0, shipping_minor = 0, discount_minor = 0, total_minor = 0, version = version + 1, updated_at = $2
  where id = any($1::uuid[])"""
GROW: Final = """
update "order" set subtotal_minor = $2, shipping_minor = $3, discount_minor = $4, total_minor = $2::bigint + $3::bigint - $4::bigint, pay_by = $5,
  version = version + 1, updated_at = $6 where id = $1"""
OTHER_REMINDERS: Final = "delete from payment_reminder where order_id = any($1::uuid[]) and order_id <> $2"
EARLIEST_REMINDERS: Final = "update payment_reminder set order_id = $1 where order_id = $2"
"""The reminders of the earliest deadline are the merged order's."""


async def merge(*, order_ids: Sequence[UUID], member_id: UUID, now: datetime, jobs: JobQueue) -> UUID:
    """Make one of these orders of mine, the oldest; answers which. The nearest deadline counts, and one shipping fee, the highest.

    Raises:
        NotFound: one of them is not this member's, or there are fewer than two.
        CrossShopMerge: they are of several shops.
        InvalidTransition: one is not open and unpaid.
        NotMergeable: they are delivered in different ways, or to different places, or one is a gift, whose link shows what is in it.
        HoldOver: the time to pay one of them is over.
    """
    wanted = sorted(set(order_ids))
    async with db.transaction() as tx:
        # The buyers first, as everybody does who adds to their orders: what a comment adds, it adds before or after.
        await tx.execute(LOCK_BUYERS, wanted, member_id)
        rows = await tx.fetch(LOCK_ORDERS, wanted, member_id)
        if len(rows) != len(wanted) or len(rows) < 2:
            raise NotFound
        rows.sort(key=lambda row: (row["created_at"], row["id"]))
        orders = [as_locked({name: value for name, value in row.items() if name not in MORE}) for row in rows]  # type: ignore[arg-type]
        _check(orders, rows, now)
        if not await may_be_one(tx, wanted):
            raise NotMergeable(orders[0].id)
        await _pour(tx, orders, rows, now)
        await _tell(tx, orders, sum(row["subtotal_minor"] for row in rows[1:]), Actor(f"member:{member_id}", "buyer"), now, jobs)
        return orders[0].id


def _check(orders: Sequence[LockedOrder], rows: Sequence[Record], now: datetime) -> None:
    if len({order.shop_id for order in orders}) > 1:
        raise CrossShopMerge(orders[0].id)
    for order, row in zip(orders, rows, strict=True):
        if order.state is not OrderState.OPEN:
            raise InvalidTransition(order.id, "state", order.state.value, OrderState.OPEN.value)
        if order.payment_state is not PaymentState.UNPAID:
            raise InvalidTransition(order.id, "payment", order.payment_state.value, PaymentState.UNPAID.value)
        if row["pay_by"] is not None and row["pay_by"] <= now:
            raise HoldOver(order.id)
    if len({order.delivery_method for order in orders}) > 1:
        raise NotMergeable(orders[0].id)


async def _pour(tx: Tx, orders: Sequence[LockedOrder], rows: Sequence[Record], now: datetime) -> None:
    """Lines, amounts, deadline and what claims point to go to the first; the others are empty and cancelled."""
    first, others = orders[0], orders[1:]
    left = [order.id for order in others]
    await tx.execute(MOVE_LINES, first.id, left)
    await tx.execute("update claim set order_id = $1 where order_id = any($2::uuid[])", first.id, left)
    deadlines = [(row["pay_by"], row["id"]) for row in rows if row["pay_by"] is not None]
    by, of = min(deadlines) if deadlines else (None, first.id)
    await tx.execute(
        GROW, first.id, sum(row["subtotal_minor"] for row in rows), max(row["shipping_minor"] for row in rows),
        sum(row["discount_minor"] for row in rows), by, now,
    )  # fmt: skip
    await tx.execute(OTHER_REMINDERS, [order.id for order in orders], of)
    await tx.execute(EARLIEST_REMINDERS, first.id, of)
    await tx.execute(EMPTY, left, now)
    for order in others:
        await move(tx, order, state=OrderState.CANCELLED, now=now)


async def _tell(tx: Tx, orders: Sequence[LockedOrder], more_minor: int, actor: Actor, now: datetime, jobs: JobQueue) -> None:
    first, others = orders[0], orders[1:]
    data: dict[UUID, dict[str, Any]] = {order.id: {"into": str(first.id), "number": first.number} for order in others}
    data[first.id] = {"from": [order.number for order in others], "amountMinor": more_minor}
    await add_events(tx, "MERGED", orders, data, actor=actor, now=now)
    entries = [Entry(order.shop_id, "order.merge", "order", order.id, {"number": order.number, "into": str(first.id)}) for order in orders]
    await record(tx, actor, entries, now=now)
    row = await tx.fetchrow('select total_minor, version from "order" where id = $1', first.id)
    assert row is not None
    facts = first.facts() | {"totalMinor": row["total_minor"]}
    draft = NoticeDraft(first.buyer_id, NoticeKind.LINES_CHANGED, f"merged:{first.id}:{row['version']}", facts)
    await enqueue(tx, first.shop_id, [draft], now=now, jobs=jobs)
