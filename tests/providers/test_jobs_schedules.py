"""Schedules of the job queue: once over all processes, and tidy."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from domain import db as database
from domain.jobs import Payload
from domain.providers.pgqueuer_jobs import PgQueuerRunner
from tests.providers.jobs_help import LIMITS, at_least, running, until


async def due_again(name: str, cron: str) -> None:
    """A schedule that is due now; the next turn of its cron is far away."""
    await database.execute("delete from pgqueuer_schedules where entrypoint = $1", name)
    await database.execute(
        "insert into pgqueuer_schedules (expression, entrypoint, next_run) values ($1, $2, now() - interval '1 s')", cron, name
    )


NEW_YEAR = "0 0 1 1 *"
EVERY_SECOND = "* * * * * *"


async def fired(dsn: str, names: Sequence[str]) -> list[str]:
    """Two runners, each with one of the names for a schedule that is due once; which turns there were."""
    turns: list[str] = []
    beats = [0, 0]
    runners = [PgQueuerRunner(dsn, LIMITS) for _ in names]
    for name in set(names):
        await due_again(name, NEW_YEAR)
    for place, (runner, name) in enumerate(zip(runners, names, strict=True)):

        async def turn(name: str = name) -> None:
            turns.append(name)
            await asyncio.sleep(0.05)

        async def beat(place: int = place) -> None:
            beats[place] += 1

        runner.every(NEW_YEAR, name, turn)
        runner.every(EVERY_SECOND, f"beat-{place}", beat)

    async def both_have_looked_twice() -> bool:
        return min(beats) >= 2

    async with running(*runners):
        await until(both_have_looked_twice)
    await database.execute("delete from pgqueuer_schedules")
    return sorted(turns)


async def test_a_schedule_fires_once_over_two_runners(db: str) -> None:
    assert await fired(db, ["new-year", "new-year"]) == ["new-year"]


async def test_twin_without_a_common_row_fires_twice(db: str) -> None:
    assert await fired(db, ["new-year-a", "new-year-b"]) == ["new-year-a", "new-year-b"]


async def test_a_schedule_that_raises_is_no_end(db: str, caplog: pytest.LogCaptureFixture) -> None:
    turns: list[int] = []
    runner = PgQueuerRunner(db, LIMITS)

    async def turn() -> None:
        turns.append(1)
        raise ValueError("小芳 is a name")

    runner.every(EVERY_SECOND, "raises", turn)
    async with running(runner):
        await until(lambda: at_least(turns, 2))
    await database.execute("delete from pgqueuer_schedules")
    assert "ValueError at " in caplog.text
    assert "小芳" not in caplog.text


async def test_old_log_rows_go_and_new_ones_stay(db: str) -> None:
    await database.execute("delete from pgqueuer_log")
    await database.execute(
        """insert into pgqueuer_log (created, job_id, status, priority, entrypoint)
           select now() - interval '4 days', n, 'successful', 0, 'x' from generate_series(1, 6000) n"""
    )
    await database.execute("insert into pgqueuer_log (job_id, status, priority, entrypoint) values (7, 'successful', 0, 'x')")
    await due_again("job-log", "17 * * * *")

    async def few() -> bool:
        return await database.fetchval("select count(*) from pgqueuer_log") == 1

    async with running(PgQueuerRunner(db, LIMITS)):
        await until(few)
    await database.execute("delete from pgqueuer_schedules")


def test_wrong_registrations_are_refused() -> None:
    async def action() -> None: ...

    async def handler(_: Payload) -> None: ...

    runner = PgQueuerRunner("postgresql:///x", LIMITS)
    runner.handle("a", handler)
    runner.every("*/5 * * * *", "b", action)
    with pytest.raises(ValueError, match="'a'"):
        runner.handle("a", handler)
    with pytest.raises(ValueError, match="'b'"):
        runner.every("* * * * *", "b", action)
    with pytest.raises(ValueError, match="'c'"):
        runner.every("when it rains", "c", action)
