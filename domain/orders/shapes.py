"""Orders, lines, claims and comments as screens show them; they nest into each other, so they stand in one file.

Table aliases: `o` order, `s` shop, `l` line, `c` claim, `sc` comment, `sp` post. A nested object is a sub-select that hides the outer alias
of the same name, so any depth works.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from domain.clock import asked_at
from domain.db import from_jsonb
from domain.ids import public_id
from domain.orders import parcels
from domain.orders.acts import ACTS, UNDO_UNTIL, buyer_acts, parcel_acts, read_acts, seller_acts
from domain.orders.attached_shapes import (
    DELIVERY,
    DELIVERY_OF_ORDER,
    GIFT,
    GIFT_OF_ORDER,
    IS_GIFT,
    NEWEST_TRANSFER,
    RECIPIENT,
    RECIPIENT_OF_ORDER,
    TRANSFER,
)
from domain.orders.payment_shapes import ATTEMPT, OF_ORDER, ONLINE
from domain.orders.rules import FulfilmentState, OrderAction, OrderState, PaymentState, amount_due_minor, buyer_actions, seller_actions
from domain.orders.shipments import SHIPMENTS_OF_ORDER, shipment_shape
from domain.paging import SHOP, Row, Shape, Wanted, money, same, shape, variant_shape
from domain.paging.page import COUNT_CAP
from domain.paging.shape import Read
from domain.posts.rules import DeliveryMethod
from domain.posts.screens import post_shape, read_rule
from domain.shops.rules import Permission
from domain.shops.screens import Seen

"""What actions depend on."""
LINES_AT_ONCE = 100
"""Lines of an order that come with it; further ones are a page of their own."""
LINES_SHOWN = 10
"""Lines of an order on a page whose size is not said."""

NEEDED = {
    OrderAction.MARK_PAID: Permission.MARK_PAID,
    OrderAction.ANSWER_TRANSFER: Permission.MARK_PAID,
    OrderAction.CANCEL: Permission.CANCEL_ORDER,
    OrderAction.HAND_OVER: Permission.SCAN_AND_HAND_OVER,
    OrderAction.SHIP: Permission.SHIP,
    OrderAction.ANSWER_CANCEL: Permission.CANCEL_ORDER,
}
"""What a member of staff must hold for an action to be offered."""
HIDDEN = (("comment", Permission.VIEW_COMMENTS), ("order", Permission.VIEW_ORDERS), ("transfer", Permission.MARK_PAID))
"""Branches, and what a member of staff must hold to see them."""


@dataclass(frozen=True, slots=True)
class Viewpoint:
    """Who looks: a buyer at what is theirs (`granted` is None), or staff with these permissions. `language`: one of `domain.words`."""

    language: str = "zh-TW"
    granted: frozenset[Permission] | None = None

    def may(self, permission: Permission) -> bool:
        """True for a buyer, and for staff who hold it."""
        return self.granted is None or permission in self.granted

    def actions(self, state: str, payment: str, fulfilment: str, method: str, acts: str, delivers: bool) -> list[OrderAction]:
        """What this viewer may do with an order in these states; `acts` is its ACTS. `delivers`: its shop offers ways of delivery."""
        if self.granted is None:
            return own_actions(state, payment, fulfilment, method, acts, delivers=delivers)
        axes = OrderState(state), PaymentState(payment), FulfilmentState(fulfilment)
        read = read_acts(acts)
        found = [*seller_actions(*axes, DeliveryMethod(method), being_paid=read.being_paid), *seller_acts(axes[0], read)]
        return [action for action in found if NEEDED[action] in self.granted]


def own_actions(state: str, payment: str, fulfilment: str, method: str, acts: str, *, delivers: bool) -> list[OrderAction]:
    """What the buyer of an order may do, at the instant of the request."""
    axes, read, now = (OrderState(state), PaymentState(payment), FulfilmentState(fulfilment)), read_acts(acts), asked_at()
    parcel = parcel_acts(*axes, read, now) if method == "SHIP" else ()
    return [*buyer_actions(*axes, DeliveryMethod(method), delivers=delivers), *buyer_acts(*axes, read, now), *parcel]


ORDER = (
    "o.id", "o.number", "o.version", "o.state", "o.payment_state", "o.fulfilment_state", "o.list", "o.delivery_method", "o.currency",
    "o.subtotal_minor", "o.shipping_minor", "o.discount_minor", "o.total_minor", "o.paid_minor", "o.pay_by", "o.created_at", "o.updated_at",
    "o.shop_id",
)  # fmt: skip


ATTACHED = (
    ("delivery", DELIVERY_OF_ORDER, DELIVERY.read_if),
    ("recipient", RECIPIENT_OF_ORDER, RECIPIENT.read_if),
    ("is_gift", IS_GIFT, same),
    ("gift", GIFT_OF_ORDER, GIFT.read_if),
    ("payment_attempts", OF_ORDER, ATTEMPT.read_all),
    ("pays_online", ONLINE, same),
    ("payments", f"array({parcels.PAYMENTS.format(row=parcels.PAYMENT.row)})", parcels.PAYMENT.read_all),
    ("timeline", f"array({parcels.EVENTS.format(row=parcels.EVENT.row)})", parcels.EVENT.read_all),
)
"""What hangs on an order, each a branch."""
ALL_OF = {
    "lines": "select from order_line x where x.order_id = o.id",
    "timeline": "select from order_event x where x.order_id = o.id",
}
"""Lists of an order that come with it only to a length: where their total is asked for they are counted as well."""
TOTALS = {name: f"(select count(*)::int from ({rows} limit {COUNT_CAP + 1}) counted)" for name, rows in ALL_OF.items()}
AMOUNTS = (("subtotal", 9), ("shipping_fee", 10), ("discount", 11), ("total", 12), ("paid", 13))


def _order_with(wanted: Wanted) -> Read:
    """Reads an order with the amounts that are wanted: a screen of twenty orders would otherwise make a hundred for nothing."""
    amounts = tuple((name, position) for name, position in AMOUNTS if name in wanted)
    due = "amount_due" in wanted

    def read(row: Any) -> Row:
        order, currency = _order(row), row[8]
        for name, position in amounts:
            order[name] = money(row[position], currency)
        if due:
            order["amount_due"] = money(amount_due_minor(row[12], row[13]), currency)
        return order

    return read


def _order(row: Any) -> Row:
    return {
        "key": row[0],
        "shop_key": row[17],
        "id": public_id("order", row[0]),
        "number": row[1],
        "version": row[2],
        "state": row[3],
        "payment_state": row[4],
        "fulfilment_state": row[5],
        "in_list": row[6],
        "delivery_method": row[7],
        "pay_by": row[14],
        "created_at": row[15],
        "updated_at": row[16],
    }


@lru_cache(maxsize=256)
def order_shape(wanted: Wanted, viewpoint: Viewpoint) -> Shape:
    """An order; aliases `o` and `s`. Branches: shop, buyer, lines, transfer, actions, what was wished, shipments, pickup, and ATTACHED."""
    branches: list[tuple[str, str, Read]] = []
    if "shop" in wanted:
        branches.append(("shop", SHOP.row, SHOP.read))
    if "buyer" in wanted:
        branches.append(("buyer", "(select row(b.id, b.name, b.provider) from buyer b where b.id = o.buyer_id)", _buyer))
    if "lines" in wanted:
        line = line_shape(wanted["lines"]["nodes"], viewpoint)
        goods = GOODS if "variant" in wanted["lines"]["nodes"] else ""
        rows = f"""array(select {line.row} from order_line l {goods} where l.order_id = o.id
            order by l.created_at, l.id limit {LINES_AT_ONCE + 1})"""
        branches.append(("lines", rows, line.read_all))
    branches += [
        (f"{name}_total", total, same) for name, total in TOTALS.items() if wanted[name].any_of("total_count", "total_count_is_exact")
    ]
    for name, sql, reader in ATTACHED:
        if name in wanted:
            branches.append((name, sql, reader))
    if "transfer" in wanted:
        newest = f"({NEWEST_TRANSFER.format(row=TRANSFER.row)})"
        branches.append(("transfer", newest if viewpoint.may(Permission.MARK_PAID) else "null::record", TRANSFER.read_if))
    if "actions" in wanted:
        branches += [("acts", ACTS, same), ("delivers", "s.offers_delivery", same)]
    if wanted.any_of("undo_until", "ship_later_until", "cancel_requested_at", "cancel_reason"):
        branches.append(("wishes", WISHES, tuple))
    branches += _on_its_way(wanted, viewpoint)
    base = shape(ORDER, _order_with(wanted), branches)

    def read(row: Any) -> Row:
        order: Row = base.read(row)
        if "acts" in order:
            order["actions"] = viewpoint.actions(*(order[name] for name in ACTING))
        if "wishes" in order:
            order |= zip(("undo_until", "ship_later_until", "cancel_requested_at", "cancel_reason"), order.pop("wishes"), strict=True)
        order["viewpoint"] = viewpoint
        return order

    return Shape(base.columns, read)


def _on_its_way(wanted: Wanted, viewpoint: Viewpoint) -> list[tuple[str, str, Read]]:
    """Branches that lead to an order's parcels and its pass."""
    branches: list[tuple[str, str, Read]] = []
    if "shipments" in wanted:
        parcel = shipment_shape(wanted["shipments"])
        branches.append(("shipments", f"array({SHIPMENTS_OF_ORDER.format(row=parcel.row)})", parcel.read_all))
    if "pickup" in wanted:
        found = pickup_shape(wanted["pickup"], viewpoint)
        branches.append(("pickup", f"({parcels.PICKUP_OF_ORDER.format(row=found.row)})", found.read_if))
    return branches


