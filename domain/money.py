"""Money: integer minor units and a currency; never a float.

The number of minor digits follows ISO 4217 but for TWD: the list gives it two, while no price, bill or payment provider of Taiwan
has used a fraction of a dollar for decades, so one minor unit is one dollar there.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

DIGITS: dict[str, int] = {
    "BND": 2, "CNY": 2, "EUR": 2, "GBP": 2, "HKD": 2, "IDR": 2, "JPY": 0, "KRW": 0, "MOP": 2, "MYR": 2, "PHP": 2, "SGD": 2,
    "THB": 2, "TWD": 0, "USD": 2, "VND": 0,
}  # fmt: skip
"""Minor digits per supported currency; a test compares them with ISO 4217."""


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units of one currency."""

    minor: int
    currency: str

    @property
    def amount(self) -> Decimal:
        """The amount in major units, exact: 12345 HKD minor units are `Decimal('123.45')`."""
        return Decimal(self.minor).scaleb(-DIGITS[self.currency])


def minor_from_text(text: str, currency: str) -> int:
    """Minor units of a decimal text such as `"590"` or `"12.30"`.

    Raises:
        ValueError: not a plain decimal, an unknown currency, or more digits than the currency has.
    """
    if currency not in DIGITS:
        raise ValueError(f"unknown currency {currency!r}")
    head, dot, tail = text.partition(".")
    digits = head.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()) or (dot and not (tail.isascii() and tail.isdigit())):
        raise ValueError(f"not a decimal amount: {text!r}")
    if len(tail) > DIGITS[currency] or len(digits) > 15:
        raise ValueError(f"{text!r} does not fit {currency}")
    return int(head + tail.ljust(DIGITS[currency], "0"))
