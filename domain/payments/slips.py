"""Pictures of transfers: where one may be sent, how it is kept, and who may see it.

An address to send to is a ticket: signed, for one picture of one order of one member, good for ten minutes. Nothing is written before the
picture is there, and the same ticket used again answers the same picture.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from domain import db
from domain.audit.commands import Actor, Entry, record
from domain.db import Tx
from domain.errors import NotFound, Unavailable
from domain.ids import new_id
from domain.members.guesses import count, per_account
from domain.orders.commands import LockedOrder, lock_own_order
from domain.orders.errors import InvalidTransition
from domain.orders.rules import OrderState, PaymentState, may_report
from domain.payments.errors import AlreadyPaid
from domain.payments.pictures import Picture, redrawn
from domain.payments.transfer_errors import SlipRefused, SlipTicketOver
from domain.payments.transfer_rules import MOST_SLIPS, UPLOAD_BYTES, UPLOAD_LIFE
from domain.shops.rules import GRANTS, Permission
from domain.vault import Vault

PURPOSE: Final = "slip-upload"
_FACTS: Final = struct.Struct(">16s16s16sI")
_MAC_BYTES: Final = 16
DRAWING_SECONDS: Final = 15.0
_one_at_a_time: Final = asyncio.Semaphore(1)
"""A picture is up to 100 MB while it is drawn: a process draws one, and the others wait."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """One picture that may be sent."""

    slip_id: UUID
    member_id: UUID
    order_id: UUID
    expires_at: datetime


def write_ticket(vault: Vault, ticket: Ticket) -> str:
    """The ticket as text for an address."""
    facts = _FACTS.pack(ticket.slip_id.bytes, ticket.member_id.bytes, ticket.order_id.bytes, int(ticket.expires_at.timestamp()))
    mac = vault.mac(PURPOSE, facts)[:_MAC_BYTES]
    return _as_text(facts + mac)


def _as_text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def read_ticket(vault: Vault, text: str, now: datetime) -> Ticket:
    """The ticket that a text is.

    Raises:
        SlipTicketOver: not ours, altered, or its time is over.
    """
    try:
        raw = base64.b64decode(text.encode() + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
        facts, mac = raw[: _FACTS.size], raw[_FACTS.size :]
        slip, member, order, expires = _FACTS.unpack(facts)
    except (ValueError, struct.error):
        raise SlipTicketOver from None
    if not hmac.compare_digest(vault.mac(PURPOSE, facts)[:_MAC_BYTES], mac) or _as_text(raw) != text or expires <= now.timestamp():
        raise SlipTicketOver
    return Ticket(UUID(bytes=slip), UUID(bytes=member), UUID(bytes=order), datetime.fromtimestamp(expires, UTC))


async def start(*, order_id: UUID, member_id: UUID, vault: Vault, now: datetime) -> tuple[Ticket, str]:
    """A ticket for a picture of a transfer for this order of the member, and its text. Nothing is written.

    Raises:
        NotFound: the member has no such order.
        AlreadyPaid, InvalidTransition: no transfer can be reported for it.
    """
    async with db.transaction() as tx:
        check_reportable(await lock_own_order(tx, order_id, member_id))
    ticket = Ticket(new_id(), member_id, order_id, (now + UPLOAD_LIFE).replace(microsecond=0))
    return ticket, write_ticket(vault, ticket)


def check_reportable(order: LockedOrder) -> None:
    """A transfer may be reported for the order.

    Raises:
        AlreadyPaid: nothing is owed.
        InvalidTransition: the order is past OPEN, or its money is underway in another way.
    """
    if order.payment_state is PaymentState.PAID or (order.state is OrderState.OPEN and not order.due_minor):
        raise AlreadyPaid(order.id)
    if order.state is not OrderState.OPEN:
        raise InvalidTransition(order.id, "state", order.state.value, PaymentState.REPORTED.value)
    if not may_report(order.state, order.payment_state):
        raise InvalidTransition(order.id, "payment", order.payment_state.value, PaymentState.REPORTED.value)


Draw = Callable[[bytes], Awaitable[Picture]]


async def drawn(data: bytes) -> Picture:
    """The picture drawn anew in a thread, one at a time.

    Raises:
        SlipRefused: it is none.
        Unavailable: others before it take too long.
    """
    try:
        async with asyncio.timeout(DRAWING_SECONDS):
            await _one_at_a_time.acquire()
    except TimeoutError:
        raise Unavailable from None
    drawing = asyncio.ensure_future(asyncio.to_thread(redrawn, data))
    drawing.add_done_callback(_next)
    return await asyncio.shield(drawing)  # a thread goes on when its request is gone, and the next one waits for it


def _next(drawing: asyncio.Future[Picture]) -> None:
    _one_at_a_time.release()
    if not drawing.cancelled():
        drawing.exception()  # seen, whether or not anybody waits for it still


async def keep(ticket: Ticket, data: bytes, *, now: datetime, draw: Draw = drawn) -> UUID:
    """Draw the picture anew and keep it with its order; answers its id. The same ticket again answers the same one.

    Raises:
        SlipRefused: too large, or no picture that can be drawn.
        TooManyGuesses: more than 10 pictures of this member in 10 minutes.
        NotFound: the order is not the member's (any more).
        AlreadyPaid, InvalidTransition: no transfer can be reported for it.
    """
    if len(data) > UPLOAD_BYTES:
        raise SlipRefused("SIZE")
    if await db.fetchval("select 1 from transfer_slip where id = $1 and order_id = $2", ticket.slip_id, ticket.order_id) is not None:
        return ticket.slip_id
    await count([per_account(PURPOSE, str(ticket.member_id))], now)
    async with db.transaction() as tx:  # before the work is done; looked at again when it is
        check_reportable(await lock_own_order(tx, ticket.order_id, ticket.member_id))
    picture = await draw(data)
    async with db.transaction() as tx:
        order = await lock_own_order(tx, ticket.order_id, ticket.member_id)
        check_reportable(order)
        if await _write(tx, ticket, order, picture, now):
            actor = Actor(f"member:{ticket.member_id}", "buyer")
            detail = {"number": order.number, "bytes": len(picture.content)}
            await record(tx, actor, [Entry(order.shop_id, "slip.keep", "order", order.id, detail)], now=now)
    return ticket.slip_id


async def _write(tx: Tx, ticket: Ticket, order: LockedOrder, picture: Picture, now: datetime) -> bool:
    """Answers whether it was new. What is then too many of the order, and in no report, goes; the order's lock guards the count."""
    written = await tx.execute(
        """insert into transfer_slip (id, shop_id, order_id, content, width, height, created_at) values ($1, $2, $3, $4, $5, $6, $7)
           on conflict (id) do nothing""",
        ticket.slip_id,
        order.shop_id,
        order.id,
        picture.content,
        picture.width,
        picture.height,
        now,
    )
    await tx.execute(
        """delete from transfer_slip s where s.order_id = $1 and s.id <> $2
             and not exists (select from transfer_report r where r.slip_id = s.id and r.state in ('OPEN', 'CONFIRMED'))
             and s.id not in (select k.id from transfer_slip k where k.order_id = $1 order by k.created_at desc, k.id desc limit $3)""",
        order.id,
        ticket.slip_id,
        MOST_SLIPS,
    )
    return bool(written)


async def slip_for(slip_id: UUID, member_id: UUID, *, now: datetime, request_id: str = "") -> bytes:
    """The picture, for the order's own member and for staff of the shop who may mark orders as paid. A look of staff is audited.

    Raises:
        NotFound: no such picture for this member.
    """
    roles = [role.value for role, granted in GRANTS.items() if Permission.MARK_PAID in granted]
    async with db.transaction() as tx:
        row = await tx.fetchrow(
            """select s.content, s.shop_id, s.order_id, m.role, coalesce(o.member_id = $2, false) as own
               from transfer_slip s join "order" o on o.id = s.order_id
               left join membership m on m.shop_id = s.shop_id and m.member_id = $2 and m.ended_at is null
               where s.id = $1 and (o.member_id = $2 or (m.role = any($3::text[]) and not m.denied ? $4::text))""",
            slip_id,
            member_id,
            roles,
            Permission.MARK_PAID.value,
        )
        if row is None:
            raise NotFound
        if not row["own"]:
            actor = Actor(f"member:{member_id}", row["role"], request_id)
            await record(tx, actor, [Entry(row["shop_id"], "slip.view", "order", row["order_id"], {"slip": str(slip_id)})], now=now)
        content: bytes = row["content"]
        return content
