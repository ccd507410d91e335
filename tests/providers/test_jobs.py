"""The job queue on real PostgreSQL: what commits runs, what dies is run again, what kills is held."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from domain import db as database
from domain.db import DatabaseAway, Tx
from domain.db.embedded import EmbeddedPostgres
from domain.jobs import LOT, Payload, lots
from domain.providers.pgqueuer_jobs import Limits, PgQueuerJobs, PgQueuerRunner
from tests.providers.jobs_help import LIMITS, at_least, enqueue, queued, running, until

ROOT = Path(__file__).parents[2]

WORKER = """
import asyncio, json, os, sys
import asyncpg
from domain.db import credentials
from domain.providers.pgqueuer_jobs import Limits, PgQueuerRunner

async def main(dsn, limits):
    connection = await asyncpg.connect(**credentials(dsn))
    lock = asyncio.Lock()
    async def work(payload):
        async with lock:
            await connection.execute("insert into job_ran (number, process) values ($1, $2)", payload["number"], os.getpid())
        if payload.get("kills"):
            os._exit(9)
        await asyncio.sleep(0.01)
        while True:
            async with lock:
                if payload.get("turn", 0) <= await connection.fetchval("select max(turn) from job_turn"):
                    break
            await asyncio.sleep(0.02)
        async with lock:
            await connection.execute("insert into job_done values ($1) on conflict do nothing", payload["number"])
    runner = PgQueuerRunner(dsn, Limits(**limits))
    runner.handle("work", work)
    await runner.run(asyncio.Event())