@lru_cache(maxsize=128)
def pickup_shape(wanted: Wanted, viewpoint: Viewpoint) -> Shape:
    """A pickup; aliases `k` and `s`. Branches: shop, slot, orders."""
    branches: list[tuple[str, str, Read]] = [("shop", SHOP.row, SHOP.read)] if "shop" in wanted else []
    if "slot" in wanted:
        branches.append(("slot", f"({parcels.SLOT_OF_PICKUP.format(row=parcels.PASS_SLOT.row)})", parcels.PASS_SLOT.read_if))
    if "orders" in wanted:
        order = order_shape(wanted["orders"], viewpoint)
        branches.append(("orders", f"array({parcels.ORDERS_OF_PICKUP.format(row=order.row)})", order.read_all))
    return shape(parcels.PICKUP, parcels.read_pickup(own=viewpoint.granted is None), branches)


ACTING = ("state", "payment_state", "fulfilment_state", "delivery_method", "acts", "delivers")
WISHES = f"row({UNDO_UNTIL}, o.ship_later_until, o.cancel_requested_at, nullif(o.cancel_reason, ''))"


def _buyer(row: Any) -> Row:
    return {"id": public_id("buyer", row[0]), "name": row[1], "provider": row[2]}


GOODS = "join variant v on v.id = l.variant_id join product p on p.id = v.product_id"
LINES = f"order_line l {GOODS} join shop s on s.id = l.shop_id"
LINE = (
    "l.id", "l.title", "l.variant_label", "l.quantity", "l.handed_over", "l.unit_price_minor", "s.currency", "l.platform", "l.created_at",
    "l.beneficiary",
)  # fmt: skip


