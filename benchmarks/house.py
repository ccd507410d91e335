"""What benches run on: a database that is thrown away, processes of the program on loopback, and the figures that the kernel keeps of them.

Everything that is started here ends with its block, whatever happens in it, and nothing else is touched.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import uuid4

import asyncpg
import httpx

from benchmarks.frame import BenchRefused, Run
from domain import db
from domain.bootstrap import MODEL_MODULES
from domain.db.embedded import EmbeddedPostgres, EmbeddedPostgresError
from domain.members import keys, standing
from domain.shops import queries as shop_queries
from plusone import runtime

ROOT: Final = Path(__file__).parents[1]
SECRET_KEY: Final = "benchmarks keep no secrets worth having, 48 chars"
START_SECONDS: Final = 60.0
END_SECONDS: Final = 30.0
SETTINGS: Final[Mapping[str, str]] = {
    "max_connections": "200", "shared_buffers": f"{max(os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') // 6 // 2**20, 256)}MB",
    "max_wal_size": "16GB", "checkpoint_timeout": "15min",
}  # fmt: skip
"""What an operator would set: a sixth of the machine's memory, and checkpoints that do not come in the middle of a live (docs/operate/database.md)."""
LAZY: Final[Mapping[str, str]] = {
    "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "wal_level": "minimal", "max_wal_senders": "0",
}  # fmt: skip
"""A server that never waits for the disk."""
TICK: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Database:
    """A migrated database of this run, and its server's main process where that is ours."""

    dsn: str
    postmaster: int | None = None


@contextmanager
def folder() -> Iterator[Path]:
    """A folder in the temporary one, gone afterwards."""
    made = Path(tempfile.gettempdir()) / f"plusone-bench-{uuid4().hex[:12]}"
    try:
        made.mkdir(mode=0o755)
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


@asynccontextmanager
async def database(run: Run, *, durable: bool = True, connect: int = 0) -> AsyncIterator[Database]:
    """A migrated, empty database: on the server that was given, or on an embedded one of its own.

    `durable` False: the embedded server never waits for the disk (for benches that only read what they have seeded).
    `connect`: set this process's pool up with so many connections; the pool is closed with the block.
    """
    with server(run, durable=durable) as found:
        async with fresh(run, found) as made:
            if connect:
                await connected(made, connect)
            try:
                yield made
            finally:
                await db.close()


async def connected(to: Database, size: int) -> None:
    """Set this process's pool up; `db.close()` closes it. What was kept of another database is forgotten."""
    for room in (keys, standing, shop_queries):
        room.forget()
    await db.connect(to.dsn, MODEL_MODULES, size=size, application_name="plusone-bench")


@asynccontextmanager
async def fresh(run: Run, on: Database) -> AsyncIterator[Database]:
    """One more migrated, empty database on a server; dropped with the block."""
    name = f"plusone_bench_{uuid4().hex[:8]}"
    admin = await _admin(on.dsn)
    try:
        run.postgresql = str(await admin.fetchval("show server_version")).split()[0]
        await admin.execute(f'create database "{name}"')
        try:
            made = Database(on_database(on.dsn, name), on.postmaster)
            await runtime.migrate(made.dsn)
            yield made
        finally:
            await admin.execute(f'drop database "{name}" with (force)')
    finally:
        await admin.close()


async def _admin(dsn: str) -> asyncpg.Connection[asyncpg.Record]:
    try:
        found: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(**db.credentials(dsn), timeout=10)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise BenchRefused(f"The database does not let us in ({type(error).__name__}): check --dsn.") from None
    return found


@contextmanager
def server(run: Run, *, durable: bool = True) -> Iterator[Database]:
    """The server that was given, or an embedded one that ends with the block."""
    if run.given_dsn:
        yield Database(run.given_dsn)
        return
    with folder() as base, contextlib.ExitStack() as stack:
        embedded = EmbeddedPostgres(base / "postgres", settings={**SETTINGS, **({} if durable else LAZY)})
        try:
            with run.step("starting PostgreSQL"):
                embedded.start()
        except EmbeddedPostgresError as error:
            raise BenchRefused(str(error)) from None
        stack.callback(embedded.stop)
        yield Database(embedded.dsn, _postmaster(base / "postgres"))


def _postmaster(data: Path) -> int | None:
    with contextlib.suppress(OSError, ValueError):
        return int((data / "cluster" / "postmaster.pid").read_text().split("\n")[0])
    return None


def on_database(dsn: str, name: str) -> str:
    """The same server's address with another database."""
    head, mark, query = dsn.partition("?")
    return head.rsplit("/", 1)[0] + f"/{name}" + mark + query


# Processes


