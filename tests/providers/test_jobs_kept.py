"""Jobs that come back: not yet, cut by a stop, while the database is away; and jobs that others would hold up."""

from __future__ import annotations

import asyncio
import dataclasses
from datetime import timedelta

import pytest

from domain import db as database
from domain.db import DatabaseAway
from domain.jobs import AT_ONCE, PUSH, REPLY, NotYet, Payload
from domain.providers.pgqueuer_jobs import PgQueuerRunner
from tests.providers.jobs_help import LIMITS, at_least, enqueue, queued, running, until

QUICK = dataclasses.replace(LIMITS, first_delay_seconds=0.001)


async def _gone() -> bool:
    return await queued() == 0


async def test_only_what_a_job_raised_counts_against_it(db: str) -> None:
    """As often as it is not yet due and the database is away, it has all its tries, less one, and is done."""
    waits = [NotYet(timedelta(0)) for _ in range(2)]
    away = [DatabaseAway("for now") for _ in range(LIMITS.tries + 1)]
    script: list[Exception] = [*waits, *away, *(ValueError("ours") for _ in range(LIMITS.tries - 1))]
    runner, runs = PgQueuerRunner(db, QUICK), 0

    async def unlucky(_: Payload) -> None:
        nonlocal runs
        runs += 1
        if script:
            raise script.pop(0)

    runner.handle("unlucky", unlucky)
    await enqueue("unlucky", [{}])

    async def over() -> bool:
        await database.execute("update pgqueuer set execute_after = now() where status = 'queued'")
        return await _gone() or await database.fetchval("select status = 'failed' from pgqueuer")

    async with running(runner):
        await until(over)
    assert (await queued(), script) == (0, [])
    assert runs == 2 + LIMITS.tries + 1 + LIMITS.tries


@pytest.mark.parametrize("told", [True, False])
async def test_a_job_that_a_stop_cuts_off_goes_back_and_has_killed_nobody(db: str, monkeypatch: pytest.MonkeyPatch, *, told: bool) -> None:
    """The twin is not told: the job looks like one that killed its process, and waits for its lease to run out."""
    begun: list[Payload] = []
    runner = PgQueuerRunner(db, dataclasses.replace(LIMITS, stop_seconds=0.05))

    async def hangs(payload: Payload) -> None:
        begun.append(payload)
        await asyncio.Event().wait()

    async def silent(*_: object) -> None:
        return None

    if not told:
        monkeypatch.setattr(PgQueuerRunner, "_give_back", silent)
    runner.handle("hangs", hangs)
    await enqueue("hangs", [{}])
    async with running(runner):
        await until(lambda: at_least(begun, 1))
    row = await database.fetchrow(
        "select status, queue_manager_id is null as free, coalesce((headers ->> 'runs')::int, 0) as runs from pgqueuer"
    )
    assert row is not None
    assert tuple(row) == (("queued", True, 0) if told else ("picked", False, 1))


@pytest.mark.parametrize("share", [2, 4])
async def test_jobs_that_nobody_answers_leave_room_for_others(db: str, share: int) -> None:
    """The twin gives one name all places: the other runs once the first of them has ended."""
    gate, begun, order = asyncio.Event(), list[Payload](), list[str]()
    runner = PgQueuerRunner(db, dataclasses.replace(LIMITS, places=4, share=share))

    async def hangs(payload: Payload) -> None:
        begun.append(payload)
        await gate.wait()
        order.append("slow")

    async def quick(_: Payload) -> None:
        order.append("quick")
        gate.set()

    runner.handle("hangs", hangs)
    runner.handle("quick", quick)
    await enqueue("hangs", [{"number": n} for n in range(6)])
    async with running(runner):
        await until(lambda: at_least(begun, share))
        await enqueue("quick", [{}])
        if share == 4:
            await until(_all_picked)
            gate.set()
        await until(_gone)
    assert (order[0], len(order)) == ("quick" if share < 4 else "slow", 7)


async def _all_picked() -> bool:
    return await database.fetchval("select count(*) = 7 from pgqueuer where status = 'picked'")


async def test_what_somebody_waits_for_in_a_chat_goes_before_a_backlog(db: str) -> None:
    order: list[str] = []
    runner = PgQueuerRunner(db, dataclasses.replace(LIMITS, places=1))
    for name in (PUSH, REPLY):

        async def one(_: Payload, name: str = name) -> None:
            order.append(name)

        runner.handle(name, one)
    await enqueue(PUSH, [{"number": n} for n in range(15)])
    await enqueue(REPLY, [{}])
    async with running(runner):
        await until(_gone)
    assert order == [REPLY, *[PUSH] * 15]
    assert frozenset({REPLY}) <= AT_ONCE
