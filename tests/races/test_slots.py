"""The last place of a slot, and what else happens to an order while its buyer chooses. The race has a twin without the guard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from domain import db as database
from domain.delivery import choosing, offers
from domain.delivery.errors import FeeFixed, SlotFull
from domain.orders.commands import cancel, expire_due
from domain.orders.errors import InvalidTransition
from plusone.invariants import check
from tests.build import NOW, AnOrder, a_variant
from tests.conftest import empty
from tests.domain.delivery.acts import JOBS, OWNER, Ways, a_shop_with_ways, a_slot, chosen, taken
from tests.domain.payments.test_mark_paid import pay
from tests.domain.payments.transfers import owned_order, reported
from tests.races.turns import WAITS

SOON = NOW + timedelta(seconds=30)


async def buyers(ways: Ways, count: int) -> list[tuple[UUID, AnOrder]]:
    variant = await a_variant(ways.shop, on_hand=count)
    return [await owned_order(ways.shop, variant) for _ in range(count)]


async def two_at_one_instant(ways: Ways, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Two choose the last place: the first has taken it and has not committed when the second wants it."""
    write, first = choosing._write, True

    async def slowly(*args: Any) -> None:
        nonlocal first
        if first:
            first = False
            async with asyncio.timeout(60):
                while await database.fetchval_apart(WAITS) == 0:  # noqa: ASYNC110 - the wait is another connection's
                    await asyncio.sleep(0.01)
        await write(*args)

    monkeypatch.setattr(choosing, "_write", slowly)
    pairs = await buyers(ways, 2)
    return await asyncio.gather(*(chosen(member, order, ways.at_slot()) for member, order in pairs), return_exceptions=True)


async def test_the_last_place_goes_to_one(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ways = await a_shop_with_ways(capacity=1)
    answers = await two_at_one_instant(ways, monkeypatch)
    assert sorted(type(a).__name__ for a in answers) == ["NoneType", "SlotFull"]
    assert await taken(ways.slot) == 1
    assert await check(SOON) == []


@pytest.fixture
async def without_the_last_net(db: str) -> AsyncIterator[None]:
    """The table's own CHECK off."""
    await database.execute("alter table pickup_slot drop constraint pickup_slot_taken")
    yield
    await empty(db)
    await database.execute("alter table pickup_slot add constraint pickup_slot_taken check (taken between 0 and capacity)")


async def test_twin_that_looks_first_and_takes_then_gives_the_last_place_to_both(
    without_the_last_net: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_first = "(select s.taken < s.capacity and s.closed_at is null and s.ends_at > $2 from pickup_slot s where s.id = $1)"
    monkeypatch.setattr(
        choosing, "TAKE_SLOT", f"update pickup_slot set taken = taken + 1, version = version + 1 where id = $1 and {look_first}"
    )
    monkeypatch.setattr(choosing, "LOCK_SLOTS", choosing.LOCK_SLOTS.replace("for no key update", ""))
    ways = await a_shop_with_ways(capacity=1)
    assert await two_at_one_instant(ways, monkeypatch) == [None, None]
    assert await taken(ways.slot) == 2


async def test_many_want_few_places(db: str) -> None:
    ways = await a_shop_with_ways(capacity=3)
    pairs = await buyers(ways, 12)
    answers = await asyncio.gather(*(chosen(member, order, ways.at_slot()) for member, order in pairs), return_exceptions=True)
    assert [type(a) for a in answers].count(SlotFull) == 9, answers
    assert answers.count(None) == 3
    assert await taken(ways.slot) == 3
    assert await check(SOON) == []


async def test_two_change_places_with_each_other_and_nobody_waits_for_ever(db: str) -> None:
    """Both slots are locked in one order, whoever leaves which."""
    ways = await a_shop_with_ways(capacity=2)
    later = await a_slot(ways.shop, ways.meet, 2)
    (one, first), (two, second) = await buyers(ways, 2)
    await chosen(one, first, ways.at_slot())
    await chosen(two, second, ways.at_slot(later))
    for turn in range(10):
        here, there = (later, ways.slot) if turn % 2 == 0 else (ways.slot, later)
        await asyncio.gather(chosen(one, first, ways.at_slot(here)), chosen(two, second, ways.at_slot(there)))
    assert (await taken(ways.slot), await taken(later)) == (1, 1)
    assert await check(SOON) == []


async def test_a_choice_and_the_end_of_its_order(db: str) -> None:
    ways = await a_shop_with_ways(capacity=50)
    for number, (member, order) in enumerate(await buyers(ways, 16)):
        if number % 2:
            end = cancel(order_id=order.id, shop_id=ways.shop.id, reason="", actor=OWNER, now=NOW, jobs=JOBS)
        else:
            end = expire_due(now=NOW + timedelta(days=4), limit=1, jobs=JOBS)  # type: ignore[assignment]
        answers = await asyncio.gather(chosen(member, order, ways.at_slot()), end, return_exceptions=True)
        assert isinstance(answers[0], (InvalidTransition, type(None))), answers
        assert not isinstance(answers[1], BaseException), answers
    assert await check(SOON) == []


async def test_a_choice_and_the_money_for_it(db: str) -> None:
    """Whoever is first: the order is paid with what it cost then, and never left with a rest."""
    ways = await a_shop_with_ways()
    for member, order in await buyers(ways, 12):
        answers = await asyncio.gather(chosen(member, order, ways.to_home()), pay(order), return_exceptions=True)
        assert isinstance(answers[0], (FeeFixed, type(None))), answers
        assert answers[1] is None
        row = await database.fetchrow('select payment_state, total_minor, paid_minor from "order" where id = $1', order.id)
        assert row is not None
        assert tuple(row) == ("PAID", 590 if isinstance(answers[0], FeeFixed) else 710, row["total_minor"])
    assert await check(SOON) == []


async def test_a_choice_and_a_report(db: str) -> None:
    ways = await a_shop_with_ways()
    for member, order in await buyers(ways, 10):
        answers = await asyncio.gather(chosen(member, order, ways.to_home()), reported(member, order), return_exceptions=True)
        assert isinstance(answers[0], (FeeFixed, type(None))), answers
        assert isinstance(answers[1], UUID)
    assert await check(SOON) == []


async def test_a_slot_made_smaller_while_it_is_chosen(db: str) -> None:
    ways = await a_shop_with_ways(capacity=2)
    for member, order in await buyers(ways, 6):
        await asyncio.gather(
            chosen(member, order, ways.at_slot()),
            offers.change_slot(shop_id=ways.shop.id, slot_id=ways.slot, capacity=1, closed=None, actor=OWNER, now=NOW),
            return_exceptions=True,
        )
        assert await database.fetchval("select taken <= capacity from pickup_slot")
    assert await check(SOON) == []
