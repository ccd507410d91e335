"""Ways to take money by hand. Pure."""

from __future__ import annotations

from enum import StrEnum


class PaymentMethod(StrEnum):
    CASH = "CASH"
    BANK_TRANSFER = "BANK_TRANSFER"
    CARD_TERMINAL = "CARD_TERMINAL"
    OTHER = "OTHER"
