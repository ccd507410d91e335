"""Bank transfers that buyers report: what a buyer says, and what the shop makes of it. A report is never a payment.

While a report waits for its answer its order is REPORTED and does not run out. The shop confirms it (the order is paid, as by any other
money), or refuses it; when nobody answers in time it lapses. After either the order's payment has FAILED: it may be paid or reported again
until its deadline, which then is a day away at least, and never later than a week after the first report.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from domain import db
from domain.audit.commands import Actor, Entry, record
from domain.db import Record, Tx
from domain.errors import NotFound
from domain.ids import new_id
from domain.jobs import JobQueue
from domain.notices.commands import NoticeDraft, enqueue
from domain.notices.rules import NoticeKind
from domain.orders.commands import COLUMNS, SWEEP, LockedOrder, add_events, as_locked, lock_order, lock_own_order, move
from domain.orders.errors import InvalidTransition
from domain.orders.rules import PaymentState
from domain.payments.commands import check_payable
from domain.payments.errors import AmountMismatch
from domain.payments.rules import PaymentMethod
from domain.payments.settling import settle
from domain.payments.slips import check_reportable
from domain.payments.transfer_errors import InvalidTransfer, ReportsOver
from domain.payments.transfer_rules import AHEAD, LONGEST_REASON, OLDEST, ReportState, answer_by, deadline_after

log = logging.getLogger(__name__)

LOT: Final = 200
DIGITS: Final = re.compile(r"[0-9]{5}")
NOT_ANSWERED: Final = "TRANSFER_NOT_ANSWERED"
NOT_FOUND_BY_SHOP: Final = "TRANSFER_NOT_FOUND"
"""Reasons that a buyer reads as words."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """What a buyer says: the last five digits of the account that paid, when, and how much in minor units of the order's currency."""

    last_five: str
    paid_at: datetime
    amount_minor: int
    slip_id: UUID | None = None


async def currency_of_own(order_id: UUID, member_id: UUID) -> str:
    """The currency of an order of this member.

    Raises:
        NotFound: the member has no such order.
    """
    found: str | None = await db.fetchval('select currency from "order" where id = $1 and member_id = $2', order_id, member_id)
    if found is None:
        raise NotFound
    return found


async def report(*, order_id: UUID, member_id: UUID, transfer: Transfer, now: datetime) -> UUID:
    """Say that money was sent for one's own order; answers the report's id. Said again, it takes the place of what was said before.

    Raises:
        NotFound: the member has no such order, or the order no such picture.
        InvalidTransfer: not five digits, no amount, or a time that cannot be.
        AlreadyPaid, InvalidTransition: no transfer can be reported for it.
        ReportsOver: reports have held the goods for as long as they may.
    """
    _check(transfer, now)
    actor = Actor(f"member:{member_id}", "buyer")
    async with db.transaction() as tx:
        order = await lock_own_order(tx, order_id, member_id)
        check_reportable(order)
        if transfer.slip_id is not None:
            await _own_slip(tx, order, transfer.slip_id)
        first, pay_by = await _clock(tx, order.id)
        until = answer_by(now, first=first or now, pay_by=pay_by)
        if until is None:
            raise ReportsOver
        replaced = await tx.execute(
            "update transfer_report set state = 'REPLACED', answered_at = $2 where order_id = $1 and state = 'OPEN'", order.id, now
        )
        report_id = await _write(tx, order, transfer, until, now)
        reported = await move(tx, order, payment=None if replaced else PaymentState.REPORTED, now=now)
        facts = {"amountMinor": transfer.amount_minor, "again": bool(replaced)}
        await add_events(tx, "TRANSFER_REPORTED", [reported], {order.id: facts}, actor=actor, now=now)
        detail = {"number": order.number, "amount_minor": transfer.amount_minor, "due_minor": order.due_minor, "report": str(report_id)}
        await record(tx, actor, [Entry(order.shop_id, "order.report_transfer", "order", order.id, detail)], now=now)
    return report_id


