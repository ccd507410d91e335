"""The pool and the migrated tables."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from tortoise.connection import get_connection

from domain import db as database


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
