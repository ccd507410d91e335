"""The webhook door: what is rightly signed is stored before it is acknowledged, and nothing else leaves a trace."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from prometheus_client import REGISTRY

from api.app import create_app
from api.limits import WEBHOOK_BODY_BYTES
from api.webhooks import MAX_EVENTS
from domain import db as database
from domain.bootstrap import Services, services
from domain.claims.ports import EndpointSecret, RawEvent
from domain.clock import FixedClock
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
from domain.settings import load
from domain.shops import queries as shops
from tests.build import NOW, an_endpoint
from tests.serving import SECRET_KEY, raw, running

SECRET = "sesame-opens-the-door"
TOKEN = "a-verify-token"
FIXTURES = Path(__file__).parent.parent / "fixtures"
COMMENT = {
    "object": "page",
    "entry": [
        {
            "id": "111",
            "time": 1_795_248_000,
            "changes": [
                {
                    "field": "feed",
                    "value": {
                        "item": "comment", "verb": "add", "comment_id": "9_1", "post_id": "111_9", "from": {"id": "5", "name": "小美"},
                        "message": "A1 +1", "created_time": 1_795_248_000,
                    },
                }
            ],
        }
    ],
}  # fmt: skip
BODY = facebook_wire(COMMENT)


@pytest.fixture
def house(clock: FixedClock) -> Services:
    return services(load(secret_key=SECRET_KEY, _env_file=None), clock=clock)


async def a_door(house: Services, source: str = "facebook", slug: str = "app") -> UUID:
    """An endpoint whose secrets the door can open."""
    shops.forget()
    return await an_endpoint(
        source=source,
        slug=slug,
        secret_encrypted=house.vault.seal(SECRET),
        verify_token_encrypted=house.vault.seal(TOKEN),
    )


@pytest.fixture
async def client(db: str, house: Services) -> AsyncIterator[httpx.AsyncClient]:
    shops.forget()
    app = create_app(house)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://plusone") as client,
    ):
        yield client


async def rows() -> list[tuple[str, str, str]]:
    found = await database.fetch("select source, external_key, state from inbox_event order by id")
    return [tuple(row) for row in found]


def failures(source: str) -> float:
    return REGISTRY.get_sample_value("plusone_webhook_signature_failures_total", {"source": source}) or 0.0


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


async def test_a_packed_body_is_not_unpacked(client: httpx.AsyncClient, house: Services) -> None:
    await a_door(house)
    packed = gzip.compress(BODY)
    answer = await client.post(
        "/webhooks/facebook/app", content=packed, headers=sign_facebook(packed, SECRET) | {"content-encoding": "gzip"}
    )
    assert answer.status_code == 415
    assert await rows() == []


ODD: dict[str, bytes] = {
    "empty": b"",
    "blank": b"  \n",
    "not JSON": b"hello",
    "cut": BODY[:-5],
    "NaN": b"NaN",
    "1e999": b'{"object":"page","entry":1e999}',
    "5,000 digits": b'{"object":"page","entry":' + b"9" * 5_000 + b"}",
    "100,000 deep": b"[" * 100_000,
    "deep object": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "byte order mark": b"\xef\xbb\xbf" + BODY,
    "UTF-16": BODY.decode().encode("utf-16"),
    "bad UTF-8": BODY.replace(b"+1", b"\xff\xfe"),
    "NUL": BODY.replace(b"A1", b"\\u0000"),
    "lone surrogate": BODY.replace(b"A1", b"\\ud800"),
    "duplicate keys": BODY.replace(b'"object"', b'"object":"x","object"'),
    "null": b"null",
    "number": b"17",
    "text": b'"text"',
    "list": b"[1,2]",
    "list of lists": b"[[[]]]",
    "entry is text": b'{"object":"page","entry":"x"}',
    "entry of nulls": b'{"object":"page","entry":[null,null]}',
    "unknown object": b'{"object":"permissions","entry":[{"id":"1","changes":[{"field":"?","value":1}]}]}',
}


@pytest.mark.parametrize("body", ODD.values(), ids=ODD.keys())
async def test_an_odd_body_with_a_right_signature_is_kept(client: httpx.AsyncClient, house: Services, body: bytes) -> None:
    await a_door(house)
    answer = await client.post("/webhooks/facebook/app", content=body, headers=sign_facebook(body, SECRET))
    assert (answer.status_code, answer.content) == (200, b"{}")
    events = house.platforms["facebook"].split(body, received_at=NOW)
    assert [row[1] for row in await rows()] == list(dict.fromkeys(event.external_key for event in events))
    following = await client.post("/webhooks/facebook/app", content=BODY, headers=sign_facebook(BODY, SECRET))
    assert following.status_code == 200


async def test_one_strange_change_does_not_cost_the_good_ones(client: httpx.AsyncClient, house: Services) -> None:
    await a_door(house)
    mixed = json.loads(BODY)
    good = mixed["entry"][0]["changes"][0]
    mixed["entry"][0]["changes"] = [{"field": "unheard_of", "value": {"x": 1}}, None, good, "?"]
    body = facebook_wire(mixed)
    assert (await client.post("/webhooks/facebook/app", content=body, headers=sign_facebook(body, SECRET))).status_code == 200
    key = house.platforms["facebook"].split(BODY, received_at=NOW)[0].external_key
    keys = [row[1] for row in await rows()]
    assert len(keys) == 4
    assert keys.count(key) == 1


class Clumsy:
    """A platform that trips over what it was sent: the worst that a new kind of event could do to a real one."""

    name = "facebook"

    def __init__(self, events: list[RawEvent] | None) -> None:
        self._events = events

    def handshake(self, query: Mapping[str, str], secret: EndpointSecret) -> tuple[int, str] | None:
        return None

    def verify(self, headers: Mapping[str, str], body: bytes, secret: EndpointSecret, *, now: datetime) -> bool:
        return secret.secret == SECRET

    def split(self, body: bytes, *, received_at: datetime) -> list[RawEvent]:
        if self._events is None:
            raise KeyError("entry")
        return self._events

    def parse(self, payload: Mapping[str, Any]) -> Any:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        (None, "the delivery could not be cut into events"),
        ([RawEvent("k" * 201, "lane", None, {})], "the database refuses its events"),
        ([RawEvent("k", "lane", None, {"text": "\ud800"})], "the database refuses its events"),
        ([RawEvent("k", "lane", None, {})] * (MAX_EVENTS + 1), f"{MAX_EVENTS + 1} events in one delivery"),
    ],
    ids=["split fails", "key too long", "lone surrogate", "too many"],
)
async def test_what_cannot_be_stored_as_events_is_kept_as_a_whole(
    db: str, house: Services, events: list[RawEvent] | None, reason: str
) -> None:
    await a_door(house)
    app = create_app(dataclasses.replace(house, platforms={"facebook": Clumsy(events)}))
    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://plusone") as client:
        answer = await client.post("/webhooks/facebook/app", content=b'{"what":"ever"}')
        again = await client.post("/webhooks/facebook/app", content=b'{"what":"ever"}')
    assert [answer.status_code, again.status_code] == [200, 200]
    payloads = await database.fetch("select payload from inbox_event")
    assert [database.from_jsonb(row["payload"]) for row in payloads] == [
        {"unreadable": reason, "body_start": '{"what":"ever"}', "body_bytes": 15}
    ]


async def test_an_endpoint_that_was_deleted_is_not_found(client: httpx.AsyncClient, house: Services) -> None:
    await a_door(house)
    assert (await client.post("/webhooks/facebook/app", content=BODY, headers=sign_facebook(BODY, SECRET))).status_code == 200
    await database.execute("delete from inbox_event")
    await database.execute("delete from webhook_endpoint")
    answer = await client.post("/webhooks/facebook/app", content=BODY, headers=sign_facebook(BODY, SECRET))
    assert answer.status_code == 404
    assert await rows() == []


async def test_the_largest_body_is_taken_and_one_byte_more_is_not(client: httpx.AsyncClient, house: Services) -> None:
    await a_door(house)
    for size, status in ((WEBHOOK_BODY_BYTES, 200), (WEBHOOK_BODY_BYTES + 1, 413)):
        body = BODY + b" " * (size - len(BODY))
        answer = await client.post("/webhooks/facebook/app", content=body, headers=sign_facebook(body, SECRET))
        assert answer.status_code == status
        assert len(await rows()) == 1


async def test_a_body_without_a_length_is_cut_at_the_limit(db: str, house: Services) -> None:
    await a_door(house)
    chunk = b"%x\r\n%s\r\n" % (250_000, b" " * 250_000)
    head = b"POST /webhooks/facebook/app HTTP/1.1\r\nHost: plusone\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with running(create_app(house)) as base:
        answer = await raw(base, head + chunk * 4, then=chunk, pause=0.05)
    assert answer.split(b"\r\n")[0] in (b"HTTP/1.1 413 Request Entity Too Large", b"HTTP/1.1 413 Content Too Large")
    assert await rows() == []
