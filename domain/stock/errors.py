"""What the stock room refuses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from domain.errors import DomainError


@dataclass
class InsufficientStock(DomainError):
    """Fewer pieces than asked for."""

    code: ClassVar[str] = "INSUFFICIENT_STOCK"
    variant_id: UUID
    wanted: int
    """Pieces asked for (or to be taken away)."""
    available: int
    """Pieces that could have been given."""


@dataclass
class VersionConflict(DomainError):
    """Somebody changed the figure meanwhile: look again and decide anew."""

    code: ClassVar[str] = "VERSION_CONFLICT"
    variant_id: UUID
    expected_quantity: int
    current_quantity: int
    """Pieces on hand now."""


@dataclass
class OverLimit(DomainError):
    """More pieces than a level counts."""

    code: ClassVar[str] = "OVER_LIMIT"
    variant_id: UUID
    limit: int
