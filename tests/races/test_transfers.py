"""A transfer is answered while something else happens to its order. Each race has a twin without the lock, in which the wrong thing happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from domain import db as database
from domain.db import Tx
from domain.orders import commands
from domain.orders.commands import COLUMNS, LockedOrder, as_locked, cancel, expire_due
from domain.orders.errors import InvalidTransition
from domain.payments import transfers
from domain.payments.errors import AlreadyPaid
from domain.payments.transfer_rules import ReportState
from domain.payments.transfers import lapse_due
from plusone.invariants import check
from tests.books import books_agree, figures
from tests.build import NOW, AnOrder, AShop, a_shop, a_variant
from tests.conftest import empty
from tests.domain.payments.transfers import JOBS, OWNER, confirmed, owned_order, refused, reported, reports, stands

SOON = NOW + timedelta(seconds=30)
PAY_BY = NOW + timedelta(days=3)


async def unlocked(tx: Tx, order_id: UUID, shop_id: UUID) -> LockedOrder:
    """What `lock_order` answers, without the lock."""
    row = await tx.fetchrow(f'select {COLUMNS} from "order" o where o.id = $1 and o.shop_id = $2', order_id, shop_id)
    assert row is not None
    return as_locked(row)


async def both_before_either(first: Awaitable[Any], second: Awaitable[Any]) -> list[Any]:
    """Both at the same instant."""
    return await asyncio.gather(first, second, return_exceptions=True)


class Meeting:
    """Holds each of two until both have come; then both go on."""

    def __init__(self, read: Callable[..., Awaitable[LockedOrder]]) -> None:
        self._read, self._both, self._come = read, asyncio.Event(), 0

    async def __call__(self, tx: Tx, order_id: UUID, shop_id: UUID) -> LockedOrder:
        order = await self._read(tx, order_id, shop_id)
        self._come += 1
        if self._come == 2:
            self._both.set()
        async with asyncio.timeout(60):
            await self._both.wait()
        return order


async def cancelled(order: AnOrder, shop: AShop) -> None:
    await cancel(order_id=order.id, shop_id=shop.id, reason="", actor=OWNER, now=NOW, jobs=JOBS)


@pytest.mark.parametrize("swap", [False, True])
async def test_an_order_is_confirmed_or_cancelled_and_never_both(db: str, swap: bool) -> None:
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=50)
    for _ in range(15):
        member, order = await owned_order(shop, variant)
        report = await reported(member, order)
        acts = [confirmed(report, shop), cancelled(order, shop)]
        answers = await both_before_either(*(reversed(acts) if swap else acts))
        assert len([a for a in answers if isinstance(a, InvalidTransition)]) == 1, answers
        assert (await stands(order))[:2] in (("OPEN", "PAID"), ("CANCELLED", "REPORTED"))
    await books_agree()
    assert await check(SOON) == []


@pytest.fixture
async def without_the_last_net(db: str) -> AsyncIterator[None]:
    """The table's own guard of moves off, so that only the lock stands between the two."""
    await database.execute('alter table "order" disable trigger order_guard')
    yield
    await empty(db)
    await database.execute('alter table "order" enable trigger order_guard')


async def test_twin_without_the_lock_takes_money_for_an_order_that_is_cancelled(
    without_the_last_net: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=50)
    await owned_order(shop, variant, 9)  # so that there are pieces to be taken twice
    member, order = await owned_order(shop, variant)
    report = await reported(member, order)
    meeting = Meeting(unlocked)
    monkeypatch.setattr(transfers, "lock_order", meeting)
    monkeypatch.setattr(commands, "lock_order", meeting)
    answers = await both_before_either(confirmed(report, shop), cancelled(order, shop))
    # Neither is told that the other was first: both are done, or they lock each other out.
    assert [a for a in answers if isinstance(a, InvalidTransition)] == []
    stuck = [a for a in answers if isinstance(a, asyncpg.DeadlockDetectedError)]
    assert stuck or "I2b" in [v.invariant for v in await check(SOON)]


