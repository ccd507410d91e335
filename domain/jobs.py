"""The port of the job queue: work that leaves the transaction's database, enqueued inside that transaction.

The adapter is `domain/providers/pgqueuer_jobs.py`. A job runs at least once; its handler must be harmless when run twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from domain.db import Tx

Payload = Mapping[str, Any]
Handler = Callable[[Payload], Awaitable[None]]

PUSH: Final = "push"
"""{"deliveries": [push_delivery id, …]}: at most LOT of them."""
REPLY: Final = "reply"
"""{"replies": [platform_reply id, …]}: at most LOT of them."""
ANNOUNCE: Final = "announce"
"""{"announcement": id, "after": buyer id or null}: the next lot of buyers is told."""
RESTOCKED: Final = "restocked"
"""{"shop_id": …, "variants": [variant id, …]}: pieces became free; waiting buyers come first."""
ACCOUNT_LINK: Final = "account-link"
"""{"links": [account_link id, …]}: people who wrote to a bot and get an address to link their account by."""
LOT: Final = 20
AT_ONCE: Final = frozenset({REPLY, ACCOUNT_LINK})
"""Somebody looks at a chat and waits for these: they go before others that are due, however many."""
SOONEST: Final = timedelta(seconds=0.5)
LOOK: Final = timedelta(seconds=5)
LEASE: Final = timedelta(seconds=60)
"""The longest that anybody holds a row of a job without saying when it is due again."""


class NotYet(Exception):
    """Rows of this job are open, but not to be had now: the job is kept and runs again after `wait`, which no try counts against it."""

    def __init__(self, due_in: timedelta) -> None:
        """`due_in`: by the clock of whoever asks. A row that may be leased is looked at every LOOK; of one put off it is known when."""
        super().__init__("not yet")
        self.wait = max(due_in, SOONEST) if due_in > LEASE else max(min(due_in, LOOK), SOONEST)


class JobQueue(Protocol):
    """Durable jobs and schedules on the same database."""

    @property
    def unheard(self) -> Collection[str]:
        """Names of jobs that nobody runs by the settings of this program: what they would do is closed as it is written."""
        ...

    async def enqueue(self, tx: Tx, name: str, payloads: Sequence[Payload], *, run_at: datetime | None = None) -> None:
        """Add jobs in this transaction: they exist when it commits and never before. An empty list does nothing."""
        ...


class JobRunner(Protocol):
    """Runs the jobs of a queue in this process."""

    def handle(self, name: str, handler: Handler) -> None:
        """Register what runs for jobs of this name. One that raises `NotYet` is run again later."""
        ...

    def every(self, cron: str, name: str, action: Callable[[], Awaitable[None]]) -> None:
        """Run an action on a five-field cron expression, once over all processes."""
        ...

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then let jobs in hand end; survives restarts of the database."""
        ...


def lots(ids: Sequence[str], key: str) -> list[Payload]:
    """Payloads of at most LOT ids each."""
    return [{key: list(ids[i : i + LOT])} for i in range(0, len(ids), LOT)]
