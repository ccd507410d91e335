"""Orders as a buyer's screens write them: the same fields as `shapes`, as texts. A field that is not here is read as rows.

Table aliases as in `shapes` and `parcels`: `o` order, `s` shop, `l` line, `sh` parcel, `k` pickup.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from domain.orders import parcels
from domain.orders.acts import ACTS, UNDO_UNTIL
from domain.orders.attached_written import ATTACHED_FIELDS
from domain.orders.lines_written import CLAIM, VARIANT, post
from domain.orders.payment_shapes import ONLINE
from domain.orders.rules import OrderAction
from domain.orders.shapes import ALL_OF, LINES_AT_ONCE, LINES_SHOWN, own_actions
from domain.orders.shipments import SHIPMENT_FIELDS, SHIPMENTS_OF_ORDER
from domain.paging.written import (
    SHOP_FIELDS,
    Amount,
    Entry,
    Fields,
    Made,
    Maybe,
    One,
    Paged,
    Part,
    Rows,
    Within,
    flag,
    instant,
    public,
    text,
    whole,
    word,
)


@lru_cache(maxsize=512)
def _over(state: str, payment: str, fulfilment: str, method: str) -> tuple[OrderAction, ...]:
    return tuple(own_actions(state, payment, fulfilment, method, "", delivers=False))


def _actions(state: str, payment: str, fulfilment: str, method: str, acts: str, delivers: str) -> tuple[OrderAction, ...]:
    """Of an order that is over, which most are, its states alone say it: nothing is delivered any more either."""
    if not acts:
        return _over(state, payment, fulfilment, method)
    return tuple(own_actions(state, payment, fulfilment, method, acts, delivers=delivers == "yes"))


DELIVERS: Final = "case when s.offers_delivery then 'yes' else 'no' end"
ACTIONS: Final = Part(Made(("o.state", "o.payment_state", "o.fulfilment_state", "o.delivery_method", ACTS, DELIVERS), _actions))

LINE_FIELDS: Final = Fields(
    {
        "id": public("line", "l.id"),
        "title": text("l.title"),
        "variant_label": text("l.variant_label"),
        "quantity": whole("l.quantity"),
        "handed_over": whole("l.handed_over"),
        "unit_price": Amount("l.unit_price_minor", "s.currency", of_outer=True),
        "total": Amount("l.unit_price_minor * l.quantity", "s.currency", of_outer=True),
        "beneficiary": text("nullif(l.beneficiary, '')", nullable=True),
        "variant": VARIANT,
        "claim": CLAIM,
        "source": Within(Fields({"platform": word("l.platform"), "post": post("l.post_id")})),
    }
)
"""A line; alias `l`, and `s` of the row around it."""

PAYMENT_FIELDS: Final = Fields(
    {"method": word("p.method"), "amount": Amount("p.amount_minor", "p.currency"), "paid_at": instant("p.recorded_at")}
)
EVENT_FIELDS: Final = Fields(
    {
        "kind": word(parcels.KIND), "at": instant("e.at"), "by": word(parcels.BY),
        "lines": Rows(
            Fields({"title": text("x.line ->> 'title'"), "variant_label": text("x.line ->> 'label'"), "quantity": whole("x.line ->> 'quantity'")}),
            parcels.EVENT_LINES,
        ),
    }
)  # fmt: skip
EVENT_KEY: Final = "lpad(to_hex(e.id), 32, '0')::uuid"

_ORDER: Final[dict[str, Entry]] = {
    "id": public("order", "o.id"),
    "number": text("o.number"),
    "version": whole("o.version"),
    "state": word("o.state"),
    "payment_state": word("o.payment_state"),
    "fulfilment_state": word("o.fulfilment_state"),
    "in_list": word("o.list"),
    "delivery_method": word("o.delivery_method"),
    "pay_by": instant("o.pay_by", nullable=True),
    "created_at": instant("o.created_at"),
    "updated_at": instant("o.updated_at"),
    "subtotal": Amount("o.subtotal_minor", "o.currency"),
    "shipping_fee": Amount("o.shipping_minor", "o.currency"),
    "discount": Amount("o.discount_minor", "o.currency"),
    "total": Amount("o.total_minor", "o.currency"),
    "paid": Amount("o.paid_minor", "o.currency"),
    "amount_due": Amount("greatest(o.total_minor - o.paid_minor, 0)", "o.currency"),
    "actions": ACTIONS,
    "pays_online": flag(ONLINE),
    "undo_until": instant(UNDO_UNTIL, nullable=True),
    "ship_later_until": instant("o.ship_later_until", nullable=True),
    "cancel_requested_at": instant("o.cancel_requested_at", nullable=True),
    "cancel_reason": text("nullif(o.cancel_reason, '')", nullable=True),
    "shop": Within(SHOP_FIELDS),
    "lines": Paged(
        Rows(
            LINE_FIELDS,
            f"select {{row}} from order_line l where l.order_id = o.id order by l.created_at, l.id limit {LINES_AT_ONCE + 1}",
        ),
        LINES_AT_ONCE,
        "lines of ",
        "o.id",
        ("l.created_at", "l.id"),
        ALL_OF["lines"],
        LINES_SHOWN,
    ),
    "payments": Rows(PAYMENT_FIELDS, parcels.PAYMENTS),
    "timeline": Paged(
        Rows(EVENT_FIELDS, parcels.EVENTS), parcels.EVENTS_AT_ONCE, "timeline of ", "o.id", ("e.at", EVENT_KEY), ALL_OF["timeline"]
    ),
    "buyer": One(
        Fields({"id": public("buyer", "b.id"), "name": text("b.name"), "provider": text("b.provider")}),
        "select {row} from buyer b where b.id = o.buyer_id",
    ),
    **ATTACHED_FIELDS,
}
ORDER_FIELDS: Final = Fields(_ORDER)
"""A buyer's own order; aliases `o` and `s`."""

LOAN_FIELDS: Final = Fields(
    {
        "to": text("k.lent_to", nullable=True), "lent_at": instant("k.lent_at"), "used_at": instant("k.lent_used_at", nullable=True),
        "is_active": flag("k.issue_number = k.lent_issue and k.lent_used_at is null and k.not_after is not null"),
    }
)  # fmt: skip
"""The newest loan of a pickup `k`, as its buyer sees it."""
PASS_SLOT_FIELDS: Final = Fields(
    {
        "id": public("slot", "t.id"), "starts_at": instant("t.starts_at"), "ends_at": instant("t.ends_at"),
        "place": text("nullif(f.place, '')", nullable=True),
    }
)  # fmt: skip
PICKUP_FIELDS: Final = Fields(
    {
        "id": public("pickup", "k.id"), "state": word("k.state"), "code_expires_at": instant("k.not_after", nullable=True),
        "created_at": instant("k.created_at"), "shop": Within(SHOP_FIELDS), "orders": Rows(ORDER_FIELDS, parcels.ORDERS_OF_PICKUP),
        "loan": Maybe(LOAN_FIELDS, "select {row} where k.lent_issue is not null"),
        "slot": Maybe(PASS_SLOT_FIELDS, parcels.SLOT_OF_PICKUP),
    }
)  # fmt: skip
"""A pickup; aliases `k` and `s`."""
_ORDER["shipments"] = Rows(SHIPMENT_FIELDS, SHIPMENTS_OF_ORDER)
_ORDER["pickup"] = Maybe(PICKUP_FIELDS, parcels.PICKUP_OF_ORDER)
