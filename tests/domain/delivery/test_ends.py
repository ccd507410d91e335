"""Whatever ends an order gives its place in a slot back, after the pieces; orders become one only where the same was chosen for both."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from domain import db as database
from domain.claims.rules import OnDelete
from domain.delivery import choosing, gifts
from domain.delivery.choosing import Choice
from domain.orders import lines, merging, requests
from domain.orders.commands import cancel, expire_due
from domain.orders.errors import NotMergeable
from domain.posts.rules import DeliveryMethod
from plusone.invariants import check
from tests.books import books_agree, everything
from tests.build import NOW, AnOrder, a_buyer, a_member, a_variant, an_order
from tests.domain.claims.acts import first_order
from tests.domain.claims.taps import a_fan
from tests.domain.delivery.acts import JOBS, OWNER, Ways, a_shop_with_ways, a_slot, chosen, taken
from tests.domain.orders.acting import actions
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


async def two_names(ways: Ways, *, method: DeliveryMethod = DeliveryMethod.PICKUP) -> tuple[UUID, list[AnOrder]]:
    """Two unpaid orders of one member under two names, the older first."""
    member, variant = await a_member(), await a_variant(ways.shop, on_hand=9)
    return member, [
        await an_order(
            ways.shop, {variant: 1}, buyer=await a_buyer(ways.shop, member_id=member), method=method, created_at=NOW + timedelta(hours=hour)
        )
        for hour in range(2)
    ]  # fmt: skip


async def one_of(member: UUID, orders: list[AnOrder]) -> UUID:
    return await merging.merge(order_ids=[order.id for order in orders], member_id=member, now=NOW, jobs=JOBS)


@pytest.mark.parametrize("choice", [Ways.at_slot, Ways.at_store, Ways.to_home])
async def test_orders_for_which_the_same_was_chosen_become_one(db: str, choice: Callable[[Ways], Choice]) -> None:
    ways = await a_shop_with_ways()
    member, orders = await two_names(ways)
    for order in orders:
        await chosen(member, order, choice(ways))
    assert "MERGE" in await actions(member, orders[0].id)
    fee = await database.fetchval('select shipping_minor from "order" limit 1')
    assert await one_of(member, orders) == orders[0].id
    row = await database.fetchrow('select state, shipping_minor, total_minor from "order" where id = $1', orders[0].id)
    assert row is not None
    assert tuple(row) == ("OPEN", fee, sum(order.total_minor for order in orders) + fee)
    assert await taken(ways.slot) == (1 if choice is Ways.at_slot else 0)
    assert await check(SOON) == []


async def test_orders_for_which_something_else_was_chosen_stay_apart(db: str) -> None:
    ways = await a_shop_with_ways()
    other = await a_slot(ways.shop, ways.meet, starts_at=NOW + timedelta(days=2))
    pairs: tuple[tuple[Choice | None, Choice], ...] = (
        (None, ways.at_slot()), (ways.at_slot(), ways.at_slot(other)), (ways.at_store(), ways.at_store("131387")),
        (ways.to_home(), ways.to_home(replace(ways.to_home().recipient, address="臺北市大安區和平東路二段 2 號"))), (ways.at_store(), ways.to_home()),
    )  # fmt: skip
    for choices in pairs:
        member, orders = await two_names(ways)
        for order, choice in zip(orders, choices, strict=True):
            if choice is not None:
                await chosen(member, order, choice)
        await stay_apart(member, orders)


@pytest.mark.parametrize("which", [(0,), (1,), (0, 1)])
async def test_a_gift_stays_what_its_link_shows(db: str, which: tuple[int, ...]) -> None:
    member, orders = await two_names(await a_shop_with_ways())
    assert "MERGE" in await actions(member, orders[0].id)
    for number in which:
        await gifts.make_link(order_id=orders[number].id, member_id=member, sender="", message="", now=NOW)
    await stay_apart(member, orders)


async def stay_apart(member: UUID, orders: list[AnOrder]) -> None:
    before: Any = await everything()
    assert [order.id for order in orders if "MERGE" in await actions(member, order.id)] == []
    with pytest.raises(NotMergeable):
        await one_of(member, orders)
    assert await everything() == before
