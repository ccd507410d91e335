"""One migrated PostgreSQL per session (embedded, or DATABASE_URL); every test that asks for `db` starts on empty tables."""

from __future__ import annotations

import asyncio
import functools
import gc
import logging
import os
import shutil
import ssl
import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import hypothesis
import pytest
import uvicorn.server
from httpx._transports import default as httpx_transports

from api import deliveries, health, webhooks
from domain import db as database
from domain.bootstrap import MODEL_MODULES
from domain.clock import FixedClock
from domain.db import pool
from domain.db.embedded import EmbeddedPostgres
from domain.db.migrating import migrate
from domain.inbox import commands
from domain.members import keys, standing
from domain.shops import queries as shop_queries

FREE = "PLUSONE_TEST_EXAMPLES" in os.environ
hypothesis.settings.register_profile("plusone", deadline=None, derandomize=not FREE, suppress_health_check=list(hypothesis.HealthCheck))
hypothesis.settings.load_profile("plusone")
"""The same examples every time, and none is judged by its time: machines are shared. PLUSONE_TEST_EXAMPLES=new looks for others."""

os.environ.setdefault("PLUSONE_OPEN_OPERATIONS", "true")
os.environ.setdefault("PLUSONE_POINTS_PER_SECOND", "0")
"""Tests ask what they like, as often as they like, on a clock that stands; those of documents and budgets set their own. Processes get neither."""


class Hurried:
    """asyncio, whose pauses are a tenth as long."""

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    @staticmethod
    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds / 10)


uvicorn.server.asyncio = Hurried()  # type: ignore[attr-defined]
"""A server looks every tenth of a second whether it should end, and pauses as long when it does; some hundred servers of tests end sooner."""

for room, limits in {
    pool: {
        "STATEMENT_TIMEOUT_MS": 60_000,
        "LOCK_TIMEOUT_MS": 60_000,
        "GATE_WAIT_SECONDS": 60,
        "CONNECT_SECONDS": 60,
        "COMMAND_SECONDS": 90,
    },
    commands: {"PATIENCE_SECONDS": 60, "BATCH_SECONDS": 60},
    webhooks: {"ANSWER_SECONDS": 60, "LOOK_UP_SECONDS": 60},
    deliveries: {"ANSWER_SECONDS": 60},
    health: {"CHECK_SECONDS": 60},
}.items():
    for name, value in limits.items():
        assert hasattr(room, name), name
        setattr(room, name, value)
"""What gives up after a second or two does so after a minute: on a machine with other work a hundred askers may wait so long for their turn.
Tests of giving up set their own; processes keep the real ones."""

httpx.AsyncClient.__init__.__kwdefaults__["timeout"] = httpx.Timeout(60)
"""A client that sets no time of its own waits for as long."""

made_context = httpx_transports.create_ssl_context  # type: ignore[attr-defined]
kept_context = functools.cache(made_context)


def ssl_context(verify: Any = True, cert: Any = None, trust_env: bool = True) -> ssl.SSLContext:
    """httpx's own, made once for what it is made of."""
    named = cert is not None or not isinstance(verify, bool) or {"SSL_CERT_FILE", "SSL_CERT_DIR"} & os.environ.keys()
    context: ssl.SSLContext = (made_context if named else kept_context)(verify=verify, cert=cert, trust_env=trust_env)
    return context


httpx_transports.create_ssl_context = ssl_context  # type: ignore[attr-defined]
"""A client reads all the world's certificates when it is made, which takes longer than most tests; the suite makes thousands."""

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
KEEP = {"tortoise_migrations", "legal_move"}


class UnnamedCodes(logging.Handler):
    """Ends whatever test sees a mutation answer a code that it does not name; in production that is a line in the log."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(record.getMessage())
        raise AssertionError(record.getMessage())


logging.getLogger("api.resolvers.mutation").addHandler(UNNAMED := UnnamedCodes())


def pytest_runtest_teardown() -> None:
    """Also where a test was content with the answer."""
    heard, UNNAMED.heard = UNNAMED.heard, []
    assert heard == []


def more_settings() -> dict[str, str]:
    """PLUSONE_TEST_SETTINGS: "enable_hashjoin=off work_mem=64kB" shakes the suite with other plans than PostgreSQL's own choice."""
    return dict(setting.split("=", 1) for setting in os.environ.get("PLUSONE_TEST_SETTINGS", "").split())


