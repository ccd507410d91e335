"""What a rightly signed delivery may hold: anything up to a size is kept, whatever it is."""

from __future__ import annotations

import dataclasses
import gzip
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import httpx
import pytest

from api.app import create_app
from api.limits import WEBHOOK_BODY_BYTES
from api.webhooks import MAX_EVENTS
from domain import db as database
from domain.bootstrap import Services
from domain.claims.ports import EndpointSecret, RawEvent
from domain.providers.platforms.wire import facebook_wire, sign_facebook
from tests.api.doors import BODY, SECRET, a_door, rows
from tests.build import NOW
from tests.serving import raw, running


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
