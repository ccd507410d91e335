"""A digest reaches the phone once, says how much there is, and is not sent when all was read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import time, timedelta

import pytest

from api.notifications.digest import digest_text
from api.notifications.fcm import Outcome, PushMessage, PushResult
from domain import db as database
from domain.clock import FixedClock
from domain.notices import settings
from domain.notices.digests import USE_BY
from domain.notices.settings import Wish
from tests.workers.outbox_rows import Desk, a_desk, services_at
from workers.digests import send_digests
from workers.outbox import Pushes


class Phones:
    """Takes messages down; answers as told."""

    def __init__(self) -> None:
        self.got: list[PushMessage] = []
        self.answer = Outcome.SENT

    async def send(self, messages: Sequence[PushMessage]) -> list[PushResult]:
        self.got += messages
        return [PushResult(self.answer, "id") for _ in messages]


@pytest.fixture
async def desk(db: str, clock: FixedClock) -> Desk:
    """A member with two phones, whose one push of the day is the digest, and two notices."""
    found = await a_desk(clock.now())
    await found.device("t1")
    await found.device("t2", locale="en")
    await settings.wish(member_id=found.member_id, wanted=Wish("Asia/Taipei", daily_pushes=1, digest_at=time(20)), now=clock.now())
    await found.notice("a")
    await found.notice("b")
    return found


async def test_a_digest_is_sent_once_to_each_phone_in_its_language(desk: Desk, clock: FixedClock) -> None:
    phones, services = Phones(), services_at(clock)
    await Pushes(phones, services).sweep()
    assert phones.got == []
    assert await send_digests(phones, services) == 0
    clock.at += timedelta(hours=4)
    phones.answer = Outcome.RETRY
    assert await send_digests(phones, services) == 0
    clock.at += timedelta(minutes=2)
    phones.answer = Outcome.SENT
    assert await send_digests(phones, services) == 1
    assert await send_digests(phones, services) == 0
    assert [(m.target, m.title, m.body) for m in phones.got[2:]] == [
        ("t1", "今天還有 2 則通知", "小芳團購 2 則"),
        ("t2", "2 more notifications today", "2 from 小芳團購"),
    ]
    assert len({m.dedupe_id for m in phones.got}) == 1
    assert phones.got[0].data["deep_link"] == "plusone://notifications"


async def test_nothing_unread_is_no_digest(desk: Desk, clock: FixedClock) -> None:
    phones, services = Phones(), services_at(clock)
    await Pushes(phones, services).sweep()
    await database.execute("update notice set read_at = now()")
    clock.at += timedelta(hours=4)
    assert await send_digests(phones, services) == 1
    assert phones.got == []
    assert await database.fetchval("select state from push_digest") == "DROPPED"


async def test_a_digest_that_could_not_be_sent_is_dropped_in_the_end(desk: Desk, clock: FixedClock) -> None:
    phones, services = Phones(), services_at(clock)
    await Pushes(phones, services).sweep()
    clock.at += timedelta(hours=4) + USE_BY
    assert await send_digests(phones, services) == 0
    assert await send_digests(None, services) == 0
    assert await database.fetchval("select state from push_digest") == "DROPPED"


@pytest.mark.parametrize(
    ("count", "shops", "locale", "title", "body"),
    [
        (1, [("A", 1)], "en", "One more notification today", "1 from A"),
        (9, [("A", 5), ("B", 4)], "ja", "9 more notifications today", "5 from A, 4 from B"),
        (9, [("很" * 30, 9)], "", "今天還有 9 則通知", "很" * 23 + "… 9 則"),
        (2, [], "zh-HK", "今日還有 2 則通知", "請開啟 App 查看"),
    ],
)
def test_the_words_of_a_digest(count: int, shops: list[tuple[str, int]], locale: str, title: str, body: str) -> None:
    found = digest_text(count, shops, locale)
    assert (found.title, found.body) == (title, body)
