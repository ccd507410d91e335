"""A buyer asks the shop to cancel an order, and the shop answers. What cannot be taken back by the rule may still be asked for."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from domain import db
from domain.audit.commands import Actor, Entry, record
from domain.db import Record, Tx
from domain.errors import NotFound, PermissionDenied
from domain.jobs import JobQueue
from domain.notices.commands import NoticeDraft, enqueue
from domain.notices.rules import NoticeKind
from domain.orders.acts import NOT_GONE
from domain.orders.commands import COLUMNS, LockedOrder, add_events, as_locked, end_attempts, lines_of, move
from domain.orders.errors import InvalidTransition, ReferenceMissing
from domain.orders.rules import UNPAID_STATES, FulfilmentState, OrderState, PaymentState
from domain.stock.commands import Move, lock_levels, restocked
from domain.stock.commands import move as move_stock
from domain.stock.rules import MovementKind

MOST_REASON: Final = 200
LOCK_OWN: Final = f'select {COLUMNS}, o.cancel_requested_at from "order" o where o.id = $1 and o.member_id = $2 for update of o'
LOCK_OF_SHOP: Final = f'select {COLUMNS}, o.cancel_requested_at from "order" o where o.id = $1 and o.shop_id = $2 for update of o'
CLOSE_PICKUP: Final = """
update pickup p set state = 'CANCELLED', version = p.version + 1
where p.state = 'OPEN' and p.id = (select po.pickup_id from pickup_order po where po.order_id = $1)
  and not exists (select from pickup_order po join "order" o on o.id = po.order_id and o.state <> 'CANCELLED' where po.pickup_id = p.id)"""
"""A pass that stands for cancelled orders alone is good for nothing."""


async def request(*, order_id: UUID, reason: str, member_id: UUID, now: datetime) -> None:
    """Ask the shop to cancel an order of mine; asked before, nothing changes. The order goes to the shop's list for review.

    `reason` (at most MOST_REASON characters) is for the shop, and gone once it has answered.

    Raises:
        NotFound: no such order of this member's.
        InvalidTransition: the order is past OPEN, or goods have left.
    """
    async with db.transaction() as tx:
        order, asked_at = _read(await tx.fetchrow(LOCK_OWN, order_id, member_id))
        if asked_at is not None:
            return
        _check(order)
        await tx.execute(
            """update "order" set cancel_requested_at = $2, cancel_reason = $3, flagged = true, version = version + 1, updated_at = $2
               where id = $1""",
            order.id,
            now,
            reason[:MOST_REASON],
        )
        actor = Actor(f"member:{member_id}", "buyer")
        await add_events(tx, "CANCEL_REQUESTED", [order], {}, actor=actor, now=now)
        await record(tx, actor, [Entry(order.shop_id, "order.cancel_request", "order", order.id, {"number": order.number})], now=now)


async def answer(
    *,
    order_id: UUID,
    shop_id: UUID,
    accept: bool,
    note: str,
    refund_reference: str,
    may_refund: bool,
    anyway: bool = False,
    actor: Actor,
    now: datetime,
    jobs: JobQueue,
) -> None:
    """Answer a request: the order is cancelled and its pieces are free again, or it stands. The buyer is told; `note` is kept in the timeline.

    Money that was received goes back outside of this house; `refund_reference` is what the shop finds it by. `anyway`: cancel also while an
    online payment may succeed; what comes then has to go back too.

    Raises:
        NotFound: this shop has no such order.
        InvalidTransition: nobody asks, or goods have left or been packed meanwhile.
        PermissionDenied: money is to go back, and `may_refund` is false.
        ReferenceMissing: money is to go back, and there is no reference.
        PaymentUnderWay: an online payment may still succeed.
    """
    async with db.transaction() as tx:
        order, asked_at = _read(await tx.fetchrow(LOCK_OF_SHOP, order_id, shop_id))
        if asked_at is None:
            raise InvalidTransition(order.id, "state", order.state.value, OrderState.CANCELLED.value)
        if not accept:
            await _decline(tx, order, note, actor, now, jobs)
            return
        _check(order)
        if await tx.fetchval("select exists (select from order_line where order_id = $1 and packed > 0)", order.id):
            raise InvalidTransition(order.id, "fulfilment", FulfilmentState.LABELLED.value, FulfilmentState.UNFULFILLED.value)
        if order.paid_minor:
            if not may_refund:
                raise PermissionDenied
            if not refund_reference:
                raise ReferenceMissing()
        await end_attempts(tx, [order], actor=actor, now=now, anyway=anyway)
        await _cancel(tx, order, note, refund_reference, actor, now, jobs)


def _read(row: Record | None) -> tuple[LockedOrder, datetime | None]:
    if row is None:
        raise NotFound
    return as_locked({name: value for name, value in row.items() if name != "cancel_requested_at"}), row["cancel_requested_at"]  # type: ignore[arg-type]


def _check(order: LockedOrder) -> None:
    if order.state is not OrderState.OPEN:
        raise InvalidTransition(order.id, "state", order.state.value, OrderState.CANCELLED.value)
    if order.fulfilment_state not in NOT_GONE:
        raise InvalidTransition(order.id, "fulfilment", order.fulfilment_state.value, FulfilmentState.UNFULFILLED.value)


async def _decline(tx: Tx, order: LockedOrder, note: str, actor: Actor, now: datetime, jobs: JobQueue) -> None:
    await tx.execute(
        """update "order" o set cancel_requested_at = null, cancel_reason = '', version = version + 1, updated_at = $2,
             flagged = exists (select from claim c where c.shop_id = o.shop_id and c.order_id = o.id and c.review = 'OPEN')
           where o.id = $1""",
        order.id,
        now,
    )
    await add_events(tx, "CANCEL_DECLINED", [order], {order.id: {"reason": note}}, actor=actor, now=now)
    await record(tx, actor, [Entry(order.shop_id, "order.cancel_decline", "order", order.id, {"number": order.number})], now=now)
    key = f"cancel_declined:{order.id}:{order.version}"
    await enqueue(tx, order.shop_id, [NoticeDraft(order.buyer_id, NoticeKind.CANCEL_DECLINED, key, order.facts())], now=now, jobs=jobs)


async def _cancel(tx: Tx, order: LockedOrder, note: str, reference: str, actor: Actor, now: datetime, jobs: JobQueue) -> None:
    held = order.payment_state in UNPAID_STATES
    lines = [line for line in await lines_of(tx, [order.id]) if line.left]
    await lock_levels(tx, [line.variant_id for line in lines])
    pays_back = order.paid_minor > 0
    ready = order.fulfilment_state is FulfilmentState.READY_FOR_PICKUP
    cancelled = await move(
        tx, order, state=OrderState.CANCELLED, payment=PaymentState.REFUNDED if pays_back else None,
        fulfilment=FulfilmentState.UNFULFILLED if ready else None, now=now,
    )  # fmt: skip
    moves = [
        Move(line.shop_id, line.variant_id, line.id, held=-line.left if held else 0, committed=0 if held else -line.left) for line in lines
    ]
    await move_stock(tx, MovementKind.RELEASED if held else MovementKind.UNCOMMITTED, moves, actor=actor, now=now)
    await restocked(tx, order.shop_id, [line.variant_id for line in lines], jobs=jobs)
    await tx.execute(CLOSE_PICKUP, order.id)
    if pays_back:
        await add_events(tx, "REFUNDED", [cancelled], {order.id: {"amountMinor": order.paid_minor}}, actor=actor, now=now)
    await add_events(tx, "CANCELLED", [cancelled], {order.id: {"reason": note or "REQUESTED"}}, actor=actor, now=now)
    detail = {"number": order.number, "refunded_minor": order.paid_minor, **({"reference": reference} if pays_back else {})}
    await record(tx, actor, [Entry(order.shop_id, "order.cancel_accept", "order", order.id, detail)], now=now)
    draft = NoticeDraft(order.buyer_id, NoticeKind.ORDER_CANCELLED, f"order_cancelled:{order.id}", order.facts() | {"reason": note})
    await enqueue(tx, order.shop_id, [draft], now=now, jobs=jobs)
