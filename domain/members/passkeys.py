"""The passkeys of a member: kept, listed, used and given up.

What a device signed is checked by the edge (`api/auth/identity/passkey.py`); here is what the tables say about it. A device that counts its
signatures never counts backwards: a count that is not above the last one comes from a copy, is refused, and stands in the account's book.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from prometheus_client import Counter

from domain import db
from domain.audit.commands import Actor
from domain.db import Tx
from domain.errors import NotFound
from domain.ids import new_id
from domain.members.errors import SignInRefused, TooManyPasskeys
from domain.members.people import lock_account, note

COPIED = Counter("plusone_passkey_copied_total", "Signatures of passkeys whose count did not rise: refused as made by a copy.")
MOST: Final = 20
LAST_COUNT: Final = "select sign_count from passkey where id = $1 and member_id = $2 for update"


@dataclass(frozen=True, slots=True)
class NewPasskey:
    """What a device gave for keeping, checked."""

    credential_id: bytes
    public_key: bytes = field(repr=False)
    sign_count: int


@dataclass(frozen=True, slots=True)
class KeptPasskey:
    """What a signature is checked against."""

    id: UUID
    member_id: UUID
    public_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Passkey:
    """A passkey as its member sees it."""

    id: UUID
    name: str
    created_at: datetime
    last_used_at: datetime | None


async def passkeys_of(member_id: UUID) -> list[Passkey]:
    """The member's passkeys, the oldest first."""
    rows = await db.fetch(
        "select id, name, created_at, last_used_at from passkey where member_id = $1 order by created_at, id limit $2", member_id, MOST
    )
    return [Passkey(*row.values()) for row in rows]


async def credentials_of(member_id: UUID) -> list[bytes]:
    """What the member's devices know their passkeys by."""
    return [row["credential_id"] for row in await db.fetch("select credential_id from passkey where member_id = $1 order by id", member_id)]


async def shown_as(member_id: UUID) -> str:
    """What a device's list of passkeys calls the account: the member's name, as far as it is known."""
    return await db.fetchval("select display_name from member where id = $1", member_id) or ""


async def kept(credential_id: bytes) -> KeptPasskey | None:
    """The passkey of this id, whoever's it is."""
    row = await db.fetchrow("select id, member_id, public_key from passkey where credential_id = $1", credential_id)
    return None if row is None else KeptPasskey(*row.values())


async def add(tx: Tx, member_id: UUID, new: NewPasskey, name: str, now: datetime, request_id: str = "") -> Passkey:
    """Keep a passkey for the member.

    Raises:
        SignInRefused: the account is no more, or the passkey is kept already.
        TooManyPasskeys: the member has MOST.
    """
    if not await lock_account(tx, member_id):
        raise SignInRefused
    if await tx.fetchval("select count(*) from passkey where member_id = $1", member_id) >= MOST:
        raise TooManyPasskeys
    made = Passkey(new_id(), name, now, None)
    kept_now = await tx.execute(
        """insert into passkey (id, member_id, name, credential_id, public_key, sign_count, created_at) values ($1, $2, $3, $4, $5, $6, $7)
           on conflict (credential_id) do nothing""",
        made.id,
        member_id,
        name,
        new.credential_id,
        new.public_key,
        new.sign_count,
        now,
    )
    if not kept_now:
        raise SignInRefused
    await note(tx, [member_id], "PASSKEY_ADDED", actor=_self(member_id, request_id), now=now, detail={"passkey": str(made.id)})
    return made


async def remove(*, member_id: UUID, passkey_id: UUID, now: datetime, request_id: str = "") -> None:
    """Give a passkey up: it signs in no more.

    Raises:
        NotFound: the member has no such passkey.
    """
    async with db.transaction() as tx:
        if not await tx.execute("delete from passkey where id = $1 and member_id = $2", passkey_id, member_id):
            raise NotFound
        await note(tx, [member_id], "PASSKEY_REMOVED", actor=_self(member_id, request_id), now=now, detail={"passkey": str(passkey_id)})


async def use(tx: Tx, passkey: KeptPasskey, sign_count: int, now: datetime, request_id: str = "") -> bool:
    """Take a signature that was checked; False when its count did not rise, which is written into the account's book: commit that.

    Devices that do not count say 0 for ever.

    Raises:
        SignInRefused: the passkey was given up, or its account is deleted or part of another one.
    """
    if not await lock_account(tx, passkey.member_id):
        raise SignInRefused
    last = await tx.fetchval(LAST_COUNT, passkey.id, passkey.member_id)
    if last is None:
        raise SignInRefused
    if sign_count <= last and (sign_count or last):
        detail = {"passkey": str(passkey.id), "last": last, "count": sign_count}
        await note(tx, [passkey.member_id], "PASSKEY_COPIED", actor=_self(passkey.member_id, request_id), now=now, detail=detail)
        COPIED.inc()
        return False
    await tx.execute("update passkey set sign_count = $2, last_used_at = $3 where id = $1", passkey.id, sign_count, now)
    return True


def _self(member_id: UUID, request_id: str) -> Actor:
    return Actor(f"member:{member_id}", request_id=request_id)
