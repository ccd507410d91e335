"""What connections write and read faster than asyncpg does by itself: instants by their microseconds (0.1 µs in place of 0.95), arrays of texts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
from asyncpg.protocol import protocol

for _name in ("IterableABC", "SizedABC"):
    # Of every element of an array asyncpg asks whether it is an array too, by abstract classes that answer in Python. Texts, which are most
    # of them, answer at once when the question names them first; it stays the same question. A batch of comments asks it 46 times per comment.
    if isinstance(_asked := getattr(protocol, _name, None), type):
        setattr(protocol, _name, (str, _asked))

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_MOST_INSTANTS = 4_096


class _Micros(dict[datetime, tuple[int]]):
    """PostgreSQL's microseconds of instants that were written lately: a batch writes the same few again and again."""

    def __missing__(self, at: datetime) -> tuple[int]:
        if at.tzinfo is not UTC:
            # Not kept: of one zone the two times of an hour that comes twice are equal, but not the same instant.
            return ((at.astimezone(UTC) - _EPOCH) // _MICROSECOND,)
        if len(self) >= _MOST_INSTANTS:
            self.clear()
        micros = self[at] = ((at - _EPOCH) // _MICROSECOND,)
        return micros


def _instant(micros: tuple[int]) -> datetime:
    """PostgreSQL's infinities become the last and the first instant there are."""
    try:
        return _EPOCH + timedelta(0, 0, micros[0])
    except OverflowError:
        return _LAST if micros[0] > 0 else _FIRST


async def by_microseconds(connection: asyncpg.Connection[Any]) -> None:
    """Read and write this connection's instants so.

    A decided comment's rows hold sixteen of them, most of them the same few. Reading one costs the same either way.
    """
    await connection.set_type_codec("timestamptz", schema="pg_catalog", encoder=_Micros().__getitem__, decoder=_instant, format="tuple")
