"""The three axes of an order, their transition tables, and what follows from them. Pure.

An order says three independent things: what the shop intends (`OrderState`), where the money is (`PaymentState`) and where the
goods are (`FulfilmentState`). Each axis has one table; a state not named as a key's target cannot be entered from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
    TRACK = "TRACK"


S = TypeVar("S", bound=StrEnum)
State, P, F = OrderState, PaymentState, FulfilmentState

NEXT_ORDER: Mapping[OrderState, frozenset[OrderState]] = MappingProxyType(
    {
        State.OPEN: frozenset({State.LOCKED, State.COMPLETED, State.CANCELLED}),
        State.LOCKED: frozenset({State.OPEN, State.COMPLETED}),
        State.COMPLETED: frozenset({State.OPEN}),
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

_SENT = frozenset({F.SHIPPED, F.ARRIVED_AT_STORE, F.DELIVERED, F.RETURNED})
_TO_BE_SENT = frozenset({F.UNFULFILLED, F.WAITING_STOCK, F.READY_FOR_PICKUP})
NEXT_FULFILMENT: Mapping[FulfilmentState, frozenset[FulfilmentState]] = MappingProxyType(
    {
        F.UNFULFILLED: frozenset({F.WAITING_STOCK, F.READY, F.PARTIAL, F.LABELLED, F.SHIPPED, F.READY_FOR_PICKUP}),
        F.WAITING_STOCK: frozenset({F.UNFULFILLED, F.READY, F.PARTIAL, F.LABELLED, F.READY_FOR_PICKUP}),
        F.READY: frozenset({F.UNFULFILLED, F.PARTIAL, F.LABELLED, F.SHIPPED, F.READY_FOR_PICKUP}),
        F.PARTIAL: _TO_BE_SENT | _SENT | {F.HANDED_OVER},
        F.LABELLED: _TO_BE_SENT | _SENT | {F.READY, F.PARTIAL},
        F.SHIPPED: (_SENT | {F.PARTIAL}) - {F.SHIPPED},
        F.ARRIVED_AT_STORE: (_SENT | {F.PARTIAL}) - {F.ARRIVED_AT_STORE},
        F.READY_FOR_PICKUP: frozenset({F.UNFULFILLED, F.PARTIAL, F.LABELLED, F.HANDED_OVER}),
        F.HANDED_OVER: frozenset({F.READY_FOR_PICKUP, F.RETURNED}),
        F.DELIVERED: (_SENT | {F.PARTIAL}) - {F.DELIVERED},
        F.RETURNED: (_TO_BE_SENT | _SENT | {F.PARTIAL}) - {F.RETURNED},
    }
)
"""A carrier tells late, out of order, and takes back what it told: what was sent may be found anywhere, and be sent again."""

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
STILL_HERE = frozenset({F.UNFULFILLED, F.WAITING_STOCK, F.READY, F.READY_FOR_PICKUP, F.PARTIAL})
"""Pieces of it are in the shop's hands, as far as its states tell."""


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
    if _to_collect(state, payment, fulfilment, method):
        actions.append(OrderAction.SHOW_CODE)
    under_way = fulfilment in (F.SHIPPED, F.ARRIVED_AT_STORE) or (fulfilment is F.PARTIAL and method is DeliveryMethod.SHIP)
    if state is not State.CANCELLED and under_way:
        actions.append(OrderAction.TRACK)
    return actions


def seller_actions(
    state: OrderState,
    payment: PaymentState,
    fulfilment: FulfilmentState,
    method: DeliveryMethod = DeliveryMethod.PICKUP,
    *,
    being_paid: bool = False,
) -> list[OrderAction]:
    """What staff may do now, before their own permissions are looked at. `being_paid`: an online payment may still succeed."""
    actions: list[OrderAction] = []
    if state is State.OPEN and payment in UNPAID_STATES:
        actions.append(OrderAction.MARK_PAID)
        if payment is not P.PARTIALLY_PAID and not being_paid:
            actions.append(OrderAction.CANCEL)
    if state is State.OPEN and payment is P.REPORTED:
        actions.append(OrderAction.ANSWER_TRANSFER)
    if _to_collect(state, payment, fulfilment, method):
        actions.append(OrderAction.HAND_OVER)
    if state is State.OPEN and method is DeliveryMethod.SHIP and payment in SETTLED_STATES and fulfilment in STILL_HERE:
        actions.append(OrderAction.SHIP)
    return actions


def _to_collect(state: OrderState, payment: PaymentState, fulfilment: FulfilmentState, method: DeliveryMethod) -> bool:
    """A part that was sent leaves the rest to be sent; a part that was collected leaves it to be collected."""
    there = fulfilment is F.READY_FOR_PICKUP or (fulfilment is F.PARTIAL and method is DeliveryMethod.PICKUP)
    return state is State.OPEN and payment in SETTLED_STATES and there


@dataclass(frozen=True, slots=True)
class Goods:
    """Where the pieces of an order are. `under_way`: with a carrier, also those that are lost or coming back; those that came back to be sent
    again are counted nowhere but in `ordered`."""

    ordered: int
    handed_over: int = 0
    packed: int = 0
    under_way: int = 0
    at_store: int = 0
    delivered: int = 0
    returned: int = 0

    @property
    def gone(self) -> int:
        """Pieces that have left the shop."""
        return self.handed_over + self.under_way + self.at_store + self.delivered + self.returned

    @property
    def are_received(self) -> bool:
        """The buyer has all of them."""
        return 0 < self.ordered == self.handed_over + self.delivered


def state_of_goods(current: FulfilmentState, goods: Goods) -> FulfilmentState:
    """Where an order stands whose pieces are there; `current` is kept while nothing has left and not all of it is packed."""
    if goods.gone == 0:
        if 0 < goods.ordered == goods.packed:
            return F.LABELLED
        return current if current in STILL_HERE - {F.PARTIAL} else F.UNFULFILLED
    if goods.gone < goods.ordered:
        return F.PARTIAL
    if goods.handed_over == goods.ordered:
        return F.HANDED_OVER
    if goods.under_way:
        return F.SHIPPED
    if goods.at_store:
        return F.ARRIVED_AT_STORE
    return F.DELIVERED if goods.delivered else F.RETURNED
