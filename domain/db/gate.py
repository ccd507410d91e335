"""The gate before the pool: as many statements and transactions at once as it has places, the others in turn, with one timer for all who wait.

A semaphore with a time limit needs a timer for everybody who waits, which under load is a tenth of a small screen.
"""

from __future__ import annotations

import asyncio
from collections import deque
from itertools import takewhile
from typing import Final

TICK_SECONDS: Final = 0.25


class Gate:
    """Who comes first enters first. All in one loop."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._waiting: deque[tuple[float, asyncio.Future[bool]]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def entered(self) -> bool:
        """Take a place when one is free; who took one gives it back by `release`."""
        if self._free:
            self._free -= 1
            return True
        return False

    async def enter(self, seconds: float) -> bool:
        """Take a place, after waiting for it; False when none became free within `seconds`, or a tick more."""
        if self.entered():
            return True
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[bool] = loop.create_future()
        self._waiting.append((loop.time() + seconds, turn))
        if self._timer is None:
            self._timer = loop.call_later(min(TICK_SECONDS, seconds), self._look)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.result():
                self.release()  # it was given to a task that was cancelled meanwhile
            raise

    def release(self) -> None:
        """Give a place back: whoever waits longest has it now."""
        while self._waiting:
            _, turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(True)
                return
        self._free += 1

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for _, turn in list(takewhile(lambda waits: waits[0] <= now, self._waiting)):
            self._waiting.popleft()
            if not turn.done():
                turn.set_result(False)
        self._timer = loop.call_later(TICK_SECONDS, self._look) if self._waiting else None
