"""Identifiers: time-ordered for the tables, opaque and type-tagged for the outside.

`new_id()` is a UUID version 7 (RFC 9562): 48 bits of Unix milliseconds, a 12-bit counter, then 62 random bits, so that rows of one day lie
together in an index while nobody can guess a neighbour's id. Outside, an object is `<tag>_<base64url of 16 bytes>`.
"""

from __future__ import annotations

import base64
import os
import time
from binascii import b2a_base64
from uuid import UUID

from asyncpg.pgproto import pgproto

URL_SAFE = bytes.maketrans(b"+/", b"-_")
_last = [0, 0]
"""Milliseconds and counter of the newest id of this process."""


def new_id(at_ms: int | None = None) -> UUID:
    """A fresh UUID version 7; `at_ms` (Unix milliseconds) defaults to now. Ids of one process rise in the order they are made.

    Within a millisecond the 12 bits after the version count up (RFC 9562, method 1), from a random start in their lower half.
    """
    ms = time.time_ns() // 1_000_000 if at_ms is None else at_ms
    if at_ms is None:
        if ms > _last[0]:
            _last[:] = [ms, int.from_bytes(os.urandom(2), "big") & 0x7FF]
        elif _last[1] < 0xFFF:
            _last[1] += 1
        else:
            _last[:] = [_last[0] + 1, 0]
        ms, counter = _last
    else:
        counter = int.from_bytes(os.urandom(2), "big") & 0xFFF
    value = ms << 80 | 0x7000 << 64 | counter << 64 | 0x8000 << 48 | int.from_bytes(os.urandom(8), "big") >> 2
    return pgproto.UUID(value.to_bytes(16, "big"))


def public_id(tag: str, value: UUID) -> str:
    """`tag` and the UUID as one URL-safe text, for instance `order_AZqs…` (22 characters after the underscore)."""
    return f"{tag}_{b2a_base64(value.bytes, newline=False)[:22].translate(URL_SAFE).decode()}"


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
