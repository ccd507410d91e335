"""Ways to take money, and what becomes of an attempt to pay online. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from domain.orders.rules import UNPAID_STATES, OrderState, PaymentState


class PaymentMethod(StrEnum):
    CASH = "CASH"
    BANK_TRANSFER = "BANK_TRANSFER"
    CARD_TERMINAL = "CARD_TERMINAL"
    OTHER = "OTHER"
    ONLINE = "ONLINE"
    """Through a payment provider; nobody writes it by hand."""


class OnlinePaymentMethod(StrEnum):
    CARD = "CARD"
    ATM = "ATM"
    STORE_CODE = "STORE_CODE"


class AttemptState(StrEnum):
    PENDING = "PENDING"
    PAID = "PAID"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"


A = AttemptState
NEXT_ATTEMPT: Final[Mapping[AttemptState, frozenset[AttemptState]]] = MappingProxyType(
    {
        A.PENDING: frozenset({A.PAID, A.FAILED, A.EXPIRED}),
        A.FAILED: frozenset({A.PAID}),
        A.EXPIRED: frozenset({A.PAID, A.FAILED}),
        A.PAID: frozenset(),
    }
)
"""Late news of money wins over our guess; nothing goes back to PENDING."""


class SurplusReason(StrEnum):
    """Why money that came is not the order's."""

    ORDER_CLOSED = "ORDER_CLOSED"
    ALREADY_PAID = "ALREADY_PAID"
    MORE_THAN_DUE = "MORE_THAN_DUE"
    OTHER_AMOUNT = "OTHER_AMOUNT"


@dataclass(frozen=True, slots=True)
class Share:
    """What received money does: `takes` of it pay the order (the whole due where `settles`), `surplus` waits for the shop to return it."""

    takes: int
    settles: bool
    surplus: int
    reason: SurplusReason | None


def share_of(received: int, asked: int, state: OrderState, payment: PaymentState, due: int) -> Share:
    """How money received for an attempt over `asked` falls on its order. Amounts in minor units, `received` above 0.

    An amount other than the one asked for is nobody's guess to make: all of it waits for a person. So does money for an order that is
    closed or paid. Less than what is due now (the order grew since) pays a part.
    """
    if received != asked:
        return Share(0, False, received, SurplusReason.OTHER_AMOUNT)
    if payment is PaymentState.PAID or (state is OrderState.OPEN and due == 0):
        return Share(0, False, received, SurplusReason.ALREADY_PAID)
    if state is not OrderState.OPEN or payment not in UNPAID_STATES:
        return Share(0, False, received, SurplusReason.ORDER_CLOSED)
    if received < due:
        return Share(received, False, 0, None)
    surplus = received - due
    return Share(due, True, surplus, SurplusReason.MORE_THAN_DUE if surplus else None)
