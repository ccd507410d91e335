"""Lines taken back, requests to cancel and their answers, orders made one, parcels that wait."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from domain import db as database
from domain.bootstrap import Services
from domain.clock import asked, asked_at
from domain.errors import DomainError, NotFound, PermissionDenied
from domain.ids import new_id
from domain.orders import lines, merging, patience, requests
from domain.orders.acts import read_acts
from domain.orders.commands import cancel, expire_due
from domain.orders.errors import (
    CrossShopMerge,
    DeliveryDiffers,
    HoldOver,
    InvalidTransition,
    IsPaid,
    NotFewer,
    NotReducible,
    ReferenceMissing,
    UndoOver,
    VersionConflict,
)
from domain.orders.queries import visible_orders
from domain.orders.rules import FulfilmentState, PaymentState
from domain.paging import Wanted
from domain.posts.rules import DeliveryMethod
from plusone.invariants import check
from tests import build
from tests.books import books_agree, everything, figures, queued
from tests.build import NOW
from tests.domain.claims.acts import STAFF, close, first_order, pay
from tests.domain.claims.taps import a_fan
from tests.wall import Wall, a_wall, wall_services

LATER = NOW + timedelta(seconds=59)
UNDO = timedelta(minutes=5)


@pytest.fixture
def services(db: str) -> Services:
    return wall_services()


async def refused(refusal: type[DomainError], act: Any) -> DomainError:
    """The refusal of an act, which changed nothing."""
    before = await everything()
    with pytest.raises(refusal) as raised:
        await act
    assert await everything() == before
    return raised.value


async def a_wish(text: str = "紅+2", **policy: Any) -> tuple[Wall, UUID, UUID]:
    """A member's unpaid line by a comment; answers the wall, the member and the line."""
    wall, member = await a_wall(variants=("紅", "白"), **policy), await a_fan("小美")
    await wall.says("小美", text, at=NOW)
    await wall.drain()
    return wall, member, await database.fetchval("select id from order_line order by created_at, id limit 1")


async def claim_said() -> tuple[str, str]:
    row = await database.fetchrow("select outcome, reason from claim order by decided_at, id limit 1")
    assert row is not None
    return row["outcome"], row["reason"]


async def kinds(table: str) -> list[str]:
    return [row["kind"] for row in await database.fetch(f"select kind from {table} order by id")]


async def actions(member: UUID, order: UUID, *, at: datetime = NOW) -> list[str]:
    """What the order's screen offers its buyer at an instant."""
    before = asked_at()
    asked(at)
    try:
        rows = await visible_orders([order], member, wanted=Wanted.of("actions", "undo_until"), language="en")
    finally:
        asked(before)  # type: ignore[arg-type]
    return [str(action) for action in rows[order]["actions"]]


# --- lines -----------------------------------------------------------------------------------------------------------------------


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


# --- requests --------------------------------------------------------------------------------------------------------------------


async def ask(order: UUID, member: UUID, reason: str = "買錯了") -> None:
    await requests.request(order_id=order, reason=reason, member_id=member, now=NOW)


async def answered(wall: Wall, order: UUID, *, accept: bool, reference: str = "", may_refund: bool = True) -> None:
    await requests.answer(
        order_id=order, shop_id=wall.shop.id, accept=accept, note="", refund_reference=reference, may_refund=may_refund, actor=STAFF,
        now=NOW, jobs=wall.services.jobs,
    )  # fmt: skip


async def order_row() -> tuple[object, ...]:
    row = await database.fetchrow(
        'select state, payment_state, fulfilment_state, list, flagged, cancel_requested_at, cancel_reason from "order"'
    )
    assert row is not None
    return tuple(row.values())


async def test_a_request_waits_for_the_shop_and_is_declined(db: str) -> None:
    wall, member, _ = await a_wish()
    order = await first_order()
    for _ in range(2):
        await ask(order, member)
    assert await order_row() == ("OPEN", "UNPAID", "UNFULFILLED", "REVIEW", True, NOW, "買錯了")
    assert await actions(member, order) == ["PAY", "REPORT_TRANSFER", "MAKE_GIFT", "UNDO", "REDUCE"]
    await answered(wall, order, accept=False)
    assert await order_row() == ("OPEN", "UNPAID", "UNFULFILLED", "TO_PAY", False, None, "")
    assert await kinds("order_event") == ["LINES_ADDED", "CANCEL_REQUESTED", "CANCEL_DECLINED"]
    assert await kinds("notice") == ["ORDER_PLACED", "CANCEL_DECLINED"]
    await refused(InvalidTransition, answered(wall, order, accept=True))
    assert await check(LATER) == []


