"""How connections go back to the pool: at once when there is nothing to clean up, else by asyncpg's own way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import asyncpg
import pytest

from domain import db as database
from domain.db.lending import Pool


class Watched(Pool):
    """Counts tasks: asyncpg's way of giving a connection back makes one."""

    __slots__ = ("plain",)

    def _is_plain(self, raw: Any, holder: Any) -> bool:
        self.plain.append(super()._is_plain(raw, holder))
        return bool(self.plain[-1])


async def kept(_: object) -> None:
    """Resets nothing, as the program's pool does."""


@pytest.fixture
async def pool(server_dsn: str) -> AsyncIterator[Watched]:
    made = Watched(
        min_size=1, max_size=1, max_queries=50, max_inactive_connection_lifetime=30.0, loop=None, reset=kept, record_class=asyncpg.Record,
        connection_class=asyncpg.Connection, **database.credentials(server_dsn),
    )  # fmt: skip
    made.plain = []
    async with made:
        yield made


async def pid(pool: Pool) -> Any:
    """The one connection's process in the server: the same while it is kept."""
    return await pool.fetchval("select pg_backend_pid()")


async def test_a_clean_connection_goes_back_at_once_and_is_lent_again(pool: Watched) -> None:
    first = await pid(pool)
    raw = await pool.acquire()
    await raw.fetchval("select 1")
    await pool.release(raw)
    assert pool.get_idle_size() == 1
    with pytest.raises(asyncpg.InterfaceError, match="released back"):
        await raw.fetchval("select 1")
    await pool.release(raw)  # once more is nothing
    assert await pid(pool) == first
    assert all(pool.plain[:2])


async def test_a_free_connection_is_lent_without_waiting(pool: Watched) -> None:
    first = await pid(pool)
    raw = pool.lend()
    assert await raw.fetchval("select pg_backend_pid()") == first
    assert pool.lend() is None, "there is one alone"
    assert pool.take_back(raw)
    assert pool.get_idle_size() == 1
    with pytest.raises(asyncpg.InterfaceError, match="released back"):
        await raw.fetchval("select 1")
    assert not pool.take_back(raw)
    assert await pid(pool) == first


async def test_what_is_not_clean_is_not_taken_back_at_once_nor_lent(pool: Watched) -> None:
    first, raw = await pid(pool), pool.lend()
    await raw.execute("begin")
    assert not pool.take_back(raw)
    await raw.execute("rollback")
    assert pool.take_back(raw)
    raw = pool.lend()
    raw.terminate()
    assert pool.lend() is None, "a closed one is opened by `acquire`"
    assert await pid(pool) != first
    await pool.expire_connections()
    assert pool.lend() is None, "one that is out of date is made anew by `acquire`"


async def test_an_open_transaction_is_rolled_back(pool: Watched) -> None:
    first, raw = await pid(pool), await pool.acquire()
    await raw.execute("begin")
    await raw.execute("create table left_behind (n int)")
    said: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(context["message"]))
    try:
        await pool.release(raw)
    finally:
        asyncio.get_running_loop().set_exception_handler(None)
    assert pool.plain[-1] is False
    assert len(said) == 1
    assert await pid(pool) == first
    assert await pool.fetchval("select to_regclass('left_behind')") is None


async def test_a_prepared_statement_ends_with_its_loan(pool: Watched) -> None:
    raw = await pool.acquire()
    statement = await raw.prepare("select 1")
    await pool.release(raw)
    with pytest.raises(asyncpg.InterfaceError):
        await statement.fetchval()


async def test_listeners_are_taken_off(pool: Watched) -> None:
    raw = await pool.acquire()
    await raw.add_listener("a_channel", lambda *_: None)
    with pytest.warns(asyncpg.InterfaceWarning):
        await pool.release(raw)
    assert pool.plain[-1] is False
    raw = await pool.acquire()
    assert raw._con._listeners == {}
    await pool.release(raw)


