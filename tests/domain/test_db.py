"""The pool and the migrated tables."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import asyncpg
import pytest
from tortoise.connection import get_connection

from domain import db as database
from domain.db.lending import Pool
from domain.ids import new_id
from tests.build import NOW, a_claim, a_shop


async def test_a_transaction_rolls_back_on_any_exception(db: str) -> None:
    try:
        async with database.transaction() as tx:
            await tx.execute(
                "insert into member (id, ver, display_name, locale, created_at) values (gen_random_uuid(), 1, '', 'zh-TW', now())"
            )
            raise RuntimeError
    except RuntimeError:
        pass
    assert await database.fetchval("select count(*) from member") == 0


async def test_a_task_cancelled_while_its_transaction_begins_gives_its_connection_back(db: str) -> None:
    pool = get_connection("default")._pool  # type: ignore[attr-defined]

    async def one() -> None:
        async with database.transaction() as tx:
            await tx.execute("select 1")

    for turns in range(12):
        task = asyncio.create_task(one())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert [holder for holder in pool._holders if holder.is_connected() and not holder.is_idle()] == []
    await one()


async def test_a_task_cancelled_while_its_connection_goes_back_does_not_keep_it(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be lent to somebody else by then, who may be in the midst of a transaction."""
    usual, giving, give_back = get_connection("default"), asyncio.Event(), asyncpg.Pool.release

    async def slow(self: asyncpg.Pool, connection: object, *, timeout: float | None = None) -> None:
        giving.set()
        try:
            await asyncio.Event().wait()
        finally:
            await give_back(self, connection, timeout=timeout)  # asyncpg shields this from whoever gives up waiting

    async def one() -> object:
        with suppress(asyncio.CancelledError):
            async with database.transaction() as tx:
                await tx.execute("select 1")
        return get_connection("default")

    with monkeypatch.context() as patch:
        patch.setattr(Pool, "_is_plain", lambda *_: False)
        patch.setattr(asyncpg.Pool, "release", slow)
        task = asyncio.create_task(one())
        await giving.wait()
        task.cancel()
        assert await task is usual
    assert await database.fetchval("select 1") == 1


REPLY = ("id", "shop_id", "comment_id", "dedupe_key", "kind", "text", "state", "tries", "external_id", "last_error", "created_at")


async def replies_of(keys: Sequence[str]) -> list[tuple[object, ...]]:
    """Rows of answers to one comment, with these keys."""
    row = await database.fetchrow("select id, shop_id from social_comment")
    assert row is not None
    return [(new_id(), row["shop_id"], row["id"], key, "PUBLIC", "", "PENDING", 0, "", "", NOW) for key in keys]


async def waits_for_another() -> None:
    """Until a statement of this database waits for another transaction."""
    waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
    while not await database.fetchval(waiting):  # noqa: ASYNC110
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("keys", [["a", "b"], list("abcdefgh")], ids=["a few", "many"])
async def test_rows_that_somebody_else_writes_in_this_moment_stay_theirs(db: str, keys: list[str]) -> None:
    await a_claim(await a_shop())
    theirs, ours = await replies_of(["b"]), await replies_of(keys)
    connection = await database.dedicated()
    try:
        begun = connection.transaction()
        await begun.start()
        await connection.copy_records_to_table("platform_reply", records=theirs, columns=REPLY)

        async def write() -> Sequence[tuple[object, ...]]:
            async with database.transaction() as tx:
                return await tx.copy_new("platform_reply", REPLY, ours)

        writing = asyncio.create_task(write())
        await waits_for_another()
        await begun.commit()
        written = await writing
    finally:
        await connection.close()
    assert [row[3] for row in written] == [key for key in keys if key != "b"]
    found = {row["dedupe_key"]: row["id"] for row in await database.fetch("select dedupe_key, id from platform_reply")}
    assert found == {row[3]: row[0] for row in [*written, *theirs]}


async def test_a_copy_alone_would_fail_on_them(db: str) -> None:
    await a_claim(await a_shop())
    async with database.transaction() as tx:
        await tx.copy("platform_reply", REPLY, await replies_of(["b"]))
    with pytest.raises(asyncpg.UniqueViolationError):
        async with database.transaction() as tx:
            await tx.copy("platform_reply", REPLY, await replies_of(list("abcdefgh")))
    assert await database.fetchval("select count(*) from platform_reply") == 1


async def test_a_connection_that_listens_waits_for_no_answer_without_end(db: str) -> None:
    """A server that is gone without a word would otherwise leave its process deaf."""
    connection = await database.dedicated(0.2)
    try:
        with pytest.raises(TimeoutError):
            await connection.execute("select pg_sleep(300)")
    finally:
        connection.terminate()
