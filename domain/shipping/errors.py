"""Refusals of the shipping room."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from domain.errors import DomainError


@dataclass
class NotShippable(DomainError):
    """The order is not one that may be sent now, or these pieces are not left in it."""

    code: ClassVar[str] = "NOT_SHIPPABLE"
    order_id: UUID
    reason: str


@dataclass
class NoSuchStep(DomainError):
    """A parcel that stands there does not come to stand here."""

    code: ClassVar[str] = "INVALID_TRANSITION"
    shipment_id: UUID
    old: str
    new: str
