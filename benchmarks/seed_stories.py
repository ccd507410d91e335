"""How orders end up where they are: every state that an order can be in, with the moves that lead there. Pure.

A story begins at OPEN, UNPAID, UNFULFILLED. Each step is one update of the order (its version rises by one) and one entry of its timeline.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from domain.orders.rules import FulfilmentState as F
from domain.orders.rules import OrderState as S
from domain.orders.rules import PaymentState as P
from domain.posts.rules import DeliveryMethod


@dataclass(frozen=True, slots=True)
class Step:
    """One move along one or more axes."""

    kind: str
    """Of the timeline's entry."""
    state: S | None = None
    payment: P | None = None
    fulfilment: F | None = None
    staff: bool = False
    """Done by somebody of the shop; otherwise by the program."""


@dataclass(frozen=True, slots=True)
class Story:
    """A way through the states. `recent` and `old` say how often orders of the last weeks, and older ones, take it."""

    name: str
    method: DeliveryMethod
    recent: int
    old: int
    steps: tuple[Step, ...] = ()
    flagged: bool = False

    state: S = field(init=False)
    payment: P = field(init=False)
    fulfilment: F = field(init=False)
    """Where it ends."""

    def __post_init__(self) -> None:
        # Asked once per line of every order.
        object.__setattr__(self, "state", next((step.state for step in reversed(self.steps) if step.state), S.OPEN))
        object.__setattr__(self, "payment", next((step.payment for step in reversed(self.steps) if step.payment), P.UNPAID))
        object.__setattr__(self, "fulfilment", next((step.fulfilment for step in reversed(self.steps) if step.fulfilment), F.UNFULFILLED))


PICKUP, SHIP = DeliveryMethod.PICKUP, DeliveryMethod.SHIP

REPORTED = Step("PAYMENT_REPORTED", payment=P.REPORTED)
PENDING = Step("PAYMENT_PENDING", payment=P.PENDING)
FAILED = Step("PAYMENT_FAILED", payment=P.FAILED)
LAPSED = Step("PAYMENT_EXPIRED", payment=P.EXPIRED)
PART_PAID = Step("PARTIALLY_PAID", payment=P.PARTIALLY_PAID, staff=True)
FREE = Step("NONE_DUE", payment=P.NONE_DUE, staff=True)
ON_DELIVERY = Step("COLLECT_ON_DELIVERY", payment=P.COLLECT_ON_DELIVERY)
PAID = Step("PAID", payment=P.PAID, staff=True)
PAID_READY = Step("PAID", payment=P.PAID, fulfilment=F.READY_FOR_PICKUP, staff=True)
PAID_WAITING = Step("PAID", payment=P.PAID, fulfilment=F.WAITING_STOCK, staff=True)
SOME_HANDED = Step("HANDED_OVER", fulfilment=F.PARTIAL, staff=True)
HANDED = Step("HANDED_OVER", state=S.COMPLETED, fulfilment=F.HANDED_OVER, staff=True)
READY = Step("READY", fulfilment=F.READY, staff=True)
LABELLED = Step("LABELLED", fulfilment=F.LABELLED, staff=True)
SHIPPED = Step("SHIPPED", fulfilment=F.SHIPPED, staff=True)
ARRIVED = Step("ARRIVED_AT_STORE", fulfilment=F.ARRIVED_AT_STORE)
DELIVERED = Step("DELIVERED", state=S.COMPLETED, fulfilment=F.DELIVERED)
RETURNED = Step("RETURNED", fulfilment=F.RETURNED)
REFUNDED = Step("REFUNDED", payment=P.REFUNDED, staff=True)
PART_REFUNDED = Step("PARTIALLY_REFUNDED", payment=P.PARTIALLY_REFUNDED, staff=True)
LOCKED = Step("LOCKED", state=S.LOCKED, staff=True)
CANCELLED = Step("CANCELLED", state=S.CANCELLED, staff=True)
EXPIRED = Step("EXPIRED", state=S.CANCELLED, payment=P.EXPIRED)

WAITING_FOR_GOODS: Final = Story("waiting for goods", PICKUP, 3, 0, (PAID_WAITING,))
READY_TO_COLLECT: Final = Story("ready to collect", PICKUP, 22, 0, (PAID_READY,))
SAYS_PAID: Final = Story("says it is paid", PICKUP, 4, 0, (REPORTED,))

STORIES: Final[tuple[Story, ...]] = (
    Story("unpaid", PICKUP, 30, 0),
    SAYS_PAID,
    Story("payment pending", PICKUP, 3, 0, (PENDING,)),
    Story("payment failed", PICKUP, 2, 0, (PENDING, FAILED)),
    Story("payment lapsed", PICKUP, 2, 0, (PENDING, LAPSED)),
    Story("partly paid", PICKUP, 2, 0, (PART_PAID,)),
    Story("a gift", PICKUP, 1, 0, (FREE,)),
    Story("held back", PICKUP, 1, 0, (LOCKED,)),
    Story("to be looked at", PICKUP, 1, 0, (REPORTED,), flagged=True),
    WAITING_FOR_GOODS,
    READY_TO_COLLECT,
    Story("partly collected", PICKUP, 3, 0, (PAID_READY, SOME_HANDED)),
    Story("collected", PICKUP, 10, 780, (PAID_READY, HANDED)),
    Story("cancelled", PICKUP, 2, 40, (CANCELLED,)),
    Story("ran out of time", PICKUP, 2, 60, (EXPIRED,)),
    Story("unpaid, to be sent", SHIP, 4, 0),
    Story("paid, to be sent", SHIP, 3, 0, (PAID,)),
    Story("packed", SHIP, 2, 0, (PAID, READY)),
    Story("labelled", SHIP, 1, 0, (PAID, LABELLED)),
    Story("on its way", SHIP, 2, 0, (PAID, LABELLED, SHIPPED)),
    Story("at the store", SHIP, 1, 0, (PAID, SHIPPED, ARRIVED)),
    Story("delivered", SHIP, 2, 110, (PAID, LABELLED, SHIPPED, DELIVERED)),
    Story("paid on delivery", SHIP, 1, 0, (ON_DELIVERY, SHIPPED)),
    Story("came back", SHIP, 0, 4, (PAID, SHIPPED, ARRIVED, RETURNED), flagged=True),
    Story("refunded", SHIP, 0, 4, (PAID, SHIPPED, RETURNED, REFUNDED)),
    Story("partly refunded", SHIP, 0, 2, (PAID, SHIPPED, PART_REFUNDED)),
)


def drawn(method: DeliveryMethod, *, recent: bool) -> list[Story]:
    """Stories of orders of this kind as often as they happen: picking one of these evenly is picking by weight."""
    return [story for story in STORIES if story.method is method for _ in range(story.recent if recent else story.old)]
