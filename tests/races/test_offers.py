"""Timed offers in parallel with each other, with their end, and with their buyers' other words. Each race has a twin without the guard."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from domain import db as database
from domain.claims import loading, offers, passing
from domain.claims.errors import OfferOver
from plusone.invariants import check
from tests.build import NOW
from tests.domain.claims.queueing import MINUTES, a_line, offer_to, on_offer, pass_on, place_of, restock, say_yes, serve_all
from tests.races.turns import names
from tests.wall import Wall

LATER = NOW + timedelta(seconds=59)
OVER = NOW + timedelta(minutes=MINUTES)
JUST = OVER - timedelta(microseconds=1)


async def test_many_yeses_to_one_offer_are_one(db: str) -> None:
    wall, members = await a_line(("甲", 1), ("乙", 1))
    await restock(wall, 1)
    done = await names(*(say_yes(wall, members, "甲") for _ in range(6)))
    assert sorted(done) == [*["OfferOver"] * 5, "done"]
    assert (await wall.level(), await wall.waiting()) == ((1, 1, 0), [("乙", 1)])
    assert await check(LATER) == []


async def test_twin_where_an_offer_may_be_taken_in_any_state_holds_its_piece_twice(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wall, members = await a_line(("甲", 2))
    await restock(wall, 2)
    await database.execute("update waitlist_offer set quantity = 1")
    monkeypatch.setattr(offers, "TAKE", offers.TAKE.replace("state = 'OPEN' and expires_at > $2", "$2::timestamptz is not null"))
    assert await names(*(say_yes(wall, members, "甲") for _ in range(2))) == ["done", "done"]
    assert (await on_offer("ACCEPTED"), await wall.level()) == ({"甲": 1}, (2, 2, 0))


async def test_two_rounds_at_once_offer_a_piece_once(db: str) -> None:
    wall, _ = await a_line(("甲", 1), ("乙", 1), ("丙", 1))
    await restock(wall, 2, serve=False)
    done = await asyncio.gather(*(serve_all(wall) for _ in range(6)))
    assert sum(done) == 2
    assert await on_offer() == {"甲": 1, "乙": 1}
    assert await check(LATER) == []


async def test_twin_without_the_levels_lock_two_rounds_offer_one_piece(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wall, _ = await a_line(("甲", 1), ("乙", 1))
    await restock(wall, 1, serve=False)
    barrier, write = asyncio.Barrier(2), offers._write

    async def unlocked(*args: Any) -> dict[tuple[str, str], Any]:
        return {}

    async def both_looked(*args: Any) -> None:
        await barrier.wait()
        await write(*args)

    monkeypatch.setattr(loading, "LOCK_LEVELS", loading.LOCK_LEVELS.replace("for no key update", ""))
    monkeypatch.setattr(offers.loading, "buyers_for", unlocked)
    monkeypatch.setattr(offers, "_write", both_looked)
    lots = (offers._offer_lot, wall.shop.id, [wall.product.variants[0].id])
    assert await asyncio.gather(a_lot(wall, *lots), a_lot(wall, *lots)) == [1, 1]


async def a_lot(wall: Wall, lot: Any, shop_id: Any, variants: Any) -> int:
    """One round's transaction."""
    async with database.transaction() as tx:
        done: int = await lot(tx, shop_id, variants, NOW, wall.services.jobs)
        return done


@pytest.mark.parametrize("at", [JUST, OVER])
async def test_a_yes_and_the_end_of_the_offer_are_one_of_them(db: str, at: datetime) -> None:
    wall, members = await a_line(("甲", 1), ("乙", 1))
    await restock(wall, 1)
    done = await names(say_yes(wall, members, "甲", at=at), pass_on(wall, at=OVER))
    await pass_on(wall, at=OVER)
    assert done[0] in ("done", OfferOver.__name__)
    taken = done[0] == "done"
    assert (await on_offer("ACCEPTED"), await on_offer("OPEN")) == (({"甲": 1}, {}) if taken else ({}, {"乙": 1}))
    assert (await wall.level())[1] == int(taken)
    assert await check(LATER) == []


async def test_twin_where_the_end_does_not_look_again_takes_the_place_of_one_who_said_yes(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wall, members = await a_line(("甲", 2), ("乙", 1))
    await restock(wall, 1)
    offer, place = await offer_to("甲"), await place_of("甲")
    monkeypatch.setattr(
        passing, "END_PLACES", passing.END_PLACES.replace("and state = 'OPEN' and expires_at <= $3", "and $3::timestamptz is not null")
    )
    lock = passing.LOCK_BUYERS
    monkeypatch.setattr(passing, "LOCK_BUYERS", lock.replace("order by id for no key update skip locked", ""))
    levels = passing.lock_levels

    async def after_the_yes(*args: Any) -> Any:
        await asyncio.create_task(say_yes(wall, members, "甲", at=JUST))
        return await levels(*args)

    monkeypatch.setattr(passing, "lock_levels", after_the_yes)
    await pass_on(wall, at=OVER)
    assert await database.fetchval("select state from waitlist_offer where id = $1", offer) == "PASSED"
    assert await database.fetchval("select state from waitlist_entry where id = $1", place) == "EXPIRED"
    assert (await wall.level())[1] == 1


async def test_a_yes_and_giving_up_at_once_are_one_of_them(db: str) -> None:
    wall, members = await a_line(("甲", 1))
    await restock(wall, 1)
    giving_up = offers.leave(place_id=await place_of("甲"), member_id=members["甲"], now=NOW, jobs=wall.services.jobs)
    done = await names(say_yes(wall, members, "甲"), giving_up)
    assert sorted(done) in (["OfferOver", "done"], ["PlaceOver", "done"])
    assert (await wall.level())[1] == int(done[0] == "done")
    assert await check(LATER) == []


async def test_a_yes_and_a_comment_that_takes_back_at_once_leave_nothing_held(db: str) -> None:
    wall, members = await a_line(("甲", 1))
    await restock(wall, 1)
    await wall.says("甲", "取消")
    done = await names(say_yes(wall, members, "甲"), wall.drain())
    assert done[0] in ("done", OfferOver.__name__)
    assert (await wall.level(), await wall.waiting(), await on_offer()) == ((1, 0, 0), [], {})
    assert await check(LATER) == []
