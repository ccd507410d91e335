"""Screens of orders: a member's over all shops, what they owe, a shop's lists. Each is one statement."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from domain import db
from domain.orders.rules import UNPAID_STATES, OrderList, OrderState, PaymentState
from domain.orders.shapes import LINES, Viewpoint, as_seen, line_shape, order_shape
from domain.orders.written import ORDER_FIELDS
from domain.paging import SHOP, Args, Listing, Page, Row, Slice, Wanted, fetch_page, money
from domain.paging.written import SHOP_FIELDS, Amount, Fields, Rows, Screen, Within, instant, whole
from domain.shops.rules import Permission
from domain.shops.screens import visible

ORDERS = '"order" o join shop s on s.id = o.shop_id'
UNPAID = "('" + "','".join(sorted(UNPAID_STATES)) + "')"
NO_DEADLINE = "timestamptz '9999-12-31 00:00:00Z'"


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """What a list of orders is narrowed to; empty fields narrow nothing."""

    shop_ids: Collection[UUID] | None = None
    state: OrderState | None = None
    payment_state: PaymentState | None = None
    since: datetime | None = None
    """Placed at this instant or later."""

    def where(self, args: Args) -> str:
        """SQL, starting with ` and` when it says anything. OPEN and LOCKED are written out, so that their partial indexes serve."""
        few = self.state in (OrderState.OPEN, OrderState.LOCKED)
        state = "" if self.state is None else f"'{self.state.value}'" if few else args(self.state.value)
        parts = [
            f"o.shop_id = any({args(list(self.shop_ids))}::uuid[])" if self.shop_ids is not None else "",
            f"o.state = {state}" if state else "",
            f"o.payment_state = {args(self.payment_state.value)}" if self.payment_state is not None else "",
            f"o.created_at >= {args(self.since)}" if self.since is not None else "",
        ]
        return "".join(f" and {part}" for part in parts if part)


async def orders_of_buyer(
    member_id: UUID, *, page: Page, wanted: Wanted, viewpoint: Viewpoint, narrowed: OrderFilter | None = None, count: bool = False
) -> Slice:
    """A member's orders over all shops, newest first."""
    args = Args()
    return await fetch_page(order_shape(wanted, viewpoint), _of_buyer(member_id, narrowed or OrderFilter(), args), page, args, count=count)


def orders_screen(member_id: UUID, args: Args, *, page: Page, narrowed: OrderFilter) -> Screen:
    """The same, written as text."""
    return Screen(ORDER_FIELDS, _of_buyer(member_id, narrowed, args), page, args)


def _of_buyer(member_id: UUID, narrowed: OrderFilter, args: Args) -> Listing:
    where = f"o.member_id = {args(member_id)}" + narrowed.where(args)
    return Listing(ORDERS, where, at="o.created_at", id="o.id", counted='"order" o')


async def unpaid_of_buyer(
    member_id: UUID, *, page: Page, wanted: Wanted, viewpoint: Viewpoint, count: bool = False, totals: bool = False, by_shop: bool = False
) -> Slice:
    """Open orders on which the member owes money, the nearest deadline first.

    With `totals`, `summary["totals"]` is the amount owed per currency; with `by_shop`, `summary["by_shop"]` the same per shop.
    """
    args = Args()
    listing = _unpaid(member_id, args)
    summary: dict[str, str] = {}
    if totals:
        summary["totals"] = f"array({TOTALS.format(row='row(t.currency, t.due)', where=listing.where)})"
    if by_shop:
        summary["by_shop"] = (
            f"array({BY_SHOP.format(row=f'row(owed.due, owed.orders, owed.pay_by, owed.currency, {SHOP.row})', where=listing.where)})"
        )
    found = await fetch_page(order_shape(wanted, viewpoint), listing, page, args, count=count, summary=summary)
    if totals:
        found.summary["totals"] = [money(due, currency) for currency, due in found.summary["totals"]]
    if by_shop:
        found.summary["by_shop"] = [_owed(row) for row in found.summary["by_shop"]]
    return found


def unpaid_screen(member_id: UUID, args: Args, *, page: Page) -> Screen:
    """The same, written as text."""
    listing = _unpaid(member_id, args)
    totals, by_shop = (sql.replace("{where}", listing.where) for sql in (TOTALS, BY_SHOP))
    return Screen(ORDER_FIELDS, listing, page, args, {"totals": Rows(TOTAL_FIELDS, totals), "by_shop": Rows(OWED_FIELDS, by_shop)})


