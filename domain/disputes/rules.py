"""A buyer's problem with an order, talked over with the shop. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

LONGEST_TEXT: Final = 2_000
MOST_MESSAGES: Final = 200
"""Of one dispute."""
MOST_PER_HOUR: Final = 20
"""Messages of one side in one dispute."""


class DisputeReason(StrEnum):
    NOT_RECEIVED = "NOT_RECEIVED"
    WRONG_GOODS = "WRONG_GOODS"
    DAMAGED = "DAMAGED"
    WRONG_AMOUNT = "WRONG_AMOUNT"
    NOT_ORDERED = "NOT_ORDERED"
    OTHER = "OTHER"


class DisputeState(StrEnum):
    WAITS_FOR_SHOP = "WAITS_FOR_SHOP"
    WAITS_FOR_BUYER = "WAITS_FOR_BUYER"
    CLOSED = "CLOSED"


class Side(StrEnum):
    BUYER = "BUYER"
    SHOP = "SHOP"


AFTER: Final = {Side.BUYER: DisputeState.WAITS_FOR_SHOP, Side.SHOP: DisputeState.WAITS_FOR_BUYER}
"""Who has to answer once this side has written."""
