"""Goods that change while posts sell them."""

from __future__ import annotations

from typing import Any

import pytest

from domain import db as database
from domain.audit.commands import Actor
from domain.catalog.commands import VariantDraft, add_variant, change_variant, create_product, set_options
from domain.errors import NotFound
from domain.ids import new_id
from tests import build
from tests.conftest import NOW

OPERATOR = Actor("worker:operator")
COLOURS = [{"name": "顏色", "values": [{"key": "red", "label": "紅色", "aliases": []}]}]


async def versions() -> list[int]:
    return [row["version"] for row in await database.fetch("select version from sales_post order by created_at, id")]


async def actions() -> list[tuple[Any, ...]]:
    rows = await database.fetch("select action, object_id, detail from audit_entry where actor = 'worker:operator' order by id")
    return [(row["action"], row["object_id"], database.from_jsonb(row["detail"])) for row in rows]


async def test_a_variant_is_added_behind_the_others_and_posts_are_read_anew(db):
    shop = await build.a_shop()
    product, other = await build.a_product(shop, variants=("紅", "白")), await build.a_product(shop)
    await build.a_post(shop, products=[product])
    await build.a_post(shop, products=[other])
    before = await versions()
    draft = VariantDraft("黑", 650, {"顏色": "black"}, "K1")
    async with database.transaction() as tx:
        variant_id = await add_variant(tx, shop_id=shop.id, product_id=product.id, variant=draft, actor=OPERATOR, now=NOW)
    row = await database.fetchrow("select * from variant where id = $1", variant_id)
    last = await database.fetchval("select max(position) from variant where product_id = $1 and id <> $2", product.id, variant_id)
    assert (row["shop_id"], row["product_id"], row["label"], row["price_minor"], row["code"]) == (shop.id, product.id, "黑", 650, "K1")
    assert database.from_jsonb(row["option_values"]) == {"顏色": "black"}
    assert row["position"] == last + 1
    assert await versions() == [before[0] + 1, before[1]]
    assert await actions() == [("VARIANT_ADDED", variant_id, {"product": str(product.id), "price": 650})]


async def test_a_price_changes_for_new_lines_only(db):
    shop = await build.a_shop()
    product = await build.a_product(shop, variants=("紅",))
    (variant,) = product.variants
    post = await build.a_post(shop, products=[product])
    await build.an_order(shop, {variant: 2}, post=post)
    paid = await database.fetchval("select unit_price_minor from order_line")
    before = await versions()
    given = {
        "shop_id": shop.id,
        "variant_id": variant.id,
        "price_minor": variant.price_minor + 50,
        "code": "",
        "actor": OPERATOR,
        "now": NOW,
    }
    async with database.transaction() as tx:
        assert await change_variant(tx, **given) == ("price",)
        assert await change_variant(tx, **given) == ()
    assert await database.fetchval("select price_minor from variant where id = $1", variant.id) == variant.price_minor + 50
    assert await database.fetchval("select unit_price_minor from order_line") == paid == variant.price_minor
    assert await versions() == [before[0] + 1]
    detail = {"changed": ["price"], "from": variant.price_minor, "to": variant.price_minor + 50}
    assert await actions() == [("VARIANT_CHANGED", variant.id, detail)]


async def test_options_are_set_and_posts_are_read_anew(db):
    shop = await build.a_shop()
    async with database.transaction() as tx:
        product_id, _ = await create_product(tx, shop_id=shop.id, title="圍巾", variants=[VariantDraft("", 590)], now=NOW)
        await set_options(tx, shop_id=shop.id, product_id=product_id, options=COLOURS, actor=OPERATOR, now=NOW)
    assert database.from_jsonb(await database.fetchval("select options from product")) == COLOURS
    assert await actions() == [("PRODUCT_OPTIONS_SET", product_id, {"options": 1})]


async def test_goods_of_another_shop_are_not_found(db):
    product = await build.a_product(await build.a_shop(), variants=("紅",))
    stranger = (await build.a_shop()).id
    before = await database.fetch("select * from variant"), await database.fetch("select * from product")
    for shop_id, key in ((stranger, product.id), (product.shop_id, new_id())):
        async with database.transaction() as tx:
            with pytest.raises(NotFound):
                await add_variant(tx, shop_id=shop_id, product_id=key, variant=VariantDraft("黑", 1), actor=OPERATOR, now=NOW)
            with pytest.raises(NotFound):
                await set_options(tx, shop_id=shop_id, product_id=key, options=COLOURS, actor=OPERATOR, now=NOW)
    for shop_id, key in ((stranger, product.variants[0].id), (product.shop_id, new_id())):
        async with database.transaction() as tx:
            with pytest.raises(NotFound):
                await change_variant(tx, shop_id=shop_id, variant_id=key, price_minor=1, code="", actor=OPERATOR, now=NOW)
    assert (await database.fetch("select * from variant"), await database.fetch("select * from product")) == before
    assert await actions() == []
