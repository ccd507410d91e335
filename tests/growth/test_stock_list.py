"""The desk's stock list reads what it shows, however many shops there are beside it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest

from domain import db as database
from domain.paging import Page, Wanted
from domain.shops.screens import levels_of_shop
from tests import build

OTHERS = """
with shops as (select gen_random_uuid() as id, n from generate_series(1, 250) n),
  opened as (insert into shop (id, handle, name, currency, time_zone, locale, pay_within_minutes, pickup_place, created_at)
    select id, 'beside-' || n, '別家', 'TWD', 'Asia/Taipei', 'zh-TW', 60, '', $1 from shops returning id),
  products as (select gen_random_uuid() as id, shops.id as shop_id from shops cross join generate_series(1, 8)),
  made as (insert into product (id, shop_id, title, options, created_at) select id, shop_id, '毛毯', '[]', $1 from products),
  variants as (select gen_random_uuid() as id, products.id as product_id, shop_id, k from products cross join generate_series(1, 3) k),
  listed as (insert into variant (id, shop_id, product_id, label, option_values, code, price_minor, position)
    select id, shop_id, product_id, k::text, '{}', '', 590, k from variants)
insert into stock_level (variant_id, shop_id, on_hand, held, committed, sell_beyond, backorder_limit, version)
select id, shop_id, 0, 0, 0, 'DENY', 0, 1 from variants"""
"""6,000 variants of 250 other shops."""
WANTED = Wanted.of("variant.product")


async def read(shop: UUID, monkeypatch: pytest.MonkeyPatch, **given: Any) -> tuple[int, int]:
    """How many levels a page of the list has, and how many blocks its statement touches."""
    said: list[tuple[str, tuple[object, ...]]] = []
    fetch = database.fetch

    async def heard(sql: str, *args: object) -> Any:
        said.append((sql, args))
        return await fetch(sql, *args)

    await database.execute("analyze product, variant, stock_level, shop")
    with monkeypatch.context() as patch:
        patch.setattr(database, "fetch", heard)
        part = await levels_of_shop(shop, page=Page(50), wanted=WANTED, **given)
    ((sql, args),) = said
    (plan,) = orjson.loads(await database.fetchval(f"explain (analyze, buffers, format json) {sql}", *args))
    return len(part.rows), plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"]


@pytest.mark.parametrize("narrowed", [{}, {"sold_out": False}, {"count": True}, {"product_id": True}])
async def test_a_page_touches_as_many_blocks_with_six_thousand_variants_beside_it(
    db: str, monkeypatch: pytest.MonkeyPatch, narrowed: dict[str, Any]
) -> None:
    shop = await build.a_shop()
    products = [await build.a_product(shop, title=f"方巾 {n}", variants=("紅", "白", "藍")) for n in range(9)]
    given = {**narrowed, **({"product_id": products[4].id} if "product_id" in narrowed else {})}
    levels, alone = await read(shop.id, monkeypatch, **given)
    assert levels == (3 if "product_id" in narrowed else 27)
    await database.execute(OTHERS, build.NOW)
    again, among_others = await read(shop.id, monkeypatch, **given)
    assert again == levels
    # Trees of keys are a level deeper with so many rows; all variants of all shops would be more than a hundred blocks.
    assert among_others <= alone + 4 * (levels + len(products)) + 10


async def test_levels_come_newest_product_first_and_page_by_page(db: str) -> None:
    shop, other = await build.a_shop(), await build.a_shop()
    await build.a_product(other, variants=("紅", "白"))
    made = [await build.a_product(shop, variants=("紅", "白"), now=build.NOW + timedelta(minutes=n // 2)) for n in range(4)]
    expected = [
        v.id for pair in (made[2:], made[:2]) for v in sorted((v for p in pair for v in p.variants), key=lambda v: v.id, reverse=True)
    ]
    found, after = [], None
    while True:
        part = await levels_of_shop(shop.id, page=Page(3, after), wanted=Wanted.of("variant"))
        found += [position[1] for position in part.positions]
        if not part.has_next:
            break
        after = part.positions[-1]
    assert found == expected
