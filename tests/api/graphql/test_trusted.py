"""Registered documents in production, automatic persisted queries in the open, and what an app is told when it sends neither."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from api.execution import trusted
from api.graphql_app import graphql_app
from domain import db as database
from domain.bootstrap import Services
from domain.bootstrap import services as services_for
from domain.members import keys
from domain.operations.commands import Draft, add, hash_of, remove
from domain.settings import load
from tests.api.graphql.conftest import SECRET_KEY
from tests.sql_recorder import recorded

TIME = "query Time { serverTime }"
DATA = {"data": {"serverTime": "2026-11-21T08:00:00Z"}}
NEW = "application/graphql-response+json"


async def served(clock: Any, **settings: Any) -> httpx.AsyncClient:
    services: Services = services_for(load(secret_key=SECRET_KEY, **settings), clock=clock)
    await keys.ensure_keys(services.vault, clock.now())
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=graphql_app(services)), base_url="https://plusone.test")


@pytest.fixture
async def closed(db: str, clock: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Production as it is without the setting."""
    async with await served(clock, environment="production", open_operations=False) as http:
        yield http


@pytest.fixture
async def development(db: str, clock: Any) -> AsyncIterator[httpx.AsyncClient]:
    async with await served(clock, environment="development", open_operations=False) as http:
        yield http


async def registered(text: str, clock: Any) -> str:
    draft = Draft(text, ("Time",))
    await add([draft], clock.now())
    return draft.hash


async def post(http: httpx.AsyncClient, **body: Any) -> Any:
    answer = (await http.post("/graphql", json=body)).json()
    answer.pop("extensions", None)
    return answer


def persisted(digest: Any, version: Any = 1) -> dict[str, Any]:
    return {"persistedQuery": {"version": version, "sha256Hash": digest}}


def test_production_is_closed_by_default(monkeypatch) -> None:
    monkeypatch.delenv("PLUSONE_OPEN_OPERATIONS")
    assert load(secret_key=SECRET_KEY, _env_file=None).open_operations is False


async def test_a_registered_document_is_answered_by_text_and_by_hash(closed, clock) -> None:
    digest = await registered(TIME, clock)
    assert await post(closed, query=TIME) == DATA
    assert await post(closed, documentId=digest) == DATA
    assert await post(closed, documentId=f"sha256:{digest}") == DATA
    assert await post(closed, extensions=persisted(digest)) == DATA
    assert await post(closed, query=TIME, extensions=persisted(digest)) == DATA
    for params in ({"documentId": digest}, {"extensions": f'{{"persistedQuery":{{"version":1,"sha256Hash":"{digest}"}}}}'}):
        response = await closed.get("/graphql", params=params)
        assert (response.status_code, response.json()["data"]) == (200, DATA["data"])


@pytest.mark.parametrize(
    "body",
    [
        {"query": "query Time { serverTime  }"},
        {"query": "{ __typename }"},
        {"query": "mutation { nothing }"},
        {"query": "{ not even GraphQL"},
        {"documentId": "0" * 64},
        {"extensions": persisted("0" * 64)},
        {"query": "{ __typename }", "extensions": persisted(hash_of("{ __typename }"))},
    ],
)
async def test_any_other_is_refused_and_told_what_to_do(closed, clock, body) -> None:
    await registered(TIME, clock)
    for accept, status in ((NEW, 400), ("application/json", 200)):
        for _ in range(2):  # what was refused is not remembered
            response = await closed.post("/graphql", json=body, headers={"accept": accept})
            (error,) = response.json()["errors"]
            assert (response.status_code, error["extensions"]) == (status, {"code": "PERSISTED_QUERY_REQUIRED"})
            assert "plusone operations add FILE" in error["message"]
            assert "docs/api/operations.md" in error["message"]


async def test_a_registered_document_is_read_from_the_database_once_a_minute(closed, clock) -> None:
    digest = await registered(TIME, clock)
    with recorded() as sql:
        for _ in range(3):
            assert await post(closed, documentId=digest) == DATA
    assert len(sql) == 1
    assert await remove([digest]) == 1
    assert await post(closed, documentId=digest) == DATA
    clock.at += timedelta(seconds=60)
    assert (await post(closed, documentId=digest))["errors"][0]["extensions"]["code"] == "PERSISTED_QUERY_REQUIRED"


