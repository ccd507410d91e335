"""The lane drain: order within an instant, errors that are nobody's fault, and handlers that forget an event."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import permutations

import asyncpg
import pytest

from domain import db as database
from domain.db import Tx
from domain.inbox.drain import Cursor, drain_one
from domain.inbox.taken import InboxRow, Verdict
from plusone.invariants import check
from tests.build import NOW
from tests.conftest import empty
from tests.domain.claims.acts import fill
from tests.wall import a_wall


async def test_within_one_instant_the_comment_s_id_decides_and_not_the_arrival(db: str) -> None:
    for arrival in permutations(["1_9", "1_10", "1_11"]):
        await empty(db)
        wall = await a_wall(on_hand=1)
        for comment in arrival:
            await wall.says(f"buyer of {comment}", "+1", comment=comment, at=NOW)
        await wall.drain()
        assert await wall.outcome("1_9") == ("ORDERED", "")
        assert await fill(wall, more=1) == 1
        assert await wall.pieces("buyer of 1_10") == {"": 1}
    assert await check(NOW + timedelta(seconds=59)) == []


@pytest.mark.parametrize(
    "error", [asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError, asyncpg.DiskFullError, asyncpg.ReadOnlySQLTransactionError]
)
async def test_a_database_in_trouble_parks_nothing(db: str, error: type[Exception]) -> None:
    wall = await a_wall()
    await wall.says("甲", "+1")

    async def troubled(tx: Tx, rows: Sequence[InboxRow]) -> Sequence[Verdict]:
        raise error("trouble")

    for _ in range(12):
        with pytest.raises(error):
            await drain_one(Cursor(), troubled, now=lambda: NOW)
    await wall.drain()
    assert await wall.pieces("甲") == {"": 1}


async def test_an_event_that_the_handler_forgets_is_parked_and_stops_nothing(db: str) -> None:
    wall = await a_wall()
    for i in range(3):
        await wall.says(f"b{i}", str(i))

    async def forgetful(tx: Tx, rows: Sequence[InboxRow]) -> Sequence[Verdict]:
        return [Verdict(row.id, "SEEN") for row in rows if row.payload["value"]["message"] != "1"]

    cursor = Cursor()
    for _ in range(40):
        try:
            if await drain_one(cursor, forgetful, now=lambda: NOW) is None:
                break
        except AssertionError:
            continue
    rows = await database.fetch("select state, count(*)::int as n from inbox_event group by 1 order by 1")
    assert [tuple(row.values()) for row in rows] == [("DECIDED", 2), ("PARKED", 1)]
