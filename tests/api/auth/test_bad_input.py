"""What every route of sign-in says to what it did not ask for: a plain refusal, and nothing is written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.applications import Starlette

from api.auth.plain import LARGEST_BODY_BYTES
from api.auth.routes import routes
from domain import db as database
from tests.api.auth.asking import NOTHING, assert_refused, counts, exchange, nonce_for
from tests.api.auth.conftest import served

ODD: list[Any] = [
    None,
    0,
    -1,
    2**63,
    10**400,
    1.5,
    True,
    "",
    "\0",
    "a\0b",
    "\ud800",
    "x" * 10_000,
    "\u202e",
    [],
    ["x"],
    {},
    {"x": 1},
    "'; --",
    "${7*7}",
    "../../x",
]
GOOD: dict[str, dict[str, Any]] = {
    "/auth/nonce": {"provider": "dev"},
    "/auth/exchange": {
        "provider": "dev",
        "channel": None,
        "idToken": "dev:line:U1",
        "nonce": "n",
        "installationId": "phone-1",
        "device": {"platform": "IOS", "targetKind": "FID", "target": "t", "locale": "zh-TW"},
    },
    "/auth/refresh": {"refreshToken": "A" * 43, "installationId": "phone-1"},
}


def variations() -> list[tuple[str, dict[str, Any]]]:
    found: list[tuple[str, dict[str, Any]]] = []
    for path, good in GOOD.items():
        for name in good:
            found += [(path, good | {name: odd}) for odd in ODD]
            found += [(path, {k: v for k, v in good.items() if k != name})]
        found += [(path, good | {"__proto__": {}}), (path, good | {"memberId": "x"}), (path, good | {"\ud800": 1}), (path, good | {"": 1})]
    exchange_body = GOOD["/auth/exchange"]
    for name in exchange_body["device"]:
        found += [("/auth/exchange", exchange_body | {"device": exchange_body["device"] | {name: odd}}) for odd in ODD]
    found.append(("/auth/exchange", exchange_body | {"device": exchange_body["device"] | {"memberId": "x"}}))
    return found


async def test_no_field_can_make_it_fail(http):
    """Every field replaced by twenty odd values, or missing, or joined by another: a plain refusal, and nothing is written."""
    tried = variations()
    assert len(tried) > 250
    wrong = []
    for n, (path, body) in enumerate(tried):
        if isinstance(body.get("installationId"), str) and body["installationId"] == "phone-1":
            body = body | {"installationId": f"phone-{n}"}
        if body.get("nonce") == "n":
            body = body | {"nonce": await nonce_for(http)}
        answer = await http.post(path, content=json.dumps(body), headers={"content-type": "application/json"})
        if answer.status_code not in (200, 400, 401):
            wrong.append((answer.status_code, path, str(body)[:200]))
        # Wrong guesses are what another test is about.
        await database.execute("delete from guess_count")
    assert wrong == []
    # Signed in were: those without or with another language, channel or device than is needed.
    subjects = {row["subject"] for row in await database.fetch("select subject from identity")}
    assert subjects == {"U1"}


BODIES: dict[str, bytes] = {
    "empty": b"",
    "not JSON": b"provider=dev",
    "NaN": b"NaN",
    "1e999": b'{"provider":1e999}',
    "5,000 digits": b'{"provider":' + b"9" * 5_000 + b"}",
    "deep": b'{"provider":' + b"[" * 8_000 + b"]" * 8_000 + b"}",
    "deep and open": b"[" * 16_000,
    "40 deep": b'{"provider":' + b"[" * 40 + b"]" * 40 + b"}",
    "list": b"[]",
    "text": b'"dev"',
    "null": b"null",
    "twice": b'{"provider":"dev","provider":"dev"}',
    "BOM": b'\xef\xbb\xbf{"provider":"dev"}',
    "UTF-16": '{"provider":"dev"}'.encode("utf-16"),
    "not UTF-8": b'{"provider":"\xff"}',
    "surrogate": b'{"provider":"\\ud800"}',
    "surrogate key": b'{"\\udc00":"dev"}',
    "NUL": b'{"provider":"\\u0000"}',
    "raw NUL": b'{"provider":"\x00"}',
    "cut": b'{"provider":"dev"',
    "more": b'{"provider":"dev"}{}',
    "single quotes": b"{'provider':'dev'}",
    "comment": b'{"provider":"dev"/**/}',
}


@pytest.mark.parametrize("path", list(GOOD))
async def test_no_body_can_make_it_fail(http, path):
    for name, body in BODIES.items():
        answer = await http.post(path, content=body, headers={"content-type": "application/json"})
        assert (name, answer.status_code) == (name, 400)
    for media_type in ("text/plain", "application/x-www-form-urlencoded", "application/json-patch+json", ""):
        answer = await http.post(path, content=b'{"provider":"dev"}', headers={"content-type": media_type})
        assert_refused(answer, 400, "BAD_REQUEST")
    assert await counts() == NOTHING


async def test_a_body_of_sixteen_kilobytes_is_the_longest(http):
    def body(size: int) -> bytes:
        return b'{"provider":"dev"' + b" " * (size - 18) + b"}"

    headers = {"content-type": "application/json; charset=utf-8"}
    assert (await http.post("/auth/nonce", content=body(LARGEST_BODY_BYTES), headers=headers)).status_code == 200
    assert_refused(await http.post("/auth/nonce", content=body(LARGEST_BODY_BYTES + 1), headers=headers), 413, "TOO_LARGE")

    async def chunks():
        for _ in range(100):
            yield b" " * 1_000

    assert_refused(await http.post("/auth/nonce", content=chunks(), headers=headers), 413, "TOO_LARGE")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
async def test_only_post_is_taken(http, method):
    for path in (*GOOD, "/auth/sign-out", "/auth/sign-out-everywhere"):
        assert (await http.request(method, path)).status_code == 405


async def test_no_message_repeats_what_was_sent(http):
    marked = "MARKED-秘密-12345"
    for body in (
        {"provider": marked},
        {marked: 1},
        {"provider": "dev", "idToken": marked, "nonce": marked, "installationId": marked},
        {"provider": "dev", "idToken": "x", "nonce": "x", "installationId": "x", "device": {"platform": marked, marked: marked}},
        {"refreshToken": marked, "installationId": marked},
    ):
        for path in GOOD:
            assert "MARKED" not in (await http.post(path, json=body)).text


async def test_while_the_database_is_away_the_answer_is_503(services, monkeypatch):
    async def away(*_: object) -> None:
        raise database.DatabaseAway("no connection")

    async with served(Starlette(routes=list(routes(services)))) as client:
        nonce = await nonce_for(client)
        monkeypatch.setattr(database, "fetchrow", away)
        answer = await exchange(client, nonce=nonce)
        assert_refused(answer, 503, "UNAVAILABLE")
        assert answer.headers["retry-after"] == "2"
