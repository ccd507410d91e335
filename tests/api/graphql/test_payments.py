"""Paying online through the API: begun by the buyer alone, seen in one statement, and given back by the shop."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from domain import db as database
from domain.ids import new_id, public_id
from domain.vault import Vault
from tests import build
from tests.api.graphql.conftest import SECRET_KEY
from tests.build import NOW, Role
from tests.domain.payments import online
from tests.domain.payments.online import a_till, paid
from tests.sql_recorder import recorded

VAULT = Vault(SECRET_KEY)
BEGIN = """mutation ($input: PaymentSessionCreateInput!, $key: String!) { paymentSessionCreate(input: $input) @idempotent(key: $key) {
  session { url expiresAt } order { paymentAttempts { method state amount { amount } } } userErrors { code field message } } }"""
MINE = """{ me { orders(first: 5) { nodes { number paysOnline actions paymentAttempts { id method state amount { amount currencyCode } createdAt
  instructions { bank number until } surplus { amount { amount } reason returnedAt } } } } } }"""
SURPLUSES = """query ($id: ID!) { shop(id: $id) { paymentSurpluses(first: 5) { totalCount nodes {
  attempt { id amount { amount } surplus { amount { amount } reason returnedAt } } order { number list } } } } }"""
RETURN = """mutation ($input: PaymentReturnRecordInput!, $key: String!) { paymentReturnRecord(input: $input) @idempotent(key: $key) {
  order { number paymentAttempts { surplus { returnedAt } } } userErrors { code field } } }"""


async def begin(client: Any, order: Any, method: str = "CARD", key: str | None = None) -> Any:
    given = {"orderId": public_id("order", order.id), "method": method}
    return (await client.get(BEGIN, {"input": given, "key": key or str(new_id())}))["paymentSessionCreate"]


async def numbers() -> list[str]:
    return [row["trade_no"] for row in await database.fetch("select trade_no from payment_attempt order by created_at, id")]


async def test_a_buyer_begins_to_pay_and_sees_what_came_of_it(services, signed_in) -> None:
    till = await a_till(vault=VAULT)
    client = await signed_in(till.member)
    begun = await begin(client, till.order, key="k")
    assert begun["userErrors"] == []
    assert begun["session"]["url"].startswith("https://plusone.test/pay/")
    assert begun["session"]["expiresAt"] == "2026-11-21T08:30:00Z"
    assert begun["order"] == {"paymentAttempts": [{"method": "CARD", "state": "PENDING", "amount": {"amount": "1180"}}]}
    assert (await begin(client, till.order, key="k"))["session"] == begun["session"]
    assert len(await numbers()) == 1
    with recorded() as statements:
        (order,) = (await client.get(MINE))["me"]["orders"]["nodes"]
    assert len(statements) == 1
    assert (order["paysOnline"], order["actions"]) == (True, ["PAY", "REPORT_TRANSFER", "MAKE_GIFT", "UNDO", "REDUCE", "REQUEST_CANCEL"])
    await paid(till, (await numbers())[0])
    (order,) = (await client.get(MINE))["me"]["orders"]["nodes"]
    assert (order["paysOnline"], order["paymentAttempts"][0]["state"]) == (False, "PAID")
    assert order["actions"] == ["MAKE_GIFT", "SHOW_CODE", "REQUEST_CANCEL"]
    again = await begin(client, till.order)
    assert (again["session"], [e["code"] for e in again["userErrors"]]) == (None, ["ALREADY_PAID"])


async def test_where_no_provider_is_the_app_knows_it(services, signed_in) -> None:
    till = await a_till(vault=VAULT)
    await database.execute("update payment_account set ended_at = $1", NOW)
    client = await signed_in(till.member)
    (order,) = (await client.get(MINE))["me"]["orders"]["nodes"]
    assert order["paysOnline"] is False
    assert [e["code"] for e in (await begin(client, till.order))["userErrors"]] == ["PAYMENT_UNAVAILABLE"]


@pytest.mark.parametrize("who", ["stranger", "owner", "other"])
async def test_only_the_buyer_begins_and_to_others_the_order_is_not_there(services, signed_in, who: str) -> None:
    till = await a_till(vault=VAULT)
    person = {
        "stranger": build.a_member, "owner": lambda: build.a_membership(till.shop), "other": _other_owner,
    }[who]  # fmt: skip
    client = await signed_in(await person())
    before = await database.fetchval("select count(*) from payment_attempt")
    answer = await begin(client, till.order)
    assert [e["code"] for e in answer["userErrors"]] == ["NOT_FOUND"]
    missing = await client.get(BEGIN, {"input": {"orderId": public_id("order", new_id()), "method": "CARD"}, "key": "m"})
    assert missing["paymentSessionCreate"] == answer
    assert await database.fetchval("select count(*) from payment_attempt") == before


async def _other_owner() -> Any:
    return await build.a_membership(await build.a_shop())


async def test_nobody_signed_in_begins_nothing(services, signed_in) -> None:
    client = await signed_in(None)
    answer = await client.ask(BEGIN, {"input": {"orderId": public_id("order", new_id()), "method": "CARD"}, "key": "k"})
    assert answer.codes == ["UNAUTHENTICATED"]


async def a_surplus(till: Any) -> str:
    """Money of another amount; answers the attempt's id."""
    await online.begun(till)
    await paid(till, (await numbers())[-1], amount=7, at=NOW + timedelta(minutes=1))
    return public_id("attempt", await database.fetchval("select id from payment_attempt order by id desc limit 1"))


