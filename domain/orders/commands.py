"""What becomes of an order that is there: it moves along its axes, is cancelled, or runs out of time."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import Any, Final
from uuid import UUID

import asyncpg

from domain import db
from domain.audit.commands import Actor, Entry, record
from domain.db import Record, Tx, jsonb
from domain.errors import NotFound
from domain.jobs import JobQueue
from domain.notices.commands import NoticeDraft, enqueue
from domain.notices.rules import NoticeKind
from domain.orders.attached import end_reports, end_unopened, leave_slots, one_being_paid
from domain.orders.errors import InvalidTransition, PaymentUnderWay
from domain.orders.rules import (
    NEXT_FULFILMENT,
    NEXT_ORDER,
    NEXT_PAYMENT,
    UNPAID_STATES,
    FulfilmentState,
    OrderState,
    PaymentState,
    amount_due_minor,
    may_move,
)
from domain.orders.timeline import OrderEventKind
from domain.posts.rules import DeliveryMethod
from domain.stock.commands import Move, OutOfStep, lock_levels, restocked
from domain.stock.commands import move as move_stock
from domain.stock.rules import MovementKind

log = logging.getLogger(__name__)

LOT: Final = 500
"""Orders that one transaction of the sweep expires."""
SWEEP: Final = Actor("worker:deadlines", "worker")
RUNS_OUT: Final = "('UNPAID', 'FAILED')"
"""Payments whose time to pay ends with `pay_by`."""

COLUMNS: Final = """o.id, o.shop_id, o.number, o.buyer_id, o.state, o.payment_state, o.fulfilment_state, o.delivery_method, o.currency,
  o.total_minor, o.paid_minor, o.version, (select name from shop where shop.id = o.shop_id) as shop_name"""


@dataclass(frozen=True, slots=True)
class LockedOrder:
    """An order whose row this transaction holds; amounts in minor units of `currency`."""

    id: UUID
    shop_id: UUID
    number: str
    buyer_id: UUID
    state: OrderState
    payment_state: PaymentState
    fulfilment_state: FulfilmentState
    delivery_method: DeliveryMethod
    currency: str
    total_minor: int
    paid_minor: int
    version: int
    shop_name: str

    @property
    def due_minor(self) -> int:
        """What is still owed."""
        return amount_due_minor(self.total_minor, self.paid_minor)

    def facts(self) -> dict[str, Any]:
        """What a notice about this order says."""
        return {
            "shopName": self.shop_name,
            "orderId": str(self.id),
            "orderNumber": self.number,
            "totalMinor": self.total_minor,
            "currency": self.currency,
        }


@dataclass(frozen=True, slots=True)
class Line:
    """An order's line; `left` are pieces neither handed over nor in a parcel."""

    id: UUID
    shop_id: UUID
    order_id: UUID
    variant_id: UUID
    title: str
    variant_label: str
    quantity: int
    handed_over: int
    packed: int = 0
    shipped: int = 0

    @property
    def left(self) -> int:
        return self.quantity - self.handed_over - self.packed - self.shipped

    def facts(self, pieces: int) -> dict[str, Any]:
        """The line in a notice or an event, with so many pieces."""
        return {"title": self.title, "label": self.variant_label, "quantity": pieces}


def as_locked(row: Record) -> LockedOrder:
    """A row of COLUMNS."""
    return LockedOrder(
        **{
            **row,
            "state": OrderState(row["state"]),
            "payment_state": PaymentState(row["payment_state"]),
            "fulfilment_state": FulfilmentState(row["fulfilment_state"]),
            "delivery_method": DeliveryMethod(row["delivery_method"]),
        }
    )


async def lock_order(tx: Tx, order_id: UUID, shop_id: UUID) -> LockedOrder:
    """Lock one order of this shop.

    Raises:
        NotFound: this shop has no such order.
    """
    row = await tx.fetchrow(f'select {COLUMNS} from "order" o where o.id = $1 and o.shop_id = $2 for update of o', order_id, shop_id)
    if row is None:
        raise NotFound
    return as_locked(row)


async def lock_own_order(tx: Tx, order_id: UUID, member_id: UUID) -> LockedOrder:
    """Lock one order of this member.

    Raises:
        NotFound: the member has no such order.
    """
    row = await tx.fetchrow(f'select {COLUMNS} from "order" o where o.id = $1 and o.member_id = $2 for update of o', order_id, member_id)
    if row is None:
        raise NotFound
    return as_locked(row)


async def lines_of(tx: Tx, order_ids: Sequence[UUID]) -> list[Line]:
    """All lines of these orders, by order and then as they were added; the order's lock guards them."""
    rows = await tx.fetch(
        """select id, shop_id, order_id, variant_id, title, variant_label, quantity, handed_over, packed, shipped from order_line
           where order_id = any($1::uuid[]) order by order_id, created_at, id""",
        list(order_ids),
    )
    return [Line(**row) for row in rows]


