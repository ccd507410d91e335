"""Pushes: real client, real HTTP, real rows."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import pytest

from api.notifications.fcm import FcmGateway, PushMessage, PushResult
from domain import db as database
from domain.bootstrap import Services
from domain.clock import FixedClock
from domain.ids import new_id, read_public_id
from domain.jobs import PUSH
from domain.notices import deliveries
from domain.notices.rules import NoticeKind
from domain.providers.pgqueuer_jobs import Limits, PgQueuerRunner
from plusone.demo.fcm_server import UNREGISTERED, WRONG_SENDER, Answer, FakeFcm
from tests.workers.outbox_rows import Desk, a_desk, inbox, job_payloads, push_all, pushes, run, services_at, states
from workers.outbox import Pushes, register


async def test_a_notice_reaches_every_device_in_its_language(
    desk: Desk, fcm: FakeFcm, gateway: FcmGateway, services: Services, clock: FixedClock
) -> None:
    order = new_id()
    await desk.device("fid-en", kind="FID", locale="en-US")
    await desk.device("token-zh")
    await desk.notice(orderId=str(order), lines=[{"title": "芒果禮盒", "label": "M", "quantity": 2}])
    clock.at += timedelta(minutes=1)
    await push_all(Pushes(gateway, services))
    english, chinese = sorted(fcm.messages, key=lambda m: "token" in m)
    notice_id = await database.fetchval("select id from notice")
    dedupe = chinese["data"]["dedupe"]
    assert read_public_id(dedupe) == ("notice", notice_id)
    assert chinese["token"] == "token-zh"
    assert english["fid"] == "fid-en"
    assert chinese["notification"] == {"title": "小芳團購：+1 成功", "body": "芒果禮盒 M ×2 · 訂單 1001-7 · 目前合計 NT$1,180"}
    assert english["notification"]["title"] == "小芳團購: your +1 is in"
    for message in (english, chinese):
        assert message["android"] == {
            "priority": "high",
            "ttl": "7140s",
            "collapse_key": dedupe,
            "notification": {"channel_id": "orders", "tag": dedupe},
        }
        assert message["apns"]["headers"] == {
            "apns-priority": "10",
            "apns-push-type": "alert",
            "apns-collapse-id": dedupe,
            "apns-expiration": str(int((desk.now + timedelta(hours=2)).timestamp())),
        }
        assert message["data"]["kind"] == "ORDER_PLACED"
        assert read_public_id(message["data"]["deep_link"].removeprefix("plusone://orders/")) == ("order", order)
    rows = await pushes()
    assert states(rows) == [("SENT", 1), ("SENT", 1)]
    assert all(row["provider_id"].startswith("projects/plusone-local/messages/") and row["sent_at"] == clock.now() for row in rows)
    assert await inbox() == 1


async def test_the_same_job_again_sends_no_second_push(desk: Desk, fcm: FakeFcm, gateway: FcmGateway, services: Services) -> None:
    await desk.device("t1")
    await desk.notice()
    handler = Pushes(gateway, services)
    await push_all(handler)
    await push_all(handler)
    await handler.sweep()
    jobs = await job_payloads(PUSH, "deliveries")
    await asyncio.gather(*(run(Pushes(gateway, services), {"deliveries": ids}) for ids in jobs * 5))
    assert len(fcm.attempts) == 1


async def test_workers_that_meet_send_one_push_each(desk: Desk, fcm: FakeFcm, gateway: FcmGateway, services: Services) -> None:
    for n in range(30):
        await desk.device(f"t{n:02}")
    await desk.notice()
    jobs = await job_payloads(PUSH, "deliveries")
    assert [len(job) for job in jobs] == [20, 10]
    workers = [Pushes(gateway, services) for _ in range(4)]
    await asyncio.gather(*(run(worker, {"deliveries": ids}) for worker in workers for ids in jobs), *(worker.sweep() for worker in workers))
    assert sorted(message["token"] for message in fcm.messages) == [f"t{n:02}" for n in range(30)]
    assert states(await pushes()) == [("SENT", 1)] * 30


async def test_twin_without_the_claim_sends_twice(
    desk: Desk, fcm: FakeFcm, gateway: FcmGateway, services: Services, clock: FixedClock
) -> None:
    await desk.device("t1")
    await desk.notice()
    handler = Pushes(gateway, services)
    claimed = await deliveries.claim_due(now=clock.now())
    await asyncio.gather(handler._send(gateway, claimed), handler._send(gateway, claimed))
    assert len(fcm.messages) == 2


async def test_a_crash_between_send_and_mark_sends_once_more_with_the_same_dedupe_id(
    desk: Desk, fcm: FakeFcm, gateway: FcmGateway, services: Services, clock: FixedClock
) -> None:
    await desk.device("t1")
    await desk.notice()

    class Dies(Exception):
        """The process, in the worst moment."""

    class DiesAfterSending:
        async def send(self, messages: Sequence[PushMessage]) -> list[PushResult]:
            await gateway.send(messages)
            raise Dies

    with pytest.raises(Dies):
        await push_all(Pushes(DiesAfterSending(), services))
    handler = Pushes(gateway, services)
    await push_all(handler)
    await handler.sweep()
    assert len(fcm.messages) == 1  # the lease still holds
    clock.at += deliveries.LEASE
    await handler.sweep()
    await handler.sweep()
    await push_all(handler)
    first, second = fcm.messages
    assert first["data"]["dedupe"] == second["data"]["dedupe"]
    assert first["apns"]["headers"] == second["apns"]["headers"]
    assert states(await pushes()) == [("SENT", 2)]


async def test_a_dead_device_is_forgotten_at_once_and_the_notice_stays(
    desk: Desk, fcm: FakeFcm, gateway: FcmGateway, services: Services
) -> None:
    fcm.answers |= {"gone": UNREGISTERED, "other": WRONG_SENDER}
    for target in ("alive", "gone", "other"):
        await desk.device(target)
    await desk.notice()
    handler = Pushes(gateway, services)
    await push_all(handler)
    assert [(row["target"], row["state"], row["revoked"], row["last_error"]) for row in await pushes()] == [
        ("alive", "SENT", False, ""),
        ("gone", "DROPPED", True, "404 UNREGISTERED"),
        ("other", "DROPPED", True, "403 SENDER_ID_MISMATCH"),
    ]
    await desk.notice("n2")
    await push_all(handler)
    assert [target for target, _ in fcm.attempts].count("gone") == 1
    assert await inbox() == 2


async def test_a_device_with_a_new_token_is_not_revoked_for_its_old_one(
    desk: Desk, fcm: FakeFcm, gateway: FcmGateway, services: Services, clock: FixedClock
) -> None:
    fcm.answers["old"] = UNREGISTERED
    device = await desk.device("old")
    await desk.notice()
    claimed = await deliveries.claim_due(now=clock.now())
    await database.execute("update device set target = 'new' where id = $1", device)
    await Pushes(gateway, services)._send(gateway, claimed)
    assert [(row["target"], row["state"], row["revoked"]) for row in await pushes()] == [("new", "DROPPED", False)]


async def test_another_member_on_the_phone_does_not_see_the_push(
    desk: Desk, fcm: FakeFcm, gateway: FcmGateway, services: Services, clock: FixedClock
) -> None:
    device = await desk.device("phone")
    signed_out = await desk.device("signed-out")
    await desk.notice()
    other = await a_desk(clock.now())
    await database.execute("update device set member_id = $1 where id = $2", other.member_id, device)
    await database.execute("update device set revoked_at = $1 where id = $2", clock.now(), signed_out)
    await push_all(Pushes(gateway, services))
    assert fcm.attempts == []
    assert [(row["state"], row["last_error"]) for row in await pushes()] == [
        ("DROPPED", "device changed hands"),
        ("DROPPED", "device revoked"),
    ]


async def test_the_sweeper_sends_what_no_job_stands_for(desk: Desk, fcm: FakeFcm, gateway: FcmGateway, services: Services) -> None:
    for n in range(130):
        await desk.device(f"t{n:03}")
    await desk.notice()
    await database.execute("delete from pgqueuer")
    await Pushes(gateway, services).sweep()
    assert len(fcm.messages) == 130
    assert {row["state"] for row in await pushes()} == {"SENT"}


async def test_a_message_that_google_never_takes_is_parked_and_keeps_its_device(
    desk: Desk, fcm: FakeFcm, gateway: FcmGateway, services: Services
) -> None:
    fcm.answers["odd"] = Answer(400, "INVALID_ARGUMENT", message="Message too big.")
    await desk.device("odd")
    await desk.notice()
    await push_all(Pushes(gateway, services))
    (row,) = await pushes()
    assert (row["state"], row["tries"], row["revoked"]) == ("PARKED", 1, False)


@pytest.mark.parametrize("kind", NoticeKind)
async def test_every_kind_of_notice_is_a_message_that_the_server_takes(
    desk: Desk, fcm: FakeFcm, gateway: FcmGateway, services: Services, kind: NoticeKind
) -> None:
    await desk.device("t1")
    await desk.notice(
        kind=kind, lines=[{"title": "很長的名字" * 40, "label": "x" * 100, "quantity": 3}] * 9, title="公告" * 200, body="文" * 5000
    )
    await push_all(Pushes(gateway, services))
    assert states(await pushes()) == [("SENT", 1)]


async def test_a_slow_server_holds_up_one_lot_only_and_counts(
    desk: Desk, fcm: FakeFcm, account: dict[str, str], services: Services, clock: FixedClock
) -> None:
    fcm.answers["slow"] = Answer(delay_seconds=30, times=1)
    impatient = FcmGateway({**account, "token_uri": f"{fcm.url}/token"}, base_url=fcm.url, production=False, timeout_seconds=3.0)
    await desk.device("slow")
    await desk.device("swift")
    await desk.notice()
    await push_all(Pushes(impatient, services))
    assert [(row["target"], row["state"], row["tries"], row["last_error"]) for row in await pushes()] == [
        ("slow", "PENDING", 1, "ReadTimeout"),
        ("swift", "SENT", 1, ""),
    ]
    await impatient.aclose()


async def test_from_the_queue_to_the_phone(db: str, desk: Desk, fcm: FakeFcm, clock: FixedClock) -> None:
    """The whole way: rows and jobs of a transaction, the runner, the settings' own gateway."""
    runner = PgQueuerRunner(db, Limits(poll_seconds=0.2))
    close = register(runner, services_at(clock, fcm_base_url=fcm.url))
    stop = asyncio.Event()
    task = asyncio.create_task(runner.run(stop))
    await desk.device("t1")
    await desk.notice()
    async with asyncio.timeout(30):
        while states(await pushes()) != [("SENT", 1)]:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    stop.set()
    await task
    await close()
    assert [message["token"] for message in fcm.messages] == ["t1"]
    assert await database.fetchval("select count(*) from pgqueuer") == 0
    await database.execute("delete from pgqueuer_schedules")


async def test_unknown_and_foreign_ids_in_a_job_send_nothing(desk: Desk, fcm: FakeFcm, gateway: FcmGateway, services: Services) -> None:
    await Pushes(gateway, services).handle({"deliveries": [str(new_id()), str(UUID(int=0))]})
    assert fcm.attempts == []
