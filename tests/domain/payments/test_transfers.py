"""A transfer is reported, and confirmed, refused, replaced or left unanswered. A report is never a payment."""

from __future__ import annotations

from datetime import timedelta

import asyncpg
import pytest

from domain import db as database
from domain.db import from_jsonb
from domain.errors import NotFound
from domain.orders.commands import cancel, expire_due
from domain.orders.errors import InvalidTransition
from domain.orders.rules import FulfilmentState, OrderState, PaymentState
from domain.payments import transfers
from domain.payments.errors import AlreadyPaid, AmountMismatch
from domain.payments.transfer_errors import InvalidTransfer, ReportsOver
from domain.payments.transfers import Transfer, lapse_due
from plusone.invariants import check
from tests.books import books_agree, everything, figures
from tests.build import NOW, a_member, a_shop, a_variant, an_order
from tests.domain.payments.test_mark_paid import pay
from tests.domain.payments.transfers import JOBS, OWNER, OWNER_ID, a_slip, confirmed, owned_order, refused, reported, reports, stands

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SOON = NOW + timedelta(seconds=30)
PAY_BY = NOW + 3 * DAY


async def kinds(table: str, column: str) -> list[str]:
    return [row[0] for row in await database.fetch(f"select {column} from {table} order by id")]


async def test_a_report_stops_the_clock_and_is_no_payment(db: str) -> None:
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=3)
    member, order = await owned_order(shop, variant, 2)
    report = await reported(member, order)
    assert await stands(order) == ("OPEN", "REPORTED", PAY_BY)
    assert await figures(variant) == (3, 2, 0)
    assert await database.fetchval("select count(*) from payment") == 0
    row = await database.fetchrow("select * from transfer_report")
    assert row is not None
    assert (row["id"], row["last_five"], row["amount_minor"], row["currency"], row["state"]) == (report, "01234", 1180, "TWD", "OPEN")
    assert (row["paid_at"], row["reported_at"], row["answer_by"]) == (NOW - timedelta(minutes=1), NOW, NOW + 2 * DAY)
    assert await kinds("order_event", "kind") == ["TRANSFER_REPORTED"]
    entry = await database.fetchrow("select actor, role, action, object_id, detail from audit_entry")
    assert entry is not None
    assert tuple(entry)[:4] == (f"member:{member}", "buyer", "order.report_transfer", order.id)
    assert "01234" not in entry["detail"]
    for hour in (1, 47):
        assert await expire_due(now=PAY_BY + hour * HOUR, limit=10, jobs=JOBS) == 0
    assert await check(SOON) == []


async def test_confirming_pays_the_order_as_any_money_does(db: str) -> None:
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=3)
    member, order = await owned_order(shop, variant, 2)
    report = await reported(member, order)
    assert await confirmed(report, shop) == order.id
    assert (await stands(order))[:2] == ("OPEN", "PAID")
    assert await figures(variant) == (3, 0, 2)
    paid = await database.fetchrow("select method, reference, amount_minor, recorded_by from payment")
    assert paid is not None
    assert tuple(paid) == ("BANK_TRANSFER", "01234", 1180, OWNER_ID)
    row = await database.fetchrow("select state, answered_at, answered_by from transfer_report")
    assert row is not None
    assert tuple(row) == ("CONFIRMED", NOW, OWNER_ID)
    assert await kinds("order_event", "kind") == ["TRANSFER_REPORTED", "PAID", "READY_FOR_PICKUP"]
    assert await kinds("audit_entry", "action") == ["order.report_transfer", "order.mark_paid", "transfer.confirm"]
    assert sorted(await kinds("notice", "kind")) == ["PAYMENT_RECEIVED", "PICKUP_READY"]
    await books_agree()
    assert await check(SOON) == []


async def test_confirming_again_changes_nothing(db: str) -> None:
    shop = await a_shop()
    member, order = await owned_order(shop)
    report = await reported(member, order)
    await confirmed(report, shop)
    before = await everything()
    with pytest.raises(AlreadyPaid):
        await confirmed(report, shop)
    with pytest.raises(AlreadyPaid):
        await refused(report, shop)
    with pytest.raises(AlreadyPaid):
        await reported(member, order)
    assert await everything() == before


