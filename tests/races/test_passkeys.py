"""A passkey and its copy, both with the next count, at the same moment: the account's lock lets one after the other look."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from domain import db as database
from domain.db import Tx
from domain.members import passkeys
from tests.build import NOW, a_member
from tests.races.turns import until_somebody_waits


async def both_used() -> list[bool]:
    """Which of the two got in; the second looks while the first has written and not committed."""
    member = await a_member()
    async with database.transaction() as tx:
        await passkeys.add(tx, member, passkeys.NewPasskey(b"credential", b"key", 1), "手機", NOW)
    kept = await passkeys.kept(b"credential")
    assert kept is not None
    written, commit = asyncio.Event(), asyncio.Event()

    async def first() -> bool:
        async with database.transaction() as tx:
            used = await passkeys.use(tx, kept, 2, NOW)
            written.set()
            await commit.wait()
            return used

    async def second() -> bool:
        async with database.transaction() as tx:
            return await passkeys.use(tx, kept, 2, NOW)

    one = asyncio.create_task(first())
    await written.wait()
    other = asyncio.create_task(second())
    await until_somebody_waits(other)
    commit.set()
    return [await one, await other]


async def test_of_a_passkey_and_its_copy_one_gets_in(db: str) -> None:
    assert await both_used() == [True, False]
    assert await database.fetchval("select count(*) from member_event where action = 'PASSKEY_COPIED'") == 1


async def test_the_twin_that_looks_without_a_lock_lets_both_in(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def unlocked(tx: Tx, member_id: UUID) -> bool:
        return True

    monkeypatch.setattr(passkeys, "LAST_COUNT", passkeys.LAST_COUNT.removesuffix(" for update"))
    monkeypatch.setattr(passkeys, "lock_account", unlocked)
    assert await both_used() == [True, True]
    assert await database.fetchval("select count(*) from member_event where action = 'PASSKEY_COPIED'") == 0
