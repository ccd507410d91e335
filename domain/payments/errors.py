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
