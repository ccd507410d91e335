"""The process behind `load.generator()`: a window per line of JSON on standard input, its findings as a line on standard output."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import sys
import time
from array import array
from collections import Counter, deque
from collections.abc import Iterator
from functools import lru_cache
from itertools import chain, cycle, islice
from pathlib import Path
from typing import Any, Final, cast

import httptools

from benchmarks.load import read_deck

OPEN_SECONDS: Final = 10.0
LINGER_SECONDS: Final = 10.0
"""How long the last answers may take: a server that still works on them would do so in somebody else's window."""
STEP_SECONDS: Final = 0.002
"""Between looks at the schedule and for last answers; latencies count from the instant that was due all the same."""
HEAD_END: Final = b"\r\n\r\n"
LENGTH: Final = re.compile(rb"\r\ncontent-length: *([0-9]{1,9})\r\n", re.IGNORECASE)


@lru_cache(maxsize=8)
def deck_of(path: str) -> list[bytes]:
    """A deck, read once."""
    return read_deck(Path(path))


class Connection(asyncio.Protocol):
    """One kept connection with at most one request on its way."""

    def __init__(self, window: Windowed) -> None:
        self._window = window
        self._parser = httptools.HttpResponseParser(self)
        self._due = 0.0
        self._right = True
        self._in_parts = False
        self.busy = False
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop has one of its own

    def data_received(self, data: bytes) -> None:
        if self._in_parts or not self._is_whole(data):
            self._in_parts = True
            self._parser.feed_data(data)

    def _is_whole(self, data: bytes) -> bool:
        """Take an answer that came in one piece, as nearly all do, without a parser."""
        end = data.find(HEAD_END)
        length = LENGTH.search(data, 0, end + 2) if end > 0 else None
        if length is None or end + len(HEAD_END) + int(length[1]) != len(data) or data[:9] != b"HTTP/1.1 ":
            return False
        if b"\r\nconnection: close" in data[: end + 2].lower():
            return False
        status = int(data[9:12])
        right = 200 <= status < 300 and not (self._window.bad and data.find(self._window.bad, end) >= 0)
        self._window.answered_one(self, status, self._due, right=right, kept=True)
        return True

    def on_body(self, body: bytes) -> None:
        """A part of the answer."""
        if self._window.bad and self._window.bad in body:
            self._right = False

    def on_message_complete(self) -> None:
        """The answer is here."""
        self._in_parts = False
        status = self._parser.get_status_code()
        right = self._right and 200 <= status < 300
        self._window.answered_one(self, status, self._due, right=right, kept=self._parser.should_keep_alive())

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002
        self._window.gone(self)

    def send(self, request: bytes, due: float) -> None:
        """Send the next request, which was due at this instant."""
        assert self.transport is not None
        self._due, self._right, self.busy = due, True, True
        self.transport.write(request)