@dataclass(frozen=True, slots=True)
class Child:
    """A process of ours that listens on loopback."""

    process: subprocess.Popen[bytes]
    host: str
    port: int
    log: Path

    @property
    def pid(self) -> int:
        """Of the Python process itself."""
        return self.process.pid

    @property
    def url(self) -> str:
        """`http://127.0.0.1:<port>`"""
        return f"http://{self.host}:{self.port}"

    def last_words(self) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def environment(dsn: str, port: int, **more: str) -> dict[str, str]:
    """The environment of a process of the program: none of ours but what Python needs, and these settings."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG") if name in os.environ}
    ours = {
        "PLUSONE_SECRET_KEY": SECRET_KEY,
        "DATABASE_URL": dsn,
        "PLUSONE_HOST": "127.0.0.1",
        "PLUSONE_PORT": str(port),
        "PLUSONE_WORKER_PORT": str(port),
        "PLUSONE_PUBLIC_URL": "http://127.0.0.1:8000",
        "PLUSONE_LOG_LEVEL": "WARNING",
        "PLUSONE_OPEN_OPERATIONS": "true",
        "PLUSONE_POINTS_PER_SECOND": "1000000",
    }
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **ours, **more}


@asynccontextmanager
async def child(module: str, *arguments: str, dsn: str, base: Path, ready: str = "/health/ready", **settings: str) -> AsyncIterator[Child]:
    """`python -m <module> <arguments>` with these settings on a free port, once it answers 200 at `ready`; it is ended with the block.

    `child("plusone", "serve", dsn=…, base=…)` is an API process, `child("plusone", "work", …)` a worker. Both log to a file in `base`.

    Raises:
        BenchRefused: it ended, or did not answer; with the last lines it wrote.
    """
    port = free_port()
    log = base / f"{'-'.join([module, *arguments]).replace('/', '-')[:60]}-{port}.log"
    process = _start([module, *arguments], base, environment(dsn, port, **settings), log)
    try:
        started = Child(process, "127.0.0.1", port, log)
        await until_up(started, ready)
        yield started
    finally:
        await _end(process)


def _start(words: list[str], base: Path, settings: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as said:
        return subprocess.Popen([sys.executable, "-m", *words], cwd=base, env=settings, stdout=said, stderr=said)


async def until_up(one: Child, path: str) -> None:
    """Wait until a process answers 200 there."""
    async with httpx.AsyncClient(base_url=one.url, trust_env=False) as client:
        for _ in range(int(START_SECONDS / 0.02)):
            if one.process.poll() is not None:
                break
            with contextlib.suppress(httpx.HTTPError):
                if (await client.get(path)).status_code == 200:
                    return
            await asyncio.sleep(0.02)
    raise BenchRefused(f"The process does not answer at {path}. Its last words:\n{one.last_words()}")


async def _end(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, and SIGKILL if it takes too long."""
    process.terminate()
    try:
        await asyncio.to_thread(process.wait, END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


# What the kernel knows


def cores() -> list[int]:
    """The cores that this process may use."""
    if not hasattr(os, "sched_getaffinity"):
        return []
    return sorted(os.sched_getaffinity(0))


def pin(pid: int | None, only: Iterable[int]) -> None:
    """Keep a process (and the children it has and will have) to these cores, where the system can."""
    chosen = set(only)
    if pid is None or not chosen or not hasattr(os, "sched_setaffinity"):
        return
    for one in (pid, *children(pid)):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.sched_setaffinity(one, chosen)


def children(pid: int) -> list[int]:
    """The processes that this one has started and that still run; none where there is no /proc."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def cpu_seconds(pid: int | None) -> float:
    """Processor time that this process has used, in user and in kernel mode; NaN where there is no /proc."""
    try:
        fields = _stat(pid or 0)
    except OSError:
        return math.nan
    return (int(fields[11]) + int(fields[12])) / TICK


def cpu_seconds_of_server(postmaster: int | None) -> float:
    """The same for a PostgreSQL server with its backends, those that have ended included; NaN for a server that is not ours."""
    try:
        fields = _stat(postmaster or 0)
    except OSError:
        return math.nan
    ended = (int(fields[11]) + int(fields[12]) + int(fields[13]) + int(fields[14])) / TICK
    return ended + sum(used for one in children(postmaster or 0) if not math.isnan(used := cpu_seconds(one)))


def busy_seconds() -> float:
    """Processor time that the whole machine has used, over all cores; NaN where there is no /proc."""
    try:
        fields = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    except OSError:
        return math.nan
    return (sum(fields[:8]) - fields[3] - fields[4]) / TICK


def rss_mib(pid: int) -> float:
    """Resident memory of a process; NaN where there is no /proc."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return math.nan
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@dataclass(slots=True)
class Stopwatch:
    """Wall time since it was made."""

    started: float = -1.0

    def __post_init__(self) -> None:
        self.started = time.perf_counter()

    @property
    def seconds(self) -> float:
        """So far."""
        return time.perf_counter() - self.started
