"""Passes: issued to the buyer, scanned at the counter, confirmed once; and paid orders that become ready when goods arrive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from domain import db
from domain.audit.commands import Actor, Entry, record
from domain.errors import NotFound
from domain.ids import new_id
from domain.jobs import JobQueue
from domain.orders.commands import COLUMNS, as_locked, lines_of, move
from domain.orders.readiness import served, tell_ready
from domain.orders.rules import FulfilmentState
from domain.pickup.code import PREFIX, code_number, decode, read_short_code
from domain.pickup.errors import BadCode, PickupRefused
from domain.pickup.hand_over import HandOverResult, confirm
from domain.pickup.issuing import IssuedPass, PickupSigner, issue, lend, revoke
from domain.pickup.passes import PICKUP_ROWS, Covered, DueLine, Pass, PassSlot, as_pass, covered_by, record_refusal, refuse_or_go_on
from domain.pickup.rules import SCAN_LIFE, LineQuantity, PickupRefusal, masked
from domain.pickup.scans import Scan, count_short_code, sign_scan
from domain.stock.commands import lock_levels
from domain.vault import Vault

__all__ = [
    "HandOverResult",
    "IssuedPass",
    "LineQuantity",
    "PickupSigner",
    "ScanPreview",
    "confirm",
    "issue",
    "lend",
    "ready_waiting_orders",
    "revoke",
    "scan",
]

ARRIVALS: Final = Actor("worker:restocked", "worker")


@dataclass(frozen=True, slots=True)
class ScanPreview:
    """What the counter sees before it decides."""

    scan_id: str = field(repr=False)
    pickup_id: UUID
    buyer_name: str
    """Masked; empty when the pass is lent."""
    lent: bool
    """Somebody else stands there: neither the buyer's name nor what is owed is shown."""
    lines: tuple[DueLine, ...]
    """What may leave now."""
    order_ids: tuple[UUID, ...]
    """Orders of these lines."""
    due_minor: int
    """Owed for orders of the pass that may not leave, in minor units of `currency`; 0 in the usual case."""
    currency: str
    confirm_by: datetime
    slot: PassSlot | None
    """What its orders chose; a code is good outside of it too."""


async def scan(
    *,
    shop_id: UUID,
    token: str,
    scanner_id: UUID,
    device: str,
    public_keys: Mapping[int, Ed25519PublicKey],
    vault: Vault,
    now: datetime,
    slot_id: UUID | None = None,
) -> ScanPreview:
    """Look a code up, long or short, and answer what may leave. Nothing of orders, stock or the pass changes; a refusal is audited.

    `slot_id`: the slot that the counter serves, where it says so; a good code of another slot is refused then, one without a slot is not.

    Raises:
        NotFound: the shop has no such slot.
        PickupRefused: why nothing may leave, or BLOCKED after too many short codes.
    """
    text = token.strip()
    if slot_id is not None and not await db.fetchval(
        "select exists (select from pickup_slot where id = $1 and shop_id = $2)", slot_id, shop_id
    ):
        raise NotFound
    try:
        if text.startswith(PREFIX):
            found, issue_number = await _by_code(shop_id, text, public_keys, now)
        else:
            found, issue_number = await _by_short_code(shop_id, text, scanner_id, now)
        covered = await covered_by(db.fetch, found.id)
        await refuse_or_go_on(db.fetch, found, issue_number, covered)
        if slot_id is not None and found.slot is not None and found.slot.id != slot_id:
            raise PickupRefused(PickupRefusal.WRONG_SLOT, {"slot_id": found.slot.id}, found.id, found.slot.shown())
    except PickupRefused as refused:
        await record_refusal(shop_id, Actor(f"member:{scanner_id}"), device, refused, now=now)
        raise
    return _preview(found, covered, sign_scan(Scan(new_id(), found.id, scanner_id, found.issue_number, now), shop_id, vault), now)