class Windowed:
    """One window: its connections and what they find."""

    def __init__(self, asked: dict[str, Any]) -> None:
        deck = deck_of(asked["deck"])
        start = asked["start_at"] % max(1, len(deck))
        self._requests: Iterator[bytes] = iter(deck) if asked["once"] else chain(islice(deck, start, None), cycle(deck))
        self._asked = asked
        self._open = bool(asked["rate"])
        self.bad: bytes = asked["bad"].encode("latin-1")
        self._loop = asyncio.get_running_loop()
        self._free: deque[Connection] = deque()
        self._waiting: deque[tuple[bytes, float]] = deque()
        self._connections: list[Connection] = []
        self._closing = False
        self._sending = True
        self._on_their_way = 0
        self._quiet = asyncio.Event()
        self._until = self._ended_at = 0.0
        self.answered = self.failed = 0
        self.statuses: Counter[str] = Counter()
        self.latencies: array[int] = array("I")

    async def run(self) -> dict[str, Any]:
        """Open the connections, send for as long as was asked, and tell."""
        for _ in range(self._asked["connections"]):
            opening = self._loop.create_connection(lambda: Connection(self), self._asked["host"], self._asked["port"])
            _, made = await asyncio.wait_for(opening, OPEN_SECONDS)
            self._connections.append(made)
        began = time.perf_counter()
        self._until = began + self._asked["seconds"]
        self._free.extend(self._connections)
        try:
            await (self._on_schedule(began) if self._open else self._as_fast_as_answered())
            await self._last_answers()
        finally:
            self._closing = True
            for connection in self._connections:
                if connection.transport is not None:
                    connection.transport.abort()
        lost = self._on_their_way + len(self._waiting)
        seconds = (self._ended_at if self._asked["once"] and self._ended_at else max(self._until, self._ended_at)) - began
        return {
            "seconds": seconds, "answered": self.answered + lost, "failed": self.failed + lost, "statuses": dict(self.statuses),
            "latencies": base64.b64encode(self.latencies.tobytes()).decode(),
        }  # fmt: skip

    async def _as_fast_as_answered(self) -> None:
        while self._free:
            self._next(self._free.popleft(), time.perf_counter())
        try:
            await asyncio.wait_for(self._quiet.wait(), max(0.0, self._until - time.perf_counter()))
        except TimeoutError:
            self._sending = False

    async def _on_schedule(self, began: float) -> None:
        rate, sent = self._asked["rate"], 0
        while (now := time.perf_counter()) < self._until:
            while began + sent / rate <= now:
                request = next(self._requests, None)
                if request is None:
                    return
                self._waiting.append((request, began + sent / rate))
                sent += 1
            self._dispatch()
            await asyncio.sleep(STEP_SECONDS)

    def _dispatch(self) -> None:
        while self._waiting and self._free:
            request, due = self._waiting.popleft()
            self._send(self._free.popleft(), request, due)

    async def _last_answers(self) -> None:
        self._sending = False
        self._dispatch()
        for _ in range(int(LINGER_SECONDS / STEP_SECONDS)):
            if not self._on_their_way and not self._waiting:
                return
            await asyncio.sleep(STEP_SECONDS)

    def _next(self, connection: Connection, now: float) -> None:
        request = next(self._requests, None) if self._sending else None
        if request is not None:
            self._send(connection, request, now)
        elif not self._on_their_way:
            self._quiet.set()

    def _send(self, connection: Connection, request: bytes, due: float) -> None:
        self._on_their_way += 1
        connection.send(request, due)

    def answered_one(self, connection: Connection, status: int, due: float, *, right: bool, kept: bool) -> None:
        """Count an answer and give the connection its next request, unless it is about to be closed."""
        now = time.perf_counter()
        self._on_their_way -= 1
        connection.busy = False
        self._ended_at = now
        self.answered += 1
        self.failed += not right
        self.statuses[str(status)] += 1
        self.latencies.append(min(2**32 - 1, int((now - due) * 1e6)))
        if not kept:
            self.gone(connection)
        elif self._open:
            self._free.append(connection)
            self._dispatch()
        else:
            self._next(connection, now)

    def gone(self, connection: Connection) -> None:
        """A connection was closed by the other side: its request, if any, has failed, and the window goes on with the rest."""
        if self._closing or connection not in self._connections:
            return
        self._connections.remove(connection)
        if connection in self._free:
            self._free.remove(connection)
        if connection.busy:
            self._on_their_way -= 1
            self.answered += 1
            self.failed += 1
            self.statuses["lost"] += 1
        if not self._connections:
            self._quiet.set()


async def main() -> None:
    """Answer until standard input ends."""
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        try:
            told = await Windowed(json.loads(line)).run()
        except (OSError, TimeoutError) as error:
            told = {"refused": f"{type(error).__name__} {error}"}
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    try:
        import uvloop

        uvloop.run(main())
    except ImportError:
        asyncio.run(main())
