"""Every foreign key, CHECK, unique rule and append-only trigger of the integrity migration, broken on purpose, one at a time."""

from __future__ import annotations

import importlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import asyncpg
import pytest

from domain import db as database
from domain.db import Tx
from tests.build import NOW, AShop
from tests.domain.orders.world import a_world

migration = importlib.import_module("domain.migrations.0002_integrity")
people = importlib.import_module("domain.migrations.0006_people")
"""Its guards are broken on purpose in tests/domain/members/test_people_tables.py."""
inbox = importlib.import_module("domain.migrations.0012_inbox")
"""Its guards are broken on purpose in tests/domain/notices/test_tables.py."""
shipping = importlib.import_module("domain.migrations.0016_shipping")
"""Its guards are broken on purpose in tests/domain/shipping/test_tables.py."""
acting = importlib.import_module("domain.migrations.0013_acting")
"""Its guards are broken on purpose in tests/domain/claims/test_acting_tables.py."""
delivery = importlib.import_module("domain.migrations.0014_delivery")
payments = importlib.import_module("domain.migrations.0011_payments")
disputes = importlib.import_module("domain.migrations.0015_disputes")
snapshots = importlib.import_module("domain.migrations.0020_snapshots")
"""Its guards are broken on purpose in tests/domain/claims/test_snapshot_tables.py."""
links = importlib.import_module("domain.migrations.0017_links")
"""Its guards, and those of passes of slots, are broken on purpose in tests/domain/members/test_link_tables.py."""
slots = importlib.import_module("domain.migrations.0021_pass_slots")
proofs = importlib.import_module("domain.migrations.0022_staff_proofs")
"""Its guards are broken on purpose in tests/domain/members/test_proof_tables.py."""
NAMED = re.compile(r"add constraint (\w+)\s+(foreign key|check)")
LATER = NAMED.findall(payments.INTEGRITY + disputes.INTEGRITY + snapshots.INTEGRITY + links.INTEGRITY + slots.INTEGRITY + proofs.INTEGRITY)
OF_LATER = {kind: {name for name, found in LATER if found == kind} for kind in ("foreign key", "check")}
OTHER_KEYS = {"sign_in_alert_member_id", "provider_grant_member_id", "waitlist_offer_place", *OF_LATER["foreign key"]}
OTHER_KEYS |= {f"{table}_{name}" for table, name, _ in delivery.KEYS}
OTHER_KEYS |= {f"{t}_{c}" for t, c, _ in inbox.TO_MEMBER}
OTHER_CHECKS = {"sign_in_alert_tries", "pickup_lent", "trusted_operation_hash", *OF_LATER["check"]}
OTHER_CHECKS |= {name for _, name, _ in (*acting.CHECKS, *delivery.CHECKS)}
"""Those of sign-in, streams, operations and of every later migration, broken where what they guard is tested."""
FOREIGN_KEYS = [
    *[(t, "shop_id", f"{t}_shop", "shop") for t in migration.TO_SHOP],
    *[(t, c, f"{t}_{c}", to) for t, c, to in migration.WITHIN_SHOP],
    *[(t, c, f"{t}_{c}", to) for t, c, to, _ in migration.TO_ONE],
]
WITHIN_SHOP = {f"{t}_{c}" for t, c, _ in migration.WITHIN_SHOP}
POINTS_OUT = [(table, name, column) for table in migration.IN_BULK for name, column, _, _ in migration.references_of(table)]
APPEND_ONLY = re.findall(r"before update or delete or truncate on (\w+)", migration.APPEND_ONLY)


class RolledBackError(Exception):
    pass


@asynccontextmanager
async def only(table: str, *, foreign_key: str = "") -> AsyncIterator[Tx]:
    """A transaction that is rolled back, in which the triggers of this table are off and no foreign key but this one exists."""
    try:
        async with database.transaction() as tx:
            await tx.execute(f'alter table "{table}" disable trigger user')
            if foreign_key and table in migration.IN_BULK:
                await tx.execute(f'alter table "{table}" enable trigger references_still_hold')
            rows = await tx.fetch(
                "select conrelid::regclass::text as owner, conname from pg_constraint where contype = 'f' and conname <> $1", foreign_key
            )
            await tx.execute(";".join(f'alter table {row["owner"]} drop constraint "{row["conname"]}"' for row in rows))
            yield tx
            raise RolledBackError
    except RolledBackError:
        pass


