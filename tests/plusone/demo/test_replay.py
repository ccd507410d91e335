"""The clock of the replay, and how the evening is cut into scenes."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from domain.claims.replies import LEASE as REPLY_LEASE
from domain.notices.deliveries import LEASE as PUSH_LEASE
from plusone.demo.places import EVENING
from plusone.demo.record import recorded
from plusone.demo.replay import SCENE, ReplayClock, scenes


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