asyncio.run(main(sys.argv[1], json.loads(sys.argv[2])))
"""


class Workers:
    """Processes of their own that run `work` jobs; a dead one is replaced by `keep`."""

    def __init__(self, dsn: str, **limits: float) -> None:
        self._dsn = dsn
        self.limits = {name: getattr(LIMITS, name) for name in LIMITS.__slots__} | limits
        self._process: asyncio.subprocess.Process | None = None
        self.deaths = 0

    async def keep(self) -> None:
        """One process runs; counts how often the one before had died."""
        if self._process is None or self._process.returncode is not None:
            self.deaths += self._process is not None
            arguments = (sys.executable, "-c", WORKER, self._dsn, json.dumps(self.limits))
            self._process = await asyncio.create_subprocess_exec(*arguments, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})

    async def kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)
            await self._process.wait()


@pytest.fixture
async def workers(db: str) -> AsyncIterator[Workers]:
    await database.execute("create table job_ran (number int, process int, at timestamptz default clock_timestamp())")
    await database.execute("create table job_done (number int primary key)")
    await database.execute("create table job_turn as select 0 as turn")
    made = Workers(db)
    yield made
    await made.kill()
    await database.execute("drop table job_ran, job_done, job_turn")


async def test_jobs_exist_when_their_transaction_commits_and_not_before(db: str) -> None:
    seen: list[Payload] = []
    runner = PgQueuerRunner(db, LIMITS)

    async def handler(payload: Payload) -> None:
        seen.append(payload)

    runner.handle("greet", handler)
    async with running(runner):
        with pytest.raises(ZeroDivisionError):
            async with database.transaction() as tx:
                await PgQueuerJobs().enqueue(tx, "greet", [{"name": "undone"}])
                raise ZeroDivisionError
        async with database.transaction() as tx:
            await PgQueuerJobs().enqueue(tx, "greet", [{"name": "小芳"}, {"name": "阿明"}])
            assert await database.fetchval_apart("select count(*) from pgqueuer") == 0
            assert seen == []
        await until(lambda: at_least(seen, 2))
    assert sorted(payload["name"] for payload in seen) == sorted(["小芳", "阿明"])
    assert await queued() == 0


async def test_many_jobs_are_one_statement_and_none_is_none(db: str) -> None:
    statements: list[str] = []
    async with database.transaction() as tx:
        with tx.raw.query_logger(lambda record: statements.append(record.query)):
            await PgQueuerJobs().enqueue(tx, "greet", [{"number": n} for n in range(300)])
            await PgQueuerJobs().enqueue(tx, "greet", [])
    assert len(statements) == 1
    rows = await database.fetch("select payload, status, attempts, execute_after <= now() as due from pgqueuer order by id")
    assert [json.loads(row["payload"])["number"] for row in rows] == list(range(300))
    assert {(row["status"], row["attempts"], row["due"]) for row in rows} == {("queued", 0, True)}


async def test_a_job_waits_for_its_instant_whatever_the_clock_of_this_machine_says(db: str) -> None:
    at = datetime(2031, 3, 4, 5, 6, 7, 891011, tzinfo=UTC)
    await enqueue("later", [{}, {}], run_at=at)
    assert [row["execute_after"] for row in await database.fetch("select execute_after from pgqueuer")] == [at, at]
    seen: list[Payload] = []
    runner = PgQueuerRunner(db, LIMITS)

    async def handler(payload: Payload) -> None:
        seen.append(payload)

    runner.handle("later", handler)
    soon = await database.fetchval("select now() + interval '1500 ms'")
    await enqueue("later", [{"soon": True}], run_at=soon)
    await enqueue("later", [{"past": True}], run_at=soon - timedelta(days=400))
    async with running(runner):
        await until(lambda: at_least(seen, 2))
    assert seen == [{"past": True}, {"soon": True}]
    assert await database.fetchval("select clock_timestamp()") > soon
    assert await queued() == 2


def test_lots_hold_at_most_lot_ids() -> None:
    assert [len(lot["deliveries"]) for lot in lots([str(n) for n in range(2 * LOT + 1)], "deliveries")] == [LOT, LOT, 1]


async def test_a_raising_job_is_tried_again_and_then_held(db: str) -> None:
    tries: list[int] = []
    runner = PgQueuerRunner(db, LIMITS)

    async def fails(payload: Payload) -> None:
        tries.append(payload["number"])
        raise ValueError("0912-345-678 is a phone number")

    async def recovers(_: Payload) -> None:
        tries.append(99)
        if tries.count(99) < 3:
            raise ValueError

    runner.handle("fails", fails)
    runner.handle("recovers", recovers)
    await enqueue("fails", [{"number": 1}])
    await enqueue("recovers", [{}])
    async with running(runner):
        await until(lambda: _states({"fails": "failed"}))
    assert tries.count(1) == 3
    assert tries.count(99) == 3
    logged = await database.fetch("select traceback::text as t from pgqueuer_log where traceback is not null")
    assert logged
    assert not [row for row in logged if "0912" in row["t"]]


async def _states(wanted: dict[str, str]) -> bool:
    rows = await database.fetch("select entrypoint, status from pgqueuer")
    return {row["entrypoint"]: row["status"] for row in rows} == wanted


async def test_errors_of_the_database_never_hold_a_job(db: str) -> None:
    tries: list[Payload] = []
    runner = PgQueuerRunner(db, Limits(**{name: getattr(LIMITS, name) for name in LIMITS.__slots__} | {"first_delay_seconds": 0.001}))

    async def away(payload: Payload) -> None:
        tries.append(payload)
        if len(tries) <= 2 * LIMITS.tries:
            raise DatabaseAway("for now")

    runner.handle("away", away)
    await enqueue("away", [{}])
    async with running(runner):
        await until(lambda: _states({}))
    assert len(tries) == 2 * LIMITS.tries + 1


async def test_a_hanging_job_is_cut_and_held(db: str) -> None:
    runner = PgQueuerRunner(db, Limits(tries=2, first_delay_seconds=0.01, job_seconds=0.1, poll_seconds=0.2))

    async def hangs(_: Payload) -> None:
        await asyncio.Event().wait()

    runner.handle("hangs", hangs)
    await enqueue("hangs", [{}])
    async with running(runner):
        await until(lambda: _states({"hangs": "failed"}))


async def test_a_stop_lets_jobs_in_hand_end_and_leaves_the_others_queued(db: str) -> None:
    begun, ended = [], []
    runner = PgQueuerRunner(db, LIMITS)

    async def slow(payload: Payload) -> None:
        begun.append(payload["number"])
        await asyncio.sleep(0.3)
        ended.append(payload["number"])

    runner.handle("slow", slow)
    await enqueue("slow", [{"number": n} for n in range(20)])
    async with running(runner):
        await until(lambda: at_least(begun, LIMITS.places))
    assert sorted(begun) == sorted(ended)
    rows = await database.fetch("select payload, status from pgqueuer")
    assert {row["status"] for row in rows} == {"queued"}
    assert sorted(ended) + sorted(json.loads(row["payload"])["number"] for row in rows) == list(range(20))


async def test_a_cancelled_runner_loses_no_job(db: str) -> None:
    begun: list[Payload] = []
    runner = PgQueuerRunner(db, LIMITS)

    async def slow(payload: Payload) -> None:
        begun.append(payload)
        if len(begun) <= LIMITS.places:
            await asyncio.Event().wait()

    runner.handle("slow", slow)
    await enqueue("slow", [{"number": n} for n in range(6)])
    task = asyncio.create_task(runner.run(asyncio.Event()))
    await until(lambda: at_least(begun, LIMITS.places))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await queued() == 6
    async with running(runner):
        await until(lambda: _states({}))
    assert {payload["number"] for payload in begun} == set(range(6))


async def test_kill_9_in_mid_run_loses_nothing(workers: Workers) -> None:
    """A hundred jobs for each of four lives; those of later ones wait, so that each life has some to do and none does all."""
    workers.limits["crashes"] = 4  # no job's fault: one that is in hand at each of the three deaths is not to be held
    await enqueue("work", [{"number": n, "turn": n // 100} for n in range(400)])

    async def done() -> int:
        return await database.fetchval("select count(*) from job_done")

    for turn, share in enumerate((50, 150, 250)):
        await database.execute("update job_turn set turn = $1", turn)
        await workers.keep()

        async def far(share: int = share) -> bool:
            return await done() >= share

        await until(far)
        await workers.kill()
    left = await queued()
    await database.execute("update job_turn set turn = 3")
    await workers.keep()

    async def empty() -> bool:
        return await queued() == 0

    await until(empty)
    assert left >= 100
    assert await done() == 400
    assert await database.fetchval("select count(distinct process) from job_ran") == 4


async def test_a_job_that_kills_its_process_is_held_and_its_neighbours_run(workers: Workers) -> None:
    await enqueue("work", [{"number": n} for n in range(60)])
    await enqueue("work", [{"number": 1000, "kills": True}])
    await enqueue("work", [{"number": n} for n in range(60, 120)])

    async def settled() -> bool:
        await workers.keep()
        rows = await database.fetch("select status from pgqueuer")
        return [row["status"] for row in rows] == ["failed"]

    await until(settled)
    assert await database.fetchval("select count(*) from job_done") == 120
    assert await database.fetchval("select count(*) from job_ran where number = 1000") == LIMITS.crashes
    assert workers.deaths == LIMITS.crashes


@pytest.fixture
def own_server() -> Iterator[EmbeddedPostgres]:
    folder = Path(tempfile.gettempdir()) / f"plusone-test-{uuid4().hex[:12]}"
    try:
        with EmbeddedPostgres(folder, settings={"fsync": "off", "shared_buffers": "16MB"}) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def test_the_queue_goes_on_by_itself_after_a_restart_of_the_database(own_server: EmbeddedPostgres) -> None:
    done: list[int] = []
    began, gate = asyncio.Event(), asyncio.Event()
    runner = PgQueuerRunner(own_server.dsn, LIMITS)

    async def work(payload: Payload) -> None:
        if payload["number"] == 0 and not done:
            began.set()
            await gate.wait()
        done.append(payload["number"])

    async def add(number: int) -> None:
        connection = await asyncpg.connect(own_server.dsn)
        try:
            async with connection.transaction():
                await PgQueuerJobs().enqueue(Tx(None, connection), "work", [{"number": number}])  # type: ignore[arg-type]
        finally:
            await connection.close()

    connection = await asyncpg.connect(own_server.dsn)
    await connection.execute((ROOT / "domain/migrations/sql/pgqueuer_1_6_0.sql").read_text())
    await connection.close()
    runner.handle("work", work)
    async with running(runner):
        for turn in range(3):
            await add(3 * turn)
            if turn == 0:
                async with asyncio.timeout(30):
                    await began.wait()  # so that the first restart finds a job in hand
            else:
                await until(lambda n=3 * turn: _has(done, n))  # type: ignore[misc]
            await asyncio.to_thread(_restart, own_server)
            gate.set()
            await add(3 * turn + 1)
            await until(lambda n=3 * turn + 1: _has(done, n))  # type: ignore[misc]
        connection = await asyncpg.connect(own_server.dsn)

        async def empty() -> bool:
            return await connection.fetchval("select count(*) from pgqueuer") == 0

        await until(empty)  # those that ended when nobody could be told run again when their lease has ended
        await connection.close()
    assert set(done) == {0, 1, 3, 4, 6, 7}


async def _has(done: Sequence[int], number: int) -> bool:
    return number in done


def _restart(server: EmbeddedPostgres) -> None:
    done = server._account.run(
        server._bin / "pg_ctl", "restart", "-w", "-m", "immediate", "-D", server._cluster, "-l", server._data / "server.log"
    )
    assert done.returncode == 0, done.stdout


async def test_the_runner_waits_for_a_database_that_is_not_there_yet(db: str) -> None:
    missing = db.replace("/plusone_test_", "/plusone_missing_")
    stop = asyncio.Event()
    task = asyncio.create_task(PgQueuerRunner(missing, LIMITS).run(stop))
    await asyncio.sleep(0.3)
    assert not task.done()
    stop.set()
    async with asyncio.timeout(30):
        await task
