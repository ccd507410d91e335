"""Orders made one."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from domain import db as database
from domain.bootstrap import Services
from domain.errors import NotFound
from domain.orders import merging
from domain.orders.commands import expire_due
from domain.orders.errors import CrossShopMerge, DeliveryDiffers, HoldOver, InvalidTransition
from domain.orders.rules import PaymentState
from domain.posts.rules import DeliveryMethod
from plusone.invariants import check
from tests import build
from tests.books import books_agree, figures
from tests.build import NOW
from tests.domain.orders.acting import LATER, actions, kinds, refused
from tests.wall import wall_services


@pytest.fixture
def services(db: str) -> Services:
    return wall_services()


async def two_names(services: Services, **second: Any) -> tuple[UUID, build.AShop, build.AVariant, list[build.AnOrder]]:
    """Two unpaid orders of one member under two names."""
    shop, member = await build.a_shop(), await build.a_member()
    variant = await build.a_variant(shop, on_hand=9)
    names = [await build.a_buyer(shop, member_id=member) for _ in range(2)]
    first = await build.an_order(shop, {variant: 1}, buyer=names[0])
    given: dict[str, Any] = {"pay_by": NOW + timedelta(days=1), "shipping_minor": 60, **second}
    return (
        member,
        shop,
        variant,
        [first, await build.an_order(shop, {variant: 2}, buyer=names[1], created_at=NOW + timedelta(hours=1), **given)],
    )


async def merged(services: Services, member: UUID, orders: list[build.AnOrder], *, at: datetime = NOW) -> UUID:
    return await merging.merge(order_ids=[order.id for order in reversed(orders)], member_id=member, now=at, jobs=services.jobs)


async def test_two_orders_become_the_older_one(services: Services) -> None:
    member, _, variant, orders = await two_names(services)
    await database.execute(
        'insert into payment_reminder (order_id, shop_id, half_at, last_hour_at, due_at) select o.id, o.shop_id, o.pay_by, null, o.pay_by from "order" o'
    )
    assert "MERGE" in await actions(member, orders[0].id)
    assert await merged(services, member, orders) == orders[0].id
    rows = await database.fetch(
        'select state, subtotal_minor, shipping_minor, total_minor, pay_by, version from "order" order by created_at'
    )
    assert [tuple(row.values()) for row in rows] == [
        ("OPEN", 1770, 60, 1830, NOW + timedelta(days=1), 2), ("CANCELLED", 0, 0, 0, NOW + timedelta(days=1), 3),
    ]  # fmt: skip
    reminders = await database.fetch("select order_id, due_at from payment_reminder")
    assert [tuple(row.values()) for row in reminders] == [(orders[0].id, NOW + timedelta(days=1))]
    assert await database.fetchval("select count(distinct order_id) from order_line") == 1
    assert await figures(variant) == (9, 3, 0)
    assert await kinds("order_event") == ["MERGED", "MERGED"]
    assert await kinds("notice") == ["LINES_CHANGED"]
    assert "MERGE" not in await actions(member, orders[0].id)
    await books_agree()
    assert await check(LATER) == []


async def test_orders_that_differ_stay_apart(services: Services) -> None:
    member, shop, variant, orders = await two_names(services, method=DeliveryMethod.SHIP)
    assert (await refused(DeliveryDiffers, merged(services, member, orders))).field == "deliveryFrom"  # type: ignore[attr-defined]
    assert "MERGE" in await actions(member, orders[0].id)
    elsewhere = await build.a_shop()
    other = await build.an_order(elsewhere, {await build.a_variant(elsewhere): 1}, buyer=await build.a_buyer(elsewhere, member_id=member))
    await refused(CrossShopMerge, merged(services, member, [orders[0], other]))
    await refused(NotFound, merged(services, await build.a_member(), orders))
    await refused(NotFound, merged(services, member, [orders[0], orders[0]]))
    stranger = await build.an_order(shop, {variant: 1})
    await refused(NotFound, merged(services, member, [orders[0], stranger]))


async def test_orders_with_money_or_past_their_time_stay_apart(services: Services) -> None:
    member, shop, variant, orders = await two_names(services)
    await refused(HoldOver, merged(services, member, orders, at=NOW + timedelta(days=1)))
    third = await build.an_order(shop, {variant: 1}, buyer=await build.a_buyer(shop, member_id=member), payment=PaymentState.PAID)
    await refused(InvalidTransition, merged(services, member, [orders[0], third]))
    await expire_due(now=NOW + timedelta(days=2), limit=10, jobs=services.jobs)
    await refused(InvalidTransition, merged(services, member, orders))
