"""The lane drain: platform order, batches that narrow, nothing lost."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import asyncpg
import pytest

from domain import db as database
from domain.bootstrap import Services
from domain.db import Tx
from domain.inbox import drain
from domain.inbox.drain import Cursor, Drained, drain_one
from domain.inbox.taken import InboxRow, Verdict
from plusone.invariants import check
from tests.build import NOW
from tests.conftest import empty
from tests.wall import Wall, a_wall
from workers import ingest


def now() -> object:
    return NOW


async def run_dry(handle: drain.Handle, most: int = 200) -> list[Drained | str]:
    """Drain until nothing is left; failures are noted and tried again."""
    done: list[Drained | str] = []
    cursor = Cursor()
    for _ in range(500):
        try:
            drained = await drain_one(cursor, handle, now=lambda: NOW, most=most)
        except Exception as error:
            done.append(type(error).__name__)
            continue
        if drained is None:
            return done
        done.append(drained)
    raise AssertionError("the lane never ran dry")


async def test_a_poison_event_is_parked_alone_and_its_neighbours_are_decided(db: str) -> None:
    wall = await a_wall()
    for i in range(60):
        await wall.says(f"b{i}", "poison" if i == 17 else "+0")

    async def handle(tx: Tx, rows: Sequence[InboxRow]) -> Sequence[Verdict]:
        if any(row.payload["value"]["message"] == "poison" for row in rows):
            raise RuntimeError("poison")
        return [Verdict(row.id, "SEEN") for row in rows]

    await run_dry(handle)
    rows = await database.fetch("select state, outcome, count(*)::int as n from inbox_event group by 1, 2 order by 1")
    assert [tuple(row.values()) for row in rows] == [("DECIDED", "SEEN", 59), ("PARKED", "POISON", 1)]
    assert await database.fetchval("select payload->'value'->>'message' from inbox_event where state = 'PARKED'") == "poison"


async def test_a_handler_that_hangs_is_cut_and_counts_as_a_try(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wall = await a_wall()
    await wall.says("b", "+1")
    monkeypatch.setattr(drain, "HANDLE_SECONDS", 0.05)

    async def hang(tx: Tx, rows: Sequence[InboxRow]) -> Sequence[Verdict]:
        await asyncio.sleep(60)
        return []

    done = await run_dry(hang)
    assert done[:-1] == ["TimeoutError"] * 9
    assert await database.fetchval("select state from inbox_event") == "PARKED"


async def test_what_a_handler_leaves_waits_for_the_next_transaction(db: str) -> None:
    wall = await a_wall()
    for i in range(6):
        await wall.says(f"b{i}", f"{i}")
    seen: list[list[str]] = []

    async def in_twos(tx: Tx, rows: Sequence[InboxRow]) -> Sequence[Verdict]:
        seen.append([row.payload["value"]["message"] for row in rows])
        return [Verdict(row.id, "SEEN") for row in rows[:2]]

    await run_dry(in_twos)
    assert seen == [["0", "1", "2", "3", "4", "5"], ["2", "3", "4", "5"], ["4", "5"]]
    rows = await database.fetch("select state, outcome, count(*)::int as n from inbox_event group by 1, 2")
    assert [tuple(row.values()) for row in rows] == [("DECIDED", "SEEN", 6)]
    assert await database.fetchval("select count(*) from inbox_undecided") == 0


@pytest.mark.parametrize(
    "decided", [[], [1], [0, 2], [0, 0], [0, 1, 2, 3]], ids=["none", "not the first", "a gap", "one twice", "another's"]
)
async def test_a_handler_that_says_nothing_of_an_event_is_refused(db: str, decided: list[int]) -> None:
    wall = await a_wall()
    for i in range(3):
        await wall.says(f"b{i}", f"{i}")

    async def some(tx: Tx, rows: Sequence[InboxRow]) -> Sequence[Verdict]:
        ids = [*(row.id for row in rows), 999]
        return [Verdict(ids[n], "SEEN") for n in decided]

    with pytest.raises(AssertionError, match="must say of every event"):
        await drain_one(Cursor(), some, now=lambda: NOW)
    assert await database.fetchval("select count(*) from inbox_undecided") == 3


async def test_errors_of_the_database_are_not_the_lane_s_fault(db: str) -> None:
    wall = await a_wall()
    await wall.says("b", "+1")

    async def away(tx: Tx, rows: Sequence[InboxRow]) -> Sequence[Verdict]:
        raise database.DatabaseAway

    for _ in range(12):
        with pytest.raises(database.DatabaseAway):
            await drain_one(Cursor(), away, now=lambda: NOW)
    assert await wall.drain() == 1
    assert await wall.pieces("b") == {"": 1}


async def test_two_workers_never_take_one_lane_at_once(db: str) -> None:
    wall = await a_wall()
    for i in range(40):
        await wall.says(f"b{i}", f"{i}")
    inside, seen = 0, []

    async def handle(tx: Tx, rows: Sequence[InboxRow]) -> Sequence[Verdict]:
        nonlocal inside
        inside += 1
        assert inside == 1
        seen.extend(int(row.payload["value"]["message"]) for row in rows)
        await asyncio.sleep(0.01)
        inside -= 1
        return [Verdict(row.id, "SEEN") for row in rows]

    async def worker() -> None:
        cursor = Cursor()
        while len(seen) < 40:
            if await drain_one(cursor, handle, now=lambda: NOW, most=5) is None:
                await asyncio.sleep(0.005)

    async with asyncio.timeout(60):
        await asyncio.gather(worker(), worker())
    assert seen == list(range(40))


async def test_a_lane_that_is_not_ripe_is_left_for_later(db: str) -> None:
    wall = await a_wall(places=2)
    for place in (0, 1, 0, 1):
        await wall.says("b", "+1", place=place)

    async def handle(tx: Tx, rows: Sequence[InboxRow]) -> Sequence[Verdict]:
        return [Verdict(row.id, "SEEN") for row in rows]

    cursor = Cursor()
    first = await drain_one(cursor, handle, now=lambda: NOW, most=1)
    assert first is not None
    assert first.full
    second = await drain_one(cursor, handle, now=lambda: NOW, ripe=lambda lane: lane != first.lane)
    assert second is not None
    assert (second.lane != first.lane, len(second.verdicts), second.full) == (True, 2, False)
    assert await drain_one(cursor, handle, now=lambda: NOW, ripe=lambda lane: lane != first.lane) is None
    last = await drain_one(cursor, handle, now=lambda: NOW)
    assert last is not None
    assert (last.lane, len(last.verdicts)) == (first.lane, 1)


TEXTS = ["+1", "+2", "紅+1", "白+1", "紅+2", "紅+1 白+1", "取消", "還有嗎？", "好可愛", "白+9", "+1？"]


async def a_history(wall: Wall, seed: int) -> None:
    """Thirty random acts of five buyers: comments, edits, removals."""
    dice = random.Random(seed)
    comments: list[tuple[str, str]] = []
    for i in range(30):
        at = NOW + timedelta(seconds=i)
        act = dice.random()
        if act < 0.15 and comments:
            author, comment = dice.choice(comments)
            await wall.says(author, dice.choice(TEXTS), comment=comment, verb="edited", at=at)
        elif act < 0.22 and comments:
            author, comment = dice.choice(comments)
            await wall.says(author, "", comment=comment, verb="remove", at=at)
        else:
            author = f"buyer{dice.randrange(5)}"
            comments.append((author, await wall.says(author, dice.choice(TEXTS), comment=f"{seed}_{i}", at=at)))


async def end_state() -> dict[str, object]:
    """What a history came to, without ids and order numbers."""
    queries = {
        "claims": "select c.external_id, k.outcome, k.reason, k.review from claim k join social_comment c on c.id = k.comment_id order by 1",
        "lines": """select b.external_id, c.external_id as comment, l.variant_label, l.quantity, o.state, o.flagged from order_line l join "order" o on o.id = l.order_id
                    join buyer b on b.id = o.buyer_id join claim k on k.id = l.claim_id join social_comment c on c.id = k.comment_id
                    where l.quantity > 0 order by 1, 2, 3""",
        "levels": "select v.label, s.held from stock_level s join variant v on v.id = s.variant_id order by 1",
        "waiting": "select b.external_id, v.label, w.quantity, w.queued_at from waitlist_entry w join buyer b on b.id = w.buyer_id join variant v on v.id = w.variant_id where w.state = 'WAITING' order by 1, 2, 4",
        "notices": r"""select b.external_id, n.kind, regexp_replace(n.data->>'lines', '"variantId": ?"[^"]*"', '', 'g') as lines, n.data->>'waiting' as waits
                       from notice n join buyer b on b.id = n.buyer_id order by 1, 2, 3, 4""",
        "moved": "select v.label, sum(m.held_delta)::int, count(*) from stock_movement m join variant v on v.id = m.variant_id group by 1 order by 1",
    }
    return {name: [tuple(row.values()) for row in await database.fetch(sql)] for name, sql in queries.items()}


@pytest.mark.parametrize("seed", range(6))
async def test_a_batch_ends_as_the_same_comments_one_by_one(db: str, seed: int) -> None:
    states = []
    for most in (1, 200):
        await empty(db)
        wall = await a_wall(variants=("紅", "白"), on_hand=(6, 4))
        await a_history(wall, seed)
        await run_dry(ingest.handler(wall.services), most=most)
        assert await check(NOW + timedelta(seconds=59)) == []
        states.append(await end_state())
    assert states[0] == states[1]


async def test_run_wakes_on_notification_and_stops(db: str) -> None:
    wall = await a_wall()
    stop = asyncio.Event()
    task = asyncio.create_task(ingest.run(wall.services, stop))
    try:
        await wall.says("小美", "+1")
        await database.execute("select pg_notify('inbox_new', '')")
        async with asyncio.timeout(30):
            while await database.fetchval("select count(*) from claim") == 0:  # noqa: ASYNC110 - the row is another connection's
                await asyncio.sleep(0.01)
    finally:
        stop.set()
        await asyncio.wait_for(task, 30)
    assert await wall.pieces("小美") == {"": 1}


async def test_whatever_ends_the_ear_it_hears_again(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    connect, failures = database.dedicated, [asyncpg.InvalidCatalogNameError("being restored"), OSError()]

    async def dedicated(seconds: float) -> object:
        if failures:
            raise failures.pop(0)
        return await connect(seconds)

    async def at_once(*_: object) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr(database, "dedicated", dedicated)
    monkeypatch.setattr(ingest, "_pause", at_once)
    woken = asyncio.Event()
    listening = asyncio.create_task(ingest._listen(woken, asyncio.Event()))
    waiting = asyncio.create_task(woken.wait())
    await asyncio.wait({listening, waiting}, return_when=asyncio.FIRST_COMPLETED)
    assert woken.is_set()
    for task in (listening, waiting):
        task.cancel()
    await asyncio.gather(listening, waiting, return_exceptions=True)


@pytest.mark.parametrize(("pool", "lanes"), [(10, 4), (5, 2), (3, 1)])
async def test_lanes_are_decided_side_by_side_with_half_of_the_pool_at_most(
    db: str, monkeypatch: pytest.MonkeyPatch, pool: int, lanes: int
) -> None:
    wall = await a_wall(places=6)
    settings = wall.services.settings.model_copy(update={"pool_size": pool})
    for place in range(6):
        await wall.says(f"buyer {place}", "+1", place=place)
    in_hand, most, all_in, ordinary = 0, 0, asyncio.Event(), ingest.handler

    def slow(services: Services) -> drain.Handle:
        decide = ordinary(services)

        async def handle(tx: Tx, rows: Sequence[InboxRow]) -> Sequence[Verdict]:
            nonlocal in_hand, most
            in_hand += 1
            most = max(most, in_hand)
            if in_hand == lanes:
                all_in.set()
            await all_in.wait()
            try:
                return await decide(tx, rows)
            finally:
                in_hand -= 1

        return handle

    monkeypatch.setattr(ingest, "handler", slow)
    stop = asyncio.Event()
    task = asyncio.create_task(ingest.run(replace(wall.services, settings=settings), stop))
    try:
        async with asyncio.timeout(60):
            while await database.fetchval("select count(*) from claim") < 6:  # noqa: ASYNC110 - the rows are another connection's
                await asyncio.sleep(0.01)
    finally:
        stop.set()
        await asyncio.wait_for(task, 30)
    assert most == lanes
    assert await wall.level() == (10, 6, 0)


async def test_a_lane_goes_on_when_its_batch_is_done_though_nobody_is_woken(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drain, "batch_limit", lambda _: 1)
    monkeypatch.setattr(ingest, "IDLE_SECONDS", 3600)
    ordinary, failures = ingest.handler, [ValueError("once")]

    def once_failing(services: Services) -> drain.Handle:
        decide = ordinary(services)

        async def handle(tx: Tx, rows: Sequence[InboxRow]) -> Sequence[Verdict]:
            verdicts = await decide(tx, rows)
            if failures:
                raise failures.pop()
            return verdicts

        return handle

    monkeypatch.setattr(ingest, "handler", once_failing)
    wall = await a_wall()
    for author in ("甲", "乙", "丙"):
        await wall.says(author, "+1")
    stop = asyncio.Event()
    task = asyncio.create_task(ingest.run(wall.services, stop))
    try:
        async with asyncio.timeout(60):
            while await database.fetchval("select count(*) from claim") < 3:  # noqa: ASYNC110 - the rows are another connection's
                await asyncio.sleep(0.01)
    finally:
        stop.set()
        await asyncio.wait_for(task, 30)
    assert failures == []
    assert await wall.level() == (10, 3, 0)
