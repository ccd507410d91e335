"""A shop file that changed: what follows it, what is left, and what is refused with nothing changed."""

from __future__ import annotations

import base64
import json
from datetime import timedelta

import pytest

from domain import db as database
from domain.bootstrap import Services
from domain.clock import FixedClock
from domain.shops.queries import endpoint_by_slug
from domain.shops.staff import end_membership
from plusone.invariants import check
from plusone.shopfile_parts import FileRefused
from plusone.shopfile_work import Mark
from tests import build
from tests.conftest import NOW
from tests.plusone.shopfile_help import (
    SECRETS,
    Json,
    an_operator,
    applied,
    beyond_same,
    collected,
    deliver,
    dump,
    example,
    facebook,
    line,
    marks,
    orders,
    signed,
)


@pytest.fixture
def services(db: str, clock: FixedClock) -> Services:
    return an_operator(clock)


# --- additions and changes -------------------------------------------------------------------------------------------------------


def a_new_week(given: Json) -> None:
    given["products"].append({"key": "tea", "title": "高山茶", "variants": [{"price": "800", "stock": 9}]})
    given["channels"].append({"key": "page-2", "endpoint": "amei-app", "platform": "FACEBOOK_PAGE", "external_id": "103149398319188"})
    given["posts"].append(
        {
            "title": "茶",
            "items": [{"product": "tea", "codes": ["T"]}],
            "placements": [{"channel": "page-2", "external_post_id": "103149398319188_1"}],
        }
    )
    given["staff"].append({"identity": "line:U" + "1" * 32, "role": "SCANNER"})
    given["endpoints"].append({"source": "telegram", "slug": "second", "secret_env": "TG_SECRET_TOKEN"})


async def test_what_is_added_to_the_file_is_added_to_the_shop(services):
    await applied(example(), services)
    given = example()
    a_new_week(given)
    assert sorted(beyond_same(await applied(given, services))) == [
        ("created", "channel", "page-2 103149398319188"),
        ("created", "endpoint", "/webhooks/telegram/second"),
        ("created", "placement", "茶 in page-2 103149398319188_1"),
        ("created", "post", "茶"),
        ("created", "product", "高山茶"),
        ("created", "staff", "line:U" + "1" * 32),
    ]
    assert "created" not in marks(await applied(given, services))


async def test_a_new_variant_and_value_are_sold_in_posts_that_stand(services):
    await applied(example(), services)
    await deliver(services, collected("S1 紅色M+1"))  # the post is compiled now
    given = example()
    scarf = given["products"][2]
    scarf["options"][0]["values"].append("黑色")
    scarf["variants"].append({"values": {"顏色": "黑色", "尺寸": "L"}, "price": "650", "stock": 2})
    assert beyond_same(await applied(given, services)) == [
        ("changed", "product", "羊毛圍巾"),
        ("created", "variant", "羊毛圍巾 / 黑色 L"),
    ]
    path, raw, _ = collected("S1 黑色L+2")
    item = json.loads(raw)
    item["items"][0] |= {"comment_id": "2", "author": {"profile_key": "user/2", "name": "王小明"}}
    raw = json.dumps(item).encode()
    stamp = str(int(NOW.timestamp()))
    signature = signed("COLLECTOR_SECRET", f"{stamp}.".encode() + raw).hex()
    await deliver(services, (path, raw, {"x-plusone-timestamp": stamp, "x-plusone-signature": f"sha256={signature}"}))
    assert [order[2:] for order in await orders()] == [("羊毛圍巾", "紅色 M", 1, 590), ("羊毛圍巾", "黑色 L", 2, 1300)]


