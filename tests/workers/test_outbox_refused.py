"""Pushes that are not taken: at once, for a while, or ever."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from api.notifications.fcm import FcmGateway, Outcome, PushMessage, PushResult
from api.notifications.service_account import self_made
from domain import db as database
from domain.bootstrap import Services
from domain.clock import FixedClock
from domain.notices import deliveries
from plusone.demo.fcm_server import INTERNAL, NO_PROJECT, QUOTA, UNAVAILABLE, Answer, FakeFcm
from tests.workers.outbox_rows import Desk, inbox, push_all, pushes, states
from workers.outbox import NO_CREDENTIALS, Pushes


@pytest.mark.parametrize(("told", "waits"), [(7, 7), (None, 60), (1800, 1800)])
async def test_429_is_obeyed(
    desk: Desk, fcm: FakeFcm, gateway: FcmGateway, services: Services, clock: FixedClock, told: int | None, waits: int
) -> None:
    fcm.answers["busy"] = Answer(429, "QUOTA_EXCEEDED", retry_after_seconds=told, times=1)
    await desk.device("busy")
    await desk.notice()
    handler = Pushes(gateway, services)
    await push_all(handler)
    (row,) = await pushes()
    assert (row["state"], row["tries"], row["last_error"]) == ("PENDING", 1, "429 QUOTA_EXCEEDED")
    assert row["next_try_at"] == clock.now() + timedelta(seconds=waits)
    assert (
        await database.fetchval("select execute_after from pgqueuer order by id desc limit 1") == row["next_try_at"] + deliveries.JOB_AFTER
    )
    clock.at += timedelta(seconds=waits - 1)
    await push_all(handler)
    await handler.sweep()
    assert len(fcm.attempts) == 1
    clock.at += timedelta(seconds=1)
    await push_all(handler)
    assert fcm.attempts == [("busy", 429), ("busy", 200)]
    assert states(await pushes()) == [("SENT", 2)]


async def test_429_for_one_device_after_the_other_pauses_all_and_costs_no_try(
    desk: Desk, fcm: FakeFcm, gateway: FcmGateway, services: Services, clock: FixedClock
) -> None:
    fcm.answers[""] = QUOTA
    for n in range(25):
        await desk.device(f"t{n:02}")
    await desk.notice()
    handler = Pushes(gateway, services)
    await push_all(handler)
    assert len(fcm.attempts) == 20  # the first lot; the second was not even tried
    assert sorted(states(await pushes())) == [("PENDING", 0)] * 5 + [("PENDING", 1)] * 20
    fcm.answers.clear()
    clock.at += timedelta(seconds=7)
    await push_all(handler)
    assert sorted(states(await pushes())) == [("SENT", 1)] * 5 + [("SENT", 2)] * 20


async def test_a_short_pause_that_comes_later_does_not_end_a_long_one(desk: Desk, services: Services, clock: FixedClock) -> None:
    """Two lots are on their way at once; the answer to the second comes last."""
    asked: list[int] = []
    come, go = [[asyncio.Event() for _ in range(2)] for _ in range(2)]

    class Throttling:
        async def send(self, messages: Sequence[PushMessage]) -> list[PushResult]:
            number = len(asked)
            asked.append(len(messages))
            come[number].set()
            await go[number].wait()
            seconds = (600.0, 1.0)[number]
            return [PushResult(Outcome.RETRY, retry_after_seconds=seconds, throttled=True) for _ in messages]

    for n in range(6):
        await desk.device(f"t{n}")
    await desk.notice()
    gateway = Throttling()
    handler = Pushes(gateway, services)
    sending = []
    for each in come:
        lot = await deliveries.claim_due(now=clock.now(), limit=3)
        sending.append(asyncio.create_task(handler._send(gateway, lot)))
        await each.wait()
    for task, each in zip(sending, go, strict=True):
        each.set()
        await task
    clock.at += timedelta(seconds=5)
    await handler.sweep()
    assert asked == [3, 3]


async def test_one_busy_device_does_not_stop_the_others(desk: Desk, fcm: FakeFcm, gateway: FcmGateway, services: Services) -> None:
    fcm.answers["busy"] = QUOTA
    await desk.device("busy")
    await desk.notice()
    handler = Pushes(gateway, services)
    await push_all(handler)
    await desk.device("idle")
    await desk.notice("n2")
    await push_all(handler)
    assert [message["token"] for message in fcm.messages] == ["idle"]


@pytest.mark.parametrize("answer", [UNAVAILABLE, INTERNAL, Answer(503, "UNAVAILABLE", retry_after_seconds=7)])
async def test_5xx_is_tried_again_and_parked_after_the_limit(
    desk: Desk, fcm: FakeFcm, gateway: FcmGateway, services: Services, clock: FixedClock, answer: Answer
) -> None:
    fcm.answers["down"] = answer
    await desk.device("down")
    await desk.notice()
    handler = Pushes(gateway, services)
    waits = []
    for _ in range(deliveries.MAX_TRIES):
        await push_all(handler)
        waits.append(((await pushes())[0]["next_try_at"] - clock.now()).total_seconds())
        clock.at += timedelta(seconds=waits[-1])
    assert waits[:-1] == list(deliveries.DELAYS)
    (row,) = await pushes()
    assert (row["state"], row["tries"]) == ("PARKED", deliveries.MAX_TRIES)
    await push_all(handler)
    await handler.sweep()
    assert fcm.attempts == [("down", answer.status)] * deliveries.MAX_TRIES  # one HTTP call per try: the client does not repeat by itself
    assert await inbox() == 1
    assert not row["revoked"]


async def test_a_longer_retry_after_of_503_is_obeyed(
    desk: Desk, fcm: FakeFcm, gateway: FcmGateway, services: Services, clock: FixedClock
) -> None:
    fcm.answers["down"] = Answer(503, "UNAVAILABLE", retry_after_seconds=500)
    await desk.device("down")
    await desk.notice()
    await push_all(Pushes(gateway, services))
    assert (await pushes())[0]["next_try_at"] == clock.now() + timedelta(seconds=500)


async def test_a_wrong_key_costs_no_device_and_no_try(
    desk: Desk, fcm: FakeFcm, gateway: FcmGateway, services: Services, clock: FixedClock, caplog: pytest.LogCaptureFixture
) -> None:
    fcm.trusted = self_made(fcm.url)
    await desk.device("t1")
    await desk.notice()
    handler = Pushes(gateway, services)
    for _ in range(deliveries.MAX_TRIES + 2):
        await push_all(handler)
        (row,) = await pushes()
        assert (row["state"], row["tries"], row["revoked"], row["last_error"]) == ("PENDING", 0, False, "access token refused")
        clock.at = row["next_try_at"]
    assert "check credentials" in caplog.text
    fcm.trusted = None
    await push_all(handler)
    assert states(await pushes()) == [("SENT", 1)]


async def test_a_wrong_project_costs_no_device_and_no_try(desk: Desk, fcm: FakeFcm, gateway: FcmGateway, services: Services) -> None:
    fcm.answers[""] = NO_PROJECT
    await desk.device("t1")
    await desk.notice()
    await push_all(Pushes(gateway, services))
    (row,) = await pushes()
    assert (row["state"], row["tries"], row["revoked"]) == ("PENDING", 0, False)


async def test_a_server_away_costs_no_try_until_the_push_is_too_old(
    desk: Desk, account: dict[str, str], services: Services, clock: FixedClock
) -> None:
    nobody = FcmGateway(account, base_url="http://127.0.0.1:1", production=False)
    await desk.device("t1")
    await desk.notice()
    handler = Pushes(nobody, services)
    for _ in range(10):
        await push_all(handler)
        assert states(await pushes()) == [("PENDING", 0)]
        clock.at = (await pushes())[0]["next_try_at"]
    clock.at = desk.now + timedelta(hours=2)
    await handler.sweep()
    await nobody.aclose()
    (row,) = await pushes()
    assert (row["state"], row["tries"], row["last_error"], row["revoked"]) == ("DROPPED", 0, "too late", False)
    assert await inbox() == 1


async def test_without_credentials_pushes_wait_and_are_dropped_in_the_end(desk: Desk, services: Services, clock: FixedClock) -> None:
    await desk.device("t1")
    await desk.notice()
    handler = Pushes(None, services)
    await push_all(handler)
    clock.at += timedelta(hours=2) - timedelta(seconds=1)
    await handler.sweep()
    assert states(await pushes()) == [("PENDING", 0)]
    clock.at += timedelta(seconds=1)
    await handler.sweep()
    (row,) = await pushes()
    assert (row["state"], row["last_error"]) == ("DROPPED", NO_CREDENTIALS)
    assert await inbox() == 1
