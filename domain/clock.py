"""Time as an argument: the only place that asks the machine's clock."""

from __future__ import annotations

from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Final, Protocol

_ASKED: Final[ContextVar[datetime | None]] = ContextVar("asked_at", default=None)


class Clock(Protocol):
    """Answers the present instant, always with time zone UTC."""

    def now(self) -> datetime: ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class FixedClock:
    """A clock that stands still until it is moved: for tests and replays."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at


def asked(at: datetime) -> None:
    """The request that this task answers came at this instant."""
    _ASKED.set(at)


def asked_at() -> datetime | None:
    """The instant of the request in hand, for what a screen says of time; None outside of requests."""
    return _ASKED.get()