async def test_names_words_prices_windows_and_rules_follow_the_file(services):
    await applied(example(), services)
    await deliver(services, facebook("A+2"))
    given = example()
    given["shop"] |= {"name": "阿美嚴選", "pay_within": "48h"}
    given["channels"][0]["name"] = "阿美嚴選"
    given["policy"]["shortage"] = "PARTIAL"
    given["products"][0]["variants"][0]["price"] = "720"
    given["posts"][0]["closes"] += timedelta(days=1)
    given["posts"][0]["items"][0]["aliases"] = ["愛文"]
    given["posts"][1]["items"][0]["on_sale"] = False
    rows = await applied(given, services)
    assert [(row.what, row.name, row.told) for row in rows if row.mark is not Mark.SAME] == [
        ("shop", "amei", "name, pay_within_minutes"),
        ("channel", "page 104561234567890", "name"),
        ("policy", "of the shop", "shortage"),
        ("variant", "愛文芒果禮盒", "price (680 to 720; orders keep the price they were made with)"),
        ("post", "週五開團：芒果與鳳梨酥", "opens, closes"),
        ("item", "週五開團：芒果與鳳梨酥 / mango", "aliases"),
        ("policy", "週五開團：芒果與鳳梨酥", "shortage"),
        ("item", "圍巾預購 / scarf", "on_sale"),
    ]
    assert marks(await applied(given, services)) == {"same": 30}
    assert await database.fetchval("select max(version) from claim_policy_version") == 2
    assert await database.fetchval("select unit_price_minor from order_line") == 680
    await deliver(services, line("愛文+1"), collected("S1 紅色M+1"))
    assert [order[:1] + order[2:] for order in await orders()] == [
        ("facebook", "愛文芒果禮盒", "", 2, 1360),
        ("line", "愛文芒果禮盒", "", 1, 720),
    ]
    assert await check(NOW) == []


async def test_a_changed_secret_is_sealed_anew_and_the_old_one_is_worth_nothing(services):
    await applied(example(), services)
    old = facebook("A+2")
    rows = await applied(example(), services, secrets=SECRETS | {"FB_APP_SECRET": "another-app-secret"})
    assert beyond_same(rows) == [("changed", "endpoint", "/webhooks/facebook/amei-app")]
    endpoint = await endpoint_by_slug("facebook", "amei-app", services.vault)
    assert (endpoint.secret, endpoint.verify_token) == ("another-app-secret", "a-word-of-ours")
    assert await deliver(services, old) == [401]
    detail = await database.fetchval("select detail from audit_entry where action = 'ENDPOINT_CHANGED'")
    assert json.loads(detail) == {"changed": ["secret"]}
    texts = [str(row) for table in (await dump()).values() for row in table]
    assert [secret for secret in [*SECRETS.values(), "another-app-secret"] if any(secret in text for text in texts)] == []


async def test_the_next_post_takes_over_the_chat_of_a_closed_one(services, clock):
    await applied(example(), services)
    given = example()
    del given["posts"][0]["placements"][1]
    given["posts"].append({"title": "下週", "items": [{"product": "cake", "codes": ["C"]}], "placements": [{"channel": "line-group"}]})
    before = await dump()
    with pytest.raises(FileRefused) as refused:
        await applied(given, services)
    (problem,) = refused.value.problems
    assert problem.path == "posts[3].placements[1]"
    assert "let it close first" in problem.told
    assert await dump() == before
    clock.at = given["posts"][0]["closes"] + timedelta(seconds=59)  # late comments still count
    with pytest.raises(FileRefused):
        await applied(given, services)
    clock.at += timedelta(seconds=2)
    assert beyond_same(await applied(given, services)) == [
        ("created", "post", "下週"),
        ("changed", "placement", "下週 in line-group (whole chat)"),
    ]
    path, raw, _ = line("C+1")
    body = json.loads(raw)
    body["events"][0]["timestamp"] = int(clock.at.timestamp() * 1000)
    raw = json.dumps(body).encode()
    headers = {"x-line-signature": base64.b64encode(signed("LINE_CHANNEL_SECRET", raw)).decode()}
    await deliver(services, (path, raw, headers))
    assert await orders() == [("line", "PICKUP", "鳳梨酥 12 入", "", 1, 420)]


# --- what is left alone -----------------------------------------------------------------------------------------------------------


