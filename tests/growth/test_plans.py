"""No statement of a screen or a worker gets slower as the tables grow: shown by the plans of all of them over a seed."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from domain import db
from tests.growth.plans import SMALL, explained, refused
from tests.growth.screens import MEMBER, OWNER, Screen, pages, screens
from tests.growth.seeded import Seeded, seeded


@pytest.fixture(scope="module")
async def seed(database_dsn: str) -> AsyncIterator[Seeded]:
    """The seed; tests only read, or roll back, or write what others do not look at."""
    async with seeded(database_dsn) as found:
        yield found


@pytest.fixture(scope="module")
async def asked(seed: Seeded):
    """Asks a screen as the one it is for."""
    clients = {MEMBER: await seed.signed_in(seed.member), OWNER: await seed.signed_in(seed.owner)}
    nobody = type(clients[MEMBER])(seed.http)

    async def ask(screen: Screen):
        return await clients.get(screen.who, nobody).get(screen.query, dict(screen.variables))

    return ask


async def test_every_screen_reads_by_index_and_no_more_than_it_shows(seed, asked) -> None:
    found, count = {}, 0
    for screen in [*await screens(seed), *await pages(seed, asked)]:
        with explained() as seen:
            await asked(screen)
        count += len(seen.statements)
        for sql, what in refused(seen).items():
            found[screen.name] = (what, sql)
    for n, x in found.items(): print(n, x[0], "\n     ", x[1][:700])
    assert found == {}
    assert count > 100
