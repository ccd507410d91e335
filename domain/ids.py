"""Identifiers: time-ordered for the tables, opaque and type-tagged for the outside.

`new_id()` is a UUID version 7 (RFC 9562): 48 bits of Unix milliseconds, then 74 random bits, so that rows of one day lie
together in an index while nobody can guess a neighbour's id. Outside, an object is `<tag>_<base64url of 16 bytes>`.
"""

from __future__ import annotations

import base64
import os
import time
from uuid import UUID


def new_id(at_ms: int | None = None) -> UUID:
    """A fresh UUID version 7; `at_ms` (Unix milliseconds) defaults to now."""
    ms = time.time_ns() // 1_000_000 if at_ms is None else at_ms
    raw = bytearray(ms.to_bytes(6, "big") + os.urandom(10))
    raw[6] = 0x70 | (raw[6] & 0x0F)
    raw[8] = 0x80 | (raw[8] & 0x3F)
    return UUID(bytes=bytes(raw))


def public_id(tag: str, value: UUID) -> str:
    """`tag` and the UUID as one URL-safe text, for instance `order_AZqs…` (22 characters after the underscore)."""
    return f"{tag}_{base64.urlsafe_b64encode(value.bytes).rstrip(b'=').decode()}"


def read_public_id(text: str) -> tuple[str, UUID] | None:
    """The tag and UUID of a public id, or None for anything else (never raises)."""
    tag, _, tail = text.partition("_")
    if not tag or len(tail) != 22 or not tail.isascii():
        return None
    try:
        raw = base64.b64decode(tail.encode() + b"==", altchars=b"-_", validate=True)
    except ValueError:
        return None
    return (tag, UUID(bytes=raw)) if len(raw) == 16 and public_id(tag, UUID(bytes=raw)) == text else None