async def test_two_confirmations_pay_once(db: str) -> None:
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=50)
    for number in range(15):
        member, order = await owned_order(shop, variant, 2)
        report = await reported(member, order)
        answers = await asyncio.gather(*(confirmed(report, shop) for _ in range(3)), return_exceptions=True)
        assert [type(a) for a in answers].count(AlreadyPaid) == 2, answers
        assert await database.fetchval("select count(*) from payment") == number + 1
    assert await figures(variant) == (50, 0, 30)
    assert await check(SOON) == []


async def test_twin_of_two_confirmations_without_lock_and_condition_pays_twice(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def whatever_it_was(tx: Tx, report_id: UUID, state: ReportState, by: UUID | None, now: datetime, reason: str = "") -> int:
        return await tx.execute("update transfer_report set state = $2, answered_at = $3 where id = $1", report_id, state.value, now)

    shop = await a_shop()
    variant = await a_variant(shop, on_hand=50)
    await owned_order(shop, variant, 9)
    member, order = await owned_order(shop, variant, 2)
    report = await reported(member, order)
    monkeypatch.setattr(transfers, "lock_order", Meeting(unlocked))
    monkeypatch.setattr(transfers, "_answer", whatever_it_was)
    assert await both_before_either(confirmed(report, shop), confirmed(report, shop)) == [order.id, order.id]
    assert await database.fetchval("select count(*) from payment where order_id = $1", order.id) == 2
    assert {"I2b", "I6b"} <= {v.invariant for v in await check(SOON)}


async def test_a_report_is_confirmed_or_refused_and_never_both(db: str) -> None:
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=50)
    for _ in range(15):
        member, order = await owned_order(shop, variant)
        report = await reported(member, order)
        answers = await both_before_either(confirmed(report, shop), refused(report, shop))
        assert len([a for a in answers if isinstance(a, (AlreadyPaid, InvalidTransition))]) == 1, answers
        assert await reports(order) in (["CONFIRMED"], ["REFUSED"])
    assert await check(SOON) == []


async def test_a_report_at_the_last_moment_and_the_sweep(db: str) -> None:
    """Either the goods are held on by the report, or they are free and there is no report."""
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=50)
    late = PAY_BY + timedelta(seconds=1)
    for _ in range(15):
        member, order = await owned_order(shop, variant)
        answers = await both_before_either(reported(member, order, now=late), expire_due(now=late, limit=10, jobs=JOBS))
        if isinstance(answers[0], BaseException):
            assert isinstance(answers[0], InvalidTransition)
            assert (await stands(order))[:2] == ("CANCELLED", "EXPIRED")
            assert await reports(order) == []
        else:
            assert (await stands(order))[:2] == ("OPEN", "REPORTED")
            await confirmed(answers[0], shop, now=late)
    await books_agree()
    assert await check(late) == []


async def test_an_answer_at_the_last_moment_and_the_sweep(db: str) -> None:
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=50)
    late: datetime = NOW + timedelta(days=2)
    for _ in range(15):
        member, order = await owned_order(shop, variant)
        report = await reported(member, order)
        answers = await both_before_either(confirmed(report, shop, now=late), lapse_due(now=late, limit=10, jobs=JOBS))
        assert not isinstance(answers[1], BaseException)
        if isinstance(answers[0], BaseException):
            assert isinstance(answers[0], InvalidTransition)
            assert (await reports(order), (await stands(order))[1]) == (["LAPSED"], "FAILED")
        else:
            assert (await reports(order), (await stands(order))[1]) == (["CONFIRMED"], "PAID")
    assert await check(late) == []


async def test_the_buyer_says_it_anew_while_the_shop_confirms(db: str) -> None:
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=50)
    for _ in range(15):
        member, order = await owned_order(shop, variant)
        report = await reported(member, order)
        answers = await both_before_either(confirmed(report, shop), reported(member, order, five="99999"))
        assert len([a for a in answers if isinstance(a, (AlreadyPaid, InvalidTransition))]) == 1, answers
        assert await reports(order) in (["CONFIRMED"], ["REPLACED", "OPEN"])
    assert await check(SOON) == []
