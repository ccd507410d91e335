"""Every combination of filters of a member's lists is one statement that reads the member's own rows and nothing more, by index, and without a sort.

A filter that few of a member's orders fit is looked for among the member's own: so it may read all of these, and never anybody else's. How long
the tables are does not matter.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from domain import db
from domain.ids import public_id
from tests.growth.plans import SMALL, Statement, explained
from tests.growth.seeded import Seeded, seeded

ORDERS = (
    "shopIds: [$shop]",
    "state: OPEN",
    "paymentState: PAID",
    "fulfilmentState: HANDED_OVER",
    'since: "2026-11-01T00:00:00Z"',
    'text: "a0"',
)
RARE = ("state: LOCKED", "paymentState: FAILED", "fulfilmentState: RETURNED", 'text: "nothing has this"')
UNPAID = ("shopIds: [$shop]", "currency: TWD", 'dueBefore: "2026-11-23T00:00:00Z"')
NOTICES = ("unread: true", "topics: [ORDER, PAYMENT]", "kinds: [ORDER_PLACED]", "shopIds: [$shop]", 'since: "2026-11-01T00:00:00Z"')
SHIPMENTS = ("active: true", "active: false", "state: DELIVERED", "shopIds: [$shop]")
LISTS = {
    "orders": (
        "order",
        "first: 10",
        "totalCount totals { total { amount } } nodes { number shop { name } lines(first: 3) { nodes { title } } }",
        ORDERS,
        RARE,
    ),
    "unpaid": (
        "order",
        "first: 10",
        "totalCount totals { amount } byShop { orderCount } byDeadline { payBy } lines { title } nodes { number }",
        UNPAID,
        (),
    ),
    "notifications": (
        "notice",
        "first: 10",
        "totalCount unreadCount nodes { title expired shop { name } }",
        NOTICES,
        ("kinds: [ASK_BUYER]",),
    ),
    "shipments": ("shipment", "first: 10", "totalCount nodes { state events { at } order { number } }", SHIPMENTS, ("state: RETURNED",)),
}
READ_BY_KEY = {"notice": 2, "order_line": 6, "shipment_event": 6, "shipment_line": 6, "order": 2}
"""Rows beside the list's own that one of its rows leads to: at most so many."""


def combinations(fits: tuple[str, ...], rare: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for size in range(len(fits) + 1):
        yield from itertools.combinations(fits, size)
    for one in rare:
        yield (one,)
        yield (one, fits[0])


@pytest.fixture(scope="module")
async def seed(database_dsn: str) -> AsyncIterator[Seeded]:
    async with seeded(database_dsn) as found:
        yield found


def beyond(statement: Statement, table: str, own: int) -> list[str]:
    """What this statement reads of others than the member, or more than once for each way in which it is asked."""
    found = []
    for place in statement.plan.everywhere():
        if not place.table or place.table in SMALL:
            continue
        visited = place.rows + place.dropped
        if place.kind == "Seq Scan" and place.loops:
            found.append(f"reads {place.table} whole")
        elif (
            place.table == table
            and place.loops == 1
            and "member_id" not in f"{place.condition} {place.filter}"
            and place.kind != "Bitmap Heap Scan"
        ):
            found.append(f"finds {place.table} by {place.condition}")
        elif visited > own * READ_BY_KEY.get(place.table, 1):
            found.append(f"visits {visited:.0f} rows of {place.table}, and the member has {own}")
    return found


@pytest.mark.parametrize("name", LISTS)
async def test_every_combination_of_filters_reads_the_members_own_rows_alone(seed: Seeded, name: str) -> None:
    table, page, fields, fits, rare = LISTS[name]
    client = await seed.signed_in(seed.member)
    own = await db.fetchval(f'/* arranged */ select count(*) from "{table}" where member_id = $1', seed.member)
    everybody = await db.fetchval(f'/* arranged */ select count(*) from "{table}"')
    assert 20 <= own < everybody / 5
    wrong: dict[tuple[str, ...], Any] = {}
    asked = 0
    for chosen in combinations(fits, rare):
        if {"active: true", "active: false"} <= set(chosen):
            continue
        given = {"shop": public_id("shop", seed.shop)} if any("$shop" in one for one in chosen) else {}
        filters = f", filter: {{{', '.join(chosen)}}}" if chosen else ""
        query = f"{'query ($shop: ID!) ' if given else ''}{{ me {{ {name}({page}{filters}) {{ {fields} }} }} }}"
        with explained() as seen:
            await client.get(query, given)
        asked += 1
        assert len(seen.statements) == 1, chosen
        if found := beyond(seen.statements[0], table, own):
            wrong[chosen] = found
    assert wrong == {}
    assert asked >= (50 if name == "orders" else 8)


async def test_what_reads_others_rows_is_found(seed: Seeded) -> None:
    with explained() as seen:
        await db.fetch('select id from "order" where shop_id = $1 and text(state) = $2', seed.shop, "OPEN")
    assert beyond(seen.statements[0], "order", 100) != []
