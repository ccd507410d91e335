"""`per_buyer_max` and `per_buyer_window_hours`: how many pieces of one variant one buyer may have."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain import db as database
from domain.claims.rules import RepeatMode
from domain.posts.commands import place_post
from tests.build import NOW, a_post
from tests.domain.claims.acts import pay, tell_line
from tests.domain.claims.policy.picture import Picture, Step, picture, played
from tests.wall import Wall, a_wall

OVER = "REJECTED OVER_LIMIT"
CASES: list[tuple[str, list[Step], dict[str, object], list[str], dict[str, dict[str, int]]]] = [
    ("no limit", [("甲", "+9"), ("甲", "+9")], {}, ["ORDERED", "ORDERED"], {"甲": {"": 18}}),
    ("just the limit", [("甲", "+3")], {"per_buyer_max": 3}, ["ORDERED"], {"甲": {"": 3}}),
    ("over it at once, refused whole", [("甲", "+4")], {"per_buyer_max": 3}, [OVER], {}),
    ("over it in two", [("甲", "+2"), ("甲", "+2")], {"per_buyer_max": 3}, ["ORDERED", OVER], {"甲": {"": 2}}),
    ("what was given back is free again", [("甲", "+3"), ("甲", "-1"), ("甲", "+1")], {"per_buyer_max": 3}, ["ORDERED", "CANCELLED", "ORDERED"], {"甲": {"": 3}}),
    ("paid pieces count", [("甲", "+2"), pay, ("甲", "+2")], {"per_buyer_max": 3}, ["ORDERED", OVER], {"甲": {"": 2}}),
    ("each buyer for themselves", [("甲", "+3"), ("乙", "+3")], {"per_buyer_max": 3}, ["ORDERED", "ORDERED"], {"甲": {"": 3}, "乙": {"": 3}}),
    ("an amend", [("甲", "+2"), ("甲", "改+4")], {"per_buyer_max": 3}, ["ORDERED", OVER], {"甲": {"": 2}}),
    ("an edit", [("甲", "+2"), ("甲", "+4", 1)], {"per_buyer_max": 3}, ["ORDERED OVER_LIMIT ?"], {"甲": {"": 2}}),
    ("a wish that replaces", [("甲", "+3"), ("甲", "+2")], {"per_buyer_max": 3, "repeat_mode": RepeatMode.REPLACE},
     ["ORDERED", "DUPLICATE REPLACED"], {"甲": {"": 2}}),
    ("a wish that replaces, over it", [("甲", "+2"), ("甲", "+4")], {"per_buyer_max": 3, "repeat_mode": RepeatMode.REPLACE},
     ["ORDERED", OVER], {"甲": {"": 2}}),
]  # fmt: skip


@pytest.mark.parametrize(("steps", "policy", "outcomes", "lines"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
async def test_the_limit(
    db: str, steps: list[Step], policy: dict[str, object], outcomes: list[str], lines: dict[str, dict[str, int]]
) -> None:
    found = await played(*steps, on_hand=50, **policy)
    assert found.outcomes == outcomes
    assert dict(sorted(found.lines.items())) == dict(sorted(lines.items()))
    assert ("甲 CLAIM_REJECTED" in found.notices) is any("OVER_LIMIT" in outcome for outcome in outcomes)


async def test_each_variant_is_counted_for_itself_and_one_too_many_refuses_the_comment(db: str) -> None:
    found = await played(("甲", "紅+2"), ("甲", "紅+2 白+1"), ("甲", "白+3"), variants=("紅", "白"), per_buyer_max=3)
    assert found.outcomes == ["ORDERED", OVER, "ORDERED"]
    assert found.lines == {"甲": {"白": 3, "紅": 2}}


async def test_waiting_pieces_count(db: str) -> None:
    found = await played(("甲", "+3"), ("甲", "+1"), on_hand=1, per_buyer_max=3)
    assert found.outcomes == ["PARTIAL INSUFFICIENT_STOCK", OVER]
    assert found.waiting == ["甲 2"]


# --- over several posts ----------------------------------------------------------------------------------------------------------


async def two_posts(**policy: object) -> Wall:
    """A wall with a second post of the same product in the place with number 1."""
    wall = await a_wall(on_hand=50, **policy)
    other = await a_post(wall.shop, products=[wall.product], title="另一團")
    async with database.transaction() as tx:
        await place_post(tx, shop_id=wall.shop.id, post_id=other.id, channel_id=wall.channel_id, external_post_id="other", now=NOW)
    wall.external_posts.append("other")
    return wall


WINDOW: list[tuple[str, int | None, float, str, int]] = [
    ("without a window each post has its own limit", None, 1, "ORDERED", 5),
    ("within it the other post's pieces count", 24, 23.9, OVER, 2),
    ("at its very edge they do not", 24, 24, "ORDERED", 5),
    ("before it they do not", 24, 30, "ORDERED", 5),
]


@pytest.mark.parametrize(("hours", "ago", "outcome", "pieces"), [case[1:] for case in WINDOW], ids=[case[0] for case in WINDOW])
async def test_the_window(db: str, hours: int | None, ago: float, outcome: str, pieces: int) -> None:
    wall = await two_posts(per_buyer_max=3, per_buyer_window_hours=hours)
    await wall.says("甲", "+2", place=1, at=NOW - timedelta(hours=ago))
    await wall.drain()
    comment = await wall.says("甲", "+3", at=NOW)
    await wall.drain()
    found = await picture(wall, [comment])
    assert found.outcomes == [outcome]
    assert found.lines == {"甲": {"": pieces}}


@pytest.mark.parametrize(("hours", "pieces"), [(None, 5), (1, 2)])
async def test_two_posts_of_one_chat_are_counted_within_one_batch(db: str, hours: int | None, pieces: int) -> None:
    wall = await a_wall(on_hand=50, per_buyer_max=3, per_buyer_window_hours=hours)
    await tell_line(wall, "甲", "m1", "+2", at=NOW, quotes="post-message")
    await tell_line(wall, "甲", "m2", "+3", at=NOW + timedelta(seconds=1))
    assert await wall.drain() == 2
    found = await picture(wall, ["m1", "m2"])
    assert found.outcomes == ["ORDERED", OVER if hours else "ORDERED"]
    assert found.lines == {"甲": {"": pieces}}


async def test_on_the_same_post_all_pieces_count_however_old(db: str) -> None:
    wall = await a_wall(on_hand=50, per_buyer_max=3, per_buyer_window_hours=1)
    await wall.says("甲", "+2", at=NOW - timedelta(hours=48))
    comment = await wall.says("甲", "+2", at=NOW)
    await wall.drain()
    assert (await picture(wall, [comment])).outcomes == [OVER]


@pytest.mark.parametrize("first", [0, 1])
async def test_paid_and_waiting_pieces_of_other_posts_count_and_given_back_ones_do_not(db: str, first: int) -> None:
    wall = await two_posts(per_buyer_max=3, per_buyer_window_hours=24)
    await wall.says("甲", "+2", place=1, at=NOW)
    await wall.drain()
    if first:
        await pay(wall)
    over = await wall.says("甲", "+2", at=NOW + timedelta(seconds=1))
    await wall.drain()
    assert (await picture(wall, [over])).outcomes == [OVER]
    if not first:
        await wall.says("甲", "取消", place=1, at=NOW + timedelta(seconds=2))
        await wall.drain()
        again = await wall.says("甲", "+2", at=NOW + timedelta(seconds=3))
        await wall.drain()
        assert (await picture(wall, [again])).outcomes == ["ORDERED"]


async def test_waiting_places_of_other_posts_count(db: str) -> None:
    wall = await two_posts(per_buyer_max=3, per_buyer_window_hours=24)
    await database.execute("update stock_level set on_hand = 0")
    await database.execute(
        """insert into stock_movement (shop_id, variant_id, kind, on_hand_delta, held_delta, committed_delta, actor, reason, at)
           select shop_id, variant_id, 'ADJUSTED', -50, 0, 0, 'worker:build', 'COUNT', $1 from stock_level""", NOW,
    )  # fmt: skip
    await wall.says("甲", "+2", place=1, at=NOW)
    await wall.drain()
    comment = await wall.says("甲", "+2", at=NOW + timedelta(seconds=1))
    await wall.drain()
    assert (await picture(wall, [comment])).outcomes == [OVER]


@pytest.mark.parametrize(("item", "outcome"), [("紅", OVER), ("白", "ORDERED")])
async def test_other_variants_of_other_posts_do_not_count(db: str, item: str, outcome: str) -> None:
    wall = await two_posts(variants=("紅", "白"), per_buyer_max=3, per_buyer_window_hours=24)
    await wall.says("甲", "紅+3", place=1, at=NOW)
    await wall.drain()
    comment = await wall.says("甲", f"{item}+3", at=NOW + timedelta(seconds=1))
    await wall.drain()
    assert (await picture(wall, [comment])).outcomes == [outcome]


async def test_other_buyers_do_not_count(db: str) -> None:
    wall = await two_posts(per_buyer_max=3, per_buyer_window_hours=24)
    await wall.says("乙", "+3", place=1, at=NOW)
    await wall.drain()
    comment = await wall.says("甲", "+3", at=NOW + timedelta(seconds=1))
    await wall.drain()
    assert await picture(wall, [comment]) == Picture(
        ["ORDERED"], ["50/6/0"], {"乙": {"": 3}, "甲": {"": 3}}, ["乙 OPEN UNPAID 1770", "甲 OPEN UNPAID 1770"], [],
        ["乙 ORDER_PLACED", "甲 ORDER_PLACED"], ["乙 PUBLIC", "甲 PUBLIC"],
    )  # fmt: skip


@pytest.mark.parametrize("act", ["改+4", "edit"])
async def test_changes_and_edits_keep_the_window_s_limit(db: str, act: str) -> None:
    wall = await two_posts(per_buyer_max=3, per_buyer_window_hours=24)
    await wall.says("甲", "+1", place=1, at=NOW)
    comment = await wall.says("甲", "+2", at=NOW + timedelta(seconds=1))
    await wall.drain()
    if act == "edit":
        await wall.says("甲", "+3", comment=comment, verb="edited", at=NOW + timedelta(seconds=2))
    else:
        await wall.says("甲", act, at=NOW + timedelta(seconds=2))
    await wall.drain()
    assert (await picture(wall)).lines == {"甲": {"": 3}}
