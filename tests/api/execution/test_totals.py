"""How many lines and events an order has, on the first page and the last, written from text and read as rows: counted, however many came along."""

from __future__ import annotations

from typing import Any

import pytest

from domain import db as database
from tests import build
from tests.api.execution.written import same
from tests.api.graphql.conftest import pid
from tests.sql_recorder import recorded

PARTS = "totalCount totalCountIsExact pageInfo { hasNextPage hasPreviousPage }"
LISTS = f"lines(first: 5) {{ {PARTS} nodes {{ id }} }} timeline(first: 5) {{ {PARTS} nodes {{ kind }} }}"
MINE = f"{{ me {{ orders(first: 2) {{ nodes {{ {LISTS} }} }} unpaid(first: 2) {{ nodes {{ {LISTS} }} }} }} }}"
ONE = f"query ($id: ID!) {{ node(id: $id) {{ ... on Order {{ {LISTS} }} }} }}"
LAST = ONE.replace("first", "last")
DESK = f"query ($id: ID!) {{ shop(id: $id) {{ orders(first: 2) {{ nodes {{ {LISTS} }} }} }} }}"
EXACT = "{ me { orders(first: 2) { nodes { lines(first: 1) { totalCountIsExact } } } } }"

MORE_LINES = """insert into order_line (id, shop_id, order_id, variant_id, title, variant_label, quantity, unit_price_minor, handed_over, platform, created_at)
  select gen_random_uuid(), shop_id, order_id, variant_id, title, variant_label, quantity, unit_price_minor, handed_over, platform, created_at
  from order_line, generate_series(2, $2) where order_id = $1"""
EVENTS = """insert into order_event (shop_id, order_id, kind, actor, data, at)
  select $1, $2, 'PLACED', 'worker:build', '{}', $4 from generate_series(1, $3)"""


async def an_order_of(people: Any, count: int) -> build.AnOrder:
    """With so many lines, and as many events."""
    order = await build.an_order(people.shop, {await build.a_variant(people.shop): 1}, buyer=people.buyer)
    await database.execute(MORE_LINES, order.id, count)
    await database.execute(EVENTS, people.shop.id, order.id, count, build.NOW)
    return order


def told(order: dict[str, Any]) -> list[tuple[int, bool]]:
    return [(order[name]["totalCount"], order[name]["totalCountIsExact"]) for name in ("lines", "timeline")]


@pytest.mark.parametrize("count", [1, 99, 100, 101, 250, 1000])
async def test_a_total_is_exact_on_every_way_to_an_order(people, signed_in, seen, monkeypatch, count) -> None:
    order = await an_order_of(people, count)
    exact = [(count, True)] * 2
    client = await signed_in(people.member)
    seen.written.clear()
    mine = (await same(client, MINE, {}, monkeypatch)).data["me"]
    for name in ("orders", "unpaid"):
        (found,) = mine[name]["nodes"]
        assert told(found) == exact
        assert [found[part]["pageInfo"] for part in ("lines", "timeline")] == [{"hasNextPage": count > 5, "hasPreviousPage": False}] * 2
    assert len(seen.written) == 1
    for query in (ONE, LAST):
        assert told((await same(client, query, {"id": pid("order", order.id)}, monkeypatch)).data["node"]) == exact
    owner = await signed_in(people.owner)
    (found,) = (await same(owner, DESK, {"id": pid("shop", people.shop.id)}, monkeypatch)).data["shop"]["orders"]["nodes"]
    assert told(found) == exact


async def test_more_than_a_thousand_are_told_as_a_thousand(people, signed_in, monkeypatch) -> None:
    order = await an_order_of(people, 1001)
    client = await signed_in(people.member)
    assert told((await same(client, MINE, {}, monkeypatch)).data["me"]["orders"]["nodes"][0]) == [(1000, False)] * 2
    assert told((await same(client, ONE, {"id": pid("order", order.id)}, monkeypatch)).data["node"]) == [(1000, False)] * 2
    assert (await same(client, EXACT, {}, monkeypatch)).data["me"]["orders"]["nodes"] == [{"lines": {"totalCountIsExact": False}}]


async def test_a_total_costs_no_statement_of_its_own(people, signed_in, seen) -> None:
    """And where it is not asked for, nothing is counted."""
    order = await an_order_of(people, 101)
    client = await signed_in(people.member)
    seen.written.clear()
    for lists, counts in ((LISTS, 2), (LISTS.replace(PARTS, ""), 0)):
        with recorded() as sql:
            await client.get(MINE.replace(LISTS, lists))
            await client.get(ONE.replace(LISTS, lists), {"id": pid("order", order.id)})
        assert [statement.count("count(*)") for statement in sql] == [2 * counts, counts]
    assert len(seen.written) == 2
