"""Every guard of the parcels' tables, broken on purpose, one at a time."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from domain import db as database
from domain.shipping.rules import MOVES, ReturnDecision, ShipmentState
from tests.build import NOW, AnOrder, a_shop, a_variant
from tests.parcels import S, an_order_to_send, packed, said, settled

migration = importlib.import_module("domain.migrations.0016_shipping")


@asynccontextmanager
async def undone() -> AsyncIterator[Any]:
    """A transaction that is rolled back."""
    transaction: Any = None
    async with database.connection() as raw:
        transaction = raw.transaction()
        await transaction.start()
        try:
            yield raw
        finally:
            await transaction.rollback()


@pytest.fixture
async def order(db: str) -> AnOrder:
    """With a parcel that is being packed and one that left."""
    shop = await a_shop()
    found = await an_order_to_send(shop, [(await a_variant(shop, on_hand=5), 3)])
    await packed(found, {0: 1})
    await said(found, await packed(found, {0: 1}), S.SHIPPED)
    return found


BREAKS = {
    "order_line_pieces": ("order_line", ["packed = -1", "shipped = -1", "packed = quantity", "shipped = quantity", "handed_over = 2"]),
    "shipment_line_quantity": ("shipment_line", ["quantity = 0", "quantity = -1"]),
    "shipment_number": ("shipment", ["tracking_number = '1 2'", "tracking_number = 'é'", "tracking_number = '=1'"]),
    "shipment_left": ("shipment", ["left_at = case when left_at is null then now() end"]),
    "shipment_settled": (
        "shipment",
        ["return_decision = 'RESTOCK'", "settled_at = now()", "return_decision = 'RESTOCK', settled_at = now()"],
    ),
    "shipment_store": ("shipment", ["store_name = 'x'", "store_address = 'x'", "last_pickup_day = now()"]),
}


def test_every_check_has_its_break() -> None:
    assert {(table, name) for table, name, _ in migration.CHECKS} == {(table, name) for name, (table, _) in BREAKS.items()}


@pytest.mark.parametrize(("name", "change"), [(name, change) for name, (_, changes) in BREAKS.items() for change in changes])
async def test_a_figure_that_cannot_be_is_refused(order: AnOrder, name: str, change: str) -> None:
    table = BREAKS[name][0]
    async with undone() as raw:
        await raw.execute(f"alter table {table} disable trigger user")
        with pytest.raises(asyncpg.CheckViolationError) as refused:
            await raw.execute(f"update {table} set {change} where ctid = (select ctid from {table} limit 1)")
        assert refused.value.constraint_name == name


REFERENCES = [(table, column, name) for table, found in migration.REFERENCES.items() for name, column, _, _ in found]


@pytest.mark.parametrize(("table", "column", "name"), REFERENCES, ids=[name for *_, name in REFERENCES])
@pytest.mark.parametrize("act", ["insert", "update", "another shop"])
async def test_a_row_that_points_to_nothing_or_into_another_shop_is_refused(
    order: AnOrder, table: str, column: str, name: str, act: str
) -> None:
    other = await a_shop()
    async with undone() as raw:
        for trigger in await raw.fetch("select tgname from pg_trigger where tgrelid = $1::regclass and not tgisinternal", table):
            if not trigger["tgname"].startswith("references"):
                await raw.execute(f"alter table {table} disable trigger {trigger['tgname']}")
        with pytest.raises(asyncpg.ForeignKeyViolationError) as refused:
            for row in await raw.fetch("select conname from pg_constraint where conrelid = $1::regclass and contype = 'u'", table):
                await raw.execute(f'alter table {table} drop constraint "{row["conname"]}" cascade')
            if act == "insert":
                columns = [
                    row["column_name"]
                    for row in await raw.fetch(
                        "select column_name from information_schema.columns where table_name = $1 and is_identity = 'NO'", table
                    )
                    if row["column_name"] not in ("id", column, "at")
                ]
                more = {"shipment": ("id", "gen_random_uuid()"), "shipment_event": ("at", "now()")}.get(table)
                named, values = (
                    [*columns, column, *(more[:1] if more else ())],
                    [*columns, "gen_random_uuid()", *(more[1:] if more else ())],
                )
                await raw.execute(f"insert into {table} ({', '.join(named)}) select {', '.join(values)} from {table} limit 1")
            elif act == "update":
                await raw.execute(f"update {table} set {column} = gen_random_uuid() where ctid = (select ctid from {table} limit 1)")
            else:
                await raw.execute(f"update {table} set shop_id = $1 where ctid = (select ctid from {table} limit 1)", other.id)
        assert refused.value.constraint_name in ({name} if act != "another shop" else {n for t, _, n in REFERENCES if t == table})


async def test_the_trigger_lets_legal_moves_through_and_no_other(order: AnOrder) -> None:
    parcel = await database.fetchval("select id from shipment where state = 'PREPARING'")
    seen = {}
    for old, new in itertools.product(ShipmentState, ShipmentState):
        async with undone() as raw:
            await raw.execute("alter table shipment drop constraint shipment_left")
            await raw.execute("alter table shipment disable trigger shipment_guard")
            await raw.execute("update shipment set state = $2 where id = $1", parcel, old.value)
            await raw.execute("alter table shipment enable trigger shipment_guard")
            try:
                await raw.execute("update shipment set state = $2, version = version + 1 where id = $1", parcel, new.value)
                seen[old, new] = "moved"
            except asyncpg.CheckViolationError as error:
                seen[old, new] = str(error.constraint_name)
    assert seen == {(old, new): "moved" if new in MOVES[old] or new is old else "shipment_legal_move" for old, new in seen}
    rows = await database.fetch("select old, new from legal_move where axis = 'shipment'")
    assert {(row["old"], row["new"]) for row in rows} == {(old.value, new.value) for old, nexts in MOVES.items() for new in nexts}


@pytest.mark.parametrize("step", ["version", "version + 2", "version - 1"])
async def test_the_version_rises_by_one_with_every_move(order: AnOrder, step: str) -> None:
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        await database.execute(f"update shipment set state = 'IN_TRANSIT', version = {step} where state = 'SHIPPED'")
    assert refused.value.constraint_name == "shipment_version_step"


async def test_a_decision_is_taken_once(order: AnOrder) -> None:
    parcel = await database.fetchval("select id from shipment where state = 'SHIPPED'")
    await said(order, parcel, S.RETURNED, at=NOW.replace(hour=9), now=NOW.replace(hour=9))
    await settled(order, parcel, ReturnDecision.WRITE_OFF)
    for change in ("return_decision = 'RESTOCK'", "state = 'DELIVERED'", "return_decision = null, settled_at = null"):
        with pytest.raises(asyncpg.CheckViolationError) as refused:
            await database.execute(f"update shipment set {change}, version = version + 1 where id = $1", parcel)
        assert refused.value.constraint_name == "shipment_settled_once"


@pytest.mark.parametrize(
    "statement",
    [
        "update shipment_line set quantity = 2", "delete from shipment_line", "truncate shipment_line", "delete from shipment_event", "truncate shipment_event",
        "update shipment_event set note = 'x'", "update shipment_event set at = now()", "update shipment_event set note = '', actor = 'x'",
    ],
)  # fmt: skip
async def test_what_happened_is_never_changed_or_deleted(order: AnOrder, statement: str) -> None:
    before = await database.fetch("select * from shipment_line"), await database.fetch("select * from shipment_event")
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        await database.execute(statement)
    assert refused.value.constraint_name == "append_only"
    assert (await database.fetch("select * from shipment_line"), await database.fetch("select * from shipment_event")) == before


async def test_a_note_can_be_erased(order: AnOrder) -> None:
    assert await database.execute("update shipment_event set note = ''") == 1


@pytest.mark.parametrize("statement", ["delete from shipment", "truncate shipment cascade", "update shipment set id = gen_random_uuid()"])
async def test_a_parcel_stays(order: AnOrder, statement: str) -> None:
    with pytest.raises((asyncpg.ForeignKeyViolationError, asyncpg.CheckViolationError)) as refused:
        await database.execute(statement)
    assert refused.value.constraint_name in ("never_gone", "append_only")


async def test_one_parcel_holds_a_number(order: AnOrder) -> None:
    with pytest.raises(asyncpg.UniqueViolationError) as refused:
        await database.execute("update shipment set tracking_number = 'A-1'")
    assert refused.value.constraint_name == "shipment_of_number"
