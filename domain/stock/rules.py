"""Stock figures of one variant and the reasons why they move. Pure.

`available = on_hand + backorder_limit - held - committed`: `held` are pieces of unpaid orders, `committed` pieces of paid orders not
yet handed over, `backorder_limit` what may be sold beyond the goods in the room (pre-order or agreed oversell), 0 when nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class MovementKind(StrEnum):
    """Which event moved a level; every movement has one."""

    RECEIVED = "RECEIVED"
    COUNTED = "COUNTED"
    ADJUSTED = "ADJUSTED"
    HELD = "HELD"
    RELEASED = "RELEASED"
    EXPIRED = "EXPIRED"
    COMMITTED = "COMMITTED"
    UNCOMMITTED = "UNCOMMITTED"
    HANDED_OVER = "HANDED_OVER"
    SHIPPED = "SHIPPED"
    RETURNED = "RETURNED"
    BALANCE = "BALANCE"
    """What older movements, now in the archive, add up to: carried forward, never an event of its own."""


class AdjustReason(StrEnum):
    """Why staff changed the goods on hand."""

    RECEIPT = "RECEIPT"
    COUNT = "COUNT"
    DAMAGE = "DAMAGE"
    LOSS = "LOSS"
    GIFT = "GIFT"
    RETURN = "RETURN"
    TRANSFER = "TRANSFER"
    CORRECTION = "CORRECTION"


class SellBeyond(StrEnum):
    """May more be sold than is there?"""

    DENY = "DENY"
    PREORDER = "PREORDER"
    OVERSELL = "OVERSELL"


@dataclass(frozen=True, slots=True)
class Level:
    """The figures of one variant, in pieces."""

    on_hand: int
    held: int
    committed: int
    backorder_limit: int

    @property
    def available(self) -> int:
        """Pieces that may still be sold."""
        return self.on_hand + self.backorder_limit - self.held - self.committed


def allot(available: int, wanted: int, *, partial: bool) -> int:
    """Pieces that can be held now: all, some if `partial`, or none. Never negative."""
    free = max(available, 0)
    return wanted if wanted <= free else (free if partial else 0)
