"""The short way to /graphql answers as the long one does, and leaves to it whatever is unusual."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import product
from typing import Any

import httpx
import pytest
from starlette.types import Message, Scope

from api import graphql_app, questions
from api.app import create_app
from api.auth.tokens import issue_access
from api.limits import BODY_BYTES
from api.questions import Questions
from domain import db as database
from domain.bootstrap import Services, services
from domain.clock import FixedClock
from domain.ids import new_id
from domain.members import keys, standing
from domain.settings import load
from tests.build import a_member
from tests.serving import SECRET_KEY, Passed, raw, running

LONG = {"x-long": "1", "transfer-encoding": "identity"}
"""Sends a request the long way round."""
PATH = "/graphql"
ME = "{ me { id orders(first: 2) { nodes { id number } pageInfo { hasNextPage endCursor } } } }"


@pytest.fixture
async def house(db: str, clock: FixedClock) -> Services:
    keys.forget()
    standing.forget()
    found = services(load(secret_key=SECRET_KEY, open_operations=True, points_per_second=10_000, _env_file=None), clock=clock)
    await keys.ensure_keys(found.vault, clock.now())
    return found


@pytest.fixture
async def token(house: Services, clock: FixedClock) -> str:
    member_id, session_id, now = await a_member(), new_id(), clock.now()
    await database.execute(
        """insert into session (id, member_id, installation_id, created_at, last_used_at, idle_until, ends_at, ended_reason)
           values ($1, $2, 'test', $3, $3, $4, $4, '')""",
        session_id, member_id, now, now + timedelta(days=30),
    )  # fmt: skip
    return (await issue_access(member_id, session_id, 1, issuer=house.settings.public_url, now=now)).text


@pytest.fixture
async def passed(house: Services, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[httpx.AsyncClient, Passed]]:
    """A client of the whole app, and what stands behind its short way."""
    behind: list[Passed] = []
    begin = Questions.__init__

    def counted(self: Questions, app: Any, **parts: Any) -> None:
        behind.append(Passed(app))
        begin(self, behind[0], **parts)

    monkeypatch.setattr(Questions, "__init__", counted)
    app = create_app(house)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://plusone") as client,
    ):
        await client.get("/health/live")  # the app is put together with its first request
        yield client, behind[0]


def plain(response: httpx.Response) -> tuple[int, dict[str, str], Any]:
    """An answer without what another one of the same request may have otherwise: the points that are left, and the length they take."""
    body = response.json()
    for error in body.get("errors", ()):
        error["extensions"].pop("requestId", None)
    body.get("extensions", {}).pop("cost", None)
    return response.status_code, {k: v for k, v in response.headers.items() if k != "content-length"}, body


BODIES = {
    "a screen": {"query": ME},
    "a screen by its operation": {"query": "query A { me { id } } query B { serverTime }", "operationName": "A"},
    "no screen": {"query": "{ serverTime }"},
    "an unknown shop": {"query": 'query Q($id: ID!) { shop(id: $id) { name } }', "variables": {"id": "shop_AZHx"}},
    "a field that is not there": {"query": "{ me { nothing } }"},
    "not GraphQL": {"query": "{ me {"},
    "too much": {"query": "{ me { orders(first: 100) { nodes { lines(first: 100) { nodes { id variant { id product { id } } } } } } } }"},
    "no page": {"query": "{ me { orders(first: 0) { nodes { id } } } }"},
    "a subscription": {"query": "subscription { liveNow: __typename }"},
    "nobody's document": {"documentId": "0" * 64},
    "no operation": {"variables": {}},
    "a list": [],
    "NUL": {"query": "query Q($id: ID!) { shop(id: $id) { name } }", "variables": {"id": "\0"}},
}  # fmt: skip
ACCEPTS = ["application/graphql-response+json", "application/json", "text/html", ""]


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
async def test_both_ways_answer_alike(passed, token: str, body: Any) -> None:
    client, behind = passed
    before = behind.calls
    signs = [{"authorization": f"Bearer {token}"}, {}, {"authorization": f"Bearer {token}x"}, {"authorization": "Basic x"}]
    for number, (accept, sign) in enumerate(product(ACCEPTS, signs)):
        headers = {"accept": accept, "x-request-id": "edge-0123.abc", **sign}
        short = await client.post(PATH, json=body, headers=headers)
        assert behind.calls == before + number
        long = await client.post(PATH, json=body, headers={**headers, **LONG})
        assert behind.calls == before + number + 1
        assert plain(short) == plain(long)
        assert short.headers["x-request-id"] == "edge-0123.abc"
        assert int(short.headers["content-length"]) == len(short.content)


async def test_both_ways_write_the_same_bytes_and_spend_the_same(passed, token: str) -> None:
    client, _ = passed
    headers = {"authorization": f"Bearer {token}"}
    short, long = [await client.post(PATH, json={"query": ME}, headers={**headers, **more}) for more in ({}, LONG)]
    assert short.json()["data"]["me"]["orders"] == {"nodes": [], "pageInfo": {"hasNextPage": False, "endCursor": None}}
    costs = [response.json()["extensions"]["cost"] for response in (short, long)]
    assert [cost["actualQueryCost"] for cost in costs] == [costs[0]["actualQueryCost"]] * 2
    left = [cost["throttleStatus"]["currentlyAvailable"] for cost in costs]
    assert left[0] - left[1] == costs[1]["actualQueryCost"]
    assert short.content.split(b'"extensions"')[0] == long.content.split(b'"extensions"')[0]


async def test_a_request_without_an_id_gets_one(passed) -> None:
    client, _ = passed
    named = [
        (await client.post(PATH, json={"query": "{ serverTime }"}, headers=given)).headers["x-request-id"]
        for given in ({}, {"x-request-id": "<odd>"})
    ]
    assert [len(one) for one in named] == [32, 32]
    assert named[0] != named[1]


async def test_the_log_has_the_same_line_of_both_ways(passed, caplog: pytest.LogCaptureFixture) -> None:
    client, _ = passed
    with caplog.at_level(logging.INFO, "api.app"):
        for more in ({}, LONG):
            await client.post(PATH, json={"query": "{ serverTime }"}, headers=more)
    lines = [(r.levelname, r.getMessage(), r.method, r.path, r.status) for r in caplog.records if r.name == "api.app"]
    assert lines == [("INFO", "request", "POST", PATH, 200)] * 2


ODD = {
    "no content type": {"content-type": ""},
    "a form": {"content-type": "application/x-www-form-urlencoded"},
    "another charset": {"content-type": "application/json; charset=utf-16"},
    "packed": {"content-encoding": "gzip"},
    "asks first": {"expect": "100-continue"},
}


@pytest.mark.parametrize("headers", ODD.values(), ids=ODD.keys())
async def test_an_unusual_head_goes_the_long_way(passed, headers: dict[str, str]) -> None:
    client, behind = passed
    before = behind.calls
    await client.post(PATH, content=b'{"query": "{ serverTime }"}', headers={"content-type": "application/json", **headers})
    assert behind.calls == before + 1


@pytest.mark.parametrize("ask", [("GET", PATH), ("POST", f"{PATH}?a=1"), ("POST", f"{PATH}/"), ("PUT", PATH), ("OPTIONS", PATH)], ids=str)
async def test_another_method_or_target_goes_the_long_way(passed, ask: tuple[str, str]) -> None:
    client, behind = passed
    before = behind.calls
    await client.request(*ask, json={"query": "{ serverTime }"})
    assert behind.calls == before + 1


async def test_two_tokens_go_the_long_way_and_are_refused(passed, token: str) -> None:
    client, behind = passed
    before = behind.calls
    sent = [("content-type", "application/json"), ("authorization", f"Bearer {token}"), ("authorization", f"Bearer {token}")]
    assert (await client.post(PATH, content=b'{"query": "{ serverTime }"}', headers=sent)).status_code == 401
    assert behind.calls == before + 1


async def test_a_body_that_is_late_or_too_long_is_refused(house: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "BODY_SECONDS", 0.2)
    body = json.dumps({"query": "{ serverTime }"}).encode()
    head = b"POST /graphql HTTP/1.1\r\nHost: plusone\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    async with running(create_app(house)) as base:
        slow = await raw(base, head % len(body) + body[:5])
        assert slow.startswith(b"HTTP/1.1 408 ")
        assert b"connection: close" in slow.lower()
        assert (await raw(base, head % (BODY_BYTES + 1))).startswith(b"HTTP/1.1 413 ")
        whole = (head % len(body)).replace(b"Host:", b"Connection: close\r\nHost:") + body
        assert (await raw(base, whole)).startswith(b"HTTP/1.1 200 ")


async def test_a_request_is_cut_off_after_its_time(passed, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    client, _ = passed
    never = asyncio.Event()

    async def endless(*_: object) -> None:
        await never.wait()

    monkeypatch.setattr("api.execution.screens.fetch_columns", endless)
    monkeypatch.setattr(graphql_app, "REQUEST_SECONDS", 0.05)
    answer = await client.post(PATH, json={"query": ME}, headers={"authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert answer.json()["errors"][0]["extensions"]["code"] == "UNAVAILABLE"


async def test_who_goes_away_in_the_middle_is_not_answered(house: Services) -> None:
    app, sent = create_app(house), list[Message]()

    async def gone() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {
        "type": "http", "method": "POST", "path": PATH, "raw_path": PATH.encode(), "query_string": b"", "client": None,
        "headers": [(b"content-length", b"100"), (b"content-type", b"application/json")], "state": {},
    }  # fmt: skip
    await app(scope, gone, send)
    assert sent == []
