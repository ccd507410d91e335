"""While an online payment may still succeed, nothing that changes its order's price or ends the order is offered or done."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from domain import db as database
from domain.orders.errors import PaymentUnderWay
from domain.payments.attempts import GRACE
from domain.payments.results import still_open, unanswered
from domain.payments.rules import OnlinePaymentMethod
from plusone.invariants import check
from tests.books import books_agree, everything, figures
from tests.build import NOW
from tests.domain.delivery.acts import a_shop_with_ways, chosen, money_of
from tests.domain.payments.online import a_till, attempt_of, begun, no_money_is_lost, order_of, paid, told
from tests.domain.payments.under_way import accepted, asked_to_cancel, cancelled, dropped, offered, opened, reduced, undone
from tests.ecpay_server import account_number, notice

SOON = NOW + timedelta(seconds=30)
CHANGES = {"UNDO", "REDUCE"}


async def test_an_open_payment_takes_back_what_would_change_its_amount(db: str) -> None:
    till = await a_till()
    number = await begun(till)
    mine, theirs, until = await offered(till)
    assert mine >= CHANGES
    assert "CANCEL" in theirs
    assert until == NOW + timedelta(minutes=5)
    assert (await opened(number)).fields["TotalAmount"] == "1180"
    mine, theirs, until = await offered(till)
    assert not mine & {*CHANGES, "MERGE"}
    assert {"PAY", "REQUEST_CANCEL"} <= mine
    assert ("CANCEL" in theirs, "MARK_PAID" in theirs, until) == (False, True, None)
    await paid(till, number)
    assert await order_of(till) == ("OPEN", "PAID", 1180)
    assert (await attempt_of(number))[2] == 0


@pytest.mark.parametrize("act", [undone, reduced, dropped, cancelled])
async def test_what_is_not_offered_is_refused_and_the_money_is_the_orders(db: str, act: Any) -> None:
    till = await a_till()
    number = await begun(till)
    await opened(number)
    before = await everything()
    with pytest.raises(PaymentUnderWay):
        await act(till)
    assert await everything() == before
    await paid(till, number)
    assert await attempt_of(number) == ("PAID", 1180, 0, None)
    await no_money_is_lost()
    assert await check(SOON) == []


@pytest.mark.parametrize(("act", "left"), [(undone, None), (reduced, 590), (dropped, None), (cancelled, None)])
async def test_a_payment_whose_page_nobody_opened_is_ended_first(db: str, act: Any, left: int | None) -> None:
    """The provider does not know of it: nothing can come for it any more."""
    till = await a_till()
    number, other = await begun(till), await begun(till, OnlinePaymentMethod.ATM)
    await act(till)
    assert {await attempt_of(one) for one in (number, other)} == {("EXPIRED", 0, 0, None)}
    assert (await opened(number)).fields == {}
    assert await database.fetchval("select count(*) from payment_attempt where ask_at is not null or opened_at is not null") == 0
    assert await database.fetchval("select count(*) from order_event where kind = 'PAYMENT_EXPIRED'") == 1
    if left is None:
        assert (await order_of(till))[0] == "CANCELLED"
        assert await figures(till.product.variants[0]) == (9, 0, 0)
    else:
        anew = await begun(till)
        assert (await opened(anew)).fields["TotalAmount"] == str(left)
        await paid(till, anew, amount=left)
        assert await order_of(till) == ("OPEN", "PAID", left)
    await books_agree()
    assert await check(SOON) == []


@pytest.mark.parametrize("end", ["failed", "over", "never heard of"])
async def test_once_it_is_over_everything_is_offered_again(db: str, end: str) -> None:
    till = await a_till()
    number = await begun(till)
    await opened(number)
    attempt = await database.fetchval("select id from payment_attempt")
    if end == "failed":
        await told(till, notice(number, "1180", "2611", code="10200058"))
    elif end == "over":
        await still_open(attempt_id=attempt, now=NOW + timedelta(minutes=30) + GRACE)
    else:
        await unanswered(attempt_id=attempt, now=NOW + timedelta(minutes=30) + GRACE)
        assert not (await offered(till))[0] & CHANGES
        await unanswered(attempt_id=attempt, now=NOW + timedelta(days=8))
    mine, theirs, until = await offered(till)
    assert mine >= CHANGES
    assert "CANCEL" in theirs
    assert until is not None
    await reduced(till)
    assert (await attempt_of(number))[0] == ("FAILED" if end == "failed" else "EXPIRED" if end == "over" else "PENDING")


async def test_a_number_to_pay_with_is_an_open_payment_until_it_ends(db: str) -> None:
    till = await a_till()
    number = await begun(till, OnlinePaymentMethod.ATM)
    assert await told(till, account_number(number, "1180", "26110001"))
    assert not (await offered(till))[0] & CHANGES
    with pytest.raises(PaymentUnderWay):
        await dropped(till)
    row = await database.fetchrow("select id, number_until from payment_attempt")
    assert row is not None
    await still_open(attempt_id=row["id"], now=row["number_until"] + GRACE)
    assert (await offered(till))[0] >= CHANGES


@pytest.mark.parametrize("way", ["cancel", "answer"])
async def test_the_shop_may_end_it_anyway_and_what_comes_goes_back(db: str, way: str) -> None:
    till = await a_till()
    number = await begun(till)
    await opened(number)
    if way == "answer":
        await asked_to_cancel(till)
        before = await everything()
        with pytest.raises(PaymentUnderWay):
            await accepted(till)
        assert await everything() == before
        await accepted(till, anyway=True)
    else:
        await cancelled(till, anyway=True)
    assert await order_of(till) == ("CANCELLED", "UNPAID", 0)
    await paid(till, number)
    assert await attempt_of(number) == ("PAID", 1180, 1180, "ORDER_CLOSED")
    await no_money_is_lost()
    await books_agree()
    assert await check(SOON) == []


async def test_another_delivery_does_not_change_the_amount_of_an_open_payment(db: str) -> None:
    till = await a_till()
    ways = await a_shop_with_ways(shop=till.shop)
    number = await begun(till)
    await chosen(till.member, till.order, ways.at_store())
    assert (await attempt_of(number))[0] == "EXPIRED"
    number = await begun(till)
    await opened(number)
    before = await everything()
    for choice in (ways.to_home(), ways.at_slot()):
        with pytest.raises(PaymentUnderWay):
            await chosen(till.member, till.order, choice)
    assert await everything() == before
    await chosen(till.member, till.order, ways.at_store("131387"))
    assert await money_of(till.order) == ("SHIP", 60, 1240)
    await paid(till, number, amount=1240)
    assert await order_of(till) == ("OPEN", "PAID", 1240)
    assert await check(SOON) == []
