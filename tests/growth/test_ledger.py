"""Old movements of stock leave the ledger for the archive: sums stay, lines stay whole, and nothing leaves in any other way."""

from __future__ import annotations

import asyncio
import json
import random
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from benchmarks import seed as seeding
from benchmarks.seed_world import Plan
from domain import db as database
from domain.claims.receipts import receipts_of
from domain.members import keys
from domain.orders.commands import cancel
from domain.upkeep import ledger
from domain.upkeep.ledger import archive_movements
from plusone.invariants import check
from tests.books import books_agree, figures
from tests.build import NOW, AShop, AVariant, a_product, a_shop, an_order
from tests.counter import CLERK, JOBS, pay
from tests.domain.claims.acts import first_order
from tests.domain.claims.taps import a_fan, claim_of
from tests.growth.seeded import clear
from tests.wall import a_wall

BEFORE = NOW - timedelta(days=100)
SUMS = "select variant_id, sum(on_hand_delta), sum(held_delta), sum(committed_delta) from {} group by 1 order by 1"
OF_LINES = (
    "select order_line_id, sum(held_delta), sum(committed_delta), count(*) from {} where order_line_id is not null group by 1 order by 1"
)


async def count(table: str, where: str = "true") -> int:
    found: int = await database.fetchval(f"select count(*) from {table} where {where}")
    return found


async def rows(sql: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await database.fetch(sql)]


@pytest.fixture
async def seed(db: str):
    """300 orders of a year and a half with all their movements."""
    await seeding.seed(db, Plan(orders=300, members=20, shops=3, until=NOW))
    yield db
    await clear(db)


async def broken() -> list[str]:
    return [one.invariant for one in await check(NOW) if one.invariant in ("I2a", "I2b", "I12")]


async def test_what_leaves_is_in_the_archive_and_carried_forward(seed) -> None:
    movements, sums, lines = (
        await count("stock_movement"),
        await rows(SUMS.format("stock_movement")),
        await rows(OF_LINES.format("stock_ledger")),
    )
    old = await count("stock_movement", f"at < '{BEFORE}'")
    moved = await archive_movements(before=BEFORE, now=NOW, lot=200, lots=1_000)
    assert 0.9 * old < moved <= old
    assert await count("stock_movement_archive", "kind <> 'BALANCE'") == moved
    assert await count("stock_movement", "kind <> 'BALANCE'") == movements - moved
    assert await rows(SUMS.format("stock_movement")) == await rows(SUMS.format("stock_ledger")) == sums
    assert await rows(OF_LINES.format("stock_ledger")) == lines
    assert await count("(select variant_id from stock_movement where kind = 'BALANCE' group by 1 having count(*) > 1) x") == 0
    assert await broken() == []


@pytest.mark.parametrize(
    "loss", ["delete from stock_movement_archive where kind = 'HELD'", "delete from stock_movement where kind = 'BALANCE'"]
)
async def test_what_is_lost_from_archive_or_balance_shows(seed, loss) -> None:
    await archive_movements(before=BEFORE, now=NOW, lot=2_000, lots=100)
    assert await broken() == []
    connection = await database.dedicated()
    try:
        await connection.execute(f"set session_replication_role = replica; {loss}")
    finally:
        await connection.close()
    assert "I2a" in await broken()


async def test_a_line_leaves_whole_or_not_at_all(seed) -> None:
    await archive_movements(before=BEFORE, now=NOW, lot=97, lots=1_000)
    assert await count("stock_movement m join stock_movement_archive a on a.order_line_id = m.order_line_id") == 0
    assert (
        await count(
            "(select 1 from stock_movement_archive where order_line_id is not null group by order_line_id having sum(held_delta) <> 0) x"
        )
        == 0
    )


async def test_lots_of_any_size_and_runs_at_any_time_end_the_same(seed) -> None:
    sums = await rows(SUMS.format("stock_movement"))
    chance = random.Random(7)
    for day in (500, 300, 200, 100):
        await archive_movements(
            before=NOW - timedelta(days=day), now=NOW - timedelta(days=day - 40), lot=chance.choice((3, 50, 2_000)), lots=5_000
        )
        assert await broken() == []
    left = await count("stock_movement")
    assert await archive_movements(before=BEFORE, now=NOW, lot=2_000, lots=100) == 0
    assert await count("stock_movement") == left
    assert await rows(SUMS.format("stock_movement")) == await rows(SUMS.format("stock_ledger")) == sums


