"""Opening a shop and binding it to platforms."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest

from domain import db as database
from domain.audit.commands import Actor
from domain.errors import NotFound
from domain.ids import new_id
from domain.shops import queries
from domain.shops.commands import add_channel, add_endpoint, create_shop
from domain.shops.errors import ChannelTaken, EndpointTaken, HandleTaken, InvalidShop
from domain.shops.queries import endpoint_by_slug
from domain.shops.rules import Role, SourcePlatform
from domain.vault import SealBroken, Vault
from tests.build import a_member, a_shop
from tests.conftest import NOW

VAULT = Vault("a root secret that is used by tests only, 48 chars")


@pytest.fixture(autouse=True)
def clean():
    queries.forget()
    yield
    queries.forget()


async def open_shop(**changes: Any) -> UUID:
    given: dict[str, Any] = {
        "handle": "deer-and-co",
        "name": "小鹿團購",
        "currency": "TWD",
        "time_zone": "Asia/Taipei",
        "locale": "zh-TW",
    } | changes
    return await create_shop(owner_id=given.pop("owner_id", None) or await a_member(), now=NOW, **given)


async def open_endpoint(**changes: Any) -> UUID:
    given: dict[str, Any] = {"source": "facebook", "slug": "main", "secret": "app-secret", "verify_token": "hand-shake"} | changes
    return await add_endpoint(vault=VAULT, now=NOW, **given)


async def audit() -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await database.fetch("select shop_id, action, object_type, actor, role from audit_entry order by id")]


async def test_a_shop_opens_with_its_owner_and_a_number(db):
    owner = await a_member()
    shop_id = await open_shop(owner_id=owner, pickup_place="捷運中山站 2 號出口", pay_within_minutes=60)
    row = await database.fetchrow("select * from shop")
    assert row is not None
    assert (row["id"], row["handle"], row["currency"], row["time_zone"], row["pay_within_minutes"]) == (
        shop_id,
        "deer-and-co",
        "TWD",
        "Asia/Taipei",
        60,
    )
    assert row["number"] > 1000
    (membership,) = await database.fetch("select shop_id, role, denied, ended_at from membership where member_id = $1", owner)
    assert tuple(membership) == (shop_id, Role.OWNER, "[]", None)
    assert await audit() == [
        (shop_id, "SHOP_CREATED", "shop", f"member:{owner}", "OWNER"),
        (shop_id, "MEMBERSHIP_ADDED", "membership", f"member:{owner}", "OWNER"),
    ]


async def test_numbers_rise_and_are_never_given_twice(db):
    await asyncio.gather(*(open_shop(handle=f"shop-{n}") for n in range(10)))
    numbers = [row["number"] for row in await database.fetch("select number from shop")]
    assert len(set(numbers)) == 10


BAD: dict[str, list[Any]] = {
    "handle": ["", "-a", "a-", "A", "a b", "a_b", "鹿", "a" * 41, "a\0", "a\n", "..", "a/b"],
    "name": ["", "x" * 121, "a\0b", "a\nb", "\ud800"],
    "currency": ["", "twd", "XXX", "TWDD", "NT$"],
    "time_zone": ["", "Taipei", "Asia/Nowhere", "+08:00", "../../etc/passwd", "/etc/localtime", "asia/taipei", "a\0"],
    "locale": ["", "z", "zh_TW", "zh-", "zh-TW-x-private-use", "\0"],
    "pickup_place": ["x" * 201, "\0", "\ud800"],
    "pay_within_minutes": [0, -1, 2**31, 366 * 24 * 60 + 1],
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in BAD.items() for value in values])
async def test_a_field_that_cannot_be_is_refused_by_its_name(db, field, value):
    with pytest.raises(InvalidShop) as refused:
        await open_shop(**{field: value})
    assert refused.value.field == field
    assert await database.fetchval("select count(*) from shop") == 0


@pytest.mark.parametrize(
    "given",
    [
        {"handle": "a"},
        {"handle": "a" * 40},
        {"handle": "0-0"},
        {"currency": "JPY", "time_zone": "Asia/Tokyo", "locale": "ja"},
        {"currency": "USD", "time_zone": "America/Argentina/ComodRivadavia", "locale": "en-US"},
        {"locale": "zh-Hant-TW"},
        {"time_zone": "UTC"},
        {"name": "x" * 120, "pickup_place": ""},
    ],
)
async def test_other_shops_of_the_world_are_fine(db, given):
    assert await database.fetchval("select id from shop where id = $1", await open_shop(**given)) is not None


async def test_a_handle_is_one_shop_s(db):
    await open_shop()
    before = await audit()
    with pytest.raises(HandleTaken):
        await open_shop()
    assert await audit() == before
    assert await database.fetchval("select count(*) from membership") == 1
    results = await asyncio.gather(*(open_shop(handle="same") for _ in range(8)), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["HandleTaken"] * 7 + ["UUID"]


async def test_a_shop_needs_a_living_owner(db):
    gone = await a_member()
    await database.execute("update member set deleted_at = $1", NOW)
    for owner in (gone, new_id()):
        with pytest.raises(NotFound):
            await open_shop(owner_id=owner)
    assert await database.fetchval("select count(*) from shop") == 0


async def test_an_endpoint_is_found_by_its_address_with_its_secrets(db):
    endpoint_id = await open_endpoint(destination="U-bot")
    found = await endpoint_by_slug("facebook", "main", VAULT)
    assert found is not None
    assert (found.id, found.source, found.secret, found.verify_token, found.destination) == (
        endpoint_id,
        "facebook",
        "app-secret",
        "hand-shake",
        "U-bot",
    )
    assert await endpoint_by_slug("line", "main", VAULT) is None
    assert await endpoint_by_slug("facebook", "Main", VAULT) is None


async def test_secrets_of_an_endpoint_are_sealed_and_shown_nowhere(db):
    await open_endpoint()
    row = await database.fetchrow("select * from webhook_endpoint")
    found = await endpoint_by_slug("facebook", "main", VAULT)
    for shown in (str(dict(row or {})), repr(found), repr(queries._endpoints)):
        assert "app-secret" not in shown
        assert "hand-shake" not in shown
    queries.forget()
    with pytest.raises(SealBroken):
        await endpoint_by_slug("facebook", "main", Vault("another root secret, longer than 32 characters"))


@pytest.mark.parametrize(
    ("source", "slug"),
    [("facebook", text) for text in ("", "a/b", "..", "a\0", "\ud800", "x" * 65, "鹿", "a b", "main\n", "'; --")]
    + [(text, "main") for text in ("", "FACEBOOK", "face book", "\0", "\ud800", "x" * 17, "facebook\n")],
)
async def test_odd_addresses_are_nobody_s(db, source, slug):
    await open_endpoint()
    assert await endpoint_by_slug(source, slug, VAULT) is None


async def test_an_endpoint_is_read_once_in_thirty_seconds(db, monkeypatch):
    at = [1000.0]
    monkeypatch.setattr("domain.shops.queries.time.monotonic", lambda: at[0])
    await open_endpoint()
    assert await endpoint_by_slug("facebook", "main", VAULT) is not None
    await database.execute("delete from webhook_endpoint")
    at[0] += 29.9
    assert await endpoint_by_slug("facebook", "main", VAULT) is not None
    at[0] += 0.1
    assert await endpoint_by_slug("facebook", "main", VAULT) is None
    # "There is none" is not kept: a new endpoint works at once.
    await open_endpoint(secret="new-secret")
    found = await endpoint_by_slug("facebook", "main", VAULT)
    assert found is not None
    assert found.secret == "new-secret"


async def test_an_address_is_one_endpoint_s(db):
    first = await open_endpoint()
    with pytest.raises(EndpointTaken):
        await open_endpoint(secret="other")
    found = await endpoint_by_slug("facebook", "main", VAULT)
    assert found is not None
    assert (found.id, found.secret) == (first, "app-secret")
    assert await open_endpoint(source="line") != first


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("source", "Face"),
        ("slug", "a/b"),
        ("slug", ""),
        ("secret", ""),
        ("secret", "a\0"),
        ("verify_token", "\ud800"),
        ("destination", "x" * 65),
    ],
)
async def test_an_endpoint_with_a_field_that_cannot_be_is_refused(db, field, value):
    with pytest.raises(InvalidShop) as refused:
        await open_endpoint(**{field: value})
    assert refused.value.field == field
    assert await database.fetchval("select count(*) from webhook_endpoint") == 0


async def bind(shop_id: UUID, endpoint_id: UUID, external_id: str = "page-1", **changes: Any) -> UUID:
    given: dict[str, Any] = {"platform": SourcePlatform.FACEBOOK_PAGE, "name": "小鹿的粉絲專頁"} | changes
    return await add_channel(shop_id=shop_id, endpoint_id=endpoint_id, external_id=external_id, now=NOW, **given)


async def test_a_channel_binds_a_page_to_a_shop(db):
    shop, endpoint_id = await a_shop(), await open_endpoint()
    channel_id = await bind(shop.id, endpoint_id, actor=Actor("member:x", "OWNER"))
    row = await database.fetchrow("select * from channel")
    assert row is not None
    assert dict(row) == {
        "id": channel_id, "shop_id": shop.id, "endpoint_id": endpoint_id, "platform": "FACEBOOK_PAGE", "external_id": "page-1",
        "name": "小鹿的粉絲專頁", "contact": "", "private_links": False, "created_at": NOW,
    }  # fmt: skip
    assert await audit() == [(shop.id, "CHANNEL_ADDED", "channel", "member:x", "OWNER")]


async def test_a_page_is_bound_to_one_shop(db):
    shop, other, endpoint_id = await a_shop(), await a_shop(), await open_endpoint()
    await bind(shop.id, endpoint_id)
    before = await audit()
    for shop_id in (shop.id, other.id):
        with pytest.raises(ChannelTaken):
            await bind(shop_id, endpoint_id)
    assert await audit() == before
    await bind(other.id, endpoint_id, "page-2")


async def test_a_channel_of_nobody_or_nowhere_is_not_found(db):
    shop, endpoint_id = await a_shop(), await open_endpoint()
    for shop_id, at in ((new_id(), endpoint_id), (shop.id, new_id())):
        with pytest.raises(NotFound):
            await bind(shop_id, at)
    with pytest.raises(InvalidShop):
        await bind(shop.id, endpoint_id, "")
    assert await audit() == []
