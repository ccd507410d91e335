"""The database of a process: its address, the embedded server where none is given, and its migrations."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import asyncpg

from api.health import migrations_on_disk
from domain import db
from domain.bootstrap import MODEL_MODULES
from domain.db.embedded import EmbeddedPostgres, EmbeddedPostgresError
from domain.settings import Settings

log = logging.getLogger(__name__)

MIGRATION_LOCK: Final = 7_205_759_403_792_793
"""Key of the advisory lock that lets one process at a time migrate."""
CONNECT_SECONDS: Final = 5.0


class StartRefused(Exception):
    """The process cannot start; the message says why and what to do."""


@contextmanager
def database(settings: Settings) -> Iterator[str]:
    """The database's address: DATABASE_URL, or the embedded server, which is started or joined for as long as this is open.

    Raises:
        StartRefused: the address is none, or the embedded server cannot be used.
    """
    if settings.database_url:
        try:
            db.credentials(settings.database_url)
        except ValueError as error:
            raise StartRefused(str(error)) from None
        yield settings.database_url
        return
    server = EmbeddedPostgres(settings.data_dir / "postgres")
    try:
        server.start()
    except EmbeddedPostgresError as error:
        raise StartRefused(str(error)) from None
    with contextlib.ExitStack() as stack:
        stack.callback(server.stop)
        yield server.dsn


async def _alone(dsn: str) -> asyncpg.Connection[Any]:
    try:
        connection: asyncpg.Connection[Any] = await asyncpg.connect(**db.credentials(dsn), timeout=CONNECT_SECONDS)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise StartRefused(
            f"The database does not let us in ({type(error).__name__}): check DATABASE_URL, and that PostgreSQL runs and takes connections."
        ) from None
    return connection


async def pending(dsn: str) -> list[str]:
    """Migrations that this database lacks, in order.

    Raises:
        StartRefused: the database cannot be reached.
    """
    connection = await _alone(dsn)
    try:
        rows = await connection.fetch("select name from tortoise_migrations where app = $1", db.APP)
    except asyncpg.UndefinedTableError:
        rows = []
    finally:
        await connection.close()
    applied = {row["name"] for row in rows}
    return [name for name in migrations_on_disk() if name not in applied]


async def migrate(dsn: str) -> list[str]:
    """Apply what is missing and answer its names; processes that do this at once wait for each other.

    Raises:
        StartRefused: the database cannot be reached.
    """
    lock = await _alone(dsn)
    try:
        await lock.execute("select pg_advisory_lock($1)", MIGRATION_LOCK)
        missing = await pending(dsn)
        if missing:
            from domain.db.migrating import migrate as apply_migrations  # late: a start seldom has any

            try:
                await apply_migrations(_migration_config(dsn))
            finally:
                await db.close()
    finally:
        await lock.close()
    return missing


def _migration_config(dsn: str) -> dict[str, Any]:
    """The pool's configuration without its limits for statements: building an index may take longer than a request."""
    config = db.orm_config(dsn, MODEL_MODULES, size=2, application_name="plusone-migrate")
    credentials = config["connections"]["default"]["credentials"]
    credentials["command_timeout"] = None
    credentials["server_settings"]["statement_timeout"] = "0"
    return config


def prepare(settings: Settings, dsn: str) -> None:
    """Bring the embedded database to this version; of one that is given, only check that it is.

    Raises:
        StartRefused: migrations are pending in a given database.
    """
    missing = asyncio.run(pending(dsn))
    if not missing:
        return
    if settings.database_url and not settings.is_development:
        raise StartRefused(f"The database lacks {len(missing)} migration(s), first {missing[0]}: run `plusone migrate`, then start again.")
    log.info("migrations applied", extra={"migrations": asyncio.run(migrate(dsn))})
