"""`on_edit`: what an edit does to what the comment ordered: rise, fall, question, chat, after closing, payment or cancellation."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.claims.rules import OnEdit
from tests.build import NOW
from tests.domain.claims.acts import close, expire, pay
from tests.domain.claims.policy.picture import Picture, Step, picture, play, played, seconds_later
from tests.wall import Wall, a_wall

REPARSE, FLAG, IGNORE = OnEdit.REPARSE_IF_OPEN, OnEdit.FLAG, OnEdit.IGNORE
PLACED, ASK, CANCELLED = "甲 ORDER_PLACED", "甲 ASK_BUYER", "甲 LINES_CANCELLED"
PAID = ["甲 PAYMENT_RECEIVED", "甲 PICKUP_READY"]
ANSWER = ["甲 PUBLIC"]


def kept(reason: str, pieces: int, *notices: str, looks: bool = True, payment: str = "UNPAID") -> Picture:
    """The order stands with so many pieces."""
    level = f"10/{pieces}/0" if payment == "UNPAID" else f"10/0/{pieces}"
    order = f"甲 OPEN {payment} {590 * pieces}" + (" !" if looks else "")
    outcome = " ".join(filter(None, ("ORDERED", reason, "?" if looks else "")))
    return Picture([outcome], [level], {"甲": {"": pieces}}, [order], [], [PLACED, *notices], ANSWER)


async def shut(wall: Wall) -> None:
    await close(wall.post_id)


def edit(text: str, *before: Step) -> list[Step]:
    """A comment that ordered two, what happened then, and its edit."""
    return [("甲", "+2"), *before, ("甲", text, 1)]


CASES: list[tuple[str, list[Step], OnEdit, Picture]] = [
    ("a rise", edit("+3"), REPARSE, kept("", 3, PLACED, looks=False)),
    ("a rise", edit("+3"), FLAG, kept("EDITED", 2, ASK)),
    ("a rise", edit("+3"), IGNORE, kept("", 2, looks=False)),
    ("a fall", edit("+1"), REPARSE, kept("", 1, CANCELLED, looks=False)),
    ("a fall", edit("+1"), FLAG, kept("EDITED", 2, ASK)),
    ("a fall", edit("+1"), IGNORE, kept("", 2, looks=False)),
    ("the same in other signs", edit("＋２"), REPARSE, kept("", 2, looks=False)),
    ("the same in other signs", edit("＋２"), FLAG, kept("", 2, looks=False)),
    ("a question", edit("可以+2嗎？"), REPARSE, kept("EDITED_TO_QUESTION", 2, ASK)),
    ("a question", edit("可以+2嗎？"), FLAG, kept("EDITED", 2, ASK)),
    ("a question", edit("可以+2嗎？"), IGNORE, kept("", 2, looks=False)),
    ("chat", edit("謝謝老闆"), REPARSE, kept("EDITED_TO_NONE", 2, ASK)),
    ("unclear words", edit("+1+1"), REPARSE, kept("EDITED_TO_AMBIGUOUS", 2, ASK)),
    ("after closing", edit("+3", shut), REPARSE, kept("EDITED_AFTER_CLOSE", 2, ASK)),
    ("after closing", edit("+3", shut), FLAG, kept("EDITED", 2, ASK)),
    ("after closing", edit("+3", shut), IGNORE, kept("", 2, looks=False)),
    ("after payment", edit("+3", pay), REPARSE, kept("EDITED_AFTER_PAYMENT", 2, *PAID, ASK, payment="PAID")),
    ("after payment", edit("+3", pay), FLAG, kept("EDITED_AFTER_PAYMENT", 2, *PAID, ASK, payment="PAID")),
    ("after payment", edit("+3", pay), IGNORE, kept("", 2, *PAID, looks=False, payment="PAID")),
    ("after payment, into a cancellation", edit("取消", pay), REPARSE, kept("EDITED_AFTER_PAYMENT", 2, *PAID, ASK, payment="PAID")),
    ("a cancellation", edit("取消"), REPARSE,
     Picture(["CANCELLED"], orders=["甲 CANCELLED UNPAID 0"], notices=[PLACED, CANCELLED], replies=ANSWER)),
    ("a cancellation", edit("取消"), FLAG, kept("EDITED", 2, ASK)),
    ("a cancellation", edit("取消"), IGNORE, kept("", 2, looks=False)),
    ("after it ran out", edit("+3", expire), REPARSE,
     Picture(["ORDERED EDITED_AFTER_CANCEL ?"], orders=["甲 CANCELLED EXPIRED 1180"], notices=[PLACED, ASK, "甲 ORDER_EXPIRED"], replies=ANSWER)),
]  # fmt: skip


@pytest.mark.parametrize("decided", [False, True], ids=["in one batch", "one by one"])
@pytest.mark.parametrize(("steps", "on_edit", "expected"), [(s, o, e) for _, s, o, e in CASES], ids=[f"{o}: {n}" for n, _, o, _ in CASES])
async def test_an_edit_of_a_comment_that_ordered(db: str, steps: list[Step], on_edit: OnEdit, expected: Picture, decided: bool) -> None:
    apart = [part for step in steps for part in (step, seconds_later)] if decided else steps
    assert await played(*apart, on_edit=on_edit) == expected


@pytest.mark.parametrize("on_edit", [REPARSE, FLAG])
async def test_chat_that_becomes_an_order_orders(db: str, on_edit: OnEdit) -> None:
    assert await played(("甲", "好美"), ("甲", "+2", 1), on_edit=on_edit) == kept("", 2, looks=False)


async def test_chat_that_becomes_an_order_is_ignored_where_edits_are(db: str) -> None:
    assert await played(("甲", "好美"), ("甲", "+2", 1), on_edit=IGNORE) == Picture(["IGNORED NO_TRIGGER"])


@pytest.mark.parametrize("on_edit", [REPARSE, FLAG])
@pytest.mark.parametrize("first", ["-1", "改+1", "取消"])
async def test_a_change_is_never_undone_by_its_edit(db: str, on_edit: OnEdit, first: str) -> None:
    """The comment took something back or set it; whatever it says now, a person looks."""
    before = await played(("甲", "+2"), ("甲", first), on_edit=on_edit)
    after = await played(("甲", "+2"), ("甲", first), ("甲", "+5", 2), on_edit=on_edit)
    assert (after.levels, after.lines) == (before.levels, before.lines)
    assert after.outcomes[1] == before.outcomes[1].split()[0] + " EDITED_CHANGE ?"
    assert after.notices == [*before.notices, ASK]


async def test_a_rise_queues_behind_those_who_came_meanwhile(db: str) -> None:
    found = await played(("甲", "+1"), ("乙", "+1"), ("丙", "+1"), ("甲", "+2", 1), on_hand=2)
    assert found.lines == {"甲": {"": 1}, "乙": {"": 1}}
    assert found.waiting == ["丙 1", "甲 1"]


async def test_a_fall_frees_waiting_pieces_first_and_at_once(db: str) -> None:
    found = await played(("甲", "+4"), ("甲", "+2", 1), on_hand=2)
    assert (found.levels, found.lines, found.waiting) == (["2/2/0"], {"甲": {"": 2}}, [])
    assert found.outcomes == ["ORDERED"]


@pytest.mark.parametrize("first", [0, 1, 2])
async def test_the_version_with_the_latest_platform_time_counts(db: str, first: int) -> None:
    """Three versions, delivered in any order, each decided on its own."""
    wall = await a_wall()
    versions = [("add", "+1", 0), ("edited", "+4", 3), ("edited", "+2", 6)]
    for verb, text, second in versions[first:] + versions[:first]:
        await wall.says("甲", text, comment="1_1", verb=verb, at=NOW + timedelta(seconds=second))
        await wall.drain()
    found = await picture(wall, ["1_1"])
    assert (found.outcomes, found.lines, found.levels) == (["ORDERED"], {"甲": {"": 2}}, ["10/2/0"])


async def test_what_was_bought_after_the_payment_is_not_touched_by_the_paid_comment_s_edit(db: str) -> None:
    wall = await a_wall()
    comments = await play(wall, ("甲", "+1"), pay, ("甲", "+1"), ("甲", "+5", 1))
    found = await picture(wall, comments)
    assert found.outcomes == ["ORDERED EDITED_AFTER_PAYMENT ?", "ORDERED"]
    assert found.levels == ["10/1/1"]
    assert found.orders == ["甲 OPEN PAID 590 !", "甲 OPEN UNPAID 590"]