async def test_few_lots_leave_the_rest_for_the_next_run(seed) -> None:
    first = await archive_movements(before=BEFORE, now=NOW, lot=50, lots=2)
    assert 0 < first < 400
    assert await broken() == []
    assert await archive_movements(before=BEFORE, now=NOW, lot=2_000, lots=100) > 0


async def a_stocked_variant() -> tuple[AShop, AVariant]:
    """A shop and a variant of which nine are there."""
    shop = await a_shop()
    return shop, (await a_product(shop, on_hand=9)).variants[0]


async def test_a_line_that_still_holds_pieces_stays_however_old(db) -> None:
    shop, variant = await a_stocked_variant()
    order = await an_order(shop, {variant: 2}, created_at=NOW - timedelta(days=900))
    later = NOW + timedelta(days=900)
    assert await archive_movements(before=later, now=later, lot=10, lots=10) == 1  # the receipt
    assert await count("stock_movement", "kind = 'HELD'") == 1
    assert await figures(variant) == (9, 2, 0)
    await pay(order)
    assert await archive_movements(before=later, now=later, lot=10, lots=10) == 0
    await books_agree()


async def test_a_level_that_somebody_holds_is_left_for_the_next_time(db) -> None:
    _, variant = await a_stocked_variant()
    later = NOW + timedelta(days=1)
    other = await database.dedicated()
    try:
        async with other.transaction():
            await other.execute("select 1 from stock_level where variant_id = $1 for update", variant.id)
            assert await archive_movements(before=later, now=later, lot=10, lots=10) == 0
    finally:
        await other.close()
    assert await archive_movements(before=later, now=later, lot=10, lots=10) == 1


@pytest.mark.parametrize("part", ["COPY", "CARRY", "LEAVE"])
async def test_a_worker_that_dies_in_the_middle_leaves_everything_as_it_was(db, monkeypatch, part) -> None:
    _, variant = await a_stocked_variant()
    before = await rows("select id, kind from stock_movement")
    later = NOW + timedelta(days=1)
    dying = {
        "COPY": f"{ledger.COPY} and (select pg_terminate_backend(pg_backend_pid()))",
        "CARRY": "select pg_terminate_backend(pg_backend_pid()), $1::bigint[], $2::text, $3::timestamptz",
        "LEAVE": f"{ledger.LEAVE} and (select pg_terminate_backend(pg_backend_pid()))",
    }
    monkeypatch.setattr(ledger, part, dying[part])
    with pytest.raises(database.AWAY):
        await archive_movements(before=later, now=later, lot=10, lots=10)
    assert await rows("select id, kind from stock_movement") == before
    assert await count("stock_movement_archive") == 0
    monkeypatch.undo()
    assert await archive_movements(before=later, now=later, lot=10, lots=10) == 1
    assert await figures(variant) == (9, 0, 0)
    assert await broken() == []


COPIES = "insert into stock_movement_archive select * from stock_movement"
CARRIES = """insert into stock_movement (shop_id, variant_id, kind, on_hand_delta, held_delta, committed_delta, actor, reason, at)
  select shop_id, variant_id, 'BALANCE', sum(on_hand_delta) + {}, 0, 0, '', '', now() from stock_movement group by 1, 2"""
LEAVES = "delete from stock_movement where kind <> 'BALANCE'"


@pytest.mark.parametrize(
    "script",
    [
        ["delete from stock_movement"],
        [CARRIES.format(0), LEAVES],
        [COPIES, LEAVES],
        [COPIES, CARRIES.format(1), LEAVES],
        [COPIES, CARRIES.format(0), "insert into stock_movement (shop_id, variant_id, kind, on_hand_delta, held_delta, committed_delta, actor, at, reason) select shop_id, variant_id, 'BALANCE', 0, 0, 0, '', now(), '' from stock_movement limit 1", LEAVES],
        ["truncate stock_movement"],
        ["update stock_movement set on_hand_delta = 0"],
        [COPIES, "update stock_movement_archive set on_hand_delta = 0"],
        [COPIES, "delete from stock_movement_archive"],
        [COPIES, "truncate stock_movement_archive"],
    ],
)  # fmt: skip
async def test_a_row_leaves_the_ledger_in_no_other_way(db, script) -> None:
    await a_stocked_variant()
    await database.execute("select movement_archive_month($1)", NOW.date().replace(day=1))
    before = await rows("select * from stock_movement")
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        async with database.transaction() as tx:
            for statement in script[:-1]:
                await tx.execute(statement)
            await tx.execute(script[-1])
    assert refused.value.constraint_name == "append_only"
    assert await rows("select * from stock_movement") == before
    assert await count("stock_movement_archive") == 0