async def test_one_that_is_registered_later_is_answered_at_once(closed, clock) -> None:
    assert "errors" in await post(closed, query=TIME)
    await registered(TIME, clock)
    assert await post(closed, query=TIME) == DATA


async def test_what_is_known_is_answered_while_the_database_is_away(closed, clock, monkeypatch) -> None:
    digest = await registered(TIME, clock)
    await post(closed, documentId=digest)

    async def away(_: str) -> str:
        raise database.DatabaseAway

    monkeypatch.setattr(trusted.queries, "document_of", away)
    clock.at += timedelta(hours=1)
    assert await post(closed, documentId=digest) == {"data": {"serverTime": "2026-11-21T09:00:00Z"}}
    response = await closed.post("/graphql", json={"query": "{ __typename }"})
    assert (response.status_code, response.headers["retry-after"]) == (503, "2")


async def test_a_registered_document_keeps_the_limits_and_the_methods(closed, clock) -> None:
    large = "query Large($n: Int!) { me { orders(first: $n) { nodes { lines { nodes { id } } } } } }"
    digest = await registered(large, clock)
    assert (await post(closed, documentId=digest, variables={"n": 100}))["errors"][0]["extensions"]["code"] == "QUERY_TOO_COMPLEX"
    write = await registered("mutation W { notificationsMarkRead(input: {ids: []}) { unreadCount } }", clock)
    assert (await closed.get("/graphql", params={"documentId": write})).status_code == 405


async def test_automatic_persisted_queries_in_development(development) -> None:
    digest = hash_of(TIME)
    response = await development.post("/graphql", json={"extensions": persisted(digest)})
    (error,) = response.json()["errors"]
    assert (response.status_code, error["message"], error["extensions"]) == (
        200,
        "PersistedQueryNotFound",
        {"code": "PERSISTED_QUERY_NOT_FOUND"},
    )
    assert await post(development, query=TIME, extensions=persisted(digest)) == DATA
    assert await post(development, extensions=persisted(digest)) == DATA
    assert await post(development, documentId=digest) == DATA
    assert await post(development, query="{ __typename }") == {"data": {"__typename": "Query"}}
    unknown = (await post(development, documentId="0" * 64))["errors"][0]
    assert unknown["extensions"]["code"] == "PERSISTED_QUERY_NOT_FOUND"
    assert "Send the text beside it once" in unknown["message"]


async def test_a_setting_opens_production(db, clock) -> None:
    async with await served(clock, environment="production", open_operations=True) as http:
        assert await post(http, query=TIME) == DATA
        assert "errors" in await post(http, query="{ __schema { queryType { name } } }")


@pytest.mark.parametrize("given", [{"extensions": persisted("0" * 64)}, {"documentId": "0" * 64}])
async def test_a_hash_that_is_another_texts_is_refused(closed, development, clock, given) -> None:
    await registered(TIME, clock)
    for http in (closed, development):
        (error,) = (await post(http, query=TIME, **given))["errors"]
        assert error["extensions"]["code"] == "BAD_REQUEST"
        assert await post(http, query=TIME) == DATA


@pytest.mark.parametrize(
    "body",
    [
        {"documentId": 1}, {"documentId": ""}, {"documentId": "0" * 63}, {"documentId": "A" * 64}, {"documentId": "md5:" + "0" * 64}, {"documentId": []},
        {"extensions": {"persistedQuery": 1}}, {"extensions": {"persistedQuery": {}}}, {"extensions": persisted("0" * 64, 2)}, {"extensions": persisted(None)},
        {"extensions": persisted({"a": 1})}, {"extensions": persisted("x" * 64)}, {"extensions": {"persistedQuery": []}}, {"query": 7, "documentId": "0" * 64},
        {"query": "", "documentId": "0" * 64},
    ],
)  # fmt: skip
async def test_a_hash_of_another_form_is_400(closed, body) -> None:
    response = await closed.post("/graphql", json=body)
    assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (400, "BAD_REQUEST")


async def test_texts_and_hashes_that_are_kept_are_bounded(development, monkeypatch) -> None:
    monkeypatch.setattr(trusted, "MOST_SENT", 3)
    texts = [f"{{ a{n}: serverTime }}" for n in range(4)]
    for text in texts:
        await post(development, query=text, extensions=persisted(hash_of(text)))
    assert "errors" in await post(development, extensions=persisted(hash_of(texts[0])))
    assert "data" in await post(development, extensions=persisted(hash_of(texts[1])))
