"""People change while comments, payments and other people's acts go on. Each race has a twin without the guard."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from domain import db as database
from domain.db import Tx
from domain.inbox.drain import Cursor, drain_one
from domain.members import claim_codes, deletion, merging
from domain.members.commands import sign_in
from domain.members.merging import Asking
from domain.members.ports import ProvenIdentity
from domain.members.rules import DELETION_WAIT, ERASED, CodeKind
from plusone.invariants import check
from tests.build import NOW, a_buyer, a_member, a_shop, a_variant, an_order
from tests.domain.members.test_merging import paid, tables, two_people
from tests.domain.members.test_names import a_session, an_identity, link
from tests.races.turns import Slowly, somebody_waits
from tests.wall import Wall, a_wall, wall_services
from workers.ingest import handler

LATER = NOW + timedelta(minutes=5)
DUE = NOW + DELETION_WAIT


async def ready_to_merge(keeper: UUID, other: UUID) -> tuple[Asking, str]:
    """Who hands which code in."""
    code = await claim_codes.start(member_id=keeper, kind=CodeKind.MERGE, now=LATER)
    return Asking(other, await a_session(other, LATER)), code.text


# --- merging and a comment ----------------------------------------------------------------------------------------------------


async def merged_beside_a_delivery(wall: Wall, keeper: UUID, other: UUID) -> None:
    """A comment of the other's is written and not committed when the other is merged."""
    asking, code = await ready_to_merge(keeper, other)
    await wall.says("mei", "+1")
    slow = Slowly(wall)
    delivery = asyncio.create_task(slow.run())
    await slow.written.wait()
    merge = asyncio.create_task(merging.merge(asking, code, LATER))
    await somebody_waits()
    slow.commit.set()
    await asyncio.gather(delivery, merge)


async def test_a_comment_of_a_known_name_and_a_merge_take_turns(db: str) -> None:
    """The order that the comment makes is the keeper's, whichever was first."""
    wall, keeper, other = await a_wall(), await a_member(), await a_member()
    await link(other, [wall.shop])
    await merged_beside_a_delivery(wall, keeper, other)
    assert await database.fetchval('select member_id from "order"') == keeper
    assert await database.fetchval("select count(*) from notice where member_id is distinct from $1", keeper) == 0
    assert await check(NOW + timedelta(seconds=30)) == []


