"""Worker `ingest`: drains the inbox lane by lane, as long as it runs."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

import structlog

from domain import db
from domain.bootstrap import Services
from domain.claims.taking import take
from domain.db import Tx
from domain.inbox.drain import Cursor, Drained, Handle, InboxRow, Verdict, drain_one
from domain.inbox.gathering import Gathering
from domain.inbox.metrics import decision_seconds, decisions

log = structlog.get_logger(__name__)

CHANNEL = "inbox_new"
LANES_AT_ONCE = 2
"""Lanes that one worker decides side by side; more of them wait for the same core."""
LOOK_SECONDS = 0.05
"""Longest wait for a lane that is known; others may have begun meanwhile."""
IDLE_SECONDS = 0.5
"""Longest wait for a notification; a lost one delays by no more than this."""


def handler(services: Services) -> Handle:
    """The drain's handler for these services."""

    async def handle(tx: Tx, rows: Sequence[InboxRow]) -> Sequence[Verdict]:
        verdicts = await take(tx, rows, platforms=services.platforms, now=services.clock.now(), jobs=services.jobs)
        decision_seconds.observe((services.clock.now() - min(row.received_at for row in rows)).total_seconds())
        return verdicts

    return handle


async def drain_all(services: Services) -> int:
    """Decide whatever is undecided now; answers how many events that was."""
    cursor, handle, total = Cursor(), handler(services), 0
    while (drained := await drain_one(cursor, handle, now=services.clock.now)) is not None:
        _count(drained)
        total += len(drained.verdicts)
    return total


async def run(services: Services, stop: asyncio.Event) -> None:
    """Drain until `stop` is set, LANES_AT_ONCE lanes at a time: while the database works for one, the other is read and decided."""
    wakes, gathering = [asyncio.Event() for _ in range(LANES_AT_ONCE)], Gathering()
    listener = asyncio.create_task(_listen(wakes, stop))
    try:
        await asyncio.gather(*(_drain(services, stop, woken, gathering) for woken in wakes))
    finally:
        listener.cancel()
        await asyncio.gather(listener, return_exceptions=True)


async def _drain(services: Services, stop: asyncio.Event, woken: asyncio.Event, gathering: Gathering) -> None:
    """Lane after lane, each once it is ripe. A failed batch is logged and taken up again, smaller; a database that is away is waited for."""
    cursor, handle, clock = Cursor(), handler(services), asyncio.get_running_loop().time
    pause = 0.0
    while not stop.is_set():
        began = clock()
        try:
            woken.clear()
            drained = await drain_one(cursor, handle, now=services.clock.now, ripe=lambda lane: gathering.ripe(lane, clock()))
        except Exception as error:
            away = isinstance(error, db.AWAY)
            pause = min(max(pause * 2, 0.05), 1.0)
            log.warning("ingest.database_away" if away else "ingest.batch_again", error=type(error).__name__)
            await _pause(stop, pause)
            continue
        pause = 0.0
        if drained is not None:
            gathering.decided(drained.lane, len(drained.verdicts), full=drained.full, began=began)
            _count(drained)
        elif rest := gathering.rest(clock()):
            await _pause(stop, min(rest, LOOK_SECONDS))
        else:
            await _wait(woken, stop)


def _count(drained: Drained) -> None:
    for outcome, n in Counter(v.outcome for v in drained.verdicts).items():
        decisions.labels(outcome=outcome).inc(n)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return


async def _wait(woken: asyncio.Event, stop: asyncio.Event) -> None:
    waits = [asyncio.create_task(woken.wait()), asyncio.create_task(stop.wait())]
    _, pending = await asyncio.wait(waits, timeout=IDLE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()


def _wake(wakes: Sequence[asyncio.Event]) -> None:
    for woken in wakes:
        woken.set()


async def _listen(wakes: Sequence[asyncio.Event], stop: asyncio.Event) -> None:
    """Keep a connection listening; while it is away the idle wait is the clock."""
    while not stop.is_set():
        connection = None
        try:
            connection = await db.dedicated(5.0)
            await connection.add_listener(CHANNEL, lambda *_: _wake(wakes))
            _wake(wakes)
            while not connection.is_closed():
                await asyncio.sleep(5)
                await connection.execute("select 1", timeout=5)
        except Exception as error:  # whatever it is, the next connection may hear again
            log.info("ingest.listener_away", error=type(error).__name__)
            await _pause(stop, 1.0)
        finally:
            if connection is not None:
                connection.terminate()
