"""A Telegram channel post and its copy in the discussion group, in any order of arrival."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from domain import db as database
from domain.inbox.rules import lane_number
from domain.providers.platforms import PLATFORMS
from plusone.invariants import check
from tests.build import NOW, a_channel, a_post, a_product, a_shop, an_endpoint
from tests.wall import wall_services
from workers.ingest import drain_all

FIXTURES = Path(__file__).parents[2] / "fixtures" / "telegram"
CHANNEL, DISCUSSION = "-1001987654321", "-1002223334445"


async def arrives(endpoint: UUID, name: str, **changes: Any) -> None:
    """Store one recorded update as the front door would."""
    update = json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"))
    update["message"] |= changes
    for event in PLATFORMS["telegram"].split(json.dumps(update).encode(), received_at=NOW):
        await database.execute(
            """insert into inbox_event (endpoint_id, source, external_key, lane, occurred_at, payload, state, outcome, tries, received_at, parked_reason)
               values ($1, 'telegram', $2, $3, $4, $5::jsonb, 'PENDING', '', 0, $6, '')""",
            endpoint,
            event.external_key,
            lane_number(event.lane),
            event.occurred_at,
            database.jsonb(dict(event.payload)),
            NOW,
        )


@pytest.mark.parametrize("order", [("discussion_auto_forward", "discussion_comment"), ("discussion_comment", "discussion_auto_forward")])
async def test_a_comment_that_came_before_the_copy_is_not_lost(db: str, order: tuple[str, str]) -> None:
    shop, endpoint = await a_shop(), await an_endpoint(source="telegram")
    channel = await a_channel(shop, endpoint_id=endpoint, external_id=CHANNEL)
    await a_channel(shop, endpoint_id=endpoint, external_id=DISCUSSION)
    products = [await a_product(shop, title=title) for title in ("芒果禮盒", "水餃")]
    await a_post(shop, products=products, codes=[["A"], ["B"]], channel=channel, external_post_id="88")
    for name in order:
        await arrives(endpoint, name)
        await drain_all(wall_services())
    assert [tuple(r.values()) for r in await database.fetch("select title, quantity from order_line order by title desc")] == [
        ("芒果禮盒", 1),
        ("水餃", 1),
    ]
    assert await database.fetchval("select outcome from claim") == "ORDERED"
    assert await database.fetchval("select count(*) from inbox_event where state <> 'DECIDED'") == 0
    assert await check(NOW + timedelta(seconds=30)) == []


async def test_tagged_people_of_a_comment_that_came_before_the_copy_are_known(db: str) -> None:
    shop, endpoint = await a_shop(), await an_endpoint(source="telegram")
    channel = await a_channel(shop, endpoint_id=endpoint, external_id=CHANNEL)
    await a_channel(shop, endpoint_id=endpoint, external_id=DISCUSSION)
    await a_post(shop, products=[await a_product(shop, title="水餃")], channel=channel, external_post_id="88")
    tag = {"type": "text_mention", "offset": 0, "length": 7, "user": {"id": 9, "is_bot": False, "first_name": "Mei Lin"}}
    await arrives(endpoint, "discussion_comment", text="Mei Lin +2", entities=[tag])
    await drain_all(wall_services())
    await arrives(endpoint, "discussion_auto_forward")
    await drain_all(wall_services())
    assert [tuple(r.values()) for r in await database.fetch("select title, quantity from order_line")] == [("水餃", 2)]
