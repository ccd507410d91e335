"""The authenticator app of a member (TOTP, RFC 6238): six digits every 30 seconds, and ten recovery codes for when the phone is gone.

A code is good in its own half minute and the ones before and after it, and once: the step it was for is kept, and no code of that step or an
earlier one counts again. The secret is sealed with the settings' key; of recovery codes there is a MAC under it. Guesses are the caller's to count.
"""

from __future__ import annotations

import hmac
import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from domain import db
from domain.audit.commands import Actor
from domain.db import Tx
from domain.errors import NotFound
from domain.ids import new_id
from domain.members.errors import AuthenticatorKept, SignInRefused
from domain.members.people import lock_account, note
from domain.vault import SealBroken, Vault

ISSUER: Final = "plusone"
STEP_SECONDS: Final = 30
DIGITS: Final = re.compile(r"[0-9]{6}")
RECOVERY_CODES: Final = 10
PURPOSE: Final = "recovery-code"
ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Without letters that look like digits."""
USE_STEP: Final = "update authenticator set last_step = $2 where member_id = $1 and last_step < $2"
"""Of two that come with one code the row lets one through."""


@dataclass(frozen=True, slots=True)
class NewSecret:
    """Shown once: the text for typing, and the address for a QR code."""

    text: str = field(repr=False)
    uri: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Authenticator:
    """What a member sees of it."""

    confirmed_at: datetime
    recovery_codes_left: int


async def authenticator_of(member_id: UUID) -> Authenticator | None:
    """The member's authenticator; None until its first code was right."""
    row = await db.fetchrow(
        """select confirmed_at, (select count(*) from recovery_code c where c.member_id = a.member_id and c.used_at is null) as remaining
           from authenticator a where a.member_id = $1 and a.confirmed_at is not null""",
        member_id,
    )
    return None if row is None else Authenticator(*row.values())


async def begin(*, member_id: UUID, shown_as: str, vault: Vault, now: datetime) -> NewSecret:
    """A fresh secret; it counts for nothing until its first code. An earlier one that was not confirmed is forgotten.

    Raises:
        SignInRefused: the account is no more.
        AuthenticatorKept: there is one already; it has to be given up first.
    """
    import pyotp  # at its first use, as in `_step`: a process that meets no authenticator needs none of it

    secret = pyotp.random_base32()
    async with db.transaction() as tx:
        if not await lock_account(tx, member_id):
            raise SignInRefused
        made = await tx.execute(
            """insert into authenticator as a (id, member_id, secret_encrypted, created_at, last_step) values ($1, $2, $3, $4, 0)
               on conflict (member_id) do update set secret_encrypted = excluded.secret_encrypted, created_at = excluded.created_at, last_step = 0
               where a.confirmed_at is null""",
            new_id(),
            member_id,
            vault.seal(secret),
            now,
        )
        if not made:
            raise AuthenticatorKept
    return NewSecret(secret, pyotp.TOTP(secret).provisioning_uri(name=shown_as or ISSUER, issuer_name=ISSUER))


async def keep(tx: Tx, member_id: UUID, code: str, vault: Vault, now: datetime, request_id: str = "") -> list[str]:
    """The first code of a fresh secret: from now on it counts. Answers the recovery codes, which are shown this once.

    Raises:
        SignInRefused: the code is wrong, or there is no secret that waits for one.
    """
    if not await lock_account(tx, member_id):
        raise SignInRefused
    await _use_digits(tx, member_id, code, vault, now, confirmed=False)
    await tx.execute("update authenticator set confirmed_at = $2 where member_id = $1", member_id, now)
    codes = ["".join(secrets.choice(ALPHABET) for _ in range(10)) for _ in range(RECOVERY_CODES)]
    await tx.execute(
        """insert into recovery_code (id, member_id, hash, created_at)
           select k.id, $2::uuid, k.hash, $4::timestamptz from unnest($1::uuid[], $3::text[]) k(id, hash)""",
        [new_id() for _ in codes],
        member_id,
        [_hash(member_id, each, vault) for each in codes],
        now,
    )
    await note(tx, [member_id], "AUTHENTICATOR_ADDED", actor=_self(member_id, request_id), now=now)
    return [f"{each[:5]}-{each[5:]}" for each in codes]


async def use(tx: Tx, member_id: UUID, code: str, vault: Vault, now: datetime, request_id: str = "") -> None:
    """A code of the app, or a recovery code; either counts once.

    Raises:
        SignInRefused: it does not count, whatever the cause.
    """
    if not await lock_account(tx, member_id):
        raise SignInRefused
    if DIGITS.fullmatch(code):
        await _use_digits(tx, member_id, code, vault, now, confirmed=True)
        return
    used = await tx.execute(
        "update recovery_code set used_at = $3 where member_id = $1 and hash = $2 and used_at is null",
        member_id,
        _hash(member_id, code.upper().replace("-", "").replace(" ", ""), vault),
        now,
    )
    if not used:
        raise SignInRefused
    await note(tx, [member_id], "RECOVERY_CODE_USED", actor=_self(member_id, request_id), now=now)


async def remove(*, member_id: UUID, now: datetime, request_id: str = "") -> None:
    """Give it up, with its recovery codes.

    Raises:
        NotFound: the member has none.
    """
    async with db.transaction() as tx:
        if not await tx.execute("delete from authenticator where member_id = $1 and confirmed_at is not null", member_id):
            raise NotFound
        await tx.execute("delete from recovery_code where member_id = $1", member_id)
        await note(tx, [member_id], "AUTHENTICATOR_REMOVED", actor=_self(member_id, request_id), now=now)


async def _use_digits(tx: Tx, member_id: UUID, code: str, vault: Vault, now: datetime, *, confirmed: bool) -> None:
    """Raises SignInRefused unless these are the digits of a step about now that is later than the last one used."""
    row = await tx.fetchrow(
        "select secret_encrypted from authenticator where member_id = $1 and (confirmed_at is not null) = $2", member_id, confirmed
    )
    step = None if row is None else _step(row["secret_encrypted"], code, vault, now)
    if step is None or not await tx.execute(USE_STEP, member_id, step):
        raise SignInRefused


def _step(sealed: str, code: str, vault: Vault, now: datetime) -> int | None:
    """The step about now whose digits these are."""
    import pyotp

    try:
        app = pyotp.TOTP(vault.open(sealed).decode(), interval=STEP_SECONDS)
    except SealBroken:
        return None
    about = int(now.timestamp()) // STEP_SECONDS
    given = code.encode()
    return next((step for step in (about, about - 1, about + 1) if hmac.compare_digest(app.generate_otp(step).encode(), given)), None)


def _hash(member_id: UUID, code: str, vault: Vault) -> str:
    return vault.mac(PURPOSE, member_id.bytes + code.encode()).hex()


def _self(member_id: UUID, request_id: str) -> Actor:
    return Actor(f"member:{member_id}", request_id=request_id)