@pytest.fixture(scope="module")
async def world(database_dsn: str) -> tuple[AShop, AShop]:
    """Two full shops, written once: every test here rolls its changes back."""
    from tests.conftest import empty

    await empty(database_dsn)
    return await a_world(), await a_world()


async def test_the_lists_are_what_the_database_has(world: tuple[AShop, AShop]) -> None:
    rows = await database.fetch(
        """select conname, contype::text as kind from pg_constraint c join pg_class t on t.oid = c.conrelid
           where contype in ('f','c') and t.relnamespace = 'public'::regnamespace
             and t.relname !~ '^pgqueuer'"""
    )
    named = {kind: {row["conname"] for row in rows if row["kind"] == kind} for kind in ("f", "c")}
    assert named["f"] == {name for table, _, name, _ in FOREIGN_KEYS if table not in migration.IN_BULK} | {
        *OTHER_KEYS,
        *(f"{table}_{column}" for table, column in people.TO_MEMBER),
    }
    assert named["c"] == {name for _, name, _ in (*migration.CHECKS, *people.CHECKS, *inbox.CHECKS, *shipping.CHECKS)} | OTHER_CHECKS
    triggers = await database.fetch("select tgrelid::regclass::text as owner from pg_trigger where tgname = 'append_only'")
    assert {row["owner"] for row in triggers} == {*APPEND_ONLY, "member_event", "payment_event", "shipment_line", "shipment_event"}
    assert len(APPEND_ONLY) == 5
    for trigger, tables in (
        ("references_hold", (*migration.IN_BULK, *shipping.REFERENCES)), ("references_still_hold", (*migration.IN_BULK, *shipping.REFERENCES)),
        ("never_gone", (*migration.KEPT, "shipment")), ("never_moved", (*migration.KEPT, "webhook_endpoint", "shipment")),
    ):  # fmt: skip
        rows = await database.fetch(
            "select tgrelid::regclass::text as owner from pg_trigger where tgname = $1 and tgenabled = 'O'", trigger
        )
        assert {row["owner"].strip('"') for row in rows} == set(tables)


def test_what_is_checked_per_statement_points_only_to_rows_that_stay() -> None:
    assert {to for table in migration.IN_BULK for _, _, to, _ in migration.references_of(table)} == {*migration.KEPT, "webhook_endpoint"}


def test_a_reference_that_no_second_unique_key_can_carry_is_checked_per_statement() -> None:
    """Nothing else needs a unique key over (shop_id, id) of the tables that a live fills."""
    parents = {to for table, _, to in migration.WITHIN_SHOP if table not in migration.IN_BULK}
    assert not parents & {"buyer", "social_comment", "claim", "order", "order_line", "waitlist_entry", "notice"}


@pytest.mark.parametrize(("table", "name", "column"), POINTS_OUT, ids=[name for _, name, _ in POINTS_OUT])
async def test_a_new_row_of_a_live_that_points_to_nothing_is_refused(
    world: tuple[AShop, AShop], table: str, name: str, column: str
) -> None:
    columns = await database.fetch(
        """select column_name from information_schema.columns
           where table_schema = 'public' and table_name = $1 and is_identity = 'NO' and is_generated = 'NEVER'""",
        table,
    )
    keep = [f'"{row["column_name"]}"' for row in columns if row["column_name"] not in ("id", column)]
    async with only(table) as tx:
        await tx.execute(f'alter table "{table}" enable trigger references_hold')
        for row in await tx.fetch("select conname from pg_constraint where conrelid = $1::regclass and contype in ('p','u')", f'"{table}"'):
            await tx.execute(f'alter table "{table}" drop constraint "{row["conname"]}" cascade')
        for row in await tx.fetch("select indexname from pg_indexes where tablename = $1 and indexdef like 'CREATE UNIQUE%'", table):
            await tx.execute(f"drop index {row['indexname']}")
        if "id" in {row["column_name"] for row in columns}:
            await tx.execute(f'alter table "{table}" alter column id drop not null')
        with pytest.raises(asyncpg.ForeignKeyViolationError) as refused:
            async with tx.raw.transaction():
                await tx.execute(
                    f"""insert into "{table}" ({", ".join(keep)}, {column})
                        select {", ".join(keep)}, gen_random_uuid() from "{table}" limit 1"""
                )
        assert refused.value.constraint_name == name


