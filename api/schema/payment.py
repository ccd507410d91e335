"""Paying online: attempts, the page that leads to the provider, and money that has to go back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import strawberry

from api.schema.errors import OrderUserError
from api.schema.paging import Connection
from api.schema.scalars import Money
from domain.payments.rules import AttemptState, OnlinePaymentMethod, SurplusReason

if TYPE_CHECKING:
    from api.schema.order import Order

LATE_ORDER = Annotated["Order", strawberry.lazy("api.schema.order")]
VALUES: Final[Mapping[type[StrEnum], tuple[str, Mapping[str, str]]]] = {
    OnlinePaymentMethod: (
        "How to pay at the provider.",
        {
            "CARD": "A credit card.",
            "ATM": "A transfer to an account number made for this payment; it takes at least until the next day.",
            "STORE_CODE": "A code that is paid at a convenience store; from 31 to 20,000 dollars.",
        },
    ),
    AttemptState: (
        "How a try to pay stands.",
        {
            "PENDING": "Nothing has come so far.",
            "PAID": "The money has come.",
            "FAILED": "The provider refused it; try again.",
            "EXPIRED": "Its time is over. Money that comes nevertheless still counts.",
        },
    ),
    SurplusReason: (
        "Why money is not the order's.",
        {
            "ORDER_CLOSED": "The order was cancelled or had expired before it came.",
            "ALREADY_PAID": "The order was paid before.",
            "MORE_THAN_DUE": "The order had become smaller.",
            "OTHER_AMOUNT": "Another amount came than was asked for.",
        },
    ),
}
for _enum, (_about, _described) in VALUES.items():
    strawberry.enum(_enum, description=_about)
    for _value in _enum.__strawberry_definition__.values:  # type: ignore[attr-defined]
        _value.description = _described[_value.name]


@strawberry.type(description="The number that a payment is made with.")
class PaymentInstructions:
    bank: str | None = strawberry.field(description="The bank's code, with an account number.")
    number: str = strawberry.field(description="The account number, or the store's code.")
    until: datetime | None = strawberry.field(description="From then on the number takes no money.")


@strawberry.type(description="Money that came and is not the order's: the shop gives it back.")
class PaymentSurplus:
    amount: Money = strawberry.field(description="What goes back.")
    reason: SurplusReason = strawberry.field(description="Why.")
    returned_at: datetime | None = strawberry.field(description="When the shop said that it went back; null until then.")


@strawberry.type(description="One try to pay an order online.")
class PaymentAttempt:
    id: strawberry.ID = strawberry.field(description="What the shop names it by in `paymentReturnRecord`.")
    method: OnlinePaymentMethod = strawberry.field(description="How.")
    state: AttemptState = strawberry.field(description="How it stands, by the provider's own word alone.")
    amount: Money = strawberry.field(description="What was asked for.")
    created_at: datetime = strawberry.field(description="When it was begun.")
    instructions: PaymentInstructions | None = strawberry.field(description="Where the money goes, once the provider has made a number.")
    surplus: PaymentSurplus | None = strawberry.field(description="What of it goes back; null for the usual case.")


@strawberry.type(description="A surplus with its order, for the shop.")
class PaymentSurplusEntry:
    id: strawberry.ID = strawberry.field(description="The attempt's, for `paymentReturnRecord`.")
    attempt: PaymentAttempt = strawberry.field(description="The try by which the money came.")
    order: LATE_ORDER = strawberry.field(description="The order that was meant; null also for staff who may not view orders.")


PaymentSurplusConnection = Connection[PaymentSurplusEntry]


@strawberry.input(description="What to pay, and how.")
class PaymentSessionCreateInput:
    order_id: strawberry.ID = strawberry.field(description="An order of mine with `paysOnline`.")
    method: OnlinePaymentMethod = strawberry.field(description="How.")


@strawberry.type(description="The way to the provider.")
class PaymentSession:
    url: str = strawberry.field(
        description="Open it in the system's browser. It leads on to the provider; nothing that comes back by it proves a payment."
    )
    expires_at: datetime = strawberry.field(description="From then on begin a new one.")


@strawberry.type(description="What became of it.")
class PaymentSessionCreatePayload:
    session: PaymentSession | None = strawberry.field(description="Where to go on.")
    order: LATE_ORDER | None = strawberry.field(description="As it stands now.")
    user_errors: list[OrderUserError]


@strawberry.input(description="A surplus that went back to the payer.")
class PaymentReturnRecordInput:
    attempt_id: strawberry.ID = strawberry.field(description="From `paymentSurpluses`.")
    note: str = strawberry.field(description="How it went back; 1 to 200 characters, no account numbers.")


@strawberry.type(description="What became of it.")
class PaymentReturnRecordPayload:
    order: LATE_ORDER | None = strawberry.field(description="The order that was meant.")
    user_errors: list[OrderUserError]
