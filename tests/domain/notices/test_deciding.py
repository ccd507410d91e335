"""The worker's side: pushes that go, wait, come together, or stay in the inbox; counted once, also by workers side by side."""

from __future__ import annotations

import asyncio
from datetime import time, timedelta
from typing import Any
from uuid import UUID

import pytest

from domain import db as database
from domain.clock import FixedClock
from domain.notices import deciding, deliveries, settings
from domain.notices.digests import claim_due as due_digests
from domain.notices.digests import close
from domain.notices.rules import NoticeKind
from domain.notices.settings import QuietHours, Wish
from tests.workers.outbox_rows import JOBS, Desk, a_desk, job_payloads

K = NoticeKind


@pytest.fixture
async def desk(db: str, clock: FixedClock) -> Desk:
    found = await a_desk(clock.now())
    await found.device("t1")
    return found


async def lot(clock: FixedClock, *, arrives: bool = True) -> list[str]:
    """What goes of all that is due: the targets."""
    pushes = await deliveries.claim_due(now=clock.now(), limit=500)
    going = await deciding.admit(pushes, now=clock.now(), jobs=JOBS)
    if arrives:
        async with database.transaction() as tx:
            await deliveries.mark_sent(tx, {push.id: "x" for push in going}, now=clock.now())
    return [push.target for push in going]


async def rows() -> list[tuple[Any, ...]]:
    found = await database.fetch("select state, last_error, admitted, digest_id is not null as together from push_delivery order by id")
    return [tuple(row.values()) for row in found]


async def spent(desk: Desk) -> int:
    found: int = await database.fetchval("select spent from notice_settings where member_id = $1", desk.member_id)
    return found


async def test_a_notice_on_two_devices_is_one_push_of_the_day_however_often_it_is_tried(desk: Desk, clock: FixedClock) -> None:
    await desk.device("t2")
    await desk.notice()
    assert sorted(await lot(clock, arrives=False)) == ["t1", "t2"]
    assert await spent(desk) == 1
    clock.at += deliveries.LEASE
    assert sorted(await lot(clock, arrives=False)) == ["t1", "t2"]
    assert await spent(desk) == 1
    assert {row[2] for row in await rows()} == {True}


async def test_in_quiet_hours_the_notice_is_there_and_its_push_waits(desk: Desk, clock: FixedClock) -> None:
    await settings.wish(member_id=desk.member_id, wanted=Wish("Asia/Taipei", QuietHours(time(15), time(17, 30))), now=clock.now())
    await desk.notice("a")
    await desk.notice("b", K.PAYMENT_REMINDER)
    assert await lot(clock) == ["t1"], "the deadline goes"
    waiting = await database.fetchrow("select p.* from push_delivery p join notice n on n.id = p.notice_id where n.dedupe_key = 'a'")
    assert waiting is not None
    until = clock.now() + timedelta(minutes=90)
    assert (waiting["state"], waiting["next_try_at"], waiting["use_by"], waiting["tries"]) == (
        "PENDING",
        until,
        until + timedelta(hours=2),
        0,
    )
    assert await database.fetchval("select count(*) from notice where read_at is null") == 2
    assert len(await job_payloads("push", "deliveries")) == 3
    clock.at = until
    assert await lot(clock) == ["t1"]
    assert await spent(desk) == 2


async def test_a_push_whose_notice_was_read_meanwhile_is_not_sent(desk: Desk, clock: FixedClock) -> None:
    await desk.notice()
    await database.execute("update notice set read_at = now()")
    assert await lot(clock) == []
    assert await rows() == [("DROPPED", "read already", False, False)]


async def test_kinds_and_shops_that_are_not_wanted_stay_in_the_inbox(desk: Desk, clock: FixedClock) -> None:
    await settings.wish(member_id=desk.member_id, wanted=Wish(kinds={K.ORDER_PLACED: False}), now=clock.now())
    await desk.notice("a", K.ORDER_PLACED)
    await desk.notice("b", K.PICKED_UP)
    assert await lot(clock) == ["t1"]
    await settings.wish(member_id=desk.member_id, wanted=Wish(kinds={K.ORDER_PLACED: True}), now=clock.now())
    await settings.wish_of_shop(
        member_id=desk.member_id, shop_id=desk.shop_id, muted=True, until=clock.now() + timedelta(hours=1), now=clock.now()
    )
    await desk.notice("c", K.ORDER_PLACED)
    await desk.notice("d", K.PAYMENT_REMINDER)
    assert await lot(clock) == ["t1"]
    clock.at += timedelta(hours=1)
    await settings.wish_of_shop(member_id=desk.member_id, shop_id=desk.shop_id, kinds={K.PAYMENT_REMINDER: False}, now=clock.now())
    desk.now = clock.now()
    await desk.notice("e", K.PAYMENT_REMINDER)
    await desk.notice("f", K.ORDER_PLACED)
    assert await lot(clock) == ["t1"]
    found = await database.fetch("select n.dedupe_key, p.last_error from push_delivery p join notice n on n.id = p.notice_id order by 1")
    assert [tuple(row.values()) for row in found] == [
        ("a", "not wanted"),
        ("b", ""),
        ("c", "muted"),
        ("d", ""),
        ("e", "not wanted"),
        ("f", ""),
    ]
    assert await database.fetchval("select count(*) from notice") == 6


