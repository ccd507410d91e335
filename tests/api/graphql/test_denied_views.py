"""Staff who may act on comments and stock and not view them: the act is done, and its answer shows neither."""

from __future__ import annotations

import pytest

from domain import db as database
from tests import build
from tests.api.graphql.conftest import As, People, pid
from tests.api.graphql.test_mutations import a_comment_to_review

RESOLVE = "mutation ($input: CommentResolveInput!) { commentResolve(input: $input) { comment { text } userErrors { code } } }"
ADJUST = 'mutation ($input: StockAdjustInput!) { stockAdjust(input: $input) @idempotent(key: "k") { stockLevel { onHand } userErrors { code } } }'
SET = 'mutation ($input: StockSetInput!) { stockSet(input: $input) @idempotent(key: "k") { stockLevel { onHand } userErrors { code } } }'


@pytest.mark.parametrize("denied", [["VIEW_COMMENTS"], []])
async def test_a_comment_is_resolved_and_shown_to_who_may_view_it(people: People, signed_in: As, denied: list[str]) -> None:
    comment, _ = await a_comment_to_review(people, buyer=people.buyer)
    client = await signed_in(await build.a_membership(people.shop, role=build.Role.MANAGER, denied=denied))
    answer = (await client.ask(RESOLVE, {"input": {"commentId": comment, "action": "DISMISS"}})).data["commentResolve"]
    assert answer["userErrors"] == []
    assert (answer["comment"] is None) == bool(denied)
    assert await database.fetchval("select review from claim") == "RESOLVED"


@pytest.mark.parametrize("denied", [["VIEW_STOCK"], []])
@pytest.mark.parametrize(
    ("name", "query", "how"),
    [("stockAdjust", ADJUST, {"delta": 2, "reason": "RECEIPT"}), ("stockSet", SET, {"quantity": 12, "changeFromQuantity": 10})],
)
async def test_stock_is_changed_and_shown_to_who_may_view_it(
    people: People, signed_in: As, denied: list[str], name: str, query: str, how: dict[str, object]
) -> None:
    variant = (await build.a_variant(people.shop, on_hand=10)).id
    client = await signed_in(await build.a_membership(people.shop, role=build.Role.MANAGER, denied=denied))
    for _ in range(2):
        answer = (await client.ask(query, {"input": {"variantId": pid("variant", variant), **how}})).data[name]
        assert answer == {"stockLevel": None if denied else {"onHand": 12}, "userErrors": []}
    assert await database.fetchval("select on_hand from stock_level where variant_id = $1", variant) == 12
