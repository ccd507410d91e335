"""Reports of bank transfers and the pictures that go with them: states, periods and bounds. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final


class ReportState(StrEnum):
    """What became of a report. A report is what a buyer says, never a payment."""

    OPEN = "OPEN"
    CONFIRMED = "CONFIRMED"
    REFUSED = "REFUSED"
    LAPSED = "LAPSED"
    REPLACED = "REPLACED"
    OVER = "OVER"


ANSWER_WITHIN: Final = timedelta(hours=48)
"""So long a report stops the deadline of its order."""
TRY_AGAIN: Final = timedelta(hours=24)
"""What is left at least of the time to pay once a report was refused, or nobody answered it."""
LONGEST_STOP: Final = timedelta(days=7)
"""From an order's first report on, reports stop its deadline no longer than this: false ones must not hold goods for ever."""
OLDEST: Final = timedelta(days=60)
AHEAD: Final = timedelta(minutes=10)
"""How old a reported transfer may be, and how far the sender's clock may be ahead of ours."""
LONGEST_REASON: Final = 200

UPLOAD_BYTES: Final = 5_000_000
"""What is sent; what is kept is at most SLIP_BYTES."""
UPLOAD_SECONDS: Final = 60.0
UPLOAD_LIFE: Final = timedelta(minutes=10)
SLIP_BYTES: Final = 400_000
MOST_SLIPS: Final = 5
"""Pictures kept of one order: with another one the oldest that belongs to no report goes."""


def answer_by(now: datetime, *, first: datetime, pay_by: datetime | None) -> datetime | None:
    """Until when a report made now waits for its answer; None when the time for reports is over. `first`: of the order's first report."""
    if pay_by is None:
        return now + ANSWER_WITHIN
    last = max(first + LONGEST_STOP, pay_by)
    return min(now + ANSWER_WITHIN, last) if last > now else None


def deadline_after(now: datetime, *, first: datetime, pay_by: datetime | None) -> datetime | None:
    """The order's time to pay once a report came to nothing; None for an order without one."""
    return None if pay_by is None else max(pay_by, min(now + TRY_AGAIN, first + LONGEST_STOP))
