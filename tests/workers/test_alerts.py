"""Alerts about sign-ins reach the member's phones: real client, real HTTP, real rows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

from api.notifications.alerts import alert_text
from api.notifications.fcm import FcmGateway
from domain import db as database
from domain.bootstrap import Services
from domain.clock import FixedClock
from domain.ids import new_id, read_public_id
from domain.members.alerts import alerts_of, raise_alert
from domain.members.rules import AlertKind
from plusone.demo.fcm_server import UNAVAILABLE, UNREGISTERED, FakeFcm
from tests.workers.outbox_rows import Desk
from workers import outbox
from workers.alerts import send_due


async def alarm(desk: Desk, clock: FixedClock, kind: AlertKind = AlertKind.REUSED, installation: str = "stolen") -> None:
    async with database.transaction() as tx:
        await raise_alert(tx, kind, member_id=desk.member_id, session_id=new_id(), installation_id=installation, now=clock.now())


async def test_every_phone_of_the_member_is_told_in_its_language(
    desk: Desk, fcm: FakeFcm, gateway: FcmGateway, services: Services, clock: FixedClock
) -> None:
    await desk.device("fid-en", kind="FID", locale="en-US")
    await desk.device("token-zh")
    await alarm(desk, clock)
    assert await send_due(gateway, services) == 1
    english, chinese = sorted(fcm.messages, key=lambda message: "token" in message)
    assert english["notification"]["title"] == "Somebody else used your sign-in"
    assert chinese["notification"]["title"] == "有人使用了您的登入憑證"
    (alert,) = await alerts_of(desk.member_id)
    dedupe = chinese["data"]["dedupe"]
    assert read_public_id(dedupe) == ("alert", alert.id)
    assert english["data"] == chinese["data"] == {
        "kind": "SIGN_IN_REUSED", "alert_id": dedupe, "deep_link": "plusone://security", "dedupe": dedupe,
    }  # fmt: skip
    assert chinese["android"]["collapse_key"] == chinese["apns"]["headers"]["apns-collapse-id"] == dedupe
    assert (chinese["android"]["ttl"], chinese["android"]["notification"]["channel_id"]) == ("86400s", "security")
    clock.at += timedelta(minutes=5)
    assert await send_due(gateway, services) == 0
    assert len(fcm.messages) == 2


async def test_a_new_device_is_not_told_of_itself(
    desk: Desk, fcm: FakeFcm, gateway: FcmGateway, services: Services, clock: FixedClock
) -> None:
    await desk.device("token-old")
    new = await desk.device("token-new")
    await alarm(desk, clock, AlertKind.NEW_DEVICE, f"install-{new}")
    assert await send_due(gateway, services) == 1
    assert [message["token"] for message in fcm.messages] == ["token-old"]


async def test_what_firebase_does_not_take_now_is_sent_again_under_the_same_id(
    desk: Desk, fcm: FakeFcm, gateway: FcmGateway, services: Services, clock: FixedClock
) -> None:
    await desk.device("token-1")
    await alarm(desk, clock)
    fcm.answers["token-1"] = UNAVAILABLE
    assert await send_due(gateway, services) == 0
    assert await send_due(gateway, services) == 0, "leased for a minute"
    fcm.answers.clear()
    clock.at += timedelta(minutes=1)
    assert await send_due(gateway, services) == 1
    assert [status for _, status in fcm.attempts] == [503, 200]
    assert len(fcm.messages) == 1


async def test_a_phone_that_is_gone_holds_nothing_up(
    desk: Desk, fcm: FakeFcm, gateway: FcmGateway, services: Services, clock: FixedClock
) -> None:
    await desk.device("gone-1")
    await desk.device("token-1")
    await alarm(desk, clock)
    fcm.answers["gone"] = UNREGISTERED
    assert await send_due(gateway, services) == 1
    assert [message["token"] for message in fcm.messages] == ["token-1"]


async def test_without_a_gateway_alerts_wait_for_one(
    desk: Desk, gateway: FcmGateway, fcm: FakeFcm, services: Services, clock: FixedClock
) -> None:
    await desk.device("token-1")
    await alarm(desk, clock)
    assert await send_due(None, services) == 0
    assert await send_due(gateway, services) == 1


async def test_nobody_to_tell_is_done(desk: Desk, gateway: FcmGateway, fcm: FakeFcm, services: Services, clock: FixedClock) -> None:
    await alarm(desk, clock)
    assert (await send_due(gateway, services), await send_due(gateway, services), fcm.messages) == (1, 0, [])


class Runner:
    """Notes what is registered."""

    def __init__(self) -> None:
        self.actions: dict[str, Callable[[], Awaitable[None]]] = {}

    def handle(self, name: str, handler: object) -> None:
        pass

    def every(self, cron: str, name: str, action: Callable[[], Awaitable[None]]) -> None:
        assert cron == "* * * * *"
        self.actions[name] = action

    async def run(self, stop: object) -> None:
        raise AssertionError


async def test_the_worker_looks_every_minute(desk: Desk, gateway: FcmGateway, fcm: FakeFcm, services: Services, clock: FixedClock) -> None:
    runner = Runner()
    close = outbox.register(runner, services, gateway=gateway)
    await desk.device("token-1")
    await alarm(desk, clock)
    await runner.actions["sweep-sign-in-alerts"]()
    assert len(fcm.messages) == 1
    await close()


def test_every_kind_has_words_in_every_language() -> None:
    said = {alert_text(kind, locale).title for kind in AlertKind for locale in ("zh-TW", "zh-Hant-HK", "zh-CN", "en", "ja")}
    assert len(said) == 4 * len(AlertKind)
    assert alert_text(AlertKind.REUSED, "") == alert_text(AlertKind.REUSED, "zh-TW")
    assert alert_text(AlertKind.NEW_DEVICE, "zh-HK").body == "如非你本人，請開啟 App 將該裝置登出"
    assert alert_text(AlertKind.NEW_DEVICE, "zh-SG").body == "如果不是您本人，请打开 App 退出该设备的登录"
