"""`rate_limit_orders` within `rate_limit_hours`: how many ordering comments of one buyer the shop takes."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.claims.rules import RepeatMode
from tests.build import NOW
from tests.domain.claims.policy.picture import Picture, Step, picture, played
from tests.wall import a_wall

LIMITED = "REJECTED RATE_LIMITED"
CASES: list[tuple[str, list[Step], int | None, list[str]]] = [
    ("off", [("甲", "+1")] * 4, None, ["ORDERED"] * 4),
    ("two", [("甲", "+1")] * 4, 2, ["ORDERED", "ORDERED", LIMITED, LIMITED]),
    ("each buyer for themselves", [("甲", "+1"), ("乙", "+1"), ("甲", "+1"), ("乙", "+1")], 1, ["ORDERED", "ORDERED", LIMITED, LIMITED]),
    ("refused, asked and chatting comments do not count", [("甲", "好美"), ("甲", "+1嗎？"), ("甲", "+500"), ("甲", "+1")], 1,
     ["IGNORED NO_TRIGGER", "NEEDS_REVIEW LOOKS_LIKE_QUESTION ?", "NEEDS_REVIEW QUANTITY_OUT_OF_RANGE ?", "ORDERED"]),
    ("waiting counts", [("甲", "+12"), ("甲", "+1")], 1, ["PARTIAL INSUFFICIENT_STOCK", LIMITED]),
    ("an edit is no new order", [("甲", "+1"), ("甲", "+2", 1), ("甲", "+1"), ("甲", "+1")], 2, ["ORDERED", "ORDERED", LIMITED]),
    ("a cancellation is none", [("甲", "+2"), ("甲", "-1"), ("甲", "+1"), ("甲", "+1")], 2, ["ORDERED", "CANCELLED", "ORDERED", LIMITED]),
    ("what was cancelled was ordered all the same", [("甲", "+2"), ("甲", "取消"), ("甲", "+1")], 1, ["ORDERED", "CANCELLED", LIMITED]),
]  # fmt: skip


@pytest.mark.parametrize(("steps", "most", "outcomes"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
async def test_the_rate(db: str, steps: list[Step], most: int | None, outcomes: list[str]) -> None:
    found = await played(*steps, rate_limit_orders=most)
    assert found.outcomes == outcomes
    assert found.notices.count("甲 CLAIM_REJECTED") + found.notices.count("乙 CLAIM_REJECTED") == outcomes.count(LIMITED)


async def test_a_refused_comment_changes_nothing(db: str) -> None:
    found = await played(("甲", "+1"), ("甲", "+1"), rate_limit_orders=1)
    assert found == Picture(
        ["ORDERED", LIMITED],
        ["10/1/0"],
        {"甲": {"": 1}},
        ["甲 OPEN UNPAID 590"],
        [],
        ["甲 ORDER_PLACED", "甲 CLAIM_REJECTED"],
        ["甲 PUBLIC"],
    )


@pytest.mark.parametrize(("minutes", "second"), [(0, LIMITED), (59, LIMITED), (60, "ORDERED"), (61, "ORDERED")])
async def test_the_hours_are_counted_by_the_comments_own_times(db: str, minutes: int, second: str) -> None:
    wall = await a_wall(rate_limit_orders=1, rate_limit_hours=1)
    comments = [
        await wall.says("甲", "+1", at=NOW - timedelta(minutes=61)),
        await wall.says("甲", "+1", at=NOW + timedelta(minutes=minutes - 61)),
    ]
    await wall.drain()
    assert (await picture(wall, comments)).outcomes == ["ORDERED", second]


async def test_the_rule_is_the_shop_s_over_all_its_posts(db: str) -> None:
    wall = await a_wall(rate_limit_orders=1, places=2)
    first = await wall.says("甲", "+1", place=0)
    await wall.drain()
    second = await wall.says("甲", "+1", place=1)
    await wall.drain()
    assert (await picture(wall, [first, second])).outcomes == ["ORDERED", LIMITED]


async def test_the_rate_is_looked_at_before_anything_else_changes(db: str) -> None:
    found = await played(("甲", "+3"), ("甲", "+1"), rate_limit_orders=1, repeat_mode=RepeatMode.REPLACE)
    assert found.outcomes == ["ORDERED", LIMITED]
    assert found.lines == {"甲": {"": 3}}
