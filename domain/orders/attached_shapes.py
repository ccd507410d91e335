"""What hangs on an order, as screens show it. Table aliases: `t` transfer report, `o` its order."""

from __future__ import annotations

from typing import Any

from domain.ids import public_id
from domain.paging import Row, Shape, money


def _transfer(row: Any) -> Row:
    return {
        "id": public_id("transfer", row[0]),
        "state": row[1],
        "last_five_digits": row[2] or None,
        "paid_at": row[3],
        "amount": money(row[4], row[5]),
        "is_amount_due": row[11],
        "slip_path": None if row[6] is None else f"/slips/{public_id('slip', row[6])}",
        "reason": row[7] or None,
        "reported_at": row[8],
        "answer_by": row[9],
        "answered_at": row[10],
    }


TRANSFER = Shape(
    (
        "t.id", "t.state", "t.last_five", "t.paid_at", "t.amount_minor", "t.currency", "t.slip_id", "t.reason", "t.reported_at", "t.answer_by",
        "t.answered_at", "t.amount_minor = o.total_minor - o.paid_minor",
    ),
    _transfer,
)  # fmt: skip
"""A report of a transfer."""
NEWEST_TRANSFER = "select {row} from transfer_report t where t.order_id = o.id order by t.reported_at desc, t.id desc limit 1"


def _offer(row: Any) -> Row:
    return {
        "id": public_id("offer", row[0]),
        "kind": row[1],
        "name": row[2],
        "place": row[3] or None,
        "chain": row[4],
        "fee": money(row[5], row[6]),
    }


OFFER = Shape(("f.id", "f.kind", "f.name", "f.place", "f.chain", "f.fee_minor", "s.currency"), _offer)
"""A shop's way of delivery; aliases `f` and `s`."""


def _slot(row: Any) -> Row:
    return {
        "id": public_id("slot", row[0]),
        "starts_at": row[1],
        "ends_at": row[2],
        "capacity": row[3],
        "left": row[3] - row[4] if row[5] is None else 0,
        "is_closed": row[5] is not None,
    }


SLOT = Shape(("k.id", "k.starts_at", "k.ends_at", "k.capacity", "k.taken", "k.closed_at"), _slot)
"""A pickup slot; alias `k`."""


def _delivery(row: Any) -> Row:
    return {
        "offer": _offer(row[0]),
        "slot": None if row[1] is None else _slot(row[1]),
        "store_code": row[2] or None,
        "store_name": row[3] or None,
        "chosen_at": row[4],
    }


DELIVERY = Shape((OFFER.row, SLOT.row_if("k.id"), "d.store_code", "d.store_name", "d.chosen_at"), _delivery)
DELIVERIES = """select {row} from order_delivery d join delivery_offer f on f.id = d.offer_id left join pickup_slot k on k.id = d.slot_id
  where d.order_id = o.id"""
DELIVERY_OF_ORDER = f"({DELIVERIES.format(row=DELIVERY.row)})"
"""What was chosen for the order `o`; alias `s` is its shop."""


def _recipient(row: Any) -> Row | None:
    name, phone, postal_code, address = (text or None for text in row)
    if name is None and phone is None and address is None:
        return None
    return {"name": name, "phone": phone, "postal_code": postal_code, "address": address}


RECIPIENT = Shape(("d.recipient_name", "d.recipient_phone", "d.postal_code", "d.address"), _recipient)
RECIPIENTS = "select {row} from order_delivery d where d.order_id = o.id"
RECIPIENT_OF_ORDER = f"({RECIPIENTS.format(row=RECIPIENT.row)})"


def _gift(row: Any) -> Row:
    return {"sender": row[0] or None, "message": row[1] or None, "has_link": row[2], "expires_at": row[3], "created_at": row[4]}


GIFT = Shape(("g.sender", "g.message", "g.token_hash is not null", "g.expires_at", "g.created_at"), _gift)
GIFTS = "select {row} from order_gift g where g.order_id = o.id"
GIFT_OF_ORDER = f"({GIFTS.format(row=GIFT.row)})"
IS_GIFT = "exists (select from order_gift g where g.order_id = o.id)"