async def test_twin_that_does_not_lock_the_names_leaves_the_order_behind(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def unlocked(tx: Tx, members, also=()):
        return await tx.fetch(
            "select id, shop_id, provider, external_id, inbox_id, member_id, created_at from buyer where member_id = any($1::uuid[])",
            list(members),
        )

    async def by_what_is_seen_now(tx: Tx, buyers, member_id, *, actor, now):
        entries = await merging_follow(tx, buyers, actor=actor, now=now)
        await tx.execute("update buyer set member_id = $2 where id = any($1::uuid[])", list(buyers), member_id)
        return entries

    from domain.members.people import follow as merging_follow

    wall, keeper, other = await a_wall(), await a_member(), await a_member()
    await link(other, [wall.shop])
    monkeypatch.setattr(merging, "lock_buyers", unlocked)
    monkeypatch.setattr(merging, "hand", by_what_is_seen_now)
    await merged_beside_a_delivery(wall, keeper, other)
    assert await database.fetchval('select member_id from "order"') == other
    assert "I11" in [violation.invariant for violation in await check(NOW + timedelta(seconds=30))]


async def a_new_name_beside_a_merge() -> tuple[UUID, UUID]:
    """A delivery meets a name for the first time, reads whose identity it is, and commits after the merge."""
    wall, keeper, other = await a_wall(), await a_member(), await a_member()
    await an_identity(other, "facebook", "mei")
    code = (await claim_codes.start(member_id=keeper, kind=CodeKind.MERGE, now=NOW)).text
    asking = Asking(other, await a_session(other))
    await wall.says("mei", "+1")
    slow = Slowly(wall)
    delivery = asyncio.create_task(slow.run())
    await slow.written.wait()
    await merging.merge(asking, code, NOW + timedelta(minutes=1))
    slow.commit.set()
    await delivery
    return keeper, other


async def test_a_name_met_in_the_moment_of_a_merge_is_put_right_by_the_next_run(db: str) -> None:
    keeper, other = await a_new_name_beside_a_merge()
    assert await database.fetchval("select member_id from buyer") == other
    assert await merging.follow_missed(LATER + timedelta(minutes=4)) == 1
    assert await merging.follow_missed(LATER + timedelta(minutes=4)) == 0
    assert await database.fetchval('select member_id from "order"') == keeper
    assert await database.fetchval("select count(*) from notice where member_id is distinct from $1", keeper) == 0
    assert await check(NOW + timedelta(seconds=30)) == []


async def test_a_merge_beside_many_deliveries_leaves_nothing_behind(db: str) -> None:
    """Names with orders in the making, over several lanes, ten merges at once: nothing hangs and all is the keepers' in the end."""
    wall = await a_wall(on_hand=200, places=4)
    pairs = [(await a_member(), await a_member()) for _ in range(10)]
    for n, (_, other) in enumerate(pairs):
        await link(other, [wall.shop], f"p{n}")
    ready = [await ready_to_merge(keeper, other) for keeper, other in pairs]
    for n in range(10):
        for place in range(4):
            await wall.says(f"p{n}", "+1", place=place)

    async def lane() -> None:
        cursor = Cursor()
        while await drain_one(cursor, handler(wall.services), now=wall.services.clock.now) is not None:
            pass

    await asyncio.gather(*(lane() for _ in range(4)), *(merging.merge(asking, code, LATER) for asking, code in ready))
    await wall.drain()
    for n, (keeper, other) in enumerate(pairs):
        assert await wall.pieces(f"p{n}") == {"": 4}
        assert await database.fetchval('select count(*) from "order" where member_id = $1', other) == 0
        assert await database.fetchval('select count(*) from "order" where member_id = $1', keeper) == 1
    assert await check(NOW + timedelta(seconds=30)) == []


# --- merging and a payment ----------------------------------------------------------------------------------------------------


async def paid_beside_a_merge() -> tuple[object, object, UUID]:
    shop, keeper, other = await a_shop(), await a_member(), await a_member()
    buyer = await a_buyer(shop, provider="line", external_id="U1", member_id=other)
    order = await an_order(shop, {await a_variant(shop): 1}, buyer=buyer)
    asking, code = await ready_to_merge(keeper, other)
    done = await asyncio.gather(paid(order, shop), merging.merge(asking, code, LATER), return_exceptions=True)
    return *done, keeper


async def test_a_payment_and_a_merge_both_happen_and_the_keeper_is_told(db: str) -> None:
    for _ in range(10):
        payment, merge, keeper = await paid_beside_a_merge()
        assert payment is None
        assert isinstance(merge, UUID)
        row = await database.fetchrow('select member_id, payment_state, version from "order" where member_id = $1', keeper)
        assert row is not None
        assert (row["payment_state"], row["version"] >= 3) == ("PAID", True)
    assert (
        await database.fetchval(
            "select count(*) from notice n join buyer b on b.id = n.buyer_id where n.member_id is distinct from b.member_id"
        )
        == 0
    )
    assert await check(NOW + timedelta(seconds=30)) == []


async def test_twin_that_sets_the_member_from_what_it_read_loses_the_version(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading the version first and writing it back later meets the table's guard: one of the two fails."""
    read = asyncio.Event()
    pay = asyncio.Event()

    async def blind(tx: Tx, buyers, actor, now):
        rows = await tx.fetch('select id, version from "order" where buyer_id = any($1::uuid[])', buyers)
        read.set()
        await pay.wait()
        for row in rows:
            await tx.execute('update "order" set version = $2 where id = $1', row["id"], row["version"] + 1)
        return []

    monkeypatch.setattr("domain.members.people._orders_follow", blind)
    shop, keeper, other = await a_shop(), await a_member(), await a_member()
    buyer = await a_buyer(shop, provider="line", external_id="U1", member_id=other)
    order = await an_order(shop, {await a_variant(shop): 1}, buyer=buyer)
    asking, code = await ready_to_merge(keeper, other)
    merge = asyncio.create_task(merging.merge(asking, code, LATER))
    await read.wait()
    # The payment only reads the name's row, and is not kept waiting by it.
    await database.execute('update "order" set version = version + 1, updated_at = $2 where id = $1', order.id, LATER)
    pay.set()
    (failed,) = await asyncio.gather(merge, return_exceptions=True)
    assert type(failed).__name__ == "CheckViolationError"


# --- merges and each other ----------------------------------------------------------------------------------------------------


async def test_two_merges_crossing_end_in_one(db: str) -> None:
    for _ in range(10):
        one, two = await a_member(), await a_member()
        first, second = await ready_to_merge(one, two), await ready_to_merge(two, one)
        done = await asyncio.gather(merging.merge(*first, LATER), merging.merge(*second, LATER), return_exceptions=True)
        assert sorted("merged" if isinstance(d, UUID) else type(d).__name__ for d in done) in (
            ["LinkOver", "merged"],
            ["SignInAgain", "merged"],
        )
        assert await database.fetchval("select count(*) from member_merge where keeper_id = any($1::uuid[])", [one, two]) == 1
    assert await check(LATER) == []


async def test_twin_that_does_not_lock_the_members_lets_them_cross(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each becomes part of the other, and nobody can sign in to either."""
    both = asyncio.Barrier(2)

    async def unlocked(tx: Tx, members):
        return {row["id"]: row for row in await tx.fetch("select id, deleted_at from member where id = any($1::uuid[])", list(members))}

    real = merging._refuse_unfit

    async def look_together(tx: Tx, keeper: UUID, absorbed: UUID) -> None:
        await real(tx, keeper, absorbed)
        await both.wait()

    async def no_sessions(tx: Tx, *args: object, **kwargs: object) -> list[UUID]:
        return []

    monkeypatch.setattr(merging, "lock_members", unlocked)
    monkeypatch.setattr(merging, "_refuse_unfit", look_together)
    monkeypatch.setattr(merging, "end_sessions", no_sessions)
    one, two = await a_member(), await a_member()
    first, second = await ready_to_merge(one, two), await ready_to_merge(two, one)
    done = await asyncio.gather(merging.merge(*first, LATER), merging.merge(*second, LATER), return_exceptions=True)
    merged = await database.fetchval("select count(*) from member_merge where undone_at is null")
    assert (merged, [d for d in done if not isinstance(d, UUID)]) == (2, [])


async def test_one_code_handed_in_by_two_accounts_at_once_joins_one(db: str) -> None:
    for _ in range(5):
        keeper, others = await a_member(), [await a_member(), await a_member()]
        code = await claim_codes.start(member_id=keeper, kind=CodeKind.MERGE, now=LATER)
        hands = [Asking(other, await a_session(other, LATER)) for other in others]
        done = await asyncio.gather(*(merging.merge(h, code.text, LATER) for h in hands), return_exceptions=True)
        assert sorted(type(d).__name__ for d in done) == ["LinkOver", "UUID"]


async def test_a_sign_in_beside_a_merge_finds_one_of_the_two_accounts_and_makes_no_third(db: str) -> None:
    async def signs_in() -> UUID:
        async with database.transaction() as tx:
            return await sign_in(tx, ProvenIdentity("line", "U1", "美美"), LATER)

    for _ in range(5):
        await database.execute("delete from identity")
        keeper, other = await a_member(), await a_member()
        await an_identity(other, "line", "U1")
        count = await database.fetchval("select count(*) from member")
        found, merge = await asyncio.gather(signs_in(), merging.merge(*await ready_to_merge(keeper, other), LATER))
        assert found in (keeper, other)
        assert isinstance(merge, UUID)
        assert await database.fetchval("select count(*) from member") == count
        assert await database.fetchval("select member_id from identity where subject = 'U1'") == keeper


async def test_merging_and_undoing_by_turns_ends_as_it_began(db: str) -> None:
    keeper, other, *_ = await two_people()
    before = await tables()
    for _ in range(3):
        merge_id = await merging.merge(*await ready_to_merge(keeper, other), LATER)
        undone = await asyncio.gather(
            *(merging.undo(merge_id=merge_id, member_id=keeper, now=LATER) for _ in range(3)), return_exceptions=True
        )
        assert sorted(type(u).__name__ for u in undone) == ["NoneType", "UndoOver", "UndoOver"]
        assert await tables() == before


# --- deleting and a delivery --------------------------------------------------------------------------------------------------


async def deleted_beside_a_delivery() -> tuple[Wall, UUID]:
    wall, member = await a_wall(), await a_member()
    await link(member, [wall.shop])
    await deletion.request(member_id=member, now=NOW)
    await wall.says("mei", "+1")
    slow = Slowly(wall)
    delivery = asyncio.create_task(slow.run())
    await slow.written.wait()
    done = asyncio.create_task(deletion.run_due(DUE, wall.services.jobs))
    await somebody_waits()
    slow.commit.set()
    await asyncio.gather(delivery, done)
    return wall, member


async def test_a_delivery_that_was_first_is_erased_with_the_rest_and_its_order_stands(db: str) -> None:
    _wall, member = await deleted_beside_a_delivery()
    await deletion.erase_again(DUE)
    row = await database.fetchrow('select b.external_id, b.name, o.member_id, o.state from "order" o join buyer b on b.id = o.buyer_id')
    assert row is not None
    assert (row["external_id"].startswith(ERASED), row["name"], row["member_id"], row["state"]) == (True, "", member, "OPEN")
    assert await database.fetchval("select count(*) from social_comment where text <> ''") == 0
    assert await database.fetchval("select count(*) from inbox_event where payload::text like '%mei%'") == 0
    assert await check(NOW + timedelta(seconds=30)) == []


async def test_twin_that_does_not_wait_for_the_delivery_leaves_its_text(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def unlocked(tx: Tx, members, also=()):
        return await tx.fetch(
            "select id, shop_id, provider, external_id, inbox_id, member_id, created_at from buyer where member_id = any($1::uuid[])",
            list(members),
        )

    real = deletion._erase

    async def words_first(tx: Tx, names, now) -> None:
        for statement in deletion.WRITTEN:
            await tx.execute(statement, [row["id"] for row in names])
        monkeypatch.setattr(deletion, "WRITTEN", ())
        await real(tx, names, now)

    monkeypatch.setattr(deletion, "lock_buyers", unlocked)
    monkeypatch.setattr(deletion, "_erase", words_first)
    await deleted_beside_a_delivery()
    assert await database.fetchval("select text from social_comment") == "+1"


async def test_a_delivery_that_comes_second_is_a_strangers(db: str) -> None:
    """The delivery waits for the name's row, finds it gone from under its id, and writes another name."""
    wall, member = await a_wall(), await a_member()
    await link(member, [wall.shop])
    await deletion.request(member_id=member, now=NOW)
    await wall.says("mei", "+1")
    held, go = asyncio.Event(), asyncio.Event()
    real = deletion._erase

    async def slowly(tx: Tx, names, now) -> None:
        await real(tx, names, now)
        held.set()
        await go.wait()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deletion, "_erase", slowly)
        done = asyncio.create_task(deletion.run_due(DUE, wall_services().jobs))
        await held.wait()
        delivery = asyncio.create_task(wall.drain())
        await somebody_waits()
        go.set()
        await asyncio.gather(done, delivery)
    assert await database.fetchval('select o.member_id from "order" o') is None
    rows = await database.fetch("select external_id, member_id from buyer order by member_id nulls first")
    assert [(row["external_id"].startswith(ERASED), row["member_id"]) for row in rows] == [(False, None), (True, member)]
    assert await check(NOW + timedelta(seconds=30)) == []


async def test_a_deletion_and_a_merge_take_turns(db: str) -> None:
    """Either the account is part of another one and its deletion finds nothing, or it is gone and cannot be merged."""
    for _ in range(5):
        keeper, other = await a_member(), await a_member()
        ready = await ready_to_merge(keeper, other)
        done = await asyncio.gather(deletion.request(member_id=other, now=LATER), merging.merge(*ready, LATER), return_exceptions=True)
        assert [type(d).__name__ for d in done] in (["UUID", "DeletionUnderway"], ["NotFound", "UUID"])
