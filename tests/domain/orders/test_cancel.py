"""An open order that is not paid is cancelled once: stock back, buyer told, on record."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from domain import db as database
from domain.audit.commands import Actor
from domain.errors import NotFound
from domain.jobs import PUSH, RESTOCKED
from domain.orders.commands import cancel
from domain.orders.errors import InvalidTransition
from domain.orders.rules import PaymentState
from domain.providers.pgqueuer_jobs import PgQueuerJobs
from tests.books import books_agree, everything, figures, queued
from tests.build import NOW, AnOrder, AShop, a_buyer, a_device, a_member, a_product, a_shop, a_variant, an_order

JOBS = PgQueuerJobs()
CLERK = Actor(f"member:{UUID(int=1)}", "HELPER", "request-1")


async def cancelled(order: AnOrder, shop: AShop, reason: str = "buyer asked") -> None:
    await cancel(order_id=order.id, shop_id=shop.id, reason=reason, actor=CLERK, now=NOW, jobs=JOBS)


async def test_pieces_of_all_lines_are_free_again(db: str) -> None:
    shop = await a_shop()
    red, white = (await a_product(shop, variants=["紅", "白"], on_hand=[3, 4])).variants
    order = await an_order(shop, [(red, 2), (white, 1), (red, 1)])
    other = await an_order(shop, [(white, 1)])
    assert (await figures(red), await figures(white)) == ((3, 3, 0), (4, 2, 0))
    await cancelled(order, shop)
    assert (await figures(red), await figures(white)) == ((3, 0, 0), (4, 1, 0))
    rows = await database.fetch(
        "select variant_id, held_delta, order_line_id, actor from stock_movement where kind = 'RELEASED' order by id"
    )
    assert sorted((row["held_delta"], row["order_line_id"], row["actor"]) for row in rows) == sorted(
        [(-2, order.lines[0], CLERK.name), (-1, order.lines[1], CLERK.name), (-1, order.lines[2], CLERK.name)]
    )
    assert await database.fetchval('select state from "order" where id = $1', other.id) == "OPEN"
    assert await queued(RESTOCKED) == [{"shop_id": str(shop.id), "variants": sorted([str(red.id), str(white.id)])}]
    await books_agree()


async def test_the_order_keeps_its_lines_and_says_why(db: str) -> None:
    shop = await a_shop()
    variant = await a_variant(shop)
    order = await an_order(shop, [(variant, 2)])
    await cancelled(order, shop, "買家改口")
    row = await database.fetchrow(
        'select state, payment_state, version, updated_at, total_minor, list from "order" where id = $1', order.id
    )
    assert row is not None
    assert tuple(row) == ("CANCELLED", "UNPAID", 2, NOW, 1180, "DONE")
    assert await database.fetchval("select quantity from order_line where order_id = $1", order.id) == 2
    event = await database.fetchrow("select shop_id, kind, data::text, actor, at from order_event where order_id = $1", order.id)
    assert event is not None
    assert tuple(event) == (shop.id, "CANCELLED", '{"reason":"買家改口"}', CLERK.name, NOW)


async def test_the_buyer_is_told_once_on_every_device(db: str) -> None:
    shop = await a_shop(name="小鹿團購")
    member = await a_member()
    await a_device(member)
    await a_device(member)
    order = await an_order(shop, [(await a_variant(shop), 1)], buyer=await a_buyer(shop, member_id=member))
    await cancelled(order, shop)
    rows = await database.fetch("select member_id, kind, data from notice")
    assert [(row["member_id"], row["kind"]) for row in rows] == [(member, "ORDER_CANCELLED")]
    assert database.from_jsonb(rows[0]["data"]) == {
        "shopName": "小鹿團購", "orderId": str(order.id), "orderNumber": order.number, "totalMinor": 590, "currency": "TWD", "reason": "buyer asked",
    }  # fmt: skip
    (push,) = await queued(PUSH)
    assert len(push["deliveries"]) == 2  # type: ignore[arg-type]


async def test_the_audit_names_who_and_what(db: str) -> None:
    shop = await a_shop()
    order = await an_order(shop, [(await a_variant(shop), 1)])
    await cancelled(order, shop)
    rows = await database.fetch("select shop_id, at, actor, role, action, object_type, object_id, request_id from audit_entry")
    assert [tuple(row) for row in rows] == [(shop.id, NOW, CLERK.name, "HELPER", "order.cancel", "order", order.id, "request-1")]


async def test_cancelling_again_changes_nothing(db: str) -> None:
    shop = await a_shop()
    order = await an_order(shop, [(await a_variant(shop), 1)])
    await cancelled(order, shop)
    before = await everything()
    await cancelled(order, shop, "again")
    assert await everything() == before


async def test_another_shops_order_is_not_found_just_like_a_missing_one(db: str) -> None:
    shop, other = await a_shop(), await a_shop()
    order = await an_order(shop, [(await a_variant(shop), 1)])
    before = await everything()
    for order_id, shop_id in ((order.id, other.id), (uuid4(), shop.id)):
        with pytest.raises(NotFound):
            await cancel(order_id=order_id, shop_id=shop_id, reason="", actor=CLERK, now=NOW, jobs=JOBS)
    assert await everything() == before


async def test_a_paid_order_is_not_cancelled(db: str) -> None:
    shop = await a_shop()
    order = await an_order(shop, [(await a_variant(shop), 1)], payment=PaymentState.PAID)
    before = await everything()
    with pytest.raises(InvalidTransition) as refused:
        await cancelled(order, shop)
    assert vars(refused.value) == {"order_id": order.id, "axis": "payment", "current": "PAID", "wanted": "CANCELLED"}
    assert await everything() == before
