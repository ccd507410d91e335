"""What stands beside an order's lines on screens: payments, timeline, parcels and the pass; as rows. `written` has the same as texts.

Table aliases: `o` order, `s` its shop, `p` payment, `e` event, `h` parcel, `k` pickup. What nests into orders again is put together in `shapes`.
"""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from domain.db import from_jsonb
from domain.ids import public_id
from domain.orders.timeline import KINDS
from domain.paging import SHOP, Row, Shape, Wanted, money
from domain.paging.shape import Read

EVENTS_AT_ONCE: Final = 100
"""Events of an order that come with it; further ones are a page of their own."""

# Payments

PAYMENTS: Final = "select {row} from payment p where p.order_id = o.id order by p.recorded_at, p.id limit 100"
PAYMENT: Final = Shape(
    ("p.method", "p.amount_minor", "p.currency", "p.recorded_at"),
    lambda row: {"method": row[0], "amount": money(row[1], row[2]), "paid_at": row[3]},
)

# The timeline

EVENTS: Final = f"select {{row}} from order_event e where e.order_id = o.id order by e.id limit {EVENTS_AT_ONCE + 1}"
KIND: Final = f"case when e.kind in ({', '.join(repr(kind) for kind in KINDS)}) then e.kind else 'OTHER' end"
BY: Final = """case when e.actor = 'member:' || o.member_id or e.actor like 'comment:%' then 'BUYER'
    when e.actor like 'worker:%' then 'SYSTEM' else 'SHOP' end"""
"""Who did it: nobody's name."""
EVENT_LINES: Final = """select {row} from jsonb_array_elements(case when jsonb_typeof(e.data -> 'lines') = 'array' then e.data -> 'lines' else '[]' end)
    with ordinality x(line, place) order by x.place limit 100"""


def _event(row: Any) -> Row:
    facts = from_jsonb(row[4])
    lines = facts.get("lines")
    return {
        "position": (row[2], UUID(int=row[0])),
        "kind": row[1],
        "at": row[2],
        "by": row[3],
        "lines": [_event_line(line) for line in lines[:100]] if isinstance(lines, list) else [],
    }


def _event_line(line: Any) -> Row:
    return {"title": line["title"], "variant_label": line["label"], "quantity": line["quantity"]}


EVENT: Final = Shape(("e.id", KIND, "e.at", BY, "e.data"), _event)
"""An event of an order; aliases `e` and `o`."""

# Parcels

SHIPMENTS: Final = "select {row} from shipment h where h.order_id = o.id order by h.id limit 100"
SHIPMENT: Final = (
    "h.id", "h.state", "h.carrier", "h.tracking_number", "h.store_code", "h.store_name", "h.store_address", "h.pick_up_by", "h.created_at",
    "h.updated_at",
)  # fmt: skip
SHIPMENT_EVENTS: Final = "select {row} from shipment_event w where w.shipment_id = h.id order by w.id limit 100"
SHIPMENT_LINES: Final = """select {row} from shipment_line y join order_line l on l.id = y.order_line_id where y.shipment_id = h.id
    order by y.id limit 100"""


def read_shipment(row: Any) -> Row:
    """A row of SHIPMENT."""
    return {
        "id": public_id("shipment", row[0]),
        "state": row[1],
        "carrier": row[2],
        "tracking_number": row[3] or None,
        "store_code": row[4] or None,
        "store_name": row[5] or None,
        "store_address": row[6] or None,
        "last_pickup_day": row[7],
        "created_at": row[8],
        "updated_at": row[9],
    }


_EVENT: Final = Shape(
    ("w.state", "w.at", "w.place", "w.note"),
    lambda row: {"state": row[0], "at": row[1], "place": row[2] or None, "note": row[3] or None},
)
_LINE: Final = Shape(
    ("l.id", "l.title", "l.variant_label", "y.quantity"),
    lambda row: {"line_id": public_id("line", row[0]), "title": row[1], "variant_label": row[2], "quantity": row[3]},
)


def branches_of(wanted: Wanted) -> list[tuple[str, str, Read]]:
    """Branches of a parcel that lead to no order: shop, events, lines."""
    branches: list[tuple[str, str, Read]] = [("shop", SHOP.row, SHOP.read)] if "shop" in wanted else []
    if "events" in wanted:
        branches.append(("events", f"array({SHIPMENT_EVENTS.format(row=_EVENT.row)})", _EVENT.read_all))
    if "lines" in wanted:
        branches.append(("lines", f"array({SHIPMENT_LINES.format(row=_LINE.row)})", _LINE.read_all))
    return branches


# The pass

PICKUP: Final = (
    "k.id", "k.state", "k.not_after", "k.created_at", "k.issue_number", "k.lent_issue", "k.lent_to", "k.lent_at", "k.lent_used_at",
)  # fmt: skip
PICKUP_OF_ORDER: Final = """select {row} from pickup_order po join pickup k on k.id = po.pickup_id join shop s on s.id = k.shop_id
    where po.order_id = o.id"""
ORDERS_OF_PICKUP: Final = """select {row} from pickup_order po join "order" o on o.id = po.order_id join shop s on s.id = o.shop_id
    where po.pickup_id = k.id order by o.created_at, o.id limit 100"""


def read_pickup(*, own: bool) -> Read:
    """Reads a row of PICKUP. Whom a code was lent to is the buyer's own to see."""

    def read(row: Any) -> Row:
        return {
            "id": public_id("pickup", row[0]),
            "state": row[1],
            "code_expires_at": row[2],
            "created_at": row[3],
            "loan": None if row[5] is None else _loan(row, own=own),
        }

    return read


def _loan(row: Any, *, own: bool) -> Row:
    """`is_active`: nobody has used it, and it is neither revoked nor replaced."""
    active = row[4] == row[5] and row[8] is None and row[2] is not None
    return {"to": row[6] if own else None, "lent_at": row[7], "used_at": row[8], "is_active": active}