@pytest.mark.parametrize("amount", [1, 575, 589, 591, 10**12])
async def test_what_came_must_be_the_whole_amount_due(db: str, amount: int) -> None:
    """Fifteen dollars of a bank's fee are missing money too: nothing is rounded away."""
    shop = await a_shop()
    member, order = await owned_order(shop)
    report = await reported(member, order, amount=amount)
    before = await everything()
    with pytest.raises(AmountMismatch) as mismatch:
        await confirmed(report, shop)
    assert (mismatch.value.due_minor, mismatch.value.given_minor) == (590, amount)
    assert await everything() == before
    await confirmed(report, shop, amount=590)
    assert (await stands(order))[1] == "PAID"
    assert await database.fetchval("select amount_minor from transfer_report") == amount


async def test_a_refusal_tells_the_buyer_and_leaves_a_day(db: str) -> None:
    shop = await a_shop()
    member, order = await owned_order(shop)
    report = await reported(member, order, now=PAY_BY - HOUR)
    late = PAY_BY + HOUR
    assert await refused(report, shop, reason="帳上沒有這筆", now=late) == order.id
    assert await stands(order) == ("OPEN", "FAILED", late + DAY)
    notice = await database.fetchrow("select kind, dedupe_key, data from notice")
    assert notice is not None
    assert tuple(notice)[:2] == ("TRANSFER_REFUSED", f"transfer_refused:{report}")
    facts = from_jsonb(notice["data"])
    assert (facts["reason"], facts["words"], facts["dueMinor"], facts["payBy"]) == (
        "TRANSFER_NOT_FOUND",
        "帳上沒有這筆",
        590,
        (late + DAY).isoformat(),
    )
    assert "帳上沒有這筆" not in str(
        await database.fetch("select detail, action from audit_entry union all select data, kind from order_event")
    )
    assert await expire_due(now=late + DAY, limit=10, jobs=JOBS) == 0
    assert await expire_due(now=late + DAY + timedelta(seconds=1), limit=10, jobs=JOBS) == 1
    assert (await stands(order))[:2] == ("CANCELLED", "EXPIRED")
    await books_agree()
    assert await check(late + DAY + timedelta(seconds=30)) == []


async def test_a_refusal_leaves_a_later_deadline_where_it_is(db: str) -> None:
    shop = await a_shop()
    member, order = await owned_order(shop)
    await refused(await reported(member, order), shop)
    assert await stands(order) == ("OPEN", "FAILED", PAY_BY)
    other, endless = await owned_order(shop, pay_by=None)
    await refused(await reported(other, endless), shop)
    assert await stands(endless) == ("OPEN", "FAILED", None)


async def test_a_report_can_be_made_again_and_takes_the_place_of_the_one_before(db: str) -> None:
    shop = await a_shop()
    member, order = await owned_order(shop)
    first = await reported(member, order, five="11111")
    second = await reported(member, order, five="22222", now=NOW + HOUR)
    assert await reports(order) == ["REPLACED", "OPEN"]
    assert await database.fetchval("select answer_by from transfer_report where id = $1", second) == NOW + HOUR + 2 * DAY
    before = await everything()
    with pytest.raises(InvalidTransition) as old:
        await confirmed(first, shop)
    assert vars(old.value) == {"order_id": order.id, "axis": "transfer", "current": "REPLACED", "wanted": "CONFIRMED"}
    with pytest.raises(InvalidTransition):
        await refused(first, shop)
    assert await everything() == before
    await refused(second, shop)
    third = await reported(member, order, five="33333", now=NOW + 2 * HOUR)
    await confirmed(third, shop)
    assert await reports(order) == ["REPLACED", "REFUSED", "CONFIRMED"]
    assert await check(SOON) == []


