"""What has been kept long enough goes, once an hour over all processes."""

from __future__ import annotations

import logging
from typing import Final

from prometheus_client import Counter

from domain.bootstrap import Services
from domain.jobs import JobRunner
from domain.live.commands import forget_changes
from domain.settings import Settings
from domain.upkeep.commands import forget_old
from domain.upkeep.rules import Keep

log = logging.getLogger(__name__)

HOURLY: Final = "37 * * * *"
GONE: Final = Counter("plusone_upkeep_rows_total", "Rows that were kept long enough and are gone, or archived, by kind.", ["kind"])


def keep_of(settings: Settings) -> Keep:
    """The periods of these settings."""
    return Keep(
        events=settings.keep_events_days,
        parked=settings.keep_parked_days,
        revisions=settings.keep_revisions_days,
        read_notices=settings.keep_read_notices_days,
        unread_notices=settings.keep_unread_notices_days,
        pushes=settings.keep_pushes_days,
        replies=settings.keep_replies_days,
        movements=settings.keep_movements_days,
        slips=settings.keep_slips_days,
    )


def register(runner: JobRunner, services: Services) -> None:
    """Teach a runner the upkeep."""

    async def upkeep() -> None:
        counts = await forget_old(keep_of(services.settings), now=services.clock.now())
        counts["live_changes"] = await forget_changes(now=services.clock.now())
        for kind, count in counts.items():
            GONE.labels(kind=kind).inc(count)
        if any(counts.values()):
            log.info("upkeep", extra={"gone": counts})

    runner.every(HOURLY, "upkeep", upkeep)
