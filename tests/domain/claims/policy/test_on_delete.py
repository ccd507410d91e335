"""`on_delete`: what deleting a comment does to what it ordered. Hiding is not deleting."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.claims.rules import OnDelete
from tests.build import NOW
from tests.domain.claims.acts import pay
from tests.domain.claims.policy.picture import Picture, Step, picture, play, played
from tests.wall import a_wall

KEEP, RELEASE = OnDelete.KEEP_AND_FLAG, OnDelete.RELEASE_IF_UNPAID
PLACED, ASK, CANCELLED = "甲 ORDER_PLACED", "甲 ASK_BUYER", "甲 LINES_CANCELLED"
PAID = ["甲 PAYMENT_RECEIVED", "甲 PICKUP_READY"]
ANSWER = ["甲 PUBLIC"]
CASES: list[tuple[str, list[Step], OnDelete, Picture]] = [
    ("unpaid", [("甲", "+2"), ("甲", None, 1)], KEEP,
     Picture(["ORDERED REMOVED ?"], ["10/2/0"], {"甲": {"": 2}}, ["甲 OPEN UNPAID 1180 !"], [], [PLACED, ASK], ANSWER)),
    ("unpaid", [("甲", "+2"), ("甲", None, 1)], RELEASE,
     Picture(["CANCELLED REMOVED"], orders=["甲 CANCELLED UNPAID 0"], notices=[PLACED, CANCELLED], replies=ANSWER)),
    ("paid", [("甲", "+2"), pay, ("甲", None, 1)], KEEP,
     Picture(["ORDERED REMOVED ?"], ["10/0/2"], {"甲": {"": 2}}, ["甲 OPEN PAID 1180 !"], [], [PLACED, *PAID, ASK], ANSWER)),
    ("paid", [("甲", "+2"), pay, ("甲", None, 1)], RELEASE,
     Picture(["ORDERED REMOVED ?"], ["10/0/2"], {"甲": {"": 2}}, ["甲 OPEN PAID 1180 !"], [], [PLACED, *PAID, ASK], ANSWER)),
    *[("of chat", [("甲", "好美"), ("甲", None, 1)], on, Picture(["IGNORED NO_TRIGGER"])) for on in OnDelete],
    *[("of a question leaves nothing to answer", [("甲", "+1嗎？"), ("甲", None, 1)], on, Picture(["NEEDS_REVIEW LOOKS_LIKE_QUESTION"])) for on in OnDelete],
    *[("of a cancellation changes nothing", [("甲", "+1"), ("甲", "取消"), ("甲", None, 2)], on,
       Picture(["ORDERED", "CANCELLED"], orders=["甲 CANCELLED UNPAID 0"], notices=[PLACED, CANCELLED], replies=ANSWER)) for on in OnDelete],
]  # fmt: skip


@pytest.mark.parametrize(("steps", "on_delete", "expected"), [(s, o, e) for _, s, o, e in CASES], ids=[f"{o}: {n}" for n, _, o, _ in CASES])
async def test_a_deleted_comment(db: str, steps: list[Step], on_delete: OnDelete, expected: Picture) -> None:
    assert await played(*steps, on_delete=on_delete) == expected


@pytest.mark.parametrize(("on_delete", "waiting"), [(KEEP, ["甲 3"]), (RELEASE, [])])
async def test_waiting_pieces_go_with_the_others(db: str, on_delete: OnDelete, waiting: list[str]) -> None:
    found = await played(("甲", "+5"), ("甲", None, 1), on_hand=2, on_delete=on_delete)
    assert found.waiting == waiting
    assert found.lines == ({"甲": {"": 2}} if on_delete is KEEP else {})


@pytest.mark.parametrize("on_delete", OnDelete)
async def test_only_the_deleted_comment_s_pieces_are_meant(db: str, on_delete: OnDelete) -> None:
    found = await played(("甲", "+2"), ("甲", "+3"), ("甲", None, 1), on_delete=on_delete)
    assert found.lines == {"甲": {"": 5 if on_delete is KEEP else 3}}


@pytest.mark.parametrize("on_delete", OnDelete)
@pytest.mark.parametrize("hidden", ["hide", "unhide"])
async def test_hiding_is_no_deletion(db: str, on_delete: OnDelete, hidden: str) -> None:
    wall = await a_wall(on_delete=on_delete)
    comments = await play(wall, ("甲", "+2"))
    before = await picture(wall, comments)
    await wall.says("甲", "", comment=comments[0], verb=hidden)
    await wall.drain()
    assert await picture(wall, comments) == before
    assert before.lines == {"甲": {"": 2}}


@pytest.mark.parametrize("on_delete", OnDelete)
async def test_told_twice_or_before_its_text_it_is_one_deletion(db: str, on_delete: OnDelete) -> None:
    pictures = []
    for order in ((0, 1, 2), (1, 0, 2), (2, 1, 0)):
        wall = await a_wall(on_delete=on_delete)
        events = [("add", "+2", 0), ("remove", "", 4), ("remove", "", 5)]
        for verb, text, second in (events[n] for n in order):
            await wall.says("甲", text, comment="1_5", verb=verb, at=NOW + timedelta(seconds=second))
            await wall.drain()
        found = await picture(wall, ["1_5"])
        found.replies = []
        pictures.append(found)
    assert pictures[0] == pictures[1] == pictures[2]
    assert pictures[0].lines == ({"甲": {"": 2}} if on_delete is KEEP else {})