@pytest.mark.parametrize("table", migration.KEPT)
@pytest.mark.parametrize("act", ["delete from {t}", "update {t} set id = gen_random_uuid()", "update {t} set shop_id = gen_random_uuid()"])
async def test_what_others_point_to_stays(world: tuple[AShop, AShop], table: str, act: str) -> None:
    if table in migration.OF_NO_SHOP and "shop_id" in act:
        return
    with pytest.raises(asyncpg.ForeignKeyViolationError) as refused:
        await database.execute(act.format(t=f'"{table}"'))
    assert refused.value.constraint_name == "never_gone"


@pytest.mark.parametrize(("table", "column", "name", "to"), FOREIGN_KEYS, ids=[name for _, _, name, _ in FOREIGN_KEYS])
async def test_a_row_that_points_to_nothing_is_refused(world: tuple[AShop, AShop], table: str, column: str, name: str, to: str) -> None:
    shop, _ = world
    nothing = uuid4()
    where = f"where shop_id = '{shop.id}'" if name in WITHIN_SHOP or name.endswith("_shop") else ""
    async with only(table, foreign_key=name) as tx:
        assert await tx.fetchval(f'select count(*) from "{table}" {where}') > 0, "the world has no such row"
        with pytest.raises(asyncpg.ForeignKeyViolationError) as refused:
            async with tx.raw.transaction():
                await tx.execute(f'update "{table}" set {column} = $1 where ctid = (select ctid from "{table}" {where} limit 1)', nothing)
        assert refused.value.constraint_name == name


@pytest.mark.parametrize(("table", "column", "to"), migration.WITHIN_SHOP, ids=[f"{t}_{c}" for t, c, _ in migration.WITHIN_SHOP])
async def test_a_row_that_points_into_another_shop_is_refused(world: tuple[AShop, AShop], table: str, column: str, to: str) -> None:
    shop, other = world
    async with only(table, foreign_key=f"{table}_{column}") as tx:
        # Unique keys would speak first where the other shop's row already has its partner.
        for row in await tx.fetch("select conname from pg_constraint where conrelid = $1::regclass and contype in ('p','u')", f'"{table}"'):
            await tx.execute(f'alter table "{table}" drop constraint "{row["conname"]}" cascade')
        for row in await tx.fetch(
            "select indexrelid::regclass::text as index from pg_index where indrelid = $1::regclass and indisunique", f'"{table}"'
        ):
            await tx.execute(f"drop index {row['index']} cascade")
        with pytest.raises(asyncpg.ForeignKeyViolationError) as refused:
            async with tx.raw.transaction():
                await tx.execute(
                    f"""update "{table}" set {column} = (select id from "{to}" where shop_id = $2 limit 1)
                        where ctid = (select ctid from "{table}" where shop_id = $1 limit 1)""",
                    shop.id, other.id,
                )  # fmt: skip
        assert refused.value.constraint_name == f"{table}_{column}"


FREE = "on_hand = 10, held = 0, committed = 0, sell_beyond = 'OVERSELL', backorder_limit = 10"
BREAKS = {
    "stock_level_on_hand": f"{FREE}, on_hand = -1",
    "stock_level_held": f"{FREE}, held = -1",
    "stock_level_committed": f"{FREE}, committed = -1",
    "stock_level_waiting": f"{FREE}, waiting = -1",
    "stock_level_backorder": f"{FREE}, sell_beyond = 'DENY'",
    "stock_level_never_oversold": f"{FREE}, held = 11, committed = 10",
    "variant_price": "price_minor = -1",
    "inbox_event_parked": "state = 'PARKED', parked_reason = ''",
    "order_amounts": "subtotal_minor = -1, shipping_minor = 1, discount_minor = 0, total_minor = 0",
    "order_total": "subtotal_minor = 5, shipping_minor = 2, discount_minor = 1, total_minor = 7",
    "order_paid": "paid_minor = total_minor + 1",
    "order_version": "version = 0",
    "order_line_price": "unit_price_minor = -1",
    "order_line_quantity": "quantity = -1, handed_over = 0",
    "order_line_handed_over": "handed_over = quantity + 1",
    "waitlist_entry_quantity": "quantity = 0",
    "payment_amount": "amount_minor = 0",
    "hand_over_line_quantity": "quantity = 0",
    "hand_over_collected": "collected_minor = -1",
    "pickup_issue_number": "issue_number = 65536",
    "signing_key_number": "number = 256",
    "shop_pay_within": "pay_within_minutes = 0",
}
MORE_BREAKS = [
    ("stock_level", "stock_level_backorder", f"{FREE}, backorder_limit = -1"),
    ("order", "order_amounts", "subtotal_minor = 1, shipping_minor = -1, discount_minor = 0, total_minor = 0"),
    ("order", "order_amounts", "subtotal_minor = 1, shipping_minor = 0, discount_minor = -1, total_minor = 2"),
    ("order", "order_amounts", "subtotal_minor = 1, shipping_minor = 0, discount_minor = 2, total_minor = -1, paid_minor = 0"),
    ("order", "order_paid", "paid_minor = -1"),
    ("order_line", "order_line_handed_over", "handed_over = -1"),
    ("pickup", "pickup_issue_number", "issue_number = -1"),
    ("signing_key", "signing_key_number", "number = -1"),
]


