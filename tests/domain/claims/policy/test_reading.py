"""`reading`, `trigger_symbols`, `trigger_words`, `fillers`, `max_per_line`: which words order, which are asked back, which are silent."""

from __future__ import annotations

import pytest

from domain.claims.rules import Reading
from tests.domain.claims.policy.picture import Picture, played

KINDS = ("紅", "白")
NOTHING = Picture(levels=["10/0/0", "10/0/0"])
ONE_RED = Picture(
    levels=["10/1/0", "10/0/0"], lines={"甲": {"紅": 1}}, orders=["甲 OPEN UNPAID 590"], notices=["甲 ORDER_PLACED"], replies=["甲 PUBLIC"]
)
ONE_EACH = Picture(
    levels=["10/1/0", "10/1/0"],
    lines={"甲": {"白": 1, "紅": 1}},
    orders=["甲 OPEN UNPAID 1180"],
    notices=["甲 ORDER_PLACED"],
    replies=["甲 PUBLIC"],
)
ASKED = Picture(levels=["10/0/0", "10/0/0"], notices=["甲 SUGGESTION"])


def said(outcome: str, of: Picture) -> Picture:
    """The picture with this outcome of the one comment."""
    return Picture([outcome], of.levels, of.lines, of.orders, of.waiting, of.notices, of.replies)


CASES = [
    ("紅+1", Reading.STRICT, said("ORDERED", ONE_RED)),
    ("紅+1", Reading.CONFIRM, said("ORDERED", ONE_RED)),
    ("紅+1", Reading.LENIENT, said("ORDERED", ONE_RED)),
    ("紅x1", Reading.STRICT, said("IGNORED NO_TRIGGER", NOTHING)),
    ("紅x1", Reading.CONFIRM, said("SUGGESTED NEEDS_CONFIRMATION", ASKED)),
    ("紅x1", Reading.LENIENT, said("ORDERED", ONE_RED)),
    ("紅白各1", Reading.STRICT, said("IGNORED NO_TRIGGER", NOTHING)),
    ("紅白各1", Reading.CONFIRM, said("SUGGESTED NEEDS_CONFIRMATION", ASKED)),
    ("紅白各1", Reading.LENIENT, said("ORDERED", ONE_EACH)),
    *[("紅+1還有嗎", reading, said("NEEDS_REVIEW LOOKS_LIKE_QUESTION ?", NOTHING)) for reading in Reading],
    *[("今天好熱", reading, said("IGNORED NO_TRIGGER", NOTHING)) for reading in Reading],
]


@pytest.mark.parametrize(("text", "reading", "expected"), CASES, ids=[f"{reading}-{text}" for text, reading, _ in CASES])
async def test_the_reading_decides_which_words_order(db: str, text: str, reading: Reading, expected: Picture) -> None:
    assert await played(("甲", text), variants=KINDS, reading=reading) == expected


SYMBOLS = [
    (("+",), "紅+1", "ORDERED"),
    (("+",), "紅＋1", "ORDERED"),
    (("+",), "紅➕1", "ORDERED"),
    (("+",), "紅加1", "ORDERED"),
    (("=",), "紅=1", "ORDERED"),
    (("=",), "紅+1", "IGNORED NO_TRIGGER"),
    (("=",), "紅加1", "IGNORED NO_TRIGGER"),
    (("=", "+"), "紅=1", "ORDERED"),
    (("=", "+"), "紅+1", "ORDERED"),
    (("★",), "紅★1", "ORDERED"),
]


@pytest.mark.parametrize(("symbols", "text", "outcome"), SYMBOLS, ids=[f"{''.join(s)} {text}" for s, text, _ in SYMBOLS])
async def test_only_the_shop_s_symbols_bind_a_quantity(db: str, symbols: tuple[str, ...], text: str, outcome: str) -> None:
    found = await played(("甲", text), variants=KINDS, reading=Reading.STRICT, trigger_symbols=symbols)
    assert found == said(outcome, ONE_RED if outcome == "ORDERED" else NOTHING)


@pytest.mark.parametrize(
    ("words", "text", "expected"),
    [
        (("mine",), "mine 紅", said("ORDERED", ONE_RED)),
        ((), "mine 紅", said("IGNORED NO_TRIGGER", NOTHING)),
        (("mine",), "mine 紅1", said("ORDERED", ONE_RED)),
        (("mine",), "is the red one mine too", said("IGNORED NO_TRIGGER", NOTHING)),
        (("mine",), "mine", said("SUGGESTED MISSING_OPTION", ASKED)),
        (("chốt",), "chốt 紅1 白1", said("ORDERED", ONE_EACH)),
        (("chốt",), "chốt 紅 白", said("SUGGESTED AMBIGUOUS_OPTION", ASKED)),
    ],
)
async def test_a_trigger_word_orders_like_the_symbol(db: str, words: tuple[str, ...], text: str, expected: Picture) -> None:
    assert await played(("甲", text), variants=KINDS, reading=Reading.STRICT, trigger_words=words) == expected


async def test_a_filler_of_the_shop_is_no_name(db: str) -> None:
    unknown = await played(("甲", "揪咪紅+1"), variants=KINDS)
    assert unknown == said("NEEDS_REVIEW UNKNOWN_ITEM ?", NOTHING)
    assert await played(("甲", "揪咪紅+1"), variants=KINDS, fillers=("揪咪",)) == said("ORDERED", ONE_RED)


@pytest.mark.parametrize(("most", "text", "outcome", "notices"), [
    (3, "紅+3", "ORDERED", ["甲 ORDER_PLACED"]),
    (3, "紅+4", "NEEDS_REVIEW QUANTITY_OUT_OF_RANGE ?", ["甲 ASK_BUYER"]),
    (3, "紅+2 紅+2", "NEEDS_REVIEW QUANTITY_OUT_OF_RANGE ?", ["甲 ASK_BUYER"]),
    (3, "紅+3 白+3", "ORDERED", ["甲 ORDER_PLACED"]),
])  # fmt: skip
async def test_one_comment_asks_for_so_many_of_one_variant(db: str, most: int, text: str, outcome: str, notices: list[str]) -> None:
    found = await played(("甲", text), variants=KINDS, max_per_line=most)
    assert found.outcomes == [outcome]
    assert found.notices == notices
    assert (found.orders == []) is (outcome != "ORDERED")
