"""Pickup states and the reasons to refuse a code. Pure. The code itself is in `code.py`."""

from __future__ import annotations

from enum import StrEnum


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
