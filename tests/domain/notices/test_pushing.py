"""What becomes of a push: tables of cases, quiet hours through both changes of clocks, and a month of random days."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.notices.pushing import DEADLINES, URGENT, ShopWishes, Verdict, Way, Wishes, decide, next_at, room
from domain.notices.rules import NoticeKind

K = NoticeKind
TAIPEI = ZoneInfo("Asia/Taipei")
NOON = datetime(2026, 11, 21, 4, tzinfo=UTC)
NIGHT = datetime(2026, 11, 21, 16, tzinfo=UTC)  # midnight in Taipei
PLAIN = Wishes(TAIPEI)
QUIET = Wishes(TAIPEI, time(22), time(8))
MUTED = ShopWishes(muted=True)
MORNING = datetime(2026, 11, 22, 0, tzinfo=UTC)
EVENING = datetime(2026, 11, 21, 12, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


CASES: list[tuple[str, dict[str, Any], Verdict]] = [
    ("an ordinary one goes", {}, Verdict(Way.SEND)),
    ("what was read is not pushed", {"read": True}, Verdict(Way.SILENT, why="read already")),
    ("nor is a deadline that was read", {"read": True, "kind": K.PAYMENT_REMINDER}, Verdict(Way.SILENT, why="read already")),
    ("a kind that is off", {"wishes": replace(PLAIN, off=frozenset({K.ORDER_PLACED}))}, Verdict(Way.SILENT, why="not wanted")),
    ("another kind that is off", {"wishes": replace(PLAIN, off=frozenset({K.ANNOUNCEMENT}))}, Verdict(Way.SEND)),
    ("a kind that is off for the shop", {"shop": ShopWishes(off=frozenset({K.ORDER_PLACED}))}, Verdict(Way.SILENT, why="not wanted")),
    ("a deadline that is off", {"kind": K.PAYMENT_REMINDER, "wishes": replace(PLAIN, off=frozenset({K.PAYMENT_REMINDER}))}, Verdict(Way.SILENT, why="not wanted")),
    ("a muted shop", {"shop": MUTED}, Verdict(Way.SILENT, why="muted")),
    ("a mute that is over", {"shop": ShopWishes(muted=True, muted_until=NOON)}, Verdict(Way.SEND)),
    ("a mute that goes on", {"shop": ShopWishes(muted=True, muted_until=NOON + timedelta(seconds=1))}, Verdict(Way.SILENT, why="muted")),
    ("a deadline of a muted shop", {"kind": K.PAYMENT_REMINDER, "shop": MUTED}, Verdict(Way.SEND)),
    ("quiet hours", {"wishes": QUIET, "now": NIGHT}, Verdict(Way.WAIT, MORNING)),
    ("by day in quiet hours' wishes", {"wishes": QUIET}, Verdict(Way.SEND)),
    ("a deadline in quiet hours", {"kind": K.SHIPMENT_LAST_DAY, "wishes": QUIET, "now": NIGHT}, Verdict(Way.SEND)),
    ("a muted shop in quiet hours", {"wishes": QUIET, "now": NIGHT, "shop": MUTED}, Verdict(Way.SILENT, why="muted")),
    ("no room left", {"spent": 15}, Verdict(Way.DIGEST, EVENING)),
    ("the last one with room", {"spent": 14}, Verdict(Way.SEND)),
    ("an announcement has half the room", {"kind": K.ANNOUNCEMENT, "spent": 9}, Verdict(Way.DIGEST, EVENING)),
    ("an announcement within it", {"kind": K.ANNOUNCEMENT, "spent": 8}, Verdict(Way.SEND)),
    ("an urgent one has nearly all", {"kind": K.PICKUP_READY, "spent": 18}, Verdict(Way.SEND)),
    ("but the last place is the digest's", {"kind": K.PICKUP_READY, "spent": 19}, Verdict(Way.DIGEST, EVENING)),
    ("a deadline needs no room", {"kind": K.PAYMENT_REMINDER, "spent": 99}, Verdict(Way.SEND)),
    ("one a day is the digest", {"wishes": replace(PLAIN, daily_pushes=1)}, Verdict(Way.DIGEST, EVENING)),
    ("none a day", {"wishes": replace(PLAIN, daily_pushes=0)}, Verdict(Way.SILENT, why="no pushes wanted")),
    ("none a day but deadlines", {"wishes": replace(PLAIN, daily_pushes=0), "kind": K.PAYMENT_REMINDER}, Verdict(Way.SEND)),
    ("a digest after the hour is the next day's", {"spent": 99, "now": EVENING}, Verdict(Way.DIGEST, EVENING + timedelta(days=1))),
    ("a digest in quiet hours waits for their end", {"spent": 99, "wishes": replace(QUIET, digest_at=time(23))}, Verdict(Way.DIGEST, MORNING)),
]  # fmt: skip


@pytest.mark.parametrize(("given_", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_becomes_of_a_push(given_: dict[str, Any], expected: Verdict) -> None:
    asked: dict[str, Any] = {"kind": K.ORDER_PLACED, "read": False, "wishes": PLAIN, "shop": ShopWishes(), "spent": 0, "now": NOON} | given_
    assert decide(asked.pop("kind"), **asked) == expected


CLOCKS = [
    # zone, quiet from, until, now, loud at
    ("Asia/Taipei", "22:00", "08:00", "2026-11-21T14:00:00+00:00", "2026-11-22T00:00:00+00:00"),
    ("Asia/Taipei", "22:00", "08:00", "2026-11-21T13:59:59+00:00", "2026-11-21T13:59:59+00:00"),
    ("Asia/Taipei", "22:00", "08:00", "2026-11-22T00:00:00+00:00", "2026-11-22T00:00:00+00:00"),
    ("Asia/Taipei", "13:00", "14:00", "2026-11-21T05:30:00+00:00", "2026-11-21T06:00:00+00:00"),
    ("Asia/Taipei", "13:00", "13:00", "2026-11-21T05:00:00+00:00", "2026-11-21T05:00:00+00:00"),
    # New York puts its clocks forward on 2026-03-08 (02:00 -> 03:00) and back on 2026-11-01 (02:00 -> 01:00)
    ("America/New_York", "22:00", "08:00", "2026-03-08T04:00:00+00:00", "2026-03-08T12:00:00+00:00"),
    ("America/New_York", "22:00", "08:00", "2026-03-07T04:00:00+00:00", "2026-03-07T13:00:00+00:00"),
    ("America/New_York", "22:00", "08:00", "2026-11-01T04:00:00+00:00", "2026-11-01T13:00:00+00:00"),
    ("America/New_York", "22:00", "02:30", "2026-03-08T05:00:00+00:00", "2026-03-08T07:00:00+00:00"),  # 02:30 is jumped over: loud at 03:00
    ("America/New_York", "22:00", "01:30", "2026-11-01T05:00:00+00:00", "2026-11-01T05:30:00+00:00"),  # the first 01:30
    ("America/New_York", "22:00", "01:30", "2026-11-01T06:10:00+00:00", "2026-11-01T06:30:00+00:00"),  # the second one
    ("America/New_York", "02:15", "02:45", "2026-03-08T06:59:00+00:00", "2026-03-08T06:59:00+00:00"),  # quiet hours that are jumped over
    ("Australia/Lord_Howe", "22:00", "02:10", "2026-10-03T12:00:00+00:00", "2026-10-03T15:30:00+00:00"),  # half an hour forward at 02:00
    ("Europe/Berlin", "23:30", "06:00", "2026-10-24T22:00:00+00:00", "2026-10-25T05:00:00+00:00"),
    ("Pacific/Apia", "22:00", "07:00", "2026-11-21T10:00:00+00:00", "2026-11-21T18:00:00+00:00"),
]


@pytest.mark.parametrize(("zone", "start", "end", "now", "loud"), CLOCKS)
def test_quiet_hours_end_by_the_members_clocks(zone: str, start: str, end: str, now: str, loud: str) -> None:
    wishes = Wishes(ZoneInfo(zone), time.fromisoformat(start), time.fromisoformat(end))
    assert wishes.loud_at(at(now)) == at(loud)


ZONES = st.sampled_from(
    ["Asia/Taipei", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca", "UTC"]
)
MINUTES = st.integers(0, 1439).map(lambda m: time(m // 60, m % 60))
INSTANTS = st.integers(0, 2 * 366 * 24 * 3600).map(lambda s: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=s))


@settings(max_examples=400, deadline=None, derandomize=True)
@given(zone=ZONES, start=MINUTES, end=MINUTES, now=INSTANTS)
def test_what_waits_waits_until_it_is_loud_and_not_longer(zone: str, start: time, end: time, now: datetime) -> None:
    wishes = Wishes(ZoneInfo(zone), start, end)
    loud = wishes.loud_at(now)
    assert loud >= now
    assert not wishes.quiet(loud)
    assert loud - now <= timedelta(hours=25)
    if loud > now:
        assert wishes.quiet(now)
        assert wishes.quiet(loud - timedelta(seconds=1))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(zone=ZONES, clock=MINUTES, now=INSTANTS)
def test_the_next_time_of_a_clock_is_within_a_day_or_so(zone: str, clock: time, now: datetime) -> None:
    found = next_at(clock, ZoneInfo(zone), now)
    assert now < found <= now + timedelta(hours=25)


def test_more_urgent_kinds_have_more_room_and_a_place_is_kept_for_the_digest() -> None:
    for most in range(101):
        low, usual, urgent = room(K.ANNOUNCEMENT, most), room(K.ORDER_PLACED, most), room(K.PICKUP_READY, most)
        assert 0 <= low <= usual <= urgent == max(most - 1, 0)
    assert DEADLINES.isdisjoint(URGENT)


@pytest.mark.parametrize("seed", range(12))
def test_no_member_exceeds_their_pushes_in_a_month_and_no_deadline_is_dropped(seed: int) -> None:
    """Property, from a seed: a month of random notices, decided one by one as the worker does."""
    chance = Random(seed)
    most = chance.choice([1, 2, 5, 10, 20])
    wishes = Wishes(ZoneInfo(chance.choice(["Asia/Taipei", "America/New_York"])), *chance.choice([(None, None), (time(22), time(8))]), most)
    waiting = sorted(
        (datetime(2026, 10, 15, tzinfo=UTC) + timedelta(seconds=chance.randint(0, 30 * 86400)), n, chance.choice(list(NoticeKind)))
        for n in range(900)
    )
    sent: dict[Any, int] = {}
    deadlines, dropped = 0, 0
    digests = set()
    while waiting:
        now, n, kind = waiting.pop(0)
        day = wishes.day(now)
        verdict = decide(kind, read=False, wishes=wishes, shop=ShopWishes(), spent=sent.get(day, 0), now=now)
        if kind in DEADLINES:
            deadlines += 1
            assert verdict.way is Way.SEND
        if verdict.way is Way.SEND:
            sent[day] = sent.get(day, 0) + (kind not in DEADLINES)
        elif verdict.way is Way.WAIT:
            assert verdict.until is not None
            waiting.append((verdict.until, n, kind))
            waiting.sort()
        elif verdict.way is Way.DIGEST:
            assert verdict.until is not None
            digests.add(wishes.day(verdict.until))
        dropped += verdict.way is Way.SILENT
    assert dropped == 0
    assert deadlines > 30
    assert digests
    assert max(count + (day in digests) for day, count in sent.items()) <= most
