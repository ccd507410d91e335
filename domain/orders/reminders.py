"""Reminders to pay: one row per order with their instants, written when the deadline is set and gone once the last was told."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final
from uuid import UUID

from domain import db
from domain.db import Record, Tx
from domain.jobs import JobQueue
from domain.notices.commands import NoticeDraft, enqueue
from domain.notices.rules import NoticeKind
from domain.orders.commands import COLUMNS, SWEEP, LockedOrder, add_events, as_locked
from domain.orders.rules import OrderState, PaymentState
from domain.posts.policy import Reminder

LOT: Final = 500
"""Orders that one transaction of the sweep looks at."""
LAST: Final = timedelta(hours=1)
SHORT: Final = timedelta(hours=2)
"""With less time than this, half of it is over when the last hour begins: one reminder is enough."""


def due_times(pay_by: datetime, kinds: Collection[Reminder], *, now: datetime) -> dict[Reminder, datetime]:
    """When to remind of a deadline that is set now; nothing for a deadline that has passed."""
    left = pay_by - now
    found: dict[Reminder, datetime] = {}
    if Reminder.HALF in kinds and left > timedelta():
        found[Reminder.HALF] = now + left / 2
    if Reminder.LAST_HOUR in kinds and left >= SHORT:
        found[Reminder.LAST_HOUR] = pay_by - LAST
    return found


async def plan_reminders(
    tx: Tx, shop_id: UUID, deadlines: Mapping[UUID, tuple[datetime, Collection[Reminder]]], *, new: Collection[UUID] = (), now: datetime
) -> None:
    """Remind of these orders' deadlines, which are set now, and of none that they had before. The caller holds the orders.

    `new` orders had none.
    """
    if not deadlines:
        return
    old = [order_id for order_id in deadlines if order_id not in new]
    if old:
        await tx.execute("delete from payment_reminder where shop_id = $1 and order_id = any($2::uuid[])", shop_id, old)
    # In a batch nearly all orders have one deadline.
    of_orders = {order_id: (by, frozenset(kinds)) for order_id, (by, kinds) in deadlines.items()}
    due = {(by, kinds): due_times(by, kinds, now=now) for by, kinds in set(of_orders.values())}
    rows = [
        (order_id, shop_id, times.get(Reminder.HALF), times.get(Reminder.LAST_HOUR), min(times.values()))
        for order_id, deadline in of_orders.items()
        if (times := due[deadline])
    ]
    await tx.copy("payment_reminder", ("order_id", "shop_id", "half_at", "last_hour_at", "due_at"), rows)


async def remind_due(*, now: datetime, limit: int, jobs: JobQueue) -> int:
    """Tell buyers of unpaid orders what is due, at most `limit` orders, LOT in a transaction; answers how many were looked at.

    Reminders of orders that were paid, cancelled or have run out meanwhile are dropped. An order that is locked at this moment (somebody
    pays it) is left for the next time.
    """
    done, after = 0, (datetime.min.replace(tzinfo=now.tzinfo), UUID(int=0))
    while done < limit:
        rows = await db.fetch(
            "select order_id, due_at from payment_reminder where due_at <= $1 and (due_at, order_id) > ($2, $3) order by due_at, order_id limit $4",
            now,
            *after,
            min(LOT, limit - done),
        )
        if not rows:
            break
        after = (rows[-1]["due_at"], rows[-1]["order_id"])
        await _remind([row["order_id"] for row in rows], now=now, jobs=jobs)
        done += len(rows)
    return done


async def _remind(order_ids: Sequence[UUID], *, now: datetime, jobs: JobQueue) -> None:
    """One transaction's worth. What is due of an order goes with one notice: the latest, when the sweep was late for both."""
    async with db.transaction() as tx:
        rows = await tx.fetch(
            f"""select {COLUMNS}, o.pay_by, (select time_zone from shop where shop.id = o.shop_id) as time_zone
                from "order" o where o.id = any($1::uuid[]) order by o.id for update of o skip locked""",
            list(order_ids),
        )
        latest = await _due(tx, [row["id"] for row in rows], now)
        told = [(order, row) for row in rows if row["id"] in latest and _waits_for_money(order := _order(row), row["pay_by"], now)]
        for shop_id, of_shop in groupby(sorted(told, key=lambda pair: pair[0].shop_id), key=lambda pair: pair[0].shop_id):
            drafts = [_draft(order, row, latest[order.id]) for order, row in of_shop]
            await enqueue(tx, shop_id, drafts, now=now, jobs=jobs)
        events = {order.id: {"kind": latest[order.id].value} for order, _ in told}
        await add_events(tx, "PAYMENT_REMINDED", [order for order, _ in told], events, actor=SWEEP, now=now)


async def _due(tx: Tx, order_ids: Sequence[UUID], now: datetime) -> dict[UUID, Reminder]:
    """Take what is due of these orders, which the caller holds; answers the latest of each."""
    rows = await tx.fetch(
        """with due as materialized (
             select order_id, half_at, last_hour_at from payment_reminder where order_id = any($1::uuid[]) and due_at <= $2),
           gone as (delete from payment_reminder r using due d
             where r.order_id = d.order_id and (d.last_hour_at is null or d.last_hour_at <= $2) and (d.half_at is null or d.half_at <= $2)),
           kept as (update payment_reminder r
             set half_at = case when d.half_at > $2 then d.half_at end, last_hour_at = case when d.last_hour_at > $2 then d.last_hour_at end,
                 due_at = greatest(d.half_at, d.last_hour_at)
             from due d where r.order_id = d.order_id and greatest(d.half_at, d.last_hour_at) > $2)
           select * from due""",
        list(order_ids),
        now,
    )
    found: dict[UUID, Reminder] = {}
    for row in rows:
        times = [(row["half_at"], Reminder.HALF), (row["last_hour_at"], Reminder.LAST_HOUR)]
        found[row["order_id"]] = max((at, kind) for at, kind in times if at is not None and at <= now)[1]
    return found


def _order(row: Record) -> LockedOrder:
    return as_locked({name: value for name, value in row.items() if name not in ("pay_by", "time_zone")})  # type: ignore[arg-type]


def _waits_for_money(order: LockedOrder, pay_by: datetime | None, now: datetime) -> bool:
    unpaid = order.state is OrderState.OPEN and order.payment_state is PaymentState.UNPAID
    return unpaid and order.due_minor > 0 and pay_by is not None and now < pay_by


def _draft(order: LockedOrder, row: Record, kind: Reminder) -> NoticeDraft:
    """The deadline is part of the key: one that was moved is reminded of anew, none is twice."""
    by = row["pay_by"]
    facts = {"reminder": kind.value, "dueMinor": order.due_minor, "payBy": by.isoformat(), "timeZone": row["time_zone"]}
    key = f"payment_reminder:{order.id}:{kind.value}:{int(by.timestamp() * 1000)}"
    return NoticeDraft(order.buyer_id, NoticeKind.PAYMENT_REMINDER, key, order.facts() | facts)
