"""Who waits for whom while comments are decided: buyers, then orders, then levels. Each twin shows what one lock less comes to."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from domain import db as database
from domain.claims import loading
from domain.claims.desk import Desk, Level
from domain.db import Tx
from domain.inbox.drain import Cursor, Drained, drain_one
from domain.inbox.taken import InboxRow, Verdict
from plusone.invariants import check
from tests.build import NOW, a_member
from tests.domain.claims.acts import first_order, pay
from tests.wall import Wall, a_wall
from workers.ingest import handler

LATER = NOW + timedelta(seconds=59)
WAITS = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"


async def drained(wall: Wall) -> Drained | None:
    """Decide one batch."""
    return await drain_one(Cursor(), handler(wall.services), now=wall.services.clock.now)


async def until_somebody_waits(task: asyncio.Task[Any]) -> None:
    """Until a statement waits for a lock, or the task ended without."""
    async with asyncio.timeout(30):
        while not task.done() and await database.fetchval(WAITS) == 0:  # noqa: ASYNC110 - the wait is another connection's
            await asyncio.sleep(0.01)


async def other_connection(dsn: str) -> asyncpg.Connection[Any]:
    return await asyncpg.connect(dsn, timeout=30)


async def an_edit_while_its_buyer_signs_up(dsn: str, wall: Wall) -> None:
    """A chatty comment becomes an order by an edit that names no author, while the buyer's member is being linked."""
    comment = await wall.says("甲", "好美")
    await wall.drain()
    await wall.says("甲", "+1", comment=comment, verb="edited")
    member = await a_member()
    other = await other_connection(dsn)
    try:
        async with other.transaction():
            await other.execute("update buyer set member_id = $1", member)
            assert await other.fetchval('select count(*) from "order"') == 0
            task = asyncio.create_task(drained(wall))
            await until_somebody_waits(task)
        await task
    finally:
        await other.close()


async def test_an_order_made_by_an_edit_follows_its_buyer_s_member(db: str) -> None:
    wall = await a_wall()
    await an_edit_while_its_buyer_signs_up(db, wall)
    assert await wall.pieces("甲") == {"": 1}
    assert await check(LATER) == []


async def test_twin_without_the_lock_on_known_buyers_leaves_the_order_behind(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    locks = loading.buyers_for

    async def named_only(tx: Tx, desk: Desk, people: Any, known: Collection[UUID] = ()) -> Any:
        return await locks(tx, desk, people, ())

    monkeypatch.setattr(loading, "buyers_for", named_only)
    wall = await a_wall()
    await an_edit_while_its_buyer_signs_up(db, wall)
    assert [v.invariant for v in await check(LATER)] == ["I10", "I11"]


async def a_newcomer_while_a_place_is_taken(wall: Wall) -> str:
    """One lane lets 乙 wait and frees 甲's piece; before it commits, 丙 asks in another lane. Answers 丙's comment."""
    await wall.says("甲", "+1")
    await wall.drain()
    await wall.says("乙", "+1")
    await wall.says("甲", "取消")
    written, commit = asyncio.Event(), asyncio.Event()

    async def slowly(tx: Tx, rows: Sequence[InboxRow]) -> Sequence[Verdict]:
        verdicts = await handler(wall.services)(tx, rows)
        written.set()
        await commit.wait()
        return verdicts

    first = asyncio.create_task(drain_one(Cursor(), slowly, now=wall.services.clock.now))
    await written.wait()
    comment = await wall.says("丙", "+1", place=1)
    second = asyncio.create_task(drained(wall))
    await until_somebody_waits(second)
    commit.set()
    await asyncio.gather(first, second)
    return comment


async def test_newcomers_stand_behind_a_place_taken_while_they_waited_for_the_lock(db: str) -> None:
    wall = await a_wall(on_hand=1, places=2)
    comment = await a_newcomer_while_a_place_is_taken(wall)
    assert await wall.outcome(comment) == ("WAITLISTED", "INSUFFICIENT_STOCK")


async def test_twin_that_reads_the_waiting_before_the_lock_lets_the_newcomer_overtake(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def sums_first(tx: Tx, desk: Desk, variants: Collection[UUID]) -> None:
        waiting = {r["variant_id"]: r["waiting"] for r in await tx.fetch("select variant_id, waiting from stock_level")}
        for r in await tx.fetch(loading.LOCK_LEVELS, list(variants), desk.shop.id):
            figures = (r["on_hand"], r["backorder_limit"], r["held"], r["committed"], waiting.get(r["variant_id"], 0))
            desk.levels[r["variant_id"]] = Level(r["variant_id"], *figures, held_before=r["held"], waiting_before=figures[-1])

    monkeypatch.setattr(loading, "_levels", sums_first)
    wall = await a_wall(on_hand=1, places=2)
    comment = await a_newcomer_while_a_place_is_taken(wall)
    assert await wall.outcome(comment) == ("ORDERED", "")


async def a_hand_over_while_a_paid_comment_is_removed(dsn: str, wall: Wall) -> list[object]:
    """A lane flags a paid order and sells its variant, while somebody else has the order and wants the level."""
    comment = await wall.says("甲", "+1")
    await wall.drain()
    await pay(wall)
    await wall.says("乙", "+1")
    await wall.says("甲", "", comment=comment, verb="remove")
    other = await other_connection(dsn)
    try:
        transaction = other.transaction()
        await transaction.start()
        await other.execute('select 1 from "order" where id = $1 for update', await first_order())
        task = asyncio.create_task(drained(wall))
        await until_somebody_waits(task)
        level = await asyncio.gather(other.execute("select 1 from stock_level order by variant_id for update"), return_exceptions=True)
        await transaction.rollback()
        return [*level, *await asyncio.gather(task, return_exceptions=True)]
    finally:
        await other.close()


async def test_a_paid_order_is_flagged_without_a_deadlock(db: str) -> None:
    wall = await a_wall()
    done = await a_hand_over_while_a_paid_comment_is_removed(db, wall)
    assert [type(d).__name__ for d in done] == ["str", "Drained"]
    assert await database.fetchval('select list from "order" where flagged') == "REVIEW"
    assert await check(LATER) == []


async def test_twin_that_locks_the_flagged_order_after_the_levels_ends_in_a_deadlock(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    locks = loading._open_orders

    async def open_ones_only(tx: Tx, desk: Desk, buyers: Collection[UUID], counted: Sequence[UUID]) -> None:
        claims, desk.claims = desk.claims, {}
        await locks(tx, desk, buyers, counted)
        desk.claims = claims

    monkeypatch.setattr(loading, "_open_orders", open_ones_only)
    wall = await a_wall()
    done = await a_hand_over_while_a_paid_comment_is_removed(db, wall)
    assert "DeadlockDetectedError" in [type(d).__name__ for d in done]
