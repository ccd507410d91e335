"""Liveness, readiness and metrics. With the database frozen or gone: tests/api/test_webhooks_faults.py."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from starlette.applications import Starlette

from api import health
from domain import db as database
from domain.bootstrap import services
from domain.clock import FixedClock
from domain.settings import load
from tests.build import NOW, an_endpoint
from tests.serving import SECRET_KEY


@pytest.fixture
async def client(db: str, clock: FixedClock) -> AsyncIterator[httpx.AsyncClient]:
    app = Starlette(routes=list(health.routes(services(load(secret_key=SECRET_KEY, _env_file=None), clock=clock))))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://plusone") as client:
        yield client


async def test_a_process_is_live(client: httpx.AsyncClient) -> None:
    answer = await client.get("/health/live")
    assert (answer.status_code, answer.json()) == (200, {"status": "live"})


async def test_a_migrated_database_makes_it_ready(client: httpx.AsyncClient) -> None:
    answer = await client.get("/health/ready")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})


async def test_a_pending_migration_makes_it_not_ready(client: httpx.AsyncClient) -> None:
    last = health.migrations_on_disk()[-1]
    row = await database.fetchrow("delete from tortoise_migrations where name = $1 returning *", last)
    assert row is not None
    try:
        answer = await client.get("/health/ready")
        assert answer.status_code == 503
        assert answer.json() == {"status": "not ready", "reason": "migrations are pending", "migrations": [last]}
    finally:
        await database.execute(
            "insert into tortoise_migrations (id, app, name, applied_at) values ($1, $2, $3, $4)",
            row["id"], row["app"], row["name"], row["applied_at"],
        )  # fmt: skip
    assert (await client.get("/health/ready")).status_code == 200


async def test_a_database_ahead_of_this_version_is_ready(client: httpx.AsyncClient) -> None:
    await database.execute("insert into tortoise_migrations (app, name, applied_at) values ('plusone', '9999_next', now())")
    try:
        assert (await client.get("/health/ready")).status_code == 200
    finally:
        await database.execute("delete from tortoise_migrations where name = '9999_next'")


def test_the_migrations_on_disk_are_in_order() -> None:
    names = health.migrations_on_disk()
    assert names[:3] == ["0001_initial", "0002_integrity", "0003_jobs"]
    assert names == sorted(names)


async def figures(client: httpx.AsyncClient) -> dict[str, float]:
    answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    lines = [line.rsplit(" ", 1) for line in answer.text.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, value in lines}


async def test_metrics_show_what_waits(client: httpx.AsyncClient) -> None:
    endpoint = await an_endpoint()
    for key, state, seconds in (("a", "PENDING", 75), ("b", "PENDING", 5), ("c", "PARKED", 900)):
        await database.execute(
            """insert into inbox_event
                 (endpoint_id, source, external_key, lane, occurred_at, payload, received_at, state, outcome, tries, parked_reason)
               values ($1, 'facebook', $2, 1, $3, '{}', $3, $4, '', 0, $5)""",
            endpoint, key, NOW - timedelta(seconds=seconds), state, "odd" if state == "PARKED" else "",
        )  # fmt: skip
    shown = await figures(client)
    assert shown["plusone_database_up"] == 1
    assert shown["plusone_inbox_oldest_seconds"] == 75
    assert shown["plusone_outbox_oldest_seconds"] == 0
    assert shown['plusone_inbox_rows{state="PENDING"}'] == 2
    assert shown['plusone_inbox_rows{state="PARKED"}'] == 1
    await database.execute("delete from inbox_event")
    assert (await figures(client))["plusone_inbox_oldest_seconds"] == 0


async def test_every_alarm_has_its_figure(client: httpx.AsyncClient) -> None:
    from domain.inbox.metrics import decisions, signature_failures

    signature_failures.labels("line")
    decisions.labels(outcome="ORDERED")
    shown = await figures(client)
    assert {
        'plusone_webhook_signature_failures_total{source="line"}',
        'plusone_decisions_total{outcome="ORDERED"}',
        "plusone_inbox_oldest_seconds",
        "plusone_outbox_oldest_seconds",
    } <= shown.keys()
