"""What the delivery room refuses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from domain.errors import DomainError, InvalidField


class InvalidDelivery(InvalidField):
    """A field of an offer, a slot or a choice cannot be."""


class OfferOver(DomainError):
    """The shop no longer offers this, or the slot is closed or past."""

    code: ClassVar[str] = "ITEM_CLOSED"


@dataclass
class SlotFull(DomainError):
    """As many orders as the slot takes have chosen it; or a slot is to take fewer than have."""

    code: ClassVar[str] = "SLOT_FULL"
    slot_id: UUID


@dataclass
class FeeFixed(DomainError):
    """Money is underway or here: only another way at the same price may be chosen now."""

    code: ClassVar[str] = "AMOUNT_MISMATCH"
    order_id: UUID


@dataclass
class OtherOrderOpen(DomainError):
    """The buyer has another unpaid order by this way at the shop, to which comments are added; two of them cannot be."""

    code: ClassVar[str] = "DUPLICATE_ITEM"
    order_id: UUID


class TooMany(DomainError):
    """A shop has so many offers, or an offer so many coming slots, that no more are taken."""

    code: ClassVar[str] = "OVER_LIMIT"
