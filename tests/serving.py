"""Real HTTP for tests: an app on a loopback port in this loop, and `plusone` processes with an embedded server of their own."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import httpx
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from plusone.processes import server_for
from tests import warm

ROOT = Path(__file__).parent.parent
SECRET_KEY = "a-secret-key-for-tests-0123456789abcdef"
START_SECONDS = 60.0


@asynccontextmanager
async def running(app: ASGIApp) -> AsyncIterator[str]:
    """The app behind uvicorn, as `plusone serve` runs it, with its lifespan; answers `http://127.0.0.1:<port>`."""
    listening = socket.create_server(("127.0.0.1", 0))
    server: uvicorn.Server = server_for(app)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        while not server.started:
            if serving.done():
                serving.result()
            await asyncio.sleep(0.005)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving
        listening.close()


class Passed:
    """What stands behind the short way: counts what comes through."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.calls = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.calls += scope["type"] == "http"
        await self.app(scope, receive, send)


async def raw(base: str, data: bytes, *, then: bytes = b"", pause: float = 0.0) -> bytes:
    """What a server answers to these very bytes until it closes or `Connection: close` is served; `then` follows after a pause."""
    return await asyncio.to_thread(_said_and_heard, base.removeprefix("http://").split(":"), data, then, pause)


def _said_and_heard(place: list[str], data: bytes, then: bytes, pause: float) -> bytes:
    """What came before a server cut the connection counts: a plain socket still has it, a stream of asyncio has thrown it away."""
    answer = b""
    with socket.create_connection((place[0], int(place[1])), timeout=START_SECONDS) as line:
        with suppress(ConnectionResetError, BrokenPipeError):
            line.sendall(data)
            if then:
                time.sleep(pause)
                line.sendall(then)
        with suppress(ConnectionResetError):
            while more := line.recv(65_536):
                answer += more
    return answer


def free_port() -> int:
    """A port that nobody listens on, below those that the system gives away itself: it stays free until the process that is to have it starts."""
    while True:
        port = random.SystemRandom().randrange(10_000, 32_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def environment(**settings: str) -> dict[str, str]:
    """The environment of a `plusone` process: none of ours but what Python needs, and these settings."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "HOME", "TMPDIR", "LANG") if name in os.environ}
    return {**kept, "PYTHONUNBUFFERED": "1", **settings}


def plusone(
    *arguments: str, cwd: Path, env: Mapping[str, str], timeout: float = 180, fresh: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; standard error is apart. `fresh`: from an interpreter's start on, not from a process that has loaded the house."""
    env = {**env, "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), env.get("PYTHONPATH", "")]))}
    if not fresh:
        return warm.run(arguments, cwd, env, timeout)
    command = [sys.executable, "-m", "plusone", *arguments]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=timeout, check=False)


@contextmanager
def process(*arguments: str, cwd: Path, env: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A `plusone` process whose words go to `<cwd>/<command>.log`; killed at the end if it still runs."""
    with (cwd / f"{arguments[0]}.log").open("ab") as log:
        running_process = subprocess.Popen(
            [sys.executable, "-m", "plusone", *arguments],
            cwd=cwd,
            env={**env, "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), env.get("PYTHONPATH", "")]))},
            stdout=log,
            stderr=log,
        )
        try:
            yield running_process
        finally:
            if running_process.poll() is None:
                running_process.kill()
            running_process.wait()


async def until_up(base: str, child: subprocess.Popen[bytes] | None = None, path: str = "/health/ready") -> None:
    """Wait until a process answers 200 there."""
    async with httpx.AsyncClient(base_url=base, trust_env=False) as client, asyncio.timeout(START_SECONDS):
        while True:
            if child is not None and child.poll() is not None:
                raise AssertionError(f"the process ended with {child.returncode}")
            try:
                if (await client.get(path)).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.05)


def family(postmaster: int) -> list[int]:
    """A PostgreSQL server's processes: the postmaster and its children."""
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    return [postmaster, *map(int, children)]


@contextmanager
def frozen(postmaster: int) -> Iterator[None]:
    """The whole server stands still, connections open, as on a disk that hangs."""
    stopped = family(postmaster)
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in reversed(stopped):
            os.kill(pid, signal.SIGCONT)