async def test_what_the_day_has_no_room_for_comes_together_once(desk: Desk, clock: FixedClock) -> None:
    await settings.wish(member_id=desk.member_id, wanted=Wish("Asia/Taipei", daily_pushes=4, digest_at=time(20)), now=clock.now())
    for n in range(6):
        await desk.notice(f"n{n}")
    assert len(await lot(clock)) == 3
    assert [row[3] for row in await rows()].count(True) == 3
    await desk.notice("late", K.PAYMENT_REMINDER)
    assert len(await lot(clock)) == 1
    assert await due_digests(clock.now()) == []
    clock.at += timedelta(hours=4)
    await database.execute(
        "update notice set read_at = now() where id = (select notice_id from push_delivery where digest_id is not null order by id limit 1)"
    )
    (digest,) = await due_digests(clock.now())
    assert (digest.count, digest.shops, [target.target for target in digest.targets]) == (2, (("小芳團購", 2),), ["t1"])
    assert await due_digests(clock.now()) == [], "leased"
    await close([digest], [], now=clock.now())
    clock.at += timedelta(minutes=5)
    assert await due_digests(clock.now()) == []
    assert await spent(desk) == 5, "three, a deadline, and the digest"
    assert await database.fetchval("select state from push_digest") == "SENT"


async def test_after_the_hour_of_the_digest_comes_the_next_days(desk: Desk, clock: FixedClock) -> None:
    await settings.wish(member_id=desk.member_id, wanted=Wish("Asia/Taipei", daily_pushes=1, digest_at=time(16, 1)), now=clock.now())
    await desk.notice("a")
    await lot(clock)
    clock.at += timedelta(minutes=1)
    (digest,) = await due_digests(clock.now())
    await close([digest], [], now=clock.now())
    desk.now = clock.now()
    await desk.notice("b")
    await lot(clock)
    days = [row["day"].isoformat() for row in await database.fetch("select day from push_digest order by day")]
    assert days == ["2026-11-21", "2026-11-22"]


async def test_the_next_day_has_room_again(desk: Desk, clock: FixedClock) -> None:
    await settings.wish(member_id=desk.member_id, wanted=Wish("Asia/Taipei", daily_pushes=2), now=clock.now())
    for n in range(3):
        await desk.notice(f"n{n}")
    assert len(await lot(clock)) == 1
    clock.at += timedelta(days=1)
    desk.now = clock.now()
    await desk.notice("tomorrow")
    assert len(await lot(clock)) == 1
    assert await spent(desk) == 1


async def _side_by_side(desk: Desk, clock: FixedClock) -> int:
    """Twelve notices leased by four workers, decided at once; answers how many go."""
    await settings.wish(member_id=desk.member_id, wanted=Wish("Asia/Taipei", daily_pushes=9), now=clock.now())
    for n in range(12):
        await desk.notice(f"n{n}", K.PICKUP_READY)
    lots = [await deliveries.claim_due(now=clock.now(), limit=3) for _ in range(4)]
    done = await asyncio.gather(*(deciding.admit(lot, now=clock.now(), jobs=JOBS) for lot in lots))
    return sum(map(len, done))


async def test_workers_side_by_side_do_not_push_more_than_the_day_has_room_for(desk: Desk, clock: FixedClock) -> None:
    assert await _side_by_side(desk, clock) == 8
    assert await spent(desk) == 8


async def test_without_the_lock_they_do(desk: Desk, clock: FixedClock, monkeypatch: pytest.MonkeyPatch) -> None:
    locked = deciding._locked
    met = asyncio.Barrier(4)

    async def unlocked(tx: Any, members: Any, now: Any) -> dict[UUID, Any]:
        if not await tx.fetchval("select count(*) from notice_settings"):
            return await locked(tx, members, now)
        found = await tx.fetch("select * from notice_settings where member_id = any($1::uuid[])", list(members))
        await met.wait()
        return {row["member_id"]: row for row in found}

    monkeypatch.setattr(deciding, "_locked", unlocked)
    assert await _side_by_side(desk, clock) == 12
