"""`docs/rules/snapshots.md`: its delivery and its evening, through the door and the worker."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from domain import db as database
from domain.bootstrap import Services
from domain.claims.rules import ClaimPolicy
from domain.clock import FixedClock
from domain.posts.commands import place_post, set_policy
from domain.providers.platforms.wire import generic_wire, sign_generic
from domain.shops.rules import SourcePlatform
from plusone.invariants import check
from tests.api.doors import SECRET, a_door
from tests.build import NOW, a_channel, a_post, a_product, a_shop
from workers.ingest import drain_all

PAGE = (Path(__file__).parents[2] / "docs" / "rules" / "snapshots.md").read_text()
SAMPLE: dict[str, Any] = json.loads(re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)[0])
EVENING = re.findall(r"^\| (\d+) \| (yes|no) \| ([\d ]*?) ?\| ([\d ]*?) ?\| ([\d ]*?) ?\|", PAGE, re.MULTILINE)


async def a_group(house: Services) -> None:
    endpoint = await a_door(house, "generic", "collector")
    shop = await a_shop()
    channel = await a_channel(shop, endpoint_id=endpoint, platform=SourcePlatform.FACEBOOK_GROUP, external_id=SAMPLE["channel_id"])
    post = await a_post(shop, products=[await a_product(shop, on_hand=9)])
    async with database.transaction() as tx:
        await place_post(tx, shop_id=shop.id, post_id=post.id, channel_id=channel.id, external_post_id=SAMPLE["post_id"], now=NOW)
        await set_policy(tx, shop_id=shop.id, post_id=None, policy=ClaimPolicy().stored(), now=NOW)


async def deliver(client: httpx.AsyncClient, house: Services, body: dict[str, Any], *, minute: int) -> None:
    assert isinstance(house.clock, FixedClock)
    house.clock.at = NOW + timedelta(minutes=minute)
    raw = generic_wire(body)
    headers = sign_generic(raw, SECRET, int(house.clock.now().timestamp()))
    answer = await client.post("/webhooks/generic/collector", content=raw, headers=headers)
    assert answer.status_code == 200
    await drain_all(house)


async def comments(sql: str) -> str:
    return " ".join(row["external_id"] for row in await database.fetch(f"select c.external_id from social_comment c {sql} order by 1"))


async def test_the_delivery_of_the_page_is_a_list_and_an_order(client: httpx.AsyncClient, house: Services) -> None:
    await a_group(house)
    await deliver(client, house, SAMPLE, minute=10)
    await deliver(client, house, SAMPLE, minute=11)
    rows = await database.fetch("select outcome, payload ? 'snapshot' as listed from inbox_event order by id")
    assert [tuple(row) for row in rows] == [("ORDERED", False), ("SNAPSHOT", True)]
    assert await database.fetchval("select taken_at from comment_snapshot") == NOW + timedelta(minutes=10)


async def test_the_evening_of_the_page(client: httpx.AsyncClient, house: Services) -> None:
    await a_group(house)
    head = {name: SAMPLE[name] for name in ("source", "channel_id", "post_id")}
    start = int(NOW.timestamp() * 1000)
    rows = {n: {**SAMPLE["items"][0], "comment_id": n, "author": {"profile_key": n, "name": n}, "created_at_ms": start} for n in "1234"}
    await deliver(client, house, {"batch_id": "b", "items": [{**row, "observed_at_ms": start} for row in rows.values()]}, minute=0)
    assert len(EVENING) == 7
    for minute, complete, shows, missed, removed in EVENING:
        at = start + int(minute) * 60_000
        items = [{**rows[n], "observed_at_ms": at} for n in shows.split()]
        body = {"snapshot_id": minute, "complete": complete == "yes", "taken_at_ms": at, "items": items, **head}
        await deliver(client, house, body, minute=int(minute))
        assert await comments("join comment_missed m on m.comment_id = c.id") == missed, minute
        assert await comments("where c.removed_at is not null") == removed, minute
    claims = await database.fetch(
        "select c.external_id, k.reason, k.review from claim k join social_comment c on c.id = k.comment_id where k.reason <> ''"
    )
    assert [tuple(row) for row in claims] == [("3", "REMOVED", "OPEN")]
    assert await check(NOW + timedelta(hours=1)) == []
