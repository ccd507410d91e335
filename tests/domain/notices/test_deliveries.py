"""Leases of pushes."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain import db as database
from domain.clock import FixedClock
from domain.notices import deliveries
from tests.workers.outbox_rows import JOBS, Desk, a_desk, pushes, states


@pytest.fixture
async def desk(db: str, clock: FixedClock) -> Desk:
    return await a_desk(clock.now())


def test_the_tries_outlast_an_outage_of_15_minutes_and_follow_within_5() -> None:
    assert sum(deliveries.DELAYS) > 15 * 60
    assert max(deliveries.DELAYS) <= 5 * 60
    assert len(deliveries.DELAYS) == deliveries.MAX_TRIES - 1


async def test_a_late_sender_cannot_put_off_what_another_has_in_hand(desk: Desk, clock: FixedClock) -> None:
    await desk.device("t1")
    await desk.notice()
    (mine,) = await deliveries.claim_due(now=clock.now())
    clock.at += deliveries.LEASE
    (theirs,) = await deliveries.claim_due(now=clock.now())
    assert (mine.tries, theirs.tries) == (1, 2)
    before = await pushes()
    async with database.transaction() as tx:
        assert await deliveries.retry_at(tx, [mine], clock.now(), "late", jobs=JOBS) == 0
        assert await deliveries.park(tx, [mine], "late") == 0
    assert await pushes() == before
    async with database.transaction() as tx:
        assert await deliveries.park(tx, [theirs], "in time") == 1


async def test_a_push_that_always_kills_its_sender_is_parked(desk: Desk, clock: FixedClock) -> None:
    await desk.device("t1")
    await desk.notice()
    for _ in range(deliveries.MAX_TRIES):
        assert len(await deliveries.claim_due(now=clock.now())) == 1
        clock.at += deliveries.LEASE
    assert await deliveries.claim_due(now=clock.now()) == []
    assert states(await pushes()) == [("PARKED", deliveries.MAX_TRIES)]


async def test_the_longest_due_come_first_and_no_more_than_asked(desk: Desk, clock: FixedClock) -> None:
    for n in range(5):
        await desk.device(f"t{n}")
    await desk.notice()
    await database.execute(
        "update push_delivery p set next_try_at = $1::timestamptz - interval '1 s' * right(d.target, 1)::int from device d where d.id = p.device_id",
        clock.now(),
    )
    assert {push.target for push in await deliveries.claim_due(now=clock.now(), limit=2)} == {"t4", "t3"}
    assert {push.target for push in await deliveries.claim_due(now=clock.now())} == {"t0", "t1", "t2"}
    assert await deliveries.claim_due(now=clock.now()) == []


async def test_late_ones_are_closed_in_portions(desk: Desk, clock: FixedClock) -> None:
    for n in range(3):
        await desk.device(f"t{n}")
    await desk.notice()
    assert await deliveries.drop_late("why", now=clock.now()) == 0
    clock.at += timedelta(hours=2)
    assert [await deliveries.drop_late("why", now=clock.now(), limit=2) for _ in range(3)] == [2, 1, 0]
    assert states(await pushes()) == [("DROPPED", 0)] * 3
