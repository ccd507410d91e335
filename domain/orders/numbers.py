"""Order numbers, as people read them to each other. Pure but for the drawing of characters."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no letter that looks like a digit."""


def numbers_of_day(now: datetime, time_zone: str) -> Callable[[], str]:
    """Makes order numbers: month and day in the shop's zone and six random characters, such as `1121-7K3QX9`.

    They are readable, and nobody's neighbour can be guessed.
    """
    day = f"{now.astimezone(ZoneInfo(time_zone)):%m%d}-"

    def number() -> str:
        drawn = secrets.randbits(30)
        return day + "".join([CROCKFORD[drawn >> shift & 31] for shift in (25, 20, 15, 10, 5, 0)])

    return number
