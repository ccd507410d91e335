"""`cancel_until`: until when a comment takes unpaid pieces back, and which of them a cancellation means."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain import db as database
from domain.claims.rules import CancelUntil, OnEdit
from tests.books import queued
from tests.build import NOW
from tests.domain.claims.acts import close, pay
from tests.domain.claims.policy.picture import Picture, Step, picture, play, played
from tests.wall import Wall, a_wall

PAYMENT, CLOSE, NEVER = CancelUntil.PAYMENT, CancelUntil.CLOSE, CancelUntil.NEVER
PLACED, CANCELLED, ASK, REFUSED = "甲 ORDER_PLACED", "甲 LINES_CANCELLED", "甲 ASK_BUYER", "甲 CLAIM_REJECTED"
PAID = ["甲 PAYMENT_RECEIVED", "甲 PICKUP_READY"]
ANSWER = ["甲 PUBLIC"]


async def shut(wall: Wall) -> None:
    await close(wall.post_id)


def back(*notices: str) -> Picture:
    """Two pieces were ordered and given back."""
    return Picture(["ORDERED", "CANCELLED"], ["10/0/0"], {}, ["甲 CANCELLED UNPAID 0"], [], [PLACED, CANCELLED, *notices], ANSWER)


def stays(outcome: str, *notices: str, paid: bool = False) -> Picture:
    """Two pieces were ordered and stay."""
    level, payment = ("10/0/2", "PAID") if paid else ("10/2/0", "UNPAID")
    return Picture(["ORDERED", outcome], [level], {"甲": {"": 2}}, [f"甲 OPEN {payment} 1180"], [], [PLACED, *notices], ANSWER)


WORDS = ["取消", "-2", "+2取消", "瓦片取消", "全部取消"]
CASES = [
    ("open, unpaid", [], PAYMENT, back()),
    ("open, unpaid", [], CLOSE, back()),
    ("open, unpaid", [], NEVER, stays("NEEDS_REVIEW CANCEL_NOT_ALLOWED ?")),
    ("closed, unpaid", [shut], PAYMENT, back()),
    ("closed, unpaid", [shut], CLOSE, stays("REJECTED CLOSED", REFUSED)),
    ("closed, unpaid", [shut], NEVER, stays("REJECTED CLOSED", REFUSED)),
    ("open, paid", [pay], PAYMENT, stays("NEEDS_REVIEW ALREADY_PAID ?", *PAID, paid=True)),
    ("open, paid", [pay], CLOSE, stays("NEEDS_REVIEW ALREADY_PAID ?", *PAID, paid=True)),
    ("open, paid", [pay], NEVER, stays("NEEDS_REVIEW CANCEL_NOT_ALLOWED ?", *PAID, paid=True)),
    ("closed, paid", [pay, shut], PAYMENT, stays("NEEDS_REVIEW ALREADY_PAID ?", *PAID, paid=True)),
    ("closed, paid", [pay, shut], CLOSE, stays("REJECTED CLOSED", *PAID, REFUSED, paid=True)),
    ("closed, paid", [pay, shut], NEVER, stays("REJECTED CLOSED", *PAID, REFUSED, paid=True)),
]


@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize(("meanwhile", "until", "expected"), [(m, u, e) for _, m, u, e in CASES], ids=[f"{u}: {n}" for n, _, u, _ in CASES])
async def test_a_cancellation(db: str, meanwhile: list[Step], until: CancelUntil, expected: Picture, words: str) -> None:
    assert await played(("甲", "+2"), *meanwhile, ("甲", words), cancel_until=until) == expected


@pytest.mark.parametrize(("until", "held"), [(PAYMENT, 0), (CLOSE, 2), (NEVER, 2)])
@pytest.mark.parametrize("late", [1, 3600], ids=["a second after closing", "an hour after"])
async def test_closing_by_its_hour_is_closing(db: str, until: CancelUntil, held: int, late: int) -> None:
    wall = await a_wall(closes_at=NOW + timedelta(minutes=5), cancel_until=until)
    await wall.says("甲", "+2", at=NOW)
    comment = await wall.says("甲", "取消", at=NOW + timedelta(minutes=5, seconds=late))
    await wall.drain()
    found = await picture(wall, [comment])
    assert found.levels == [f"10/{held}/0"]
    assert found.outcomes == ["CANCELLED" if until is PAYMENT else "REJECTED CLOSED"]


@pytest.mark.parametrize("until", [PAYMENT, CLOSE])
async def test_the_closing_second_is_still_open(db: str, until: CancelUntil) -> None:
    wall = await a_wall(closes_at=NOW + timedelta(minutes=5), cancel_until=until)
    await wall.says("甲", "+2", at=NOW)
    comment = await wall.says("甲", "取消", at=NOW + timedelta(minutes=5))
    await wall.drain()
    assert await wall.outcome(comment) == ("CANCELLED", "")


@pytest.mark.parametrize("until", CancelUntil)
async def test_after_closing_nothing_is_ordered_or_raised_under_any_rule(db: str, until: CancelUntil) -> None:
    found = await played(("甲", "+2"), shut, ("甲", "+1"), ("甲", "改+5"), ("甲", "-1 +3"), cancel_until=until)
    assert found.levels == ["10/2/0"]
    assert found.lines == {"甲": {"": 2}}


@pytest.mark.parametrize("until", CancelUntil)
async def test_after_closing_an_edit_into_a_cancellation_only_asks(db: str, until: CancelUntil) -> None:
    found = await played(("甲", "+2"), shut, ("甲", "取消", 1), cancel_until=until)
    assert found.outcomes == ["ORDERED EDITED_AFTER_CLOSE ?"]
    assert (found.levels, found.notices) == (["10/2/0"], [PLACED, ASK])


@pytest.mark.parametrize(("until", "waiting"), [(PAYMENT, []), (CLOSE, []), (NEVER, ["甲 2"])])
async def test_a_waiting_place_is_given_back_like_pieces(db: str, until: CancelUntil, waiting: list[str]) -> None:
    found = await played(("甲", "+2"), ("甲", "取消"), on_hand=0, cancel_until=until)
    assert found.waiting == waiting


async def test_freed_pieces_wake_those_who_wait(db: str) -> None:
    found = await played(("甲", "+2"), ("乙", "+1"), shut, ("甲", "取消"), on_hand=2, cancel_until=PAYMENT)
    assert found.waiting == ["乙 1"]
    assert len(await queued("restocked")) == 1


RED_WHITE = ("紅", "白")
WHICH: list[tuple[str, list[Step], str, dict[str, int], list[str]]] = [
    ("unnamed, none", [("甲", "取消")], "IGNORED NOTHING_TO_CANCEL", {}, [REFUSED]),
    ("unnamed, one line", [("甲", "紅+2"), ("甲", "取消")], "CANCELLED", {}, [CANCELLED]),
    ("unnamed, one line of two comments", [("甲", "紅+2"), ("甲", "紅+1"), ("甲", "取消")], "NEEDS_REVIEW WHICH ?", {"紅": 3}, [ASK]),
    ("unnamed, several lines", [("甲", "紅+2"), ("甲", "白+1"), ("甲", "取消")], "NEEDS_REVIEW WHICH ?", {"白": 1, "紅": 2}, [ASK]),
    ("all, several lines", [("甲", "紅+2"), ("甲", "白+1"), ("甲", "全部取消")], "CANCELLED", {}, [CANCELLED]),
    ("all, none", [("甲", "全部取消")], "IGNORED NOTHING_TO_CANCEL", {}, [REFUSED]),
    ("named, whole", [("甲", "紅+2"), ("甲", "白+1"), ("甲", "紅取消")], "CANCELLED", {"白": 1}, [CANCELLED]),
    ("named, a part", [("甲", "紅+2"), ("甲", "紅-1")], "CANCELLED", {"紅": 1}, [CANCELLED]),
    ("named, more than held", [("甲", "紅+2"), ("甲", "紅-5")], "CANCELLED FEWER_HELD", {}, [CANCELLED]),
    ("named, not held", [("甲", "紅+2"), ("甲", "白取消")], "NEEDS_REVIEW NOT_HELD ?", {"紅": 2}, [ASK]),
    ("named, two of which one is held", [("甲", "紅+2"), ("甲", "紅白都取消")], "CANCELLED", {}, [CANCELLED]),
    ("another's", [("乙", "紅+2"), ("甲", "取消")], "IGNORED NOTHING_TO_CANCEL", {}, [REFUSED]),
    ("asked", [("甲", "紅+2"), ("甲", "可以取消嗎？")], "NEEDS_REVIEW LOOKS_LIKE_QUESTION ?", {"紅": 2}, []),
    ("negated", [("甲", "紅+2"), ("甲", "不要取消")], "IGNORED NEGATED", {"紅": 2}, []),
]


@pytest.mark.parametrize(("steps", "outcome", "left", "told"), [case[1:] for case in WHICH], ids=[case[0] for case in WHICH])
async def test_what_a_cancellation_means(db: str, steps: list[Step], outcome: str, left: dict[str, int], told: list[str]) -> None:
    found = await played(*steps, variants=RED_WHITE)
    assert found.outcomes[-1] == outcome
    assert found.lines.get("甲", {}) == left
    assert [notice for notice in found.notices if not notice.endswith("ORDER_PLACED")] == told


async def test_a_cancellation_says_itself_only_once(db: str) -> None:
    wall = await a_wall()
    comments = await play(wall, ("甲", "+3"), ("甲", "-1"))
    before = await picture(wall, comments)
    for _ in range(3):
        await database.execute("update inbox_event set state = 'PENDING', decided_at = null")
        assert await wall.drain() == 2
    assert await picture(wall, comments) == before
    assert before.lines == {"甲": {"": 2}}


async def test_never_holds_for_edits_too(db: str) -> None:
    found = await played(("甲", "+2"), ("甲", "取消", 1), cancel_until=NEVER, on_edit=OnEdit.REPARSE_IF_OPEN)
    assert found.outcomes == ["ORDERED EDITED_TO_CANCEL ?"]
    assert found.lines == {"甲": {"": 2}}
