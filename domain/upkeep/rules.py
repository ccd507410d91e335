"""How long things are kept that would otherwise grow for ever. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Keep:
    """Days of each kind; 0 is for ever. docs/operate/retention.md says why these."""

    events: int = 90
    parked: int = 365
    revisions: int = 730
    read_notices: int = 180
    unread_notices: int = 365
    pushes: int = 30
    replies: int = 180
    movements: int = 400
    slips: int = 90


def cutoff(days: int, now: datetime) -> datetime | None:
    """What is older than this goes; None when nothing does."""
    return now - timedelta(days=days) if days else None
