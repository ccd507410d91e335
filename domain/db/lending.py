"""The engine that Tortoise is given: asyncpg's pool, which takes a connection back at once when there is nothing to clean up.

asyncpg gives each connection back in a task of its own, with a timer around what resets it. Here nothing is reset (see `pool.py`), so for a connection
that is open, outside of a transaction and without listeners that is only work: some 15 microseconds of a statement that takes 150. Whatever is not so
plain goes back by asyncpg's own way. A connection that is open and free is lent
without waiting, past the six coroutines between Tortoise and it. Its internals that are read here (0.32) are held by `tests/domain/test_lending.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import asyncpg
from asyncpg.exceptions import InvalidCachedStatementError, OutdatedSchemaCacheError
from asyncpg.pool import PoolConnectionProxy
from asyncpg.protocol.protocol import NO_TIMEOUT
from tortoise.backends.asyncpg.client import AsyncpgDBClient

MOST_QUERIES = 50_000
"""After so many a connection is made anew, as asyncpg does by default."""
IDLE_SECONDS = 300.0


class Pool(asyncpg.Pool):
    """See the module."""

    async def release(self, connection: Any, *, timeout: float | None = None) -> None:
        """Give a connection back."""
        if not self.take_back(connection):
            await super().release(connection, timeout=timeout)

    def lend(self) -> Any:
        """A connection that is open and free, or None: then `acquire` opens one, or waits."""
        holder = self.hold()
        return None if holder is None else self._proxy_of(holder)

    def hold(self) -> Any:
        """The holder of such a connection, or None."""
        pool: Any = self
        queue = pool._queue
        if pool._closing or not pool._initialized or queue.empty():
            return None
        holder = queue.get_nowait()
        raw = holder._con
        if raw is None or raw.is_closed() or holder._generation != pool._generation or holder._setup is not None:
            queue.put_nowait(holder)
            return None
        holder._maybe_cancel_inactive_callback()
        holder._in_use = pool._loop.create_future()
        return holder

    async def first_row(self, holder: Any, sql: str, args: Sequence[object]) -> Any:
        """The first row of one statement, or None, on a connection that `hold` answered, which goes back with it.

        A statement that the connection knows is run at once, past the five coroutines of asyncpg around it and without a timer of its own: who asks is cut
        off by other means.
        """
        raw = holder._con
        try:
            known = self.known(raw, sql)
            if known is None:
                return await raw.fetchrow(sql, *args)
            try:
                rows = await raw._protocol.bind_execute(known, args, "", 1, False, NO_TIMEOUT)
            except (InvalidCachedStatementError, OutdatedSchemaCacheError):
                return await raw.fetchrow(sql, *args)  # which knows what to forget
            return rows[0] if rows else None
        finally:
            if not self._taken(holder, raw) and holder._con is raw and holder._in_use is not None:
                await super().release(self._proxy_of(holder))

    def known(self, raw: Any, sql: str) -> Any:
        """The prepared statement of this text, when the connection has it and nobody listens to what it runs."""
        return None if raw._query_loggers else raw._stmt_cache.get((sql, raw._protocol.get_record_class(), False))

    @staticmethod
    def _proxy_of(holder: Any) -> Any:
        holder._proxy = proxy = PoolConnectionProxy(holder, holder._con)
        return proxy

    def take_back(self, connection: Any) -> bool:
        """Give a connection back at once; False where there is more to do, which is `release`'s."""
        holder = getattr(connection, "_holder", None)
        return holder is not None and self._taken(holder, connection._con)

    def _taken(self, holder: Any, raw: Any) -> bool:
        """The same of its holder; a connection that was closed meanwhile has gone back by itself."""
        if not self._is_plain(raw, holder):
            return False
        raw._on_release()
        holder._timeout = None
        holder._release()
        holder._setup_inactive_callback()
        return True

    def _is_plain(self, raw: Any, holder: Any) -> bool:
        """Nothing to wait for, to reset or to close."""
        if raw is None or holder._con is not raw or holder._pool is not self or holder._in_use is None or raw.is_closed():
            return False
        protocol = raw._protocol
        return not (
            protocol._is_cancelling()
            or protocol.is_in_transaction()
            or raw._top_xact is not None
            or raw._listeners
            or raw._log_listeners
            or protocol.queries_count >= self._max_queries
            or holder._generation != self._generation
        )


class Client(AsyncpgDBClient):
    """Tortoise's client with this pool."""

    async def create_pool(self, **kwargs: Any) -> asyncpg.Pool[Any]:
        """A pool, connected."""
        return await Pool(max_queries=MOST_QUERIES, max_inactive_connection_lifetime=IDLE_SECONDS, record_class=asyncpg.Record, **kwargs)


client_class = Client
