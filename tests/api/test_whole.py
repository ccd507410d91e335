"""Answers that are written whole: over real connections the same as those that go by ASGI's messages."""

from __future__ import annotations

import json
import re

import httpx
import pytest

from api.app import create_app
from api.whole import WHOLE
from plusone import prompt
from tests.api.test_questions import ME, PATH, house, plain, token  # noqa: F401
from tests.serving import raw, running


@pytest.fixture
def wholes(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each answer that was to be sent whole was."""
    found: list[bool] = []
    send = prompt._sent

    def noted(cycle, head: bytes, body: bytes) -> bool:
        found.append(send(cycle, head, body))
        return found[-1]

    monkeypatch.setattr(prompt, "_sent", noted)
    return found


async def test_a_whole_answer_is_that_of_the_long_way(house, token: str, wholes: list[bool]) -> None:  # noqa: F811
    async with running(create_app(house)) as base, httpx.AsyncClient(base_url=base, trust_env=False) as client:
        for _ in range(3):
            for accept in ("application/json", "application/graphql-response+json"):
                headers = {"authorization": f"Bearer {token}", "accept": accept, "x-request-id": "edge-0123.abc"}
                short = await client.post(PATH, json={"query": ME}, headers=headers)
                long = await client.post(PATH, json={"query": ME}, headers={**headers, "content-encoding": "identity"})
                first, second = plain(short), plain(long)
                first[1].pop("date")
                second[1].pop("date")
                assert first == second
                assert int(short.headers["content-length"]) == len(short.content)
    assert wholes == [True] * 6


async def test_requests_behind_one_another_are_answered_in_order(house, token: str, wholes: list[bool]) -> None:  # noqa: F811
    def request(number: int, *more: str) -> bytes:
        body = json.dumps({"query": ME}).encode()
        lines = ["POST /graphql HTTP/1.1", "Host: plusone", "Content-Type: application/json", f"Content-Length: {len(body)}",
                 f"Authorization: Bearer {token}", f"X-Request-Id: number-{number}", *more, "", ""]  # fmt: skip
        return "\r\n".join(lines).encode() + body

    async with running(create_app(house)) as base:
        answer = await raw(base, request(1) + request(2) + request(3, "Connection: close"))
    heads = re.findall(rb"HTTP/1.1 200 OK|x-request-id: number-\d|connection: close", answer)
    named = [[b"HTTP/1.1 200 OK", b"x-request-id: number-%d" % number] for number in (1, 2, 3)]
    assert heads == [*named[0], *named[1], *named[2], b"connection: close"]
    assert wholes == [True, True, False], "the last one closes the line, which is for uvicorn to do"


async def test_a_server_that_offers_nothing_is_answered_by_messages(house, token: str) -> None:  # noqa: F811
    app = create_app(house)

    async def plainly(scope, receive, send) -> None:
        scope.pop(WHOLE, None)
        await app(scope, receive, send)

    async with running(plainly) as base, httpx.AsyncClient(base_url=base, trust_env=False) as client:
        answer = await client.post(PATH, json={"query": ME}, headers={"authorization": f"Bearer {token}"})
    assert answer.json()["data"]["me"]["orders"]["nodes"] == []
