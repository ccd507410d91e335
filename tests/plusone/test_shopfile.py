"""A real shop from a file: applied, applied again; then comments of four platforms become its orders."""

from __future__ import annotations

import asyncio
import json

import pytest

from domain import db as database
from domain.bootstrap import Services
from domain.claims.rules import ClaimPolicy
from domain.clock import FixedClock
from plusone.invariants import check
from plusone.shopfile import read_file
from tests.conftest import NOW
from tests.plusone.shopfile_help import (
    EXAMPLE,
    an_operator,
    applied,
    collected,
    deliver,
    dump,
    example,
    facebook,
    line,
    marks,
    orders,
    shown,
    telegram,
)


@pytest.fixture
def services(db: str, clock: FixedClock) -> Services:
    return an_operator(clock)


# --- the example ---------------------------------------------------------------------------------------------------------------


async def test_the_example_opens_a_whole_shop(services):
    rows = await applied(read_file(EXAMPLE), services)
    assert marks(rows) == {"created": 22}
    shop = await database.fetchrow("select handle, name, currency, time_zone, locale, pickup_place, pay_within_minutes from shop")
    assert tuple(shop) == ("amei", "阿美團購", "TWD", "Asia/Taipei", "zh-TW", "捷運中山站 2 號出口", 4320)
    staff = await database.fetch(
        "select m.role, i.provider, i.subject from membership m join identity i on i.member_id = m.member_id order by m.role desc"
    )
    assert [tuple(row) for row in staff] == [
        ("OWNER", "line", "U0123456789abcdef0123456789abcdef"),
        ("HELPER", "line", "Ufedcba9876543210fedcba9876543210"),
    ]
    levels = await database.fetch(
        """select v.label, v.price_minor, v.option_values, l.on_hand, l.sell_beyond, l.backorder_limit from variant v
           join stock_level l on l.variant_id = v.id join product p on p.id = v.product_id order by p.created_at, p.id, v.position"""
    )
    assert [tuple(row) for row in levels] == [
        ("", 680, "{}", 40, "DENY", 0),
        ("", 420, "{}", 60, "PREORDER", 40),
        ("紅色 M", 590, '{"尺寸": "M", "顏色": "red"}', 5, "DENY", 0),
        ("紅色 L", 590, '{"尺寸": "L", "顏色": "red"}', 3, "DENY", 0),
        ("白色 M", 620, '{"尺寸": "M", "顏色": "white"}', 4, "DENY", 0),
    ]
    policies = await database.fetch("select post_id is null, version, policy from claim_policy_version order by effective_at, id")
    of_shop, of_post = (ClaimPolicy.read(json.loads(row["policy"])) for row in policies)
    assert of_shop == ClaimPolicy(max_per_line=20)
    assert of_post == ClaimPolicy(max_per_line=20, per_buyer_max=12)
    entries = await database.fetch("select actor, action, count(*) as n from audit_entry group by actor, action order by action")
    assert {row["action"]: row["n"] for row in entries} == {
        "SHOP_CREATED": 1, "MEMBERSHIP_ADDED": 2, "CHANNEL_ADDED": 4, "POLICY_SET": 2, "PRODUCT_CREATED": 3, "stock.receive": 5,
        "POST_CREATED": 2, "PLACEMENT_ADDED": 4,
    }  # fmt: skip
    assert {row["actor"] for row in entries} == {"worker:shopfile"}
    assert await check(NOW) == []


async def test_applied_twice_it_writes_nothing(services):
    await applied(example(), services)
    before = await dump()
    rows = await applied(example(), services)
    assert marks(rows) == {"same": 30}
    assert await dump() == before


async def test_a_dry_run_tells_the_same_and_writes_nothing(services):
    before = await dump()
    rows = await applied(example(), services, dry_run=True)
    assert marks(rows) == {"created": 22}
    assert await dump() == before


