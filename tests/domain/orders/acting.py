"""What the tests of acts on orders share: a wish that became a line, what its screen offers, refusals that change nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from domain import db as database
from domain.clock import asked, asked_at
from domain.errors import DomainError
from domain.orders.queries import visible_orders
from domain.paging import Wanted
from tests.books import everything
from tests.build import NOW
from tests.domain.claims.taps import a_fan
from tests.wall import Wall, a_wall

LATER = NOW + timedelta(seconds=59)
UNDO = timedelta(minutes=5)


async def refused(refusal: type[DomainError], act: Any) -> DomainError:
    """The refusal of an act, which changed nothing."""
    before = await everything()
    with pytest.raises(refusal) as raised:
        await act
    assert await everything() == before
    return raised.value


async def a_wish(text: str = "紅+2", **policy: Any) -> tuple[Wall, UUID, UUID]:
    """A member's unpaid line by a comment; answers the wall, the member and the line."""
    wall, member = await a_wall(variants=("紅", "白"), **policy), await a_fan("小美")
    await wall.says("小美", text, at=NOW)
    await wall.drain()
    return wall, member, await database.fetchval("select id from order_line order by created_at, id limit 1")


async def claim_said() -> tuple[str, str]:
    row = await database.fetchrow("select outcome, reason from claim order by decided_at, id limit 1")
    assert row is not None
    return row["outcome"], row["reason"]


async def kinds(table: str) -> list[str]:
    return [row["kind"] for row in await database.fetch(f"select kind from {table} order by id")]


async def actions(member: UUID, order: UUID, *, at: datetime = NOW) -> list[str]:
    """What the order's screen offers its buyer at an instant."""
    before = asked_at()
    asked(at)
    try:
        rows = await visible_orders([order], member, wanted=Wanted.of("actions", "undo_until"), language="en")
    finally:
        asked(before)  # type: ignore[arg-type]
    return [str(action) for action in rows[order]["actions"]]