def _unpaid(member_id: UUID, args: Args) -> Listing:
    where = f"o.member_id = {args(member_id)} and o.state = 'OPEN' and o.payment_state in {UNPAID}"
    return Listing(ORDERS, where, at=f"coalesce(o.pay_by, {NO_DEADLINE})", id="o.id", newest_first=False, counted='"order" o')


TOTALS = """select {row} from (select o.currency, sum(o.total_minor - o.paid_minor)::bigint due from "order" o
    where {where} group by o.currency) t order by t.currency"""
TOTAL_FIELDS = Amount("t.due", "t.currency")
BY_SHOP = """select {row} from (
    select o.shop_id, o.currency, sum(o.total_minor - o.paid_minor)::bigint due, count(*)::int orders, min(o.pay_by) pay_by
    from "order" o where {where} group by o.shop_id, o.currency) owed join shop s on s.id = owed.shop_id
    order by owed.pay_by nulls last, owed.shop_id, owed.currency limit 100"""
OWED_FIELDS = Fields(
    {
        "amount_due": Amount("owed.due", "owed.currency"), "order_count": whole("owed.orders"), "pay_by": instant("owed.pay_by", nullable=True),
        "shop": Within(SHOP_FIELDS),
    }
)  # fmt: skip
"""What a buyer owes one shop; aliases `owed` and `s`."""


def _owed(row: Any) -> Row:
    return {"amount_due": money(row[0], row[3]), "order_count": row[1], "pay_by": row[2], "shop": SHOP.read(row[4])}


async def orders_of_shop(
    shop_id: UUID,
    *,
    page: Page,
    wanted: Wanted,
    viewpoint: Viewpoint,
    in_list: OrderList | None = None,
    narrowed: OrderFilter | None = None,
    count: bool = False,
) -> Slice:
    """A shop's orders, newest first; `in_list` is one of the seller's lists."""
    args = Args(shop_id)
    where = "o.shop_id = $1" + (f" and o.list = {args(in_list.value)}" if in_list else "") + (narrowed or OrderFilter()).where(args)
    listing = Listing(ORDERS, where, at="o.created_at", id="o.id", counted='"order" o')
    return await fetch_page(order_shape(wanted, viewpoint), listing, page, args, count=count)


async def order_of_shop(shop_id: UUID, order_id: UUID, *, wanted: Wanted, viewpoint: Viewpoint) -> Row | None:
    """One order of this shop."""
    order = order_shape(wanted, viewpoint)
    row = await db.fetchrow(f"select {order.select} from {ORDERS} where o.shop_id = $1 and o.id = $2", shop_id, order_id)
    return None if row is None else order.read(row)


async def orders_by_id(shop_id: UUID, order_ids: Collection[UUID], *, wanted: Wanted, viewpoint: Viewpoint) -> list[Row]:
    """These orders of this shop, oldest first."""
    order = order_shape(wanted, viewpoint)
    sql = f"select {order.select} from {ORDERS} where o.shop_id = $1 and o.id = any($2::uuid[]) order by o.created_at, o.id"
    return [order.read(row) for row in await db.fetch(sql, shop_id, list(order_ids))]


async def visible_orders(order_ids: Collection[UUID], member_id: UUID, *, wanted: Wanted, language: str) -> dict[UUID, Row]:
    """Orders for their buyer, or for staff of the shop who may view orders; for anybody else they do not exist."""
    found = await visible(
        order_shape(wanted, Viewpoint(language)), ORDERS, key="o.id", shop="o.shop_id", owner="o.member_id",
        permission=Permission.VIEW_ORDERS, ids=order_ids, member_id=member_id,
    )  # fmt: skip
    return {seen.key: as_seen(seen, language) for seen in found}


async def lines_of_order(order_id: UUID, *, page: Page, wanted: Wanted, viewpoint: Viewpoint, count: bool = False) -> Slice:
    """A page of an order's lines, oldest first. The caller has made sure that the viewer may see the order."""
    args = Args(order_id)
    listing = Listing(LINES, "l.order_id = $1", at="l.created_at", id="l.id", newest_first=False, counted="order_line l")
    return await fetch_page(line_shape(wanted, viewpoint), listing, page, args, count=count)


async def visible_lines(line_ids: Collection[UUID], member_id: UUID, *, wanted: Wanted, language: str) -> dict[UUID, Row]:
    """Order lines for whoever may see their orders."""
    found = await visible(
        line_shape(wanted, Viewpoint(language)), f'{LINES} join "order" o on o.id = l.order_id', key="l.id", shop="l.shop_id",
        owner="o.member_id", permission=Permission.VIEW_ORDERS, ids=line_ids, member_id=member_id,
    )  # fmt: skip
    return {seen.key: as_seen(seen, language) for seen in found}
