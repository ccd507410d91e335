"""Requests to cancel, and their answers."""

from __future__ import annotations

from uuid import UUID

import pytest

from domain import db as database
from domain.errors import NotFound, PermissionDenied
from domain.ids import new_id
from domain.orders import requests
from domain.orders.commands import cancel
from domain.orders.errors import InvalidTransition, ReferenceMissing
from plusone.invariants import check
from tests import build
from tests.books import books_agree
from tests.build import NOW
from tests.domain.claims.acts import STAFF, first_order, pay
from tests.domain.orders.acting import LATER, a_wish, actions, kinds, refused
from tests.wall import Wall


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
