"""A load generator that is not the bottleneck: a process of its own, plain HTTP/1.1 over kept connections, requests rendered beforehand.

    async with load.generator() as generator:
        deck = load.Deck.of(base / "home.bin", [load.get("/home", headers), …])
        window = await generator.window(child, deck, connections=32, seconds=2.0)
        window.per_second, window.percentile_ms(0.99), window.failed

Closed (the default): each connection sends its next request as soon as the last was answered. With `rate` open: requests go out on a fixed
schedule, over as many connections as are given, and a latency counts from the instant at which the request was due, so that a slow server
cannot slow its own measurement down. With `once` every request of the deck is sent exactly once, in order of the deck, and then the window ends.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import sys
from array import array
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from benchmarks.frame import BenchRefused
from benchmarks.house import ROOT

LINE: Final = 64 * 2**20
"""Longest answer of the generator: some millions of latencies."""


class Address(Protocol):
    """Whatever listens."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...


def get(path: str, headers: Mapping[str, str] | None = None) -> bytes:
    """A GET as it goes over the wire."""
    return _rendered("GET", path, b"", headers or {})


def post(path: str, body: bytes, headers: Mapping[str, str] | None = None) -> bytes:
    """A POST of JSON as it goes over the wire."""
    return _rendered("POST", path, body, {"content-type": "application/json", "content-length": str(len(body)), **(headers or {})})


def _rendered(method: str, path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "host: 127.0.0.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


@dataclass(frozen=True, slots=True)
class Deck:
    """Requests in a file that the generator reads: each is its length in four bytes, and itself."""

    path: Path
    size: int

    @classmethod
    def of(cls, path: Path, requests: Sequence[bytes]) -> Deck:
        """Write the file."""
        with path.open("wb") as file:
            for request in requests:
                file.write(len(request).to_bytes(4, "big") + request)
        return cls(path, len(requests))


def read_deck(path: Path) -> list[bytes]:
    """The requests of a deck."""
    data, found, place = path.read_bytes(), [], 0
    while place < len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        found.append(data[place + 4 : place + 4 + length])
        place += 4 + length
    return found


@dataclass(slots=True)
class Window:
    """What came of a window, which lasts until its last answer. `failed` are answers that were not 2xx, held `bad`, or never came."""

    seconds: float = 0.0
    answered: int = 0
    failed: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    latencies_us: array[int] = field(default_factory=lambda: array("I"))

    @property
    def per_second(self) -> float:
        """Answers that were right, per second."""
        return (self.answered - self.failed) / self.seconds if self.seconds else 0.0

    def percentile_ms(self, part: float) -> float:
        """The latency that so large a part of the answers stayed within."""
        if not self.latencies_us:
            return float("nan")
        ordered = sorted(self.latencies_us)
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))] / 1000

    def add(self, other: Window) -> None:
        """Put another window's findings to these."""
        self.seconds += other.seconds
        self.answered += other.answered
        self.failed += other.failed
        self.statuses.update(other.statuses)
        self.latencies_us.extend(other.latencies_us)


class Generator:
    """The other end of a generator process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """To pin it to a core."""
        return self._process.pid

    async def window(
        self,
        to: Address,
        deck: Deck,
        *,
        connections: int,
        seconds: float,
        rate: float | None = None,
        once: bool = False,
        bad: bytes = b"",
        start_at: int = 0,
    ) -> Window:
        """Send requests for so long. `bad`: bytes that no right answer holds. `start_at`: place in the deck of the first request.

        Raises:
            BenchRefused: the generator ended, or nobody listens there.
        """
        asked = {
            "host": to.host, "port": to.port, "deck": str(deck.path), "connections": connections, "seconds": seconds, "rate": rate, "once": once,
            "bad": bad.decode("latin-1"), "start_at": start_at,
        }  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked).encode() + b"\n")
        await self._process.stdin.drain()
        line = await self._process.stdout.readline()
        if not line:
            raise BenchRefused("the load generator has ended")
        told: dict[str, Any] = json.loads(line)
        if "refused" in told:
            raise BenchRefused(f"the load generator: {told['refused']}")
        latencies: array[int] = array("I")
        latencies.frombytes(base64.b64decode(told["latencies"]))
        return Window(told["seconds"], told["answered"], told["failed"], Counter(told["statuses"]), latencies)


@asynccontextmanager
async def generator() -> AsyncIterator[Generator]:
    """A generator process, ended with the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.load_process", cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=LINE
    )
    try:
        yield Generator(process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
