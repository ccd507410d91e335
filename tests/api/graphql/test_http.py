"""GraphQL over HTTP: media types, statuses, methods, bodies; and the answers when nothing works."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import Any

import asyncpg
import httpx
import pytest
from graphql import get_introspection_query

from api import graphql_app as endpoint
from api.graphql_app import graphql_app
from domain import db as database
from domain.bootstrap import services as services_for
from domain.errors import NotFound, PermissionDenied, Unavailable
from domain.idempotency.errors import KeyReused
from domain.members.errors import NoSigningKey, TooManyGuesses
from domain.settings import load
from tests.api.graphql.conftest import SECRET_KEY

NEW = "application/graphql-response+json"
OLD = "application/json"


async def post(http: httpx.AsyncClient, body: Any, *, accept: str | None = OLD, content_type: str = OLD, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = {"content-type": content_type, **({"accept": accept} if accept is not None else {}), **headers}
    if accept is None:
        http.headers.pop("accept", None)
    return await http.post("/graphql", content=content, headers=given)


def code(response: httpx.Response) -> str:
    """The code of the only error."""
    (error,) = response.json()["errors"]
    return str(error["extensions"]["code"])


@pytest.mark.parametrize(
    ("accept", "answered"),
    [
        (None, OLD), ("*/*", OLD), ("application/*", OLD), (OLD, OLD), (NEW, NEW), (f"{NEW}, {OLD};q=0.9", NEW), (f"{NEW};q=0.5, {OLD}", OLD),
        (f"{NEW}; charset=utf-8", NEW), ("text/html, */*;q=0.1", OLD), (f"{OLD};q=0, {NEW}", NEW),
    ],
)  # fmt: skip
async def test_the_answer_has_the_media_type_that_was_asked_for(http, accept, answered) -> None:
    response = await post(http, {"query": "{ serverTime }"}, accept=accept)
    assert (response.status_code, response.headers["content-type"]) == (200, f"{answered}; charset=utf-8")
    assert response.json()["data"] == {"serverTime": "2026-11-21T08:00:00Z"}
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("accept", ["text/html", f"{OLD};q=0", "image/*"])
async def test_an_answer_that_cannot_be_given_is_406(http, accept) -> None:
    assert (await post(http, {"query": "{ serverTime }"}, accept=accept)).status_code == 406


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        ({"query": "{"}, "BAD_REQUEST"),
        ({"query": "{ nothing }"}, "BAD_REQUEST"),
        ({"query": "query ($n: Int!) { me { orders(first: $n) { nodes { id } } } }", "variables": {"n": "x"}}, "BAD_REQUEST"),
        ({"query": "query A { serverTime } query B { serverTime }"}, "BAD_REQUEST"),
        ({"query": "query A { serverTime }", "operationName": "B"}, "BAD_REQUEST"),
        ({"query": "fragment F on Query { serverTime }"}, "BAD_REQUEST"),
        ({"query": "{ a: serverTime " * 1 + "}" * 9}, "BAD_REQUEST"),
        ({"query": "{ " + " ".join(f"a{n}: serverTime" for n in range(31)) + " }"}, "QUERY_TOO_COMPLEX"),
        ({"query": "query ($id: ID!) { node(id: $id) { id } }", "variables": {"id": "a\0b"}}, "BAD_REQUEST"),
        ({"query": '{ node(id: "a\\u0000b") { id } }'}, "BAD_REQUEST"),
    ],
)
async def test_a_refused_document_is_400_without_data_or_200_for_old_clients(http, body, refusal) -> None:
    for accept, status in ((NEW, 400), (OLD, 200)):
        response = await post(http, body, accept=accept)
        assert (response.status_code, code(response)) == (status, refusal)
        assert "data" not in response.json()


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b"1", b'"x"', b"\xff\xfe", b'{"query": "{ serverTime }\xff"}', b'{"query": NaN}', b"{}", b'{"query": 1}', b'{"query": ""}',
        b'{"query": null}', b'{"query": "{ serverTime }", "variables": []}', b'{"query": "{ serverTime }", "variables": "{}"}',
        b'{"query": "{ serverTime }", "variables": 1}', b'{"query": "{ serverTime }", "operationName": 1}',
        b'{"query": "{ serverTime }", "extensions": []}', b'[{"query": "{ serverTime }"}]', b'{"query": "{ serverTime }", "variables": {"a": "\\ud800"}}',
        b'{"query": "{ serverTime }", "variables": {"a": ' + b"[" * 10_000 + b"]" * 10_000 + b"}}",
        b'{"query": "{ serverTime }", "variables": {"a": ' + b"[" * 30 + b"]" * 30 + b"}}",
        b'{"query": "{ serverTime }", "variables": {"a": ' + b'{"a":' * 500 + b"1" + b"}" * 500 + b"}}",
        b'{"query": "{ serverTime }", "variables": {"a": 1' + b"0" * 5000 + b".5.5}}",
    ],
)  # fmt: skip
async def test_what_is_no_graphql_request_is_400_for_everybody(http, body) -> None:
    for accept in (NEW, OLD):
        response = await post(http, body, accept=accept)
        assert (response.status_code, code(response)) == (400, "BAD_REQUEST")


async def test_nulls_and_unknown_fields_beside_the_query_are_fine(http) -> None:
    body = {"query": "{ serverTime }", "variables": None, "operationName": None, "extensions": None, "id": 7}
    assert (await post(http, body)).json()["data"]


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/graphql",
                                          "application/json; charset=utf-16", "application/jsonx"])  # fmt: skip
async def test_another_media_type_is_415(http, content_type) -> None:
    response = await post(http, {"query": "{ serverTime }"}, content_type=content_type)
    assert (response.status_code, code(response)) == (415, "BAD_REQUEST")


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8", 'Application/JSON; charset="UTF-8"'])
async def test_json_in_utf_8_is_taken(http, content_type) -> None:
    assert (await post(http, {"query": "{ serverTime }"}, content_type=content_type)).status_code == 200


async def test_a_compressed_body_is_415_and_a_large_one_413(http) -> None:
    squeezed = gzip.compress(json.dumps({"query": "{ serverTime }"}).encode())
    assert (await post(http, squeezed, **{"content-encoding": "gzip"})).status_code == 415
    assert (await post(http, {"query": "{ serverTime }", "variables": {"a": "x" * 100_000}})).status_code == 413


async def test_get_answers_queries_only(http) -> None:
    good = await http.get("/graphql", params={"query": "query ($id: ID!) { node(id: $id) { id } }", "variables": '{"id": "x"}'})
    assert (good.status_code, good.json()["data"]) == (200, {"node": None})
    changes = 'mutation { deviceRegister(input: {installationId: "a", platform: WEB, target: "b"}) { userErrors { code } } }'
    refused = await http.get("/graphql", params={"query": changes})
    assert (refused.status_code, refused.headers["allow"], code(refused)) == (405, "POST", "BAD_REQUEST")
    for params in ({}, {"query": ""}, {"query": "{ serverTime }", "variables": "{"}, {"query": "{ serverTime }", "variables": "[]"}):
        assert (await http.get("/graphql", params=params)).status_code == 400


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
async def test_other_methods_are_405(http, method) -> None:
    response = await http.request(method, "/graphql")
    assert (response.status_code, response.headers["allow"]) == (405, "GET, POST")


@pytest.mark.parametrize("token", ["nonsense", "", "e30.e30.e30", "\xff"])
async def test_a_token_that_does_not_hold_is_401(http, token) -> None:
    response = await http.post("/graphql", json={"query": "{ serverTime }"}, headers={"authorization": f"Bearer {token}".encode("latin-1")})
    assert (response.status_code, code(response), response.headers["www-authenticate"]) == (401, "UNAUTHENTICATED", "Bearer")


async def test_nobody_gets_unauthenticated_where_a_member_is_needed(http) -> None:
    body = (await post(http, {"query": "{ me { id } serverTime }"})).json()
    assert body["data"] == {"me": None, "serverTime": "2026-11-21T08:00:00Z"}
    assert [(error["path"], error["extensions"]) for error in body["errors"]] == [(["me"], {"code": "UNAUTHENTICATED"})]


async def test_the_cost_is_told(http) -> None:
    body = (await post(http, {"query": '{ salesPost(id: "x") { title items { variants { label } } } node(id: "y") { id } }'})).json()
    assert body["extensions"]["cost"] == {"requestedQueryCost": 1 + 5 * (1 + 5 * 1) + 1, "actualQueryCost": 1}


async def test_introspection_and_suggestions_are_off_in_production(http) -> None:
    for query in (
        "{ __schema { types { name } } }",
        '{ __type(name: "Order") { name } }',
        "{ me { orders { nodes { __typename ... on Order { id } } } } __schema { queryType { name } } }",
    ):
        response = await post(http, {"query": query})
        assert {error["extensions"]["code"] for error in response.json()["errors"]} == {"BAD_REQUEST"}
        assert "data" not in response.json()
    for query in ("{ serverTim }", "{ me { order } }", 'mutation { stockSet(inputs: 1) { userErrors { code } } }', "{ salesPost(idd: 1) { title } }",
                  "query ($f: OrderFilte) { serverTime }", '{ me { orders(filter: {stat: OPEN}) { nodes { id } } } }', "{ me { orders(filter: {state: OPE}) { nodes { id } } } }"):  # fmt: skip
        assert "Did you mean" not in (await post(http, {"query": query})).text
    assert (await post(http, {"query": "{ __typename }"})).json()["data"] == {"__typename": "Query"}


async def test_no_editor_in_production(http) -> None:
    response = await http.get("/graphql", headers={"accept": "text/html"})
    assert (response.status_code, "graphiql" in response.text.lower()) == (406, False)


async def test_development_has_the_editor_and_introspection(db, clock) -> None:
    services = services_for(load(secret_key=SECRET_KEY, environment="development"), clock=clock)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=graphql_app(services)), base_url="http://dev") as http:
        page = await http.get("/graphql", headers={"accept": "text/html"})
        assert (page.status_code, "graphiql" in page.text.lower()) == (200, True)
        found = (await post(http, {"query": get_introspection_query()})).json()
        assert found["data"]["__schema"]["queryType"]["name"] == "Query"


async def test_a_database_that_is_away_is_503_with_retry_after(http, monkeypatch) -> None:
    async def away(*_: object) -> object:
        raise database.DatabaseAway

    monkeypatch.setattr(database, "fetch", away)
    for accept in (NEW, OLD):
        response = await post(http, {"query": '{ salesPost(id: "post_AAAAAAAAAAAAAAAAAAAAAA") { title } }'}, accept=accept)
        assert (response.status_code, response.headers["retry-after"], code(response)) == (503, "2", "UNAVAILABLE")


async def test_a_pool_whose_connections_are_all_taken_is_503_and_then_well_again(people, signed_in, monkeypatch) -> None:
    client = await signed_in(people.member)
    monkeypatch.setattr("domain.db.pool.GATE_WAIT_SECONDS", 0.05)
    inside, leave = asyncio.Semaphore(0), asyncio.Event()

    async def hold() -> None:
        async with database.transaction():
            inside.release()
            await leave.wait()

    holders = [asyncio.create_task(hold()) for _ in range(20)]
    for _ in holders:
        await inside.acquire()
    answer = await client.ask("{ me { orders { nodes { id } } } }")
    leave.set()
    await asyncio.gather(*holders)
    assert (answer.response.status_code, answer.codes) == (503, ["UNAVAILABLE"])
    assert answer.response.headers["retry-after"] == "2"
    assert (await client.get("{ me { orders { nodes { id } } } }")) == {"me": {"orders": {"nodes": []}}}


async def test_what_is_unexpected_is_masked_and_logged_without_what_was_written(people, signed_in, monkeypatch, caplog) -> None:
    async def broken(*_: object, **__: object) -> object:
        raise RuntimeError("secret 0912345678 of a buyer")

    monkeypatch.setattr("api.resolvers.order.queries.orders_of_buyer", broken)
    client = await signed_in(people.member)
    answer = await client.ask("{ me { id orders { nodes { id } } } serverTime }")
    (error,) = answer.body["errors"]
    assert error["message"] == "Something went wrong on our side."
    assert set(error["extensions"]) == {"code", "requestId"}
    assert error["path"] == ["me", "orders"]
    assert "secret" not in answer.response.text
    assert "0912345678" not in caplog.text
    assert "RuntimeError" in caplog.text
    assert "broken" in caplog.text


async def test_a_request_is_cut_off_after_its_time(people, signed_in, monkeypatch) -> None:
    never = asyncio.Event()

    async def endless(*_: object, **__: object) -> object:
        await never.wait()
        return None

    client = await signed_in(people.member)
    monkeypatch.setattr("api.execution.screens.fetch_columns", endless)
    monkeypatch.setattr(endpoint, "REQUEST_SECONDS", 0.05)
    answer = await client.ask("{ me { orders { nodes { id } } } }")
    assert (answer.response.status_code, answer.codes, answer.response.headers["retry-after"]) == (503, ["UNAVAILABLE"], "2")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (TooManyGuesses(30), "THROTTLED"),
        (NoSigningKey(), "UNAVAILABLE"),
        (Unavailable(), "UNAVAILABLE"),
        (NotFound(), "BAD_REQUEST"),
        (PermissionDenied(), "FORBIDDEN"),
        (KeyReused(), "BAD_REQUEST"),
        (asyncpg.QueryCanceledError("statement timeout"), "UNAVAILABLE"),
        (ConnectionResetError(), "UNAVAILABLE"),
        (asyncpg.UniqueViolationError("Key (phone)=(0912345678) already exists."), "INTERNAL"),
        (ValueError("0912345678"), "INTERNAL"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
async def test_each_kind_of_failure_has_its_code(people, signed_in, monkeypatch, caplog, error, code) -> None:
    async def failing(*_: object, **__: object) -> object:
        raise error

    client = await signed_in(people.member)
    monkeypatch.setattr("api.execution.screens.fetch_columns", failing)
    monkeypatch.setattr("api.resolvers.order.queries.orders_of_buyer", failing)
    answer = await client.ask("{ me { orders { nodes { id } } } }")
    assert answer.codes == [code]
    assert answer.response.status_code == (503 if code == "UNAVAILABLE" else 200)
    assert "0912345678" not in answer.response.text + caplog.text
    assert bool(caplog.records) is (code == "INTERNAL")
