"""The three axes of an order, their transition tables, and what follows from them. Pure.

An order says three independent things: what the shop intends (`OrderState`), where the money is (`PaymentState`) and where the
goods are (`FulfilmentState`). Each axis has one table; a state not named as a key's target cannot be entered from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import TypeVar

from domain.posts.rules import DeliveryMethod


class OrderState(StrEnum):
    OPEN = "OPEN"
    LOCKED = "LOCKED"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"


class PaymentState(StrEnum):
    NONE_DUE = "NONE_DUE"
    UNPAID = "UNPAID"
    REPORTED = "REPORTED"
    PENDING = "PENDING"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"
    PARTIALLY_PAID = "PARTIALLY_PAID"
    PAID = "PAID"
    PARTIALLY_REFUNDED = "PARTIALLY_REFUNDED"
    REFUNDED = "REFUNDED"
    COLLECT_ON_DELIVERY = "COLLECT_ON_DELIVERY"


class FulfilmentState(StrEnum):
    UNFULFILLED = "UNFULFILLED"
    WAITING_STOCK = "WAITING_STOCK"
    READY = "READY"
    PARTIAL = "PARTIAL"
    LABELLED = "LABELLED"
    SHIPPED = "SHIPPED"
    ARRIVED_AT_STORE = "ARRIVED_AT_STORE"
    READY_FOR_PICKUP = "READY_FOR_PICKUP"
    HANDED_OVER = "HANDED_OVER"
    DELIVERED = "DELIVERED"
    RETURNED = "RETURNED"


class OrderList(StrEnum):
    """The seller's lists; every order is in exactly one."""

    TO_PAY = "TO_PAY"
    TO_SHIP = "TO_SHIP"
    TO_PICK_UP = "TO_PICK_UP"
    TO_RECEIVE = "TO_RECEIVE"
    REVIEW = "REVIEW"
    DONE = "DONE"


class OrderAction(StrEnum):
    """What a viewer may do now; computed here so that apps never guess state rules."""

    PAY = "PAY"
    CANCEL = "CANCEL"
    SHOW_CODE = "SHOW_CODE"
    REPORT_TRANSFER = "REPORT_TRANSFER"
    CHOOSE_DELIVERY = "CHOOSE_DELIVERY"
    MAKE_GIFT = "MAKE_GIFT"
    UNDO = "UNDO"
    REDUCE = "REDUCE"
    REQUEST_CANCEL = "REQUEST_CANCEL"
    MERGE = "MERGE"
    SHIP_LATER = "SHIP_LATER"
    SHIP_NOW = "SHIP_NOW"
    MARK_PAID = "MARK_PAID"
    ANSWER_TRANSFER = "ANSWER_TRANSFER"
    HAND_OVER = "HAND_OVER"
    SHIP = "SHIP"
    ANSWER_CANCEL = "ANSWER_CANCEL"


S = TypeVar("S", bound=StrEnum)
State, P, F = OrderState, PaymentState, FulfilmentState

NEXT_ORDER: Mapping[OrderState, frozenset[OrderState]] = MappingProxyType(
    {
        State.OPEN: frozenset({State.LOCKED, State.COMPLETED, State.CANCELLED}),
        State.LOCKED: frozenset({State.OPEN, State.COMPLETED}),
        State.COMPLETED: frozenset(),
        State.CANCELLED: frozenset(),
    }
)