async def move(
    tx: Tx,
    order: LockedOrder,
    *,
    state: OrderState | None = None,
    payment: PaymentState | None = None,
    fulfilment: FulfilmentState | None = None,
    paid_minor: int | None = None,
    now: datetime,
) -> LockedOrder:
    """Move a locked order along the named axes, all in one step: its version rises by one. With no axis named only the version rises.

    What hangs on the order ends with the state that it is for: a report of a transfer, the place in a pickup slot.

    Raises:
        InvalidTransition: an axis has no such move; nothing was changed.
    """
    _check_moves(order, state, payment, fulfilment)
    moved = replace(
        order,
        state=state or order.state,
        payment_state=payment or order.payment_state,
        fulfilment_state=fulfilment or order.fulfilment_state,
        paid_minor=order.paid_minor if paid_minor is None else paid_minor,
        version=order.version + 1,
    )
    await tx.execute(
        """update "order" set state = $2, payment_state = $3, fulfilment_state = $4, paid_minor = $5, version = version + 1, updated_at = $6
           where id = $1""",
        moved.id,
        moved.state.value,
        moved.payment_state.value,
        moved.fulfilment_state.value,
        moved.paid_minor,
        now,
    )
    await _end_what_hangs(tx, order, moved, now)
    return moved


def _check_moves(order: LockedOrder, state: OrderState | None, payment: PaymentState | None, fulfilment: FulfilmentState | None) -> None:
    if state is not None and not may_move(NEXT_ORDER, order.state, state):
        raise InvalidTransition(order.id, "state", order.state.value, state.value)
    if payment is not None and not may_move(NEXT_PAYMENT, order.payment_state, payment):
        raise InvalidTransition(order.id, "payment", order.payment_state.value, payment.value)
    if fulfilment is not None and not may_move(NEXT_FULFILMENT, order.fulfilment_state, fulfilment):
        raise InvalidTransition(order.id, "fulfilment", order.fulfilment_state.value, fulfilment.value)


async def _end_what_hangs(tx: Tx, before: LockedOrder, after: LockedOrder, now: datetime) -> None:
    cancelled = after.state is OrderState.CANCELLED and before.state is not OrderState.CANCELLED
    if before.payment_state is PaymentState.REPORTED and (cancelled or after.payment_state is not PaymentState.REPORTED):
        await end_reports(tx, [before.id], now=now)
    if cancelled:
        await leave_slots(tx, [before.id])


async def add_events(
    tx: Tx, kind: str, orders: Iterable[LockedOrder], data: Mapping[UUID, Mapping[str, Any]], *, actor: Actor, now: datetime
) -> None:
    """One timeline entry of this kind (an OrderEventKind) per order; `data` by order id, empty where missing."""
    told = list(orders)
    await tx.execute(
        """insert into order_event (shop_id, order_id, kind, data, actor, at)
           select s, o, $1, d::json, $2, $3 from unnest($4::uuid[], $5::uuid[], $6::text[]) e(s, o, d)""",
        OrderEventKind(kind).value,
        actor.name,
        now,
        [order.shop_id for order in told],
        [order.id for order in told],
        [jsonb(data.get(order.id, {})) for order in told],
    )


async def end_attempts(tx: Tx, orders: Sequence[LockedOrder], *, actor: Actor, now: datetime, anyway: bool = False) -> None:
    """Make sure that no money comes for these locked orders: attempts to pay that the provider cannot know of end here.

    Raises:
        PaymentUnderWay: one that it does know of may still succeed; not with `anyway`.
    """
    ids = [order.id for order in orders]
    ended = await end_unopened(tx, ids, now=now)
    if not anyway and (paid := await one_being_paid(tx, ids)) is not None:
        raise PaymentUnderWay(paid)
    if ended:
        of = [order for order in orders if order.id in ended]
        await add_events(tx, "PAYMENT_EXPIRED", of, {order: {"method": method} for order, method in ended.items()}, actor=actor, now=now)


async def cancel(*, order_id: UUID, shop_id: UUID, reason: str, anyway: bool = False, actor: Actor, now: datetime, jobs: JobQueue) -> None:
    """Cancel an open order that is not paid: its pieces are free again and its buyer is told. Its lines stay as history.

    A cancelled order stays cancelled, and cancelling it again changes nothing. `reason` is kept in the timeline. `anyway`: also while an
    online payment may succeed; the money then has to go back.

    Raises:
        NotFound: this shop has no such order.
        InvalidTransition: the order is past OPEN, or paid, even in part: money would be left without an order.
        PaymentUnderWay: an online payment may still succeed.
    """
    async with db.transaction() as tx:
        order = await lock_order(tx, order_id, shop_id)
        if order.state is OrderState.CANCELLED:
            return
        if order.state is OrderState.OPEN and (order.payment_state not in UNPAID_STATES or order.paid_minor):
            raise InvalidTransition(order.id, "payment", order.payment_state.value, OrderState.CANCELLED.value)
        await end_attempts(tx, [order], actor=actor, now=now, anyway=anyway)
        await _release(tx, [order], MovementKind.RELEASED, actor=actor, now=now, jobs=jobs)
        await move(tx, order, state=OrderState.CANCELLED, now=now)
        await add_events(tx, "CANCELLED", [order], {order.id: {"reason": reason}}, actor=actor, now=now)
        await record(tx, actor, [_entry("order.cancel", order)], now=now)
        draft = NoticeDraft(order.buyer_id, NoticeKind.ORDER_CANCELLED, f"order_cancelled:{order.id}", order.facts() | {"reason": reason})
        await enqueue(tx, shop_id, [draft], now=now, jobs=jobs)