async def test_what_nobody_answers_lapses_and_the_buyer_has_a_day(db: str) -> None:
    shop = await a_shop()
    member, order = await owned_order(shop, pay_by=NOW + HOUR)
    other, answered = await owned_order(shop)
    await confirmed(await reported(other, answered), shop)
    await reported(member, order)
    end = NOW + 2 * DAY
    assert await lapse_due(now=end - timedelta(seconds=1), limit=10, jobs=JOBS) == 0
    assert await lapse_due(now=end, limit=10, jobs=JOBS) == 1
    assert await lapse_due(now=end, limit=10, jobs=JOBS) == 0
    assert await stands(order) == ("OPEN", "FAILED", end + DAY)
    assert await reports(order) == ["LAPSED"]
    assert (
        from_jsonb(await database.fetchval("select data from notice where kind = 'TRANSFER_REFUSED'"))["reason"] == "TRANSFER_NOT_ANSWERED"
    )
    assert await database.fetchval("select action from audit_entry order by id desc limit 1") == "transfer.lapse"
    assert await check(end + timedelta(seconds=5)) == []


async def test_many_reports_lapse_in_one_run_whatever_the_lot(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfers, "LOT", 2)
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=10)
    for _ in range(5):
        member, order = await owned_order(shop, variant)
        await reported(member, order)
    assert await lapse_due(now=NOW + 3 * DAY, limit=3, jobs=JOBS) == 3
    assert await lapse_due(now=NOW + 3 * DAY, limit=100, jobs=JOBS) == 2


async def test_false_reports_hold_goods_for_a_week_and_no_longer(db: str) -> None:
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=1)
    member, order = await owned_order(shop, variant, pay_by=NOW + HOUR)
    now, times = NOW, 0
    while True:
        try:
            await reported(member, order, now=now)
        except ReportsOver:
            break
        times += 1
        now += 2 * DAY
        await lapse_due(now=now, limit=10, jobs=JOBS)
    assert times == 4
    assert await stands(order) == ("OPEN", "FAILED", NOW + 7 * DAY)
    assert await expire_due(now=NOW + 7 * DAY + timedelta(seconds=1), limit=10, jobs=JOBS) == 1
    assert await figures(variant) == (1, 0, 0)


async def test_an_order_with_a_long_deadline_may_be_reported_until_then(db: str) -> None:
    shop = await a_shop()
    member, order = await owned_order(shop, pay_by=NOW + 30 * DAY)
    await reported(member, order)
    await reported(member, order, now=NOW + 20 * DAY)
    assert await database.fetchval("select max(answer_by) from transfer_report") == NOW + 22 * DAY
    await reported(member, order, now=NOW + 29 * DAY)
    assert await database.fetchval("select max(answer_by) from transfer_report") == NOW + 30 * DAY


async def test_an_order_paid_or_cancelled_in_another_way_ends_its_report(db: str) -> None:
    shop = await a_shop()
    member, order = await owned_order(shop)
    report = await reported(member, order)
    await pay(order)
    assert await reports(order) == ["OVER"]
    with pytest.raises(AlreadyPaid):
        await confirmed(report, shop)
    other, gone = await owned_order(shop)
    report = await reported(other, gone)
    await cancel(order_id=gone.id, shop_id=shop.id, reason="", actor=OWNER, now=NOW, jobs=JOBS)
    assert await reports(gone) == ["OVER"]
    with pytest.raises(InvalidTransition):
        await confirmed(report, shop)
    assert await check(SOON) == []


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("lastFiveDigits", Transfer("1234", NOW, 1)),
        ("lastFiveDigits", Transfer("123456", NOW, 1)),
        ("lastFiveDigits", Transfer("１２３４５", NOW, 1)),
        ("lastFiveDigits", Transfer("12 45", NOW, 1)),
        ("lastFiveDigits", Transfer("12345\n", NOW, 1)),
        ("amount", Transfer("12345", NOW, 0)),
        ("amount", Transfer("12345", NOW, -590)),
        ("paidAt", Transfer("12345", NOW + timedelta(minutes=11), 1)),
        ("paidAt", Transfer("12345", NOW - timedelta(days=61), 1)),
    ],
)
async def test_what_cannot_be_is_refused(db: str, field: str, said: Transfer) -> None:
    member, order = await owned_order(await a_shop())
    before = await everything()
    with pytest.raises(InvalidTransfer) as invalid:
        await transfers.report(order_id=order.id, member_id=member, transfer=said, now=NOW)
    assert invalid.value.field == field
    assert await everything() == before


