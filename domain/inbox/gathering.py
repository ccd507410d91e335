"""When a lane is taken up again: at once while little comes in, and the later, up to LONGEST_SECONDS, the more comes in.

A batch costs as much as deciding some twenty comments before the first one is read. What gathers in a lane meanwhile is decided together, at a
fraction of what each would cost alone. How much comes in is counted over all lanes: fifty quiet posts at a time are a load too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

WINDOW_SECONDS: Final = 0.25
"""From the beginning of one batch of a lane to that of its next one. Buyers hear of their orders within half a second."""
FULL_RATE: Final = 200.0
"""Events a second from which on the window is that long; below it is shorter in proportion."""
LONGEST_SECONDS: Final = 0.6
"""What it grows to where batches take long: the processors are short then, and larger batches need less of them."""
BATCHES: Final = 8
"""So many times as long as a batch takes the window lasts at least."""
CALM_SECONDS: Final = 0.5
"""After so long without a batch nothing is known of how much comes in, and nothing is waited for."""
COUNT_SECONDS: Final = 0.1
"""Over how long events are counted at least: two that come at a time are no load."""


@dataclass(slots=True)
class Gathering:
    """What one process knows of its lanes. Times are seconds of one clock that never goes back."""

    _rate: float = 0.0
    _took: float = 0.0
    """Seconds of a batch, of late."""
    _events: int = 0
    _since: float = float("-inf")
    _last: float = float("-inf")
    _ripe_at: dict[int, float] = field(default_factory=dict)

    def decided(self, lane: int, events: int, *, full: bool, began: float, ended: float) -> None:
        """Take note of a batch; `full`: more may be waiting than it could take."""
        if not events:
            return
        self._took += (ended - began - self._took) / 4
        if began - self._last > CALM_SECONDS:
            self._rate, self._took, self._events, self._since = 0.0, 0.0, 0, began
        self._last = max(self._last, began)
        if began - self._since >= COUNT_SECONDS:
            self._rate = (self._rate + self._events / (began - self._since)) / 2
            self._events, self._since = 0, began
            self._ripe_at = {one: at for one, at in self._ripe_at.items() if at > began}
        self._events += events
        self._ripe_at[lane] = began if full else began + self._window()

    def _window(self) -> float:
        return min(max(BATCHES * self._took, WINDOW_SECONDS), LONGEST_SECONDS) * min(1.0, self._rate / FULL_RATE)

    def ripe(self, lane: int, now: float) -> bool:
        """Whether the lane may be taken up."""
        return self._ripe_at.get(lane, now) <= now

    def rest(self, now: float) -> float:
        """Seconds until the next lane is ripe that is not; 0 when all are."""
        return min((at - now for at in self._ripe_at.values() if at > now), default=0.0)
