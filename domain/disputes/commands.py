"""Opening a dispute about an order, writing in it from either side, and closing it.

The order's row is locked first, then the dispute's. The buyer is the order's member at that moment, so that a merge of accounts takes its
disputes along.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from domain import db
from domain.audit.commands import Actor, Entry, record
from domain.db import Tx
from domain.disputes.errors import AlreadyOpen, Closed, TooManyMessages
from domain.disputes.rules import AFTER, MOST_MESSAGES, MOST_PER_HOUR, DisputeReason, DisputeState, Side
from domain.errors import NotFound
from domain.ids import new_id
from domain.jobs import JobQueue
from domain.notices.commands import NoticeDraft, enqueue
from domain.notices.rules import NoticeKind
from domain.orders.commands import LockedOrder, add_events, lock_order

OPEN: Final = """insert into dispute (id, shop_id, order_id, buyer_id, reason, state, opened_at, written_at) values ($1, $2, $3, $4, $5, $6, $7, $7)
  on conflict (order_id) where state <> 'CLOSED' do nothing returning 1"""


async def open_dispute(*, order_id: UUID, member_id: UUID, reason: DisputeReason, text: str, now: datetime, actor: Actor) -> UUID:
    """Open a dispute about an order of this member, in whatever state it is; `text` has 1 to 2,000 characters. Answers its id.

    Raises:
        NotFound: no such order of this member.
        AlreadyOpen: one about this order is not closed.
    """
    async with db.transaction() as tx:
        order = await _of_buyer(tx, order_id, member_id)
        dispute_id = new_id()
        made = await tx.fetchval(
            OPEN,
            dispute_id,
            order.shop_id,
            order.id,
            order.buyer_id,
            reason.value,
            AFTER[Side.BUYER].value,
            now,
        )
        if made is None:
            raise AlreadyOpen(order.id)
        await _write(tx, order.shop_id, dispute_id, Side.BUYER, member_id, text, now)
        await add_events(tx, "DISPUTE_OPENED", [order], {order.id: {"reason": reason.value}}, actor=actor, now=now)
        detail = {"number": order.number, "reason": reason.value}
        await record(tx, actor, [Entry(order.shop_id, "dispute.open", "dispute", dispute_id, detail)], now=now)
    return dispute_id


async def send(
    *, dispute_id: UUID, side: Side, member_id: UUID, shop_id: UUID | None, text: str, now: datetime, actor: Actor, jobs: JobQueue
) -> None:
    """Write into a dispute: as the order's buyer, or for the shop (`shop_id`; the caller has checked the permission).

    Raises:
        NotFound: no such dispute of this buyer, or of this shop.
        Closed: it is closed.
        TooManyMessages: 20 of this side within the hour, or 200 in all.
    """
    async with db.transaction() as tx:
        order, state = await _lock(tx, dispute_id, side, member_id, shop_id)
        if state is DisputeState.CLOSED:
            raise Closed(dispute_id)
        counted = await tx.fetchrow(
            """select count(*) as all, count(*) filter (where side = $2 and at > $3) as recent from dispute_message where dispute_id = $1""",
            dispute_id,
            side.value,
            now - timedelta(hours=1),
        )
        assert counted is not None
        if counted["all"] >= MOST_MESSAGES or counted["recent"] >= MOST_PER_HOUR:
            raise TooManyMessages(dispute_id)
        message_id = await _write(tx, order.shop_id, dispute_id, side, member_id, text, now)
        await tx.execute("update dispute set state = $2, written_at = $3 where id = $1", dispute_id, AFTER[side].value, now)
        await record(tx, actor, [Entry(order.shop_id, "dispute.message", "dispute", dispute_id, {"side": side.value})], now=now)
        if side is Side.SHOP:
            await _tell(tx, order, NoticeKind.DISPUTE_ANSWERED, f"dispute_answered:{message_id}", now, jobs)


async def close(
    *, dispute_id: UUID, side: Side, member_id: UUID, shop_id: UUID | None, now: datetime, actor: Actor, jobs: JobQueue
) -> None:
    """Close a dispute; closing it again changes nothing. A new one may be opened afterwards.

    Raises:
        NotFound: no such dispute of this buyer, or of this shop.
    """
    async with db.transaction() as tx:
        order, state = await _lock(tx, dispute_id, side, member_id, shop_id)
        if state is DisputeState.CLOSED:
            return
        await tx.execute(
            "update dispute set state = 'CLOSED', written_at = $2, closed_at = $2, closed_by = $3 where id = $1",
            dispute_id,
            now,
            side.value,
        )
        await add_events(tx, "DISPUTE_CLOSED", [order], {order.id: {"by": side.value}}, actor=actor, now=now)
        await record(tx, actor, [Entry(order.shop_id, "dispute.close", "dispute", dispute_id, {"side": side.value})], now=now)
        if side is Side.SHOP:
            await _tell(tx, order, NoticeKind.DISPUTE_CLOSED, f"dispute_closed:{dispute_id}", now, jobs)


async def _of_buyer(tx: Tx, order_id: UUID, member_id: UUID) -> LockedOrder:
    shop_id = await tx.fetchval('select shop_id from "order" where id = $1 and member_id = $2', order_id, member_id)
    if shop_id is None:
        raise NotFound
    order = await lock_order(tx, order_id, shop_id)
    if await tx.fetchval('select member_id from "order" where id = $1', order_id) != member_id:
        raise NotFound  # the account became part of another one this very moment
    return order


async def _lock(tx: Tx, dispute_id: UUID, side: Side, member_id: UUID, shop_id: UUID | None) -> tuple[LockedOrder, DisputeState]:
    found = await tx.fetchrow("select order_id, shop_id from dispute where id = $1", dispute_id)
    if found is None or (side is Side.SHOP and found["shop_id"] != shop_id):
        raise NotFound
    if side is Side.BUYER:
        order = await _of_buyer(tx, found["order_id"], member_id)
    else:
        order = await lock_order(tx, found["order_id"], found["shop_id"])
    state = await tx.fetchval("select state from dispute where id = $1 for update", dispute_id)
    return order, DisputeState(state)


async def _write(tx: Tx, shop_id: UUID, dispute_id: UUID, side: Side, member_id: UUID, text: str, now: datetime) -> UUID:
    message_id = new_id()
    await tx.execute(
        "insert into dispute_message (id, shop_id, dispute_id, side, by_member_id, text, at) values ($1, $2, $3, $4, $5, $6, $7)",
        message_id,
        shop_id,
        dispute_id,
        side.value,
        member_id,
        text,
        now,
    )
    return message_id


async def _tell(tx: Tx, order: LockedOrder, kind: NoticeKind, key: str, now: datetime, jobs: JobQueue) -> None:
    """The words stay in the dispute: a phone's lock screen is for everybody."""
    await enqueue(tx, order.shop_id, [NoticeDraft(order.buyer_id, kind, key, order.facts())], now=now, jobs=jobs)
