"""What the payments room refuses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from domain.errors import DomainError


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


@dataclass
class InvalidTransfer(DomainError):
    """A field of a reported transfer cannot be."""

    code: ClassVar[str] = "INVALID_INPUT"
    field: str


class ReportsOver(DomainError):
    """Reports have stopped this order's deadline for as long as they may."""

    code: ClassVar[str] = "HOLD_EXPIRED"


@dataclass
class SlipRefused(DomainError):
    """These bytes are not kept. `reason`: TYPE, SIZE, PIXELS or BROKEN; nothing of the bytes is said."""

    code: ClassVar[str] = "SLIP_REFUSED"
    reason: str


class SlipTicketOver(DomainError):
    """The address to send a picture to is not ours, altered, or too old. One answer for every cause."""

    code: ClassVar[str] = "TICKET_OVER"
