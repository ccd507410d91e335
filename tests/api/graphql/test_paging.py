"""Pages: whatever is inserted meanwhile, a walk sees each row that was there once; and a cursor is good for its own list alone."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from domain import db as database
from domain.ids import new_id
from tests import build
from tests.api.graphql.conftest import pid

ORDERS = """query ($first: Int, $after: String, $last: Int, $before: String, $filter: OrderFilter) { me { page: orders(
  first: $first, after: $after, last: $last, before: $before, filter: $filter) {
  nodes { id number } edges { cursor node { number } } totalCount
  pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }"""
UNPAID = ORDERS.replace("orders(", "unpaid(").replace(", $filter: OrderFilter", "").replace(", filter: $filter", "")


async def orders(people: Any, count: int, *, spread: int = 3) -> list[str]:
    """Plain order rows of the buyer, newest first, several at each instant; answers their numbers in the list's order."""
    rows = [(new_id(), build.NOW - timedelta(seconds=n // spread)) for n in range(count)]
    await database.execute(INSERT, people.shop.id, people.buyer.id, people.member, [key for key, _ in rows], [at for _, at in rows])
    return [str(key) for key, _ in sorted(rows, key=lambda row: (row[1], row[0]), reverse=True)]


INSERT = """insert into "order" (id, shop_id, number, buyer_id, member_id, state, payment_state, fulfilment_state, delivery_method, currency,
    subtotal_minor, shipping_minor, discount_minor, total_minor, paid_minor, pay_by, flagged, version, created_at, updated_at)
  select id, $1, substr(replace(id::text, '-', ''), 9), $2, $3, 'OPEN', 'REPORTED', 'UNFULFILLED', 'PICKUP', 'TWD',
    590, 0, 0, 590, 0, at + interval '1 day', false, 1, at, at from unnest($4::uuid[], $5::timestamptz[]) x(id, at)"""


async def page(client: Any, query: str = ORDERS, **given: Any) -> Any:
    return (await client.get(query, given))["me"]["page"]


async def walk(client: Any, size: int, *, backwards: bool, query: str = ORDERS, between: Any = None) -> list[str]:
    """All order ids from one end to the other; `between` runs after each page."""
    seen: list[str] = []
    given: dict[str, Any] = {"last" if backwards else "first": size}
    while True:
        found = await page(client, query, **given)
        ids = [node["id"] for node in found["nodes"]]
        seen = ids + seen if backwards else seen + ids
        info = found["pageInfo"]
        if not info["hasPreviousPage" if backwards else "hasNextPage"]:
            return seen
        given |= {"before": info["startCursor"]} if backwards else {"after": info["endCursor"]}
        if between:
            await between()


@pytest.mark.parametrize("size", [1, 2, 7, 100])
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("query", [ORDERS, UNPAID], ids=["orders", "unpaid"])
async def test_a_walk_sees_every_order_once_in_order(people, signed_in, size, backwards, query) -> None:
    expected = [pid("order", UUID(key)) for key in await orders(people, 23)]
    client = await signed_in(people.member)
    found = await walk(client, size, backwards=backwards, query=query)
    if query == UNPAID:
        assert sorted(found) == sorted(expected)
        assert found == await walk(client, 100, backwards=False, query=query)
    else:
        assert found == expected


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("backwards", [False, True])
async def test_a_walk_is_stable_under_inserts(people, signed_in, seed, backwards) -> None:
    """Property, from a seed: rows that were there from the start appear exactly once and in order, new ones at most once."""
    chance = random.Random(seed)
    before = [pid("order", UUID(key)) for key in await orders(people, 30)]
    client = await signed_in(people.member)

    async def more() -> None:
        ats = [build.NOW - timedelta(seconds=chance.randint(-5, 15)) for _ in range(chance.randint(0, 4))]
        await database.execute(INSERT, people.shop.id, people.buyer.id, people.member, [new_id() for _ in ats], ats)

    seen = await walk(client, chance.randint(1, 9), backwards=backwards, between=more)
    assert len(seen) == len(set(seen))
    assert [each for each in seen if each in set(before)] == before


async def test_page_info_and_total_say_what_lies_around(people, signed_in) -> None:
    await orders(people, 5)
    client = await signed_in(people.member)
    first = await page(client, first=2)
    assert first["totalCount"] == 5
    assert (first["pageInfo"]["hasNextPage"], first["pageInfo"]["hasPreviousPage"]) == (True, False)
    assert [first["pageInfo"]["startCursor"], first["pageInfo"]["endCursor"]] == [edge["cursor"] for edge in first["edges"]]
    second = await page(client, first=2, after=first["pageInfo"]["endCursor"])
    assert (second["pageInfo"]["hasNextPage"], second["pageInfo"]["hasPreviousPage"]) == (True, True)
    back = await page(client, last=2, before=second["pageInfo"]["startCursor"])
    assert back["nodes"] == first["nodes"]
    assert (back["pageInfo"]["hasNextPage"], back["pageInfo"]["hasPreviousPage"]) == (True, False)
    between = await page(client, first=9, after=first["edges"][0]["cursor"], before=second["edges"][1]["cursor"])
    assert [n["id"] for n in between["nodes"]] == [first["nodes"][1]["id"], second["nodes"][0]["id"]]
    nothing = await page(client, first=2, before=first["pageInfo"]["startCursor"])
    assert (nothing["nodes"], nothing["pageInfo"]["startCursor"], nothing["totalCount"]) == ([], None, 5)


async def test_totals_are_counted_to_a_thousand(people, signed_in) -> None:
    await orders(people, 1_000)
    client = await signed_in(people.member)
    query = "{ me { orders(first: 1) { totalCount totalCountIsExact } } }"
    assert (await client.get(query))["me"]["orders"] == {"totalCount": 1000, "totalCountIsExact": True}
    await orders(people, 1)
    assert (await client.get(query))["me"]["orders"] == {"totalCount": 1000, "totalCountIsExact": False}


async def cursor_of(client: Any, **given: Any) -> str:
    return (await page(client, first=1, **given))["pageInfo"]["endCursor"]


async def test_an_altered_cursor_is_an_error_at_every_character(people, signed_in) -> None:
    await orders(people, 3)
    client = await signed_in(people.member)
    good = await cursor_of(client)
    assert len((await page(client, first=2, after=good))["nodes"]) == 2
    for n in range(len(good)):
        other = "A" if good[n] != "A" else "B"
        answer = await client.ask(ORDERS, {"first": 1, "after": good[:n] + other + good[n + 1 :]})
        assert answer.codes == ["BAD_REQUEST"]


@pytest.mark.parametrize("bad", ["", "x", "=" * 52, "A" * 52, "A" * 5000, "字" * 52, "-1", "null", "' or 1=1 --", "AQ" * 26])
@pytest.mark.parametrize("side", ["after", "before"])
async def test_a_made_up_cursor_is_an_error(people, signed_in, bad, side) -> None:
    client = await signed_in(people.member)
    assert (await client.ask(ORDERS, {"first": 1, side: bad})).codes == ["BAD_REQUEST"]


async def test_a_cursor_is_of_its_viewer_list_and_filter(people, signed_in) -> None:
    await orders(people, 3)
    mine, theirs = await signed_in(people.member), await signed_in(people.stranger)
    cursor = await cursor_of(mine)
    assert (await theirs.ask(ORDERS, {"first": 1, "after": cursor})).codes == ["BAD_REQUEST"]
    assert (await mine.ask(UNPAID, {"first": 1, "after": cursor})).codes == ["BAD_REQUEST"]
    assert (await mine.ask(ORDERS, {"first": 1, "after": cursor, "filter": {"state": "OPEN"}})).codes == ["BAD_REQUEST"]
    narrowed = await cursor_of(mine, filter={"state": "OPEN"})
    assert len((await page(mine, first=2, after=narrowed, filter={"state": "OPEN"}))["nodes"]) == 2
    assert (await mine.ask(ORDERS, {"first": 1, "after": narrowed, "filter": {"state": "LOCKED"}})).codes == ["BAD_REQUEST"]


async def test_a_cursor_of_one_shops_desk_does_not_open_anothers(people, signed_in) -> None:
    await orders(people, 3)
    await build.a_membership(people.other_shop, people.owner)
    client = await signed_in(people.owner)
    query = "query ($s: ID!, $after: String) { shop(id: $s) { orders(first: 1, after: $after) { pageInfo { endCursor } } } }"
    cursor = (await client.get(query, {"s": pid("shop", people.shop.id)}))["shop"]["orders"]["pageInfo"]["endCursor"]
    assert (await client.ask(query, {"s": pid("shop", people.shop.id), "after": cursor})).codes == []
    assert (await client.ask(query, {"s": pid("shop", people.other_shop.id), "after": cursor})).codes == ["BAD_REQUEST"]


@pytest.mark.parametrize(
    "given", [{"first": 0}, {"first": -1}, {"first": 101}, {"last": 0}, {"last": 101}, {"first": 1, "last": 1}, {"first": 2**31}]
)
async def test_page_sizes_are_one_to_a_hundred(people, signed_in, given) -> None:
    client = await signed_in(people.member)
    assert (await client.ask(ORDERS, given)).codes == ["BAD_REQUEST"]
    literal = ", ".join(f"{name}: {value}" for name, value in given.items())
    assert (await client.ask(f"{{ me {{ orders({literal}) {{ nodes {{ id }} }} }} }}")).codes == ["BAD_REQUEST"]
