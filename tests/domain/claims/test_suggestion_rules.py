"""A tap follows the shop's rule and window as a comment does."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain import db as database
from domain.claims.errors import BuyerRestricted, OverLimit, SuggestionClosed, TooFew
from domain.claims.rules import Proxy, RepeatMode, Shortage
from domain.claims.suggestions import OPEN_FOR
from plusone.invariants import check
from tests.build import NOW
from tests.domain.claims.taps import a_fan, refused, suggested, tap
from tests.wall import a_wall

COLOURS = ("紅", "白", "黑")


@pytest.fixture(autouse=True)
async def invariants_hold(db: str):
    """After every flow the invariants hold."""
    yield
    assert await check(NOW + timedelta(seconds=30)) == []


# --- the shop's rule -------------------------------------------------------------------------------------------------------


async def test_the_limit_per_buyer_holds(db: str) -> None:
    wall = await a_wall(per_buyer_max=2)
    comment, member = await suggested(wall, "小美", "我要2個")
    await wall.says("小美", "+1")
    await wall.drain()
    await refused(wall, OverLimit, comment, member)


async def test_the_rate_rule_counts_taps_by_their_own_time(db: str) -> None:
    wall = await a_wall(rate_limit_orders=2, rate_limit_hours=1)
    member = await a_fan("小美")
    comments = [await wall.says("小美", "我要1個", at=NOW + timedelta(seconds=n)) for n in range(3)]
    await wall.drain()
    tapped = NOW + timedelta(hours=5)
    await tap(wall, comments[0], member, at=tapped)
    await tap(wall, comments[1], member, at=tapped + timedelta(minutes=1))
    await refused(wall, OverLimit, comments[2], member, at=tapped + timedelta(minutes=2))
    later = await wall.says("小美", "+1", at=tapped + timedelta(minutes=3))
    await wall.drain()
    assert await wall.outcome(later) == ("REJECTED", "RATE_LIMITED")
    await tap(wall, comments[2], member, at=tapped + timedelta(minutes=61))


@pytest.mark.parametrize(
    ("mode", "pieces"), [(RepeatMode.ADD, {"紅": 3}), (RepeatMode.REPLACE, {"紅": 2}), (RepeatMode.ONCE, {"紅": 1})], ids=str
)
async def test_the_repeat_mode_holds(db: str, mode: RepeatMode, pieces: dict[str, int]) -> None:
    wall = await a_wall(variants=COLOURS, repeat_mode=mode)
    comment, member = await suggested(wall, "小美", "紅2個")
    await wall.says("小美", "紅+1")
    await wall.drain()
    if mode is RepeatMode.ONCE:
        await refused(wall, OverLimit, comment, member)
    else:
        await tap(wall, comment, member)
    assert await wall.pieces("小美") == pieces


async def test_replacing_by_as_many_is_a_yes_that_changes_nothing(db: str) -> None:
    wall = await a_wall(variants=COLOURS, repeat_mode=RepeatMode.REPLACE)
    comment, member = await suggested(wall, "小美", "紅2個")
    await wall.says("小美", "紅+2")
    await wall.drain()
    await tap(wall, comment, member)
    assert await wall.outcome(comment) == ("DUPLICATE", "REPLACED")
    assert await wall.pieces("小美") == {"紅": 2}


@pytest.mark.parametrize(
    ("shortage", "outcome", "held", "waits"),
    [
        (Shortage.PARTIAL_WAITLIST, "PARTIAL", 2, [("乙", 3)]),
        (Shortage.PARTIAL, "PARTIAL", 2, []),
        (Shortage.REJECT_LINE, None, 0, []),
        (Shortage.REJECT_COMMENT, None, 0, []),
    ],
    ids=str,
)
async def test_shortage_follows_the_policy(
    db: str, shortage: Shortage, outcome: str | None, held: int, waits: list[tuple[str, int]]
) -> None:
    wall = await a_wall(on_hand=2, shortage=shortage)
    comment, member = await suggested(wall, "乙", "我要5個")
    if outcome is None:
        error = await refused(wall, TooFew, comment, member)
        assert vars(error) == {"variant_id": wall.product.variants[0].id, "wanted": 5, "available": 2}
    else:
        await tap(wall, comment, member)
        assert await wall.outcome(comment) == (outcome, "INSUFFICIENT_STOCK")
    assert await wall.level() == (2, held, 0)
    assert await wall.waiting() == waits


async def test_too_few_names_the_short_one_and_takes_nothing_of_the_others(db: str) -> None:
    wall = await a_wall(variants=COLOURS, on_hand=(5, 1, 5), shortage=Shortage.REJECT_COMMENT)
    comment, member = await suggested(wall, "乙", "紅2個 白2個")
    error = await refused(wall, TooFew, comment, member)
    assert vars(error) == {"variant_id": wall.product.variants[1].id, "wanted": 2, "available": 1}


# --- the window ------------------------------------------------------------------------------------------------------------


async def test_the_closing_instant_is_the_last_one_and_there_is_no_grace(db: str) -> None:
    closes = NOW + timedelta(hours=1)
    wall = await a_wall(closes_at=closes, grace_seconds=60)
    first, member = await suggested(wall, "小美", "我要1個")
    second = await wall.says("小美", "我要2個")
    await wall.drain()
    await tap(wall, first, member, at=closes)
    await refused(wall, SuggestionClosed, second, member, at=closes + timedelta(microseconds=1))


async def test_without_a_closing_time_a_yes_is_taken_for_a_day(db: str) -> None:
    wall = await a_wall()
    first, member = await suggested(wall, "小美", "我要1個")
    second = await wall.says("小美", "我要2個")
    await wall.drain()
    await tap(wall, first, member, at=NOW + OPEN_FOR)
    await refused(wall, SuggestionClosed, second, member, at=NOW + OPEN_FOR + timedelta(microseconds=1))


@pytest.mark.parametrize(
    "change",
    [
        "update sales_post set state = 'CLOSED', version = version + 1",
        "update sales_post set state = 'DRAFT', version = version + 1",
        "update sales_post set opens_at = '2030-01-01T00:00Z', version = version + 1",
        "with i as (update post_item set on_sale = false) update sales_post set version = version + 1",
        "with i as (delete from post_item) update sales_post set version = version + 1",
    ],
    ids=["closed", "draft", "not open yet", "not on sale", "no longer offered"],
)
async def test_what_is_closed_cannot_be_taken(db: str, change: str) -> None:
    wall = await a_wall(variants=COLOURS)
    comment, member = await suggested(wall, "小美", "紅1個")
    await database.execute(change)
    await refused(wall, SuggestionClosed, comment, member)


# --- for whom, and from whom -----------------------------------------------------------------------------------------------


async def test_what_was_asked_for_somebody_else_is_taken_on_the_buyers_own_name(db: str) -> None:
    wall = await a_wall(proxy=Proxy.OFF)
    comment, member = await suggested(wall, "小美", "幫小明+2")
    assert await wall.outcome(comment) == ("SUGGESTED", "PROXY")
    await tap(wall, comment, member)
    assert await database.fetchval("select beneficiary from order_line") == ""
    assert await wall.pieces("小美") == {"": 2}


async def test_where_orders_for_others_are_taken_the_line_keeps_the_name(db: str) -> None:
    wall = await a_wall(proxy=Proxy.ALLOW)
    comment, member = await suggested(wall, "小美", "幫小明瓦片2個")
    await tap(wall, comment, member)
    assert await database.fetchval("select beneficiary from order_line") == "小明"


async def test_a_restricted_buyer_cannot_tap(db: str) -> None:
    wall = await a_wall()
    comment, member = await suggested(wall, "小美", "我要1個")
    await database.execute("update buyer set restricted_until = $1", NOW + timedelta(hours=1))
    await refused(wall, BuyerRestricted, comment, member)
    await tap(wall, comment, member, at=NOW + timedelta(hours=1))


async def test_an_item_s_own_window_holds(db: str) -> None:
    wall = await a_wall(variants=COLOURS)
    comment, member = await suggested(wall, "小美", "紅1個")
    closes = NOW + timedelta(minutes=5)
    await database.execute("update post_item set closes_at = $1", closes)
    await database.execute("update sales_post set version = version + 1")
    await refused(wall, SuggestionClosed, comment, member, at=closes + timedelta(microseconds=1))
    await tap(wall, comment, member, at=closes)
