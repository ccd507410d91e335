"""What waits, as alarms see it."""

from __future__ import annotations

from datetime import datetime, timedelta

from domain import db as database
from domain.db import transaction
from domain.inbox import queries
from domain.inbox.rules import EventState
from domain.providers.pgqueuer_jobs import PgQueuerJobs
from tests.build import NOW, an_endpoint


async def an_event(key: str, state: str, received_at: datetime) -> None:
    await database.execute(
        """insert into inbox_event (endpoint_id, source, external_key, lane, occurred_at, payload, received_at, state, outcome, tries, parked_reason)
           values ($1, 'line', $2, 1, $3, '{}', $3, $4, '', 0, $5)""",
        await an_endpoint(source="line"),
        key,
        received_at,
        state,
        "odd" if state == "PARKED" else "",
    )


async def test_an_empty_inbox_has_no_age(db: str) -> None:
    await database.execute("analyze inbox_event")
    assert await queries.counts() == {EventState.PENDING: 0, EventState.DECIDED: 0, EventState.PARKED: 0}
    assert await queries.backlog(NOW) == queries.Backlog(None, None, {EventState.PENDING: 0, EventState.DECIDED: 0, EventState.PARKED: 0})


async def test_the_age_is_that_of_the_oldest_undecided_event(db: str) -> None:
    await an_event("decided", "DECIDED", NOW - timedelta(hours=3))
    await an_event("parked", "PARKED", NOW - timedelta(hours=2))
    await an_event("old", "PENDING", NOW - timedelta(seconds=90))
    await an_event("new", "PENDING", NOW - timedelta(seconds=1))
    await database.execute("analyze inbox_event")
    assert await queries.counts() == {EventState.PENDING: 2, EventState.DECIDED: 1, EventState.PARKED: 1}
    assert await queries.backlog(NOW) == queries.Backlog(90.0, None, {EventState.PENDING: 2, EventState.DECIDED: 1, EventState.PARKED: 1})


async def test_an_age_is_never_negative(db: str) -> None:
    await an_event("ahead", "PENDING", NOW + timedelta(seconds=5))
    assert (await queries.backlog(NOW)).inbox_oldest_seconds == 0.0


async def test_the_outbox_is_as_old_as_its_oldest_due_job(db: str) -> None:
    async with transaction() as tx:
        await PgQueuerJobs().enqueue(tx, "reply", [{"replies": []}])
    due: datetime = await database.fetchval("select min(execute_after) from pgqueuer")
    assert (await queries.backlog(due + timedelta(seconds=40))).outbox_oldest_seconds == 40.0
    assert (await queries.backlog(due - timedelta(seconds=1))).outbox_oldest_seconds is None