MAY = {Role.OWNER: True, Role.MANAGER: True, Role.HELPER: False, Role.SCANNER: False}


@pytest.mark.parametrize("role", list(Role))
async def test_who_gives_money_back(services, signed_in, role: Role) -> None:
    till = await a_till()
    attempt = await a_surplus(till)
    client = await signed_in(await build.a_membership(till.shop, role=role))
    seen = await client.ask(SURPLUSES, {"id": public_id("shop", till.shop.id)})
    listed = seen.body["data"]["shop"]["paymentSurpluses"]
    answer = (await client.get(RETURN, {"input": {"attemptId": attempt, "note": "退回匯款"}, "key": "k"}))["paymentReturnRecord"]
    if not MAY[role]:
        assert (listed, seen.codes, [e["code"] for e in answer["userErrors"]]) == (None, ["FORBIDDEN"], ["PERMISSION_DENIED"])
        assert await database.fetchval("select returned_at from payment_attempt") is None
        return
    assert listed == {
        "totalCount": 1,
        "nodes": [{
            "attempt": {"id": attempt, "amount": {"amount": "1180"}, "surplus": {"amount": {"amount": "7"}, "reason": "OTHER_AMOUNT", "returnedAt": None}},
            "order": {"number": till.order.number, "list": "TO_PAY"},
        }],
    }  # fmt: skip
    assert answer["userErrors"] == []
    assert answer["order"]["paymentAttempts"] == [{"surplus": {"returnedAt": "2026-11-21T08:00:00Z"}}]
    after = (await client.get(SURPLUSES, {"id": public_id("shop", till.shop.id)}))["shop"]["paymentSurpluses"]
    assert (after["totalCount"], after["nodes"]) == (0, [])
    again = (await client.get(RETURN, {"input": {"attemptId": attempt, "note": "退回匯款"}, "key": "other"}))["paymentReturnRecord"]
    assert [e["code"] for e in again["userErrors"]] == ["INVALID_TRANSITION"]


@pytest.mark.parametrize("who", ["buyer", "stranger", "other"])
async def test_to_anybody_else_a_surplus_is_not_there(services, signed_in, who: str) -> None:
    till = await a_till()
    attempt = await a_surplus(till)
    person = till.member if who == "buyer" else await build.a_member() if who == "stranger" else await _other_owner()
    client = await signed_in(person)
    for given in (attempt, public_id("attempt", new_id())):
        answer = (await client.get(RETURN, {"input": {"attemptId": given, "note": "x"}, "key": given[-8:]}))["paymentReturnRecord"]
        assert [e["code"] for e in answer["userErrors"]] == ["NOT_FOUND"]
    found = (await client.get(SURPLUSES, {"id": public_id("shop", till.shop.id)}))["shop"]
    assert found is None
    assert await database.fetchval("select returned_at from payment_attempt") is None


async def test_a_note_is_short_and_there(services, signed_in) -> None:
    till = await a_till()
    attempt = await a_surplus(till)
    client = await signed_in(await build.a_membership(till.shop))
    for note in ("", " ", "x" * 201):
        answer = (await client.get(RETURN, {"input": {"attemptId": attempt, "note": note}, "key": str(new_id())}))["paymentReturnRecord"]
        assert [(e["code"], e["field"]) for e in answer["userErrors"]] == [("INVALID_INPUT", ["input", "note"])]


async def test_nobody_marks_an_order_paid_online_by_hand(services, signed_in) -> None:
    till = await a_till()
    client = await signed_in(await build.a_membership(till.shop))
    query = (
        """mutation ($input: OrderMarkPaidInput!) { orderMarkPaid(input: $input) @idempotent(key: "k") { userErrors { code field } } }"""
    )
    given = {"orderId": public_id("order", till.order.id), "method": "ONLINE", "reference": "x"}
    answer = (await client.get(query, {"input": given}))["orderMarkPaid"]
    assert answer["userErrors"] == [{"code": "INVALID_INPUT", "field": ["input", "method"]}]
    assert await database.fetchval("select count(*) from payment") == 0
