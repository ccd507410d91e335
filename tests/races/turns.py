"""What races share: who waits for whom, acts that stop where they are told to, and statements without their guard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from types import ModuleType
from typing import Any, Final
from uuid import UUID

import pytest

from domain import db as database
from domain.claims import loading
from domain.db import Tx
from domain.inbox.drain import Cursor, drain_one
from domain.inbox.taken import InboxRow, Verdict
from domain.stock.rules import Level
from tests.domain.claims.acts import close
from tests.wall import Wall
from workers.ingest import handler

WAITS: Final = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
"""Backends of this database that wait for a lock."""


async def until_somebody_waits(task: asyncio.Task[Any]) -> None:
    """Until a statement waits for a lock, or the task ended without."""
    async with asyncio.timeout(30):
        while not task.done() and await database.fetchval(WAITS) == 0:  # noqa: ASYNC110 - the wait is another connection's
            await asyncio.sleep(0.01)


async def somebody_waits() -> None:
    """Until a statement waits for a lock."""
    async with asyncio.timeout(30):
        while not await database.fetchval(WAITS):  # noqa: ASYNC110 - the wait is another connection's
            await asyncio.sleep(0.01)


async def names(*tasks: Awaitable[object]) -> list[str]:
    """What each came to: its refusal's name, or `done`."""
    found = await asyncio.gather(*tasks, return_exceptions=True)
    return [type(each).__name__ if isinstance(each, BaseException) else "done" for each in found]


class Slowly:
    """A delivery that has decided and written everything, and commits when it is told to."""

    def __init__(self, wall: Wall) -> None:
        self.wall = wall
        self.written, self.commit = asyncio.Event(), asyncio.Event()

    async def take(self, tx: Tx, rows: Sequence[InboxRow]) -> Sequence[Verdict]:
        verdicts = await handler(self.wall.services)(tx, rows)
        self.written.set()
        await self.commit.wait()
        return verdicts

    async def run(self) -> None:
        await drain_one(Cursor(), self.take, now=self.wall.services.clock.now)


class HeldUp:
    """A step of a command, by the function's name in its module, that begins when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str) -> None:
        self.reached, self.go_on, self._step = asyncio.Event(), asyncio.Event(), getattr(module, name)
        monkeypatch.setattr(module, name, self._wait)

    async def _wait(self, *args: Any, **named: Any) -> Any:
        self.reached.set()
        await self.go_on.wait()
        return await self._step(*args, **named)


async def closed_meanwhile(wall: Wall, act: Coroutine[Any, Any, Any], write: HeldUp, ordered: Callable[[], Awaitable[int]]) -> int:
    """The post is closed while an act has looked at it and not yet written; answers what was ordered by then."""
    task = asyncio.create_task(act)
    await write.reached.wait()
    closing = asyncio.create_task(close(wall.post_id))
    await until_somebody_waits(closing)
    if not closing.done():
        write.go_on.set()
    await closing
    found = await ordered()
    write.go_on.set()
    await task
    return found


async def levels_unlocked(tx: Tx, variant_ids: list[UUID]) -> dict[UUID, Level]:
    """As `lock_levels`, without the lock."""
    rows = await tx.fetch(
        "select variant_id, on_hand, held, committed, backorder_limit from stock_level where variant_id = any($1)", variant_ids
    )
    return {row[0]: Level(*row[1:]) for row in rows}


@asynccontextmanager
async def overselling(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[asyncio.Barrier]:
    """No lock on the levels, no CHECK; a barrier lets all eight read before one writes, as an unlucky moment would."""
    barrier, unlocked = asyncio.Barrier(8), loading._levels

    async def levels(*args: object) -> None:
        await unlocked(*args)  # type: ignore[arg-type]
        await barrier.wait()

    monkeypatch.setattr(loading, "LOCK_LEVELS", loading.LOCK_LEVELS.replace("for no key update", ""))
    monkeypatch.setattr(loading, "_levels", levels)
    await database.execute("alter table stock_level drop constraint stock_level_never_oversold")
    yield barrier
    await database.execute("delete from stock_level where held + committed > on_hand + backorder_limit")
    await database.execute(
        "alter table stock_level add constraint stock_level_never_oversold check (held + committed <= on_hand + backorder_limit)"
    )
