"""What the tests of the job queue share."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

from domain import db as database
from domain.jobs import Payload
from domain.providers.pgqueuer_jobs import Limits, PgQueuerJobs, PgQueuerRunner

LIMITS = Limits(places=4, batch=10, tries=3, first_delay_seconds=0.02, crashes=2, lease_seconds=3.0, poll_seconds=0.2, stop_seconds=10.0)


async def until(what: Callable[[], Awaitable[Any]], seconds: float = 60.0) -> Any:
    """The first truthy answer."""
    async with asyncio.timeout(seconds):
        while not (answer := await what()):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        return answer


async def enqueue(name: str, payloads: Sequence[Payload], run_at: datetime | None = None) -> None:
    async with database.transaction() as tx:
        await PgQueuerJobs().enqueue(tx, name, payloads, run_at=run_at)


async def queued() -> int:
    return await database.fetchval("select count(*) from pgqueuer")


@contextlib.asynccontextmanager
async def running(*runners: PgQueuerRunner) -> AsyncIterator[asyncio.Event]:
    stop = asyncio.Event()
    tasks = [asyncio.create_task(runner.run(stop)) for runner in runners]
    try:
        yield stop
    finally:
        stop.set()
        async with asyncio.timeout(30):
            await asyncio.gather(*tasks)


async def at_least(items: Sequence[object], count: int) -> bool:
    return len(items) >= count