async def test_the_same_script_with_the_right_sum_goes_through(db) -> None:
    _, variant = await a_stocked_variant()
    async with database.transaction() as tx:
        await tx.execute("select movement_archive_month($1)", NOW.date().replace(day=1))
        for statement in (COPIES, CARRIES.format(0), LEAVES):
            await tx.execute(statement)
    assert await count("stock_movement") == 1
    assert await figures(variant) == (9, 0, 0)
    assert await broken() == []


async def test_an_older_balance_does_not_cover_what_leaves_now(db) -> None:
    shop, variant = await a_stocked_variant()
    later = NOW + timedelta(days=1)
    await archive_movements(before=later, now=later, lot=10, lots=10)
    order = await an_order(shop, {variant: 1})
    await database.execute(
        "insert into stock_movement (shop_id, variant_id, kind, on_hand_delta, held_delta, committed_delta, actor, reason, at) values ($1, $2, 'COUNTED', 9, 0, 0, '', '', $3)",
        shop.id, variant.id, NOW,
    )  # fmt: skip
    assert order.lines
    with pytest.raises(asyncpg.CheckViolationError, match="carried forward"):
        async with database.transaction() as tx:
            await tx.execute("insert into stock_movement_archive select * from stock_movement where kind = 'COUNTED'")
            await tx.execute("delete from stock_movement where kind = 'COUNTED'")


async def test_the_archive_takes_nothing_that_is_not_in_the_ledger(db) -> None:
    await a_stocked_variant()
    await database.execute("select movement_archive_month($1)", NOW.date().replace(day=1))
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        await database.execute(
            """insert into stock_movement_archive select id, shop_id, variant_id, kind, on_hand_delta + 1, held_delta, committed_delta, order_line_id, actor, reason, at
               from stock_movement"""
        )
    assert refused.value.constraint_name == "archive_takes_copies"


async def test_orders_go_on_while_the_ledger_is_archived(db) -> None:
    wall = await a_wall(variants=("紅", "白"), on_hand=200, places=2)
    later = NOW + timedelta(days=3)
    done = asyncio.Event()

    async def archive() -> int:
        total = 0
        while not done.is_set():
            total += await archive_movements(before=later, now=later, lot=5, lots=50)
            assert await broken() == []
        return total

    async def sell() -> None:
        for n in range(40):
            await wall.says(f"buyer-{n % 9}", f"{'紅白'[n % 2]}+{1 + n % 3}", place=n % 2)
            await wall.drain()
        done.set()

    moved, _ = await asyncio.gather(archive(), sell())
    assert moved >= 2
    assert await broken() == []
    assert await count("social_comment") == 40


async def test_a_receipt_tells_the_same_once_its_movements_are_archived(db) -> None:
    wall = await a_wall(on_hand=5)
    await keys.ensure_keys(wall.services.vault, NOW)
    member = await a_fan("anna")
    comment = await wall.says("anna", "+2")
    await wall.drain()
    await cancel(order_id=await first_order(), shop_id=wall.shop.id, reason="", actor=CLERK, now=NOW, jobs=JOBS)
    claim, later = await claim_of(comment), NOW + timedelta(days=1)

    async def orders() -> Any:
        return json.loads((await receipts_of([claim], member, now=NOW))[claim].document)["orders"]

    before = await orders()
    assert await archive_movements(before=later, now=later, lot=10, lots=10) == 3
    assert await count("stock_movement", "order_line_id is not null") == 0
    assert [one["kind"] for one in before[0]["lines"][0]["changes"]] == ["HELD", "RELEASED"]
    assert await orders() == before
    assert await database.fetchval("select on_hand_delta from stock_ledger order by id limit 1") == 5
