"""One pool for the whole process: Tortoise's, with a fair gate in front, and plain asyncpg statements beside the models.

Why so (measured, docs/decisions/0002-orm-and-sql.md): asyncpg's reset query on every release triples a small statement, so it is off and
session state is forbidden (only `SET LOCAL`, only transaction-scoped advisory locks, LISTEN on a connection of its own); asyncpg
lets newcomers overtake waiters, so a semaphore of the pool's size stands in front.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

import asyncpg
import orjson
from tortoise import Tortoise
from tortoise.backends.base.client import BaseDBAsyncClient, TransactionalDBClient
from tortoise.connection import get_connection, get_connections
from tortoise.transactions import in_transaction

from domain.db.codecs import by_microseconds
from domain.db.gate import Gate

log = logging.getLogger(__name__)

APP = "plusone"
MIGRATIONS = "domain.migrations"
STATEMENT_TIMEOUT_MS = 5_000
LOCK_TIMEOUT_MS = 3_000
GATE_WAIT_SECONDS = 2.0
CONNECT_SECONDS = 2.0
COMMAND_SECONDS = 10.0
SPARE = 4
"""Connections beyond the gate, for statements that must commit apart from a transaction in hand."""

A_FEW = 3
"""So many rows are cheaper by an INSERT each than by a COPY within a savepoint."""

BY_KEYS = """
select set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true),
       set_config('enable_bitmapscan', 'off', true), set_config('enable_sort', 'off', true)
"""

Record = asyncpg.Record
NewRow = TypeVar("NewRow", bound=tuple[object, ...])


class DatabaseAway(Exception):
    """The database cannot be reached, or no connection became free in time. The same work may be tried again."""


AWAY: tuple[type[BaseException], ...] = (
    DatabaseAway,
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
)
"""Errors that mean "the database is away", as they come from asyncpg."""

CONTENTION: tuple[type[BaseException], ...] = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
)
"""Errors after which the same transaction is worth trying again."""


def credentials(dsn: str) -> dict[str, Any]:
    """The parts of `postgresql://user:password@host:port/database?host=/socket/dir` as asyncpg keywords.

    Raises:
        ValueError: not a PostgreSQL address.
    """
    parts = urlsplit(dsn)
    if parts.scheme not in ("postgresql", "postgres"):
        raise ValueError("DATABASE_URL must look like postgresql://user:password@host:5432/name")
    query = {k: v[-1] for k, v in parse_qs(parts.query).items()}
    found: dict[str, Any] = {
        "host": query.pop("host", None) or (unquote(parts.hostname) if parts.hostname else "127.0.0.1"),
        "port": parts.port or 5432,
        "user": unquote(parts.username) if parts.username else "postgres",
        "database": parts.path.lstrip("/") or "postgres",
    }
    if parts.password:
        found["password"] = unquote(parts.password)
    if "sslmode" in query:
        found["ssl"] = query["sslmode"]
    return found


async def _keep_session(_: asyncpg.Connection[Any]) -> None:
    """Replaces asyncpg's reset query: see the module's docstring."""


async def _introduced(connection: asyncpg.Connection[Any]) -> None:
    """What each new connection is told and asked once."""
    _state.major = connection.get_server_version().major
    await by_microseconds(connection)


def orm_config(dsn: str, modules: Sequence[str], *, size: int = 10, application_name: str = "plusone") -> dict[str, Any]:
    """Tortoise's configuration for this address; `size` is the most connections of the pool."""
    settings = {
        "application_name": application_name,
        "statement_timeout": str(STATEMENT_TIMEOUT_MS),
        "lock_timeout": str(LOCK_TIMEOUT_MS),
        "idle_in_transaction_session_timeout": "30000",
        "timezone": "UTC",
        "jit": "off",
    }
    pool = {
        "minsize": 1,
        "maxsize": size + SPARE,
        "timeout": CONNECT_SECONDS,
        "command_timeout": COMMAND_SECONDS,
        "reset": _keep_session,
        "init": _introduced,
        "server_settings": settings,
    }
    return {
        "connections": {"default": {"engine": "domain.db.lending", "credentials": {**credentials(dsn), **pool}}},
        "apps": {APP: {"models": list(modules), "default_connection": "default", "migrations": MIGRATIONS}},
        "use_tz": True,
        "timezone": "UTC",
    }


@dataclass(slots=True)
class _State:
    dsn: str = ""
    major: int = 0
    gate: Gate = field(default_factory=lambda: Gate(1))
    pool: Any = None
    """Where connections are lent at once, once there is one (`lending.Pool`)."""


