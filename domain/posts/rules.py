"""A post's life and the sentence that states its rule. Pure."""

from __future__ import annotations

from enum import StrEnum

from domain.values import Word


class PostState(StrEnum):
    DRAFT = "DRAFT"
    OPEN = "OPEN"
    CLOSED = "CLOSED"


class DeliveryMethod(Word):
    """How the goods reach the buyer."""

    PICKUP = "PICKUP"
    """Face to face: the seller scans the buyer's pass."""
    SHIP = "SHIP"
