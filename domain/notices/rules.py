"""Kinds of notices to members. Pure."""

from __future__ import annotations

from enum import StrEnum


class NoticeKind(StrEnum):
    ORDER_PLACED = "ORDER_PLACED"
    ORDER_PARTIAL = "ORDER_PARTIAL"
    WAITLISTED = "WAITLISTED"
    WAITLIST_FILLED = "WAITLIST_FILLED"
    SUGGESTION = "SUGGESTION"
    CLAIM_REJECTED = "CLAIM_REJECTED"
    LINES_CANCELLED = "LINES_CANCELLED"
    LINES_CHANGED = "LINES_CHANGED"
    ASK_BUYER = "ASK_BUYER"
    ORDER_CANCELLED = "ORDER_CANCELLED"
    ORDER_EXPIRED = "ORDER_EXPIRED"
    PAYMENT_RECEIVED = "PAYMENT_RECEIVED"
    PAYMENT_REMINDER = "PAYMENT_REMINDER"
    PAYMENT_TO_RETURN = "PAYMENT_TO_RETURN"
    PICKUP_READY = "PICKUP_READY"
    PICKED_UP = "PICKED_UP"
    SHIPMENT_UPDATED = "SHIPMENT_UPDATED"
    SHIPMENT_ARRIVED = "SHIPMENT_ARRIVED"
    ANNOUNCEMENT = "ANNOUNCEMENT"


class DeliveryState(StrEnum):
    """Life of one push or one reply."""

    PENDING = "PENDING"
    SENT = "SENT"
    DROPPED = "DROPPED"
    """The target is gone for good (dead token), or too old to be useful."""
    PARKED = "PARKED"
    """Given up after the limit; waits for a human."""