_state = _State()


async def connect(dsn: str, modules: Sequence[str], *, size: int = 10, application_name: str = "plusone") -> None:
    """Set the process's pool up; connections open as they are needed, so this works while the database is away."""
    await Tortoise.init(config=orm_config(dsn, modules, size=size, application_name=application_name), _enable_global_fallback=True)
    _state.dsn = dsn
    _state.pool = None
    _state.gate = Gate(size)


def server_major() -> int:
    """PostgreSQL's major version, as the newest connection found it; 0 before the first one."""
    return _state.major


async def close() -> None:
    """Close the pool."""
    _state.pool = None
    await Tortoise.close_connections()
    _state.dsn = ""


async def dedicated(seconds: float | None = None) -> asyncpg.Connection[Any]:
    """A connection outside of the pool, for LISTEN; no answer, LISTEN's neither, takes longer than `seconds`. The caller closes it."""
    connection: asyncpg.Connection[Any] = await asyncpg.connect(**credentials(_state.dsn), timeout=5, command_timeout=seconds)
    return connection


@dataclass(frozen=True, slots=True)
class Tx:
    """An open transaction. `using` is for models (`.using_db(tx.using)`); the methods run plain SQL with $1-style parameters."""

    using: BaseDBAsyncClient
    raw: asyncpg.Connection[Any]

    async def fetch(self, sql: str, *args: object) -> list[Record]:
        """All rows."""
        return await self.raw.fetch(sql, *args)

    async def fetchrow(self, sql: str, *args: object) -> Record | None:
        """The first row, or None."""
        return await self.raw.fetchrow(sql, *args)

    async def fetchval(self, sql: str, *args: object) -> Any:
        """The first column of the first row, or None."""
        return await self.raw.fetchval(sql, *args)

    async def execute(self, sql: str, *args: object) -> int:
        """Rows affected."""
        return _count(await self.raw.execute(sql, *args))

    async def copy(self, table: str, columns: Sequence[str], rows: Sequence[tuple[object, ...]]) -> None:
        """Insert rows by binary COPY, cheaper on both sides than an INSERT of arrays. Columns left out take their defaults."""
        if rows:
            await self.raw.copy_records_to_table(table, records=rows, columns=columns)

    async def copy_new(self, table: str, columns: Sequence[str], rows: Sequence[NewRow]) -> Sequence[NewRow]:
        """Insert rows whose keys were just looked for and not found; answers those that are there now by this.

        When somebody else was faster with one of the keys, the rows go in one by one and theirs stays. `columns` begins with the key `id`.
        """
        if len(rows) > A_FEW:
            try:
                async with self.raw.transaction():
                    await self.copy(table, columns, rows)
            except asyncpg.UniqueViolationError:
                log.info("rows of %s were written elsewhere meanwhile", table)
            else:
                return rows
        places = ", ".join(f"${n}" for n in range(1, len(columns) + 1))
        sql = f'insert into "{table}" ({", ".join(columns)}) values ({places}) on conflict do nothing'
        return [row for row in rows if await self.execute(sql, *row)]

    async def by_keys(self) -> None:
        """The rest of this transaction looks rows up by their keys, whatever the planner thinks of tables that grew since they were analysed."""
        await self.raw.execute(BY_KEYS)


_current: ContextVar[Tx | None] = ContextVar("plusone_tx", default=None)


def _count(status: str) -> int:
    tail = status.rpartition(" ")[2]
    return int(tail) if tail.isdigit() else 0


async def _admitted(gate: Gate) -> None:
    """Wait for a place at the gate, which the caller gives back."""
    if not await gate.enter(GATE_WAIT_SECONDS):
        raise DatabaseAway("no database connection became free in time")


@asynccontextmanager
async def _begun() -> AsyncIterator[TransactionalDBClient]:
    """Tortoise's transaction, whose connection also goes back to the pool, and leaves its task, when that is cancelled at its begin or end."""
    context: Any = in_transaction("default")
    try:
        client = await context.__aenter__()
    except BaseException:
        raw = getattr(context.client, "_connection", None)
        if raw is not None and hasattr(context, "token"):
            get_connections().reset(context.token)
            await context.client._parent._pool.release(raw)
        raise
    try:
        yield client
    except BaseException as error:
        await _ended(context, error)
        raise
    else:
        await _ended(context, None)


