"""Order numbers, as people read them to each other. Pure but for the drawing of characters."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no letter that looks like a digit."""
_PAIRS: Final = [first + second for first in CROCKFORD for second in CROCKFORD]


def numbers_of_day(now: datetime, time_zone: str) -> Callable[[], str]:
    """Makes order numbers: month and day in the shop's zone and six random characters, such as `1121-7K3QX9`.

    They are readable, and nobody's neighbour can be guessed.
    """
    day = f"{now.astimezone(ZoneInfo(time_zone)):%m%d}-"

    def number() -> str:
        drawn = int.from_bytes(os.urandom(4), "big")
        return day + _PAIRS[drawn >> 20 & 1023] + _PAIRS[drawn >> 10 & 1023] + _PAIRS[drawn & 1023]

    return number
