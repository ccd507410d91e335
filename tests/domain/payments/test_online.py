"""Attempts to pay online, and what the provider's word does: money counts once, and none of it is lost."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import db as database
from domain.errors import NotFound
from domain.orders.commands import cancel, expire_due
from domain.orders.errors import InvalidTransition
from domain.payments import attempts
from domain.payments.attempts import GRACE, LEAST_LEFT
from domain.payments.commands import mark_paid
from domain.payments.errors import AlreadyPaid, AlreadyReturned, NotOnline, TooManyAttempts
from domain.payments.results import still_open, unanswered
from domain.payments.returning import mark_returned
from domain.payments.rules import NEXT_ATTEMPT, AttemptState, OnlinePaymentMethod, PaymentMethod
from plusone.invariants import check
from tests.books import books_agree, everything, figures
from tests.build import NOW, a_member, a_shop
from tests.conftest import empty
from tests.domain.payments.online import (
    JOBS,
    OWNER,
    VAULT,
    a_till,
    an_account,
    attempt_of,
    begun,
    grow,
    no_money_is_lost,
    order_of,
    paid,
    told,
)
from tests.ecpay_server import account_number, notice

M = OnlinePaymentMethod


async def test_a_paid_attempt_pays_its_order_once_in_whatever_words_it_is_told(db: str) -> None:
    till = await a_till()
    number = await begun(till)
    body = notice(number, "1180", "2611000000001")
    again = notice(number, "1180", "2611000000001", message="paid")
    assert await told(till, body)
    before = await everything()
    assert await told(till, body)
    assert await told(till, again)
    assert await told(till, again, source="QUERY")
    assert await everything() == before
    assert await order_of(till) == ("OPEN", "PAID", 1180)
    assert await attempt_of(number) == ("PAID", 1180, 0, None)
    rows = await database.fetch("select method, reference, amount_minor, recorded_by from payment")
    assert [tuple(row) for row in rows] == [("ONLINE", "ECPay 2611000000001", 1180, None)]
    assert await figures(till.product.variants[0]) == (9, 0, 2)
    told_of = await database.fetch("select kind, data ->> 'paidMinor' as paid from notice order by id")
    assert next(tuple(row) for row in told_of) == ("PAYMENT_RECEIVED", "1180")
    assert await check(NOW) == []
    await no_money_is_lost()


async def test_another_members_order_is_not_there(db: str) -> None:
    till, stranger = await a_till(), await a_member()
    before = await everything()
    for order_id in (till.order.id, stranger):
        with pytest.raises(NotFound):
            await attempts.begin(order_id=order_id, member_id=stranger, method=M.CARD, vault=VAULT, now=NOW, actor=OWNER)
    assert await everything() == before
    assert await database.fetchval("select count(*) from payment_attempt") == 0


async def test_what_cannot_be_paid_online(db: str) -> None:
    till = await a_till()
    late = NOW + timedelta(days=3) - LEAST_LEFT + timedelta(seconds=1)
    with pytest.raises(NotOnline):
        await begun(till, at=late)
    with pytest.raises(NotOnline):
        await begun(till, M.ATM, at=NOW + timedelta(days=2))
    await database.execute("update payment_account set ended_at = $1", NOW)
    with pytest.raises(NotOnline):
        await begun(till)
    till = replace(till, account=await an_account(till.shop))
    number = await begun(till)
    await paid(till, number)
    with pytest.raises(AlreadyPaid):
        await begun(till)


async def test_a_cancelled_order_cannot_be_paid(db: str) -> None:
    till = await a_till()
    await cancel(order_id=till.order.id, shop_id=till.shop.id, reason="", actor=OWNER, now=NOW, jobs=JOBS)
    with pytest.raises(InvalidTransition):
        await begun(till)


async def test_ten_tries_an_hour(db: str) -> None:
    till = await a_till()
    numbers = {await begun(till) for _ in range(10)}
    assert len(numbers) == 10
    with pytest.raises(TooManyAttempts):
        await begun(till)
    await begun(till, at=NOW + timedelta(minutes=61))


async def test_a_number_tells_how_to_pay_and_comes_too_late_after_the_money(db: str) -> None:
    till = await a_till()
    first, second = await begun(till, M.ATM), await begun(till, M.ATM)
    assert await told(till, account_number(first, "1180", "26110001"))
    row = await database.fetchrow("select state, bank, number, number_until from payment_attempt where trade_no = $1", first)
    assert row is not None
    assert (row["state"], row["bank"], row["number"]) == ("PENDING", "822", "9103522175887271")
    await paid(till, second)
    assert await told(till, account_number(second, "1180", "26110002"))
    assert await database.fetchval("select number from payment_attempt where trade_no = $1", second) == ""
    assert (await attempt_of(second))[0] == "PAID"


async def test_a_failed_attempt_leaves_the_order_as_it_was_and_late_money_still_counts(db: str) -> None:
    till = await a_till()
    number = await begun(till)
    assert await told(till, notice(number, "1180", "2611", code="10200058", message="失敗"))
    assert (await order_of(till), (await attempt_of(number))[0]) == (("OPEN", "UNPAID", 0), "FAILED")
    await paid(till, number)
    assert (await order_of(till), (await attempt_of(number))[0]) == (("OPEN", "PAID", 1180), "PAID")
    await told(till, notice(number, "1180", "2611", code="10200059", message="失敗"))
    assert (await attempt_of(number))[0] == "PAID"


async def test_a_simulated_payment_moves_nothing(db: str) -> None:
    till = await a_till()
    number = await begun(till)
    assert await told(till, notice(number, "1180", "2611", SimulatePaid="1"))
    assert (await order_of(till), await attempt_of(number)) == (("OPEN", "UNPAID", 0), ("PENDING", 0, 0, None))


async def test_money_for_a_cancelled_order_waits_to_go_back_and_both_sides_are_told(db: str) -> None:
    till = await a_till()
    number = await begun(till)
    await cancel(order_id=till.order.id, shop_id=till.shop.id, reason="", actor=OWNER, now=NOW, jobs=JOBS)
    await paid(till, number)
    assert await order_of(till) == ("CANCELLED", "UNPAID", 0)
    assert await attempt_of(number) == ("PAID", 1180, 1180, "ORDER_CLOSED")
    kinds = [row["kind"] for row in await database.fetch("select kind from notice order by id")]
    assert kinds == ["ORDER_CANCELLED", "PAYMENT_TO_RETURN"]
    assert await database.fetchval("select count(*) from audit_entry where action = 'payment.surplus'") == 1
    await books_agree()
    await no_money_is_lost()


async def test_a_second_payment_of_the_same_order_goes_back(db: str) -> None:
    till = await a_till()
    first, second = await begun(till), await begun(till)
    await paid(till, first)
    await paid(till, second)
    assert await attempt_of(second) == ("PAID", 1180, 1180, "ALREADY_PAID")
    assert await order_of(till) == ("OPEN", "PAID", 1180)
    await no_money_is_lost()


async def test_another_amount_than_was_asked_for_pays_nothing(db: str) -> None:
    till = await a_till()
    number = await begun(till)
    await paid(till, number, amount=1)
    assert await attempt_of(number) == ("PAID", 1, 1, "OTHER_AMOUNT")
    assert await order_of(till) == ("OPEN", "UNPAID", 0)


async def test_an_order_that_grew_is_paid_in_part_and_the_rest_by_another_attempt(db: str) -> None:
    till = await a_till()
    number = await begun(till)
    await grow(till, 2000)
    await paid(till, number)
    assert await order_of(till) == ("OPEN", "PARTIALLY_PAID", 1180)
    rest = await begun(till)
    assert await database.fetchval("select amount_minor from payment_attempt where trade_no = $1", rest) == 820
    await paid(till, rest, amount=820)
    assert await order_of(till) == ("OPEN", "PAID", 2000)
    await no_money_is_lost()


async def test_while_money_may_be_on_its_way_the_order_does_not_expire(db: str) -> None:
    till = await a_till()
    deadline = NOW + timedelta(days=3)
    number = await begun(till, at=deadline - timedelta(minutes=20))
    assert await expire_due(now=deadline + timedelta(minutes=1), limit=10, jobs=JOBS) == 0
    await paid(till, number, at=deadline + timedelta(minutes=2))
    assert await order_of(till) == ("OPEN", "PAID", 1180)


@pytest.mark.parametrize("ends", ["failed", "over", "never asked"])
async def test_an_attempt_that_ends_lets_the_order_expire(db: str, ends: str) -> None:
    till = await a_till()
    deadline = NOW + timedelta(days=3)
    number = await begun(till, at=deadline - timedelta(minutes=20))
    attempt = await database.fetchval("select id from payment_attempt")
    at = deadline + timedelta(minutes=1)
    if ends == "failed":
        await told(till, notice(number, "1180", "2611", code="10200058"), at)
    elif ends == "over":
        at = deadline + timedelta(minutes=10) + GRACE
        await still_open(attempt_id=attempt, now=at)
    else:
        at = deadline + GRACE + timedelta(seconds=1)
    assert await expire_due(now=at, limit=10, jobs=JOBS) == 1
    assert await figures(till.product.variants[0]) == (9, 0, 0)
    await paid(till, number, at=at)
    assert await attempt_of(number) == ("PAID", 1180, 1180, "ORDER_CLOSED")
    await no_money_is_lost()


async def test_questions_come_ever_later_and_end(db: str) -> None:
    till = await a_till()
    await begun(till)
    attempt = await database.fetchval("select id from payment_attempt")
    pauses = []
    for _ in range(5):
        await unanswered(attempt_id=attempt, now=NOW)
        pauses.append((await database.fetchval("select ask_at from payment_attempt")) - NOW)
    assert pauses == [timedelta(minutes=m) for m in (10, 20, 40, 60, 60)]
    await unanswered(attempt_id=attempt, now=NOW + timedelta(days=8))
    assert await database.fetchval("select ask_at from payment_attempt") is None
    assert await database.fetchval("select state from payment_attempt") == "PENDING"


async def test_an_unknown_number_is_nobodys(db: str) -> None:
    till, other = await a_till(), await a_till()
    number = await begun(till)
    assert not await paid(other, number)
    assert not await told(till, notice("P0000", "1180", "2611"))
    assert (await attempt_of(number))[0] == "PENDING"


async def test_a_surplus_goes_back_once_and_only_by_its_shop(db: str) -> None:
    till, other = await a_till(), await a_shop()
    number = await begun(till)
    await paid(till, number, amount=5)
    attempt = await database.fetchval("select id from payment_attempt")
    given_back = {"attempt_id": attempt, "note": "退回 末五碼", "actor": OWNER, "by_member_id": till.member, "now": NOW}
    with pytest.raises(NotFound):
        await mark_returned(**given_back, shop_id=other.id)
    assert await mark_returned(**given_back, shop_id=till.shop.id) == till.order.id
    with pytest.raises(AlreadyReturned):
        await mark_returned(**given_back, shop_id=till.shop.id)
    clean = await begun(till)
    with pytest.raises(NotFound):
        await mark_returned(
            **given_back | {"attempt_id": await database.fetchval("select id from payment_attempt where trade_no = $1", clean)},
            shop_id=till.shop.id,
        )


@pytest.mark.parametrize(("old", "new"), [p for p in itertools.permutations(AttemptState, 2) if p[1] not in NEXT_ATTEMPT[p[0]]])
async def test_the_database_knows_the_moves_that_are_none(db: str, old: AttemptState, new: AttemptState) -> None:
    till = await a_till()
    number = await begun(till)
    received = 1180 if old is AttemptState.PAID else 0
    if old is not AttemptState.PENDING:
        await database.execute(
            "update payment_attempt set state = $2, received_minor = $3 where trade_no = $1", number, old.value, received
        )
    with pytest.raises(Exception, match=r"payment.attempt"):
        await database.execute("update payment_attempt set state = $2 where trade_no = $1", number, new.value)


STEPS = st.lists(
    st.sampled_from(["begin", "pay 0", "pay 1", "pay 2", "fail 0", "fail 1", "number 0", "odd 1", "hand", "cancel", "late", "open 0"]),
    max_size=12,
)


@settings(max_examples=25)
@given(STEPS)
async def test_whatever_comes_in_whatever_order_no_money_is_lost_and_stock_adds_up(db: str, steps: list[str]) -> None:
    await empty(db)
    till = await a_till()
    numbers, at = [await begun(till)], NOW
    for step in steps:
        word, _, which = step.partition(" ")
        number = numbers[min(int(which or 0), len(numbers) - 1)]
        try:
            if word == "begin":
                numbers.append(await begun(till, at=at))
            elif word == "pay":
                await paid(till, number, at=at)
            elif word == "odd":
                await paid(till, number, amount=7, at=at)
            elif word == "fail":
                await told(till, notice(number, "1180", "26", code="10200058"), at)
            elif word == "number":
                await told(till, account_number(number, "1180", "26"), at)
            elif word == "hand":
                await by_hand(till, at)
            elif word == "cancel":
                await cancel(order_id=till.order.id, shop_id=till.shop.id, reason="", actor=OWNER, now=at, jobs=JOBS)
            elif word == "open":
                await still_open(attempt_id=await database.fetchval("select id from payment_attempt where trade_no = $1", number), now=at)
            else:
                at = NOW + timedelta(days=4)
                await expire_due(now=at, limit=10, jobs=JOBS)
        except (AlreadyPaid, InvalidTransition, NotOnline, TooManyAttempts):
            continue
    await no_money_is_lost()
    await books_agree()
    assert await check(at) == []


async def by_hand(till, at) -> None:
    await mark_paid(
        order_id=till.order.id, shop_id=till.shop.id, method=PaymentMethod.CASH, reference="櫃台", amount_minor=None, expected_version=None,
        actor=OWNER, by_member_id=till.member, now=at, jobs=JOBS,
    )  # fmt: skip


async def test_all_orders_of_five_events_end_alike(db: str) -> None:
    ends = set()
    for order in itertools.permutations(range(5)):
        await empty(db)
        till = await a_till()
        number = await begun(till, M.ATM)
        bodies = [
            account_number(number, "1180", "2611"), notice(number, "1180", "2611", code="10200058"), notice(number, "1180", "2611", SimulatePaid="1"),
            notice(number, "1180", "2611"), notice(number, "1180", "2611", message="paid"),
        ]  # fmt: skip
        for place in order:
            await told(till, bodies[place])
        ends.add((await order_of(till), await attempt_of(number), await database.fetchval("select count(*) from payment")))
    assert ends == {(("OPEN", "PAID", 1180), ("PAID", 1180, 0, None), 1)}


async def test_a_duplicate_at_the_same_instant_counts_once(db: str) -> None:
    till = await a_till()
    number = await begun(till)
    await asyncio.gather(*(paid(till, number) for _ in range(8)))
    assert await order_of(till) == ("OPEN", "PAID", 1180)
    assert await database.fetchval("select count(*) from payment") == 1
    assert await check(NOW) == []
