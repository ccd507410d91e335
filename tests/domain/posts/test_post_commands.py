"""Posts that change while they stand: their window, their items, and who stands in a chat."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from domain import db as database
from domain.audit.commands import Actor
from domain.errors import NotFound
from domain.ids import new_id
from domain.posts.commands import ItemDraft, add_item, change_item, place_post, set_window, take_place
from tests import build
from tests.conftest import NOW

OPERATOR = Actor("worker:operator")
LATER = NOW + timedelta(days=1)


@pytest.fixture
async def shop(db: str) -> build.AShop:
    return await build.a_shop()


async def version(post: build.APost) -> int:
    found: int = await database.fetchval("select version from sales_post where id = $1", post.id)
    return found


async def actions() -> list[tuple[Any, ...]]:
    rows = await database.fetch("select action, object_id from audit_entry where actor = 'worker:operator' order by id")
    return [tuple(row) for row in rows]


async def test_a_window_is_set_once(shop):
    post = await build.a_post(shop, products=[await build.a_product(shop)])
    before = await version(post)
    given = {"shop_id": shop.id, "post_id": post.id, "opens_at": NOW, "closes_at": LATER, "actor": OPERATOR, "now": NOW}
    async with database.transaction() as tx:
        assert await set_window(tx, **given)
        assert not await set_window(tx, **given)
    row = await database.fetchrow("select opens_at, closes_at from sales_post where id = $1", post.id)
    assert tuple(row) == (NOW, LATER)
    assert await version(post) == before + 1
    assert await actions() == [("POST_WINDOW_SET", post.id)]


async def test_an_item_is_added_behind_the_others_and_changed_once(shop):
    first, second = await build.a_product(shop), await build.a_product(shop)
    post = await build.a_post(shop, products=[first])
    before = await version(post)
    async with database.transaction() as tx:
        item_id = await add_item(
            tx, shop_id=shop.id, post_id=post.id, item=ItemDraft(second.id, ["B"], ["茶"], True, 3), actor=OPERATOR, now=NOW
        )
    assert await version(post) == before + 1
    changed = ItemDraft(second.id, ["B", "B2"], ["茶"], False, None)
    async with database.transaction() as tx:
        given = {"shop_id": shop.id, "item_id": item_id, "item": changed, "actor": OPERATOR, "now": NOW}
        assert await change_item(tx, **given) == ("codes", "on_sale", "max_qty")
        assert await change_item(tx, **given) == ()
    rows = await database.fetch(
        "select product_id, codes, aliases, on_sale, max_qty from post_item where post_id = $1 order by position", post.id
    )
    assert [row["product_id"] for row in rows] == [first.id, second.id]
    assert tuple(rows[1])[1:] == ('["B", "B2"]', '["茶"]', False, None)
    assert await version(post) == before + 2
    assert await actions() == [("POST_ITEM_ADDED", post.id), ("POST_ITEM_CHANGED", post.id)]


async def test_another_post_takes_a_place_over(shop):
    product = await build.a_product(shop)
    old, new = await build.a_post(shop, products=[product]), await build.a_post(shop, products=[product])
    channel = await build.a_channel(shop)
    async with database.transaction() as tx:
        placement_id = await place_post(tx, shop_id=shop.id, post_id=old.id, channel_id=channel.id, now=NOW)
        await take_place(tx, shop_id=shop.id, placement_id=placement_id, post_id=new.id, actor=OPERATOR, now=NOW)
    assert await database.fetchval("select post_id from post_placement where id = $1", placement_id) == new.id
    assert await actions() == [("PLACEMENT_MOVED", new.id)]


async def test_what_belongs_to_another_shop_is_not_found(shop):
    product = await build.a_product(shop)
    post, channel = await build.a_post(shop, products=[product]), await build.a_channel(shop)
    stranger = await build.a_shop()
    theirs = await build.a_post(stranger, products=[])
    async with database.transaction() as tx:
        placement_id = await place_post(tx, shop_id=shop.id, post_id=post.id, channel_id=channel.id, external_post_id="7", now=NOW)
    tables = "sales_post", "post_item", "post_placement"
    before = [await database.fetch(f"select * from {table} order by id") for table in tables]
    by = {"actor": OPERATOR, "now": NOW}
    for shop_id, post_id, item_id in ((stranger.id, post.id, post.items[0]), (shop.id, new_id(), new_id())):
        async with database.transaction() as tx:
            with pytest.raises(NotFound):
                await set_window(tx, shop_id=shop_id, post_id=post_id, opens_at=None, closes_at=NOW, **by)
            with pytest.raises(NotFound):
                await add_item(tx, shop_id=shop_id, post_id=post_id, item=ItemDraft(product.id), **by)
            with pytest.raises(NotFound):
                await change_item(tx, shop_id=shop_id, item_id=item_id, item=ItemDraft(product.id, ["X"]), **by)
    async with database.transaction() as tx:
        with pytest.raises(NotFound):
            await take_place(tx, shop_id=stranger.id, placement_id=placement_id, post_id=theirs.id, **by)
        with pytest.raises(NotFound):
            await take_place(tx, shop_id=shop.id, placement_id=placement_id, post_id=theirs.id, **by)
    assert [await database.fetch(f"select * from {table} order by id") for table in tables] == before
    assert await actions() == []
