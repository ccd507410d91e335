"""Screens of orders: a member's over all shops, a shop's lists. Each is one statement."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from domain import db
from domain.orders.parcels import EVENT
from domain.orders.rules import UNPAID_STATES, FulfilmentState, OrderList, OrderState, PaymentState
from domain.orders.shapes import LINES, Viewpoint, as_seen, line_shape, order_shape
from domain.orders.written import ORDER_FIELDS
from domain.paging import Args, Listing, Page, Row, Slice, Wanted, cut, fetch_page, money, with_total
from domain.paging.page import COUNT_CAP
from domain.paging.written import Amount, Fields, Rows, Screen, whole
from domain.shops.rules import Permission
from domain.shops.screens import visible

ORDERS = '"order" o join shop s on s.id = o.shop_id'
KEYED = '"order" o cross join lateral (select * from shop x where x.id = o.shop_id offset 0) s'
"""The same with each order's shop by its key: where all orders of a member are looked through, all shops would be read for their few."""
UNPAID = "('" + "','".join(sorted(UNPAID_STATES)) + "')"


def _alike(sql: str) -> str:
    return f"lower(normalize({sql}, nfkc))"


FOUND = f"""exists (select from (select {_alike("{text}::text")} as part) wanted where strpos({_alike("o.number || chr(10) || s.name")}, part) > 0 or exists (
    select from order_line l where l.order_id = o.id and strpos({_alike("l.title || chr(10) || l.variant_label")}, part) > 0))"""
"""Of an order `o` of a shop `s`: a text is found in it."""


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """What a list of orders is narrowed to; empty fields narrow nothing."""

    shop_ids: Collection[UUID] | None = None
    state: OrderState | None = None
    payment_state: PaymentState | None = None
    since: datetime | None = None
    """Placed at this instant or later."""
    fulfilment_state: FulfilmentState | None = None
    text: str | None = None
    """A part of the order's number, of the shop's name, or of a line's title or variant; large and small letters, wide and narrow ones are alike."""

    def where(self, args: Args) -> str:
        """SQL, starting with ` and` when it says anything. OPEN and LOCKED are written out, so that their partial indexes serve."""
        few = self.state in (OrderState.OPEN, OrderState.LOCKED)
        state = "" if self.state is None else f"'{self.state.value}'" if few else args(self.state.value)
        parts = [
            f"o.shop_id = any({args(list(self.shop_ids))}::uuid[])" if self.shop_ids is not None else "",
            f"o.state = {state}" if state else "",
            f"o.payment_state = {args(self.payment_state.value)}" if self.payment_state is not None else "",
            f"o.created_at >= {args(self.since)}" if self.since is not None else "",
            f"o.fulfilment_state = {args(self.fulfilment_state.value)}" if self.fulfilment_state is not None else "",
            FOUND.format(text=args(self.text)) if self.text is not None else "",
        ]
        return "".join(f" and {part}" for part in parts if part)


async def orders_of_buyer(
    member_id: UUID,
    *,
    page: Page,
    wanted: Wanted,
    viewpoint: Viewpoint,
    narrowed: OrderFilter | None = None,
    count: bool = False,
    totals: bool = False,
) -> Slice:
    """A member's orders over all shops, newest first. With `totals`, `summary["totals"]` are the sums of the list per currency."""
    args = Args()
    listing = _of_buyer(member_id, narrowed or OrderFilter(), args)
    sums = "row(t.currency, t.orders, t.total, t.paid, t.due)"
    summary = {"totals": f"array({SUMS.format(row=sums, source=listing.counted, where=listing.where)})"} if totals else {}
    found = await fetch_page(order_shape(wanted, viewpoint), listing, page, args, count=count, summary=summary)
    if totals:
        found.summary["totals"] = [_sums(row) for row in found.summary["totals"]]
    return found


