"""A claim receipt as bytes: how a document is written, signed and checked. Pure.

The document is JSON with sorted keys, no blanks, UTF-8 and instants of RFC 3339 in UTC with `Z`. The signature is Ed25519 over PREFIX and
the bytes of the document; whoever checks it takes the bytes as they came, and reads them only once they hold.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from domain.members.keys import ActiveKey

FORMAT: Final = "plusone-receipt"
VERSION: Final = 1
ALGORITHM: Final = "EdDSA"
PREFIX: Final = b"plusone receipt v1\n"
"""Keeps a receipt's signature from being one of anything else."""
_SIGNATURE: Final = re.compile(r"[A-Za-z0-9_-]{86}", re.ASCII)


@dataclass(frozen=True, slots=True)
class SignedReceipt:
    """A document and what proves it."""

    document: str
    """The exact text that was signed."""
    signature: str
    """64 bytes in base64url without padding: 86 characters."""
    kid: str
    issued_at: datetime
    algorithm: str = ALGORITHM


@dataclass(frozen=True, slots=True)
class ReceiptKey:
    """The public half of a key that signs receipts."""

    kid: str
    raw: bytes
    """32 bytes."""
    revoked: bool = False


class Doubt(StrEnum):
    """Why a receipt proves nothing."""

    MALFORMED = "malformed"
    UNKNOWN_KEY = "unknown key"
    REVOKED_KEY = "revoked key"
    BAD_SIGNATURE = "bad signature"


class NotProven(ValueError):
    """The receipt does not hold; `detail` says more where there is more to say."""

    def __init__(self, doubt: Doubt, detail: str = "") -> None:
        super().__init__(f"{doubt.value}: {detail}" if detail else doubt.value)
        self.doubt = doubt
        self.detail = detail


def canonical(document: Mapping[str, Any]) -> bytes:
    """The bytes that are signed. Instants must be in UTC."""
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z)


def sign(document: Mapping[str, Any], key: ActiveKey, *, issued_at: datetime) -> SignedReceipt:
    """The document, signed with this key."""
    written = canonical(document)
    signature = base64.urlsafe_b64encode(key.sign(PREFIX + written)).rstrip(b"=").decode()
    return SignedReceipt(written.decode(), signature, key.kid, issued_at)


def check(document: bytes, signature: str, kid: str, keys: Mapping[str, ReceiptKey]) -> dict[str, Any]:
    """What a receipt says, once its bytes have been proven under one of these keys (by kid).

    Raises:
        NotProven: the key is unknown or revoked, the signature is not its own over these very bytes, or the bytes are no receipt.
    """
    key = keys.get(kid)
    if key is None:
        raise NotProven(Doubt.UNKNOWN_KEY)
    if key.revoked:
        raise NotProven(Doubt.REVOKED_KEY)
    try:
        Ed25519PublicKey.from_public_bytes(key.raw).verify(_bytes_of(signature), PREFIX + document)
    except InvalidSignature:
        raise NotProven(Doubt.BAD_SIGNATURE) from None
    return _receipt(document)


def _bytes_of(signature: str) -> bytes:
    """The 64 bytes; one signature has one spelling, so that no character of it can be changed."""
    if not _SIGNATURE.fullmatch(signature):
        raise NotProven(Doubt.MALFORMED, "the signature is not 86 characters of base64url")
    raw = base64.urlsafe_b64decode(signature + "==")
    if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != signature:
        raise NotProven(Doubt.BAD_SIGNATURE)
    return raw


def _receipt(document: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(document)
    except orjson.JSONDecodeError:
        raise NotProven(Doubt.MALFORMED, "the document is not JSON") from None
    if not isinstance(found, dict) or (found.get("format"), found.get("version")) != (FORMAT, VERSION):
        raise NotProven(Doubt.MALFORMED, "the document is no receipt of this version")
    return found
