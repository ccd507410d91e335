"""What money does to an order: one way for all who bring it (by hand, a confirmed transfer, a payment provider)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from domain.audit.commands import Actor, Entry, record
from domain.db import Tx
from domain.ids import new_id
from domain.jobs import JobQueue
from domain.notices.commands import NoticeDraft, enqueue
from domain.notices.rules import NoticeKind
from domain.orders.commands import Line, LockedOrder, add_events, lines_of, move
from domain.orders.readiness import newest_is_served, state_when_paid, tell_ready
from domain.orders.rules import FulfilmentState, PaymentState
from domain.payments.rules import PaymentMethod
from domain.posts.rules import DeliveryMethod
from domain.stock.commands import Move, lock_levels
from domain.stock.commands import move as move_stock
from domain.stock.rules import MovementKind


async def settle(
    tx: Tx,
    order: LockedOrder,
    *,
    method: PaymentMethod,
    reference: str,
    actor: Actor,
    recorded_by: UUID | None,
    now: datetime,
    jobs: JobQueue,
    action: str = "order.mark_paid",
) -> LockedOrder:
    """The whole amount due of a locked, open, unpaid order was received: its held pieces are committed, and a pickup order becomes ready if they are there.

    Writes payment, event, audit entry (`action`) and notice. `recorded_by` is the member who took the money, None when a provider did. The
    caller has checked that the order may be paid. Answers the order as it stands now.
    """
    due = order.due_minor
    if due:
        await write_payment(tx, order, method, reference, due, recorded_by, now)
    lines = await lines_of(tx, [order.id])
    served = await _commit(tx, lines, actor=actor, now=now)
    fulfilment = state_when_paid(order.fulfilment_state, served=served) if order.delivery_method is DeliveryMethod.PICKUP else None
    paid = await move(tx, order, payment=PaymentState.PAID, fulfilment=fulfilment, paid_minor=order.total_minor, now=now)
    await add_events(tx, "PAID", [paid], {paid.id: {"method": method.value, "amountMinor": due}}, actor=actor, now=now)
    detail = {"number": paid.number, "method": method.value, "amount_minor": due, "fulfilment": paid.fulfilment_state.value}
    await record(tx, actor, [Entry(order.shop_id, action, "order", paid.id, detail)], now=now)
    facts = paid.facts() | {"paidMinor": due, "method": method.value}
    received = NoticeDraft(paid.buyer_id, NoticeKind.PAYMENT_RECEIVED, f"payment_received:{paid.id}", facts)
    await enqueue(tx, order.shop_id, [received], now=now, jobs=jobs)
    if paid.delivery_method is DeliveryMethod.PICKUP and paid.fulfilment_state is FulfilmentState.READY_FOR_PICKUP:
        await tell_ready(tx, order.shop_id, [paid], actor=actor, now=now, jobs=jobs)
    return paid


async def write_payment(
    tx: Tx, order: LockedOrder, method: PaymentMethod, reference: str, amount_minor: int, recorded_by: UUID | None, now: datetime
) -> None:
    """One row of money received for an order; `amount_minor` above 0."""
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
        recorded_by,
        now,
    )


async def _commit(tx: Tx, lines: list[Line], *, actor: Actor, now: datetime) -> bool:
    """Move held pieces to committed; answers whether the order may be collected."""
    ordered = [line for line in lines if line.quantity]
    await lock_levels(tx, [line.variant_id for line in ordered])
    moves = [Move(line.shop_id, line.variant_id, line.id, held=-line.quantity, committed=line.left) for line in ordered]
    levels = await move_stock(tx, MovementKind.COMMITTED, moves, actor=actor, now=now)
    return newest_is_served(ordered, levels)
