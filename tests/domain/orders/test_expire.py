"""Unpaid orders whose time is over: all of them, once, without one keeping the others."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest

from domain import db as database
from domain.jobs import RESTOCKED
from domain.orders import commands
from domain.orders.commands import expire_due
from domain.providers.pgqueuer_jobs import PgQueuerJobs
from tests.books import books_agree, everything, figures, queued
from tests.build import NOW, a_buyer, a_member, a_product, a_shop, a_variant, an_order

JOBS = PgQueuerJobs()
LATE = NOW + timedelta(days=4)


async def test_payment_expires_and_the_order_is_cancelled_in_one_step(db: str) -> None:
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=3)
    order = await an_order(shop, [(variant, 2)], buyer=await a_buyer(shop, member_id=await a_member()))
    assert await expire_due(now=LATE, limit=100, jobs=JOBS) == 1
    row = await database.fetchrow('select state, payment_state, version, updated_at from "order"')
    assert row is not None
    assert tuple(row) == ("CANCELLED", "EXPIRED", 2, LATE)
    assert await figures(variant) == (3, 0, 0)
    moved = await database.fetch("select kind, held_delta, order_line_id, actor, at from stock_movement where kind = 'EXPIRED'")
    assert [tuple(m) for m in moved] == [("EXPIRED", -2, order.lines[0], "worker:deadlines", LATE)]
    assert await database.fetchval("select array_agg(kind) from notice") == ["ORDER_EXPIRED"]
    assert await database.fetchval("select array_agg(kind) from order_event") == ["EXPIRED"]
    assert await database.fetchval("select array_agg(action || ' ' || object_id) from audit_entry") == [f"order.expire {order.id}"]
    assert await queued(RESTOCKED) == [{"shop_id": str(shop.id), "variants": [str(variant.id)]}]
    await books_agree()
    before = await everything()
    assert await expire_due(now=LATE, limit=100, jobs=JOBS) == 0
    assert await everything() == before


async def test_an_order_without_a_deadline_and_one_at_its_very_deadline_stay(db: str) -> None:
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=9)
    await an_order(shop, [(variant, 1)], pay_by=None)
    await an_order(shop, [(variant, 1)], pay_by=LATE)
    before = await everything()
    assert await expire_due(now=LATE, limit=100, jobs=JOBS) == 0
    assert await everything() == before


async def test_all_shops_at_once_in_lots(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "LOT", 4)
    variants = []
    for _ in range(3):
        shop = await a_shop()
        red, white = (await a_product(shop, variants=["紅", "白"], on_hand=50)).variants
        variants += [red, white]
        for number in range(5):
            await an_order(shop, [(red, 1), (white, 2)], pay_by=NOW + timedelta(minutes=number))
    assert await expire_due(now=LATE, limit=7, jobs=JOBS) == 7
    assert await expire_due(now=LATE, limit=100, jobs=JOBS) == 8
    assert [await figures(variant) for variant in variants] == [(50, 0, 0)] * 6
    assert await database.fetchval("select count(*) from notice") == 15
    await books_agree()


async def test_orders_of_one_deadline_are_all_found(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "LOT", 2)
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=50)
    for _ in range(7):
        await an_order(shop, [(variant, 1)])
    assert await expire_due(now=LATE, limit=100, jobs=JOBS) == 7


async def test_an_order_that_somebody_holds_is_left_for_the_next_time(db: str) -> None:
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=9)
    held = await an_order(shop, [(variant, 1)])
    await an_order(shop, [(variant, 1)])
    connection = await database.dedicated()
    try:
        async with connection.transaction():
            await connection.execute('select 1 from "order" where id = $1 for update', held.id)
            assert await expire_due(now=LATE, limit=100, jobs=JOBS) == 1
            assert await database.fetchval('select state from "order" where id = $1', held.id) == "OPEN"
    finally:
        await connection.close()
    assert await expire_due(now=LATE, limit=100, jobs=JOBS) == 1


async def test_an_order_that_cannot_be_expired_keeps_no_other(db: str, caplog: pytest.LogCaptureFixture) -> None:
    shop = await a_shop()
    good, broken = await a_variant(shop, on_hand=9), await a_variant(shop, on_hand=9)
    poison = await an_order(shop, [(good, 1), (broken, 1)])
    for _ in range(3):
        await an_order(shop, [(good, 1)])
    await database.execute("update stock_level set held = 0 where variant_id = $1", broken.id)
    with caplog.at_level(logging.ERROR):
        assert await expire_due(now=LATE, limit=100, jobs=JOBS) == 3
    assert [record.getMessage() for record in caplog.records] == [f"order {poison.id} cannot be expired"]
    assert await database.fetch("select id from \"order\" where state = 'OPEN'") == [(poison.id,)]
    assert await figures(good) == (9, 1, 0)