async def _ended(context: Any, error: BaseException | None) -> None:
    try:
        await context.__aexit__(type(error) if error is not None else None, error, None)
    finally:
        if not context.token._used:
            # The task was cancelled while its connection went back: what it does next must not run on one that may be somebody else's by then.
            get_connections().reset(context.token)


@asynccontextmanager
async def transaction() -> AsyncIterator[Tx]:
    """One transaction, READ COMMITTED; commits at the end of the block, rolls back on any exception.

    Inside another one of the same task it is a savepoint of that one, so that a command may run within an idempotency key's transaction.

    Raises:
        DatabaseAway: no connection became free within 2 s.
    """
    outer = _current.get()
    if outer is not None:
        async with outer.raw.transaction():
            yield outer
        return
    gate = _state.gate
    await _admitted(gate)
    try:
        async with _begun() as connection:
            tx = Tx(connection, connection._connection)
            token = _current.set(tx)
            try:
                yield tx
            finally:
                _current.reset(token)
    finally:
        gate.release()


class _Connection:
    """A connection of the pool for a block; a class, since every statement of a screen enters one."""

    __slots__ = ("_gate", "_lent", "_pool", "_raw")

    async def __aenter__(self) -> asyncpg.Connection[Any]:
        gate = self._gate = _state.gate
        if not gate.entered():
            await _admitted(gate)
        try:
            outside = _current.get() is None  # within a transaction Tortoise has that one's connection
            self._pool = _state.pool if outside else None
            self._raw: Any = self._pool.lend() if self._pool is not None else None
            if self._raw is None:
                self._pool, client = None, get_connection("default")
                self._lent: Any = client.acquire_connection()
                self._raw = await self._lent.__aenter__()
                if outside:
                    _state.pool = getattr(client, "_pool", None)
        except BaseException:
            gate.release()
            raise
        found: asyncpg.Connection[Any] = self._raw
        return found

    async def __aexit__(self, *error: object) -> None:
        try:
            if self._pool is None:
                await self._lent.__aexit__(*error)
            elif not self._pool.take_back(self._raw):
                await self._pool.release(self._raw)
        finally:
            self._gate.release()


def connection() -> AbstractAsyncContextManager[asyncpg.Connection[Any]]:
    """A connection of the pool, for a statement outside of a transaction that its caller may have to cut."""
    return _Connection()


async def fetch(sql: str, *args: object) -> list[Record]:
    """All rows of one statement outside of a transaction."""
    async with _Connection() as raw:
        return await raw.fetch(sql, *args)


async def fetchrow(sql: str, *args: object) -> Record | None:
    """The first row of one statement outside of a transaction, or None."""
    async with _Connection() as raw:
        return await raw.fetchrow(sql, *args)


async def fetchrow_of_request(sql: str, args: Sequence[object]) -> Record | None:
    """The same for a statement in a request that is cut off when it takes too long: no timer of its own, and the connection is lent bare."""
    gate = _state.gate
    if _current.get() is not None:
        return await fetchrow(sql, *args)
    if not gate.entered():
        await _admitted(gate)
    try:
        pool = _state.pool
        holder = None if pool is None else pool.hold()
        if holder is not None:
            row: Record | None = await pool.first_row(holder, sql, args)
            return row
    finally:
        gate.release()
    return await fetchrow(sql, *args)  # a connection has to be opened first


async def fetchval(sql: str, *args: object) -> Any:
    """The first value of one statement outside of a transaction, or None."""
    async with _Connection() as raw:
        return await raw.fetchval(sql, *args)


async def execute(sql: str, *args: object) -> int:
    """Rows affected by one statement in a transaction of its own."""
    async with _Connection() as raw:
        return _count(await raw.execute(sql, *args))


async def fetchval_apart(sql: str, *args: object) -> Any:
    """The first value of one statement on another connection than the transaction this task is in; commits at once.

    It passes the gate by: the caller already holds a place there, and waiting for a second one could wait for itself.
    """
    client: Any = get_connection("default")
    while hasattr(client, "_parent"):
        client = client._parent
    async with client._pool.acquire(timeout=GATE_WAIT_SECONDS) as raw:
        return await raw.fetchval(sql, *args)


def jsonb(value: object) -> str:
    """A value as text for a `jsonb` parameter."""
    return orjson.dumps(value).decode()


def from_jsonb(text: str | None) -> Any:
    """A `jsonb` column as read by plain SQL; None stays None."""
    return None if text is None else orjson.loads(text)