async def confirm(
    *, report_id: UUID, shop_id: UUID, amount_minor: int | None, actor: Actor, by_member_id: UUID, now: datetime, jobs: JobQueue
) -> UUID:
    """The money is there: pay the order by it; answers the order's id. `amount_minor`: what came, where it is not what was reported.

    Raises:
        NotFound: this shop has no such report.
        AlreadyPaid: the order was paid meanwhile.
        InvalidTransition: the order is past OPEN, or the report was answered or replaced before.
        AmountMismatch: what came is not the whole amount due.
    """
    async with db.transaction() as tx:
        order, found = await _lock_report(tx, report_id, shop_id)
        check_payable(order)
        _check_open(order, found, ReportState.CONFIRMED)
        came = found["amount_minor"] if amount_minor is None else amount_minor
        if came != order.due_minor:
            raise AmountMismatch(order.id, order.due_minor, came, order.currency)
        if not await _answer(tx, report_id, ReportState.CONFIRMED, by_member_id, now):
            raise InvalidTransition(order.id, "transfer", "ANSWERED", ReportState.CONFIRMED.value)
        reference = found["last_five"] or "-"
        await settle(
            tx, order, method=PaymentMethod.BANK_TRANSFER, reference=reference, actor=actor, recorded_by=by_member_id, now=now, jobs=jobs
        )
        detail = {"number": order.number, "report": str(report_id)}
        await record(tx, actor, [Entry(shop_id, "transfer.confirm", "order", order.id, detail)], now=now)
        return order.id


async def refuse(*, report_id: UUID, shop_id: UUID, reason: str, actor: Actor, by_member_id: UUID, now: datetime, jobs: JobQueue) -> UUID:
    """The money did not come: the buyer is told and may pay or report again; answers the order's id. `reason`: words for the buyer, or none.

    Raises:
        NotFound: this shop has no such report.
        AlreadyPaid: the order was paid meanwhile.
        InvalidTransition: the order is past OPEN, or the report was answered or replaced before.
    """
    async with db.transaction() as tx:
        order, found = await _lock_report(tx, report_id, shop_id)
        check_payable(order)
        _check_open(order, found, ReportState.REFUSED)
        if not await _answer(tx, report_id, ReportState.REFUSED, by_member_id, now, reason[:LONGEST_REASON]):
            raise InvalidTransition(order.id, "transfer", "ANSWERED", ReportState.REFUSED.value)
        await _come_to_nothing(tx, order, "TRANSFER_REFUSED", report_id, words=reason, actor=actor, now=now, jobs=jobs)
        return order.id


async def lapse_due(*, now: datetime, limit: int, jobs: JobQueue) -> int:
    """End reports that nobody answered in time, at most `limit`, each in a transaction of its own; answers how many. Locked orders wait."""
    done, after = 0, (datetime.min.replace(tzinfo=now.tzinfo), UUID(int=0))
    while done < limit:
        rows = await db.fetch(
            """select id, order_id, answer_by from transfer_report where state = 'OPEN' and answer_by <= $1 and (answer_by, id) > ($2, $3)
               order by answer_by, id limit $4""",
            now,
            *after,
            min(LOT, limit - done),
        )
        for row in rows:
            done += await _lapse(row["id"], row["order_id"], now, jobs)
        if len(rows) < LOT:
            break
        after = (rows[-1]["answer_by"], rows[-1]["id"])
    return done


async def _lapse(report_id: UUID, order_id: UUID, now: datetime, jobs: JobQueue) -> int:
    async with db.transaction() as tx:
        row = await tx.fetchrow(f'select {COLUMNS} from "order" o where o.id = $1 for update of o skip locked', order_id)
        if row is None or not await _answer(tx, report_id, ReportState.LAPSED, None, now):
            return 0
        await _come_to_nothing(tx, as_locked(row), "TRANSFER_LAPSED", report_id, words="", actor=SWEEP, now=now, jobs=jobs)
        return 1


def _check(transfer: Transfer, now: datetime) -> None:
    if not DIGITS.fullmatch(transfer.last_five):
        raise InvalidTransfer("lastFiveDigits")
    if transfer.amount_minor <= 0:
        raise InvalidTransfer("amount")
    if not now - OLDEST <= transfer.paid_at <= now + AHEAD:
        raise InvalidTransfer("paidAt")


