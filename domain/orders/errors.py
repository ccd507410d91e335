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


@dataclass
class IsPaid(DomainError):
    """The order is paid: its lines are the shop's to change."""

    code: ClassVar[str] = "ALREADY_PAID"
    order_id: UUID


@dataclass
class PaymentUnderWay(DomainError):
    """An online payment may still succeed: what it costs must not change, and the order must not end, before that is known."""

    code: ClassVar[str] = "PAYMENT_UNDER_WAY"
    order_id: UUID


@dataclass
class UndoOver(DomainError):
    """The shop's minutes for taking a line back without asking are over."""

    code: ClassVar[str] = "UNDO_OVER"
    line_id: UUID


@dataclass
class NotFewer(DomainError):
    """A line is only ever made smaller."""

    code: ClassVar[str] = "INVALID_INPUT"
    line_id: UUID
    field: str = "quantity"


@dataclass
class NotReducible(DomainError):
    """The rule that the line was ordered under lets nobody take it back, or not any more."""

    code: ClassVar[str] = "NOT_EDITABLE"
    line_id: UUID


@dataclass
class ReferenceMissing(DomainError):
    """Money goes back: the shop must say what it finds that by."""

    code: ClassVar[str] = "APPROVAL_REQUIRED"
    field: str = "refundReference"


@dataclass
class CrossShopMerge(DomainError):
    """Orders of several shops stay several."""

    code: ClassVar[str] = "CROSS_SHOP_MERGE"
    order_id: UUID


@dataclass
class NotMergeable(DomainError):
    """The shop was asked to cancel one of them, or the merged order would be the second unpaid one of its way: that one belongs to it too."""

    code: ClassVar[str] = "NOT_EDITABLE"
    order_id: UUID
    field: str = "orderIds"


@dataclass
class DeliveryDiffers(DomainError):
    """They are delivered in different ways or to different places: `deliveryFrom` says which of them goes for all."""

    code: ClassVar[str] = "DELIVERY_DIFFERS"
    field: str = "deliveryFrom"


@dataclass
class GiftDiffers(DomainError):
    """One of them is a gift, whose link shows what is in it: `giftFrom` says which gift all of them become."""

    code: ClassVar[str] = "GIFT_DIFFERS"
    field: str = "giftFrom"


@dataclass
class HoldOver(DomainError):
    """The time to pay is over; the order is about to be cancelled."""

    code: ClassVar[str] = "HOLD_EXPIRED"
    order_id: UUID
