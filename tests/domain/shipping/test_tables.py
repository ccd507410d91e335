"""What guards the tables of parcels, each guard broken on purpose."""

from __future__ import annotations

import importlib
from uuid import UUID

import asyncpg
import pytest

from domain import db as database
from domain.providers.pgqueuer_enqueue import PgQueuerJobs
from tests import build
from tests.parcels import an_order_to_send, ship

migration = importlib.import_module("domain.migrations.0011_inbox")


@pytest.fixture
async def parcel(db: str) -> UUID:
    return await ship(await an_order_to_send(await build.a_shop()), jobs=PgQueuerJobs())


COPY = {
    "shipment_shop": "insert into shipment select (jsonb_populate_record(s, jsonb_build_object('id', gen_random_uuid(), 'shop_id', gen_random_uuid()))).* from shipment s",
    "shipment_order_id": "insert into shipment select (jsonb_populate_record(s, jsonb_build_object('id', gen_random_uuid(), 'order_id', gen_random_uuid()))).* from shipment s",
    "shipment_buyer_id": "insert into shipment select (jsonb_populate_record(s, jsonb_build_object('id', gen_random_uuid(), 'buyer_id', gen_random_uuid()))).* from shipment s",
    "shipment_line_order_line_id": "insert into shipment_line (shop_id, shipment_id, order_line_id, quantity) select shop_id, shipment_id, gen_random_uuid(), 1 from shipment_line",
    "shipment_line_shipment_id": "insert into shipment_line (shop_id, shipment_id, order_line_id, quantity) select shop_id, gen_random_uuid(), order_line_id, 1 from shipment_line",
    "shipment_event_shipment_id": "insert into shipment_event (shop_id, shipment_id, state, place, note, at) select shop_id, gen_random_uuid(), 'SHIPPED', '', '', now()"
    " from shipment_event",
}


@pytest.mark.parametrize("name", COPY)
async def test_a_row_that_points_to_nothing_is_refused(parcel: UUID, name: str) -> None:
    with pytest.raises(asyncpg.ForeignKeyViolationError) as refused:
        await database.execute(COPY[name])
    assert refused.value.constraint_name == name


def test_every_reference_is_broken_here() -> None:
    names = {name for found in migration.REFERENCES.values() for name, *_ in found}
    assert set(COPY) == names | {f"{t}_{c}" for t, c, _ in migration.WITHIN_SHOP}


async def test_a_parcel_of_another_shops_order_is_refused(parcel: UUID) -> None:
    other = await an_order_to_send(await build.a_shop())
    with pytest.raises(asyncpg.ForeignKeyViolationError) as refused:
        await database.execute("update shipment set order_id = $1", other.id)
    assert refused.value.constraint_name == "shipment_order_id"


BREAKS = {
    "shipment_version": "update shipment set version = 0",
    "shipment_line_quantity": "insert into shipment_line (shop_id, shipment_id, order_line_id, quantity) select shop_id, shipment_id, order_line_id, 0 from shipment_line",
}


def test_every_check_of_parcels_is_broken_here() -> None:
    assert set(BREAKS) == {name for table, name, _ in migration.CHECKS if table.startswith("shipment")}


@pytest.mark.parametrize("name", BREAKS)
async def test_every_check_refuses_what_it_is_for(parcel: UUID, name: str) -> None:
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        await database.execute(BREAKS[name])
    assert refused.value.constraint_name == name


@pytest.mark.parametrize("table", ["shipment_line", "shipment_event"])
@pytest.mark.parametrize("act", ["update {} set shop_id = shop_id", "delete from {}", "truncate {}"])
async def test_what_was_sent_and_heard_is_append_only(parcel: UUID, table: str, act: str) -> None:
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        await database.execute(act.format(table))
    assert refused.value.constraint_name == "append_only"
