"""Lines taken back by their buyer while no money is under way: within the shop's minutes, or by the rule that they were ordered under."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from domain import db
from domain.audit.commands import Actor, Entry, record
from domain.db import Record, Tx
from domain.errors import NotFound
from domain.jobs import JobQueue
from domain.notices.commands import NoticeDraft, enqueue
from domain.notices.rules import NoticeKind
from domain.orders.acts import AMOUNT_OPEN, REDUCIBLE_UNTIL, RULE_OF_LINE
from domain.orders.commands import COLUMNS, Line, LockedOrder, add_events, as_locked, end_attempts, move
from domain.orders.errors import InvalidTransition, IsPaid, NotFewer, NotReducible, UndoOver, VersionConflict
from domain.orders.rules import OrderState, PaymentState
from domain.stock.commands import Move, lock_levels, restocked
from domain.stock.commands import move as move_stock
from domain.stock.rules import MovementKind

LOCK_BUYER: Final = "select id from buyer where id = $1 for no key update"
LOCK_ORDER: Final = f'select {COLUMNS} from "order" o where o.id = $1 and o.member_id = $2 for update of o'
LINE: Final = f"""
select al.id, al.shop_id, al.order_id, al.variant_id, al.title, al.variant_label, al.quantity, al.handed_over, al.claim_id, al.unit_price_minor,
       al.created_at, s.undo_minutes, {REDUCIBLE_UNTIL} as reducible_until
from order_line al join shop s on s.id = al.shop_id {RULE_OF_LINE} where al.id = $1"""
FEWER: Final = "update order_line set quantity = quantity - $2 where id = $1 and quantity = $3"
CHEAPER: Final = """
update "order" set subtotal_minor = subtotal_minor - $2, discount_minor = least(discount_minor, subtotal_minor - $2 + shipping_minor),
  total_minor = subtotal_minor - $2 + shipping_minor - least(discount_minor, subtotal_minor - $2 + shipping_minor),
  version = version + 1, updated_at = $3
