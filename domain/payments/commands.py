"""Money taken by hand: the whole amount due, once."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from domain import db
from domain.audit.commands import Actor
from domain.jobs import JobQueue
from domain.orders.commands import LockedOrder, lock_order
from domain.orders.errors import InvalidTransition, VersionConflict
from domain.orders.rules import UNPAID_STATES, OrderState, PaymentState
from domain.payments.errors import AlreadyPaid, AmountMismatch
from domain.payments.rules import PaymentMethod
from domain.payments.settling import settle


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
        if expected_version is not None and order.payment_state is not PaymentState.PAID and expected_version != order.version:
            raise VersionConflict(order.id, expected_version, order.version)
        check_payable(order)
        if amount_minor is not None and amount_minor != order.due_minor:
            raise AmountMismatch(order.id, order.due_minor, amount_minor, order.currency)
        await settle(tx, order, method=method, reference=reference, actor=actor, recorded_by=by_member_id, now=now, jobs=jobs)


def check_payable(order: LockedOrder) -> None:
    """The order is open and its buyer owes money.

    Raises:
        AlreadyPaid: nothing is owed.
        InvalidTransition: the order is past OPEN, or its payment is in a state from which it cannot be paid.
    """
    if order.payment_state is PaymentState.PAID:
        raise AlreadyPaid(order.id)
    if order.state is not OrderState.OPEN:
        raise InvalidTransition(order.id, "state", order.state.value, PaymentState.PAID.value)
    if order.payment_state not in UNPAID_STATES:
        raise InvalidTransition(order.id, "payment", order.payment_state.value, PaymentState.PAID.value)