def _entry(action: str, order: LockedOrder) -> Entry:
    return Entry(order.shop_id, action, "order", order.id, {"number": order.number, "due_minor": order.due_minor})


async def _release(tx: Tx, orders: Sequence[LockedOrder], kind: MovementKind, *, actor: Actor, now: datetime, jobs: JobQueue) -> None:
    """Give held pieces of unpaid orders back, and leave word of them shop by shop."""
    lines = [line for line in await lines_of(tx, [order.id for order in orders]) if line.quantity]
    await lock_levels(tx, [line.variant_id for line in lines])
    moves = [Move(line.shop_id, line.variant_id, line.id, held=-line.quantity) for line in lines]
    await move_stock(tx, kind, moves, actor=actor, now=now)
    for shop_id, of_shop in groupby(sorted(lines, key=lambda line: line.shop_id), key=lambda line: line.shop_id):
        await restocked(tx, shop_id, [line.variant_id for line in of_shop], jobs=jobs)


NOT_BEING_PAID: Final = """not exists (select from payment_attempt t
    where t.order_id = o.id and t.state = 'PENDING' and t.hold_until >= $1)"""
"""Money may be on its way for a while after the deadline: the provider is asked first, the pieces are given away second."""


async def expire_due(*, now: datetime, limit: int, jobs: JobQueue) -> int:
    """Cancel open orders whose `pay_by` has passed unpaid, at most `limit`, LOT in a transaction; answers how many.

    Also those whose payment has failed; while a transfer is reported, its own time runs instead.

    One that is being paid online waits until the provider was asked, half an hour at most.
    An order that is locked at this moment (somebody pays it) is left for the next time. An order that cannot be expired is logged and
    stepped over, so that it never keeps the others from expiring.
    """
    done, after = 0, (datetime.min.replace(tzinfo=now.tzinfo), UUID(int=0))
    while done < limit:
        rows = await db.fetch(
            f"""select o.id, o.pay_by from "order" o where o.state = 'OPEN' and o.payment_state in {RUNS_OUT} and o.pay_by < $1
                   and (o.pay_by, o.id) > ($2, $3) and {NOT_BEING_PAID} order by o.pay_by, o.id limit $4""",
            now,
            *after,
            min(LOT, limit - done),
        )
        if not rows:
            break
        after = (rows[-1]["pay_by"], rows[-1]["id"])
        done += await _expire_or_narrow([row["id"] for row in rows], now=now, jobs=jobs)
    return done


async def _expire_or_narrow(order_ids: Sequence[UUID], *, now: datetime, jobs: JobQueue) -> int:
    try:
        return await _expire(order_ids, now=now, jobs=jobs)
    except (OutOfStep, asyncpg.IntegrityConstraintViolationError):
        if len(order_ids) == 1:
            log.exception("order %s cannot be expired", order_ids[0])
            return 0
    return sum([await _expire_or_narrow([order_id], now=now, jobs=jobs) for order_id in order_ids])


async def _expire(order_ids: Sequence[UUID], *, now: datetime, jobs: JobQueue) -> int:
    """Expire those of these orders that still are due and that nobody else has locked; one transaction."""
    async with db.transaction() as tx:
        rows = await tx.fetch(
            f"""select {COLUMNS} from "order" o where o.id = any($1::uuid[]) and o.state = 'OPEN' and o.payment_state in {RUNS_OUT}
                and o.pay_by < $2 and {NOT_BEING_PAID.replace("$1", "$2")} order by o.id for update of o skip locked""",
            list(order_ids),
            now,
        )
        orders = [as_locked(row) for row in rows]
        if not orders:
            return 0
        await tx.execute(
            """update "order" set state = 'CANCELLED', payment_state = 'EXPIRED', version = version + 1, updated_at = $2
               where id = any($1::uuid[])""",
            [order.id for order in orders],
            now,
        )
        await _release(tx, orders, MovementKind.EXPIRED, actor=SWEEP, now=now, jobs=jobs)
        await leave_slots(tx, [order.id for order in orders])
        await add_events(tx, "EXPIRED", orders, {}, actor=SWEEP, now=now)
        await record(tx, SWEEP, [_entry("order.expire", order) for order in orders], now=now)
        for shop_id, of_shop in groupby(sorted(orders, key=lambda order: order.shop_id), key=lambda order: order.shop_id):
            drafts = [NoticeDraft(o.buyer_id, NoticeKind.ORDER_EXPIRED, f"order_expired:{o.id}", o.facts()) for o in of_shop]
            await enqueue(tx, shop_id, drafts, now=now, jobs=jobs)
        return len(orders)
