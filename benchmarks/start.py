"""How long `plusone serve` takes from its start to its first answer, with a database that is there, and what it spends that on.

The first screen is asked right after it: what a start puts off until somebody asks has to show somewhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from benchmarks import house, reads
from benchmarks.frame import Bench, BenchRefused, Run
from benchmarks.screens import HOME
from benchmarks.seed_world import Plan

POLL_SECONDS: Final = 0.005
BAR_SECONDS: Final = 2.0
ASK: Final = b"GET /health/ready HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n"
PARTS: Final = """
import json, sys, time
before = time.perf_counter()
import plusone.__main__, plusone.runtime, plusone.processes
program = time.perf_counter()
import api.app
api_ = time.perf_counter()
print(json.dumps([program - before, api_ - program]))
"""


@dataclass(frozen=True, slots=True)
class Start:
    """One start: seconds from exec to the first 200, the processor's among them, and what the first screens took where one was asked for."""

    seconds: float
    cpu: float
    screens_ms: tuple[float, ...] = ()


async def measure(run: Run, *, starts: int) -> None:
    """Start it so many times on a given server, and as often on the embedded one, which a start has to start as well."""
    async with house.database(run, connect=2) as database:
        await reads.seeded(run, database, Plan(200, 10, 3, datetime.now(UTC).replace(microsecond=0)))
        with house.folder() as base, run.step("starting on a server that runs", starts) as moved:
            given = [await _start(base, database.dsn, moved, (await reads.signed_in(1))[0].token) for _ in range(starts)]
            settings = house.environment(database.dsn, 0)
            imports = [_imports(base, settings) for _ in range(starts)]
    with house.folder() as base, run.step("starting with the embedded server", starts + 1) as moved:
        await _start(base, "", moved)  # makes the cluster, migrates
        embedded = [await _start(base, "", moved) for _ in range(starts)]
    run.figure("first answer, server running", statistics.median(one.seconds for one in given), "s", at_most=BAR_SECONDS)
    run.figure("first answer, embedded server stopped before", statistics.median(one.seconds for one in embedded), "s", at_most=BAR_SECONDS)
    run.figure("of it: Python itself", statistics.median(_bare() for _ in range(starts)), "s")
    run.figure("of it: loading the command line, the ORM and settings", statistics.median(one[0] for one in imports), "s")
    run.figure("of it: loading the API (GraphQL schema included)", statistics.median(one[1] for one in imports), "s")
    run.figure("processor time until then, server running", statistics.median(one.cpu for one in given), "s")
    run.figure("home screen asked first", statistics.median(one.screens_ms[0] for one in given), "ms")
    run.figure("the same asked again", statistics.median(one.screens_ms[1] for one in given), "ms")
    run.note("From the start of the process until /health/ready answers 200: database reached and migrations checked. Medians.")


async def _start(base: Path, dsn: str, moved: object, token: str = "") -> Start:
    """Start and end it; an empty `dsn` means the embedded server, in `base`. `token`: of a member who then asks for the home screen, twice."""
    port = house.free_port()
    settings = house.environment(dsn, port, PLUSONE_DATA_DIR=str(base / "data"))
    if not dsn:
        settings.pop("DATABASE_URL")
    began = time.perf_counter()
    with _process(base, settings) as process:
        while True:
            if process.poll() is not None or time.perf_counter() - began > house.START_SECONDS:
                raise BenchRefused(f"serve does not start: {(base / 'serve.log').read_text(errors='replace')[-2000:]}")
            if await asyncio.to_thread(_is_up, port):
                break
            await asyncio.sleep(POLL_SECONDS)
        seconds, cpu = time.perf_counter() - began, house.cpu_seconds(process.pid)
        screens = tuple([await asyncio.to_thread(_screen, port, token) for _ in range(2)]) if token else ()
    assert callable(moved)
    moved(1)
    return Start(seconds, cpu, screens)


def _screen(port: int, token: str) -> float:
    """Milliseconds of one home screen on a connection of its own."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=house.START_SECONDS)
    asked = time.perf_counter()
    client.request(
        "POST", "/graphql", json.dumps({"query": HOME}), {"authorization": f"Bearer {token}", "content-type": "application/json"}
    )
    answer = client.getresponse().read()
    taken = time.perf_counter() - asked
    client.close()
    if b'"errors"' in answer or b'"orders"' not in answer:
        raise BenchRefused(f"the home screen is answered with {answer[:500]!r}")
    return taken * 1000


@contextmanager
def _process(base: Path, settings: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    with (base / "serve.log").open("ab") as log:
        process = subprocess.Popen([sys.executable, "-m", "plusone", "serve"], cwd=base, env=settings, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(house.END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _is_up(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as client:
        client.sendall(ASK)
        return client.recv(64).startswith(b"HTTP/1.1 200")
    return False


def _imports(base: Path, settings: dict[str, str]) -> tuple[float, float]:
    done = subprocess.run([sys.executable, "-c", PARTS], cwd=base, env=settings, capture_output=True, check=True)
    program, api = json.loads(done.stdout)
    return program, api


def _bare() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", ""], check=True, env={"PATH": os.environ.get("PATH", "")})
    return time.perf_counter() - began


BENCH = Bench(
    "start", "seconds from starting serve to its first answer", measure, full={"starts": 7}, quick={"starts": 1}, smallest={"starts": 1}
)
