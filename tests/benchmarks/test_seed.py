"""The seed: every invariant holds over it, the same plan gives the same rows, every state of an order is in it, and every history is legal."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest

from benchmarks import seed as seeding
from benchmarks.frame import BenchRefused
from benchmarks.seed_rows import at, ms_of
from benchmarks.seed_stories import STORIES, Story
from benchmarks.seed_world import Plan
from domain import db as database
from domain.orders.rules import (
    NEXT_FULFILMENT,
    NEXT_ORDER,
    NEXT_PAYMENT,
    FulfilmentState,
    OrderList,
    OrderState,
    PaymentState,
    may_move,
)
from plusone import invariants
from tests.conftest import NOW

ORDERS = 1_500
PLAN = Plan(orders=ORDERS, members=120, shops=8, until=NOW)


async def test_every_invariant_holds_over_a_seed(db) -> None:
    done = await seeding.seed(db, PLAN)
    assert done.orders == ORDERS
    assert await invariants.check(NOW) == []
    assert await database.fetchval('select count(*) from "order"') == ORDERS


async def test_what_triggers_and_foreign_keys_would_have_refused_is_not_there(db) -> None:
    await seeding.seed(db, PLAN)
    keys = await database.fetch(
        """select conname, conrelid::regclass::text as "table", confrelid::regclass::text as parent,
             (select string_agg(format('c.%I', attname), ',' order by place) from unnest(conkey) with ordinality k(num, place)
              join pg_attribute on attrelid = conrelid and attnum = num) as child_columns,
             (select string_agg(format('p.%I', attname), ',' order by place) from unnest(confkey) with ordinality k(num, place)
              join pg_attribute on attrelid = confrelid and attnum = num) as parent_columns
           from pg_constraint where contype = 'f' and connamespace = 'public'::regnamespace and conparentid = 0"""
    )
    assert len(keys) > 20
    orphans = {}
    for key in keys:
        absent = " or ".join(f"{column} is null" for column in key["child_columns"].split(","))
        found = await database.fetchval(
            f"""select count(*) from {key["table"]} c where not ({absent})
                and not exists (select from {key["parent"]} p where ({key["parent_columns"]}) = ({key["child_columns"]}))"""
        )
        if found:
            orphans[key["conname"]] = found
    assert orphans == {}


async def test_a_seed_holds_every_state_and_list(db) -> None:
    await seeding.seed(db, PLAN)
    rows = await database.fetch('select distinct state, payment_state, fulfilment_state, list from "order"')
    assert {row["state"] for row in rows} == {one.value for one in OrderState}
    assert {row["payment_state"] for row in rows} == {one.value for one in PaymentState}
    assert {row["fulfilment_state"] for row in rows} == {one.value for one in FulfilmentState}
    assert {row["list"] for row in rows} == {one.value for one in OrderList}


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_every_history_is_legal(story: Story) -> None:
    state, payment, fulfilment = OrderState.OPEN, PaymentState.UNPAID, FulfilmentState.UNFULFILLED
    for step in story.steps:
        assert step.state or step.payment or step.fulfilment, "a step moves something"
        assert step.state is None or may_move(NEXT_ORDER, state, step.state)
        assert step.payment is None or may_move(NEXT_PAYMENT, payment, step.payment)
        assert step.fulfilment is None or may_move(NEXT_FULFILMENT, fulfilment, step.fulfilment)
        state, payment, fulfilment = step.state or state, step.payment or payment, step.fulfilment or fulfilment
    assert (state, payment, fulfilment) == (story.state, story.payment, story.fulfilment)


async def test_an_orders_version_and_timeline_count_its_steps(db) -> None:
    await seeding.seed(db, PLAN)
    wrong = await database.fetch(
        """select o.id from "order" o join lateral (select count(*) filter (where kind not in ('LINES_ADDED','READY_FOR_PICKUP')) as steps, max(at) as last, min(at) as first from order_event where order_id = o.id) e on true
           where o.version <> e.steps + 1 or e.first < o.created_at or e.last > $1""",
        NOW + timedelta(seconds=1),
    )
    assert wrong == []


def digest(plan: Plan) -> str:
    found = hashlib.sha256()
    for lot in seeding.lots(plan):
        for table, rows in lot.rows.items():
            found.update(f"{table}\n".encode() + "\n".join(rows).encode())
    return found.hexdigest()


def test_the_same_plan_gives_the_same_rows_and_another_seed_others() -> None:
    small = Plan(orders=200, members=30, shops=3, until=NOW)
    assert digest(small) == digest(small)
    assert digest(small) != digest(Plan(orders=200, members=30, shops=3, until=NOW, seed=2))


async def test_a_seed_keeps_every_index_and_goes_on_counting(db) -> None:
    async def indexes() -> set[str]:
        return {row["indexdef"] for row in await database.fetch("select indexdef from pg_indexes where schemaname = 'public'")}

    before = await indexes()
    await seeding.seed(db, PLAN)
    assert await indexes() == before
    next_movement = await database.fetchval("select nextval(pg_get_serial_sequence('stock_movement', 'id'))")
    assert next_movement == await database.fetchval("select max(id) + 1 from stock_movement")


async def test_a_database_with_shops_is_left_alone(db) -> None:
    await seeding.seed(db, PLAN)
    before = await database.fetchval('select count(*) from "order"')
    with pytest.raises(BenchRefused, match="has shops or members already"):
        await seeding.seed(db, PLAN)
    assert await database.fetchval('select count(*) from "order"') == before


async def test_shops_are_of_very_different_size_and_members_buy_at_many(db) -> None:
    await seeding.seed(db, PLAN)
    sizes = [row["n"] for row in await database.fetch('select count(*) n from "order" group by shop_id order by 1 desc')]
    assert len(sizes) == 8
    assert sizes[0] > 3 * sizes[-1]
    assert (
        await database.fetchval(
            'select max(n) from (select count(distinct shop_id) n from "order" where member_id is not null group by member_id) x'
        )
        > 3
    )


def test_instants_are_written_as_postgresql_reads_them() -> None:
    assert at(ms_of(NOW) + 7) == "2026-11-21 08:00:00.007+00"