async def test_a_statement_cut_by_its_task_leaves_a_connection_that_works(pool: Watched) -> None:
    task = asyncio.create_task(pool.fetchval("select pg_sleep(30)"))
    while not pool._holders[0]._in_use:  # noqa: ASYNC110
        await asyncio.sleep(0)
    for _ in range(3):
        await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert await pool.fetchval("select 1") == 1
    assert pool.get_idle_size() == 1


async def test_a_connection_that_the_server_has_ended_is_made_anew(pool: Watched, server_dsn: str) -> None:
    first, raw = await pid(pool), await pool.acquire()
    other = await asyncpg.connect(**database.credentials(server_dsn))
    try:
        await other.execute("select pg_terminate_backend($1, 5000)", first)
    finally:
        await other.close()
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await raw.fetchval("select 1")
    await pool.release(raw)
    assert await pid(pool) != first


async def test_a_connection_is_made_anew_after_many_statements_and_when_all_are_expired(pool: Watched) -> None:
    first = await pid(pool)
    for _ in range(50):
        await pool.fetchval("select 1")
    second = await pid(pool)
    assert second != first
    raw = await pool.acquire()
    await pool.expire_connections()
    await pool.release(raw)
    assert pool.plain[-1] is False
    assert await pid(pool) != second


async def test_the_program_lends_its_connections_so(db: str) -> None:
    from tortoise.connection import get_connection

    await database.fetchval("select 1")
    assert type(get_connection("default")._pool) is Pool  # type: ignore[attr-defined]


async def test_a_statements_first_row_leaves_its_connection_free(pool: Watched) -> None:
    for number in range(3):  # asked for the first time, prepared, and known
        row = await pool.first_row(pool.hold(), "select $1::int as n", [number])
        assert dict(row) == {"n": number}
        assert pool.get_idle_size() == 1
    assert await pool.first_row(pool.hold(), "select 1 where false", []) is None
    assert await pool.first_row(pool.hold(), "select 1 where false", []) is None
    assert all(pool.plain)


async def test_a_statement_whose_table_changed_is_prepared_again(pool: Watched) -> None:
    await pool.execute("create temporary table changing as select 1 as a")
    for _ in range(2):
        assert dict(await pool.first_row(pool.hold(), "select * from changing", [])) == {"a": 1}
    await pool.execute("alter table changing add column b int default 2")
    for _ in range(2):
        assert dict(await pool.first_row(pool.hold(), "select * from changing", [])) == {"a": 1, "b": 2}
    assert pool.get_idle_size() == 1


async def test_a_first_row_that_fails_or_is_cut_leaves_a_connection_that_works(pool: Watched) -> None:
    for _ in range(2):
        with pytest.raises(asyncpg.DivisionByZeroError):
            await pool.first_row(pool.hold(), "select 1 / $1::int", [0])
    await pool.first_row(pool.hold(), "select pg_sleep($1)", [0.0])
    for _ in range(2):  # known by now, so that no timer of asyncpg's is about
        task = asyncio.create_task(pool.first_row(pool.hold(), "select pg_sleep($1)", [30.0]))
        for _ in range(3):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await pool.fetchval("select 1") == 1
    assert pool.get_idle_size() == 1


async def test_a_connection_that_ends_during_its_statement_goes_back_once(pool: Watched, server_dsn: str) -> None:
    first = await pid(pool)
    await pool.first_row(pool.hold(), "select pg_sleep($1)", [0.0])
    task = asyncio.create_task(pool.first_row(pool.hold(), "select pg_sleep($1)", [30.0]))
    other = await asyncpg.connect(**database.credentials(server_dsn))
    try:
        await other.execute("select pg_terminate_backend($1, 5000)", first)
    finally:
        await other.close()
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await task
    assert await pid(pool) != first
    assert pool.get_idle_size() == 1
    assert pool._queue.qsize() == 1
