"""What a closed production endpoint does not tell: its schema, its insides, or what somebody wrote."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from api.app import create_app
from api.execution.errors import Code
from tests.api.graphql.conftest import Client

INSIDE = (
    "Traceback", "File \"", ".py", "site-packages", "asyncpg", "psycopg", "postgres", "select ", "insert into", "strawberry", "graphql-core", "starlette", "uvicorn",
    "Did you mean", "0x7f", "api.", "domain.",
)  # fmt: skip
SCHEMA = ("paymentState", "deviceRegister", "StockLevel", "orderMarkPaid", "fulfilmentState")
"""Names that none of these documents holds. (The type of what was written is named: that is how a developer finds the mistake.)"""

CLOSED: dict[str, dict[str, Any]] = {
    "introspection": {"query": "{ __schema { types { name } } }"},
    "introspection by alias": {"query": "{ a: __schema { queryType { name } } }"},
    "introspection in a fragment": {"query": "{ ...f } fragment f on Query { __schema { types { name } } }"},
    "introspection behind a condition": {"query": "query ($a: Boolean!) { __schema @skip(if: $a) { types { name } } }", "variables": {"a": False}},
    "one type": {"query": '{ __type(name: "Order") { fields { name } } }'},
    "a field misspelt": {"query": "{ me { order } }"},
    "an argument misspelt": {"query": '{ salesPost(idd: "x") { title } }'},
    "a type misspelt": {"query": "query ($f: OrderFilte) { serverTime }"},
    "an input field misspelt": {"query": "{ me { orders(filter: {stat: OPEN}) { nodes { id } } } }"},
    "an input field misspelt in a variable": {
        "query": "mutation ($i: StockSetInput!) { stockSet(input: $i) { userErrors { code } } }",
        "variables": {"i": {"quantit": 1, "variantId": "x", "quantity": 1, "changeFromQuantity": 1}},
    },
    "a mutation misspelt": {"query": 'mutation { deviceRegiste(input: 1) { userErrors { code } } }'},
    "no selection": {"query": "{ me { orders } }"},
    "no GraphQL": {"query": "{ me { "},
    "a fragment on a wrong type": {"query": "{ me { ... on Orde { id } } }"},
    "another operation": {"query": "query A { serverTime }", "operationName": "B"},
    "a wrong value": {"query": "query ($n: Int) { me { orders(first: $n) { nodes { id } } } }", "variables": {"n": "0912345678"}},
}  # fmt: skip


@pytest.mark.parametrize("name", CLOSED)
async def test_a_refusal_tells_nothing_that_was_not_asked(signed_in, people, name) -> None:
    client = await signed_in(people.member)
    response = await client.http.post("/graphql", json=CLOSED[name], headers=client.headers)
    body = response.json()
    assert "data" not in body
    assert {error["extensions"]["code"] for error in body["errors"]} <= {Code.BAD_REQUEST, Code.QUERY_TOO_COMPLEX}
    assert [word for word in INSIDE if word.lower() in response.text.lower()] == []
    assert [word for word in SCHEMA if word in response.text and word not in str(CLOSED[name])] == []
    assert [key for error in body["errors"] for key in error if key not in ("message", "locations", "path", "extensions")] == []
    assert [key for error in body["errors"] for key in error["extensions"] if key != "code"] == []


async def test_no_editor_no_tracing_and_no_name_of_the_server(services) -> None:
    transport = httpx.ASGITransport(app=create_app(services))
    async with httpx.AsyncClient(transport=transport, base_url="https://plusone.test") as http:
        for path in ("/graphql", "/graphiql", "/playground", "/altair", "/voyager", "/graphql/schema", "/graphql.json", "/schema.graphql"):
            response = await http.get(path, headers={"accept": "text/html"})
            assert response.status_code in (404, 406), path
            assert "<" not in response.text
        answer = await http.post(
            "/graphql", json={"query": "{ serverTime }"}, headers={"x-apollo-tracing": "1", "apollo-federation-include-trace": "ftv1"}
        )
        assert answer.json()["extensions"].keys() == {"cost"}
        assert {"server", "x-powered-by"}.isdisjoint(answer.headers)


async def test_an_unexpected_failure_tells_its_request_alone(signed_in, people, monkeypatch, caplog) -> None:
    async def broken(*_: object, **__: object) -> object:
        raise RuntimeError("select secret from domain.members 0912345678")

    client: Client = await signed_in(people.member)
    monkeypatch.setattr("api.execution.screens.fetch_columns", broken)
    monkeypatch.setattr("api.resolvers.order.queries.orders_of_buyer", broken)
    answer = await client.ask("{ me { orders { nodes { id } } } }")
    (error,) = answer.body["errors"]
    assert error["message"] == "Something went wrong on our side."
    assert error["extensions"].keys() == {"code", "requestId"}
    assert [word for word in INSIDE if word.lower() in answer.response.text.lower()] == []
    assert "0912345678" not in answer.response.text + caplog.text


async def test_a_document_is_never_logged(signed_in, people, caplog) -> None:
    client = await signed_in(people.member)
    with caplog.at_level("DEBUG"):
        for body in CLOSED.values():
            await client.http.post("/graphql", json={**body, "query": body["query"] + " # 0912345678"}, headers=client.headers)
    assert "0912345678" not in caplog.text
