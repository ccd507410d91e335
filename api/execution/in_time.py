"""The time of a whole request: one timer for all of them, since a timer for each is a twentieth of a small screen."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, Final, TypeVar

from domain.inbox.patience import Patience

T = TypeVar("T")
TICK_SECONDS: Final = 0.5


class InTime:
    """As `asyncio.timeout` around a request, at most a tick later. All in one loop."""

    def __init__(self) -> None:
        self._by_seconds: dict[float, Patience[asyncio.Task[Any]]] = {}
        self._late: set[asyncio.Task[Any]] = set()

    async def within(self, seconds: float, work: Awaitable[T]) -> T:
        """What this comes to.

        Raises:
            TimeoutError: not in time; it was cancelled.
        """
        slow = self._by_seconds.get(seconds)
        if slow is None:
            slow = self._by_seconds[seconds] = Patience(seconds, min(TICK_SECONDS, seconds), self._give_up)
        task: asyncio.Task[Any] = asyncio.current_task()  # type: ignore[assignment]
        slow.begin(task)
        try:
            return await work
        except asyncio.CancelledError:
            if task in self._late and task.uncancel() == 0:
                raise TimeoutError from None
            raise
        finally:
            slow.end(task)
            self._late.discard(task)

    def _give_up(self, task: asyncio.Task[Any]) -> None:
        self._late.add(task)
        task.cancel()
