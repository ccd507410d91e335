"""Whatever ends an order gives its place in a slot back, after the pieces."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import pytest

from domain import db as database
from domain.claims.rules import OnDelete
from domain.delivery import choosing
from domain.orders import lines, requests
from domain.orders.commands import cancel, expire_due
from plusone.invariants import check
from tests.books import books_agree
from tests.build import NOW
from tests.domain.claims.acts import first_order
from tests.domain.claims.taps import a_fan
from tests.domain.delivery.acts import JOBS, OWNER, Ways, a_shop_with_ways, taken
from tests.sql_recorder import recorded
from tests.wall import Wall, a_wall

SOON = NOW + timedelta(seconds=59)
LATE = NOW + timedelta(days=9)


@dataclass(frozen=True, slots=True)
class Waiting:
    """An order by a comment, whose buyer has chosen a slot."""

    wall: Wall
    ways: Ways
    member: UUID
    comment: str
    order: UUID


async def a_chosen_slot() -> Waiting:
    wall, member = await a_wall(on_delete=OnDelete.RELEASE_IF_UNPAID), await a_fan("小美")
    comment = await wall.says("小美", "+2", at=NOW)
    await wall.drain()
    ways, order = await a_shop_with_ways(shop=wall.shop), await first_order()
    await choosing.choose(order_id=order, member_id=member, choice=ways.at_slot(), expected_version=None, now=NOW)
    assert await taken(ways.slot) == 1
    return Waiting(wall, ways, member, comment, order)


async def by_another_comment(at: Waiting) -> None:
    await at.wall.says("小美", "取消", at=NOW + timedelta(seconds=1))
    await at.wall.drain()


async def by_an_edit(at: Waiting) -> None:
    await at.wall.says("小美", "取消", comment=at.comment, verb="edited", at=NOW + timedelta(seconds=1))
    await at.wall.drain()


async def by_removing_the_comment(at: Waiting) -> None:
    await at.wall.says("小美", "", comment=at.comment, verb="remove", at=NOW + timedelta(seconds=1))
    await at.wall.drain()


async def by_undoing(at: Waiting) -> None:
    line = await database.fetchval("select id from order_line")
    await lines.undo(line_id=line, member_id=at.member, now=NOW, jobs=JOBS)


async def by_asking(at: Waiting) -> None:
    await requests.request(order_id=at.order, reason="", member_id=at.member, now=NOW)
    await requests.answer(
        order_id=at.order,
        shop_id=at.wall.shop.id,
        accept=True,
        note="",
        refund_reference="",
        may_refund=True,
        actor=OWNER,
        now=NOW,
        jobs=JOBS,
    )


async def by_staff(at: Waiting) -> None:
    await cancel(order_id=at.order, shop_id=at.wall.shop.id, reason="", actor=OWNER, now=NOW, jobs=JOBS)


async def by_time(at: Waiting) -> None:
    assert await expire_due(now=LATE, limit=10, jobs=JOBS) == 1


@pytest.mark.parametrize("end", [by_another_comment, by_an_edit, by_removing_the_comment, by_undoing, by_asking, by_staff, by_time])
async def test_every_end_of_an_order_leaves_its_slot_after_its_pieces(db: str, end: Callable[[Waiting], Awaitable[None]]) -> None:
    at = await a_chosen_slot()
    with recorded() as sql:
        await end(at)
    assert await database.fetchval('select state from "order"') == "CANCELLED"
    assert (await taken(at.ways.slot), await database.fetchval("select slot_id from order_delivery")) == (0, None)
    assert await at.wall.level() == (10, 0, 0)
    levels = [number for number, text in enumerate(sql) if "stock_level" in text and "update" in text]
    slots = [number for number, text in enumerate(sql) if "update pickup_slot" in text]
    assert levels
    assert levels[0] < slots[0], "levels are locked before slots, everywhere"
    await books_agree()
    assert await check(SOON) == []


async def test_an_order_that_keeps_a_line_keeps_its_slot(db: str) -> None:
    at = await a_chosen_slot()
    await at.wall.says("小美", "+1", comment=at.comment, verb="edited", at=NOW + timedelta(seconds=1))
    await at.wall.drain()
    assert await at.wall.pieces("小美") == {"": 1}
    assert await taken(at.ways.slot) == 1
    assert await check(SOON) == []
