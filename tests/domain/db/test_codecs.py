"""What the pool's connections write and read as PostgreSQL does: instants by their microseconds, arrays of texts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import pytest
from asyncpg.protocol import protocol

from domain import db as database
from domain.db import codecs

TAIPEI, BERLIN = ZoneInfo("Asia/Taipei"), ZoneInfo("Europe/Berlin")
INSTANTS = (
    datetime(2026, 11, 22, 7, 0, 0, 123_457, tzinfo=UTC),
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(1, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999_998, tzinfo=UTC),
    datetime(2026, 11, 22, 7, tzinfo=TAIPEI),
    datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN),
    datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=BERLIN),
    datetime(2026, 11, 22, 7, tzinfo=timezone(timedelta(hours=5, minutes=45))),
)


@pytest.fixture
async def plain(db: str) -> asyncpg.Connection[asyncpg.Record]:
    """A connection as asyncpg makes it."""
    return await database.dedicated()


@pytest.mark.parametrize("at", INSTANTS, ids=str)
async def test_an_instant_is_stored_as_asyncpg_stores_it(plain: asyncpg.Connection[asyncpg.Record], at: datetime) -> None:
    for _ in range(2):
        written = await database.fetchval("select $1::timestamptz::text", at)
        assert written == await plain.fetchval("select $1::timestamptz::text", at)
        read = await database.fetchval("select $1::text::timestamptz", written)
        assert (read, read.tzinfo) == (await plain.fetchval("select $1::text::timestamptz", written), UTC)
        assert await database.fetchval("select $1::timestamptz[]", [at, None]) == [at.astimezone(UTC), None]
    await plain.close()


async def test_both_times_of_an_hour_that_comes_twice_are_stored(db: str) -> None:
    first, second = (datetime(2026, 10, 25, 2, 30, fold=fold, tzinfo=BERLIN) for fold in (0, 1))
    assert first == second  # of one zone
    assert await database.fetchval("select $1::timestamptz - $2::timestamptz", second, first) == timedelta(hours=1)


async def test_the_first_and_the_last_instant_are_no_infinities_but_stand_for_them(db: str) -> None:
    for infinity, end in (("-infinity", datetime.min.replace(tzinfo=UTC)), ("infinity", datetime.max.replace(tzinfo=UTC))):
        assert await database.fetchval("select $1::text::timestamptz", infinity) == end
        assert await database.fetchval("select isfinite($1::timestamptz)", end)
        assert await database.fetchval("select $1::timestamptz", end) == end


async def test_only_so_many_instants_are_remembered(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codecs, "_MOST_INSTANTS", 10)
    known = codecs._Micros()
    for second in range(100):
        assert known[INSTANTS[0] + timedelta(seconds=second)] == (
            (INSTANTS[0] - codecs._EPOCH) // timedelta(microseconds=1) + second * 1_000_000,
        )
        assert len(known) <= 10


async def test_no_instant_is_a_text(db: str) -> None:
    with pytest.raises(asyncpg.DataError):
        await database.fetchval("select $1::timestamptz", "2026-11-22")


async def test_what_is_an_array_stays_the_same_question(db: str) -> None:
    assert isinstance(vars(protocol)["IterableABC"], tuple)
    assert await database.fetchval("select $1::text[]", ["a", None, ""]) == ["a", None, ""]
    assert await database.fetchval("select $1::text[]", [["a"], ["b"]]) == [["a"], ["b"]]
    assert await database.fetchval("select $1::text[]", {"a": 1}.keys()) == ["a"]
    assert await database.fetchval("select $1::uuid[]", [UUID(int=1)]) == [UUID(int=1)]
    for wrong in ("abc", 5, [["a"], "b"], {"a": 1}):
        with pytest.raises(asyncpg.DataError):
            await database.fetchval("select $1::text[]", wrong)
