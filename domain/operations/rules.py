"""Buckets of points: how large they are, how fast they fill, and the arithmetic of one instant per bucket.

A bucket is described by the instant at which it is full again: each point spent moves it 1 / rate seconds on. All buckets fill within REFILL.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

REFILL_SECONDS: Final = 20
MOST_DEBT: Final = 1.0
"""A bucket is never emptier than this many times its size below zero: who overspent waits 2 x REFILL_SECONDS at most."""


class Kind(StrEnum):
    """Whose bucket it is."""

    MEMBER = "member"
    SHOP = "shop"
    """The staff of one shop together."""
    SCANNER = "scanner"
    """One session of one who may only scan: nobody else at the shop slows the counter."""
    ADDRESS = "address"
    """Requests without sign-in from one address of the network, behind which there may be many people."""


SHARE: Final = {Kind.MEMBER: 1, Kind.SHOP: 5, Kind.SCANNER: 1, Kind.ADDRESS: 10}
"""Size and speed of a bucket, in those of a member's."""


@dataclass(frozen=True, slots=True)
class Size:
    """Points it holds, and points a second that come back."""

    maximum: int
    rate: int

    def left(self, full_at: float, now: float) -> int:
        """Whole points in it; negative in debt. Instants in seconds."""
        return math.floor(self.maximum - max(full_at - now, 0.0) * self.rate + 0.01)

    def seconds(self, points: int) -> float:
        """How long these points take to come back."""
        return points / self.rate


def size_of(kind: Kind, member_rate: int) -> Size:
    """The bucket of this kind where a member's fills by `member_rate` points a second."""
    rate = SHARE[kind] * member_rate
    return Size(rate * REFILL_SECONDS, rate)
