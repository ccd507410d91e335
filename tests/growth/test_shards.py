"""Which key is where: every table has its place, and every hot statement stays with one shop, or is known to cross them.

The place of a statement is read from its plan: how each row of a shop's table was found. A row that is found by the shop's id, or by an id
that belongs to one shop (an order's, a comment's, a buyer's), lies with that shop.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from asyncpg.connection import Connection

from benchmarks.seed_world import Plan
from domain import db
from tests.conftest import NOW
from tests.growth.plans import Place, Seen, explained
from tests.growth.screens import MEMBER, NOBODY, OWNER, screens
from tests.growth.seeded import Seeded, seeded
from tests.growth.work import WORK

REFERENCE = {
    "shop",
    "membership",
    "webhook_endpoint",
    "payment_account",
    "signing_key",
    "legal_move",
    "tortoise_migrations",
    "trusted_operation",
}
"""Small and the same everywhere."""
BY_MEMBER = {
    "member", "identity", "device", "session", "refresh_token", "idempotency_key", "push_delivery", "sign_in_alert", "provider_grant", "claim_code",
    "member_merge", "account_deletion", "data_export", "member_event", "live_change", "cost_bucket", "notice_settings", "push_digest",
    "account_link", "passkey", "authenticator", "recovery_code",
}  # fmt: skip
"""A person's own, by the member's id; a push goes with its device. An idempotency key is its actor's, a merge its keeper's, a bucket its owner's."""
AT_THE_DOOR = {"inbox_event", "inbox_undecided", "lane_tries", "login_attempt", "seen_token", "guess_count"}
"""Before anybody knows which shop is meant: on the coordinator, or by lane."""
OF_THE_QUEUE = {"pgqueuer", "pgqueuer_log", "pgqueuer_schedules", "pgqueuer_statistics"}

OF_ONE_SHOP = {
    "shop_id", "id", "order_id", "buyer_id", "comment_id", "claim_id", "post_id", "product_id", "variant_id", "channel_id", "endpoint_id", "pickup_id",
    "hand_over_id", "dispute_id", "order_line_id", "shipment_id", "notice_id", "object_id", "code_id",
}  # fmt: skip
"""Columns whose one value belongs to one shop: its id, and the ids of things that are a shop's."""
LEFT_SIDE = re.compile(r"\(+(\w+)\)?(?:::\w+)? = ")

ACROSS = {
    "screens of a member": "rows keyed by member_id: `order`, `pickup`, `shipment`, `notice` and `buyer` carry it, so a copy distributed by member_id serves them",
    "deadlines": "each shard sweeps its own: the statements have no shop, and are run where the rows are",
    "payments": "a notice names a contract and the provider's number, then all is the shop's; open attempts are asked about where they are",
    "outbox": "by the member's device and by the reply's own id; each shard sends what it wrote",
    "announcing": "the shop's own but for what its buyers wish, by their members",
    "sweeps": "tables of the door and of members",
    "looks": "figures of the whole, from each shard's own",
    "upkeep": "each shard forgets its own",
}
"""What crosses shops on purpose, and how it is served."""


@pytest.fixture(scope="module")
async def seed(database_dsn: str) -> AsyncIterator[Seeded]:
    """A small seed is enough: it is conditions that are read."""
    async with seeded(database_dsn, plan=Plan(orders=900, members=20, shops=3, until=NOW)) as found:
        yield found


@pytest.fixture(scope="module")
async def of_shops(seed: Seeded) -> set[str]:
    """Tables that are distributed by shop_id: those that have one."""
    rows = await db.fetch("select table_name from information_schema.columns where table_schema = 'public' and column_name = 'shop_id'")
    views = {"stock_ledger", "comment_history"}
    return {row["table_name"] for row in rows} - views - REFERENCE


def elsewhere(place: Place, of_shops: set[str]) -> list[str]:
    """Tables of shops whose rows this plan looks for without the shop and without a key of one."""
    found = []
    for one in place.everywhere():
        if one.kind == "Bitmap Heap Scan":
            condition = " ".join([one.filter, *(child.condition for child in one.everywhere())])
        elif one.kind in ("Seq Scan", "Index Scan", "Index Only Scan"):
            condition = f"{one.condition} {one.filter}"
        else:
            continue
        if one.table in of_shops and not OF_ONE_SHOP & set(LEFT_SIDE.findall(condition)):
            found.append(f"{one.table}: {condition}")
    return found


