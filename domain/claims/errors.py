"""What the claims room refuses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from domain.errors import DomainError


@dataclass
class NotResolvable(DomainError):
    """This comment cannot be made an order: nobody known wrote it, it stands under no post, or it was resolved before."""

    code: ClassVar[str] = "NOT_EDITABLE"
    comment_id: UUID


@dataclass
class NotOnPost(DomainError):
    """The variant is not offered by the comment's post."""

    code: ClassVar[str] = "ITEM_CLOSED"
    variant_id: UUID


@dataclass
class TooFew(DomainError):
    """Fewer pieces are free than the seller wants to give."""

    code: ClassVar[str] = "INSUFFICIENT_STOCK"
    variant_id: UUID
    wanted: int
    available: int


@dataclass
class SuggestionOver(DomainError):
    """This suggestion is no longer open: it was accepted, dismissed or decided otherwise, or its comment was edited or removed."""

    code: ClassVar[str] = "NOT_EDITABLE"
    claim_id: UUID
    why: str = ""
    """A reason code where the comment's own path gave one; for the log of the caller, not for the app."""


@dataclass
class SuggestionClosed(DomainError):
    """The post, the item or the time for a yes is closed."""

    code: ClassVar[str] = "ITEM_CLOSED"
    claim_id: UUID


@dataclass
class BadChoice(DomainError):
    """Not what was offered: another variant, another quantity of fixed lines, or no choice where one is needed."""

    code: ClassVar[str] = "INVALID_INPUT"
    field: str = "lines"


@dataclass
class OverLimit(DomainError):
    """More than one comment, this buyer or this span of time may ask for."""

    code: ClassVar[str] = "OVER_LIMIT"
    why: str = ""


@dataclass
class BuyerRestricted(DomainError):
    """The shop takes no orders from this buyer for now."""

    code: ClassVar[str] = "BUYER_RESTRICTED"


@dataclass
class CannotOrder(DomainError):
    """The post's policy wants a person to look at such a wish; without a comment there is nothing to look at."""

    code: ClassVar[str] = "NOT_EDITABLE"
    variant_id: UUID
    why: str = ""
    """A reason code of the comment's own path."""


@dataclass
class OfferOver(DomainError):
    """The time for this offer is over, or its place in the waiting list has ended."""

    code: ClassVar[str] = "HOLD_EXPIRED"
    offer_id: UUID


@dataclass
class PlaceOver(DomainError):
    """This place in the waiting list has ended: its pieces are ordered, or it was given up."""

    code: ClassVar[str] = "INVALID_TRANSITION"
    place_id: UUID
