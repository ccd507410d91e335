"""Ed25519 signing keys: one line of keys per use, the private half sealed by the vault.

A key signs from its `not_before` until a newer one begins, and is honoured until `not_after`. The newest key has no end, so that a
deployment that never rotates keeps working; `rotate` publishes the next key a day ahead and gives the old ones their end.
Every process loads the keys at most once in CACHE_SECONDS.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from domain import db
from domain.db import Tx
from domain.members.errors import NoSigningKey
from domain.members.rules import KeyUse
from domain.vault import Vault

CACHE = timedelta(seconds=30)
PUBLISHED_AHEAD = timedelta(hours=24)
BACKDATED = timedelta(hours=1)
"""A first key begins a little in the past, so that a process whose clock is behind finds it begun."""
NO_END = datetime(9999, 1, 1, tzinfo=UTC)
KEPT_AFTER: Mapping[KeyUse, timedelta | None] = MappingProxyType(
    {KeyUse.ACCESS: timedelta(hours=24), KeyUse.PICKUP: timedelta(days=180), KeyUse.RECEIPT: None}
)
"""How long an old key's signatures count after its successor began; None: for ever (a receipt can be checked in years)."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The public half: what a signature is checked with."""

    kid: str
    use: KeyUse
    number: int
    """0 to 255, unique per use: names the key inside pickup codes."""
    raw: bytes
    """32 bytes."""
    not_before: datetime
    not_after: datetime

    @property
    def key(self) -> Ed25519PublicKey:
        """The key as the cryptography library wants it."""
        return Ed25519PublicKey.from_public_bytes(self.raw)

    def verify(self, signature: bytes, message: bytes) -> bool:
        """True when the signature (64 bytes) is this key's over the message; never raises."""
        try:
            self.key.verify(signature, message)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class ActiveKey:
    """The key that signs now."""

    kid: str
    use: KeyUse
    number: int
    private: Ed25519PrivateKey = field(repr=False)

    def sign(self, message: bytes) -> bytes:
        """64 bytes."""
        return self.private.sign(message)


@dataclass(frozen=True, slots=True)
class _Honoured:
    """Public keys of a use, and the time for which they are the answer."""

    keys: tuple[PublicKey, ...]
    since: datetime
    until: datetime


@dataclass(slots=True)
class _Process:
    """What this process knows: set by `ensure_keys`, reloaded when older than CACHE."""

    vault: Vault | None = None
    loaded_at: datetime | None = None
    public: tuple[PublicKey, ...] = ()
    sealed: dict[str, str] = field(default_factory=dict, repr=False)
    opened: dict[str, Ed25519PrivateKey] = field(default_factory=dict, repr=False)
    honoured: dict[KeyUse, _Honoured] = field(default_factory=dict)
    forgotten: int = 0
    """How often: keys that were asked for before may be older than a rotation or a revocation."""


_process = _Process()


def kid_of(raw_public_key: bytes) -> str:
    """base64url of the SHA-256 of the 32 public bytes, 43 characters."""
    return base64.urlsafe_b64encode(hashlib.sha256(raw_public_key).digest()).rstrip(b"=").decode()


def forget() -> None:
    """Drop what this process has loaded; the next call reads the table."""
    _process.forgotten += 1
    _process.loaded_at = None
    _process.public = ()
    _process.sealed.clear()
    _process.opened.clear()
    _process.honoured.clear()


def sign_with(vault: Vault) -> None:
    """This process opens its keys with this vault from here on, and makes missing ones when they are first asked for; no I/O."""
    _process.vault = vault


async def ensure_keys(vault: Vault, now: datetime) -> None:
    """Create the first key of each use where there is none that signs now; safe when two processes start at once.

    For the start of a process; one that only called `sign_with` does the same at the first need.
    """
    sign_with(vault)
    async with db.transaction() as tx:
        await _one_at_a_time(tx)
        rows = await tx.fetch("select distinct use from signing_key where revoked_at is null and not_before <= $1 and not_after > $1", now)
        for use in sorted(set(KeyUse) - {KeyUse(row["use"]) for row in rows}):
            await _insert(tx, use, vault, not_before=now - BACKDATED)
    forget()
    await _load(now)