REPORTABLE = {"UNPAID", "REPORTED", "FAILED", "EXPIRED"}


@pytest.mark.parametrize("payment", [p for p in PaymentState if p is not PaymentState.REPORTED])
async def test_only_owed_orders_are_reported_from_every_state(db: str, payment: PaymentState) -> None:
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=99)
    for state in OrderState:
        member, order = await owned_order(shop, variant, state=state, payment=payment, fulfilment=FulfilmentState.UNFULFILLED)
        if state is OrderState.OPEN and payment.value in REPORTABLE:
            await reported(member, order)
            assert (await stands(order))[1] == "REPORTED"
            continue
        before = await everything()
        with pytest.raises((InvalidTransition, AlreadyPaid)):
            await reported(member, order)
        assert await everything() == before


async def test_an_order_that_costs_nothing_has_nothing_to_report(db: str) -> None:
    shop = await a_shop()
    member, order = await owned_order(shop, await a_variant(shop, price_minor=0))
    with pytest.raises(AlreadyPaid):
        await reported(member, order, amount=1)


async def test_anothers_order_and_anothers_report_are_not_found(db: str) -> None:
    shop, other_shop = await a_shop(), await a_shop()
    member, order = await owned_order(shop)
    unlinked = await an_order(shop, {await a_variant(shop): 1})
    report = await reported(member, order)
    before = await everything()
    for who, what in ((await a_member(), order), (member, unlinked)):
        with pytest.raises(NotFound):
            await reported(who, what)
    for act in (confirmed, refused):
        with pytest.raises(NotFound):
            await act(report, other_shop)
        with pytest.raises(NotFound):
            await act(order.id, shop)
    assert await everything() == before


async def test_a_picture_belongs_to_its_order_alone(db: str) -> None:
    shop = await a_shop()
    member, order = await owned_order(shop)
    other, others = await owned_order(shop)
    slip = await a_slip(None, other, others)
    before = await everything()
    with pytest.raises(NotFound):
        await reported(member, order, slip=slip)
    assert await everything() == before
    assert await reports(order) == []
    await reported(other, others, slip=slip)
    assert await database.fetchval("select slip_id from transfer_report") == slip


BREAKS = {
    "transfer_report_digits": "update transfer_report set last_five = '1234a'",
    "transfer_report_amount": "update transfer_report set amount_minor = 0",
    "transfer_report_answered": "update transfer_report set answered_at = now()",
    "transfer_slip_jpeg": "update transfer_slip set content = '<svg/>'",
    "transfer_slip_order_id": "update transfer_slip set shop_id = gen_random_uuid()",
    "transfer_report_order_id": "update transfer_report set order_id = gen_random_uuid()",
    "transfer_report_slip_id": "update transfer_report set slip_id = gen_random_uuid()",
}


@pytest.mark.parametrize("name", BREAKS)
async def test_every_guard_of_the_tables_refuses_what_it_is_for(db: str, name: str) -> None:
    member, order = await owned_order(await a_shop())
    await reported(member, order, slip=await a_slip(None, member, order))
    with pytest.raises(asyncpg.IntegrityConstraintViolationError) as broken:
        await database.execute(BREAKS[name])
    assert broken.value.constraint_name == name


async def test_a_second_open_report_and_a_huge_picture_do_not_fit(db: str) -> None:
    member, order = await owned_order(await a_shop())
    await reported(member, order)
    with pytest.raises(asyncpg.UniqueViolationError):
        await database.execute(
            """insert into transfer_report select gen_random_uuid(), shop_id, order_id, state, last_five, paid_at, amount_minor, currency, null, '',
               reported_at, answer_by, null, null from transfer_report"""
        )
    slip = await a_slip(None, member, order)
    with pytest.raises(asyncpg.CheckViolationError):
        await database.execute("update transfer_slip set content = content || decode(repeat('00', 400000), 'hex') where id = $1", slip)
