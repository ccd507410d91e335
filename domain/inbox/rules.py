"""Order of work in the inbox. Pure."""

from __future__ import annotations

import hashlib
from enum import StrEnum

NARROWING = (600, 50, 12, 3, 1)
"""How many events a lane's batch takes, by the number of tries that failed before (narrows on the poison row)."""
TRIES_BEFORE_PARKING = 5
"""A single event that fails this often alone is parked with its reason."""


class EventState(StrEnum):
    PENDING = "PENDING"
    DECIDED = "DECIDED"
    PARKED = "PARKED"


def lane_number(lane: str) -> int:
    """A lane's text as a signed 64-bit number: key of its index and of its advisory lock."""
    return int.from_bytes(hashlib.blake2b(lane.encode("utf-8", "replace"), digest_size=8).digest(), "big", signed=True)


def batch_limit(failed_tries: int) -> int:
    """Events of the next batch of a lane whose last `failed_tries` batches failed."""
    return NARROWING[min(failed_tries, len(NARROWING) - 1)]
