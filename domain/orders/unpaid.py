"""What a member owes, over all shops: by order, by line, by shop, by currency and by deadline. Each screen is one statement."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from domain.ids import public_id
from domain.orders.queries import ORDERS, UNPAID
from domain.orders.shapes import Viewpoint, order_shape
from domain.orders.written import ORDER_FIELDS
from domain.paging import SHOP, Args, Listing, Page, Row, Slice, Wanted, fetch_page, money
from domain.paging.shape import Read
from domain.paging.written import SHOP_FIELDS, Amount, Fields, Rows, Screen, Within, instant, public, text, whole

NO_DEADLINE: Final = "timestamptz '9999-12-31 00:00:00Z'"
MOST: Final = 100
"""Shops, deadlines and lines that come at once."""
OWED: Final = f"o.state = 'OPEN' and o.payment_state in {UNPAID} and o.total_minor > o.paid_minor"
"""Of an order `o`: its buyer owes money."""


@dataclass(frozen=True, slots=True)
class UnpaidFilter:
    """What is looked at of what is owed; empty fields narrow nothing."""

    shop_ids: Collection[UUID] | None = None
    currency: str | None = None
    due_before: datetime | None = None
    """Orders whose deadline is before this instant; those without one never are."""

    def where(self, args: Args) -> str:
        """SQL, starting with ` and` when it says anything."""
        parts = [
            f"o.shop_id = any({args(list(self.shop_ids))}::uuid[])" if self.shop_ids is not None else "",
            f"o.currency = {args(self.currency)}" if self.currency is not None else "",
            f"o.pay_by < {args(self.due_before)}" if self.due_before is not None else "",
        ]
        return "".join(f" and {part}" for part in parts if part)


ALL: Final = UnpaidFilter()


TOTALS: Final = """select {row} from (select o.currency, sum(o.total_minor - o.paid_minor)::bigint due from "order" o
    where {where} group by o.currency) t order by t.currency"""
TOTAL_FIELDS: Final = Amount("t.due", "t.currency")
BY_SHOP: Final = f"""select {{row}} from (
    select o.shop_id, o.currency, sum(o.total_minor - o.paid_minor)::bigint due, count(*)::int orders, min(o.pay_by) pay_by
    from "order" o where {{where}} group by o.shop_id, o.currency) owed join shop s on s.id = owed.shop_id
    order by owed.pay_by nulls last, owed.shop_id, owed.currency limit {MOST}"""
OWED_FIELDS: Final = Fields(
    {
        "amount_due": Amount("owed.due", "owed.currency"), "order_count": whole("owed.orders"), "pay_by": instant("owed.pay_by", nullable=True),
        "shop": Within(SHOP_FIELDS),
    }
)  # fmt: skip
"""What a buyer owes one shop; aliases `owed` and `s`."""
BY_DEADLINE: Final = f"""select {{row}} from (
    select o.pay_by, o.currency, sum(o.total_minor - o.paid_minor)::bigint due, count(*)::int orders
    from "order" o where {{where}} group by o.pay_by, o.currency) owed order by owed.pay_by nulls last, owed.currency limit {MOST}"""
DEADLINE_FIELDS: Final = Fields(
    {
        "pay_by": instant("owed.pay_by", nullable=True),
        "amount_due": Amount("owed.due", "owed.currency"),
        "order_count": whole("owed.orders"),
    }
)
"""What is owed by one instant in one currency; alias `owed`."""
LINES: Final = f"""select {{row}} from "order" o join shop s on s.id = o.shop_id join order_line l on l.order_id = o.id and l.quantity > 0
    where {{where}} order by coalesce(o.pay_by, {NO_DEADLINE}), o.id, l.created_at, l.id limit {MOST}"""
LINE_FIELDS: Final = Fields(
    {
        "line_id": public("line", "l.id"), "order_id": public("order", "o.id"), "order_number": text("o.number"), "title": text("l.title"),
        "variant_label": text("l.variant_label"), "quantity": whole("l.quantity"), "total": Amount("l.unit_price_minor * l.quantity", "o.currency"),
        "pay_by": instant("o.pay_by", nullable=True), "shop": Within(SHOP_FIELDS),
    }
)  # fmt: skip
"""A line of an order on which money is owed; aliases `l`, `o` and `s`."""
_DUE_ROW: Final = "row(owed.pay_by, owed.due, owed.currency, owed.orders)"
_LINE_ROW: Final = (
    f"row(l.id, o.id, o.number, l.title, l.variant_label, l.quantity, l.unit_price_minor * l.quantity, o.currency, o.pay_by, {SHOP.row})"
)
_SHOP_ROW: Final = f"row(owed.due, owed.orders, owed.pay_by, owed.currency, {SHOP.row})"


def _of_shop(row: Any) -> Row:
    return {"amount_due": money(row[0], row[3]), "order_count": row[1], "pay_by": row[2], "shop": SHOP.read(row[4])}


def _of_deadline(row: Any) -> Row:
    return {"pay_by": row[0], "amount_due": money(row[1], row[2]), "order_count": row[3]}


def _line(row: Any) -> Row:
    return {
        "line_id": public_id("line", row[0]), "order_id": public_id("order", row[1]), "order_number": row[2], "title": row[3], "variant_label": row[4],
        "quantity": row[5], "total": money(row[6], row[7]), "pay_by": row[8], "shop": SHOP.read(row[9]),
    }  # fmt: skip


PARTS: Final[Mapping[str, tuple[str, str, Read]]] = {
    "totals": (TOTALS, "row(t.currency, t.due)", lambda row: money(row[1], row[0])),
    "by_shop": (BY_SHOP, _SHOP_ROW, _of_shop),
    "by_deadline": (BY_DEADLINE, _DUE_ROW, _of_deadline),
    "lines": (LINES, _LINE_ROW, _line),
}
"""What may be asked of all that is owed: statement, row, reader."""
WRITTEN: Final[Mapping[str, tuple[str, Fields | Amount]]] = {
    "totals": (TOTALS, TOTAL_FIELDS), "by_shop": (BY_SHOP, OWED_FIELDS), "by_deadline": (BY_DEADLINE, DEADLINE_FIELDS), "lines": (LINES, LINE_FIELDS),
}  # fmt: skip
"""The same as texts."""


async def unpaid_of_buyer(
    member_id: UUID,
    *,
    page: Page,
    wanted: Wanted,
    viewpoint: Viewpoint,
    narrowed: UnpaidFilter | None = None,
    count: bool = False,
    parts: Collection[str] = (),
) -> Slice:
    """Open orders on which the member owes money, the nearest deadline first. `summary` has those of PARTS that are asked for."""
    args = Args()
    listing = _unpaid(member_id, narrowed or UnpaidFilter(), args)
    asked = {name: PARTS[name] for name in PARTS if name in parts}
    summary = {name: f"array({sql.format(row=row, where=listing.where)})" for name, (sql, row, _) in asked.items()}
    found = await fetch_page(order_shape(wanted, viewpoint), listing, page, args, count=count, summary=summary)
    for name, (_, _, read) in asked.items():
        found.summary[name] = [read(row) for row in found.summary[name]]
    return found


def unpaid_screen(member_id: UUID, args: Args, *, page: Page, narrowed: UnpaidFilter) -> Screen:
    """The same, written as text."""
    if narrowed == ALL:
        listing, whole_list = _whole_screen(args.member(member_id))
    else:
        listing = _unpaid(member_id, narrowed, args)
        whole_list = _written(listing)
    return Screen(ORDER_FIELDS, listing, page, args, whole_list, steady=True)


@lru_cache(maxsize=64)
def _whole_screen(member: str) -> tuple[Listing, Mapping[str, Rows]]:
    """What nearly every request for this screen asks for; `member` is a parameter."""
    listing = _of_member(member, "")
    return listing, _written(listing)


def _written(listing: Listing) -> Mapping[str, Rows]:
    return {name: Rows(fields, sql.replace("{where}", listing.where)) for name, (sql, fields) in WRITTEN.items()}


def _unpaid(member_id: UUID, narrowed: UnpaidFilter, args: Args) -> Listing:
    return _of_member(args.member(member_id), narrowed.where(args))


def _of_member(member: str, narrowed: str) -> Listing:
    where = f"o.member_id = {member} and {OWED}{narrowed}"
    return Listing(ORDERS, where, at=f"coalesce(o.pay_by, {NO_DEADLINE})", id="o.id", newest_first=False, counted='"order" o')
