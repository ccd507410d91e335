"""The webhook door: what is rightly signed is stored before it is acknowledged, and nothing else leaves a trace."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from domain import db as database
from domain.bootstrap import Services
from domain.providers.platforms.wire import (
    facebook_wire,
    generic_wire,
    line_wire,
    sign_facebook,
    sign_generic,
    sign_line,
    sign_telegram,
    telegram_wire,
)
from tests.api.doors import BODY, COMMENT, SECRET, TOKEN, a_door, failures, rows
from tests.build import NOW, an_endpoint


async def test_a_signed_delivery_is_stored_before_its_200(client: httpx.AsyncClient, house: Services) -> None:
    endpoint = await a_door(house)
    answer = await client.post("/webhooks/facebook/app", content=BODY, headers=sign_facebook(BODY, SECRET))
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, b"{}", "application/json")
    event = house.platforms["facebook"].split(BODY, received_at=NOW)[0]
    row = await database.fetchrow("select endpoint_id, source, external_key, payload, occurred_at, received_at from inbox_event")
    assert row is not None
    assert tuple(row) == (endpoint, "facebook", event.external_key, row["payload"], event.occurred_at, NOW)
    assert database.from_jsonb(row["payload"]) == event.payload


def signed(source: str, payload: Mapping[str, Any]) -> tuple[bytes, dict[str, str]]:
    if source == "facebook":
        return (body := facebook_wire(payload)), sign_facebook(body, SECRET)
    if source == "line":
        return (body := line_wire(payload)), sign_line(body, SECRET)
    if source == "telegram":
        return (body := telegram_wire(payload)), sign_telegram(body, SECRET)
    return (body := generic_wire(payload)), sign_generic(body, SECRET, int(NOW.timestamp()))


DELIVERIES: list[tuple[str, Mapping[str, Any]]] = [
    ("facebook", COMMENT),
    (
        "line",
        {
            "destination": "U0",
            "events": [
                {
                    "type": "message", "webhookEventId": f"01H{n}", "mode": "active", "timestamp": 1_795_248_000_000,
                    "source": {"type": "group", "groupId": "C1", "userId": "U1"}, "message": {"id": f"{n}", "type": "text", "text": "+1"},
                }
                for n in range(3)
            ],
        },
    ),
    (
        "telegram",
        {
            "update_id": 77,
            "message": {
                "message_id": 5, "date": 1_795_248_000, "chat": {"id": -100, "type": "supergroup", "title": "團"},
                "from": {"id": 9, "is_bot": False, "first_name": "A"}, "text": "+1",
            },
        },
    ),
]  # fmt: skip


@pytest.mark.parametrize(("source", "payload"), DELIVERIES, ids=[source for source, _ in DELIVERIES])
async def test_every_platform_has_its_door(client: httpx.AsyncClient, house: Services, source: str, payload: Mapping[str, Any]) -> None:
    await a_door(house, source)
    body, headers = signed(source, payload)
    assert (await client.post(f"/webhooks/{source}/app", content=body, headers=headers)).status_code == 200
    events = house.platforms[source].split(body, received_at=NOW)
    assert await rows() == [(source, event.external_key, "PENDING") for event in events]
    assert len(events) == (3 if source == "line" else 1)


async def test_a_delivery_that_comes_again_changes_nothing(client: httpx.AsyncClient, house: Services) -> None:
    await a_door(house)
    for _ in range(3):
        answer = await client.post("/webhooks/facebook/app", content=BODY, headers=sign_facebook(BODY, SECRET))
        assert answer.status_code == 200
    assert len(await rows()) == 1


def hexed(secret: str, body: bytes, kind: str = "sha256") -> str:
    return hmac.new(secret.encode(), body, kind).hexdigest()


RIGHT = f"sha256={hexed(SECRET, BODY)}"
FORGED: dict[str, dict[str, str] | list[tuple[bytes, bytes]]] = {
    "none": {},
    "empty": {"x-hub-signature-256": ""},
    "cut": {"x-hub-signature-256": RIGHT[:-1]},
    "longer": {"x-hub-signature-256": RIGHT + "0"},
    "other secret": {"x-hub-signature-256": f"sha256={hexed('other', BODY)}"},
    "empty secret": {"x-hub-signature-256": f"sha256={hexed('', BODY)}"},
    "sha1": {"x-hub-signature-256": f"sha1={hexed(SECRET, BODY, 'sha1')}"},
    "sha1 in its own header": {"x-hub-signature": f"sha1={hexed(SECRET, BODY, 'sha1')}"},
    "md5": {"x-hub-signature-256": f"md5={hexed(SECRET, BODY, 'md5')}"},
    "no prefix": {"x-hub-signature-256": hexed(SECRET, BODY)},
    "unkeyed": {"x-hub-signature-256": f"sha256={hashlib.sha256(BODY).hexdigest()}"},
    "secret itself": {"x-hub-signature-256": SECRET},
    "other body": {"x-hub-signature-256": f"sha256={hexed(SECRET, BODY + b' ')}"},
    "re-written JSON": {"x-hub-signature-256": f"sha256={hexed(SECRET, json.dumps(COMMENT).encode())}"},
    "bit flip": {"x-hub-signature-256": RIGHT[:-1] + ("0" if RIGHT[-1] != "0" else "1")},
    "of LINE": sign_line(BODY, SECRET),
    "of Telegram": sign_telegram(BODY, SECRET),
    "twice": [(b"x-hub-signature-256", RIGHT.encode()), (b"x-hub-signature-256", RIGHT.encode())],
    "beyond ASCII": [(b"x-hub-signature-256", "sha256=é".encode())],
    "beyond UTF-8": [(b"x-hub-signature-256", b"sha256=\xff\xfe")],
}


@pytest.mark.parametrize("headers", FORGED.values(), ids=FORGED.keys())
async def test_a_forged_delivery_is_refused_and_counted_and_leaves_nothing(
    client: httpx.AsyncClient, house: Services, headers: dict[str, str] | list[tuple[bytes, bytes]]
) -> None:
    await a_door(house)
    before = failures("facebook")
    answer = await client.post("/webhooks/facebook/app", content=BODY, headers=headers)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "BAD_SIGNATURE"
    assert await rows() == []
    assert failures("facebook") == before + 1


async def test_the_secret_of_another_door_does_not_open_this_one(client: httpx.AsyncClient, house: Services) -> None:
    await a_door(house)
    await an_endpoint(slug="other", secret_encrypted=house.vault.seal("another-secret"))
    answer = await client.post("/webhooks/facebook/other", content=BODY, headers=sign_facebook(BODY, SECRET))
    assert answer.status_code == 401
    assert await rows() == []


@pytest.mark.parametrize(
    "path",
    [
        "/webhooks/facebook/nobody",
        "/webhooks/line/app",
        "/webhooks/myspace/app",
        "/webhooks/facebook/a%00b",
        "/webhooks/facebook/" + "x" * 300,
    ],
)
async def test_an_unknown_door_is_not_found(client: httpx.AsyncClient, house: Services, path: str) -> None:
    await a_door(house)
    before = failures("facebook")
    answer = await client.post(path, content=BODY, headers=sign_facebook(BODY, SECRET))
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "NOT_FOUND"
    assert await rows() == []
    assert failures("facebook") == before


async def test_the_challenge_is_answered_to_who_knows_the_token(client: httpx.AsyncClient, house: Services) -> None:
    await a_door(house)
    query = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": TOKEN}
    answer = await client.get("/webhooks/facebook/app", params=query)
    assert (answer.status_code, answer.text) == (200, "1158201444")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    before = failures("facebook")
    refused = await client.get("/webhooks/facebook/app", params=query | {"hub.verify_token": "wrong"})
    assert refused.status_code == 403
    assert "1158201444" not in refused.text
    assert failures("facebook") == before + 1


async def test_a_platform_without_a_challenge_takes_no_get(client: httpx.AsyncClient, house: Services) -> None:
    await a_door(house, "line")
    answer = await client.get("/webhooks/line/app")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "OPTIONS", "HEAD"])
async def test_no_other_method_is_taken(client: httpx.AsyncClient, house: Services, method: str) -> None:
    await a_door(house)
    answer = await client.request(method, "/webhooks/facebook/app", content=BODY, headers=sign_facebook(BODY, SECRET))
    assert answer.status_code == 405
    assert await rows() == []


async def test_an_endpoint_that_was_deleted_is_not_found(client: httpx.AsyncClient, house: Services) -> None:
    await a_door(house)
    assert (await client.post("/webhooks/facebook/app", content=BODY, headers=sign_facebook(BODY, SECRET))).status_code == 200
    await database.execute("delete from inbox_event")
    await database.execute("delete from webhook_endpoint")
    answer = await client.post("/webhooks/facebook/app", content=BODY, headers=sign_facebook(BODY, SECRET))
    assert answer.status_code == 404
    assert await rows() == []
