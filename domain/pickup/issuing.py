"""Codes: issued to the buyer, renewed, lent to somebody else for one hand-over, and revoked.

A pass has one good code at most: every new one makes the one before void. All of it happens under the lock of the pass, as do hand-overs.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain.audit.commands import Actor, Entry, record
from domain.db import Tx, transaction
from domain.errors import NotFound
from domain.pickup.code import CodeFacts, code_bytes, encode, qr_svg, short_code
from domain.pickup.errors import PickupRefused
from domain.pickup.passes import PICKUP_ROWS, Covered, Pass, PassSlot, as_pass, covered_by, refuse_or_go_on
from domain.pickup.rules import CODE_LIFE, LONGEST_LOAN_NAME, MAX_ISSUES, PickupRefusal, PickupState

LOCK_OWN: Final = f"""{PICKUP_ROWS} where b.member_id = $1 and p.shop_id = $2 and (p.state = 'OPEN' or p.id = $3)
  order by p.buyer_id, p.slot_id nulls first, p.id for update of p"""
"""In the order in which goods that become ready lock the passes of several buyers and slots."""


@dataclass(frozen=True, slots=True)
class PickupSigner:
    """The key that signs pickup codes now."""

    key_number: int
    private_key: Ed25519PrivateKey = field(repr=False)


@dataclass(frozen=True, slots=True)
class IssuedPass:
    """What the buyer shows, or the one it is lent to. The older code of the same pass is void from here on."""

    pickup_id: UUID
    token: str = field(repr=False)
    svg: str = field(repr=False)
    short_code: str = field(repr=False)
    expires_at: datetime
    issue_number: int
    order_ids: tuple[UUID, ...]
    lent_to: str | None = None
    slot: PassSlot | None = None


async def issue(*, member_id: UUID, pickup_id: UUID | None, shop_id: UUID | None, signer: PickupSigner, now: datetime) -> IssuedPass:
    """Give the member a fresh code for a pass of theirs: the named one, or the open one in the named
    shop that is collected next (`next_of`). Each call renews it.

    Raises:
        NotFound: no such pass of this member.
        PickupRefused: nothing of it may be collected (RULES: it is lent, or was renewed too often).
    """
    async with transaction() as tx:
        found = await _own(tx, member_id, pickup_id, shop_id, now)
        return await _coded(tx, found, member_id, signer, None, now)


async def lend(*, member_id: UUID, pickup_id: UUID, to: str, signer: PickupSigner, now: datetime) -> IssuedPass:
    """Make a code for somebody else, good for one hand-over by whoever shows it; the member's own code is void from here on.

    `to`: whom the member says it is for, at most LONGEST_LOAN_NAME characters; nobody else reads it.

    Raises:
        NotFound: no such pass of this member.
        PickupRefused: as for `issue`; RULES also when it is lent already.
    """
    async with transaction() as tx:
        found = await _own(tx, member_id, pickup_id, None, now)
        return await _coded(tx, found, member_id, signer, to[:LONGEST_LOAN_NAME], now)


async def revoke(*, member_id: UUID, pickup_id: UUID, now: datetime) -> UUID:
    """Make the newest code of the member's pass void, lent or not; without a good code nothing changes. Answers the pass.

    Raises:
        NotFound: no such pass of this member.
        PickupRefused: the pass is collected or cancelled.
    """
    async with transaction() as tx:
        found = await _own(tx, member_id, pickup_id, None, now)
        if found.state is not PickupState.OPEN:
            raise PickupRefused(
                PickupRefusal.CANCELLED if found.state is PickupState.CANCELLED else PickupRefusal.ALREADY_USED, {}, found.id
            )
        if found.not_after is not None and found.dead is None:
            await tx.execute("update pickup set not_after = null, version = version + 1 where id = $1", found.id)
            detail = {"issue_number": found.issue_number, "lent": found.is_lent}
            await record(
                tx, Actor(f"member:{member_id}", "buyer"), [Entry(found.shop_id, "pickup.revoke", "pickup", found.id, detail)], now=now
            )
        return found.id


async def _own(tx: Tx, member_id: UUID, pickup_id: UUID | None, shop_id: UUID | None, now: datetime) -> Pass:
    """The member's pass, locked, with the orders of their other open passes of the same slot: who has two names in a shop collects with one code.

    Raises:
        NotFound: there is none.
    """
    if pickup_id is not None:
        shop_id = await tx.fetchval(
            """select p.shop_id from pickup p join buyer b on b.id = p.buyer_id
               where p.id = $1 and b.member_id = $2 and ($3::uuid is null or p.shop_id = $3)""",
            pickup_id,
            member_id,
            shop_id,
        )
    rows = await tx.fetch(LOCK_OWN, member_id, shop_id, pickup_id) if shop_id is not None else []
    passes = [as_pass(row) for row in rows]
    still_open = sorted((each for each in passes if each.state is PickupState.OPEN), key=lambda each: each.id)
    named = next((each for each in passes if each.id == pickup_id), None)
    # A pass that went up into another one stands for that one.
    if named is not None and (named.state is not PickupState.CANCELLED or not still_open or await _has_orders(tx, named.id)):
        chosen = named
    elif still_open:
        of_slot = [each for each in still_open if named is not None and each.slot == named.slot]
        chosen = next_of(of_slot or still_open, now)
    else:
        raise NotFound
    if chosen.state is PickupState.OPEN:
        others = [each for each in still_open if each.id != chosen.id and each.slot == chosen.slot and not each.on_loan(now)]
        await _gather(tx, chosen, others, member_id, now)
    return chosen


def next_of(passes: Sequence[Pass], now: datetime) -> Pass:
    """The pass that is collected next: of the slot that runs or comes first, else without a slot, else of the slot that ended last; the newest
    of several. Pure; `passes` are not empty."""

    def place(found: Pass) -> tuple[int, float, int]:
        if found.slot is None:
            return 1, 0.0, -found.id.int
        if found.slot.ends_at > now:
            return 0, found.slot.starts_at.timestamp(), -found.id.int
        return 2, -found.slot.ends_at.timestamp(), -found.id.int

    return min(passes, key=place)


async def _has_orders(tx: Tx, pickup_id: UUID) -> bool:
    found: bool = await tx.fetchval("select exists (select from pickup_order where pickup_id = $1)", pickup_id)
    return found


async def _gather(tx: Tx, into: Pass, others: list[Pass], member_id: UUID, now: datetime) -> None:
    """Move the orders of other passes into this one; their codes are void."""
    if not others:
        return
    ids = [each.id for each in others]
    await tx.execute("update pickup_order set pickup_id = $1 where pickup_id = any($2::uuid[])", into.id, ids)
    await tx.execute("update pickup set state = 'CANCELLED', version = version + 1 where id = any($1::uuid[])", ids)
    entries = [Entry(into.shop_id, "pickup.gather", "pickup", each, {"into": str(into.id)}) for each in ids]
    await record(tx, Actor(f"member:{member_id}", "buyer"), entries, now=now)


async def _coded(tx: Tx, found: Pass, member_id: UUID, signer: PickupSigner, lent_to: str | None, now: datetime) -> IssuedPass:
    """The pass with a fresh code; the pass is locked."""
    covered = await covered_by(tx.fetch, found.id)
    await refuse_or_go_on(tx.fetch, found, None, covered)
    if found.on_loan(now):
        raise PickupRefused(PickupRefusal.RULES, {"reason": "lent"}, found.id)
    if found.issue_number >= MAX_ISSUES:
        raise PickupRefused(PickupRefusal.RULES, {"issues": MAX_ISSUES}, found.id)
    issue_number, expires_at = found.issue_number + 1, (now + CODE_LIFE).replace(microsecond=0)
    short = await _renew(tx, found, issue_number, expires_at, member_id, lent_to, now)
    shop_number = await tx.fetchval("select number from shop where id = $1", found.shop_id)
    token = encode(CodeFacts(signer.key_number, shop_number, code_bytes(found.code_id), issue_number, expires_at), signer.private_key)
    return IssuedPass(found.id, token, qr_svg(token), short, expires_at, issue_number, _ready(covered), lent_to, found.slot)


def _ready(covered: Covered) -> tuple[UUID, ...]:
    return tuple(order_id for order_id, order in zip(covered.order_ids, covered.orders, strict=True) if order.may_leave)


async def _renew(tx: Tx, found: Pass, issue_number: int, expires_at: datetime, member_id: UUID, lent_to: str | None, now: datetime) -> str:
    """Write the new issue; answers its short code, one that no other open pass of the shop has."""
    short = short_code(secrets.token_bytes(5))
    while await tx.fetchval(
        "select exists (select 1 from pickup where shop_id = $1 and short_code = $2 and state = 'OPEN')", found.shop_id, short
    ):
        short = short_code(secrets.token_bytes(5))
    await tx.execute(
        "update pickup set issue_number = $2, short_code = $3, not_after = $4, member_id = $5, version = version + 1 where id = $1",
        found.id,
        issue_number,
        short,
        expires_at,
        member_id,
    )
    act = "pickup.issue"
    if lent_to is not None:
        act = "pickup.lend"
        await tx.execute(
            "update pickup set lent_issue = $2, lent_to = $3, lent_at = $4, lent_used_at = null where id = $1",
            found.id,
            issue_number,
            lent_to,
            now,
        )
    entry = Entry(found.shop_id, act, "pickup", found.id, {"issue_number": issue_number})
    await record(tx, Actor(f"member:{member_id}", "buyer"), [entry], now=now)
    return short
