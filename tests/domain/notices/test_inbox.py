"""Notices in the member's inbox, and how late the way out is."""

from __future__ import annotations

from datetime import timedelta

from domain import db as database
from domain.clock import FixedClock
from domain.jobs import LOT, PUSH
from domain.notices.commands import USE_BY, NoticeDraft, enqueue, mark_read
from domain.notices.rules import NoticeKind
from tests.workers.outbox_rows import JOBS, a_desk, job_payloads, pushes, states


async def test_the_same_cause_makes_one_notice_and_one_push_per_device(db: str, clock: FixedClock) -> None:
    desk = await a_desk(clock.now())
    await desk.device("t1")
    await desk.device("t2")
    drafts = [NoticeDraft(desk.buyer_id, NoticeKind.ORDER_PLACED, key, {"orderNumber": "1"}) for key in ("a", "a", "b")]
    async with database.transaction() as tx:
        assert await enqueue(tx, desk.shop_id, drafts, now=clock.now(), jobs=JOBS) == 2
        assert await enqueue(tx, desk.shop_id, drafts, now=clock.now(), jobs=JOBS) == 0
        assert await enqueue(tx, desk.shop_id, [], now=clock.now(), jobs=JOBS) == 0
    assert await database.fetchval("select count(*) from notice") == 2
    assert states(await pushes()) == [("PENDING", 0)] * 4
    assert [len(ids) for ids in await job_payloads(PUSH, "deliveries")] == [4]
    assert await database.fetchval("select distinct use_by from push_delivery") == clock.now() + USE_BY


async def test_pushes_travel_in_lots(db: str, clock: FixedClock) -> None:
    desk = await a_desk(clock.now())
    for n in range(LOT + 5):
        await desk.device(f"t{n}")
    await desk.notice()
    assert [len(ids) for ids in await job_payloads(PUSH, "deliveries")] == [LOT, 5]


async def test_a_buyer_without_the_app_has_a_notice_and_no_push(db: str, clock: FixedClock) -> None:
    desk = await a_desk(clock.now())
    await database.execute("update buyer set member_id = null")
    await desk.notice()
    assert await database.fetchval("select count(*) from notice where member_id is null") == 1
    assert await pushes() == []
    assert await job_payloads(PUSH, "deliveries") == []


async def test_reading_is_for_ones_own_notices_and_happens_once(db: str, clock: FixedClock) -> None:
    mine, theirs = await a_desk(clock.now()), await a_desk(clock.now())
    await mine.notice("a")
    await mine.notice("b")
    await theirs.notice("c")
    rows = await database.fetch("select id, dedupe_key from notice")
    ids = {row["dedupe_key"]: row["id"] for row in rows}
    assert await mark_read(member_id=mine.member_id, ids=[ids["a"], ids["c"]], now=clock.now()) == 1
    clock.at += timedelta(minutes=5)
    assert await mark_read(member_id=mine.member_id, ids=[ids["a"]], now=clock.now()) == 0
    assert await mark_read(member_id=mine.member_id, ids=[], now=clock.now()) == 0
    read = {row["dedupe_key"]: row["read_at"] for row in await database.fetch("select dedupe_key, read_at from notice")}
    assert read == {"a": mine.now, "b": None, "c": None}
