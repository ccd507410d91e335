"""A payment's page opens while its order changes: either the page is over, or the order stays as it is. The twin without the guard pays for
what is no longer ordered."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from domain import db as database
from domain.orders import commands
from domain.orders.errors import PaymentUnderWay
from domain.payments import attempts
from plusone.invariants import check
from tests.build import NOW
from tests.domain.payments.online import a_till, attempt_of, begun, no_money_is_lost, order_of, paid
from tests.domain.payments.under_way import cancelled, opened, reduced

ROUNDS = 12


@pytest.mark.parametrize("act", [reduced, cancelled])
async def test_a_page_opens_or_its_order_changes(db: str, act: Any) -> None:
    ends = set()
    for turn in range(ROUNDS):
        till = await a_till()
        number = await begun(till)
        pair = (opened(number), act(till)) if turn % 2 else (act(till), opened(number))
        answers = await asyncio.gather(*pair, return_exceptions=True)
        page, done = answers if turn % 2 else reversed(answers)
        assert not isinstance(page, BaseException)
        assert done is None or isinstance(done, PaymentUnderWay)
        assert bool(page.fields) is isinstance(done, PaymentUnderWay)
        if page.fields:
            await paid(till, number)
        ends.add((page.fields != {}, (await attempt_of(number))[2], (await order_of(till))[1]))
    assert ends <= {(True, 0, "PAID"), (False, 0, "UNPAID")}
    await no_money_is_lost()
    assert await check(NOW) == []


async def test_twin_whose_page_opens_whatever_became_of_its_attempt(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page has read its attempt, and shows it although the order became smaller meanwhile: too much comes."""
    till = await a_till()
    number = await begun(till)
    monkeypatch.setattr(attempts, "OPEN", "update payment_attempt set opened_at = $2 where id = $1")
    looked, go_on = asyncio.Event(), asyncio.Event()
    fetchrow = database.fetchrow

    async def slow(sql: str, *args: object) -> Any:
        row = await fetchrow(sql, *args)
        if "page_until" in sql:
            looked.set()
            await go_on.wait()
        return row

    monkeypatch.setattr(attempts.db, "fetchrow", slow)
    page = asyncio.create_task(opened(number))
    await looked.wait()
    await reduced(till)
    go_on.set()
    assert (await page).fields["TotalAmount"] == "1180"
    monkeypatch.undo()
    await paid(till, number)
    assert await attempt_of(number) == ("PAID", 1180, 590, "MORE_THAN_DUE")


async def test_twin_who_ends_attempts_without_looking_whether_they_were_opened(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    till = await a_till()
    number = await begun(till)
    await opened(number)

    async def nobody(*_: object) -> None:
        return None

    monkeypatch.setattr(commands, "one_being_paid", nobody)
    await reduced(till)
    await paid(till, number)
    assert await attempt_of(number) == ("PAID", 1180, 590, "MORE_THAN_DUE")