async def test_an_unpaid_order_is_cancelled_at_its_buyer_s_request(db: str) -> None:
    wall, member, _ = await a_wish()
    order = await first_order()
    await ask(order, member)
    await answered(wall, order, accept=True, may_refund=False)
    assert (await order_row())[:4] == ("CANCELLED", "UNPAID", "UNFULFILLED", "DONE")
    assert (await order_row())[5:] == (None, "")
    assert await wall.level() == (10, 0, 0)
    assert await kinds("notice") == ["ORDER_PLACED", "ORDER_CANCELLED"]
    await books_agree()
    assert await check(LATER) == []


async def test_of_a_paid_order_the_money_goes_back_with_a_reference(db: str) -> None:
    wall, member, _ = await a_wish()
    order = await first_order()
    await pay(wall)
    assert (await order_row())[2] == "READY_FOR_PICKUP"
    await ask(order, member)
    await refused(PermissionDenied, answered(wall, order, accept=True, reference="r", may_refund=False))
    await refused(ReferenceMissing, answered(wall, order, accept=True))
    await answered(wall, order, accept=True, reference="退款 88")
    assert (await order_row())[:4] == ("CANCELLED", "REFUNDED", "UNFULFILLED", "DONE")
    assert await wall.level() == (10, 0, 0)
    assert await database.fetchval("select state from pickup") == "CANCELLED"
    assert (await kinds("order_event"))[-2:] == ["REFUNDED", "CANCELLED"]
    assert await check(LATER) == []


async def test_what_has_left_is_not_cancelled_and_others_ask_for_nothing(db: str) -> None:
    wall, member, _ = await a_wish()
    order = await first_order()
    await refused(NotFound, ask(order, await build.a_member()))
    await pay(wall)
    await ask(order, member)
    await database.execute("""update "order" set fulfilment_state = 'PARTIAL', version = version + 1""")
    await refused(InvalidTransition, answered(wall, order, accept=True, reference="r"))
    await answered(wall, order, accept=False)
    await refused(InvalidTransition, ask(order, member))
    with pytest.raises(NotFound):
        await requests.answer(
            order_id=order, shop_id=new_id(), accept=False, note="", refund_reference="", may_refund=True, actor=STAFF, now=NOW,
            jobs=wall.services.jobs,
        )  # fmt: skip


async def test_a_request_ends_with_its_order(db: str) -> None:
    wall, member, _ = await a_wish()
    order = await first_order()
    await ask(order, member)
    await cancel(order_id=order, shop_id=wall.shop.id, reason="", actor=STAFF, now=NOW, jobs=wall.services.jobs)
    assert (await order_row())[5:] == (None, "")


# --- merging ---------------------------------------------------------------------------------------------------------------------


async def two_names(services: Services, **second: Any) -> tuple[UUID, build.AShop, build.AVariant, list[build.AnOrder]]:
    """Two unpaid orders of one member under two names."""
    shop, member = await build.a_shop(), await build.a_member()
    variant = await build.a_variant(shop, on_hand=9)
    names = [await build.a_buyer(shop, member_id=member) for _ in range(2)]
    first = await build.an_order(shop, {variant: 1}, buyer=names[0])
    given: dict[str, Any] = {"pay_by": NOW + timedelta(days=1), "shipping_minor": 60, **second}
    return (
        member,
        shop,
        variant,
        [first, await build.an_order(shop, {variant: 2}, buyer=names[1], created_at=NOW + timedelta(hours=1), **given)],
    )


async def merged(services: Services, member: UUID, orders: list[build.AnOrder], *, at: datetime = NOW) -> UUID:
    return await merging.merge(order_ids=[order.id for order in reversed(orders)], member_id=member, now=at, jobs=services.jobs)


async def test_two_orders_become_the_older_one(services: Services) -> None:
    member, _, variant, orders = await two_names(services)
    await database.execute(
        'insert into payment_reminder (order_id, shop_id, half_at, last_hour_at, due_at) select o.id, o.shop_id, o.pay_by, null, o.pay_by from "order" o'
    )
    assert "MERGE" in await actions(member, orders[0].id)
    assert await merged(services, member, orders) == orders[0].id
    rows = await database.fetch(
        'select state, subtotal_minor, shipping_minor, total_minor, pay_by, version from "order" order by created_at'
    )
    assert [tuple(row.values()) for row in rows] == [
        ("OPEN", 1770, 60, 1830, NOW + timedelta(days=1), 2), ("CANCELLED", 0, 0, 0, NOW + timedelta(days=1), 3),
    ]  # fmt: skip
    reminders = await database.fetch("select order_id, due_at from payment_reminder")
    assert [tuple(row.values()) for row in reminders] == [(orders[0].id, NOW + timedelta(days=1))]
    assert await database.fetchval("select count(distinct order_id) from order_line") == 1
    assert await figures(variant) == (9, 3, 0)
    assert await kinds("order_event") == ["MERGED", "MERGED"]
    assert await kinds("notice") == ["LINES_CHANGED"]
    assert "MERGE" not in await actions(member, orders[0].id)
    await books_agree()
    assert await check(LATER) == []