def test_every_check_has_its_break() -> None:
    assert set(BREAKS) == {name for _, name, _ in migration.CHECKS}


@pytest.mark.parametrize(("table", "name", "change"), [*[(t, name, BREAKS[name]) for t, name, _ in migration.CHECKS], *MORE_BREAKS])
async def test_a_figure_that_cannot_be_is_refused(world: tuple[AShop, AShop], table: str, name: str, change: str) -> None:
    # The last word on a column counts, as in the sentence "all of this, but on_hand = -1".
    columns = dict(part.split(" = ", 1) for part in change.split(", "))
    sets = ", ".join(f"{column} = {value}" for column, value in columns.items())
    async with only(table) as tx:
        for other in [n for t, n, _ in (*migration.CHECKS, *shipping.CHECKS) if t == table and n != name]:
            await tx.execute(f'alter table "{table}" drop constraint {other}')
        with pytest.raises(asyncpg.CheckViolationError) as refused:
            async with tx.raw.transaction():
                await tx.execute(f'update "{table}" set {sets} where ctid = (select ctid from "{table}" limit 1)')
        assert refused.value.constraint_name == name


@pytest.mark.parametrize(
    "statement", ["update {} set shop_id = shop_id", "delete from {}", "update {} set shop_id = shop_id where false", "truncate {} cascade"]
)
@pytest.mark.parametrize("table", APPEND_ONLY)
async def test_what_happened_is_never_changed_or_deleted(world: tuple[AShop, AShop], table: str, statement: str) -> None:
    before = await database.fetchval(f"select count(*) from {table}")
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        await database.execute(statement.format(table))
    assert refused.value.constraint_name == "append_only"
    assert before == await database.fetchval(f"select count(*) from {table}") > 0


UNIQUE = {
    "order_stacks": ("order", {"id": "gen_random_uuid()", "number": "'other'"}),
    "pickup_open": ("pickup", {"id": "gen_random_uuid()", "code_id": "1", "short_code": "''"}),
    "pickup_short_code": ("pickup", {"id": "gen_random_uuid()", "code_id": "1", "buyer_id": "gen_random_uuid()"}),
    "membership_active": ("membership", {"id": "gen_random_uuid()"}),
    "device_target": ("device", {"id": "gen_random_uuid()", "installation_id": "'other'"}),
    "policy_of_post": ("claim_policy_version", {"id": "gen_random_uuid()"}),
}


def test_every_unique_index_has_its_break() -> None:
    assert set(UNIQUE) == {found for index in migration.INDEXES for found in re.findall(r"create unique index (\w+)", index)}


@pytest.mark.parametrize("name", list(UNIQUE))
async def test_a_second_one_of_what_there_is_one_of_is_refused(world: tuple[AShop, AShop], name: str) -> None:
    table, changes = UNIQUE[name]
    async with only(table) as tx:
        columns = [
            row["column_name"]
            for row in await tx.fetch(
                "select column_name from information_schema.columns where table_name = $1 and is_generated = 'NEVER'", table
            )
        ]
        values = ", ".join(changes.get(column, column) for column in columns)
        with pytest.raises(asyncpg.UniqueViolationError) as refused:
            async with tx.raw.transaction():
                await tx.execute(f'insert into "{table}" ({", ".join(columns)}) select {values} from "{table}" limit 1')
        assert refused.value.constraint_name == name


async def test_a_policy_of_the_shop_itself_is_unique_too(world: tuple[AShop, AShop]) -> None:
    """Its `post_id` is null, and two nulls are the same here."""
    insert = "insert into claim_policy_version (id, shop_id, version, policy, effective_at) values (gen_random_uuid(), $1, 1, '{}', $2)"
    async with only("claim_policy_version") as tx:
        await tx.execute(insert, world[0].id, NOW)
        with pytest.raises(asyncpg.UniqueViolationError):
            async with tx.raw.transaction():
                await tx.execute(insert, world[0].id, NOW)
