"""The audit's chain: what was sealed cannot change unseen, and nothing is left out because it was committed late."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import asyncpg
import pytest

from domain import db as database
from domain.audit.commands import Actor, Entry, record
from domain.audit.seal import FIRST, chained, seal, verify_chain
from domain.ids import new_id
from tests.build import NOW

ACTOR = Actor("worker:test", "worker", "r-1")
A, B = UUID(int=1), UUID(int=2)


async def entries(shop_id: UUID, count: int = 1, detail: dict[str, object] | None = None) -> None:
    async with database.transaction() as tx:
        await record(
            tx,
            ACTOR,
            [Entry(shop_id, "test.act", "order", new_id(), detail or {"n": n, "a": {"z": 1, "b": 2}}) for n in range(count)],
            now=NOW,
        )


async def sealed(limit: int = 100, patience_seconds: float = 0) -> int:
    return await seal(now=NOW, limit=limit, patience_seconds=patience_seconds)


async def altered(sql: str, *args: object) -> None:
    """Change what nobody may change, as someone with the database's own password could."""
    connection = await database.dedicated()
    try:
        await connection.execute("set session_replication_role = replica")
        await connection.execute(sql, *args)
    finally:
        await connection.close()


async def test_all_entries_are_sealed_per_shop(db: str) -> None:
    await entries(A, 3)
    await entries(B, 2)
    await entries(A, 1)
    assert await sealed() == 6
    rows = await database.fetch("select shop_id, up_to_id, entries, length(hash) as length, sealed_at from audit_seal order by id")
    last = {shop: await database.fetchval("select max(id) from audit_entry where shop_id = $1", shop) for shop in (A, B)}
    assert [tuple(row) for row in rows] == [(B, last[B], 2, 64, NOW), (A, last[A], 4, 64, NOW)]
    assert (await verify_chain(A), await verify_chain(B)) == (None, None)
    assert await sealed() == 0


async def test_seals_chain_on_and_go_on_where_they_stopped(db: str) -> None:
    for shop in (A, B, A, B, A):
        await entries(shop, 3)
    assert [await sealed(limit=4) for _ in range(5)] == [4, 4, 4, 3, 0]
    counts = {
        row["shop_id"]: row["n"] for row in await database.fetch("select shop_id, sum(entries) as n from audit_seal group by shop_id")
    }
    assert counts == {A: 9, B: 6}
    assert (await verify_chain(A), await verify_chain(B), await verify_chain(uuid4())) == (None, None, None)


async def test_the_hash_is_sha_256_over_the_one_before_and_the_entries(db: str) -> None:
    await entries(A, 2)
    await sealed(limit=1)
    await sealed(limit=1)
    rows = await database.fetch("select * from audit_entry order by id")
    first = chained(FIRST, rows[:1])
    assert [row["hash"] for row in await database.fetch("select hash from audit_seal order by id")] == [first, chained(first, rows[1:])]


CHANGES = (
    "actor = 'member:x'", "role = 'OWNER'", "action = 'x'", "object_type = 'x'", "object_id = gen_random_uuid()", "detail = '{\"n\": 99}'",
    "request_id = 'x'", "at = at + interval '1 microsecond'", "id = 1000000",
)  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
async def test_an_altered_entry_shows(db: str, change: str) -> None:
    for _ in range(3):
        await entries(A, 2)
        await sealed()
    await entries(B, 2)
    await sealed()
    ends = [row["up_to_id"] for row in await database.fetch("select up_to_id from audit_seal where shop_id = $1 order by id", A)]
    await altered(f"update audit_entry set {change} where id = $1", ends[1])
    assert await verify_chain(A) == ends[1]
    assert await verify_chain(B) is None


@pytest.mark.parametrize(
    "change",
    [
        "delete from audit_entry where id = $1",
        "update audit_entry set shop_id = gen_random_uuid() where id = $1",
        "update audit_seal set hash = repeat('0', 64) where up_to_id = $1",
        "update audit_seal set entries = 1 where up_to_id = $1",
        "delete from audit_seal where up_to_id = $1",
    ],
)
async def test_a_missing_entry_and_a_forged_seal_show(db: str, change: str) -> None:
    for _ in range(3):
        await entries(A, 2)
        await sealed()
    ends = [row["up_to_id"] for row in await database.fetch("select up_to_id from audit_seal order by id")]
    await altered(change, ends[1])
    assert await verify_chain(A) in ends