async def test_orders_that_differ_stay_apart(services: Services) -> None:
    member, shop, variant, orders = await two_names(services, method=DeliveryMethod.SHIP)
    assert (await refused(DeliveryDiffers, merged(services, member, orders))).field == "deliveryFrom"  # type: ignore[attr-defined]
    assert "MERGE" in await actions(member, orders[0].id)
    elsewhere = await build.a_shop()
    other = await build.an_order(elsewhere, {await build.a_variant(elsewhere): 1}, buyer=await build.a_buyer(elsewhere, member_id=member))
    await refused(CrossShopMerge, merged(services, member, [orders[0], other]))
    await refused(NotFound, merged(services, await build.a_member(), orders))
    await refused(NotFound, merged(services, member, [orders[0], orders[0]]))
    stranger = await build.an_order(shop, {variant: 1})
    await refused(NotFound, merged(services, member, [orders[0], stranger]))


async def test_orders_with_money_or_past_their_time_stay_apart(services: Services) -> None:
    member, shop, variant, orders = await two_names(services)
    await refused(HoldOver, merged(services, member, orders, at=NOW + timedelta(days=1)))
    third = await build.an_order(shop, {variant: 1}, buyer=await build.a_buyer(shop, member_id=member), payment=PaymentState.PAID)
    await refused(InvalidTransition, merged(services, member, [orders[0], third]))
    await expire_due(now=NOW + timedelta(days=2), limit=10, jobs=services.jobs)
    await refused(InvalidTransition, merged(services, member, orders))


# --- parcels ---------------------------------------------------------------------------------------------------------------------


async def a_parcel(**given: Any) -> tuple[UUID, build.AnOrder]:
    shop, member = await build.a_shop(), await build.a_member()
    state: dict[str, Any] = {"payment": PaymentState.PAID, "method": DeliveryMethod.SHIP, **given}
    return member, await build.an_order(shop, {await build.a_variant(shop): 1}, buyer=await build.a_buyer(shop, member_id=member), **state)


async def until() -> datetime | None:
    found: datetime | None = await database.fetchval('select ship_later_until from "order"')
    return found


async def test_a_paid_parcel_waits_at_most_the_shop_s_days(db: str) -> None:
    member, order = await a_parcel()
    assert await actions(member, order.id) == ["MAKE_GIFT", "REQUEST_CANCEL", "SHIP_LATER"]
    for at in (NOW, NOW + timedelta(days=1)):
        await patience.ship_later(order_id=order.id, member_id=member, now=at)
        assert await until() == NOW + timedelta(days=14)
    assert await actions(member, order.id) == ["MAKE_GIFT", "REQUEST_CANCEL", "SHIP_NOW"]
    assert await actions(member, order.id, at=NOW + timedelta(days=14)) == ["MAKE_GIFT", "REQUEST_CANCEL", "SHIP_LATER"]
    for _ in range(2):
        await patience.ship_now(order_id=order.id, member_id=member, now=NOW)
        assert await until() is None
    assert await kinds("order_event") == ["SHIP_LATER", "SHIP_NOW"]
    assert await database.fetchval('select version from "order"') == 3


@pytest.mark.parametrize(
    "given",
    [
        {"method": DeliveryMethod.PICKUP}, {"payment": PaymentState.UNPAID}, {"fulfilment": FulfilmentState.LABELLED},
        {"fulfilment": FulfilmentState.SHIPPED},
    ],
)  # fmt: skip
async def test_what_is_not_a_paid_parcel_without_a_label_does_not_wait(db: str, given: dict[str, Any]) -> None:
    member, order = await a_parcel(**given)
    await refused(InvalidTransition, patience.ship_later(order_id=order.id, member_id=member, now=NOW))
    assert not {"SHIP_LATER", "SHIP_NOW"} & set(await actions(member, order.id))


async def test_a_shop_may_let_nothing_wait_and_nobody_else_decides(db: str) -> None:
    member, order = await a_parcel()
    await refused(NotFound, patience.ship_later(order_id=order.id, member_id=await build.a_member(), now=NOW))
    await database.execute("update shop set ship_later_days = 0")
    await refused(InvalidTransition, patience.ship_later(order_id=order.id, member_id=member, now=NOW))
    assert await actions(member, order.id) == ["MAKE_GIFT", "REQUEST_CANCEL"]


def test_an_order_that_is_over_says_nothing() -> None:
    assert read_acts("") == (0, 0, False, False, 0, 0, False)


async def test_a_closed_post_is_no_reason_not_to_undo(db: str) -> None:
    wall, member, line = await a_wish()
    await close(wall.post_id)
    assert (await lines.undo(line_id=line, member_id=member, now=NOW, jobs=wall.services.jobs)).pieces == 2
