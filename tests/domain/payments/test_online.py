"""Attempts to pay online, and what the provider's word does: money counts once, and none of it is lost."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain import db as database
from domain.audit.commands import Actor
from domain.errors import NotFound
from domain.orders.commands import cancel, expire_due
from domain.orders.errors import InvalidTransition
from domain.orders.rules import OrderState, PaymentState
from domain.payments import attempts
from domain.payments.accounts import account_by_slug, set_account
from domain.payments.attempts import GRACE, LEAST_LEFT, methods_for, page, page_path, read_token
from domain.payments.commands import mark_paid
from domain.payments.errors import AlreadyPaid, AlreadyReturned, InvalidAccount, NotOnline, TooManyAttempts
from domain.payments.results import still_open, unanswered
from domain.payments.returning import mark_returned
from domain.payments.rules import NEXT_ATTEMPT, AttemptState, OnlinePaymentMethod, PaymentMethod, Share, SurplusReason, share_of
from plusone.invariants import check
from tests.books import books_agree, everything, figures
from tests.build import NOW, a_member, a_shop
from tests.conftest import empty
from tests.domain.payments.online import (
    JOBS,
    SETUP,
    VAULT,
    a_till,
    an_account,
    attempt_of,
    begun,
    no_money_is_lost,
    order_of,
    paid,
    told,
)
from tests.ecpay_server import IV, KEY, account_number, mac, notice

OWNER = Actor("member:1", "OWNER")
S, P = OrderState, PaymentState
M = OnlinePaymentMethod


@pytest.mark.parametrize(
    ("received", "asked", "state", "payment", "due", "share"),
    [
        (680, 680, S.OPEN, P.UNPAID, 680, Share(680, True, 0, None)),
        (680, 680, S.OPEN, P.FAILED, 680, Share(680, True, 0, None)),
        (680, 680, S.OPEN, P.UNPAID, 900, Share(680, False, 0, None)),
        (680, 680, S.OPEN, P.PARTIALLY_PAID, 220, Share(220, True, 460, SurplusReason.MORE_THAN_DUE)),
        (680, 680, S.OPEN, P.UNPAID, 0, Share(0, False, 680, SurplusReason.ALREADY_PAID)),
        (680, 680, S.OPEN, P.PAID, 0, Share(0, False, 680, SurplusReason.ALREADY_PAID)),
        (680, 680, S.COMPLETED, P.PAID, 0, Share(0, False, 680, SurplusReason.ALREADY_PAID)),
        (680, 680, S.CANCELLED, P.UNPAID, 680, Share(0, False, 680, SurplusReason.ORDER_CLOSED)),
        (680, 680, S.CANCELLED, P.EXPIRED, 680, Share(0, False, 680, SurplusReason.ORDER_CLOSED)),
        (1, 680, S.OPEN, P.UNPAID, 680, Share(0, False, 1, SurplusReason.OTHER_AMOUNT)),
        (681, 680, S.OPEN, P.UNPAID, 680, Share(0, False, 681, SurplusReason.OTHER_AMOUNT)),
    ],
)
def test_where_money_falls(received, asked, state, payment, due, share) -> None:
    assert share_of(received, asked, state, payment, due) == share


@given(st.integers(1, 10**9), st.integers(1, 10**9), st.sampled_from(S), st.sampled_from(P), st.integers(0, 10**9))
def test_shares_are_all_that_came_and_never_more_than_is_due(received, asked, state, payment, due) -> None:
    share = share_of(received, asked, state, payment, due)
    assert share.takes + share.surplus == received
    assert share.takes <= due
    assert (share.surplus > 0) is (share.reason is not None)
    assert not share.settles or share.takes == due > 0


def test_the_ways_that_fit_amount_time_and_currency() -> None:
    later = NOW + timedelta(days=3)
    assert methods_for(680, "TWD", later, NOW) == [M.CARD, M.ATM, M.STORE_CODE]
    assert methods_for(680, "TWD", NOW + timedelta(hours=5), NOW) == [M.CARD, M.STORE_CODE]
    assert methods_for(30, "TWD", None, NOW) == [M.CARD, M.ATM]
    assert methods_for(20_001, "TWD", None, NOW) == [M.CARD, M.ATM]
    assert methods_for(680, "TWD", NOW + LEAST_LEFT - timedelta(seconds=1), NOW) == []
    assert methods_for(200_001, "TWD", later, NOW) == methods_for(0, "TWD", later, NOW) == methods_for(680, "HKD", later, NOW) == []


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


async def grow(till, total: int) -> None:
    """Another price than when the attempt was begun."""
    await database.execute("update order_line set unit_price_minor = $2 / quantity where order_id = $1", till.order.id, total)
    await database.execute(
        'update "order" set subtotal_minor = $2, total_minor = $2, version = version + 1 where id = $1', till.order.id, total
    )


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


async def test_accounts_are_sealed_replaced_and_their_old_address_still_works(db: str) -> None:
    till = await a_till()
    row = await database.fetchrow("select hash_key_encrypted || hash_iv_encrypted as sealed, slug from payment_account")
    assert row is not None
    assert KEY not in row["sealed"]
    assert len(row["slug"]) == 32
    given = {
        "shop_id": till.shop.id,
        "hash_key": KEY,
        "hash_iv": IV,
        "live": False,
        "production": False,
        "vault": VAULT,
        "now": NOW,
        "actor": SETUP,
    }
    assert await set_account(**given, merchant_id="3002607") == (till.account.id, False)
    assert await set_account(**given | {"hash_iv": "B" * 16}, merchant_id="3002607") == (till.account.id, True)
    made, changed = await set_account(**given, merchant_id="3002608")
    assert changed
    assert made != till.account.id
    assert await account_by_slug(row["slug"], VAULT) is not None
    assert await account_by_slug("x" * 32, VAULT) is None


@pytest.mark.parametrize(
    ("change", "field"),
    [({"merchant_id": "12a"}, "merchant_id"), ({"merchant_id": ""}, "merchant_id"), ({"hash_key": "short"}, "hash_key"),
     ({"hash_iv": "x" * 15 + "'"}, "hash_iv"), ({"live": True}, "merchant_id"), ({"production": True}, "live")],
)  # fmt: skip
async def test_accounts_that_cannot_be(db: str, change, field: str) -> None:
    shop = await a_shop()
    given = {
        "shop_id": shop.id,
        "merchant_id": "3002607",
        "hash_key": KEY,
        "hash_iv": IV,
        "live": False,
        "production": False,
        "vault": VAULT,
        "now": NOW,
        "actor": SETUP,
    }
    with pytest.raises(InvalidAccount) as refused:
        await set_account(**given | change)
    assert refused.value.field == field
    assert await database.fetchval("select count(*) from payment_account") == 0


async def test_the_page_posts_what_was_begun_until_it_is_over(db: str) -> None:
    till = await a_till()
    number = await begun(till)
    attempt = await database.fetchval("select id from payment_attempt")
    token = page_path(attempt, VAULT).removeprefix("/pay/")
    assert read_token(token, VAULT) == attempt

    async def shown(at):
        return await page(token=token, base_url="https://x.example", ecpay_url=None, vault=VAULT, now=at)

    now = await shown(NOW)
    assert now is not None
    assert now.url == "https://payment-stage.ecpay.com.tw/Cashier/AioCheckOut/V5"
    assert (now.fields["MerchantTradeNo"], now.fields["TotalAmount"], now.fields["CheckMacValue"]) == (number, "1180", mac(now.fields))
    assert (await shown(NOW + timedelta(minutes=29))) == now
    late = await shown(NOW + timedelta(minutes=30))
    assert late is not None
    assert (late.state, late.fields) == ("EXPIRED", {})
    await paid(till, number)
    after = await shown(NOW)
    assert after is not None
    assert (after.state, after.fields) == ("PAID", {})
    for wrong in ("", "x", token[:-1], token[:-2] + "AA", "A" * 43, token + "=", "é"):
        assert await page(token=wrong, base_url="", ecpay_url=None, vault=VAULT, now=NOW) is None


STEPS = st.lists(
    st.sampled_from(["begin", "pay 0", "pay 1", "pay 2", "fail 0", "fail 1", "number 0", "odd 1", "hand", "cancel", "late", "open 0"]),
    max_size=12,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