async def test_a_forger_who_seals_anew_breaks_the_next_seal(db: str) -> None:
    for _ in range(3):
        await entries(A, 2)
        await sealed()
    ends = [row["up_to_id"] for row in await database.fetch("select up_to_id from audit_seal order by id")]
    await altered("update audit_entry set actor = 'member:x' where id = $1", ends[0])
    forged = chained(FIRST, await database.fetch("select * from audit_entry where id <= $1 order by id", ends[0]))
    await altered("update audit_seal set hash = $2 where up_to_id = $1", ends[0], forged)
    assert await verify_chain(A) == ends[1]


async def test_an_entry_slipped_in_from_another_shop_shows_in_both(db: str) -> None:
    for shop in (A, B, A):
        await entries(shop, 1)
    await sealed()
    (mine,) = await database.fetch("select id from audit_entry where shop_id = $1", B)
    await altered("update audit_entry set shop_id = $2 where id = $1", mine["id"], A)
    assert (await verify_chain(A), await verify_chain(B)) == (mine["id"] + 1, mine["id"])


async def test_an_entry_that_is_committed_late_is_not_left_out(db: str) -> None:
    """Its id is smaller than one that was committed before it: while its transaction runs, nothing is sealed."""
    slow = await database.dedicated()
    try:
        async with slow.transaction():
            await _by_hand(slow, A)
            await entries(A, 1)
            assert await sealed() == 0
            assert await database.fetchval("select count(*) from audit_seal") == 0
        assert await sealed() == 2
    finally:
        await slow.close()
    assert await verify_chain(A) is None
    assert await database.fetchval("select array_agg(entries) from audit_seal") == [2]


async def test_without_the_guard_the_late_entry_is_left_out(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin: sealing whatever is visible seals past the entry, and the chain breaks when it arrives."""

    async def whatever_is_visible(_: float) -> int:
        newest: int = await database.fetchval("select max(id) from audit_entry")
        return newest

    monkeypatch.setattr("domain.audit.seal._settled_up_to", whatever_is_visible)
    slow = await database.dedicated()
    try:
        async with slow.transaction():
            await _by_hand(slow, A)
            await entries(A, 1)
            assert await sealed() == 1
        assert await sealed() == 0
    finally:
        await slow.close()
    assert await verify_chain(A) is not None


async def _by_hand(connection: asyncpg.Connection[asyncpg.Record], shop_id: UUID) -> None:
    await connection.execute(
        """insert into audit_entry (shop_id, at, actor, role, action, object_type, object_id, detail, request_id)
           values ($1, $2, 'worker:slow', '', 'test.slow', 'order', $1, '{}', '')""",
        shop_id, NOW,
    )  # fmt: skip


async def test_sealing_waits_for_a_transaction_that_soon_ends(db: str) -> None:
    slow = await database.dedicated()
    try:
        transaction = slow.transaction()
        await transaction.start()
        await _by_hand(slow, A)
        await entries(A, 1)
        waiting = asyncio.create_task(sealed(patience_seconds=30))
        while not await database.fetchval(  # noqa: ASYNC110
            "select count(*) from pg_stat_activity where query like '%pg_snapshot_xmin%' and pid <> pg_backend_pid()"
        ):
            await asyncio.sleep(0.01)
        await transaction.commit()
        # The entry of the slow transaction may or may not have been visible when the bound was drawn; what is left comes with the next call.
        assert await waiting + await sealed() == 2
    finally:
        await slow.close()
    assert await verify_chain(A) is None


async def test_two_that_seal_at_once_seal_everything_once(db: str) -> None:
    for shop in (A, B) * 10:
        await entries(shop, 2)
    await asyncio.gather(*(sealed(limit=7, patience_seconds=5) for _ in range(8)))
    while await sealed(limit=7, patience_seconds=5):
        pass
    assert await database.fetchval("select sum(entries) from audit_seal") == 40
    assert (await verify_chain(A), await verify_chain(B)) == (None, None)