async def rotate(use: KeyUse, vault: Vault, now: datetime) -> PublicKey:
    """Publish the next key of a use: it signs from 24 h on, and older keys end KEPT_AFTER later."""
    async with db.transaction() as tx:
        await _one_at_a_time(tx)
        begins = now + PUBLISHED_AHEAD
        kept = KEPT_AFTER[use]
        if kept is not None:
            await tx.execute("update signing_key set not_after = least(not_after, $2) where use = $1", use.value, begins + kept)
        key = await _insert(tx, use, vault, not_before=begins)
    forget()
    return key


async def revoke(kid: str, vault: Vault, now: datetime) -> None:
    """The emergency switch: what this key signed counts no longer (within CACHE in other processes); a new key signs at once."""
    await db.execute("update signing_key set revoked_at = $2 where kid = $1 and revoked_at is null", kid, now)
    await ensure_keys(vault, now)


async def active_key(use: KeyUse, now: datetime) -> ActiveKey:
    """The newest key of this use that has begun.

    Raises:
        NoSigningKey: neither `sign_with` nor `ensure_keys` was called in this process.
    """
    await _fresh(now, use)
    key = _signing_now(use, now)
    if key is None or _process.vault is None:
        raise NoSigningKey
    private = _process.opened.get(key.kid)
    if private is None:
        private = Ed25519PrivateKey.from_private_bytes(_process.vault.open(_process.sealed[key.kid]))
        _process.opened[key.kid] = private
    return ActiveKey(key.kid, use, key.number, private)


def known_keys(use: KeyUse, now: datetime) -> tuple[PublicKey, ...] | None:
    """The answer of `public_keys` where it was read less than CACHE ago."""
    known = _process.honoured.get(use)
    return known.keys if known is not None and known.since <= now < known.until else None


async def public_keys(use: KeyUse, now: datetime) -> tuple[PublicKey, ...]:
    """Keys of this use whose signatures count, and those published ahead; newest first."""
    known = known_keys(use, now)
    if known is not None:
        return known
    await _fresh(now, use)
    found = tuple(key for key in _process.public if key.use is use and key.not_after > now)
    if _process.loaded_at is not None:
        until = min(_process.loaded_at + CACHE, *(key.not_after for key in found), NO_END)
        _process.honoured[use] = _Honoured(found, now, until)
    return found


def _signing_now(use: KeyUse, now: datetime) -> PublicKey | None:
    return next((key for key in _process.public if key.use is use and key.not_before <= now < key.not_after), None)


async def _fresh(now: datetime, use: KeyUse) -> None:
    loaded = _process.loaded_at
    # A clock that was set back makes the age negative: read again then, too.
    if loaded is None or not timedelta(0) <= now - loaded < CACHE:
        await _load(now)
    if _signing_now(use, now) is None and _process.vault is not None:
        await ensure_keys(_process.vault, now)


_IN_FORCE: Final = """
select kid, use, number, public_key, private_encrypted, not_before, not_after from signing_key
where revoked_at is null and not_after > $1 order by not_before desc, number desc"""


async def _load(now: datetime) -> None:
    rows: list[db.Record] = []
    before = None
    while before != _process.forgotten:
        before = _process.forgotten
        rows = await db.fetch(_IN_FORCE, now)
    _process.public = tuple(
        PublicKey(row["kid"], KeyUse(row["use"]), row["number"], bytes(row["public_key"]), row["not_before"], row["not_after"])
        for row in rows
    )
    _process.sealed = {row["kid"]: row["private_encrypted"] for row in rows}
    _process.opened = {kid: key for kid, key in _process.opened.items() if kid in _process.sealed}
    _process.honoured.clear()
    _process.loaded_at = now


async def _one_at_a_time(tx: Tx) -> None:
    """Processes that start at once take turns."""
    await tx.execute("select pg_advisory_xact_lock(hashtextextended('signing_key', 0))")


async def _insert(tx: Tx, use: KeyUse, vault: Vault, *, not_before: datetime) -> PublicKey:
    private = Ed25519PrivateKey.generate()
    raw = private.public_key().public_bytes_raw()
    number = await tx.fetchval("select coalesce(max(number) + 1, 0) from signing_key where use = $1", use.value)
    key = PublicKey(kid_of(raw), use, number, raw, not_before, NO_END)
    await tx.execute(
        """insert into signing_key (kid, use, number, public_key, private_encrypted, not_before, not_after)
           values ($1, $2, $3, $4, $5, $6, $7)""",
        key.kid,
        use.value,
        number,
        raw,
        vault.seal(private.private_bytes_raw()),
        not_before,
        NO_END,
    )
    return key