async def left(given: Json, services: Services) -> list[tuple[str, str, str]]:
    """What the file leaves; it must change nothing."""
    before = await dump()
    rows = await applied(given, services)
    assert {row.mark for row in rows} == {Mark.SAME, Mark.LEFT}
    assert await dump() == before
    return [(row.what, row.name, row.told) for row in rows if row.mark is Mark.LEFT]


@pytest.mark.parametrize("stock", [39, 41, 0])
async def test_stock_of_a_variant_that_is_there_is_left(services, stock):
    await applied(example(), services)
    await deliver(services, facebook("A+2"))
    given = example()
    given["products"][0]["variants"][0]["stock"] = stock
    told = f"began with 40, 40 now, {stock} in the file: use stockSet with what was counted, or stockAdjust"
    assert await left(given, services) == [("stock", "愛文芒果禮盒", told)]


async def test_what_is_taken_out_of_the_file_stays(services):
    await applied(example(), services)
    given = example()
    del given["staff"][1], given["endpoints"][3], given["channels"][3]
    del (
        given["posts"][1],
        given["products"][2],
        given["posts"][0]["items"][1],
        given["posts"][0]["placements"][2],
        given["posts"][0]["policy"],
    )
    assert [(what, name) for what, name, _ in await left(given, services)] == [
        ("staff", "line:Ufedcba9876543210fedcba9876543210"),
        ("channel", "fbgroup:2204567890123456"),
        ("products", "1 others"),
        ("item", "週五開團：芒果與鳳梨酥 / 鳳梨酥 12 入"),
        ("policy", "週五開團：芒果與鳳梨酥"),
        ("placement", "週五開團：芒果與鳳梨酥 in 阿美團購 Telegram (whole chat)"),
        ("posts", "1 others"),
    ]


async def test_a_variant_or_value_that_is_taken_out_stays(services):
    await applied(example(), services)
    given = example()
    del given["products"][2]["variants"][2], given["products"][2]["options"][0]["values"][1]
    assert [(what, name) for what, name, _ in await left(given, services)] == [
        ("value", "羊毛圍巾 / 白色"),
        ("variant", "羊毛圍巾 / 白色 M"),
    ]


async def test_roles_deliveries_labels_and_platforms_stay(services):
    await applied(example(), services)
    given = example()
    given["staff"][1]["role"] = "MANAGER"
    given["channels"][3]["platform"] = "IMPORT"
    given["products"][1]["variants"][0]["beyond"] = 80
    given["products"][2]["variants"][0]["label"] = "酒紅 M"
    given["posts"][0]["delivery"] = "SHIP"
    assert [(what, name) for what, name, _ in await left(given, services)] == [
        ("staff", "line:Ufedcba9876543210fedcba9876543210"),
        ("channel", "fb-group fbgroup:2204567890123456"),
        ("sell_beyond", "鳳梨酥 12 入"),
        ("label", "羊毛圍巾 / 紅色 M"),
        ("delivery", "週五開團：芒果與鳳梨酥"),
    ]


async def test_whoever_left_the_shop_is_not_taken_on_again(services):
    await applied(example(), services)
    shop_id = await database.fetchval("select id from shop")
    member = {row["role"]: row["member_id"] for row in await database.fetch("select role, member_id from membership")}
    await end_membership(shop_id=shop_id, member_id=member["HELPER"], by=member["OWNER"], now=NOW)
    ((what, name, told),) = await left(example(), services)
    assert (what, name) == ("staff", "line:Ufedcba9876543210fedcba9876543210")
    assert "takes nobody on again" in told


# --- what is refused -----------------------------------------------------------------------------------------------------------------


async def refusal(given: Json, services: Services) -> tuple[str, str]:
    """The one problem; the database must stay as it was."""
    before = await dump()
    with pytest.raises(FileRefused) as refused:
        await applied(given, services)
    assert await dump() == before
    (problem,) = refused.value.problems
    return problem.path, problem.told


