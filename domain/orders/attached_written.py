"""What hangs on an order, as texts: the same as `attached_shapes` and `payment_shapes`, with the same aliases; `o` and `s` are the order and its shop."""

from __future__ import annotations

from typing import Final

from domain.orders.attached_shapes import DELIVERIES, GIFTS, NEWEST_TRANSFER, RECIPIENTS
from domain.orders.payment_shapes import ATTEMPTS
from domain.paging.written import Amount, Entry, Fields, Maybe, Rows, Within, flag, instant, public, text, whole, word

OFFER_FIELDS: Final = Fields(
    {
        "id": public("offer", "f.id"), "kind": word("f.kind"), "name": text("f.name"), "place": text("nullif(f.place, '')", nullable=True),
        "chain": word("f.chain", nullable=True), "fee": Amount("f.fee_minor", "s.currency", of_outer=True),
    }
)  # fmt: skip
SLOT_FIELDS: Final = Fields(
    {
        "id": public("slot", "k.id"), "starts_at": instant("k.starts_at"), "ends_at": instant("k.ends_at"), "capacity": whole("k.capacity"),
        "left": whole("case when k.closed_at is null then k.capacity - k.taken else 0 end"), "is_closed": flag("k.closed_at is not null"),
    }
)  # fmt: skip
DELIVERY_FIELDS: Final = Fields(
    {
        "offer": Within(OFFER_FIELDS),
        "slot": Maybe(SLOT_FIELDS, "select {row} where k.id is not null"),
        "store_code": text("nullif(d.store_code, '')", nullable=True),
        "store_name": text("nullif(d.store_name, '')", nullable=True),
        "chosen_at": instant("d.chosen_at"),
    }
)
RECIPIENT_FIELDS: Final = Fields(
    {
        "name": text("nullif(d.recipient_name, '')", nullable=True),
        "phone": text("nullif(d.recipient_phone, '')", nullable=True),
        "postal_code": text("nullif(d.postal_code, '')", nullable=True),
        "address": text("nullif(d.address, '')", nullable=True),
    }
)
GIFT_FIELDS: Final = Fields(
    {
        "sender": text("nullif(g.sender, '')", nullable=True),
        "message": text("nullif(g.message, '')", nullable=True),
        "has_link": flag("g.token_hash is not null"),
        "expires_at": instant("g.expires_at"),
        "created_at": instant("g.created_at"),
    }
)
SLIP_PATH: Final = """'/slips/slip_' || translate(rtrim(encode(uuid_send(t.slip_id), 'base64'), '='), '+/', '-_')"""
"""The public id, as `domain.ids` writes it."""
TRANSFER_FIELDS: Final = Fields(
    {
        "id": public("transfer", "t.id"),
        "state": word("t.state"),
        "last_five_digits": text("nullif(t.last_five, '')", nullable=True),
        "paid_at": instant("t.paid_at"),
        "amount": Amount("t.amount_minor", "t.currency"),
        "is_amount_due": flag("t.amount_minor = o.total_minor - o.paid_minor"),
        "slip_path": text(SLIP_PATH, nullable=True),
        "reason": text("nullif(t.reason, '')", nullable=True),
        "reported_at": instant("t.reported_at"),
        "answer_by": instant("t.answer_by"),
        "answered_at": instant("t.answered_at", nullable=True),
    }
)
INSTRUCTION_FIELDS: Final = Fields(
    {
        "bank": text("nullif(t.bank, '')", nullable=True),
        "number": text("t.number"),
        "until": instant("t.number_until", nullable=True),
    }
)
SURPLUS_FIELDS: Final = Fields(
    {
        "amount": Amount("t.surplus_minor", "t.currency", of_outer=True),
        "reason": word("t.surplus_reason"),
        "returned_at": instant("t.returned_at", nullable=True),
    }
)
ATTEMPT_FIELDS: Final = Fields(
    {
        "id": public("attempt", "t.id"),
        "method": word("t.method"),
        "state": word("t.state"),
        "amount": Amount("t.amount_minor", "t.currency"),
        "created_at": instant("t.created_at"),
        "instructions": Maybe(INSTRUCTION_FIELDS, "select {row} where t.number <> ''"),
        "surplus": Maybe(SURPLUS_FIELDS, "select {row} where t.surplus_minor <> 0"),
    }
)

ATTACHED_FIELDS: Final[dict[str, Entry]] = {
    "delivery": Maybe(DELIVERY_FIELDS, DELIVERIES),
    "recipient": Maybe(RECIPIENT_FIELDS, f"{RECIPIENTS} and (d.recipient_name <> '' or d.recipient_phone <> '' or d.address <> '')"),
    "is_gift": flag("exists (select from order_gift g where g.order_id = o.id)"),
    "gift": Maybe(GIFT_FIELDS, GIFTS),
    "transfer": Maybe(TRANSFER_FIELDS, NEWEST_TRANSFER),
    "payment_attempts": Rows(ATTEMPT_FIELDS, ATTEMPTS),
}
