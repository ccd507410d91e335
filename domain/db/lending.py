"""The engine that Tortoise is given: asyncpg's pool, which takes a connection back at once when there is nothing to clean up.

asyncpg gives each connection back in a task of its own, with a timer around what resets it. Here nothing is reset (see `pool.py`), so for a connection
that is open, outside of a transaction and without listeners that is only work: some 15 microseconds of a statement that takes 150. Whatever is not so
plain goes back by asyncpg's own way. A connection that is open and free is lent
without waiting, past the six coroutines between Tortoise and it. Its internals that are read here (0.32) are held by `tests/domain/test_lending.py`.
"""

from __future__ import annotations

from typing import Any

import asyncpg
from asyncpg.pool import PoolConnectionProxy
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
        holder._proxy = proxy = PoolConnectionProxy(holder, raw)
        holder._in_use = pool._loop.create_future()
        return proxy

    def take_back(self, connection: Any) -> bool:
        """Give a connection back at once; False where there is more to do, which is `release`'s."""
        holder = getattr(connection, "_holder", None)
        if holder is None or not self._is_plain(connection._con, holder):
            return False
        connection._con._on_release()
        holder._timeout = None
        holder._release()
        holder._setup_inactive_callback()
        return True

    def _is_plain(self, raw: Any, holder: Any) -> bool:
        """Nothing to wait for, to reset or to close."""
        if raw is None or holder._pool is not self or holder._in_use is None or raw.is_closed():
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
