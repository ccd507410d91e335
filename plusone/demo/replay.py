"""Replays the recording against the running program: real HTTP, the recording's own instants, and a pause for breath between its scenes."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import httpx

from domain import db
from plusone.demo.record import Delivery

SCENE: Final = timedelta(seconds=45)
"""Deliveries within so long of each other are sent together. Shorter than any lease (a minute): until all is done, the clock goes no further."""
SETTLE_SECONDS: Final = 60.0
POLL_SECONDS: Final = 0.01


class ReplayClock:
    """Jumps from delivery to delivery, and after the last one runs on at the machine's pace."""

    def __init__(self, at: datetime) -> None:
        self._at = at
        self._running_since: float | None = None

    def now(self) -> datetime:
        if self._running_since is None:
            return self._at
        return self._at + timedelta(seconds=time.monotonic() - self._running_since)

    def jump(self, at: datetime) -> None:
        """Forward to this instant; never back."""
        self._at = max(self._at, at)

    def run_on(self) -> None:
        """From here on time passes by itself."""
        self._running_since = self._running_since or time.monotonic()


class NotSettled(Exception):
    """Something is still undecided or unsent after SETTLE_SECONDS; the message says what."""


@dataclass(slots=True)
class Replayed:
    """What the platforms were answered."""

    statuses: list[tuple[Delivery, int]] = field(default_factory=list)
    seconds: float = 0.0


WAITING: Final = """select
  (select count(*) from inbox_undecided) as events,
  (select count(*) from push_delivery where state = 'PENDING') as pushes,
  (select count(*) from platform_reply where state = 'PENDING') as replies,
  (select count(*) from pgqueuer where status <> 'failed') as jobs"""
BUSY: Final = "select exists (select from pgqueuer where status = 'picked' or status = 'queued' and execute_after <= now())"
NEXT: Final = """select least((select min(next_try_at) from push_delivery where state = 'PENDING'),
                       (select min(sent_at) from platform_reply where state = 'PENDING'))"""


async def settled(clock: ReplayClock | None = None) -> None:
    """Wait until all is decided and sent. Where all that is left waits for a later instant, `clock` goes there: what a busy machine could
    not send at once is sent by a second try.

    Raises:
        NotSettled: it takes too long.
    """
    until = time.monotonic() + SETTLE_SECONDS
    while True:
        row = await db.fetchrow(WAITING)
        assert row is not None
        if not any(row.values()):
            return
        if time.monotonic() > until:
            raise NotSettled(", ".join(f"{count} {what}" for what, count in dict(row).items() if count))
        if clock is not None and not row["events"] and not await db.fetchval(BUSY):
            clock.jump(await db.fetchval(NEXT) or clock.now())
        await asyncio.sleep(POLL_SECONDS)


def scenes(deliveries: Iterable[Delivery]) -> list[list[Delivery]]:
    """The deliveries in groups, none longer than SCENE."""
    found: list[list[Delivery]] = []
    for delivery in deliveries:
        if not found or delivery.at - found[-1][0].at >= SCENE:
            found.append([])
        found[-1].append(delivery)
    return found


async def replay(
    deliveries: Sequence[Delivery],
    base_url: str,
    clock: ReplayClock,
    after_scene: Callable[[Sequence[Delivery]], Awaitable[None]],
) -> Replayed:
    """Send every delivery and let every scene come to rest; `after_scene` sees what was in it.

    Raises:
        NotSettled: a scene does not come to rest.
    """
    found = Replayed()
    started = time.monotonic()
    limits = httpx.Limits(max_connections=8)
    async with httpx.AsyncClient(base_url=base_url, trust_env=False, limits=limits, timeout=10) as client:
        for scene in scenes(deliveries):
            await asyncio.gather(*(_send(client, lane, clock, found) for lane in _lanes(scene)))
            await settled(clock)
            await after_scene(scene)
    clock.run_on()
    found.seconds = time.monotonic() - started
    return found


def _lanes(scene: Sequence[Delivery]) -> list[list[Delivery]]:
    """What one endpoint is sent keeps its order, and of Facebook's two pages what each is sent; they do not wait for each other."""
    lanes: dict[str, list[Delivery]] = defaultdict(list)
    for delivery in scene:
        page = delivery.events[0].partition("/")[0] if delivery.source == "facebook" and delivery.events else ""
        lanes[delivery.path + page].append(delivery)
    return list(lanes.values())


async def _send(client: httpx.AsyncClient, lane: Sequence[Delivery], clock: ReplayClock, found: Replayed) -> None:
    for delivery in lane:
        clock.jump(delivery.at)
        response = await client.post(delivery.path, content=delivery.body, headers=dict(delivery.headers))
        found.statuses.append((delivery, response.status_code))
