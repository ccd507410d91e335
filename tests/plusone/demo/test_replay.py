"""The clock of the replay, and how the evening is cut into scenes."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from datetime import timedelta

import pytest

from domain.claims.ports import ReplyDelayed
from domain.claims.replies import LEASE as REPLY_LEASE
from domain.clock import FixedClock
from domain.jobs import REPLY
from domain.notices.deliveries import LEASE as PUSH_LEASE
from domain.providers.pgqueuer_jobs import PgQueuerRunner
from plusone.demo import replay as demo
from plusone.demo.places import EVENING
from plusone.demo.record import recorded
from plusone.demo.replay import SCENE, ReplayClock, scenes
from tests.providers.jobs_help import LIMITS, running
from tests.workers.outbox_rows import Told, a_desk_with_comment, services_at
from workers.outbox import Replies


async def test_the_clock_stands_still_between_jumps_and_runs_on_at_the_end():
    clock = ReplayClock(EVENING)
    clock.jump(EVENING + timedelta(minutes=2))
    clock.jump(EVENING + timedelta(minutes=1))
    assert clock.now() == EVENING + timedelta(minutes=2)
    assert clock.now() == EVENING + timedelta(minutes=2)
    clock.run_on()
    before = clock.now()
    while clock.now() == before:  # noqa: ASYNC110
        await asyncio.sleep(0)
    assert before >= EVENING + timedelta(minutes=2)


def test_scenes_are_shorter_than_a_lease_and_leave_nothing_out():
    found = scenes(recorded())
    assert [delivery for scene in found for delivery in scene] == list(recorded())
    assert all(scene[-1].at - scene[0].at < SCENE for scene in found)
    assert min(PUSH_LEASE, REPLY_LEASE) > SCENE


@pytest.mark.parametrize("moves", [True, False])
async def test_what_was_put_off_is_sent_when_the_clock_has_gone_there_and_the_twin_waits_in_vain(
    db: str, monkeypatch: pytest.MonkeyPatch, *, moves: bool
) -> None:
    """A reply that the platform did not answer in time is put off by the evening's clock, which stands still until all is sent."""
    clock = ReplayClock(EVENING)
    desk = await a_desk_with_comment(EVENING)
    await desk.replies("a")
    told = Told(ReplyDelayed("ReadTimeout", 5.0), "id-1")
    services = dataclasses.replace(services_at(FixedClock(EVENING)), clock=clock)
    monkeypatch.setattr(demo, "SETTLE_SECONDS", 60.0 if moves else 1.0)
    runner = PgQueuerRunner(db, LIMITS)
    runner.handle(REPLY, Replies(told, services).handle)
    async with running(runner):
        with contextlib.nullcontext() if moves else pytest.raises(demo.NotSettled, match="1 replies"):
            await demo.settled(clock if moves else None)
    assert (len(told.sent), clock.now() - EVENING) == ((2, timedelta(seconds=5)) if moves else (1, timedelta(0)))