_COLLECTING = frozenset({P.PENDING, P.REPORTED, P.FAILED, P.EXPIRED, P.PARTIALLY_PAID, P.PAID})
NEXT_PAYMENT: Mapping[PaymentState, frozenset[PaymentState]] = MappingProxyType(
    {
        P.NONE_DUE: frozenset({P.UNPAID}),
        P.UNPAID: _COLLECTING | {P.NONE_DUE, P.COLLECT_ON_DELIVERY},
        P.REPORTED: frozenset({P.UNPAID, P.FAILED, P.PARTIALLY_PAID, P.PAID}),
        P.PENDING: frozenset({P.UNPAID, P.FAILED, P.EXPIRED, P.PARTIALLY_PAID, P.PAID}),
        P.FAILED: _COLLECTING - {P.FAILED},
        P.EXPIRED: _COLLECTING - {P.EXPIRED},
        P.PARTIALLY_PAID: frozenset({P.PAID, P.PARTIALLY_REFUNDED, P.REFUNDED}),
        P.PAID: frozenset({P.PARTIALLY_REFUNDED, P.REFUNDED}),
        P.PARTIALLY_REFUNDED: frozenset({P.REFUNDED}),
        P.REFUNDED: frozenset(),
        P.COLLECT_ON_DELIVERY: frozenset({P.PAID, P.FAILED, P.UNPAID}),
    }
)

NEXT_FULFILMENT: Mapping[FulfilmentState, frozenset[FulfilmentState]] = MappingProxyType(
    {
        F.UNFULFILLED: frozenset({F.WAITING_STOCK, F.READY, F.PARTIAL, F.LABELLED, F.SHIPPED, F.READY_FOR_PICKUP}),
        F.WAITING_STOCK: frozenset({F.UNFULFILLED, F.READY, F.PARTIAL, F.READY_FOR_PICKUP}),
        F.READY: frozenset({F.UNFULFILLED, F.PARTIAL, F.LABELLED, F.SHIPPED, F.READY_FOR_PICKUP}),
        F.PARTIAL: frozenset({F.SHIPPED, F.HANDED_OVER, F.DELIVERED, F.RETURNED}),
        F.LABELLED: frozenset({F.READY, F.SHIPPED}),
        F.SHIPPED: frozenset({F.ARRIVED_AT_STORE, F.DELIVERED, F.RETURNED}),
        F.ARRIVED_AT_STORE: frozenset({F.DELIVERED, F.RETURNED}),
        F.READY_FOR_PICKUP: frozenset({F.UNFULFILLED, F.PARTIAL, F.HANDED_OVER}),
        F.HANDED_OVER: frozenset({F.READY_FOR_PICKUP, F.RETURNED}),
        F.DELIVERED: frozenset({F.RETURNED}),
        F.RETURNED: frozenset(),
    }
)

UNPAID_STATES = frozenset({P.UNPAID, P.REPORTED, P.PENDING, P.FAILED, P.EXPIRED, P.PARTIALLY_PAID})
"""The buyer still owes money."""
SETTLED_STATES = frozenset({P.PAID, P.NONE_DUE, P.COLLECT_ON_DELIVERY})
"""Goods may move."""
REPORTABLE = frozenset({P.UNPAID, P.REPORTED, P.FAILED, P.EXPIRED})
"""Where a buyer may say that money was sent; saying it again replaces what was said."""
AMOUNT_OPEN = frozenset({P.UNPAID, P.FAILED})
"""What the order costs may still change."""
NOT_SENT = frozenset({F.UNFULFILLED, F.WAITING_STOCK, F.READY, F.READY_FOR_PICKUP})
"""How the goods reach the buyer may still change."""
GONE = frozenset({F.HANDED_OVER, F.DELIVERED, F.RETURNED})


def may_move(table: Mapping[S, frozenset[S]], old: S, new: S) -> bool:
    """True when `new` follows `old`; staying is no move."""
    return new in table[old]


def amount_due_minor(total_minor: int, paid_minor: int) -> int:
    """What is still owed, in minor units; 0 when nothing is."""
    return max(total_minor - paid_minor, 0)


