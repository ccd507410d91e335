"""The process's one ear: a connection that listens, and who is woken when a topic is rung.

A bell says that something changed and never what: the woken one reads the tables. So a bell rung twice does no harm, and after a lost
connection everybody is woken once, which fills the gap. Nothing is queued for anybody: a slow watcher is woken once, however often it was rung.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextvars import Context
from functools import partial
from typing import Any, Final, TypeVar

import asyncpg
from prometheus_client import Counter, Gauge

from domain import db
from domain.live.rules import CHANNEL, topics_of

log = logging.getLogger(__name__)

T = TypeVar("T")

BEAT_SECONDS: Final = 10.0
"""How often the connection is tried: one that is half open rings no bell."""
BEAT_TIMEOUT: Final = 5.0
SHORTEST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 5.0
READS_AT_ONCE: Final = 4
"""Database questions of all streams of this process; the others are for requests."""

AGAIN: Final[tuple[type[BaseException], ...]] = (*db.AWAY, *db.CONTENTION, asyncpg.QueryCanceledError)
"""Errors after which a question is asked again."""

RUNG: Final = Counter("plusone_live_bells_total", "Bells heard by this process.")
LOST: Final = Counter("plusone_live_connections_lost_total", "Listening connections that were lost and made anew.")
WATCHED: Final = Gauge("plusone_live_topics", "Topics that somebody watches in this process.")


class Watch:
    """Somebody's topics. `wake` is called when one is rung, from the listening task: it must return at once."""

    def __init__(self, hub: Hub, wake: Callable[[], None]) -> None:
        self._hub = hub
        self._topics: frozenset[str] = frozenset()
        self.wake = wake

    def set(self, *topics: str) -> bool:
        """Watch these topics and no others; answers whether some of them are new."""
        now = frozenset(topics)
        gone, new = self._topics - now, now - self._topics
        for each in gone:
            self._hub.leave(each, self)
        for each in new:
            self._hub.join(each, self)
        self._topics = now
        return bool(new)


class Hub:
    """Listens from the first watch on; `connect` gives a connection of its own."""

    def __init__(self, connect: Callable[[], Awaitable[asyncpg.Connection[Any]]] | None = None) -> None:
        self._connect = connect or partial(db.dedicated, BEAT_TIMEOUT)  # LISTEN, too, may wait for a server that is gone
        self._watches: dict[str, set[Watch]] = {}
        self._all: set[Watch] = set()
        self._task: asyncio.Task[None] | None = None
        self._reads = asyncio.Semaphore(READS_AT_ONCE)

    @contextlib.contextmanager
    def watching(self, wake: Callable[[], None], *topics: str) -> Iterator[Watch]:
        """A watch for as long as the block runs. What is read after this line and what is rung together miss nothing."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="live", context=Context())  # it is nobody's request
        watch = Watch(self, wake)
        self._all.add(watch)
        watch.set(*topics)
        try:
            yield watch
        finally:
            watch.set()
            self._all.discard(watch)

    def join(self, topic: str, watch: Watch) -> None:
        """Ring this watch for a topic."""
        self._watches.setdefault(topic, set()).add(watch)
        WATCHED.set(len(self._watches))

    def leave(self, topic: str, watch: Watch) -> None:
        """No longer."""
        watches = self._watches.get(topic, set())
        watches.discard(watch)
        if not watches:
            self._watches.pop(topic, None)
        WATCHED.set(len(self._watches))

    async def ask(self, question: Callable[[], Awaitable[T]]) -> T:
        """The answer to a question to the database, asked again while it is away; few are asked at once."""
        pause = SHORTEST_PAUSE
        while True:
            try:
                async with self._reads:
                    return await question()
            except AGAIN:
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)

    async def stop(self) -> None:
        """Listen no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _run(self) -> None:
        pause = SHORTEST_PAUSE
        while True:
            try:
                connection = await self._connect()
            except Exception as error:
                log.warning("live: no connection to listen on: %s", type(error).__name__)
            else:
                pause = SHORTEST_PAUSE
                await self._listen(connection)
                LOST.inc()
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _listen(self, connection: asyncpg.Connection[Any]) -> None:
        """Until the connection is lost."""
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        try:
            await connection.add_listener(CHANNEL, self._heard)
            for watch in list(self._all):  # what was rung before is not known
                watch.wake()
            while not lost.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(BEAT_SECONDS):
                        await lost.wait()
                if not lost.is_set():
                    await connection.execute("select 1", timeout=BEAT_TIMEOUT)
        except Exception as error:
            log.warning("live: the listening connection was lost: %s", type(error).__name__)
        finally:
            connection.terminate()

    def _heard(self, _connection: object, _pid: object, _channel: object, payload: object) -> None:
        RUNG.inc()
        woken: set[Watch] = set()
        for topic in topics_of(str(payload)):
            woken |= self._watches.get(topic, set())
        for watch in woken:
            watch.wake()


class Together:
    """One question for all who ask the same at about the same time: who asks while it has not begun gets its answer."""

    def __init__(self, hub: Hub, gather_seconds: float = 0.05) -> None:
        self._hub = hub
        self._gather = gather_seconds
        self._next: dict[Any, asyncio.Task[Any]] = {}
        self._asking: dict[asyncio.Task[Any], int] = {}

    async def ask(self, key: object, question: Callable[[], Awaitable[T]]) -> T:
        """The answer as of now or later; a topic that is rung all the time is read some times a second, whoever watches."""
        task: asyncio.Task[T] | None = self._next.get(key)
        if task is None:
            task = self._next[key] = asyncio.create_task(self._run(key, question), context=Context())
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._asking[task] = self._asking.get(task, 0) + 1
        try:
            return await asyncio.shield(task)
        finally:
            self._leave(key, task)

    def _leave(self, key: object, task: asyncio.Task[Any]) -> None:
        """One less waits for this answer. Nobody's is asked for no more: while the database is away that would go on without end."""
        self._asking[task] -= 1
        if not self._asking[task]:
            del self._asking[task]
            if not task.done():
                if self._next.get(key) is task:
                    del self._next[key]
                task.cancel()

    async def _run(self, key: object, question: Callable[[], Awaitable[T]]) -> T:
        await asyncio.sleep(self._gather)
        del self._next[key]  # from here on it is being asked: what is rung later asks anew
        return await self._hub.ask(question)