def _preview(found: Pass, covered: Covered, scan_id: str, now: datetime) -> ScanPreview:
    lines = tuple(line for line in covered.lines if line.may_leave)
    return ScanPreview(
        scan_id=scan_id,
        pickup_id=found.id,
        buyer_name="" if found.is_lent else masked(found.buyer_name),
        lent=found.is_lent,
        lines=lines,
        order_ids=tuple(dict.fromkeys(line.order_id for line in lines)),
        due_minor=0 if found.is_lent else covered.due_minor,
        currency=covered.currency,
        confirm_by=now + SCAN_LIFE,
        slot=found.slot,
    )


async def _by_code(shop_id: UUID, text: str, public_keys: Mapping[int, Ed25519PublicKey], now: datetime) -> tuple[Pass, int]:
    """The pass of a long code and the issue it shows. Order of checks: signature, shop, expiry, known here."""
    try:
        facts = decode(text, public_keys)
    except BadCode as bad:
        raise PickupRefused(PickupRefusal.INVALID, {"reason": bad.reason}) from None
    if facts.shop_number != await db.fetchval("select number from shop where id = $1", shop_id):
        raise PickupRefused(PickupRefusal.WRONG_SHOP)
    if facts.not_after < now:
        raise PickupRefused(PickupRefusal.EXPIRED, {"expired_at": facts.not_after})
    row = await db.fetchrow(f"{PICKUP_ROWS} where p.code_id = $1 and p.shop_id = $2", code_number(facts.code_id), shop_id)
    if row is None:
        raise PickupRefused(PickupRefusal.INVALID, {"reason": "unknown"})
    return as_pass(row), facts.issue_number


async def _by_short_code(shop_id: UUID, text: str, scanner_id: UUID, now: datetime) -> tuple[Pass, int]:
    """The pass of a short code. Every try counts, right or wrong."""
    if not await count_short_code(shop_id, scanner_id, now=now):
        raise PickupRefused(PickupRefusal.BLOCKED)
    short = read_short_code(text)
    row = None
    if short is not None:
        row = await db.fetchrow(
            f"{PICKUP_ROWS} where p.shop_id = $1 and p.short_code = $2 order by p.state = 'OPEN' desc, p.created_at desc limit 1",
            shop_id,
            short,
        )
    if row is None:
        raise PickupRefused(PickupRefusal.INVALID, {"reason": "unknown"})
    found = as_pass(row)
    if found.not_after is not None and found.not_after < now:
        raise PickupRefused(PickupRefusal.EXPIRED, {"expired_at": found.not_after}, found.id)
    return found, found.issue_number


async def ready_waiting_orders(*, shop_id: UUID, variant_ids: Sequence[UUID], now: datetime, jobs: JobQueue) -> int:
    """Make paid pickup orders ready that waited for pieces of these variants and can be served now, first paid first; answers how many.

    Called when pieces were added; harmless when called again.
    """
    async with db.transaction() as tx:
        rows = await tx.fetch(
            f"""select {COLUMNS} from "order" o
                where o.shop_id = $1 and o.state = 'OPEN' and o.payment_state = 'PAID' and o.fulfilment_state = 'WAITING_STOCK'
                  and o.delivery_method = 'PICKUP'
                  and exists (select 1 from order_line l where l.order_id = o.id and l.variant_id = any($2::uuid[]) and l.quantity > 0)
                order by o.id for update of o""",
            shop_id,
            list(variant_ids),
        )
        waiting = [as_locked(row) for row in rows]
        if not waiting:
            return 0
        lines = await lines_of(tx, [order.id for order in waiting])
        await lock_levels(tx, [line.variant_id for line in lines])
        can_go = await served(tx, [order.id for order in waiting])
        ready = [await move(tx, order, fulfilment=FulfilmentState.READY_FOR_PICKUP, now=now) for order in waiting if order.id in can_go]
        await record(tx, ARRIVALS, [Entry(shop_id, "order.ready", "order", order.id, {"number": order.number}) for order in ready], now=now)
        await tell_ready(tx, shop_id, ready, actor=ARRIVALS, now=now, jobs=jobs)
        return len(ready)