async def test_the_currency_never_changes(services):
    await applied(example(), services)
    given = example()
    given["shop"]["currency"] = "HKD"
    path, told = await refusal(given, services)
    assert path == "shop.currency"
    assert "sells in TWD" in told


async def test_a_page_of_another_shop_is_refused_and_nothing_before_it_is_done(services):
    await applied(example(), services)
    given = example()
    given["shop"]["handle"] = "second"
    assert await refusal(given, services) == (
        "channels[1].external_id",
        "is bound to another shop: one page, group or chat sells for one shop",
    )
    assert await database.fetchval("select count(*) from shop") == 1


async def test_a_refusal_at_the_very_end_takes_everything_back(services):
    await applied(example(), services)
    shop_id = await database.fetchval("select id from shop")
    post = await build.a_post(build.AShop(shop_id, 1, "amei", "TWD"), products=[])
    title = await database.fetchval("select title from sales_post where id = $1", post.id)
    given = example()
    a_new_week(given)
    given["posts"].append({"title": title, "items": [{"product": "tea"}]})
    path, told = await refusal(given, services)
    assert path == "posts[4].title"
    assert "no file made" in told


async def test_a_further_option_is_refused(services):
    await applied(example(), services)
    given = example()
    given["products"][0] |= {"options": [{"name": "口味", "values": ["甜"]}], "variants": [{"values": {"口味": "甜"}, "price": "1"}]}
    path, told = await refusal(given, services)
    assert path == "products[1].options[1]"
    assert "make another product" in told


# --- from commenters to members ----------------------------------------------------------------------------------------------------


async def test_what_links_commenters_follows_the_file_and_no_token_lies_open(services: Services) -> None:
    given, secrets = example(), {**SECRETS, "LINE_ACCESS_TOKEN": "channel/access+token="}
    await applied(given, services, secrets=secrets)
    given["endpoints"][1]["access_token_env"] = "LINE_ACCESS_TOKEN"
    given["endpoints"].append({"source": "instagram", "slug": "ig", "secret_env": "FB_APP_SECRET", "verify_token_env": "FB_VERIFY_TOKEN"})
    given["channels"][0]["private_links"] = True
    given["channels"][2]["contact"] = "amei_bot"
    insta = {
        "key": "ig",
        "endpoint": "ig",
        "platform": "INSTAGRAM",
        "external_id": "17841405726653026",
        "contact": "amei.groupbuy",
        "private_links": True,
    }
    given["channels"].append(insta)
    assert beyond_same(await applied(given, services, secrets=secrets)) == [
        ("changed", "endpoint", "/webhooks/line/amei-bot"),
        ("created", "endpoint", "/webhooks/instagram/ig"),
        ("changed", "channel", "page 104561234567890"),
        ("changed", "channel", "telegram-group -1002145678901"),
        ("created", "channel", "ig 17841405726653026"),
    ]
    assert beyond_same(await applied(given, services, secrets=secrets)) == []
    rows = await database.fetch(
        "select platform, contact, private_links from channel where contact <> '' or private_links order by platform"
    )
    assert [tuple(row.values()) for row in rows] == [
        ("FACEBOOK_PAGE", "", True),
        ("INSTAGRAM", "amei.groupbuy", True),
        ("TELEGRAM", "amei_bot", False),
    ]
    sealed = await database.fetchval("select access_token_encrypted from webhook_endpoint where source = 'line'")
    assert services.vault.open(sealed).decode() == "channel/access+token="
    assert await database.fetchval("select count(*) from webhook_endpoint where source <> 'line' and access_token_encrypted <> ''") == 0
    assert await database.fetchval("select count(*) from audit_entry where action = 'CHANNEL_LINKING_CHANGED'") == 3
    del given["endpoints"][1]["access_token_env"]
    assert beyond_same(await applied(given, services, secrets=secrets)) == [("changed", "endpoint", "/webhooks/line/amei-bot")]
    assert await database.fetchval("select access_token_encrypted from webhook_endpoint where source = 'line'") == ""
