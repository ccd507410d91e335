"""Orders in the app in parallel with comments, with each other, and with the closing of their post. Each race has a twin without the guard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from domain import db as database
from domain.claims import creating, loading
from domain.claims.errors import TooFew
from domain.claims.rules import Shortage
from plusone.invariants import check
from tests.build import NOW, a_member
from tests.domain.claims.taps import a_fan
from tests.domain.claims.test_creating import order
from tests.races.turns import HeldUp, closed_meanwhile, names, overselling
from tests.wall import Wall, a_wall

LATER = NOW + timedelta(seconds=59)


async def ordered(wall: Wall) -> int:
    """Pieces in living orders."""
    found: int = await database.fetchval(
        """select coalesce(sum(l.quantity), 0)::int from order_line l join "order" o on o.id = l.order_id where o.state <> 'CANCELLED'"""
    )
    return found


async def test_eight_taps_and_a_comment_for_the_last_piece_are_one_order(db: str) -> None:
    wall = await a_wall(on_hand=1, shortage=Shortage.REJECT_LINE)
    members = [await a_member() for _ in range(8)]
    await wall.says("乙", "+1")
    done = await names(*(order(wall, member) for member in members), wall.drain())
    assert set(done[:8]) <= {"done", TooFew.__name__}
    assert await ordered(wall) == 1
    assert done[:8].count("done") + (await wall.pieces("乙")).get("", 0) == 1
    assert await wall.level() == (1, 1, 0)
    assert await check(LATER) == []


@pytest.fixture
async def no_level_lock(db: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Wall]:
    wall = await a_wall(on_hand=1, shortage=Shortage.REJECT_LINE)
    await order(wall, await a_member(), 1)
    await database.execute("update stock_level set on_hand = 2")
    async with overselling(monkeypatch):
        yield wall


async def test_twin_without_the_level_s_lock_sells_one_piece_eight_times(no_level_lock: Wall) -> None:
    members = [await a_member() for _ in range(8)]
    assert await names(*(order(no_level_lock, member) for member in members)) == ["done"] * 8
    assert await no_level_lock.level() == (2, 9, 0)


async def test_a_tap_and_a_comment_of_one_buyer_are_one_order(db: str) -> None:
    wall, member = await a_wall(variants=("紅", "白")), await a_fan("小美")
    await wall.says("小美", "白+1", at=NOW - timedelta(hours=1))
    await wall.drain()
    await database.execute("""update "order" set state = 'LOCKED', version = version + 1""")
    await wall.says("小美", "紅+1", at=NOW)
    assert await names(order(wall, member, 2), order(wall, member, 1, variant=1), wall.drain()) == ["done"] * 3
    rows = await database.fetch("""select state, subtotal_minor from "order" order by created_at, id""")
    assert sorted((row["state"], row["subtotal_minor"]) for row in rows) == [("LOCKED", 590), ("OPEN", 4 * 590)]
    assert await wall.pieces("小美") == {"紅": 3, "白": 2}


async def test_twin_without_the_buyer_s_lock_two_taps_open_two_orders(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The index that lets only one order of a buyer stack refuses the second: it comes to nothing instead of waiting its turn."""
    wall, member = await a_wall(variants=("紅", "白")), await a_fan("小美")
    await order(wall, await a_member())  # the shop's first order in the app makes its channel, and others wait for that
    await wall.says("小美", "白+1", at=NOW - timedelta(hours=1))
    await wall.drain()
    await database.execute("""update "order" set state = 'LOCKED', version = version + 1""")
    barrier, opened = asyncio.Barrier(2), loading._open_orders

    async def unlocked(*args: Any, **named: Any) -> dict[tuple[str, str], UUID]:
        return {}

    async def orders(*args: Any) -> None:
        await opened(*args)
        await barrier.wait()

    monkeypatch.setattr(creating.loading, "buyers_for", unlocked)
    monkeypatch.setattr(loading, "_open_orders", orders)
    done = await names(order(wall, member, 2), order(wall, member, 1, variant=1))
    assert sorted(done) == sorted([asyncpg.UniqueViolationError.__name__, "done"])


async def test_the_first_two_taps_of_a_member_make_one_name(db: str) -> None:
    wall, member = await a_wall(), await a_member()
    assert await names(*(order(wall, member) for _ in range(6))) == ["done"] * 6
    assert await database.fetchval("select count(*) from buyer") == 1
    assert await database.fetchval("select count(*) from channel where platform = 'APP'") == 1
    assert await wall.level() == (10, 6, 0)
    assert await check(LATER) == []


# --- the post closes -------------------------------------------------------------------------------------------------------------


async def ordered_when_the_post_was_closed(wall: Wall, member: UUID, monkeypatch: pytest.MonkeyPatch) -> int:
    """The post is closed while a tap has looked at it and not yet written; answers the pieces that were ordered by then."""
    return await closed_meanwhile(wall, order(wall, member), HeldUp(monkeypatch, creating, "write_comments"), partial(ordered, wall))


async def test_a_post_closes_before_a_tap_or_after_it(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wall, member = await a_wall(), await a_member()
    assert await ordered_when_the_post_was_closed(wall, member, monkeypatch) == 1


async def test_twin_without_the_post_s_lock_orders_after_the_closing(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wall, member = await a_wall(), await a_member()
    monkeypatch.setattr(creating, "LOCK_POST", creating.LOCK_POST.replace("for share", ""))
    assert await ordered_when_the_post_was_closed(wall, member, monkeypatch) == 0
    assert await wall.pieces(str(member)) == {"": 1}