async def _own_slip(tx: Tx, order: LockedOrder, slip_id: UUID) -> None:
    if await tx.fetchval("select 1 from transfer_slip where id = $1 and order_id = $2", slip_id, order.id) is None:
        raise NotFound


async def _clock(tx: Tx, order_id: UUID) -> tuple[datetime | None, datetime | None]:
    """When the order's first report was made, and until when it is to be paid."""
    row = await tx.fetchrow(
        'select (select min(r.reported_at) from transfer_report r where r.order_id = o.id) as first, pay_by from "order" o where o.id = $1',
        order_id,
    )
    assert row is not None
    return row["first"], row["pay_by"]


async def _write(tx: Tx, order: LockedOrder, transfer: Transfer, until: datetime, now: datetime) -> UUID:
    report_id = new_id()
    await tx.execute(
        """insert into transfer_report (id, shop_id, order_id, state, last_five, paid_at, amount_minor, currency, slip_id, reason, reported_at, answer_by)
           values ($1, $2, $3, 'OPEN', $4, $5, $6, $7, $8, '', $9, $10)""",
        report_id,
        order.shop_id,
        order.id,
        transfer.last_five,
        transfer.paid_at,
        transfer.amount_minor,
        order.currency,
        transfer.slip_id,
        now,
        until,
    )
    return report_id


async def _lock_report(tx: Tx, report_id: UUID, shop_id: UUID) -> tuple[LockedOrder, Record]:
    """The report's order, locked, and the report as it stands then."""
    order_id = await tx.fetchval("select order_id from transfer_report where id = $1 and shop_id = $2", report_id, shop_id)
    if order_id is None:
        raise NotFound
    order = await lock_order(tx, order_id, shop_id)
    found = await tx.fetchrow("select state, amount_minor, last_five from transfer_report where id = $1", report_id)
    assert found is not None, "reports are never deleted"
    return order, found


def _check_open(order: LockedOrder, found: Record, wanted: ReportState) -> None:
    if found["state"] != ReportState.OPEN:
        raise InvalidTransition(order.id, "transfer", found["state"], wanted.value)


async def _answer(tx: Tx, report_id: UUID, state: ReportState, by: UUID | None, now: datetime, reason: str = "") -> int:
    """Answer a report that stands open; 0 when it does not."""
    return await tx.execute(
        """update transfer_report set state = $2, answered_at = $3, answered_by = $4, reason = $5 where id = $1 and state = 'OPEN'""",
        report_id,
        state.value,
        now,
        by,
        reason,
    )


async def _come_to_nothing(
    tx: Tx, order: LockedOrder, kind: str, report_id: UUID, *, words: str, actor: Actor, now: datetime, jobs: JobQueue
) -> None:
    """The payment has failed, the buyer is told, and has a while left. The shop's words are in the report alone."""
    first, pay_by = await _clock(tx, order.id)
    until = deadline_after(now, first=first or now, pay_by=pay_by)
    await tx.execute(
        """update "order" set payment_state = 'FAILED', pay_by = $2, version = version + 1, updated_at = $3 where id = $1""",
        order.id,
        until,
        now,
    )
    failed = replace(order, payment_state=PaymentState.FAILED, version=order.version + 1)
    lapsed = kind == "TRANSFER_LAPSED"
    await add_events(tx, kind, [failed], {order.id: {}}, actor=actor, now=now)
    detail = {"number": order.number, "report": str(report_id)}
    await record(tx, actor, [Entry(order.shop_id, "transfer.lapse" if lapsed else "transfer.refuse", "order", order.id, detail)], now=now)
    facts: Mapping[str, Any] = order.facts() | {
        "reason": NOT_ANSWERED if lapsed else NOT_FOUND_BY_SHOP,
        "words": words,
        "dueMinor": order.due_minor,
        "payBy": until.isoformat() if until else None,
        "timeZone": await tx.fetchval("select time_zone from shop where id = $1", order.shop_id),
    }
    draft = NoticeDraft(order.buyer_id, NoticeKind.TRANSFER_REFUSED, f"transfer_refused:{report_id}", facts)
    await enqueue(tx, order.shop_id, [draft], now=now, jobs=jobs)