def _line_with(wanted: Wanted) -> Read:
    price, total = "unit_price" in wanted, "total" in wanted

    def read(row: Any) -> Row:
        key = row[0]
        line = {
            "position": (row[8], key),
            "id": public_id("line", key),
            "title": row[1],
            "variant_label": row[2],
            "quantity": row[3],
            "handed_over": row[4],
            "source": {"platform": row[7], "post": None},
            "beneficiary": row[9] or None,
        }
        if price:
            line["unit_price"] = money(row[5], row[6])
        if total:
            line["total"] = money(row[5] * row[3], row[6])
        return line

    return read


@lru_cache(maxsize=256)
def line_shape(wanted: Wanted, viewpoint: Viewpoint) -> Shape:
    """An order line; aliases of LINES. Branches: variant, claim, and the post of its source."""
    branches: list[tuple[str, str, Read]] = []
    if "variant" in wanted:
        variant = variant_shape(wanted["variant"])
        branches.append(("variant", variant.row, variant.read))
    if "claim" in wanted:
        claim = claim_shape(wanted["claim"], viewpoint)
        branches.append(("claim", f"(select {claim.row} from claim c where c.id = l.claim_id)", claim.read_if))
    if "post" in wanted["source"]:
        post = post_shape(wanted["source"]["post"], viewpoint.language)
        sql = f"(select {post.row} from sales_post sp join shop s on s.id = sp.shop_id where sp.id = l.post_id)"
        base = shape(LINE, _line_with(wanted), [*branches, ("source_post", sql, post.read_if)])
        return Shape(base.columns, lambda row: _with_post(base.read(row)))
    return shape(LINE, _line_with(wanted), branches)


def _with_post(line: Row) -> Row:
    line["source"]["post"] = line.pop("source_post")
    return line


CLAIM = ("c.id", "c.outcome", "c.reason", "c.review", "c.decided_at")


def _claim(row: Any) -> Row:
    return {
        "id": public_id("claim", row[0]),
        "outcome": row[1],
        "reason": row[2] or None,
        "review": row[3],
        "decided_at": row[4],
    }


