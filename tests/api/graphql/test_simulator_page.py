"""The query of `docs/rules/simulator.md`, with each of its inputs, and what the page says of limits."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID

from api.execution.http import LARGEST_BODY
from api.schema.simulation import MOST_DIFFERENCES
from domain.claims.pasted import LONGEST_COMMENT, MOST_COMMENTS
from domain.claims.simulation import SECONDS
from domain.ids import public_id
from tests import build
from tests.api.graphql.conftest import Client
from tests.wall import a_wall

PAGE = Path(__file__).parents[3] / "docs" / "rules" / "simulator.md"
TEXT = PAGE.read_text()
(QUERY,) = re.findall(r"```graphql\n(.*?)```", TEXT, re.DOTALL)
INPUTS = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)


async def test_the_pages_query_answers_each_of_its_inputs(services: object, signed_in: Callable[[UUID], Awaitable[Client]]) -> None:
    wall = await a_wall(variants=("紅", "白"), on_hand=2)
    for text in ("紅+1", "白一件", "白+4"):
        await wall.says("小美", text)
    await wall.drain()
    client = await signed_in(await build.a_membership(wall.shop))
    found = []
    for each in INPUTS:
        variables = json.loads(each.replace("$POST", public_id("post", wall.post_id)))
        found.append((await client.get(QUERY, variables))["claimPolicySimulate"])
    own, pasted = found
    assert (own["comments"], own["sameAsRecorded"], own["differencesTotal"]) == (3, 3, 2)
    assert (own["before"]["pieces"], own["before"]["waiting"], own["after"]["pieces"], own["after"]["waiting"]) == (3, 2, 3, 0)
    assert (pasted["comments"], pasted["sameAsRecorded"], pasted["before"]["pieces"], pasted["after"]["pieces"]) == (3, None, 6, 1)


def test_the_page_names_the_limits_that_are() -> None:
    for limit in (
        f"{MOST_COMMENTS:,} comments of {LONGEST_COMMENT:,} characters",
        f"{LARGEST_BODY:,} bytes",
        f"{SECONDS:.0f} seconds",
        str(MOST_DIFFERENCES),
    ):
        assert limit in TEXT