where id = $1 and version = $4 returning total_minor"""
OF_CLAIM: Final = """
update claim c set outcome = case when w.waits then 'WAITLISTED' else 'CANCELLED' end, reason = $2, decided_at = $3
from (select exists (select from waitlist_entry e where e.claim_id = $1 and e.state = 'WAITING') as waits) w
where c.id = $1 and c.outcome in ('ORDERED', 'PARTIAL')
  and not exists (select from order_line l where l.claim_id = $1 and l.quantity > 0) returning c.outcome"""
"""A claim of which nothing is left was taken back, or only waits."""


@dataclass(frozen=True, slots=True)
class TakenBack:
    """What was taken back: pieces of which order, and whether somebody waits for them."""

    order_id: UUID
    pieces: int
    passed_on: bool


async def undo(*, line_id: UUID, member_id: UUID, now: datetime, jobs: JobQueue) -> TakenBack:
    """Take a whole line of mine back within the shop's minutes; taken back before, nothing changes.

    Raises:
        NotFound: no such line of this member's.
        IsPaid, InvalidTransition: the order is paid, or past that.
        PaymentUnderWay: an online payment may still succeed.
        UndoOver: too late; it may still be reduced, if the rule allows that.
    """
    async with db.transaction() as tx:
        order, row = await _lock(tx, line_id, member_id)
        if row["quantity"] == 0:
            return TakenBack(order.id, 0, passed_on=False)
        _check(order)
        if now >= row["created_at"] + timedelta(minutes=row["undo_minutes"]):
            raise UndoOver(line_id)
        return await _take_back(tx, order, row, row["quantity"], "UNDONE", member_id, now, jobs)


async def reduce(
    *, line_id: UUID, quantity: int, member_id: UUID, expected_version: int | None = None, now: datetime, jobs: JobQueue
) -> TakenBack:
    """Leave so many pieces of a line of mine, 0 for none; an order without pieces is cancelled. As many as there are changes nothing.

    Raises:
        NotFound: no such line of this member's.
        VersionConflict: the order is another than the one that was looked at.
        IsPaid, InvalidTransition: the order is paid, or past that.
        PaymentUnderWay: an online payment may still succeed.
        NotFewer: more than there are.
        NotReducible: the rule that the line was ordered under lets nobody take it back any more.
    """
    async with db.transaction() as tx:
        order, row = await _lock(tx, line_id, member_id)
        if expected_version is not None and expected_version != order.version:
            raise VersionConflict(order.id, expected_version, order.version)
        if quantity == row["quantity"]:
            return TakenBack(order.id, 0, passed_on=False)
        _check(order)
        if not 0 <= quantity < row["quantity"]:
            raise NotFewer(line_id)
        if now.timestamp() * 1000 > row["reducible_until"]:
            raise NotReducible(line_id)
        return await _take_back(tx, order, row, row["quantity"] - quantity, "REDUCED", member_id, now, jobs)


async def _lock(tx: Tx, line_id: UUID, member_id: UUID) -> tuple[LockedOrder, Record]:
    """The order, with its buyer locked before it as everybody does who changes claims; the line as it then stands."""
    found = await tx.fetchrow(
        'select o.id, o.buyer_id from order_line l join "order" o on o.id = l.order_id where l.id = $1 and o.member_id = $2',
        line_id,
        member_id,
    )
    if found is None:
        raise NotFound
    await tx.execute(LOCK_BUYER, found["buyer_id"])
    order = await tx.fetchrow(LOCK_ORDER, found["id"], member_id)
    row = await tx.fetchrow(LINE, line_id)
    if order is None or row is None or row["order_id"] != found["id"]:
        raise NotFound
    return as_locked(order), row


def _check(order: LockedOrder) -> None:
    if order.payment_state is PaymentState.PAID:
        raise IsPaid(order.id)
    if order.state is not OrderState.OPEN:
        raise InvalidTransition(order.id, "state", order.state.value, OrderState.CANCELLED.value)
    if order.payment_state not in AMOUNT_OPEN:
        raise InvalidTransition(order.id, "payment", order.payment_state.value, PaymentState.UNPAID.value)


async def _take_back(
    tx: Tx, order: LockedOrder, row: Record, pieces: int, why: str, member_id: UUID, now: datetime, jobs: JobQueue
) -> TakenBack:
    actor = Actor(f"member:{member_id}", "buyer")
    await end_attempts(tx, [order], actor=actor, now=now)
    line = Line(
        **{name: row[name] for name in ("id", "shop_id", "order_id", "variant_id", "title", "variant_label", "quantity", "handed_over")}
    )
    await lock_levels(tx, [line.variant_id])
    await move_stock(tx, MovementKind.RELEASED, [Move(line.shop_id, line.variant_id, line.id, held=-pieces)], actor=actor, now=now)
    if await tx.execute(FEWER, line.id, pieces, line.quantity) != 1:
        raise AssertionError("the order's lock guards its lines")
    total = await tx.fetchval(CHEAPER, order.id, pieces * row["unit_price_minor"], now, order.version)
    order = replace(order, total_minor=total, version=order.version + 1)
    facts = line.facts(pieces)
    await add_events(tx, "LINES_CANCELLED", [order], {order.id: {"lines": [facts], "reason": why}}, actor=actor, now=now)
    if await tx.fetchval("select coalesce(sum(quantity), 0) from order_line where order_id = $1", order.id) == 0:
        order = await move(tx, order, state=OrderState.CANCELLED, now=now)
        await add_events(tx, "CANCELLED", [order], {order.id: {"reason": "EMPTY"}}, actor=actor, now=now)
    entries = [
        Entry(order.shop_id, f"order.{why.lower()}", "order", order.id, {"number": order.number, "line": str(line.id), "pieces": pieces})
    ]
    if row["claim_id"] is not None and (left := await tx.fetchval(OF_CLAIM, row["claim_id"], why, now)) is not None:
        entries.append(Entry(order.shop_id, "CLAIM_DECIDED", "claim", row["claim_id"], {"outcome": left, "reason": why}))
    await record(tx, actor, entries, now=now)
    draft = NoticeDraft(
        order.buyer_id, NoticeKind.LINES_CANCELLED, f"lines_{why.lower()}:{line.id}:{order.version}", order.facts() | {"lines": [facts]}
    )
    await enqueue(tx, order.shop_id, [draft], now=now, jobs=jobs)
    await restocked(tx, order.shop_id, [line.variant_id], jobs=jobs)
    waits = await tx.fetchval("select waiting > 0 from stock_level where variant_id = $1", line.variant_id)
    return TakenBack(order.id, pieces, passed_on=bool(waits))
