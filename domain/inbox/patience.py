"""Time limits of many short waits by one timer: a timer for each costs more than all else that most of them do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from itertools import takewhile
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class Patience(Generic[T]):
    """Who waits longer than `seconds` is given up, at most a `tick` later. All in one loop."""

    def __init__(self, seconds: float, tick: float, give_up: Callable[[T], object]) -> None:
        self._seconds = seconds
        self._tick = tick
        self._give_up = give_up
        self._since: dict[T, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, who: T) -> None:
        """This one waits from now on."""
        loop = asyncio.get_running_loop()
        self._since[who] = loop.time()
        if self._timer is None:
            self._timer = loop.call_later(self._tick, self._look)

    def end(self, who: T) -> None:
        """This one waits no more."""
        self._since.pop(who, None)

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        before = loop.time() - self._seconds
        late = [who for who, _ in takewhile(lambda wait: wait[1] <= before, self._since.items())]
        for who in late:
            self.end(who)
            self._give_up(who)
        self._timer = loop.call_later(self._tick, self._look) if self._since else None
