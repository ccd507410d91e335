"""Comments that share a row of the inbox become the orders that they become alone; what comes again in other company is known."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from domain import db as database
from domain.inbox.commands import InboxWriter
from domain.providers.platforms import PLATFORMS
from domain.providers.platforms.wire import facebook_wire
from plusone.invariants import check
from tests.build import NOW
from tests.domain.claims.endings import ending
from tests.domain.inbox.bundling import bundle_what_waits
from tests.wall import PAGE, Wall, a_wall

LATER = NOW + timedelta(minutes=5)
WORDS = ("紅+1", "白+2", "還有嗎？", "紅+1", "黑+1", "全部取消", "白+3", "好可愛", "紅+2", "白+1")


def told(wall: Wall, numbers: range, at: datetime = NOW) -> bytes:
    """A delivery of these comments, three people in turn, five a second."""
    post = wall.external_posts[0]
    changes = [
        {
            "field": "feed",
            "value": {
                "from": {"id": f"b{n % 3}", "name": "林小姐"}, "post": {"status_type": "added_video", "id": post}, "message": WORDS[n % len(WORDS)],
                "post_id": post, "comment_id": f"1221_{n:03}", "created_time": int((at + timedelta(seconds=n // 5)).timestamp()), "item": "comment",
                "parent_id": post, "verb": "add",
            },
        }
        for n in numbers
    ]  # fmt: skip
    return facebook_wire({"object": "page", "entry": [{"id": PAGE, "time": int(at.timestamp()), "changes": changes}]})


async def through_the_door(wall: Wall, *bodies: bytes) -> None:
    """One commit each, as signed deliveries are stored."""
    inbox = InboxWriter()
    inbox.start()
    for body in bodies:
        await inbox.receive(wall.endpoint_id, "facebook", PLATFORMS["facebook"].split(body, received_at=LATER), received_at=LATER)
    await inbox.stop()


async def sizes() -> list[int]:
    return [row["size"] for row in await database.fetch("select size from inbox_event order by id")]


async def a_stage() -> Wall:
    return await a_wall(variants=("紅", "白"), on_hand=(9, 7))


async def test_a_delivery_of_comments_ends_as_each_of_them_alone(db: str) -> None:
    bundled, single = await a_stage(), await a_stage()
    await through_the_door(bundled, told(bundled, range(40)))
    assert max(await sizes()) > 10
    await bundled.drain()
    for n in range(40):
        await through_the_door(single, told(single, range(n, n + 1)))
    assert sorted(await sizes())[:40] == [1] * 40
    await single.drain()
    assert await ending(bundled) == await ending(single)
    assert await check(LATER) == []


@pytest.mark.parametrize("decided", [False, True])
async def test_comments_that_come_again_in_other_company_are_known(db: str, decided: bool) -> None:
    wall, once = await a_stage(), await a_stage()
    await through_the_door(wall, told(wall, range(30)))
    if decided:
        await wall.drain()
    await through_the_door(wall, told(wall, range(10, 25)), told(wall, range(30)), told(wall, range(3, 4)))
    await wall.drain()
    await through_the_door(once, told(once, range(30)))
    await once.drain()
    found, wanted = await ending(wall), await ending(once)
    assert {kind for kind in found if found[kind] != wanted[kind]} == {"events"}
    assert await database.fetchval("select count(*) from social_comment where shop_id = $1", wall.shop.id) == 30
    assert await check(LATER) == []


async def test_a_bundle_for_a_page_that_is_not_connected_waits_for_it_comment_by_comment(db: str) -> None:
    wall = await a_stage()
    await through_the_door(wall, told(wall, range(8)))
    await database.execute("update channel set external_id = 'another' where id = $1", wall.channel_id)
    await wall.drain()
    rows = await database.fetch("select outcome, size, count(*)::int as n from inbox_event group by 1, 2 order by 2")
    assert [tuple(row) for row in rows] == [("APART", 0, 1), ("NO_CHANNEL", 1, 8)]


async def test_who_was_erased_is_not_brought_back_by_a_comment_that_comes_again(db: str) -> None:
    wall = await a_stage()
    await through_the_door(wall, told(wall, range(8)))
    await wall.drain()
    await database.execute("update buyer set external_id = 'gone:' || id, name = '' where external_id = 'b1'")
    await through_the_door(wall, told(wall, range(1, 8)))
    await bundle_what_waits(wall.endpoint_id)
    await wall.drain()
    assert await database.fetchval("select count(*) from buyer where external_id = 'b1'") == 0
    assert await database.fetchval("select count(*) from buyer") == 3
