"""One complete list decided by two workers at once is one list. The twin reads where the post stands without locking it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from domain import db as database
from domain.claims import snapshots
from domain.claims.rules import OnDelete
from domain.claims.taking import take
from domain.db import Tx, from_jsonb
from domain.inbox.drain import Cursor, drain_one
from domain.inbox.taken import InboxRow
from plusone.invariants import check
from tests.build import NOW
from tests.domain.claims.group import Group, a_group, minute
from workers.ingest import handler

WAITS = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"


class Slow:
    """A transaction that stops after it has read where the post stands, until it may go on."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self.read, self.go_on = asyncio.Event(), asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tx, name)

    async def fetchrow(self, sql: str, *args: Any) -> Any:
        row = await self._tx.fetchrow(sql, *args)
        if sql == snapshots.LOCK_PLACE:
            self.read.set()
            await self.go_on.wait()
        return row


async def a_list(number: int) -> tuple[Group, InboxRow]:
    """甲's comment is in the first list; the `number`-th one that does not show it waits to be decided."""
    group = await a_group(on_delete=OnDelete.RELEASE_IF_UNPAID)
    await group.tells("1", "甲", "+1", 0)
    await group.tells("2", "乙", "+1", 0)
    await group.looks("1 2", 1)
    for n in range(number):
        await group.drain()
        await group.looks("2", 2 + n)
    row = await database.fetchrow("select * from inbox_event where state = 'PENDING' and external_key like 'snapshot:%'")
    assert row is not None
    names = ("id", "endpoint_id", "source", "external_key", "payload", "occurred_at", "received_at")
    return group, InboxRow(**{name: from_jsonb(row[name]) if name == "payload" else row[name] for name in names})


async def decided_twice(group: Group, row: InboxRow) -> list[str]:
    """Two workers have the same list, as if one's hold of the lane had been lost; the first one reads, and only then the second begins."""
    slow: asyncio.Future[Slow] = asyncio.get_running_loop().create_future()

    async def decide(*, slowly: bool) -> str:
        async with database.transaction() as tx:
            if slowly:
                slow.set_result(Slow(tx))
            given: Any = slow.result() if slowly else tx
            (verdict,) = await take(given, [row], platforms=group.services.platforms, now=NOW, jobs=group.services.jobs)
        return verdict.outcome

    first = asyncio.create_task(decide(slowly=True))
    await (await slow).read.wait()
    second = asyncio.create_task(decide(slowly=False))
    async with asyncio.timeout(30):
        while not second.done() and await database.fetchval(WAITS) == 0:  # noqa: ASYNC110 - the wait is another connection's
            await asyncio.sleep(0.01)
    slow.result().go_on.set()
    return list(await asyncio.gather(first, second))


async def removals() -> int:
    found: int = await database.fetchval("select count(*) from comment_revision where kind = 'REMOVE'")
    return found


async def test_the_first_list_without_a_comment_is_one(db: str) -> None:
    group, row = await a_list(1)
    assert await decided_twice(group, row) == ["SNAPSHOT", "DUPLICATE"]
    assert (await group.missed(), await removals(), await group.level()) == (["1"], 0, (10, 2, 0))
    assert await check(NOW) == []


async def test_the_second_list_without_a_comment_removes_it_once(db: str) -> None:
    group, row = await a_list(2)
    assert await decided_twice(group, row) == ["SNAPSHOT", "DUPLICATE"]
    assert (await group.missed(), await removals(), await group.level()) == ([], 1, (10, 1, 0))
    assert await group.removed() == {"1": minute(3)}
    assert await check(NOW) == []


async def test_twin_without_the_lock_removes_by_one_list_alone(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "LOCK_PLACE", snapshots.LOCK_PLACE.replace(" for update", ""))
    group, row = await a_list(1)
    assert await decided_twice(group, row) == ["SNAPSHOT", "SNAPSHOT"]
    assert (await removals(), await group.level()) == (1, (10, 1, 0))


async def test_workers_side_by_side_decide_each_list_once(db: str) -> None:
    group = await a_group(on_delete=OnDelete.RELEASE_IF_UNPAID)
    for n in range(1, 6):
        await group.tells(str(n), f"買家{n}", "+1", 0)
    for at, comments in ((1, "1 2 3 4 5"), (2, "2 3 4 5"), (3, "3 4 5"), (4, "3 4 5"), (5, "3 4 5")):
        await group.looks(comments, at)
        work = handler(group.services)
        await asyncio.gather(*(drain_one(Cursor(), work, now=group.services.clock.now) for _ in range(3)))
    await group.drain()
    assert await group.outcomes() == ["SNAPSHOT"] * 5
    assert (await group.removed(), await removals(), await group.level()) == ({"1": minute(3), "2": minute(4)}, 2, (10, 3, 0))
    assert await check(NOW) == []
