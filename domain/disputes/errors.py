"""What the disputes room refuses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from domain.errors import DomainError


@dataclass
class AlreadyOpen(DomainError):
    """There is a dispute about this order that is not closed; write there."""

    code: ClassVar[str] = "ALREADY_OPEN"
    order_id: UUID


@dataclass
class Closed(DomainError):
    """The dispute is closed; nothing is added to it."""

    code: ClassVar[str] = "INVALID_TRANSITION"
    dispute_id: UUID


@dataclass
class TooManyMessages(DomainError):
    """One side has written too much within the hour, or the dispute is full."""

    code: ClassVar[str] = "OVER_LIMIT"
    dispute_id: UUID