def pytest_collection_finish() -> None:
    """What is loaded by now stays: whoever looks for garbage, some tests do so often, need not look through it."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def server_dsn() -> Iterator[str]:
    """A PostgreSQL server's address: DATABASE_URL, or an embedded one for this session."""
    given = os.environ.get("DATABASE_URL")
    if given:
        yield given
        return
    folder = Path(tempfile.gettempdir()) / f"plusone-test-{uuid4().hex[:12]}"
    try:
        with EmbeddedPostgres(
            folder, settings={"fsync": "off", "autovacuum": "off", "max_connections": "200", **more_settings()}
        ) as server:
            yield server.dsn
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def with_database(dsn: str, name: str) -> str:
    """The same server's address with another database."""
    head, _, query = dsn.partition("?")
    return head.rsplit("/", 1)[0] + f"/{name}" + (f"?{query}" if query else "")


@pytest.fixture(scope="session")
async def template_dsn(server_dsn: str) -> AsyncIterator[str]:
    """A database on this server with all migrations applied, to be copied."""
    name = f"plusone_template_{uuid4().hex[:8]}"
    admin = await asyncpg.connect(server_dsn)
    await admin.execute(f'create database "{name}"')
    dsn = with_database(server_dsn, name)
    await migrate(database.orm_config(dsn, MODEL_MODULES))
    await database.close()
    yield dsn
    await admin.execute(f'drop database "{name}" with (force)')
    await admin.close()


@pytest.fixture(scope="session")
async def database_dsn(server_dsn: str, template_dsn: str) -> AsyncIterator[str]:
    """The session's own migrated database, connected."""
    name = f"plusone_test_{uuid4().hex[:8]}"
    template = template_dsn.partition("?")[0].rsplit("/", 1)[1]
    admin = await asyncpg.connect(server_dsn)
    await admin.execute(f'create database "{name}" template "{template}"')
    dsn = with_database(server_dsn, name)
    await database.connect(dsn, MODEL_MODULES, size=20)
    yield dsn
    await database.close()
    if cleaner := _cleaners.pop(dsn, None):
        await cleaner.close()
    await admin.execute(f'drop database "{name}" with (force)')
    await admin.close()


CLEAN = f"""
do $$ declare found record; begin
  set session_replication_role = replica;
  for found in select relname from pg_class where (relkind = 'p' or relkind = 'r' and pg_relation_size(oid) > 0)
      and not relispartition and relnamespace = 'public'::regnamespace and relname not in ({", ".join(f"'{name}'" for name in sorted(KEEP))}) loop
    execute format('delete from %I', found.relname);
  end loop;
end $$"""
SWOLLEN = "select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace and pg_relation_size(oid) > 1000000"
_cleaners: dict[str, asyncpg.Connection[asyncpg.Record]] = {}


async def empty(dsn: str) -> None:
    """Delete all rows; triggers and foreign keys are off for this one session. What many dead rows have swollen is made small again."""
    for chance in (True, False):
        cleaner = _cleaners.get(dsn)
        if cleaner is None or cleaner.is_closed():
            cleaner = _cleaners[dsn] = await asyncpg.connect(dsn, server_settings={"application_name": "tests"})
        try:
            await cleaner.execute(CLEAN)
            for row in await cleaner.fetch(SWOLLEN):
                await cleaner.execute(f'vacuum "{row["relname"]}"')
            return
        except database.AWAY:  # a test before ended the connection, or the whole server
            cleaner.terminate()
            if not chance:
                raise


@pytest.fixture
async def db(database_dsn: str) -> str:
    """Empty migrated tables and a connected pool; answers the address."""
    await empty(database_dsn)
    # What a process keeps for some seconds must not outlive the rows it was read from.
    keys.forget()
    standing.forget()
    shop_queries.forget()
    return database_dsn


@pytest.fixture
def clock() -> FixedClock:
    """A clock that stands at 2026-11-21 16:00 in Taipei."""
    return FixedClock(NOW)