def orders_screen(member_id: UUID, args: Args, *, page: Page, narrowed: OrderFilter) -> Screen:
    """The same, written as text."""
    listing = _all_of(args.member(member_id)) if narrowed == OrderFilter() else _of_buyer(member_id, narrowed, args)
    return Screen(ORDER_FIELDS, listing, page, args, _sums_of(listing), steady=True)


@lru_cache(maxsize=64)
def _sums_of(listing: Listing) -> Mapping[str, Rows]:
    return {"totals": Rows(SUM_FIELDS, SUMS.replace("{source}", listing.counted).replace("{where}", listing.where))}


@lru_cache(maxsize=64)
def _all_of(member: str) -> Listing:
    """What nearly every request asks for; `member` is a parameter."""
    return Listing(ORDERS, f"o.member_id = {member}", at="o.created_at", id="o.id", counted='"order" o')


def _of_buyer(member_id: UUID, narrowed: OrderFilter, args: Args) -> Listing:
    where = f"o.member_id = {args.member(member_id)}" + narrowed.where(args)
    source, counted = (KEYED, KEYED) if narrowed.text is not None else (ORDERS, '"order" o')
    return Listing(source, where, at="o.created_at", id="o.id", counted=counted)


SUMS = """select {row} from (select o.currency, count(*)::int orders, sum(o.total_minor)::bigint total, sum(o.paid_minor)::bigint paid,
    sum(case when o.state = 'OPEN' and o.payment_state in UNPAID then greatest(o.total_minor - o.paid_minor, 0) else 0 end)::bigint due
    from {source} where {where} and o.state <> 'CANCELLED' group by o.currency) t order by t.currency""".replace("UNPAID", UNPAID)
SUM_FIELDS = Fields(
    {
        "order_count": whole("t.orders"), "total": Amount("t.total", "t.currency"), "paid": Amount("t.paid", "t.currency"),
        "amount_due": Amount("t.due", "t.currency"),
    }
)  # fmt: skip
"""Sums of orders of one currency; alias `t`."""


def _sums(row: Any) -> Row:
    currency = row[0]
    amounts = {name: money(minor, currency) for name, minor in zip(("total", "paid", "amount_due"), row[2:], strict=True)}
    return {"order_count": row[1], **amounts}


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
    """One order of this shop; None also for staff who may not view orders: they may have acted on it all the same."""
    if not viewpoint.may(Permission.VIEW_ORDERS):
        return None
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


async def events_of_order(order_id: UUID, *, page: Page, count: bool = False) -> Slice:
    """A page of an order's timeline, oldest first. The caller has made sure that the viewer may see the order."""
    after = page.after[1].int if page.after is not None else 0
    before = page.before[1].int if page.before is not None else None
    total = f"select count(*) from (select from order_event x where x.order_id = $1 limit {COUNT_CAP + 1}) c"
    rows = await db.fetch(
        f"""select {EVENT.select}, ({total}) as total from order_event e join "order" o on o.id = e.order_id
            where e.order_id = $1 and e.id > $2 and ($4::bigint is null or e.id < $4)
            order by e.id {"desc" if page.backwards else "asc"} limit $3""",
        order_id,
        after,
        page.size + 1,
        before,
    )
    found = [EVENT.read(row) for row in rows]
    part = cut([(event, event["position"]) for event in found], page)
    if not count:
        return part
    return with_total(part, rows[0]["total"] if rows else await db.fetchval(total, order_id))


async def visible_lines(line_ids: Collection[UUID], member_id: UUID, *, wanted: Wanted, language: str) -> dict[UUID, Row]:
    """Order lines for whoever may see their orders."""
    found = await visible(
        line_shape(wanted, Viewpoint(language)), f'{LINES} join "order" o on o.id = l.order_id', key="l.id", shop="l.shop_id",
        owner="o.member_id", permission=Permission.VIEW_ORDERS, ids=line_ids, member_id=member_id,
    )  # fmt: skip
    return {seen.key: as_seen(seen, language) for seen in found}
