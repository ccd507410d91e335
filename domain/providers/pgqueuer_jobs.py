"""The job queue on PgQueuer 1.6: see `domain.jobs` for the port.

Enqueueing stands in `pgqueuer_enqueue`, which needs nothing of the library. Running is the library's two managers under a supervisor of
ours, each cycle on a connection of its own:

* a job that raises is tried again with growing delays and then held (status `failed`; `pgq requeue` frees it);
* a job that kills its process is counted before it runs. It is then run alone, so that its neighbours are not counted with it, and held
  after a few crashes;
* errors of the database are nobody's fault: such a job is tried again without end; neither is a stop, nor that a job's rows are not due;
* a lost connection ends the cycle and the next one begins as soon as the server answers; jobs in hand come back after their lease.

Nothing here writes an exception's message to a log or a table: messages of the database carry values of rows.

Source: https://pgqueuer.readthedocs.io and the library's source, 1.6.0, read 2026-11-22.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import traceback
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import asyncpg
import orjson
from croniter import croniter  # type: ignore[import-untyped]
from pgqueuer.core.executors import AbstractEntrypointExecutor, EntrypointExecutorParameters
from pgqueuer.core.qm import QueueManager
from pgqueuer.core.sm import SchedulerManager
from pgqueuer.db import AsyncpgDriver
from pgqueuer.domain.errors import RetryRequested
from pgqueuer.models import Context, Job, Schedule
from pgqueuer.queries import Queries
from pgqueuer.types import QueueManagerId

from domain.db import AWAY, DatabaseAway, credentials
from domain.jobs import Handler, NotYet
from domain.providers.pgqueuer_enqueue import PgQueuerJobs as PgQueuerJobs

log = logging.getLogger(__name__)

LOG_KEPT: Final = timedelta(days=3)
RUNS: Final = "runs"
"""Key in a job's headers: runs that began and did not end in order, which is what a killed process leaves."""
RAISED: Final = "raised"
"""Key in a job's headers: runs that raised. The table's own `attempts` counts every return to the queue, also those by a stop."""
AWAY_RUNS: Final = "away"
"""Key in a job's headers: runs that ended because the database was away."""
GIVE_BACK: Final = """
update pgqueuer set status = 'queued', queue_manager_id = null, updated = now(), headers = headers - $2::text
where queue_manager_id = $1 and status = 'picked'"""


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """How much, how long, how often."""

    places: int = 16
    """Jobs that run at a time in one process."""
    share: int = 12
    """Of these, jobs of one name: others run while what one of them asks does not answer."""
    batch: int = 50
    """Jobs taken by one statement; twice as many may wait for a place."""
    tries: int = 8
    """Runs of a job that raises; then it is held."""
    first_delay_seconds: float = 1.0
    """Before the second run; doubled for each further one, up to a minute."""
    crashes: int = 5
    """Runs that a job may end by killing its process; then it is held."""
    lease_seconds: float = 15.0
    """A job whose process has not been heard of for so long is given to another."""
    poll_seconds: float = 5.0
    """Between looks for such jobs; new ones are announced by NOTIFY."""
    job_seconds: float = 120.0
    """A run that takes longer is cut off, and counts as one that raised."""
    stop_seconds: float = 20.0
    """How long a stop waits for the runs in hand; what is cut off then is run again elsewhere."""


class JobHeld(Exception):
    """Why a job is held: without the message of the error behind it."""


class _Places:
    """At most so many jobs at a time, and of one name no more than its share; one that is to be alone takes all places."""

    def __init__(self, count: int, share: int) -> None:
        self._count = count
        self._free = asyncio.Semaphore(count)
        self._turn = asyncio.Lock()
        self._shares: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(min(share, count)))

    @contextlib.asynccontextmanager
    async def taken(self, name: str, *, alone: bool) -> AsyncIterator[None]:
        held = 0
        async with self._shares[name]:
            try:
                async with self._turn:  # one after the other, so that two who want all never hold half each
                    while held < (self._count if alone else 1):
                        await self._free.acquire()
                        held += 1
                yield
            finally:
                for _ in range(held):
                    self._free.release()


