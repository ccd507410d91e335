"""Whatever the schema allows is answered by anybody's right or wrong, and never by a fault of ours."""

from __future__ import annotations

import dataclasses
import logging
import random
from datetime import timedelta
from typing import Any

import pytest

from api.graphql_app import schema
from tests import build
from tests.api.graphql.anything import Draw
from tests.api.graphql.matrix import EVERYBODY, one_of_each, person
from tests.api.graphql.test_relay import shop_with_all

ROOTS = [
    (kind, name)
    for kind, root in (("query", schema._schema.query_type), ("mutation", schema._schema.mutation_type))
    for name in (root.fields if root is not None else ())
]
DRAWS = 5
"""Of each field of a root; `random.Random(text)` is the same everywhere."""
PARTS = 6
ANSWERS = {"BAD_REQUEST", "QUERY_TOO_COMPLEX", "FORBIDDEN", "UNAUTHENTICATED", "THROTTLED"}


async def things_of(people: Any, services: Any) -> list[str]:
    """Ids of one or many of each kind, at two shops, and of some that nothing has."""
    there = await build.a_buyer(people.other_shop, member_id=people.member)
    others = dataclasses.replace(people, shop=people.other_shop, owner=people.other_owner, buyer=there)
    things = [*(await one_of_each(people, services)).values(), *(await shop_with_all(others)).values()]
    return [*things, "order_AAAAAAAAAAAAAAAAAAAAAA", "x"]


@pytest.mark.parametrize("part", range(PARTS))
async def test_whatever_is_asked_there_is_an_answer(people, services, signed_in, clock, caplog, part) -> None:
    ids = await things_of(people, services)
    chance, asked = random.Random(part), 0
    caplog.set_level(logging.ERROR)
    for number in range(DRAWS):
        for kind, name in ROOTS[part::PARTS]:
            who = chance.choice((*EVERYBODY, "member", "owner", "other_owner"))
            client = await signed_in(await person(people, who))
            draw = Draw(random.Random(f"{name} {number}"), ids)
            query = draw.operation(kind, name)
            answer = await client.ask(query, draw.variables)
            where = (who, query, draw.variables, answer.body.get("errors"), caplog.messages)
            assert answer.response.status_code in (200, 400), where
            assert set(answer.codes) <= ANSWERS, where
            assert caplog.messages == [], where
            asked += "errors" not in answer.body
            clock.at += timedelta(seconds=5)  # what asking costs comes back with time
    assert asked > len(ROOTS[part::PARTS])
