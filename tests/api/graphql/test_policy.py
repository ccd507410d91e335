"""`claimPolicyUpdate`, `buyerRestrict` and `buyerRestore`: who may, what is answered, what is kept, and what follows for comments."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from domain import db as database
from domain.ids import new_id
from domain.posts.policy import ClaimPolicy, Proxy, Reading
from tests import build
from tests.api.graphql.conftest import As, People, pid
from tests.books import everything

UPDATE = """mutation ($input: ClaimPolicyUpdateInput!) { claimPolicyUpdate(input: $input) {
  rule { version sentence effectiveAt } userErrors { code field message retryable } } }"""
RESTRICT = """mutation ($input: BuyerRestrictInput!) { buyerRestrict(input: $input) {
  buyer { id name } restrictedUntil userErrors { code field } } }"""
RESTORE = "mutation ($input: BuyerRestoreInput!) { buyerRestore(input: $input) { buyer { id } userErrors { code field } } }"
UNTIL = "2026-12-01T00:00:00Z"


async def update(client: Any, people: People, policy: dict[str, Any], post: str | None = None, **headers: str) -> dict[str, Any]:
    given = {"shopId": pid("shop", people.shop.id), "postId": post, "policy": policy}
    found: dict[str, Any] = (await client.ask(UPDATE, {"input": given}, **headers)).data["claimPolicyUpdate"]
    return found


async def policies() -> list[ClaimPolicy]:
    rows = await database.fetch("select policy from claim_policy_version order by post_id nulls first, version")
    return [ClaimPolicy.read(database.from_jsonb(row["policy"])) for row in rows]


async def test_the_owner_changes_the_rule_and_reads_it(people: People, signed_in: As) -> None:
    client = await signed_in(people.owner)
    found = await update(client, people, {"reading": "STRICT", "perBuyerMax": 2, "proxy": "ALLOW"}, accept_language="en")
    assert found["userErrors"] == []
    assert found["rule"]["version"] == 1
    assert found["rule"]["effectiveAt"] == "2026-11-21T08:00:00Z"
    assert "At most 2 of each per buyer." in found["rule"]["sentence"]
    assert await policies() == [ClaimPolicy(reading=Reading.STRICT, per_buyer_max=2, proxy=Proxy.ALLOW)]
    again = await update(client, people, {"perBuyerMax": None, "reminders": ["HALF"]}, accept_language="en")
    assert again["rule"]["version"] == 2
    assert (await policies())[1].per_buyer_max is None
    assert (await policies())[1].reading is Reading.STRICT
    same = await update(client, people, {"proxy": "ALLOW"}, accept_language="en")
    assert same["rule"]["version"] == 2
    entries = await database.fetch("select actor, role, action from audit_entry order by id")
    assert [tuple(entry) for entry in entries] == [(f"member:{people.owner}", "OWNER", "POLICY_SET")] * 2


async def test_a_post_gets_a_rule_of_its_own_that_its_page_shows(people: People, signed_in: As) -> None:
    post = await build.a_post(people.shop)
    client = await signed_in(people.manager)
    found = await update(client, people, {"reading": "LENIENT"}, pid("post", post.id), accept_language="zh-TW")
    assert found["rule"]["version"] == 1
    query = "query ($id: ID!) { salesPost(id: $id) { rule { version sentence effectiveAt } } }"
    shown = await (await signed_in(None)).ask(query, {"id": pid("post", post.id)}, accept_language="zh-TW")
    assert shown.data["salesPost"]["rule"] == found["rule"]


@pytest.mark.parametrize(
    ("policy", "field"),
    [
        ({"maxPerLine": 0}, "maxPerLine"),
        ({"perBuyerWindowHours": 24}, "perBuyerWindowHours"),
        ({"triggerSymbols": []}, "triggerSymbols"),
        ({"triggerSymbols": ["?"]}, "triggerSymbols"),
        ({"triggerWords": ["mine"], "fillers": ["mine"]}, "fillers"),
        ({"holdMinutes": 0}, "holdMinutes"),
    ],
)
async def test_a_wrong_value_is_named_and_nothing_changes(people: People, signed_in: As, policy: dict[str, Any], field: str) -> None:
    client = await signed_in(people.owner)
    found = await update(client, people, policy, accept_language="en")
    assert found == {
        "rule": None,
        "userErrors": [
            {"code": "INVALID_INPUT", "field": ["input", "policy", field], "message": "A value is not valid.", "retryable": False}
        ],
    }
    assert await policies() == []


@pytest.mark.parametrize(
    ("who", "code"),
    [("helper", "PERMISSION_DENIED"), ("scanner", "PERMISSION_DENIED"), ("other_owner", "NOT_FOUND"), ("member", "NOT_FOUND")],
)
async def test_who_may_not(people: People, signed_in: As, who: str, code: str) -> None:
    client = await signed_in(getattr(people, who))
    before = await everything()
    assert [e["code"] for e in (await update(client, people, {"reading": "STRICT"}))["userErrors"]] == [code]
    given = {"buyerId": pid("buyer", people.buyer.id), "until": UNTIL}
    assert [e["code"] for e in (await client.get(RESTRICT, {"input": given}))["buyerRestrict"]["userErrors"]] == [code]
    assert [e["code"] for e in (await client.get(RESTORE, {"input": {"buyerId": given["buyerId"]}}))["buyerRestore"]["userErrors"]] == [
        code
    ]
    assert await everything() == before
    assert await policies() == []
    assert await database.fetchval("select count(*) from buyer where restricted_until is not null") == 0


async def test_another_shop_s_post_is_not_found(people: People, signed_in: As) -> None:
    post = await build.a_post(people.other_shop)
    client = await signed_in(people.owner)
    for wrong in (pid("post", post.id), pid("post", new_id()), pid("shop", people.shop.id), "x"):
        assert [e["code"] for e in (await update(client, people, {"reading": "STRICT"}, wrong))["userErrors"]] == ["NOT_FOUND"]
    assert await policies() == []


async def test_a_buyer_is_restricted_and_restored(people: People, signed_in: As) -> None:
    client, key = await signed_in(people.manager), pid("buyer", people.buyer.id)
    given = {"buyerId": key, "until": UNTIL, "reason": " 兩次沒來取貨 "}
    for _ in range(2):
        found = (await client.get(RESTRICT, {"input": given}))["buyerRestrict"]
        assert found == {"buyer": {"id": key, "name": "陳小美"}, "restrictedUntil": UNTIL, "userErrors": []}
    row = await database.fetchrow("select restricted_until, restricted_reason from buyer where id = $1", people.buyer.id)
    assert row is not None
    assert (row["restricted_until"].isoformat(), row["restricted_reason"]) == ("2026-12-01T00:00:00+00:00", "兩次沒來取貨")
    for _ in range(2):
        assert (await client.get(RESTORE, {"input": {"buyerId": key}}))["buyerRestore"] == {"buyer": {"id": key}, "userErrors": []}
    assert await database.fetchval("select restricted_until is null and restricted_reason = '' from buyer where id = $1", people.buyer.id)
    entries = await database.fetch("select actor, action, object_id, detail::text as detail from audit_entry order by id")
    assert [tuple(entry)[:3] for entry in entries] == [
        (f"member:{people.manager}", "buyer.restrict", people.buyer.id), (f"member:{people.manager}", "buyer.restore", people.buyer.id),
    ]  # fmt: skip
    assert "取貨" not in str([entry["detail"] for entry in entries])
    assert await database.fetchval("select count(*) from notice") == 0


@pytest.mark.parametrize(("change", "field"), [
    ({"until": "2026-11-21T08:00:00Z"}, "until"), ({"until": "2020-01-01T00:00:00Z"}, "until"), ({"until": "2037-01-01T00:00:00Z"}, "until"),
    ({"reason": "x" * 201}, "reason"),
])  # fmt: skip
async def test_a_restriction_that_cannot_be(people: People, signed_in: As, change: dict[str, str], field: str) -> None:
    client = await signed_in(people.owner)
    given = {"buyerId": pid("buyer", people.buyer.id), "until": UNTIL} | change
    found = (await client.get(RESTRICT, {"input": given}))["buyerRestrict"]
    assert (found["buyer"], found["userErrors"]) == (None, [{"code": "INVALID_INPUT", "field": ["input", field]}])
    assert await database.fetchval("select count(*) from buyer where restricted_until is not null") == 0


async def test_a_buyer_of_nobody_is_not_found(people: People, signed_in: As) -> None:
    client = await signed_in(people.owner)
    stranger = await build.a_buyer(people.other_shop)
    for wrong in (pid("buyer", stranger.id), pid("buyer", new_id()), "x"):
        found = (await client.get(RESTRICT, {"input": {"buyerId": wrong, "until": UNTIL}}))["buyerRestrict"]
        assert [e["code"] for e in found["userErrors"]] == ["NOT_FOUND"]


async def test_a_line_says_for_whom_it_is_to_buyer_and_staff(people: People, signed_in: As) -> None:
    mango = await build.a_variant(people.shop, on_hand=9)
    order = await build.an_order(people.shop, [(mango, 1), (mango, 2)], buyer=people.buyer, created_at=build.NOW - timedelta(days=1))
    await database.execute("update order_line set beneficiary = '小美' where id = $1", order.lines[0])
    query = "query ($id: ID!) { node(id: $id) { ... on Order { lines { nodes { quantity beneficiary } } } } }"
    for who in (people.member, people.helper):
        found = await (await signed_in(who)).get(query, {"id": pid("order", order.id)})
        assert sorted((line["quantity"], line["beneficiary"]) for line in found["node"]["lines"]["nodes"]) == [(1, "小美"), (2, None)]
