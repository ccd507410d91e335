"""The pool and the migrated tables."""

from __future__ import annotations

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