@dataclasses.dataclass
class _Guarded(AbstractEntrypointExecutor):
    """Runs a handler within the limits and turns what it raises into a retry or a hold."""

    handler: Handler
    limits: Limits
    places: _Places
    driver: AsyncpgDriver
    halt: asyncio.Event
    begun: deque[int]

    async def execute(self, job: Job, context: Context) -> None:  # noqa: ARG002
        suspect = _count(job, RUNS) > 0
        async with self.places.taken(job.entrypoint, alone=suspect):
            if self.halt.is_set():
                raise RetryRequested(reason="stopping")
            crashes = await self._begin(job)
            if crashes is None:
                return  # another process has done it meanwhile
            if crashes >= self.limits.crashes:
                await self._end(job)
                raise JobHeld(f"{job.entrypoint} {job.id} killed its process {crashes} times")
            await self._run(job)
            if suspect:
                await self._end(job)  # before the next suspect runs, which may be the one that kills

    async def _begin(self, job: Job) -> int | None:
        """Count this run, committed before it begins; answers the crashes so far, or None when the job is gone."""
        self.begun.append(job.id)
        rows = await self.driver.fetch(
            """update pgqueuer set headers = coalesce(headers, '{}') || jsonb_build_object($2::text, coalesce((headers ->> $2)::int, 0) + 1)
               where id = $1 returning (headers ->> $2)::int - 1 as crashes""",
            job.id,
            RUNS,
        )
        return int(str(rows[0]["crashes"])) if rows else None

    async def _end(self, job: Job, **counts: int) -> None:
        """This run ended in order. `counts`: headers to be kept; those that are 0 are dropped."""
        await self.driver.execute(
            "update pgqueuer set headers = headers - $2::text[] || $3::jsonb where id = $1",
            job.id,
            [RUNS, *counts],
            orjson.dumps({key: count for key, count in counts.items() if count}).decode(),
        )

    async def _run(self, job: Job) -> None:
        try:
            async with asyncio.timeout(self.limits.job_seconds) as limit:
                await self.handler(orjson.loads(job.payload or b"{}"))
        except asyncio.CancelledError:
            # The library would close a cancelled job; nobody cancels jobs here, only processes end.
            raise RetryRequested(reason="cut off") from None
        except NotYet as error:
            await self._end(job)
            raise RetryRequested(error.wait, "not yet") from None
        except Exception as error:
            away = isinstance(error, AWAY) and not limit.expired()
            times = _count(job, AWAY_RUNS if away else RAISED) + 1
            delay = min(self.limits.first_delay_seconds * 2 ** min(times - 1, 16), 60.0)
            last = not away and times >= self.limits.tries
            log.warning("job %s %s, run %d: %s; %s", job.entrypoint, job.id, times, place_of(error), "held" if last else "again")
            if last:  # whoever frees it gives it all its tries again
                await self._end(job, **{RAISED: 0, AWAY_RUNS: 0})
                raise JobHeld(f"{job.entrypoint} {job.id} raised {type(error).__name__} {times} times") from None
            await self._end(job, **{AWAY_RUNS: times} if away else {RAISED: times, AWAY_RUNS: 0})
            raise RetryRequested(timedelta(seconds=delay), type(error).__name__) from None


def _count(job: Job, key: str) -> int:
    count = (job.headers or {}).get(key, 0)
    return count if isinstance(count, int) else 0


