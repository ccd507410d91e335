"""What the shipping room refuses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from domain.errors import DomainError, InvalidField


class BadParcel(InvalidField):
    """A part of what is said about a parcel cannot be; `field` names it as the app does."""


@dataclass
class InvalidMove(DomainError):
    """The parcel stands where this step cannot be taken."""

    code: ClassVar[str] = "INVALID_TRANSITION"
    shipment_id: UUID
    current: str
    wanted: str


@dataclass
class PiecesGone(DomainError):
    """More pieces of a line than are left to be sent; the others were handed over, packed or sent."""

    code: ClassVar[str] = "OVER_LIMIT"
    order_line_id: UUID
    wanted: int
    available: int


@dataclass
class TwoBuyers(DomainError):
    """A parcel goes to one buyer."""

    code: ClassVar[str] = "DIFFERENT_BUYERS"


@dataclass
class ChoicesDiffer(DomainError):
    """The orders of a parcel go to different places, and its label names none: a parcel for each, or carrier and store by hand."""

    code: ClassVar[str] = "DELIVERY_DIFFERS"
    field: str = "carrier"


@dataclass
class NumberTaken(DomainError):
    """Another parcel of the shop has this carrier's tracking number."""

    code: ClassVar[str] = "TRACKING_NUMBER_USED"


@dataclass
class BadImport(DomainError):
    """The text of an import is no table of ours: too long, no heading, or an unknown column. `field` names the input."""

    code: ClassVar[str] = "BAD_IMPORT"
    field: str
    reason: str
