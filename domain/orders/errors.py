"""What the orders room refuses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from domain.errors import DomainError


@dataclass
class InvalidTransition(DomainError):
    """The order stands where this step cannot be taken."""

    code: ClassVar[str] = "INVALID_TRANSITION"
    order_id: UUID
    axis: str
    """state, payment or fulfilment."""
    current: str
    wanted: str


@dataclass
class VersionConflict(DomainError):
    """Somebody changed the order meanwhile: look again and decide anew."""

    code: ClassVar[str] = "VERSION_CONFLICT"
    order_id: UUID
    expected_version: int
    current_version: int
