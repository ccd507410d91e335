"""The connections of this process: how many each person has, and whether they may still listen."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import Context
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

from prometheus_client import Counter as Count
from prometheus_client import Gauge

from api.live import Hub
from api.sockets.closing import Closed, Closing
from api.sockets.limits import SocketLimits
from domain.clock import Clock
from domain.live.queries import standing
from domain.live.rules import Bell, topic

log = logging.getLogger(__name__)

OPEN: Final = Gauge("plusone_live_connections", "Open web sockets.")
CUT: Final = Count("plusone_live_cut_total", "Web sockets that we ended, by the code.", ["code"])


class Listener(Protocol):
    """A connection as the registry knows it: whose it is (None for nobody's), and until when its token holds."""

    member_id: UUID | None
    session_id: UUID | None
    ver: int
    until: datetime | None

    def end(self, code: Closing, reason: str = "") -> None:
        """End it, soon."""


class Registry:
    """All connections that have said who they are."""

    def __init__(self, hub: Hub, clock: Clock, limits: SocketLimits) -> None:
        self._hub, self._clock, self._limits = hub, clock, limits
        self._open: set[Listener] = set()
        self._of: Counter[object] = Counter()
        self._rung = asyncio.Event()
        self._due: set[Listener] = set()
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def holding(self, listener: Listener, address: str) -> Iterator[None]:
        """A place for this connection.

        Raises:
            Closed: this person, this address or this process has as many as it may.
        """
        key: object = listener.member_id or address
        most = self._limits.per_member if listener.member_id else self._limits.per_address
        if self._of[key] >= most or len(self._open) >= self._limits.connections:
            raise Closed(Closing.TOO_MANY_CONNECTIONS)
        self._of[key] += 1
        self._open.add(listener)
        OPEN.inc()
        self._start()
        topics = [topic(Bell.ACCESS, listener.member_id)] if listener.member_id else []
        try:
            with self._hub.watching(lambda: self._look_at(listener), *topics):
                self._look_at(listener)  # its token was proven by what this process may have known for half a minute
                yield
        finally:
            OPEN.dec()
            self._open.discard(listener)
            self._due.discard(listener)
            self._of[key] -= 1
            if not self._of[key]:
                del self._of[key]

    async def stop(self) -> None:
        """End them all, for this process ends."""
        for listener in list(self._open):
            listener.end(Closing.RESTART)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def _start(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._sweep(), name="live-access", context=Context())

    def _look_at(self, listener: Listener) -> None:
        self._due.add(listener)
        self._rung.set()

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        all_at = loop.time() + self._limits.sweep
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(all_at):
                    await self._rung.wait()
            those = set(self._due)
            if loop.time() >= all_at:  # also while there is ringing all the time: no bell tells that a token ran out
                those, all_at = set(self._open), loop.time() + self._limits.sweep
            self._rung.clear()
            self._due.clear()
            try:
                await self._check({listener for listener in those if listener.session_id is not None})
            except Exception as error:
                log.error("live: access could not be checked: %s", type(error).__name__)

    async def _check(self, those: set[Listener]) -> None:
        """End the connections whose session is over, whose member's `ver` rose, or whose token ran out."""
        now = self._clock.now()
        expired = {listener for listener in those if listener.until is not None and listener.until <= now}
        for listener in expired:  # of them nobody need be asked: a database that is away keeps nobody in
            listener.end(Closing.FORBIDDEN, "expired")
        asked = {listener: (listener.session_id, listener.ver) for listener in those - expired if listener.session_id is not None}
        if not asked:
            return
        sessions = {session for session, _ in asked.values()}
        runs = await self._hub.ask(lambda: standing(sessions, now=now))
        for listener, (session, ver) in asked.items():
            if (listener.session_id, listener.ver) != (session, ver):  # a newer token came while we asked: of it nothing is known yet
                if listener in self._open:
                    self._look_at(listener)
            elif runs.get(session) != ver:
                listener.end(Closing.FORBIDDEN, "revoked")