@lru_cache(maxsize=256)
def claim_shape(wanted: Wanted, viewpoint: Viewpoint) -> Shape:
    """A claim; alias `c`. Branches: comment, matched, order, rule. Staff need the permission of what a branch shows."""
    branches: list[tuple[str, str, Read]] = []
    if "comment" in wanted and not viewpoint.may(Permission.VIEW_COMMENTS):
        branches.append(("comment", "null::record", nothing))
    elif "comment" in wanted:
        comment = comment_shape(wanted["comment"], viewpoint)
        branches.append(("comment", f"(select {comment.row} from social_comment sc where sc.id = c.comment_id)", comment.read_if))
    if "matched" in wanted:
        trail = "c.result->'trail'" if viewpoint.may(Permission.VIEW_COMMENTS) else "null::json"
        branches.append(("matched", trail, read_matched))
    if "order" in wanted and not viewpoint.may(Permission.VIEW_ORDERS):
        branches.append(("order", "null::record", nothing))
    elif "order" in wanted:
        order = order_shape(wanted["order"], viewpoint)
        sql = f'(select {order.row} from "order" o join shop s on s.id = o.shop_id where o.id = c.order_id)'
        branches.append(("order", sql, order.read_if))
    if "rule" in wanted:
        sql = "(select row(r.id, r.version, r.policy, r.effective_at) from claim_policy_version r where r.id = c.policy_version_id)"
        branches.append(("rule", sql, read_rule(viewpoint.language)))
    return shape(CLAIM, _claim, branches)


def read_matched(trail: str | None) -> list[Row]:
    """A claim's stored trail in the order of the text; spans are code points of it as it was read. Empty once the comment is erased."""
    return [
        {"kind": token["kind"], "text": token["text"], "start": token["span"][0], "end": token["span"][1], "value": token["value"]}
        for token in sorted(from_jsonb(trail) or (), key=lambda token: token["span"])
    ]


COMMENT = ("sc.id", "sc.platform", "sc.text", "sc.written_at", "sc.received_at", "sc.removed_at", "sc.author_name", "sc.permalink")


def _comment(row: Any) -> Row:
    return {
        "id": public_id("comment", row[0]),
        "platform": row[1],
        "text": row[2] if row[5] is None else None,
        "written_at": row[3],
        "received_at": row[4],
        "removed_at": row[5],
        "author": {"name": row[6]},
        "permalink": row[7] or None,
    }


@lru_cache(maxsize=256)
def comment_shape(wanted: Wanted, viewpoint: Viewpoint) -> Shape:
    """A comment as it now stands (a removed one without its text); alias `sc`. Branches: claim, post, revisions."""
    branches: list[tuple[str, str, Read]] = []
    if "claim" in wanted:
        claim = claim_shape(wanted["claim"], viewpoint)
        branches.append(("claim", f"(select {claim.row} from claim c where c.comment_id = sc.id)", claim.read_if))
    if "post" in wanted:
        post = post_shape(wanted["post"], viewpoint.language)
        sql = f"(select {post.row} from sales_post sp join shop s on s.id = sp.shop_id where sp.id = sc.post_id)"
        branches.append(("post", sql, post.read_if))
    if "revisions" in wanted:
        sql = "array(select row(r.kind, r.text, r.at) from comment_history r where r.comment_id = sc.id order by r.id limit 50)"
        branches.append(("revisions", sql, _revisions))
    return shape(COMMENT, _comment, branches)


def _revisions(rows: Any) -> list[Row]:
    return [{"kind": kind, "text": text, "at": at} for kind, text, at in rows]


def nothing(_: Any) -> None:
    """Reads a branch that this viewer may not see."""


def as_seen(seen: Seen, language: str) -> Row:
    """A row that was read as its buyer's, as this viewer may see it: staff get their own actions, and no branch without its permission."""
    viewpoint = Viewpoint(language, seen.granted)
    if not seen.is_buyer or seen.granted:
        _look(seen.row, viewpoint, also_buyer=seen.is_buyer)
    return seen.row


def _look(value: Any, viewpoint: Viewpoint, *, also_buyer: bool) -> None:
    if isinstance(value, list):
        for each in value:
            _look(each, viewpoint, also_buyer=also_buyer)
    if not isinstance(value, dict):
        return
    if "actions" in value:
        own = value["actions"] if also_buyer else []
        value["actions"] = [*own, *viewpoint.actions(*(value[name] for name in ACTING))]
    if not also_buyer:
        if "viewpoint" in value:
            value["viewpoint"] = viewpoint
        for branch, permission in HIDDEN:
            if branch in value and not viewpoint.may(permission):
                value[branch] = None
        if value.get("loan"):
            value["loan"]["to"] = None  # the buyer's own words
        if "matched" in value and not viewpoint.may(Permission.VIEW_COMMENTS):
            value["matched"] = []
    for child in value.values():
        _look(child, viewpoint, also_buyer=also_buyer)