def list_of(state: OrderState, payment: PaymentState, fulfilment: FulfilmentState, method: DeliveryMethod, *, flagged: bool) -> OrderList:
    """The one list of the seller that this order stands in. `flagged`: something waits for a human."""
    if state in (State.CANCELLED, State.COMPLETED):
        return OrderList.DONE
    if flagged:
        return OrderList.REVIEW
    if payment in UNPAID_STATES:
        return OrderList.TO_PAY
    if fulfilment in (F.SHIPPED, F.ARRIVED_AT_STORE):
        return OrderList.TO_RECEIVE
    if fulfilment in (F.HANDED_OVER, F.DELIVERED, F.RETURNED):
        return OrderList.DONE
    return OrderList.TO_PICK_UP if method is DeliveryMethod.PICKUP else OrderList.TO_SHIP


SHIPPABLE: Mapping[PaymentState, frozenset[FulfilmentState]] = MappingProxyType(
    {P.PAID: frozenset({F.UNFULFILLED, F.READY, F.PARTIAL, F.LABELLED})}
)
"""Where the goods of a paid order are when they may be sent; those of no other order may."""


def may_report(state: OrderState, payment: PaymentState) -> bool:
    """Whether the buyer of such an order may report a transfer."""
    return state is State.OPEN and payment in REPORTABLE


def may_choose_delivery(state: OrderState, payment: PaymentState, fulfilment: FulfilmentState) -> bool:
    """Whether the buyer of such an order may choose how it is delivered, or choose anew."""
    money = payment in AMOUNT_OPEN or payment in (P.REPORTED, P.PENDING, P.PARTIALLY_PAID, P.PAID, P.NONE_DUE)
    return state is State.OPEN and money and fulfilment in NOT_SENT


def may_make_gift(state: OrderState, fulfilment: FulfilmentState) -> bool:
    """Whether such an order may be made a gift."""
    return state in (State.OPEN, State.LOCKED) and fulfilment not in GONE


def buyer_actions(
    state: OrderState,
    payment: PaymentState,
    fulfilment: FulfilmentState,
    method: DeliveryMethod = DeliveryMethod.PICKUP,
    *,
    delivers: bool = False,
) -> list[OrderAction]:
    """What the buyer may do now. `delivers`: the shop offers ways of delivery."""
    actions: list[OrderAction] = []
    if state is State.OPEN and payment in UNPAID_STATES:
        actions.append(OrderAction.PAY)
    if may_report(state, payment):
        actions.append(OrderAction.REPORT_TRANSFER)
    if delivers and may_choose_delivery(state, payment, fulfilment):
        actions.append(OrderAction.CHOOSE_DELIVERY)
    if may_make_gift(state, fulfilment):
        actions.append(OrderAction.MAKE_GIFT)
    if _may_be_collected(state, payment, fulfilment, method):
        actions.append(OrderAction.SHOW_CODE)
    return actions


def seller_actions(
    state: OrderState, payment: PaymentState, fulfilment: FulfilmentState, method: DeliveryMethod = DeliveryMethod.PICKUP
) -> list[OrderAction]:
    """What staff may do now, before their own permissions are looked at."""
    actions: list[OrderAction] = []
    if state is State.OPEN and payment in UNPAID_STATES:
        actions.append(OrderAction.MARK_PAID)
        if payment is not P.PARTIALLY_PAID:
            actions.append(OrderAction.CANCEL)
    if state is State.OPEN and payment is P.REPORTED:
        actions.append(OrderAction.ANSWER_TRANSFER)
    if _may_be_collected(state, payment, fulfilment, method):
        actions.append(OrderAction.HAND_OVER)
    if state is State.OPEN and method is DeliveryMethod.SHIP and fulfilment in SHIPPABLE.get(payment, ()):
        actions.append(OrderAction.SHIP)
    return actions


def _may_be_collected(state: OrderState, payment: PaymentState, fulfilment: FulfilmentState, method: DeliveryMethod) -> bool:
    """A part of what is collected has gone over the counter, a part of what is sent has gone in a parcel."""
    where = (F.READY_FOR_PICKUP, F.PARTIAL) if method is DeliveryMethod.PICKUP else (F.READY_FOR_PICKUP,)
    return state is State.OPEN and payment in SETTLED_STATES and fulfilment in where