def place_of(error: BaseException) -> str:
    """An error's type and the line that raised it, for logs: its message may hold personal data."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__} at {frames[-1].filename}:{frames[-1].lineno}" if frames else type(error).__name__


class PgQueuerRunner:
    """Runs jobs and schedules on `dsn`; installs no signal handlers."""

    def __init__(self, dsn: str, limits: Limits | None = None) -> None:
        self._dsn = dsn
        self._limits = limits or Limits()
        self._handlers: dict[str, Handler] = {}
        self._schedules: dict[str, tuple[str, Callable[[], Awaitable[None]]]] = {}
        self._begun: deque[int] = deque(maxlen=1000)
        """The latest jobs begun here: after a lost connection they are known not to have killed us."""

    def handle(self, name: str, handler: Handler) -> None:
        """Register what runs for jobs of this name.

        Raises:
            ValueError: the name has a handler already.
        """
        if name in self._handlers:
            raise ValueError(f"the job {name!r} has a handler already")
        self._handlers[name] = handler

    def every(self, cron: str, name: str, action: Callable[[], Awaitable[None]]) -> None:
        """Run an action on a cron expression, once over all processes.

        Raises:
            ValueError: not a cron expression, or the name is taken.
        """
        if not croniter.is_valid(cron) or name in self._schedules:
            raise ValueError(f"the schedule {name!r} ({cron!r}) is not a cron expression, or its name is taken")
        self._schedules[name] = (cron, action)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then let jobs in hand end; survives restarts of the database."""
        failures = 0
        while not stop.is_set():
            began = asyncio.get_running_loop().time()
            try:
                await self._cycle(stop)
            except Exception as error:
                failures = 1 if asyncio.get_running_loop().time() - began > 30 else failures + 1
                log.warning("the job queue is away, cycle %d: %s", failures, place_of(error))
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), min(0.1 * 2 ** min(failures, 8), 2.0))

    async def _cycle(self, stop: asyncio.Event) -> None:
        """Work on one connection until the stop, or until it is lost.

        Raises:
            Exception: whatever ended it but the stop.
        """
        connection = await self._connect()
        lost, halt, owner = asyncio.Event(), asyncio.Event(), uuid4()
        connection.add_termination_listener(lambda _: lost.set())
        tasks = self._start(AsyncpgDriver(connection), halt, owner)
        watches = [asyncio.create_task(event.wait()) for event in (stop, lost)]
        try:
            await asyncio.wait([*tasks, *watches], return_when=asyncio.FIRST_COMPLETED)
            halt.set()
            await asyncio.wait(tasks, timeout=1.0 if lost.is_set() else self._limits.stop_seconds)
        finally:
            halt.set()
            # Without a connection a cut off job cannot be written off by the library: it goes back to the queue.
            cut, away = any(not task.done() for task in tasks), lost.is_set()
            if cut:
                connection.terminate()
            ended = await _cut(*tasks, *watches)
            with contextlib.suppress(Exception):
                await connection.close(timeout=2.0)
            if cut and ended and not away:
                await self._give_back(owner)
        for task in tasks:
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                raise error
        if lost.is_set() and not stop.is_set():
            raise DatabaseAway("the connection of the job queue was lost")

    async def _give_back(self, owner: UUID) -> None:
        """What a stop has cut off did not kill its process, and another may have it at once. If nobody can be told, its lease runs out."""
        with contextlib.suppress(*AWAY, asyncpg.PostgresError):
            connection: asyncpg.Connection[Any] = await asyncpg.connect(**credentials(self._dsn), timeout=2, command_timeout=2)
            try:
                await connection.execute(GIVE_BACK, owner, RUNS)
            finally:
                connection.terminate()

    async def _connect(self) -> asyncpg.Connection[Any]:
        """A connection of our own; through it, jobs of the cycle before are cleared of having killed a process."""
        settings = {"application_name": "plusone-jobs", "timezone": "UTC", "jit": "off", "statement_timeout": "10000"}
        connection: asyncpg.Connection[Any] = await asyncpg.connect(
            **credentials(self._dsn), timeout=5, command_timeout=15, server_settings=settings
        )
        try:
            await connection.execute(
                "update pgqueuer set headers = headers - $2::text where id = any($1::bigint[])", list(self._begun), RUNS
            )
        except BaseException:
            connection.terminate()
            raise
        self._begun.clear()
        return connection

    def _start(self, driver: AsyncpgDriver, halt: asyncio.Event, owner: UUID) -> list[asyncio.Task[None]]:
        queries = Queries(driver)
        queue, scheduler = QueueManager(queries), SchedulerManager(queries)
        queue.queue_manager_id = QueueManagerId(owner)
        queue.shutdown = scheduler.shutdown = halt
        places = _Places(self._limits.places, self._limits.share)
        for name, handler in self._handlers.items():
            self._register(queue, name, handler, places, driver, halt)

        async def forget() -> None:
            await _forget_log(driver)

        for name, (cron, action) in {**self._schedules, "job-log": ("17 * * * *", forget)}.items():
            scheduler.schedule(name, cron, accepts_context=False)(_quiet(name, action))
        lease = timedelta(seconds=self._limits.lease_seconds)
        running = queue.run(
            dequeue_timeout=timedelta(seconds=self._limits.poll_seconds),
            batch_size=self._limits.batch,
            max_concurrent_tasks=2 * self._limits.batch,
            shutdown_on_listener_failure=True,
            heartbeat_timeout=lease,
            log_aggregation_interval=timedelta(0),
        )
        return [asyncio.create_task(running), asyncio.create_task(scheduler.run())]

    def _register(
        self, queue: QueueManager, name: str, handler: Handler, places: _Places, driver: AsyncpgDriver, halt: asyncio.Event
    ) -> None:
        async def unused(_: Job) -> None:
            raise AssertionError("the executor calls the handler itself")

        def executor(parameters: EntrypointExecutorParameters) -> _Guarded:
            return _Guarded(parameters, handler, self._limits, places, driver, halt, self._begun)

        queue.entrypoint(name, accepts_context=False, on_failure="hold", executor_factory=executor)(unused)


async def _cut(*tasks: asyncio.Task[Any]) -> bool:
    """End tasks within 5 s; answers whether they did. One cancel is not enough: the library's first answer to it is to wait for the jobs, its second to cut them."""
    for _ in range(20):
        for task in tasks:
            task.cancel()
        _, left = await asyncio.wait(tasks, timeout=0.25)
        if not left:
            return True
    log.error("a job does not end when it is cut off")
    return False


def _quiet(name: str, action: Callable[[], Awaitable[None]]) -> Callable[[Schedule], Awaitable[None]]:
    """The action as the scheduler calls it; what it raises is logged without its message, and the next turn is the retry."""

    async def turn(_: Schedule) -> None:
        try:
            await action()
        except Exception as error:
            log.warning("schedule %s: %s", name, place_of(error))

    return turn


async def _forget_log(driver: AsyncpgDriver) -> None:
    """Delete old log rows in portions: the library keeps three per job and never deletes any."""
    while True:
        status = await driver.execute(
            """delete from pgqueuer_log
               where id = any(array(select id from pgqueuer_log where created < now() - $1::interval order by created limit 5000))""",
            LOG_KEPT,
        )
        if status == "DELETE 0":
            return
