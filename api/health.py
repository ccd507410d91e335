"""/health/live, /health/ready and /metrics: for whoever keeps the processes up. None of them shows personal data or a setting's value."""

from __future__ import annotations

import logging
import pkgutil
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import asyncpg
from prometheus_client import CONTENT_TYPE_LATEST, Gauge, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

import domain.migrations
from api.limits import SingleFlight
from domain import db
from domain.bootstrap import Services
from domain.inbox import queries as inbox

log = logging.getLogger(__name__)

CHECK_SECONDS: Final = 1.0

DATABASE_UP: Final = Gauge("plusone_database_up", "1 when the database answered the last scrape within a second.")
INBOX_OLDEST: Final = Gauge("plusone_inbox_oldest_seconds", "Age of the oldest undecided event; 0 when all are decided.")
INBOX_ROWS: Final = Gauge("plusone_inbox_rows", "Events in the inbox by state; the decided ones by PostgreSQL's estimate.", ["state"])
OUTBOX_OLDEST: Final = Gauge("plusone_outbox_oldest_seconds", "Age of the oldest due job, push or reply; 0 when nothing is due.")

_UNKNOWN = float("nan")


def migrations_on_disk() -> list[str]:
    """Names of the migrations of this version, in order."""
    return sorted(module.name for module in pkgutil.iter_modules(domain.migrations.__path__) if module.name[:4].isdigit())


async def pending_migrations() -> list[str]:
    """Migrations of this version that the database lacks, in order. One that is ahead of this version lacks none."""
    try:
        rows = await db.fetch("select name from tortoise_migrations where app = $1", db.APP)
    except asyncpg.UndefinedTableError:
        rows = []
    applied = {row["name"] for row in rows}
    return [name for name in migrations_on_disk() if name not in applied]


class Health:
    """The three answers; each touches the database at most once at a time and for at most a second."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._flight = SingleFlight()

    async def live(self, _: Request) -> Response:
        """200 for as long as this process turns its loop, whatever the database does."""
        return JSONResponse({"status": "live"})

    async def ready(self, _: Request) -> Response:
        """200 when the database answers and has all migrations, else 503 with the reason."""
        try:
            pending = await self._flight.ask("ready", CHECK_SECONDS, pending_migrations)
        except Exception as error:
            log.debug("not ready", extra={"error": type(error).__name__})
            return JSONResponse({"status": "not ready", "reason": "the database does not answer"}, 503)
        if pending:
            return JSONResponse({"status": "not ready", "reason": "migrations are pending", "migrations": pending}, 503)
        return JSONResponse({"status": "ready"})

    async def metrics(self, _: Request) -> Response:
        """All figures of this process in Prometheus' text form, and what waits in the database."""
        now = self._services.clock.now()
        try:
            _show(await self._flight.ask("backlog", CHECK_SECONDS, lambda: _backlog(now)))
        except Exception as error:
            log.debug("no figures of the database", extra={"error": type(error).__name__})
            DATABASE_UP.set(0)
            for gauge in (INBOX_OLDEST, OUTBOX_OLDEST):
                gauge.set(_UNKNOWN)
            INBOX_ROWS.clear()
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


async def _backlog(now: datetime) -> inbox.Backlog:
    return await inbox.backlog(now)


def _show(backlog: inbox.Backlog) -> None:
    DATABASE_UP.set(1)
    INBOX_OLDEST.set(backlog.inbox_oldest_seconds or 0)
    OUTBOX_OLDEST.set(backlog.outbox_oldest_seconds or 0)
    for state, count in backlog.inbox_rows.items():
        INBOX_ROWS.labels(state.value).set(count)


def routes(services: Services) -> Sequence[Route]:
    """The routes of an API or worker process."""
    health = Health(services)
    return [
        Route("/health/live", health.live),
        Route("/health/ready", health.ready),
        Route("/metrics", health.metrics),
    ]
