"""What stands beside an order's lines on screens: payments, timeline and the pass; as rows. `written` has the same as texts.

Table aliases: `o` order, `s` its shop, `p` payment, `e` event, `k` pickup. What nests into orders again is put together in `shapes`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from domain.db import from_jsonb
from domain.ids import public_id
from domain.orders.timeline import KINDS
from domain.paging import Row, Shape, money
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
EVENT_LINES: Final = """select {row} from jsonb_array_elements(case when json_typeof(e.data -> 'lines') = 'array' then (e.data -> 'lines')::jsonb else '[]' end)
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

# The pass

PICKUP: Final = (
    "k.id", "k.state", "k.not_after", "k.created_at", "k.issue_number", "k.lent_issue", "k.lent_to", "k.lent_at", "k.lent_used_at",
)  # fmt: skip
PICKUP_OF_ORDER: Final = """select {row} from pickup_order po join pickup k on k.id = po.pickup_id left join shop s on s.id = k.shop_id
    where po.order_id = o.id"""
"""A pass always has its shop; a left join is left out by PostgreSQL where nothing of the shop is asked for."""
ORDERS_OF_PICKUP: Final = """select {row} from pickup_order po join "order" o on o.id = po.order_id join shop s on s.id = o.shop_id
    where po.pickup_id = k.id order by o.created_at, o.id limit 100"""


SLOT_OF_PICKUP: Final = """select {row} from pickup_slot t join delivery_offer f on f.id = t.offer_id and f.shop_id = k.shop_id
    where t.id = k.slot_id and t.shop_id = k.shop_id"""
PASS_SLOT: Final = Shape(
    ("t.id", "t.starts_at", "t.ends_at", "f.place"), lambda row: pass_slot(row[0], starts_at=row[1], ends_at=row[2], place=row[3])
)
"""What the orders of a pickup `k` chose; aliases `t` and `f`."""


def pass_slot(slot_id: UUID, *, starts_at: datetime, ends_at: datetime, place: str) -> Row:
    """When and where the orders of a pass are handed over."""
    return {"id": public_id("slot", slot_id), "starts_at": starts_at, "ends_at": ends_at, "place": place or None}


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
