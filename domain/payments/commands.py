"""Money taken by hand: the whole amount due, once."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from domain import db
from domain.audit.commands import Actor, Entry, record
from domain.db import Tx
from domain.ids import new_id
from domain.jobs import JobQueue
from domain.notices.commands import NoticeDraft, enqueue
from domain.notices.rules import NoticeKind
from domain.orders.commands import Line, LockedOrder, add_events, lines_of, lock_order, move
from domain.orders.errors import InvalidTransition, VersionConflict
from domain.orders.readiness import newest_is_served, state_when_paid, tell_ready
from domain.orders.rules import UNPAID_STATES, FulfilmentState, OrderState, PaymentState
from domain.payments.errors import AlreadyPaid, AmountMismatch
from domain.payments.rules import PaymentMethod
from domain.posts.rules import DeliveryMethod
from domain.stock.commands import Move, lock_levels
from domain.stock.commands import move as move_stock
from domain.stock.rules import MovementKind


async def mark_paid(
    *,
    order_id: UUID,
    shop_id: UUID,
    method: PaymentMethod,
    reference: str,
    amount_minor: int | None,
    expected_version: int | None,
    actor: Actor,
    by_member_id: UUID,
    now: datetime,
    jobs: JobQueue,
) -> None:
    """Record that an open order's whole amount due was taken: its held pieces are committed, and a pickup order becomes ready if they are there.

    `amount_minor` (minor units) and `expected_version` are checked where they are given. `reference` (1 to 120 characters) is what the
    shop finds the money by.

    Raises:
        NotFound: this shop has no such order.
        AlreadyPaid: nothing is owed.
        VersionConflict: the order is another than the one that was looked at.
        InvalidTransition: the order is past OPEN, or its payment is not one to be taken by hand.
        AmountMismatch: more or less than the amount due.
    """
    async with db.transaction() as tx:
        order = await lock_order(tx, order_id, shop_id)
        _check(order, amount_minor, expected_version)
        due = order.due_minor
        if due:
            await _write_payment(tx, order, method, reference, due, by_member_id, now)
        lines = await lines_of(tx, [order.id])
        served = await _commit(tx, lines, actor=actor, now=now)
        fulfilment = state_when_paid(order.fulfilment_state, served=served) if order.delivery_method is DeliveryMethod.PICKUP else None
        paid = await move(tx, order, payment=PaymentState.PAID, fulfilment=fulfilment, paid_minor=order.total_minor, now=now)
        await add_events(tx, "PAID", [paid], {paid.id: {"method": method.value, "amountMinor": due}}, actor=actor, now=now)
        detail = {"number": paid.number, "method": method.value, "amount_minor": due, "fulfilment": paid.fulfilment_state.value}
        await record(tx, actor, [Entry(shop_id, "order.mark_paid", "order", paid.id, detail)], now=now)
        facts = paid.facts() | {"amountMinor": due, "method": method.value}
        received = NoticeDraft(paid.buyer_id, NoticeKind.PAYMENT_RECEIVED, f"payment_received:{paid.id}", facts)
        await enqueue(tx, shop_id, [received], now=now, jobs=jobs)
        if paid.delivery_method is DeliveryMethod.PICKUP and paid.fulfilment_state is FulfilmentState.READY_FOR_PICKUP:
            await tell_ready(tx, shop_id, [paid], actor=actor, now=now, jobs=jobs)


def _check(order: LockedOrder, amount_minor: int | None, expected_version: int | None) -> None:
    if order.payment_state is PaymentState.PAID:
        raise AlreadyPaid(order.id)
    if expected_version is not None and expected_version != order.version:
        raise VersionConflict(order.id, expected_version, order.version)
    if order.state is not OrderState.OPEN:
        raise InvalidTransition(order.id, "state", order.state.value, PaymentState.PAID.value)
    if order.payment_state not in UNPAID_STATES:
        raise InvalidTransition(order.id, "payment", order.payment_state.value, PaymentState.PAID.value)
    if amount_minor is not None and amount_minor != order.due_minor:
        raise AmountMismatch(order.id, order.due_minor, amount_minor, order.currency)


async def _write_payment(
    tx: Tx, order: LockedOrder, method: PaymentMethod, reference: str, amount_minor: int, by_member_id: UUID, now: datetime
) -> None:
    await tx.execute(
        """insert into payment (id, shop_id, order_id, method, reference, amount_minor, currency, recorded_by, recorded_at)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9)""",
        new_id(),
        order.shop_id,
        order.id,
        method.value,
        reference,
        amount_minor,
        order.currency,
        by_member_id,
        now,
    )


async def _commit(tx: Tx, lines: list[Line], *, actor: Actor, now: datetime) -> bool:
    """Move held pieces to committed; answers whether the order may be collected."""
    ordered = [line for line in lines if line.quantity]
    await lock_levels(tx, [line.variant_id for line in ordered])
    moves = [Move(line.shop_id, line.variant_id, line.id, held=-line.quantity, committed=line.left) for line in ordered]
    levels = await move_stock(tx, MovementKind.COMMITTED, moves, actor=actor, now=now)
    return newest_is_served(ordered, levels)
