"""One sign-in attempt: the nonce we give, used once; the provider's token, used once.

A nonce says by itself when it ends and that we made it (`random 18 | expiry 8 | MAC 16`, base64url), so that asking for nonces writes
nothing; the table holds only those that were used.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from domain.db import Tx
from domain.members.errors import SignInRefused
from domain.members.ports import ProvenIdentity
from domain.members.rules import NONCE_LIFE
from domain.vault import Vault

RANDOM_BYTES, EXPIRY_BYTES, MAC_BYTES = 18, 8, 16
PURPOSE = "sign-in-nonce"


@dataclass(frozen=True, slots=True)
class Nonce:
    """56 characters of base64url, to be put into the provider's sign-in."""

    text: str
    expires_at: datetime


def new_nonce(provider: str, vault: Vault, now: datetime, life: timedelta = NONCE_LIFE) -> Nonce:
    """A nonce for one sign-in with this provider."""
    expires_at = (now + life).replace(microsecond=0)
    body = os.urandom(RANDOM_BYTES) + int(expires_at.timestamp()).to_bytes(EXPIRY_BYTES, "big")
    return Nonce(_text(body + _mac(provider, body, vault)), expires_at)


def check_nonce(nonce: str, provider: str, vault: Vault, now: datetime) -> datetime:
    """When this nonce ends. Says nothing about its use: `use_up` does.

    Raises:
        SignInRefused: not ours, for another provider, or over.
    """
    try:
        raw = base64.b64decode(nonce.encode("ascii"), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        raise SignInRefused from None
    body, mac = raw[:-MAC_BYTES], raw[-MAC_BYTES:]
    if len(raw) != RANDOM_BYTES + EXPIRY_BYTES + MAC_BYTES or not hmac.compare_digest(mac, _mac(provider, body, vault)):
        raise SignInRefused
    expires_at = datetime.fromtimestamp(int.from_bytes(body[RANDOM_BYTES:], "big"), UTC)
    if now >= expires_at:
        raise SignInRefused
    return expires_at


async def use_up(tx: Tx, nonce: str, nonce_expires_at: datetime, provider: str, proven: ProvenIdentity, now: datetime) -> None:
    """Mark the nonce and the provider's token as used, in the transaction of the sign-in.

    Raises:
        SignInRefused: one of them was used before.
    """
    fresh = await tx.execute(
        "insert into login_attempt (nonce_hash, provider, expires_at, used_at) values ($1, $2, $3, $4) on conflict do nothing",
        hashlib.sha256(nonce.encode()).hexdigest(),
        provider,
        nonce_expires_at,
        now,
    )
    unseen = await tx.execute(
        "insert into seen_token (hash, until) values ($1, $2) on conflict do nothing",
        proven.proof_hash,
        proven.expires_at or nonce_expires_at,
    )
    if not (fresh and unseen):
        raise SignInRefused


def _mac(provider: str, body: bytes, vault: Vault) -> bytes:
    return vault.mac(PURPOSE, provider.encode() + b"\0" + body)[:MAC_BYTES]


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode()
