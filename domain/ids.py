"""Identifiers: time-ordered for the tables, opaque and type-tagged for the outside.

`new_id()` is a UUID version 7 (RFC 9562): 48 bits of Unix milliseconds, a 10-bit counter, then 64 random bits, so that rows of one day lie
together in an index while nobody can guess a neighbour's id: whoever has one, and knows when the next was made and that nothing lay between,
has the rest of it with one chance in 2^64 (to try them all takes 584,000 years at a million a second). Outside, an object is
`<tag>_<base64url of 16 bytes>`.
"""

from __future__ import annotations

import base64
import os
import struct
from binascii import b2a_base64
from collections.abc import Callable, Iterator
from functools import lru_cache
from time import time_ns
from typing import Final
from uuid import UUID

from asyncpg.pgproto import pgproto

URL_SAFE = bytes.maketrans(b"+/", b"-_")
_last = [0]
"""The newest id of this process without its random bits: milliseconds and counter as one number, whose overflow is the next millisecond."""
_DRAWN_AT_ONCE: Final = 256
_two_words = struct.Struct(">QQ").pack
_words = struct.Struct(">Q").iter_unpack
_drawn: list[Iterator[tuple[int]]] = [iter(())]
"""Random words that are left of the last draw: a call to the system for each id costs more than the id."""


def _forget_drawn() -> None:
    _drawn[0] = iter(())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_drawn)  # or both processes would go on with the same words


def new_id(at_ms: int | None = None) -> UUID:
    """A fresh UUID version 7; `at_ms` (Unix milliseconds) defaults to now. Ids of one process rise in the order they are made.

    Within a millisecond the first 10 of the 12 bits after the version count up (RFC 9562, method 1), from a random start in their lower half.
    Whoever makes more in a millisecond takes the next one's.
    """
    word = next(_drawn[0], None)
    if word is None:
        words = _drawn[0] = _words(os.urandom(8 * _DRAWN_AT_ONCE))
        word = next(words)
    if at_ms is None:
        now = time_ns() // 1_000_000 << 10
        if now > _last[0]:
            _last[0] = now | word[0] & 0x1FF
            return new_id()
        _last[0] = place = _last[0] + 1
    else:
        place = at_ms << 10 | int.from_bytes(os.urandom(2), "big") & 0x3FF
    return pgproto.UUID(_two_words(place >> 10 << 16 | 0x7000 | (place & 0x3FF) << 2 | word[0] & 3, 0x8000000000000000 | word[0] >> 2))


def new_ids(count: int) -> list[UUID]:
    """So many fresh ids, as `new_id` makes them, at less than half the price."""
    first = time_ns() // 1_000_000 << 10
    first = first | int.from_bytes(os.urandom(2), "big") & 0x1FF if first > _last[0] else _last[0] + 1
    _last[0] = first + count - 1
    words, made = _words(os.urandom(8 * count)), list[UUID]()
    while len(made) < count:
        place = first + len(made)
        high = place >> 10 << 16 | 0x7000 | (place & 0x3FF) << 2
        of_the_millisecond = range(high, min(high | 0xFFC, high + 4 * (count - len(made) - 1)) + 1, 4)
        made += [
            pgproto.UUID(_two_words(high | word & 3, 0x8000000000000000 | word >> 2))
            for high, (word,) in zip(of_the_millisecond, words, strict=False)
        ]
    return made


def ids_for(count: int) -> Callable[[], UUID]:
    """Answers an id at each call: so many of them are made at once, at the first call, and those beyond them as they are asked for.

    For one batch of work in one task. Ids that two of these answer by turns do not rise.
    """

    def made() -> Iterator[UUID]:
        yield from new_ids(count)
        while True:
            yield new_id()

    return made().__next__


def spelled(text: str) -> UUID:
    """The id that a text spells, five times as quickly as by `UUID(text)`.

    Raises:
        ValueError: it spells none.
    """
    return pgproto.UUID(text)


id_of = lru_cache(maxsize=16_384)(spelled)
"""`spelled`, kept: the goods of a live are named thousands of times."""


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
