"""No statement of a screen or a worker gets slower as the tables grow: shown by the plans of all of them over a seed."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from domain import db
from tests.growth.plans import IN_HAND, LOT, SMALL, explained, refused
from tests.growth.screens import MEMBER, OWNER, Screen, pages, screens
from tests.growth.seeded import Seeded, seeded
from tests.growth.work import WORK

ALLOWED = {
    "desk comments: filter: {platform: IMPORT}": (
        "social_comment|claim_of_shop",
        "the platform stands with the comment and the order of the list with the claim: a platform that a shop hardly uses is looked for",
    ),
    "simulation": ("sorts", "all comments of one post are read, 5,000 at most: that is what is asked for"),
    "whole, whole": (
        "drops .* of order_line",
        "a text is looked for in the member's own orders: tests/growth/test_members_own.py shows that nobody else's are read",
    ),
    "suggestions": (
        "drops .* of sales_post",
        "a member's own unanswered suggestions; whether one is still open is known by its post alone",
    ),
}
"""Screens (by the beginning of their names) that may do more than they show: what, and why."""


def may(screen: str, problem: str) -> str | None:
    """The exception that allows this problem of this screen."""
    name = screen.removeprefix("guide: ").lower()
    return next((one for one, (what, _) in ALLOWED.items() if name.startswith(one.lower()) and re.search(what, problem)), None)


@pytest.fixture(scope="module")
async def seed(database_dsn: str) -> AsyncIterator[Seeded]:
    """The seed, for all tests of this module."""
    async with seeded(database_dsn) as found:
        yield found


@pytest.fixture(scope="module")
async def asked(seed: Seeded) -> Callable[[Screen], Awaitable[Any]]:
    """Asks a screen as the one it is for."""
    clients = {MEMBER: await seed.signed_in(seed.member), OWNER: await seed.signed_in(seed.owner)}
    nobody = type(clients[MEMBER])(seed.http)

    async def ask(screen: Screen) -> Any:
        return await clients.get(screen.who, nobody).get(screen.query, dict(screen.variables))

    return ask


async def test_every_table_is_known_to_grow_or_not_to(seed) -> None:
    rows = await db.fetch(
        "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition"
    )
    assert set(SMALL) - {row["relname"] for row in rows} == set()
    indexes = {
        row["indexname"]: row["indexdef"]
        for row in await db.fetch("select indexname, indexdef from pg_indexes where schemaname = 'public'")
    }
    assert [name for name in IN_HAND if " WHERE " not in indexes.get(name, "")] == []


async def test_every_screen_reads_by_index_and_no_more_than_it_shows(seed, asked) -> None:
    found: list[tuple[str, str]] = []
    statements = 0
    for screen in [*await screens(seed), *await pages(seed, asked)]:
        with explained() as seen:
            await asked(screen)
        statements += len(seen.statements)
        found += [(screen.name, problem) for what in refused(seen).values() for problem in what]
    assert [one for one in found if may(*one) is None] == []
    assert {may(*one) for one in found} == set(ALLOWED), "an exception that nothing needs"
    assert statements > 120


@pytest.mark.parametrize(
    ("index", "screen", "says"),
    [
        ("order_of_member", "home", "sorts"),
        ("order_of_shop", "desk: all orders", "sorts"),
        ("notice_unread", "notices", "drops"),
        ("order_of_list", "desk orders: list: TO_PICK_UP", "drops"),
        ("claim_of_shop", "desk: comments", "sorts"),
        ("product_of_shop", "desk: stock", "sorts"),
    ],
)
async def test_without_its_index_a_screen_is_refused(seed, asked, index, screen, says) -> None:
    one = next(each for each in await screens(seed) if each.name == screen)
    definition = await db.fetchval("select indexdef from pg_indexes where indexname = $1", index)
    await db.execute(f"drop index {index}")
    try:
        with explained() as seen:
            await asked(one)
        assert any(says in text for what in refused(seen).values() for text in what)
    finally:
        await db.execute(definition)
    with explained() as seen:
        await asked(one)
    assert refused(seen) == {}


async def test_a_table_read_whole_is_refused_where_no_index_serves(seed) -> None:
    with explained() as seen:
        await db.fetch('select id from "order" where total_minor = $1', 1)
        await db.fetch("select id from shop where name = $1", "x")
    assert refused(seen) == {'select id from "order" where total_minor = $1': ["reads order whole"]} or any(
        "drops" in text for what in refused(seen).values() for text in what
    )
    assert len(refused(seen)) == 1


@pytest.mark.parametrize("name", WORK)
async def test_every_statement_of_the_workers_reads_by_index(seed, name) -> None:
    with explained() as seen:
        done = await WORK[name].run(seed)
    assert done, "nothing was done, so nothing was shown"
    assert {sql: what for sql, what in refused(seen, LOT).items() if not any(part in sql for part in WORK[name].allowed)} == {}
    assert len(seen.statements) >= WORK[name].at_least
