"""The window of a post and of its items, and `grace_seconds`: the platform's time decides, equal instants are within."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from domain import db as database
from domain.posts.rules import PostState
from tests.build import NOW, a_product
from tests.domain.claims.acts import close
from tests.domain.claims.policy.picture import Picture, picture
from tests.wall import Wall, a_wall

OPENS, CLOSES = NOW, NOW + timedelta(minutes=10)
ORDERED, NOT_OPEN, CLOSED, LATE = "ORDERED", "REJECTED NOT_OPEN", "REJECTED CLOSED", "NEEDS_REVIEW LATE ?"
SECOND = timedelta(seconds=1)


async def set_window(wall: Wall, opens: datetime | None, closes: datetime | None, *, item: bool) -> None:
    """The post's window, or its one item's."""
    if item:
        await database.execute("update post_item set opens_at = $1, closes_at = $2", opens, closes)
        await database.execute("update sales_post set version = version + 1")
    else:
        await database.execute("update sales_post set opens_at = $1, closes_at = $2, version = version + 1", opens, closes)


CASES = [
    ("long before opening", OPENS - timedelta(days=2), 1, NOT_OPEN),
    ("a second before opening", OPENS - SECOND, 1, NOT_OPEN),
    ("written before opening, delivered after", OPENS - SECOND, 300, NOT_OPEN),
    ("the second of opening", OPENS, 1, ORDERED),
    ("in between", OPENS + timedelta(minutes=5), 1, ORDERED),
    ("the second of closing", CLOSES, 0, ORDERED),
    ("written in time, delivered within the grace", CLOSES - SECOND, 50, ORDERED),
    ("written in time, delivered at the end of the grace", CLOSES - SECOND, 61, ORDERED),
    ("written in time, delivered beyond the grace", CLOSES - SECOND, 62, LATE),
    ("the second of closing, delivered beyond the grace", CLOSES, 61, LATE),
    ("a second after closing", CLOSES + SECOND, 0, CLOSED),
    ("a second after closing, within the grace", CLOSES + SECOND, 30, CLOSED),
    ("long after closing", CLOSES + timedelta(days=2), 1, CLOSED),
]


@pytest.mark.parametrize("item", [False, True], ids=["post", "item"])
@pytest.mark.parametrize(("at", "after", "outcome"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
async def test_the_window(db: str, at: datetime, after: int, outcome: str, item: bool) -> None:
    wall = await a_wall()
    await set_window(wall, OPENS, CLOSES, item=item)
    comment = await wall.says("甲", "+1", at=at, received_at=at + timedelta(seconds=after))
    await wall.drain()
    expected = Picture([outcome])
    if outcome == ORDERED:
        expected = Picture([outcome], ["10/1/0"], {"甲": {"": 1}}, ["甲 OPEN UNPAID 590"], [], ["甲 ORDER_PLACED"], ["甲 PUBLIC"])
    elif outcome in (NOT_OPEN, CLOSED):
        expected.notices = ["甲 CLAIM_REJECTED"]
    assert await picture(wall, [comment]) == expected


@pytest.mark.parametrize(
    ("grace", "after", "outcome"), [(0, 0, ORDERED), (0, 1, LATE), (600, 599, ORDERED), (600, 600, ORDERED), (600, 601, LATE)]
)
async def test_the_grace_is_the_shop_s(db: str, grace: int, after: int, outcome: str) -> None:
    wall = await a_wall(closes_at=CLOSES, grace_seconds=grace)
    comment = await wall.says("甲", "+1", at=CLOSES, received_at=CLOSES + timedelta(seconds=after))
    await wall.drain()
    assert (await picture(wall, [comment])).outcomes == [outcome]


@pytest.mark.parametrize("kind", ["cancelled", "edited"])
async def test_who_was_late_beyond_the_grace_is_seen_by_a_person_and_loses_nothing(db: str, kind: str) -> None:
    wall = await a_wall(closes_at=CLOSES)
    comment = await wall.says("甲", "+1", at=NOW)
    await wall.drain()
    if kind == "edited":
        await wall.says("甲", "+3", comment=comment, verb="edited", at=CLOSES, received_at=CLOSES + timedelta(hours=1))
        comments, expected = [comment], ["ORDERED EDITED_AFTER_CLOSE ?"]
    else:
        late = await wall.says("甲", "取消", at=CLOSES, received_at=CLOSES + timedelta(hours=1))
        comments, expected = [comment, late], ["ORDERED", LATE]
    await wall.drain()
    found = await picture(wall, comments)
    assert found.outcomes == expected
    assert found.lines == {"甲": {"": 1}}


@pytest.mark.parametrize("text", ["+1", "-1", "取消", "改+2"])
async def test_a_post_that_the_shop_closed_takes_nothing(db: str, text: str) -> None:
    wall = await a_wall()
    await wall.says("甲", "+1")
    await wall.drain()
    await close(wall.post_id)
    comment = await wall.says("甲", text)
    await wall.drain()
    found = await picture(wall, [comment])
    assert (found.outcomes, found.levels) == ([CLOSED], ["10/1/0"])


async def test_a_draft_takes_nothing(db: str) -> None:
    wall = await a_wall()
    await database.execute("update sales_post set state = $1, version = version + 1", PostState.DRAFT.value)
    comment = await wall.says("甲", "+1")
    await wall.drain()
    assert await picture(wall, [comment]) == Picture([NOT_OPEN], notices=["甲 CLAIM_REJECTED"])


async def test_a_comment_that_names_a_closed_item_beside_an_open_one_orders_neither(db: str) -> None:
    wall = await a_wall()
    scarf = await a_product(wall.shop, title="圍巾")
    await database.execute(
        """insert into post_item (id, shop_id, post_id, product_id, codes, aliases, on_sale, position, closes_at)
           values (gen_random_uuid(), $1, $2, $3, '[]', '[]', true, 1, $4)""",
        wall.shop.id, wall.post_id, scarf.id, CLOSES,
    )  # fmt: skip
    await database.execute("update sales_post set version = version + 1")
    both = await wall.says("甲", "瓦片+1 圍巾+1", at=CLOSES + SECOND)
    one = await wall.says("甲", "瓦片+1", at=CLOSES + 2 * SECOND)
    await wall.drain()
    found = await picture(wall, [both, one])
    assert found.outcomes == [CLOSED, ORDERED]
    assert await database.fetchval("select count(*) from order_line") == 1


async def test_an_item_window_is_closed_for_edits_and_changes_too(db: str) -> None:
    wall = await a_wall()
    await set_window(wall, None, CLOSES, item=True)
    first = await wall.says("甲", "+2", at=NOW)
    await wall.says("甲", "+3", comment=first, verb="edited", at=CLOSES + SECOND)
    change = await wall.says("甲", "改+1", at=CLOSES + 2 * SECOND)
    await wall.drain()
    found = await picture(wall, [first, change])
    assert found.outcomes == ["ORDERED EDITED_AFTER_CLOSE ?", CLOSED]
    assert found.lines == {"甲": {"": 2}}
