"""Attempts to pay online whose page was opened or not, and what may be done meanwhile, for tests."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from domain import db as database
from domain.audit.commands import Actor
from domain.clock import asked, asked_at
from domain.orders import commands, lines, requests
from domain.orders.queries import order_of_shop, visible_orders
from domain.orders.shapes import NEEDED, Viewpoint
from domain.paging import Wanted
from domain.payments.attempts import Page, page, page_path
from domain.shops.rules import Permission
from tests.build import NOW
from tests.domain.payments.online import JOBS, VAULT, Till

OWNER = Actor("member:1", "OWNER")


async def opened(number: str, at: datetime = NOW) -> Page:
    """The buyer opens the page of an attempt."""
    attempt: UUID = await database.fetchval("select id from payment_attempt where trade_no = $1", number)
    found = await page(token=page_path(attempt, VAULT)[5:], base_url="https://x.example", ecpay_url=None, vault=VAULT, now=at)
    assert found is not None
    return found


async def undone(till: Till) -> None:
    await lines.undo(line_id=till.order.lines[0], member_id=till.member, now=NOW, jobs=JOBS)


async def reduced(till: Till, quantity: int = 1) -> None:
    await lines.reduce(line_id=till.order.lines[0], quantity=quantity, member_id=till.member, now=NOW, jobs=JOBS)


async def dropped(till: Till) -> None:
    await reduced(till, 0)


async def cancelled(till: Till, *, anyway: bool = False) -> None:
    await commands.cancel(order_id=till.order.id, shop_id=till.shop.id, reason="", anyway=anyway, actor=OWNER, now=NOW, jobs=JOBS)


async def asked_to_cancel(till: Till) -> None:
    await requests.request(order_id=till.order.id, reason="", member_id=till.member, now=NOW)


async def accepted(till: Till, *, anyway: bool = False) -> None:
    await requests.answer(
        order_id=till.order.id, shop_id=till.shop.id, accept=True, note="", refund_reference="", may_refund=True, anyway=anyway, actor=OWNER,
        now=NOW, jobs=JOBS,
    )  # fmt: skip


async def offered(till: Till, at: datetime = NOW) -> tuple[set[str], set[str], datetime | None]:
    """What the order's screens offer its buyer and its shop, and until when its newest line may be undone."""
    before = asked_at()
    asked(at)
    try:
        wanted = Wanted.of("actions", "undo_until")
        mine = (await visible_orders([till.order.id], till.member, wanted=wanted, language="en"))[till.order.id]
        staff = Viewpoint("en", frozenset({Permission.VIEW_ORDERS, *NEEDED.values()}))
        theirs = await order_of_shop(till.shop.id, till.order.id, wanted=wanted, viewpoint=staff)
    finally:
        asked(before)  # type: ignore[arg-type]
    assert theirs is not None
    return {str(a) for a in mine["actions"]}, {str(a) for a in theirs["actions"]}, mine["undo_until"]
