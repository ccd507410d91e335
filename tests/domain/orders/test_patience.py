"""Parcels that wait."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from domain import db as database
from domain.errors import NotFound
from domain.orders import patience
from domain.orders.errors import InvalidTransition
from domain.orders.rules import FulfilmentState, PaymentState
from domain.posts.rules import DeliveryMethod
from tests import build
from tests.build import NOW
from tests.domain.orders.acting import actions, kinds, refused


async def a_parcel(**given: Any) -> tuple[UUID, build.AnOrder]:
    shop, member = await build.a_shop(), await build.a_member()
    state: dict[str, Any] = {"payment": PaymentState.PAID, "method": DeliveryMethod.SHIP, **given}
    return member, await build.an_order(shop, {await build.a_variant(shop): 1}, buyer=await build.a_buyer(shop, member_id=member), **state)


async def until() -> datetime | None:
    found: datetime | None = await database.fetchval('select ship_later_until from "order"')
    return found


async def test_a_paid_parcel_waits_at_most_the_shop_s_days(db: str) -> None:
    member, order = await a_parcel()
    assert await actions(member, order.id) == ["MAKE_GIFT", "REQUEST_CANCEL", "SHIP_LATER"]
    for at in (NOW, NOW + timedelta(days=1)):
        await patience.ship_later(order_id=order.id, member_id=member, now=at)
        assert await until() == NOW + timedelta(days=14)
    assert await actions(member, order.id) == ["MAKE_GIFT", "REQUEST_CANCEL", "SHIP_NOW"]
    assert await actions(member, order.id, at=NOW + timedelta(days=14)) == ["MAKE_GIFT", "REQUEST_CANCEL", "SHIP_LATER"]
    for _ in range(2):
        await patience.ship_now(order_id=order.id, member_id=member, now=NOW)
        assert await until() is None
    assert await kinds("order_event") == ["SHIP_LATER", "SHIP_NOW"]
    assert await database.fetchval('select version from "order"') == 3


@pytest.mark.parametrize(
    "given",
    [
        {"method": DeliveryMethod.PICKUP}, {"payment": PaymentState.UNPAID}, {"fulfilment": FulfilmentState.LABELLED},
        {"fulfilment": FulfilmentState.SHIPPED},
    ],
)  # fmt: skip
async def test_what_is_not_a_paid_parcel_without_a_label_does_not_wait(db: str, given: dict[str, Any]) -> None:
    member, order = await a_parcel(**given)
    await refused(InvalidTransition, patience.ship_later(order_id=order.id, member_id=member, now=NOW))
    assert not {"SHIP_LATER", "SHIP_NOW"} & set(await actions(member, order.id))


async def test_a_shop_may_let_nothing_wait_and_nobody_else_decides(db: str) -> None:
    member, order = await a_parcel()
    await refused(NotFound, patience.ship_later(order_id=order.id, member_id=await build.a_member(), now=NOW))
    await database.execute("update shop set ship_later_days = 0")
    await refused(InvalidTransition, patience.ship_later(order_id=order.id, member_id=member, now=NOW))
    assert await actions(member, order.id) == ["MAKE_GIFT", "REQUEST_CANCEL"]