def crossing(seen: Seen, of_shops: set[str]) -> dict[str, list[str]]:
    """Statements that leave the shop, with what they look for."""
    return {one.name: what for one in seen.statements if (what := elsewhere(one.plan, of_shops))}


async def test_every_table_has_its_place(seed, of_shops) -> None:
    rows = await db.fetch(
        "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition"
    )
    places = [of_shops, REFERENCE, BY_MEMBER, AT_THE_DOOR, OF_THE_QUEUE]
    assert sorted(name for place in places for name in place) == sorted(row["relname"] for row in rows)


@pytest.mark.parametrize("name", ["drain", "lists of comments", "waiting list", "counter", "parcels"])
async def test_what_a_shop_does_stays_with_the_shop(seed, of_shops, monkeypatch, name) -> None:
    copied: list[tuple[str, Any]] = []
    real = Connection.copy_records_to_table

    async def noting(self: Any, table: str, **more: Any) -> Any:
        copied.append((table, more["columns"]))
        return await real(self, table, **more)

    monkeypatch.setattr(Connection, "copy_records_to_table", noting)
    with explained() as seen:
        assert await WORK[name].run(seed)
    # A buyer asks for their code by who they are; all that follows is the shop's.
    theirs = [text for what in crossing(seen, of_shops).values() for text in what]
    assert [text for text in theirs if not (name == "counter" and text.startswith("buyer:") and "member_id = " in text)] == []
    assert [table for table, columns in copied if table in of_shops and "shop_id" not in columns] == []
    inserts = [one.name for one in seen.statements if one.name.lower().startswith("insert into ")]
    assert [sql for sql in inserts if sql.split()[2] in of_shops and "shop_id" not in sql.partition(")")[0]] == []
    assert len(seen.statements) > 20


async def test_what_staff_see_stays_with_their_shop_and_what_a_member_sees_is_the_members(seed, of_shops) -> None:
    owner, member = await seed.signed_in(seed.owner), await seed.signed_in(seed.member)
    clients = {OWNER: owner, MEMBER: member, NOBODY: type(owner)(seed.http)}
    seen_by: dict[str, dict[str, Any]] = {OWNER: {}, MEMBER: {}, NOBODY: {}}
    for screen in await screens(seed):
        with explained() as seen:
            await clients[screen.who].get(screen.query, dict(screen.variables))
        if what := crossing(seen, of_shops):
            seen_by[screen.who][screen.name] = what
    assert seen_by[OWNER] == seen_by[NOBODY] == {}
    crossed = {sql for found in seen_by[MEMBER].values() for sql in found}
    assert [sql for sql in crossed if not re.search(r"\b(?:o|k|n|b|sh)\.member_id = \$1\b", sql)] == []
    assert len(crossed) > 5


async def test_a_statement_without_a_shop_is_found(seed, of_shops) -> None:
    with explained() as seen:
        await db.fetch('select id from "order" where number = $1', "x")
        await db.fetch('select id from "order" where shop_id = $1 and number = $2', seed.shop, "x")
        await db.fetch("select l.id from buyer b join order_line l on l.created_at = b.created_at where b.shop_id = $1", seed.shop)
    assert [name.split()[3] for name in crossing(seen, of_shops)] == ['"order"', "buyer"]


def test_what_crosses_shops_is_told_in_the_page(of_shops) -> None:
    page = (Path(__file__).parents[2] / "docs" / "scaling.md").read_text()
    assert [
        name
        for name in (set(WORK) - {"drain", "waiting list", "counter", "parcels", "lists of comments"}) | {"screens of a member"}
        if name not in ACROSS
    ] == []
    for table in (*of_shops, *REFERENCE, *BY_MEMBER, *AT_THE_DOOR, *OF_THE_QUEUE):
        assert f"`{table}`" in page, table
    for name, how in ACROSS.items():
        assert name in page, name
        assert how
