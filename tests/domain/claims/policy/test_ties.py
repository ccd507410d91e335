"""The last pieces go by platform time, then by the platform's comment id: delivery decides nothing."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta

import pytest

from tests.build import NOW
from tests.domain.claims.policy.picture import Picture, picture
from tests.wall import a_wall

SAME = [("甲", "9_9", NOW), ("乙", "9_10", NOW), ("丙", "9_100", NOW)]
"""Shorter ids are older: 9 before 10 before 100."""
APART = [("甲", "9_30", NOW), ("乙", "9_20", NOW + timedelta(seconds=1)), ("丙", "9_10", NOW + timedelta(seconds=2))]


@pytest.mark.parametrize("comments", [SAME, APART], ids=["one second", "a second apart"])
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_any_order_of_delivery_gives_the_same_winners(
    db: str, comments: list[tuple[str, str, datetime]], order: tuple[int, ...]
) -> None:
    wall = await a_wall(on_hand=3)
    for late, place in enumerate(order):
        author, comment, at = comments[place]
        await wall.says(author, "+2", comment=comment, at=at, received_at=NOW + timedelta(seconds=5 + late))
    await wall.drain()
    assert await picture(wall, [comment for _, comment, _ in comments]) == Picture(
        ["ORDERED", "PARTIAL INSUFFICIENT_STOCK", "WAITLISTED INSUFFICIENT_STOCK"], ["3/3/0"], {"乙": {"": 1}, "甲": {"": 2}},
        ["甲 OPEN UNPAID 1180", "乙 OPEN UNPAID 590"], ["乙 1", "丙 2"], ["甲 ORDER_PLACED", "乙 ORDER_PARTIAL", "丙 WAITLISTED"],
        ["甲 PUBLIC", "乙 PUBLIC", "丙 PUBLIC"],
    )  # fmt: skip


@pytest.mark.parametrize("first", [0, 1])
async def test_what_was_decided_is_not_taken_away_by_who_arrives_later(db: str, first: int) -> None:
    """Fairness ends at what was promised: an earlier comment that is delivered after the pieces are gone waits in its place of the line."""
    wall = await a_wall(on_hand=1)
    times = [NOW, NOW + timedelta(seconds=1)]
    for place in (first, 1 - first):
        await wall.says("甲乙"[place], "+1", comment=f"7_{place}", at=times[place], received_at=NOW + timedelta(seconds=5))
        await wall.drain()
    assert (await picture(wall)).lines == {"甲乙"[first]: {"": 1}}
    assert await wall.waiting() == [("甲乙"[1 - first], 1)]


async def test_the_line_is_by_platform_time_however_it_arrived(db: str) -> None:
    wall = await a_wall(on_hand=0)
    for author, second in (("丙", 3), ("甲", 1), ("乙", 2)):
        await wall.says(author, "+1", at=NOW + timedelta(seconds=second))
        await wall.drain()
    assert await wall.waiting() == [("甲", 1), ("乙", 1), ("丙", 1)]
