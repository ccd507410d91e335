"""What a provider tells about an attempt, and what it does: the same for a notice and for an answer to our question.

Told twice, late or out of order it has one effect: each thing told is one row of payment_event, under the lock of the order and its attempt.
Money is never dropped: what is not the order's is the attempt's surplus, of which the shop and the buyer are told.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from domain import db
from domain.audit.commands import Actor, Entry, record
from domain.db import Record, Tx
from domain.jobs import JobQueue
from domain.notices.commands import NoticeDraft, enqueue
from domain.notices.rules import NoticeKind
from domain.orders.commands import LockedOrder, add_events, lock_order, move
from domain.orders.rules import PaymentState
from domain.payments.attempts import GRACE
from domain.payments.ecpay import Told, Word
from domain.payments.rules import NEXT_ATTEMPT, AttemptState, PaymentMethod, Share, share_of
from domain.payments.settling import settle, write_payment

log = logging.getLogger(__name__)

ECPAY: Final = Actor("provider:ecpay")
GIVE_UP: Final = timedelta(days=7)
"""A notice that comes later still counts."""
AGAIN: Final = (10, 20, 40, 60)
"""Minutes until the next question about an attempt that is still open; the last one goes on."""


async def take(*, account_id: UUID, told: Told, source: str, now: datetime, jobs: JobQueue) -> bool:
    """Take a genuine message about an attempt of this account; answers False when it has no such attempt.

    The caller has checked the seal with the account's keys and the merchant's number.
    """
    async with db.transaction() as tx:
        found = await tx.fetchrow(
            "select id, order_id, shop_id from payment_attempt where account_id = $1 and trade_no = $2", account_id, told.trade_no
        )
        if found is None:
            return False
        order = await lock_order(tx, found["order_id"], found["shop_id"])
        attempt = await tx.fetchrow("select * from payment_attempt where id = $1 for update", found["id"])
        assert attempt is not None
        if not await _is_news(tx, attempt, told, source, now):
            return True
        state = AttemptState(attempt["state"])
        if told.word is Word.PAID and AttemptState.PAID in NEXT_ATTEMPT[state]:
            await _paid(tx, order, attempt, told, now, jobs)
        elif told.word is Word.NUMBER and state is AttemptState.PENDING:
            await _number(tx, order, attempt, told, now)
        elif told.word is Word.FAILED and AttemptState.FAILED in NEXT_ATTEMPT[state]:
            await _over(tx, order, attempt, AttemptState.FAILED, told.code, now)
        return True


async def still_open(*, attempt_id: UUID, now: datetime) -> None:
    """The provider says that nothing has come yet: ask again later, or let the attempt end when its time is over."""
    async with db.transaction() as tx:
        found = await tx.fetchrow("select order_id, shop_id from payment_attempt where id = $1", attempt_id)
        assert found is not None
        order = await lock_order(tx, found["order_id"], found["shop_id"])
        attempt = await tx.fetchrow("select * from payment_attempt where id = $1 for update", attempt_id)
        assert attempt is not None
        if attempt["state"] != AttemptState.PENDING.value:
            await tx.execute("update payment_attempt set ask_at = null where id = $1", attempt_id)
        elif now >= end_of(attempt):
            await _over(tx, order, attempt, AttemptState.EXPIRED, attempt["code"], now)
        else:
            await ask_later(tx, attempt, now)


async def unanswered(*, attempt_id: UUID, now: datetime) -> None:
    """The provider could not be asked: what it holds is unknown, so nothing ends by it; asked again later, for GIVE_UP after its end."""
    async with db.transaction() as tx:
        attempt = await tx.fetchrow("select * from payment_attempt where id = $1 for update", attempt_id)
        assert attempt is not None
        if now >= end_of(attempt) + GIVE_UP:
            await tx.execute("update payment_attempt set ask_at = null where id = $1", attempt_id)
        else:
            await ask_later(tx, attempt, now)


def end_of(attempt: Record) -> datetime:
    """When a pending attempt is over if nothing has come: GRACE after its page, or after its number."""
    until: datetime = attempt["number_until"] or attempt["page_until"]
    return until + GRACE


async def ask_later(tx: Tx, attempt: Record, now: datetime) -> None:
    """Set the next question."""
    pause = timedelta(minutes=AGAIN[min(attempt["asked"], len(AGAIN) - 1)])
    await tx.execute("update payment_attempt set asked = asked + 1, ask_at = $2 where id = $1", attempt["id"], now + pause)


async def _is_news(tx: Tx, attempt: Record, told: Told, source: str, now: datetime) -> bool:
    """Write down what was told; False when it was told before in these very terms."""
    written = await tx.fetchval(
        """insert into payment_event (shop_id, attempt_id, word, code, provider_no, amount_minor, source, at)
           values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing returning 1""",
        attempt["shop_id"],
        attempt["id"],
        told.word.value,
        told.code,
        told.provider_no[:40],
        told.amount_minor,
        source,
        now,
    )
    return written is not None


async def _paid(tx: Tx, order: LockedOrder, attempt: Record, told: Told, now: datetime, jobs: JobQueue) -> None:
    received = told.amount_minor or attempt["amount_minor"]
    share = share_of(received, attempt["amount_minor"], order.state, order.payment_state, order.due_minor)
    await tx.execute(
        """update payment_attempt set state = 'PAID', provider_no = $2, code = $3, received_minor = $4, surplus_minor = $5, surplus_reason = $6,
                                      settled_at = $7, ask_at = null, hold_until = null where id = $1""",
        attempt["id"],
        told.provider_no[:40],
        told.code,
        received,
        share.surplus,
        share.reason and share.reason.value,
        now,
    )
    reference = f"ECPay {told.provider_no or told.trade_no}"[:120]
    if share.settles:
        await settle(
            tx, order, method=PaymentMethod.ONLINE, reference=reference, actor=ECPAY, recorded_by=None, now=now, jobs=jobs, action="order.paid_online"
        )  # fmt: skip
    elif share.takes:
        await _part(tx, order, share.takes, reference, now)
    if share.surplus:
        await _tell_surplus(tx, order, attempt, share, now, jobs)


async def _part(tx: Tx, order: LockedOrder, takes: int, reference: str, now: datetime) -> None:
    """The order has grown since the attempt was begun: what came pays a part of it."""
    await write_payment(tx, order, PaymentMethod.ONLINE, reference, takes, None, now)
    state = None if order.payment_state is PaymentState.PARTIALLY_PAID else PaymentState.PARTIALLY_PAID
    moved = await move(tx, order, payment=state, paid_minor=order.paid_minor + takes, now=now)
    facts = {"method": PaymentMethod.ONLINE.value, "amountMinor": takes, "dueMinor": moved.due_minor}
    await add_events(tx, "PARTLY_PAID", [moved], {moved.id: facts}, actor=ECPAY, now=now)
    detail = {"number": moved.number, "amount_minor": takes, "due_minor": moved.due_minor}
    await record(tx, ECPAY, [Entry(order.shop_id, "order.partly_paid_online", "order", moved.id, detail)], now=now)


async def _number(tx: Tx, order: LockedOrder, attempt: Record, told: Told, now: datetime) -> None:
    """A number was made: the order waits for it a little beyond its end, and never longer than its own deadline allows."""
    await tx.execute(
        """update payment_attempt set provider_no = $2, code = $3, bank = $4, number = $5, number_until = $6, opened_at = coalesce(opened_at, $7)
           where id = $1""",
        attempt["id"],
        told.provider_no[:40],
        told.code,
        told.bank,
        told.number,
        told.until,
        now,
    )
    await add_events(tx, "PAYMENT_NUMBER", [order], {order.id: {"method": attempt["method"]}}, actor=ECPAY, now=now)


async def _over(tx: Tx, order: LockedOrder, attempt: Record, state: AttemptState, code: str, now: datetime) -> None:
    await tx.execute(
        "update payment_attempt set state = $2, code = $3, settled_at = $4, ask_at = null, hold_until = null where id = $1",
        attempt["id"],
        state.value,
        code,
        now,
    )
    await add_events(tx, f"PAYMENT_{state.value}", [order], {order.id: {"method": attempt["method"]}}, actor=ECPAY, now=now)


async def _tell_surplus(tx: Tx, order: LockedOrder, attempt: Record, share: Share, now: datetime, jobs: JobQueue) -> None:
    assert share.reason is not None
    detail = {"number": order.number, "amount_minor": share.surplus, "reason": share.reason.value, "attempt": str(attempt["id"])}
    await record(tx, ECPAY, [Entry(order.shop_id, "payment.surplus", "order", order.id, detail)], now=now)
    facts = order.facts() | {"paidMinor": share.surplus}
    draft = NoticeDraft(order.buyer_id, NoticeKind.PAYMENT_TO_RETURN, f"payment_to_return:{attempt['id']}", facts)
    await enqueue(tx, order.shop_id, [draft], now=now, jobs=jobs)
    log.warning("money that is not the order's", extra={"attempt": str(attempt["id"]), "reason": share.reason.value})
