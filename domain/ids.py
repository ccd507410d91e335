"""Identifiers: time-ordered for the tables, opaque and type-tagged for the outside.

`new_id()` is a UUID version 7 (RFC 9562): 48 bits of Unix milliseconds, a 12-bit counter, then 62 random bits, so that rows of one day lie
together in an index while nobody can guess a neighbour's id. Outside, an object is `<tag>_<base64url of 16 bytes>`.
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
_last = [0, 0]
"""Milliseconds and counter of the newest id of this process."""
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

    Within a millisecond the 12 bits after the version count up (RFC 9562, method 1), from a random start in their lower half.
    """
    word = next(_drawn[0], None)
    if word is None:
        words = _drawn[0] = _words(os.urandom(8 * _DRAWN_AT_ONCE))
        word = next(words)
    if at_ms is None:
        ms = time_ns() // 1_000_000
        if ms > _last[0]:
            _last[:] = [ms, word[0] >> 1 & 0x7FF]
            return new_id()
        if _last[1] < 0xFFF:
            _last[1] += 1
        else:
            _last[:] = [_last[0] + 1, 0]
        ms, counter = _last
    else:
        ms, counter = at_ms, int.from_bytes(os.urandom(2), "big") & 0xFFF
    return pgproto.UUID(_two_words(ms << 16 | 0x7000 | counter, 0x8000000000000000 | word[0] >> 2))


def new_ids(count: int) -> list[UUID]:
    """So many fresh ids, as `new_id` makes them, at less than half the price."""
    ms, counter = time_ns() // 1_000_000, 0
    if ms > _last[0]:
        counter = int.from_bytes(os.urandom(2), "big") & 0x7FF
    else:
        ms, counter = _last[0], _last[1] + 1
    if counter + count > 0x1000:
        return [new_id() for _ in range(count)]
    _last[:] = [ms, counter + count - 1]
    first = ms << 16 | 0x7000 | counter
    return [pgproto.UUID(_two_words(first + n, 0x8000000000000000 | word >> 2)) for n, (word,) in enumerate(_words(os.urandom(8 * count)))]


def ids_for(count: int) -> Callable[[], UUID]:
    """Answers an id at each call: so many of them are made at once, at the first call, and those beyond them as they are asked for.

    For one batch of work in one task. Ids that two of these answer by turns do not rise.
    """

    def made() -> Iterator[UUID]:
        yield from new_ids(count)
        while True:
            yield new_id()

    return made().__next__


@lru_cache(maxsize=16_384)
def id_of(text: str) -> UUID:
    """The id that a text spells, kept: the goods of a live are named thousands of times.

    Raises:
        ValueError: it spells none.
    """
    return pgproto.UUID(text)


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