async def test_two_files_at_once_take_turns(services):
    both = await asyncio.gather(applied(example(), services), applied(example(), services))
    assert sorted(marks(rows).popitem() for rows in both) == [("created", 22), ("same", 30)]


# --- comments become orders ----------------------------------------------------------------------------------------------------


async def test_signed_comments_of_four_platforms_become_the_shops_orders(services):
    await applied(example(), services)
    await applied(example(), services)
    assert await deliver(services, facebook("A+2"), line("A+2 B+1"), telegram("B+3"), collected("S1 紅色M+1")) == [200] * 4
    assert await orders() == [
        ("facebook", "PICKUP", "愛文芒果禮盒", "", 2, 1360),
        ("generic", "SHIP", "羊毛圍巾", "紅色 M", 1, 590),
        ("line", "PICKUP", "愛文芒果禮盒", "", 2, 1780),
        ("line", "PICKUP", "鳳梨酥 12 入", "", 1, 1780),
        ("telegram", "PICKUP", "鳳梨酥 12 入", "", 3, 1260),
    ]
    assert await check(NOW) == []


async def test_a_signature_with_another_secret_is_refused(services):
    await applied(example(), services)
    path, raw, _ = facebook("A+2")
    assert await deliver(services, (path, raw, {"x-hub-signature-256": "sha256=" + "0" * 64})) == [401]
    assert await orders() == []


async def test_the_shop_stays_what_it_was_when_the_file_is_applied_again_after_orders(services):
    await applied(example(), services)
    await deliver(services, facebook("A+2"), line("A+2 B+1"))
    assert marks(await applied(example(), services)) == {"same": 30}
    assert len(await orders()) == 3
    assert await check(NOW) == []


async def test_a_group_that_is_bound_nowhere_is_shown_with_its_id(services):
    given = example()
    given["channels"] = [channel for channel in given["channels"] if channel["key"] != "line-group"]
    given["posts"][0]["placements"] = [place for place in given["posts"][0]["placements"] if place["channel"] != "line-group"]
    await applied(given, services)
    group = "C" + "7" * 32
    assert await deliver(services, line("哈囉", group)) == [200]
    printed = await shown(services)
    assert group in printed
    assert "line/amei-bot" in printed.partition("heard of")[2]
    given["channels"].append({"key": "g", "endpoint": "amei-bot", "platform": "LINE_GROUP", "external_id": group})
    await applied(given, services)
    assert "heard of" not in await shown(services)


async def test_show_tells_people_places_goods_and_posts(services):
    await applied(example(), services)
    await deliver(services, facebook("A+2"))
    printed = await shown(services)
    for told in (
        "阿美團購 (amei, number", "line:U0123456789abcdef0123456789abcdef", "https://plusone.example.com/webhooks/telegram/amei-bot",
        "104561234567890", "60 + 40 PREORDER", "2026-11-27 22:00", "version 1", "阿美團購群 (whole chat)",
    ):  # fmt: skip
        assert told in printed
    mango = next(row for row in printed.splitlines() if "愛文芒果禮盒" in row)
    assert [cell.strip() for cell in mango.split("│")][4:7] == ["680", "40", "38"]


# --- a staff member's first sign-in ------------------------------------------------------------------------------------------------


async def test_who_was_named_in_the_file_has_the_rights_at_the_first_sign_in(services):
    from domain.members.commands import sign_in
    from domain.members.ports import ProvenIdentity

    await applied(example(), services)
    async with database.transaction() as tx:
        member_id = await sign_in(tx, ProvenIdentity("line", "U0123456789abcdef0123456789abcdef", "阿美"), NOW)
    rows = await database.fetch(
        "select s.handle, m.role from membership m join shop s on s.id = m.shop_id where m.member_id = $1 and m.ended_at is null", member_id
    )
    assert [tuple(row) for row in rows] == [("amei", "OWNER")]
    assert await database.fetchval("select display_name from member where id = $1", member_id) == "阿美"
    assert await database.fetchval("select count(*) from member") == 2
