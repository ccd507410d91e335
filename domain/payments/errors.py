"""What the payments room refuses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from domain.errors import DomainError, InvalidField


@dataclass
class AlreadyPaid(DomainError):
    """Nothing is owed: this order was paid before."""

    code: ClassVar[str] = "ALREADY_PAID"
    order_id: UUID


@dataclass
class AmountMismatch(DomainError):
    """Only the whole amount due is taken by hand."""

    code: ClassVar[str] = "AMOUNT_MISMATCH"
    order_id: UUID
    due_minor: int
    given_minor: int
    currency: str


class InvalidAccount(InvalidField):
    """The contract with a payment provider cannot be so; `field` says what is wrong."""


@dataclass
class NotOnline(DomainError):
    """This shop takes no money online, or not in this way or currency, or there is no time left for it."""

    code: ClassVar[str] = "PAYMENT_UNAVAILABLE"
    order_id: UUID


@dataclass
class TooManyAttempts(DomainError):
    """The order was tried to be paid too often within an hour."""

    code: ClassVar[str] = "OVER_LIMIT"
    order_id: UUID


@dataclass
class AlreadyReturned(DomainError):
    """The surplus of this attempt was given back before."""

    code: ClassVar[str] = "INVALID_TRANSITION"
    attempt_id: UUID
