"""Pickup states, the reasons to refuse a code, and what of a pass may leave now. Pure. The code itself is in `code.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from uuid import UUID

from domain.orders.rules import FulfilmentState, OrderState, PaymentState


class PickupState(StrEnum):
    OPEN = "OPEN"
    COLLECTED = "COLLECTED"
    CANCELLED = "CANCELLED"


class PickupRefusal(StrEnum):
    """Closed list, public. Clients treat unknown values as RULES."""

    INVALID = "INVALID"
    EXPIRED = "EXPIRED"
    ALREADY_USED = "ALREADY_USED"
    WRONG_SHOP = "WRONG_SHOP"
    WRONG_SLOT = "WRONG_SLOT"
    UNPAID = "UNPAID"
    NOT_READY = "NOT_READY"
    CANCELLED = "CANCELLED"
    REVOKED = "REVOKED"
    BLOCKED = "BLOCKED"
    AMBIGUOUS = "AMBIGUOUS"
    RULES = "RULES"
    NOT_PERMITTED = "NOT_PERMITTED"


CODE_LIFE = timedelta(days=3)
"""How long a code is good after it was issued; the app renews it silently in the second half."""
SCAN_LIFE = timedelta(minutes=10)
"""How long after the scan the hand-over may be confirmed."""
CLOCK_SLACK = timedelta(minutes=1)
"""A scan from the future is believed this far: two of our processes may differ so much."""
SHORT_CODE_TRIES = 10
SHORT_CODE_WINDOW = timedelta(minutes=1)
"""Short codes that one scanner may try in a shop, and in which time."""
LONGEST_LOAN_NAME = 40
"""Characters of whom a pass is lent to."""
MAX_ISSUES = 65_535
"""The issue number has two bytes in the code."""


@dataclass(frozen=True, slots=True)
class LineQuantity:
    """So many pieces of one order line."""

    order_line_id: UUID
    quantity: int


@dataclass(frozen=True, slots=True)
class CoveredOrder:
    """An order of a pass as it stands; `left` are its pieces not handed over yet, `due_minor` what is owed for it."""

    state: OrderState
    payment: PaymentState
    fulfilment: FulfilmentState
    left: int
    due_minor: int

    @property
    def may_leave(self) -> bool:
        """Paid, ready, and something is left."""
        ready = self.fulfilment in (FulfilmentState.READY_FOR_PICKUP, FulfilmentState.PARTIAL)
        return self.state is OrderState.OPEN and self.payment is PaymentState.PAID and ready and self.left > 0


def refusal_of(
    state: PickupState, current_issue: int, shown_issue: int | None, orders: Sequence[CoveredOrder], dead: PickupRefusal | None = None
) -> PickupRefusal | None:
    """Why nothing of this pass may leave; None when something may. `shown_issue` is None where no code was shown (issuing one). `dead`: why the
    newest code is good for nothing (revoked, or lent and used).

    The first that holds: cancelled, all collected, replaced by a newer code, dead; then, when no order of it may leave: unpaid, not ready,
    cancelled, collected.
    """
    if state is PickupState.CANCELLED:
        return PickupRefusal.CANCELLED
    if state is PickupState.COLLECTED:
        return PickupRefusal.ALREADY_USED
    if shown_issue is not None and shown_issue != current_issue:
        return PickupRefusal.REVOKED if shown_issue < current_issue else PickupRefusal.INVALID
    if shown_issue is not None and dead is not None:
        return dead
    if any(order.may_leave for order in orders):
        return None
    still_open = [order for order in orders if order.state in (OrderState.OPEN, OrderState.LOCKED) and order.left > 0]
    if any(order.payment is not PaymentState.PAID for order in still_open):
        return PickupRefusal.UNPAID
    if still_open:
        return PickupRefusal.NOT_READY
    if any(order.state is OrderState.COMPLETED for order in orders):
        return PickupRefusal.ALREADY_USED
    return PickupRefusal.CANCELLED if orders else PickupRefusal.NOT_READY


def masked(name: str) -> str:
    """A buyer's name as the counter sees it: the first and last character of it stay, at most three are shown."""
    text = name.strip()
    if len(text) < 2:
        return text
    return f"{text[0]}○" if len(text) == 2 else f"{text[0]}○{text[-1]}"
