"""Lines taken back and made smaller."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from domain import db as database
from domain.errors import NotFound
from domain.ids import new_id
from domain.orders import lines
from domain.orders.acts import read_acts
from domain.orders.errors import InvalidTransition, IsPaid, NotFewer, NotReducible, UndoOver, VersionConflict
from plusone.invariants import check
from tests import build
from tests.books import books_agree, everything, queued
from tests.build import NOW
from tests.domain.claims.acts import close, first_order, pay
from tests.domain.orders.acting import LATER, UNDO, a_wish, actions, claim_said, kinds, refused


async def test_a_line_is_undone_within_the_shop_s_minutes(db: str) -> None:
    wall, member, line = await a_wish(cancel_until="NEVER")
    at = NOW + UNDO - timedelta(microseconds=1)
    done = await lines.undo(line_id=line, member_id=member, now=at, jobs=wall.services.jobs)
    assert (done.order_id, done.pieces, done.passed_on) == (await first_order(), 2, False)
    assert await wall.level() == (10, 0, 0)
    row = await database.fetchrow('select state, payment_state, subtotal_minor, total_minor, list from "order"')
    assert row is not None
    assert tuple(row.values()) == ("CANCELLED", "UNPAID", 0, 0, "DONE")
    assert await kinds("order_event") == ["LINES_ADDED", "LINES_CANCELLED", "CANCELLED"]
    assert await kinds("notice") == ["ORDER_PLACED", "LINES_CANCELLED"]
    assert await claim_said() == ("CANCELLED", "UNDONE")
    audit = await database.fetch("select action, actor, role from audit_entry order by id desc limit 2")
    assert {tuple(r.values()) for r in audit} == {(a, f"member:{member}", "buyer") for a in ("order.undone", "CLAIM_DECIDED")}
    assert (await lines.undo(line_id=line, member_id=member, now=at, jobs=wall.services.jobs)).pieces == 0
    await books_agree()
    assert await check(LATER) == []


async def test_after_the_minutes_nothing_is_undone_and_a_shop_may_have_none(db: str) -> None:
    wall, member, line = await a_wish()
    await refused(UndoOver, lines.undo(line_id=line, member_id=member, now=NOW + UNDO, jobs=wall.services.jobs))
    await database.execute("update shop set undo_minutes = 0")
    await refused(UndoOver, lines.undo(line_id=line, member_id=member, now=NOW, jobs=wall.services.jobs))


async def test_what_is_undone_goes_to_the_next_in_line(db: str) -> None:
    wall, member, line = await a_wish("紅+10")
    await wall.says("乙", "紅+3")
    await wall.drain()
    done = await lines.undo(line_id=line, member_id=member, now=NOW, jobs=wall.services.jobs)
    assert done.passed_on
    assert (await queued("restocked"))[-1] == {"shop_id": str(wall.shop.id), "variants": [str(wall.product.variants[0].id)]}


async def test_a_line_is_made_smaller_and_dropped(db: str) -> None:
    wall, member, line = await a_wish("紅+3 白+1")
    version = await database.fetchval('select version from "order"')
    await lines.reduce(line_id=line, quantity=1, member_id=member, expected_version=version, now=NOW, jobs=wall.services.jobs)
    assert await wall.pieces("小美") == {"紅": 1, "白": 1}
    assert await database.fetchval('select total_minor from "order"') == 1180
    assert await claim_said() == ("ORDERED", "")
    before = await everything()
    assert (await lines.reduce(line_id=line, quantity=1, member_id=member, now=NOW, jobs=wall.services.jobs)).pieces == 0
    assert await everything() == before
    await lines.reduce(line_id=line, quantity=0, member_id=member, now=NOW, jobs=wall.services.jobs)
    assert (await wall.pieces("小美"), await wall.level()) == ({"白": 1}, (10, 0, 0))
    await books_agree()
    assert await check(LATER) == []


async def test_what_waits_for_the_same_comment_keeps_waiting(db: str) -> None:
    wall, member, line = await a_wish("紅+12")
    await lines.reduce(line_id=line, quantity=0, member_id=member, now=NOW, jobs=wall.services.jobs)
    assert await claim_said() == ("WAITLISTED", "REDUCED")
    assert await wall.waiting() == [("小美", 2)]
    assert await check(LATER) == []


@pytest.mark.parametrize(
    ("until", "state", "closes_at", "allowed"),
    [
        ("CLOSE", "OPEN", None, True), ("CLOSE", "OPEN", NOW, True), ("CLOSE", "OPEN", NOW - timedelta(seconds=1), False),
        ("CLOSE", "CLOSED", None, False), ("PAYMENT", "CLOSED", NOW - timedelta(days=1), True), ("NEVER", "OPEN", None, False),
    ],
)  # fmt: skip
async def test_the_rule_that_the_line_was_ordered_under_says_until_when(
    db: str, until: str, state: str, closes_at: datetime | None, allowed: bool
) -> None:
    wall, member, line = await a_wish(cancel_until=until)
    await database.execute("update sales_post set state = $1, closes_at = $2, version = version + 1", state, closes_at)
    order = await first_order()
    assert ("REDUCE" in await actions(member, order)) is allowed
    act = lines.reduce(line_id=line, quantity=1, member_id=member, now=NOW, jobs=wall.services.jobs)
    if allowed:
        assert (await act).pieces == 1
    else:
        await refused(NotReducible, act)


async def test_a_line_cannot_grow_be_another_s_or_of_an_order_with_money(db: str) -> None:
    wall, member, line = await a_wish()
    jobs = wall.services.jobs
    for quantity in (3, -1):
        await refused(NotFewer, lines.reduce(line_id=line, quantity=quantity, member_id=member, now=NOW, jobs=jobs))
    stale = await refused(VersionConflict, lines.reduce(line_id=line, quantity=1, member_id=member, expected_version=9, now=NOW, jobs=jobs))
    assert vars(stale)["current_version"] == 1
    for line_id, who in ((line, await build.a_member()), (new_id(), member)):
        await refused(NotFound, lines.reduce(line_id=line_id, quantity=1, member_id=who, now=NOW, jobs=jobs))
        await refused(NotFound, lines.undo(line_id=line_id, member_id=who, now=NOW, jobs=jobs))
    await pay(wall)
    await refused(IsPaid, lines.reduce(line_id=line, quantity=1, member_id=member, now=NOW, jobs=jobs))
    await refused(IsPaid, lines.undo(line_id=line, member_id=member, now=NOW, jobs=jobs))


@pytest.mark.parametrize("payment", ["REPORTED", "PENDING", "PARTIALLY_PAID"])
async def test_while_money_is_under_way_lines_stand(db: str, payment: str) -> None:
    wall, member, line = await a_wish()
    await database.execute('update "order" set payment_state = $1, version = version + 1', payment)
    await refused(InvalidTransition, lines.reduce(line_id=line, quantity=1, member_id=member, now=NOW, jobs=wall.services.jobs))
    assert "REDUCE" not in await actions(member, await first_order())


async def test_the_screen_offers_undo_until_the_instant(db: str) -> None:
    _, member, _ = await a_wish()
    order = await first_order()
    early = ["PAY", "REPORT_TRANSFER", "MAKE_GIFT", "UNDO", "REDUCE", "REQUEST_CANCEL"]
    assert await actions(member, order) == early
    assert await actions(member, order, at=NOW + UNDO - timedelta(milliseconds=1)) == early
    assert await actions(member, order, at=NOW + UNDO) == ["PAY", "REPORT_TRANSFER", "MAKE_GIFT", "REDUCE", "REQUEST_CANCEL"]


def test_an_order_that_is_over_says_nothing() -> None:
    assert read_acts("") == (0, 0, False, False, 0, 0, False)


async def test_a_closed_post_is_no_reason_not_to_undo(db: str) -> None:
    wall, member, line = await a_wish()
    await close(wall.post_id)
    assert (await lines.undo(line_id=line, member_id=member, now=NOW, jobs=wall.services.jobs)).pieces == 2
