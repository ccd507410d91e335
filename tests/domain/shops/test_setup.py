"""Changing what a shop, its endpoints and its channels were set up with."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from domain import db as database
from domain.audit.commands import Actor
from domain.errors import NotFound
from domain.ids import new_id
from domain.shops.commands import add_channel, add_endpoint, change_shop, rename_channel, reseal_endpoint
from domain.shops.errors import InvalidShop
from domain.shops.queries import OpenShop, endpoint_by_slug, shop_by_handle
from domain.shops.rules import SourcePlatform
from domain.vault import Vault
from tests.build import AShop, a_shop
from tests.conftest import NOW

VAULT = Vault("a root secret that is used by tests only, 48 chars")
OTHER_VAULT = Vault("another root secret that is used by tests only, 48")
OPERATOR = Actor("worker:operator")
FACTS: dict[str, Any] = {
    "name": "小鹿團購", "time_zone": "Asia/Taipei", "locale": "zh-TW", "pickup_place": "捷運中山站 2 號出口", "pay_within_minutes": 4320,
}  # fmt: skip


async def audit(*actions: str) -> list[tuple[Any, ...]]:
    rows = await database.fetch(
        "select shop_id, actor, object_id, detail from audit_entry where action = any($1::text[]) order by id", list(actions)
    )
    return [(row["shop_id"], row["actor"], row["object_id"], database.from_jsonb(row["detail"])) for row in rows]


async def row_of(table: str, key: UUID) -> dict[str, Any]:
    row = await database.fetchrow(f"select * from {table} where id = $1", key)
    assert row is not None
    return dict(row)


async def bound(shop: AShop, endpoint_id: UUID, external_id: str = "1") -> UUID:
    return await add_channel(
        shop_id=shop.id, endpoint_id=endpoint_id, platform=SourcePlatform.FACEBOOK_PAGE, external_id=external_id, name="小鹿", now=NOW
    )


async def test_a_shop_is_found_by_its_handle(db):
    shop = await a_shop(handle="deer")
    await a_shop(handle="deer-2")
    async with database.transaction() as tx:
        found = await shop_by_handle(tx, "deer")
        assert found == OpenShop(shop.id, shop.number, "deer", "小鹿團購", "TWD", "Asia/Taipei", "zh-TW", "捷運中山站 2 號出口", 4320)
        assert [await shop_by_handle(tx, handle) for handle in ("Deer", "", "dee", "deer' or true --")] == [None] * 4


async def test_a_shop_changes_what_may_change_and_says_what_did(db):
    shop = await a_shop()
    wanted = FACTS | {"name": "小鹿嚴選", "pay_within_minutes": 60}
    assert await change_shop(shop_id=shop.id, now=NOW, actor=OPERATOR, **wanted) == ("name", "pay_within_minutes")
    assert {field: (await row_of("shop", shop.id))[field] for field in FACTS} == wanted
    assert await change_shop(shop_id=shop.id, now=NOW, actor=OPERATOR, **wanted) == ()
    assert await audit("SHOP_CHANGED") == [(shop.id, "worker:operator", shop.id, {"fields": ["name", "pay_within_minutes"]})]


@pytest.mark.parametrize(
    ("field", "value"), [("name", ""), ("time_zone", "Taipei"), ("locale", "zh_TW"), ("pickup_place", "x" * 201), ("pay_within_minutes", 0)]
)
async def test_a_shop_keeps_what_it_has_when_the_new_cannot_be(db, field, value):
    shop = await a_shop()
    before = await row_of("shop", shop.id)
    with pytest.raises(InvalidShop) as refused:
        await change_shop(shop_id=shop.id, now=NOW, **(FACTS | {field: value}))
    assert refused.value.field == field
    assert await row_of("shop", shop.id) == before
    with pytest.raises(NotFound):
        await change_shop(shop_id=new_id(), now=NOW, **FACTS)


@pytest.fixture
async def endpoint_id(db: str) -> UUID:
    return await add_endpoint(source="line", slug="bot", secret="old", verify_token="word", destination="U1", vault=VAULT, now=NOW)


async def test_an_endpoint_takes_a_new_secret_and_its_shops_are_told_once_each(endpoint_id):
    shops = sorted([await a_shop(), await a_shop()], key=lambda shop: shop.id)
    for number, shop in enumerate([*shops, shops[0]]):
        await bound(shop, endpoint_id, str(number))
    assert (await endpoint_by_slug("line", "bot", VAULT)).secret == "old"
    given = {"secret": "new", "verify_token": "word", "destination": "U2"}
    assert await reseal_endpoint(endpoint_id=endpoint_id, vault=VAULT, now=NOW, actor=OPERATOR, **given) == ("secret", "destination")
    found = await endpoint_by_slug("line", "bot", VAULT)
    assert (found.secret, found.verify_token, found.destination) == ("new", "word", "U2")
    told = {"changed": ["secret", "destination"]}
    assert await audit("ENDPOINT_CHANGED") == [(shop.id, "worker:operator", endpoint_id, told) for shop in shops]
    before = await row_of("webhook_endpoint", endpoint_id)
    assert await reseal_endpoint(endpoint_id=endpoint_id, vault=VAULT, now=NOW, actor=OPERATOR, **given) == ()
    assert await row_of("webhook_endpoint", endpoint_id) == before


async def test_a_verify_token_may_come_and_go(endpoint_id):
    given = {"endpoint_id": endpoint_id, "secret": "old", "destination": "U1", "vault": VAULT, "now": NOW}
    assert await reseal_endpoint(verify_token="", **given) == ("verify_token",)
    assert (await row_of("webhook_endpoint", endpoint_id))["verify_token_encrypted"] == ""
    assert await reseal_endpoint(verify_token="word", **given) == ("verify_token",)
    assert (await endpoint_by_slug("line", "bot", VAULT)).verify_token == "word"


async def test_a_secret_of_another_root_key_is_sealed_anew(endpoint_id):
    given = {"secret": "old", "verify_token": "word", "destination": "U1"}
    assert await reseal_endpoint(endpoint_id=endpoint_id, vault=OTHER_VAULT, now=NOW, **given) == ("secret", "verify_token")
    assert (await endpoint_by_slug("line", "bot", OTHER_VAULT)).secret == "old"


async def test_an_endpoint_refuses_what_cannot_be_a_secret(endpoint_id):
    before = await row_of("webhook_endpoint", endpoint_id)
    with pytest.raises(InvalidShop) as refused:
        await reseal_endpoint(endpoint_id=endpoint_id, secret="", vault=VAULT, now=NOW)
    assert refused.value.field == "secret"
    assert await row_of("webhook_endpoint", endpoint_id) == before
    with pytest.raises(NotFound):
        await reseal_endpoint(endpoint_id=new_id(), secret="new", vault=VAULT, now=NOW)


async def test_an_endpoint_of_a_transaction_that_fails_does_not_stay(db):
    with pytest.raises(RuntimeError):
        async with database.transaction():
            await add_endpoint(source="line", slug="bot", secret="s", vault=VAULT, now=NOW)
            raise RuntimeError
    assert await database.fetchval("select count(*) from webhook_endpoint") == 0


async def test_a_channel_is_renamed_by_its_own_shop(endpoint_id):
    shop, other = await a_shop(), await a_shop()
    channel_id = await bound(shop, endpoint_id)
    assert await rename_channel(shop_id=shop.id, channel_id=channel_id, name="小鹿二館", now=NOW, actor=OPERATOR)
    assert not await rename_channel(shop_id=shop.id, channel_id=channel_id, name="小鹿二館", now=NOW, actor=OPERATOR)
    with pytest.raises(NotFound):
        await rename_channel(shop_id=other.id, channel_id=channel_id, name="x", now=NOW)
    with pytest.raises(InvalidShop):
        await rename_channel(shop_id=shop.id, channel_id=channel_id, name="a\0", now=NOW)
    assert (await row_of("channel", channel_id))["name"] == "小鹿二館"
    assert await audit("CHANNEL_RENAMED") == [(shop.id, "worker:operator", channel_id, {})]
