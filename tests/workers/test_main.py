"""A worker process: parts that fail start again, all of them end on stop, and a database that comes back is enough."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from domain import db as database
from domain.bootstrap import Services, services
from domain.clock import FixedClock
from domain.db.embedded import EmbeddedPostgres
from domain.ids import new_id
from domain.inbox.commands import InboxWriter
from domain.inbox.queries import counts
from domain.inbox.rules import EventState
from domain.jobs import RESTOCKED
from domain.settings import load
from domain.vault import Vault
from tests.build import NOW, an_endpoint
from tests.domain.inbox.test_commands import Event
from tests.serving import SECRET_KEY, environment, family, free_port, plusone, process, until_up
from workers import main as workers

PATIENCE_SECONDS = 60


@pytest.fixture
def house(clock: FixedClock) -> Services:
    return services(load(secret_key=SECRET_KEY, _env_file=None), clock=clock)


async def test_a_part_that_fails_starts_again_until_the_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "FIRST_PAUSE_SECONDS", 0.001)
    stop, runs = asyncio.Event(), 0

    async def part() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise ConnectionRefusedError
        if runs == 2:
            return
        stop.set()
        raise RuntimeError

    async with asyncio.timeout(PATIENCE_SECONDS):
        await workers.keep_up("part", part, stop)
    assert runs == 3


async def test_the_pauses_of_a_failing_part_grow_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    stop, pauses = asyncio.Event(), []

    async def pause(_: asyncio.Event, seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 8:
            stop.set()

    async def part() -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(workers, "pause", pause)
    await workers.keep_up("part", part, stop)
    assert pauses == [0.2, 0.4, 0.8, 1.6, 3.2, 4.0, 4.0, 4.0]


async def test_the_sweep_comes_again_and_again(house: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    stop, sweeps = asyncio.Event(), 0

    async def sweep(_: Services) -> None:
        nonlocal sweeps
        sweeps += 1
        if sweeps == 3:
            stop.set()

    monkeypatch.setattr(workers.deadlines, "sweep", sweep)
    monkeypatch.setattr(workers, "SWEEP_SECONDS", 0.001)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await workers.sweep_deadlines(house, stop)
    assert sweeps == 3


class Listing:
    """A runner that only notes what it is taught."""

    def __init__(self) -> None:
        self.jobs: list[str] = []
        self.schedules: list[str] = []

    def handle(self, name: str, handler: object) -> None:
        self.jobs.append(name)

    def every(self, cron: str, name: str, action: object) -> None:
        self.schedules.append(name)

    async def run(self, stop: asyncio.Event) -> None:
        await stop.wait()


async def test_every_job_of_the_project_has_its_handler(house: Services) -> None:
    runner = Listing()
    close = workers.register(runner, house)
    assert sorted(runner.jobs) == ["account-link", "announce", "push", "reply", "restocked"]
    await close()


async def test_all_parts_decide_what_came_in_and_end_together(db: str, house: Services) -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(workers.run(house, stop, db))
    writer = InboxWriter()
    writer.start()
    endpoint = await an_endpoint(source="line")
    await writer.receive(
        endpoint, "line", [Event(f"k{n}", f"line:C{n}", NOW, {"event": {"type": "follow"}}) for n in range(5)], received_at=NOW
    )
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (await counts())[EventState.PENDING]:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert sum((await counts()).values()) == 5
    async with database.transaction() as tx:
        await house.jobs.enqueue(tx, RESTOCKED, [{"shop_id": str(new_id()), "variants": [str(new_id())]}])
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await database.fetchval("select count(*) from pgqueuer"):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    await writer.stop()
    stop.set()
    async with asyncio.timeout(PATIENCE_SECONDS):
        await running
    assert await database.fetchval("select count(*) from pgqueuer_log where status = 'successful' and entrypoint = 'restocked'") == 1


@pytest.fixture
def folder() -> Iterator[Path]:
    folder = Path(tempfile.gettempdir()) / f"plusone-work-{uuid4().hex[:8]}"
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


async def in_comes(dsn: str, key: str) -> None:
    """One event that means nothing, straight into the inbox."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(
            """insert into inbox_event
                 (endpoint_id, source, external_key, lane, occurred_at, payload, received_at, state, outcome, tries, parked_reason)
               select id, source, $1, 1, now(), '{"event": {"type": "follow"}}', now(), 'PENDING', '', 0, '' from webhook_endpoint""",
            key,
        )
    finally:
        await connection.close()


async def until_decided(dsn: str, *, seconds: float) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        async with asyncio.timeout(seconds):
            while await connection.fetchval("select count(*) from inbox_event where state = 'PENDING'"):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    finally:
        await connection.close()


async def test_a_worker_recovers_by_itself_when_its_database_was_away(folder: Path, tmp_path: Path) -> None:
    port = free_port()
    with EmbeddedPostgres(folder) as server:
        env = environment(DATABASE_URL=server.dsn, PLUSONE_SECRET_KEY=SECRET_KEY, PLUSONE_LOG_LEVEL="ERROR")
        assert (await asyncio.to_thread(plusone, "migrate", cwd=tmp_path, env=env)).returncode == 0
        connection = await asyncpg.connect(server.dsn)
        await connection.execute(
            """insert into webhook_endpoint (id, source, slug, secret_encrypted, verify_token_encrypted, destination, created_at)
               values ($1, 'line', 'app', $2, '', '', now())""",
            new_id(),
            Vault(SECRET_KEY).seal("sesame"),
        )
        await connection.close()
        with process("work", "--health-port", str(port), cwd=tmp_path, env=env) as work:
            await until_up(f"http://127.0.0.1:{port}", work)
            await in_comes(server.dsn, "before")
            await until_decided(server.dsn, seconds=PATIENCE_SECONDS)
            crashed = family(int((folder / "cluster" / "postmaster.pid").read_text().split()[0]))
            os.kill(crashed[0], signal.SIGQUIT)
            await asyncio.sleep(1.0)  # long enough for every part to fail at least once
            again = EmbeddedPostgres(folder)
            await asyncio.to_thread(again.start)
            try:
                await in_comes(server.dsn, "after")
                await until_decided(server.dsn, seconds=PATIENCE_SECONDS)
                assert work.poll() is None
                work.send_signal(signal.SIGTERM)
                assert await asyncio.to_thread(work.wait, PATIENCE_SECONDS) == 0
            finally:
                again.stop()
