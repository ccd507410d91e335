"""Worker `ingest`: drains the inbox lane by lane, as long as it runs."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import structlog

from domain import db
from domain.bootstrap import Services
from domain.claims.taking import take
from domain.db import Tx
from domain.inbox.drain import Cursor, Drained, Handle, drain_one
from domain.inbox.gathering import Gathering
from domain.inbox.metrics import decision_seconds, decisions
from domain.inbox.taken import InboxRow, Verdict

log = structlog.get_logger(__name__)

CHANNEL = "inbox_new"
LANES_AT_ONCE = 4
"""Lanes that one worker decides side by side. A batch is by turns here and in the database: of two the cores stand idle for a quarter of the time."""
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
    """Drain until `stop` is set, up to LANES_AT_ONCE lanes at a time, with at most half of the pool: while the database works for some, others are read.

    One looks for all: who has found a lane lets the next one look. So many lanes cost no more looks than one.
    """
    lanes = min(LANES_AT_ONCE, max(services.settings.pool_size // 2, 1))
    look = _Look()
    listener = asyncio.create_task(_listen(look.woken, stop))
    try:
        await asyncio.gather(*(_drain(services, stop, look) for _ in range(lanes)))
    finally:
        listener.cancel()
        await asyncio.gather(listener, return_exceptions=True)


@dataclass(slots=True)
class _Look:
    """Where those who drain side by side stand. The place is held by who looks, or waits for something to look for."""

    place: asyncio.Lock = field(default_factory=asyncio.Lock)
    cursor: Cursor = field(default_factory=Cursor)
    gathering: Gathering = field(default_factory=Gathering)
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    """Something undecided was committed."""
    done: asyncio.Event = field(default_factory=asyncio.Event)
    """A batch came to its end, or failed and may be tried again: more may wait in its lane, and who had it waits for the place."""

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[Callable[[], None]]:
        """The place, until the block ends or what it is given is called."""
        await self.place.acquire()
        held = True

        def leave() -> None:
            nonlocal held
            if held:
                held = False
                self.place.release()

        try:
            yield leave
        finally:
            leave()


async def _drain(services: Services, stop: asyncio.Event, look: _Look) -> None:
    """Lane after lane, each once it is ripe. A failed batch is logged and taken up again, smaller; a database that is away is waited for."""
    handle, gathering, clock = handler(services), look.gathering, asyncio.get_running_loop().time
    pause = 0.0
    while not stop.is_set():
        async with look.taken() as leave:
            if stop.is_set():
                break
            began = clock()
            try:
                look.woken.clear()
                look.done.clear()
                drained = await drain_one(
                    look.cursor, handle, now=services.clock.now, ripe=lambda lane: gathering.ripe(lane, clock()), claimed=leave
                )
            except Exception as error:
                away = isinstance(error, db.AWAY)
                pause = min(max(pause * 2, 0.05), 1.0)
                log.warning("ingest.database_away" if away else "ingest.batch_again", error=type(error).__name__)
                await _pause(stop, pause)
                look.done.set()
                continue
            pause = 0.0
            if drained is not None:
                gathering.decided(drained.lane, len(drained.verdicts), full=drained.full, began=began, ended=clock())
                _count(drained)
                look.done.set()
            elif rest := gathering.rest(clock()):
                await _wait(min(rest, LOOK_SECONDS), stop, look.done)
            else:
                await _wait(IDLE_SECONDS, stop, look.done, look.woken)


def _count(drained: Drained) -> None:
    for outcome, n in Counter(v.outcome for v in drained.verdicts).items():
        decisions.labels(outcome=outcome).inc(n)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return


async def _wait(seconds: float, *events: asyncio.Event) -> None:
    """Until one of these is set, or so long."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    _, pending = await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()


async def _listen(woken: asyncio.Event, stop: asyncio.Event) -> None:
    """Keep a connection listening; while it is away the idle wait is the clock."""
    while not stop.is_set():
        connection = None
        try:
            connection = await db.dedicated(5.0)
            await connection.add_listener(CHANNEL, lambda *_: woken.set())
            woken.set()
            while not connection.is_closed():
                await asyncio.sleep(5)
                await connection.execute("select 1", timeout=5)
        except Exception as error:  # whatever it is, the next connection may hear again
            log.info("ingest.listener_away", error=type(error).__name__)
            await _pause(stop, 1.0)
        finally:
            if connection is not None:
                connection.terminate()
