"""Kinds of events in an order's timeline as buyers see them. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class OrderEventKind(StrEnum):
    """What happened to an order. What has no name here is shown as OTHER."""

    LINES_ADDED = "LINES_ADDED"
    LINES_CANCELLED = "LINES_CANCELLED"
    PAYMENT_REMINDED = "PAYMENT_REMINDED"
    PAID = "PAID"
    READY_FOR_PICKUP = "READY_FOR_PICKUP"
    HANDED_OVER = "HANDED_OVER"
    SHIPPED = "SHIPPED"
    SHIPMENT_MOVED = "SHIPMENT_MOVED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    OTHER = "OTHER"


class OrderEventBy(StrEnum):
    """Who did it."""

    BUYER = "BUYER"
    SHOP = "SHOP"
    SYSTEM = "SYSTEM"


KINDS: Final = tuple(kind.value for kind in OrderEventKind if kind is not OrderEventKind.OTHER)
