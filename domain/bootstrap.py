"""The parts put together: the list of tables, and settings turned into services."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from domain import db
from domain.claims.ports import Platform
from domain.clock import Clock, SystemClock
from domain.jobs import REPLY, JobQueue
from domain.providers.pgqueuer_enqueue import PgQueuerJobs
from domain.providers.platforms import PLATFORMS
from domain.settings import Settings
from domain.vault import Vault

MODEL_MODULES = [
    f"domain.{room}.models"
    for room in (
        "shops", "catalog", "stock", "members", "posts", "orders", "claims", "payments", "disputes", "delivery", "shipping", "pickup", "notices", "inbox", "idempotency",
        "audit", "live",
        "operations",
    )
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Services:
    """What edges and commands are given: everything that is not the database."""

    settings: Settings
    clock: Clock
    vault: Vault
    jobs: JobQueue
    platforms: Mapping[str, Platform]


def services(settings: Settings, *, clock: Clock | None = None) -> Services:
    """Services for these settings; no I/O."""
    jobs = PgQueuerJobs(unheard=() if settings.reply_base_url is not None else (REPLY,))
    return Services(settings, clock or SystemClock(), Vault(settings.secret_key.get_secret_value()), jobs, PLATFORMS)


async def connect(settings: Settings, dsn: str, *, application_name: str = "plusone") -> None:
    """Set the process's database pool up."""
    await db.connect(dsn, MODEL_MODULES, size=settings.pool_size, application_name=application_name)
