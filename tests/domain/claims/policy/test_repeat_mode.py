"""`repeat_mode`: what a further comment of one buyer does to what they have."""

from __future__ import annotations

import pytest

from domain.claims.rules import RepeatMode, Shortage
from tests.domain.claims.acts import pay
from tests.domain.claims.policy.picture import Picture, Step, played

A, R, ONCE = RepeatMode.ADD, RepeatMode.REPLACE, RepeatMode.ONCE
PLACED, CANCELLED = "甲 ORDER_PLACED", "甲 LINES_CANCELLED"
PAID = ["甲 PAYMENT_RECEIVED", "甲 PICKUP_READY"]
CASES: list[tuple[str, RepeatMode, list[Step], Picture]] = [
    ("a second comment", A, [("甲", "+2"), ("甲", "+1")],
     Picture(["ORDERED", "ORDERED"], ["10/3/0"], {"甲": {"": 3}}, ["甲 OPEN UNPAID 1770"], [], [PLACED, PLACED], ["甲 PUBLIC"])),
    ("a second comment", R, [("甲", "+2"), ("甲", "+5")],
     Picture(["ORDERED", "ORDERED"], ["10/5/0"], {"甲": {"": 5}}, ["甲 OPEN UNPAID 2950"], [], [PLACED, PLACED], ["甲 PUBLIC"])),
    ("a smaller one", R, [("甲", "+3"), ("甲", "+1")],
     Picture(["ORDERED", "DUPLICATE REPLACED"], ["10/1/0"], {"甲": {"": 1}}, ["甲 OPEN UNPAID 590"], [], [PLACED, CANCELLED], ["甲 PUBLIC"])),
    ("the same again", R, [("甲", "+2"), ("甲", "+2")],
     Picture(["ORDERED", "DUPLICATE REPLACED"], ["10/2/0"], {"甲": {"": 2}}, ["甲 OPEN UNPAID 1180"], [], [PLACED], ["甲 PUBLIC"])),
    ("a second comment", ONCE, [("甲", "+2"), ("甲", "+1")],
     Picture(["ORDERED", "DUPLICATE ALREADY_ORDERED"], ["10/2/0"], {"甲": {"": 2}}, ["甲 OPEN UNPAID 1180"], [], [PLACED], ["甲 PUBLIC"])),
    ("after a cancellation", ONCE, [("甲", "+2"), ("甲", "取消"), ("甲", "+1")],
     Picture(["ORDERED", "CANCELLED", "ORDERED"], ["10/1/0"], {"甲": {"": 1}}, ["甲 CANCELLED UNPAID 0", "甲 OPEN UNPAID 590"], [],
             [PLACED, CANCELLED, PLACED], ["甲 PUBLIC"])),
    ("after payment", ONCE, [("甲", "+2"), pay, ("甲", "+1")],
     Picture(["ORDERED", "DUPLICATE ALREADY_ORDERED"], ["10/0/2"], {"甲": {"": 2}}, ["甲 OPEN PAID 1180"], [],
             [PLACED, *PAID], ["甲 PUBLIC"])),
    ("after payment", A, [("甲", "+2"), pay, ("甲", "+1")],
     Picture(["ORDERED", "ORDERED"], ["10/1/2"], {"甲": {"": 3}}, ["甲 OPEN PAID 1180", "甲 OPEN UNPAID 590"], [],
             [PLACED, *PAID, PLACED], ["甲 PUBLIC"])),
    ("after payment it only asks for more", R, [("甲", "+2"), pay, ("甲", "+3")],
     Picture(["ORDERED", "ORDERED"], ["10/1/2"], {"甲": {"": 3}}, ["甲 OPEN PAID 1180", "甲 OPEN UNPAID 590"], [],
             [PLACED, *PAID, PLACED], ["甲 PUBLIC"])),
    ("paid pieces are not taken back by a smaller wish", R, [("甲", "+2"), pay, ("甲", "+1")],
     Picture(["ORDERED", "NEEDS_REVIEW ALREADY_PAID ?"], ["10/0/2"], {"甲": {"": 2}}, ["甲 OPEN PAID 1180"], [], [PLACED, *PAID], ["甲 PUBLIC"])),
    *[("another buyer's is another", mode, [("甲", "+2"), ("乙", "+1")],
       Picture(["ORDERED", "ORDERED"], ["10/3/0"], {"甲": {"": 2}, "乙": {"": 1}}, ["甲 OPEN UNPAID 1180", "乙 OPEN UNPAID 590"], [],
               [PLACED, "乙 ORDER_PLACED"], ["甲 PUBLIC", "乙 PUBLIC"])) for mode in RepeatMode],
]  # fmt: skip


@pytest.mark.parametrize(("steps", "mode", "expected"), [(s, m, e) for _, m, s, e in CASES], ids=[f"{m}: {name}" for name, m, *_ in CASES])
async def test_a_further_comment(db: str, steps: list[Step], mode: RepeatMode, expected: Picture) -> None:
    assert await played(*steps, repeat_mode=mode) == expected


@pytest.mark.parametrize(("mode", "pieces"), [(A, {"白": 1, "紅": 2}), (R, {"白": 1, "紅": 1}), (ONCE, {"紅": 1})])
async def test_each_item_is_counted_for_itself_but_once_means_the_comment(db: str, mode: RepeatMode, pieces: dict[str, int]) -> None:
    found = await played(("甲", "紅+1"), ("甲", "紅+1 白+1"), variants=("紅", "白"), repeat_mode=mode)
    assert found.lines == {"甲": pieces}


async def test_waiting_pieces_are_replaced_too(db: str) -> None:
    found = await played(("甲", "+4"), ("甲", "+1"), on_hand=2, repeat_mode=R, shortage=Shortage.PARTIAL_WAITLIST)
    assert found.outcomes == ["PARTIAL INSUFFICIENT_STOCK", "DUPLICATE REPLACED"]
    assert (found.levels, found.lines, found.waiting) == (["2/1/0"], {"甲": {"": 1}}, [])
