"""`shortage`: what follows when fewer pieces are left than a comment wishes for."""

from __future__ import annotations

import pytest

from domain.claims.rules import Shortage
from tests.domain.claims.policy.picture import Picture, Step, played

LINE, SOME, WAIT, ALL = Shortage.REJECT_LINE, Shortage.PARTIAL, Shortage.PARTIAL_WAITLIST, Shortage.REJECT_COMMENT
REFUSED, PLACED, PARTIAL, WAITLISTED = "甲 CLAIM_REJECTED", "甲 ORDER_PLACED", "甲 ORDER_PARTIAL", "甲 WAITLISTED"
ANSWER = ["甲 PUBLIC"]
ONE: list[tuple[int, Shortage, Picture]] = [
    (5, LINE, Picture(["ORDERED"], ["5/5/0"], {"甲": {"": 5}}, ["甲 OPEN UNPAID 2950"], [], [PLACED], ANSWER)),
    (5, SOME, Picture(["ORDERED"], ["5/5/0"], {"甲": {"": 5}}, ["甲 OPEN UNPAID 2950"], [], [PLACED], ANSWER)),
    (5, WAIT, Picture(["ORDERED"], ["5/5/0"], {"甲": {"": 5}}, ["甲 OPEN UNPAID 2950"], [], [PLACED], ANSWER)),
    (5, ALL, Picture(["ORDERED"], ["5/5/0"], {"甲": {"": 5}}, ["甲 OPEN UNPAID 2950"], [], [PLACED], ANSWER)),
    (2, LINE, Picture(["REJECTED INSUFFICIENT_STOCK"], ["2/0/0"], notices=[REFUSED])),
    (2, SOME, Picture(["PARTIAL INSUFFICIENT_STOCK"], ["2/2/0"], {"甲": {"": 2}}, ["甲 OPEN UNPAID 1180"], [], [PARTIAL], ANSWER)),
    (2, WAIT, Picture(["PARTIAL INSUFFICIENT_STOCK"], ["2/2/0"], {"甲": {"": 2}}, ["甲 OPEN UNPAID 1180"], ["甲 3"], [PARTIAL], ANSWER)),
    (2, ALL, Picture(["REJECTED INSUFFICIENT_STOCK"], ["2/0/0"], notices=[REFUSED])),
    (0, LINE, Picture(["REJECTED INSUFFICIENT_STOCK"], ["0/0/0"], notices=[REFUSED])),
    (0, SOME, Picture(["REJECTED INSUFFICIENT_STOCK"], ["0/0/0"], notices=[REFUSED])),
    (0, WAIT, Picture(["WAITLISTED INSUFFICIENT_STOCK"], ["0/0/0"], waiting=["甲 5"], notices=[WAITLISTED], replies=ANSWER)),
    (0, ALL, Picture(["REJECTED INSUFFICIENT_STOCK"], ["0/0/0"], notices=[REFUSED])),
]


@pytest.mark.parametrize(("on_hand", "shortage", "expected"), ONE, ids=[f"{s}: {n} of 5" for n, s, _ in ONE])
async def test_one_item(db: str, on_hand: int, shortage: Shortage, expected: Picture) -> None:
    assert await played(("甲", "+5"), on_hand=on_hand, shortage=shortage) == expected


SEVERAL: list[tuple[Shortage, Picture]] = [
    (LINE, Picture(["PARTIAL INSUFFICIENT_STOCK"], ["5/2/0", "1/0/0", "0/0/0"], {"甲": {"紅": 2}}, ["甲 OPEN UNPAID 1180"], [], [PARTIAL], ANSWER)),
    (SOME, Picture(["PARTIAL INSUFFICIENT_STOCK"], ["5/2/0", "1/1/0", "0/0/0"], {"甲": {"白": 1, "紅": 2}}, ["甲 OPEN UNPAID 1770"], [], [PARTIAL], ANSWER)),
    (WAIT, Picture(["PARTIAL INSUFFICIENT_STOCK"], ["5/2/0", "1/1/0", "0/0/0"], {"甲": {"白": 1, "紅": 2}}, ["甲 OPEN UNPAID 1770"], ["甲 1", "甲 2"],
                   [PARTIAL], ANSWER)),
    (ALL, Picture(["REJECTED INSUFFICIENT_STOCK"], ["5/0/0", "1/0/0", "0/0/0"], notices=[REFUSED])),
]  # fmt: skip


@pytest.mark.parametrize(("shortage", "expected"), SEVERAL, ids=[s for s, _ in SEVERAL])
async def test_several_items_of_one_comment_one_there_one_short_one_gone(db: str, shortage: Shortage, expected: Picture) -> None:
    found = await played(("甲", "紅+2 白+2 黑+2"), variants=("紅", "白", "黑"), on_hand=(5, 1, 0), shortage=shortage)
    assert found == expected


@pytest.mark.parametrize("shortage", Shortage)
async def test_who_comes_after_a_refusal_gets_what_was_left(db: str, shortage: Shortage) -> None:
    steps: list[Step] = [("甲", "+5"), ("乙", "+2")]
    found = await played(*steps, on_hand=3, shortage=shortage)
    refuses = shortage in (LINE, ALL)
    assert found.lines == ({"乙": {"": 2}} if refuses else {"甲": {"": 3}})
    assert found.outcomes[1] == {SOME: "REJECTED INSUFFICIENT_STOCK", WAIT: "WAITLISTED INSUFFICIENT_STOCK"}.get(shortage, "ORDERED")


EDITED: list[tuple[Shortage, str, dict[str, int], list[str]]] = [
    (LINE, "PARTIAL INSUFFICIENT_STOCK", {"白": 1, "紅": 1}, []),
    (SOME, "PARTIAL INSUFFICIENT_STOCK", {"白": 1, "紅": 3}, []),
    (WAIT, "PARTIAL INSUFFICIENT_STOCK", {"白": 1, "紅": 3}, ["甲 2"]),
    (ALL, "ORDERED INSUFFICIENT_STOCK ?", {"紅": 1}, []),
]


@pytest.mark.parametrize(("shortage", "outcome", "pieces", "waiting"), EDITED, ids=[s for s, *_ in EDITED])
async def test_an_edit_that_asks_for_more_than_there_is(
    db: str, shortage: Shortage, outcome: str, pieces: dict[str, int], waiting: list[str]
) -> None:
    found = await played(("甲", "紅+1"), ("甲", "紅+5 白+1", 1), variants=("紅", "白"), on_hand=3, shortage=shortage)
    assert (found.outcomes, found.lines, found.waiting) == ([outcome], {"甲": pieces}, waiting)
    assert ("甲 CLAIM_REJECTED" in found.notices) is (shortage is ALL)


@pytest.mark.parametrize("shortage", Shortage)
async def test_nobody_takes_pieces_that_others_wait_for(db: str, shortage: Shortage) -> None:
    """What came free belongs to the line; a newcomer is short, whatever the shop's rule for that is."""
    found = await played(("甲", "+2"), ("乙", "+2"), ("甲", "-2"), ("丙", "+1"), on_hand=2, shortage=shortage)
    if shortage is WAIT:
        assert found.waiting == ["乙 2", "丙 1"]
        assert found.lines == {}
    else:
        assert found.waiting == []
        assert found.lines == {"丙": {"": 1}}
