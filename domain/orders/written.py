"""Orders as a buyer's screens write them: the same fields as `shapes`, as texts. A field that is not here is read as rows.

Table aliases as in `shapes` and `parcels`: `o` order, `s` shop, `l` line, `h` parcel, `k` pickup.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from domain.orders import parcels
from domain.orders.acts import ACTS, UNDO_UNTIL
from domain.orders.payment_shapes import ONLINE
from domain.orders.rules import OrderAction
from domain.orders.shapes import LINES_AT_ONCE, own_actions
from domain.paging.written import (
    SHOP_FIELDS,
    Amount,
    Entry,
    Fields,
    Made,
    Maybe,
    Paged,
    Part,
    Rows,
    Within,
    day,
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
        "source": Within(Fields({"platform": word("l.platform")})),
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
    ),
    "payments": Rows(PAYMENT_FIELDS, parcels.PAYMENTS),
    "timeline": Paged(Rows(EVENT_FIELDS, parcels.EVENTS), parcels.EVENTS_AT_ONCE),
}
ORDER_FIELDS: Final = Fields(_ORDER)
"""A buyer's own order; aliases `o` and `s`."""

SHIPMENT_FIELDS: Final = Fields(
    {
        "id": public("shipment", "h.id"), "state": word("h.state"), "carrier": text("h.carrier"),
        "tracking_number": text("nullif(h.tracking_number, '')", nullable=True), "store_code": text("nullif(h.store_code, '')", nullable=True),
        "store_name": text("nullif(h.store_name, '')", nullable=True), "store_address": text("nullif(h.store_address, '')", nullable=True),
        "last_pickup_day": day("h.pick_up_by", nullable=True), "created_at": instant("h.created_at"), "updated_at": instant("h.updated_at"),
        "shop": Within(SHOP_FIELDS), "order": Within(ORDER_FIELDS),
        "events": Rows(
            Fields(
                {
                    "state": word("w.state"), "at": instant("w.at"), "place": text("nullif(w.place, '')", nullable=True),
                    "note": text("nullif(w.note, '')", nullable=True),
                }
            ),
            parcels.SHIPMENT_EVENTS,
        ),
        "lines": Rows(
            Fields(
                {
                    "line_id": public("line", "l.id"), "title": text("l.title"), "variant_label": text("l.variant_label"),
                    "quantity": whole("y.quantity"),
                }
            ),
            parcels.SHIPMENT_LINES,
        ),
    }
)  # fmt: skip
"""A parcel; aliases `h`, `o` and `s`."""
PICKUP_FIELDS: Final = Fields(
    {
        "id": public("pickup", "k.id"), "state": word("k.state"), "code_expires_at": instant("k.not_after", nullable=True),
        "created_at": instant("k.created_at"), "shop": Within(SHOP_FIELDS), "orders": Rows(ORDER_FIELDS, parcels.ORDERS_OF_PICKUP),
    }
)  # fmt: skip
"""A pickup; aliases `k` and `s`."""
_ORDER["shipments"] = Rows(SHIPMENT_FIELDS, parcels.SHIPMENTS)
_ORDER["pickup"] = Maybe(PICKUP_FIELDS, parcels.PICKUP_OF_ORDER)
