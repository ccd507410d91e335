"""Many want the last pieces at once. Each race has a twin without the guard, which oversells."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from domain import db as database
from domain.claims import loading
from domain.claims.desk import Desk
from domain.inbox.drain import Cursor, drain_one
from plusone.invariants import check
from tests.build import NOW, a_buyer
from tests.races.turns import overselling
from tests.wall import Wall, a_wall
from workers.ingest import handler


async def drain_at_once(wall: Wall, workers: int) -> None:
    """Several workers drain until nothing is left."""

    async def worker() -> None:
        cursor = Cursor()
        while await drain_one(cursor, handler(wall.services), now=wall.services.clock.now) is not None:
            pass

    await asyncio.gather(*(worker() for _ in range(workers)))


async def outcomes() -> dict[str, int]:
    rows = await database.fetch("select outcome, count(*)::int as n from claim group by 1")
    return {row["outcome"]: row["n"] for row in rows}


async def test_eight_buyers_one_piece_one_order(db: str) -> None:
    wall = await a_wall(on_hand=1, places=8)
    for i in range(8):
        await wall.says(f"buyer{i}", "+1", place=i)
    await drain_at_once(wall, 8)
    assert await outcomes() == {"ORDERED": 1, "WAITLISTED": 7}
    assert await wall.level() == (1, 1, 0)
    assert await check(NOW + timedelta(seconds=30)) == []


@pytest.fixture
async def no_guard(db: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[asyncio.Barrier]:
    async with overselling(monkeypatch) as barrier:
        yield barrier


async def test_twin_without_the_lock_sells_one_piece_eight_times(no_guard: asyncio.Barrier) -> None:
    wall = await a_wall(on_hand=1, places=8)
    for i in range(8):
        await wall.says(f"buyer{i}", "+1", place=i)
    await drain_at_once(wall, 8)
    assert await outcomes() == {"ORDERED": 8}
    assert await wall.level() == (1, 8, 0)


async def test_five_hundred_buyers_a_hundred_pieces(db: str) -> None:
    wall = await a_wall(on_hand=100, places=4)
    for i in range(500):
        await wall.says(f"buyer{i}", "+1", place=i % 4)
    await drain_at_once(wall, 4)
    assert await outcomes() == {"ORDERED": 100, "WAITLISTED": 400}
    assert await wall.level() == (100, 100, 0)
    assert await check(NOW + timedelta(seconds=30)) == []


async def test_one_buyer_on_many_posts_has_one_order(db: str) -> None:
    wall = await a_wall(on_hand=100, places=6)
    for i in range(6):
        await wall.says("buyer", "+1", place=i)
    await drain_at_once(wall, 6)
    assert await database.fetchval('select count(*) from "order"') == 1
    assert await wall.pieces("buyer") == {"": 6}
    assert await check(NOW + timedelta(seconds=30)) == []


async def test_twin_without_the_buyer_lock_opens_a_second_order(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the buyer's lock two lanes both find no open order; only the unique index stands in the way, and their batches fail."""
    wall = await a_wall(on_hand=100, places=2)
    for i in range(2):
        await wall.says("buyer", "+1", place=i)
    barrier, found = asyncio.Barrier(2), loading._open_orders

    async def both_look(*args: object) -> None:
        await found(*args)  # type: ignore[arg-type]
        await barrier.wait()

    async def unlocked(tx: object, desk: Desk, people: object, known: object) -> dict[tuple[str, str], object]:
        rows = await tx.fetch("select id, provider, external_id from buyer where shop_id = $1", desk.shop.id)  # type: ignore[attr-defined]
        return {(r["provider"], r["external_id"]): r["id"] for r in rows}

    await a_buyer(wall.shop, external_id="buyer")
    monkeypatch.setattr(loading, "buyers_for", unlocked)
    monkeypatch.setattr(loading, "_open_orders", both_look)
    done = await asyncio.gather(
        *(drain_one(Cursor(), handler(wall.services), now=wall.services.clock.now) for _ in range(2)), return_exceptions=True
    )
    assert sorted(type(d).__name__ for d in done) == ["Drained", "UniqueViolationError"]
