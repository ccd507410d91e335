"""The short way through the door does what the long way does, and leaves to it whatever it does not do."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import UUID

import httpx
import pytest
from prometheus_client import REGISTRY
from starlette.types import Message, Scope

from api import deliveries
from api.app import create_app
from api.deliveries import Deliveries, plain_head
from api.limits import HEADER_BYTES, WEBHOOK_BODY_BYTES
from api.webhooks import Endpoints
from domain import db as database
from domain.bootstrap import Services, services
from domain.clock import FixedClock
from domain.db import DatabaseAway
from domain.inbox import commands
from domain.inbox.commands import InboxWriter
from domain.inbox.patience import Patience
from domain.providers.platforms.wire import facebook_wire, sign_facebook
from domain.settings import load
from domain.shops import queries as shops
from tests.build import NOW, an_endpoint
from tests.serving import SECRET_KEY, Passed, raw, running

SECRET = "sesame-opens-the-door"
PATH = "/webhooks/facebook/app"


def body_of(*numbers: int, **changed: Any) -> bytes:
    changes = [
        {
            "field": "feed",
            "value": {
                "item": "comment", "verb": "add", "comment_id": f"9_{n}", "post_id": "111_9", "from": {"id": "5", "name": "小美"},
                "message": "A1 +1", "created_time": int(NOW.timestamp()), **changed,
            },
        }
        for n in numbers
    ]  # fmt: skip
    return facebook_wire({"object": "page", "entry": [{"id": "111", "time": int(NOW.timestamp()), "changes": changes}]})


@pytest.fixture
def house(clock: FixedClock) -> Services:
    return services(load(secret_key=SECRET_KEY, _env_file=None), clock=clock)


@pytest.fixture
async def endpoint(db: str, house: Services) -> UUID:
    shops.forget()
    return await an_endpoint(source="facebook", slug="app", secret_encrypted=house.vault.seal(SECRET))


@pytest.fixture
async def passed(endpoint: UUID, house: Services, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[httpx.AsyncClient, Passed]]:
    """A client of the whole app that has delivered once, and what stands behind its short way."""
    behind: list[Passed] = []
    begin = Deliveries.__init__

    def counted(self: Deliveries, app: Any, **parts: Any) -> None:
        behind.append(Passed(app))
        begin(self, behind[0], **parts)

    monkeypatch.setattr(Deliveries, "__init__", counted)
    app = create_app(house)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://plusone") as client,
    ):
        first = body_of(0)
        assert (await client.post(PATH, content=first, headers=sign_facebook(first, SECRET))).status_code == 200
        assert behind[0].calls == 1
        yield client, behind[0]


async def keys() -> list[str]:
    return [row["external_key"] for row in await database.fetch("select external_key from inbox_event order by id")]


async def deliver(client: httpx.AsyncClient, body: bytes, headers: Mapping[str, str] | None = None) -> httpx.Response:
    return await client.post(PATH, content=body, headers={**sign_facebook(body, SECRET), **(headers or {})})


async def test_both_ways_answer_with_the_same_headers(passed: tuple[httpx.AsyncClient, Passed], endpoint: UUID) -> None:
    client, behind = passed
    short = await deliver(client, body_of(1), {"x-request-id": "edge-0123.abc"})
    assert behind.calls == 1
    long = await deliver(client, body_of(2), {"x-request-id": "edge-0123.abc", "transfer-encoding": "identity"})
    assert behind.calls == 2
    assert (short.status_code, short.content) == (long.status_code, long.content) == (200, b"{}")
    assert dict(short.headers) == dict(long.headers)
    assert short.headers["x-request-id"] == "edge-0123.abc"
    named = [(await deliver(client, body_of(1), given)).headers["x-request-id"] for given in ({}, {"x-request-id": "<odd>"})]
    assert [len(one) for one in named] == [32, 32]
    assert await keys() == ["111:9_0", "111:9_1", "111:9_2"]


async def test_the_short_way_stores_what_the_long_one_stores(passed: tuple[httpx.AsyncClient, Passed], endpoint: UUID) -> None:
    client, behind = passed
    body = body_of(1, 2) + b"\n"
    assert (await deliver(client, body)).status_code == 200
    assert (await deliver(client, body)).status_code == 200
    assert behind.calls == 1
    columns = "endpoint_id, source, external_key, lane, occurred_at, payload, state, outcome, tries, received_at, decided_at, parked_reason"
    short = [tuple(row) for row in await database.fetch(f"select {columns} from inbox_event where external_key <> '111:9_0' order by id")]
    await database.execute("delete from inbox_event")
    assert (await deliver(client, body, {"transfer-encoding": "identity"})).status_code == 200
    assert behind.calls == 2
    assert [tuple(row) for row in await database.fetch(f"select {columns} from inbox_event order by id")] == short
    assert len(short) == 2


async def test_a_wrong_signature_goes_on_and_is_counted_once(passed: tuple[httpx.AsyncClient, Passed], endpoint: UUID) -> None:
    client, behind = passed
    before = REGISTRY.get_sample_value("plusone_webhook_signature_failures_total", {"source": "facebook"}) or 0.0
    body = body_of(1)
    answer = await client.post(PATH, content=body, headers=sign_facebook(body, "other"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "BAD_SIGNATURE")
    assert answer.headers["x-request-id"] == answer.json()["error"]["requestId"]
    assert REGISTRY.get_sample_value("plusone_webhook_signature_failures_total", {"source": "facebook"}) == before + 1
    assert behind.calls == 2
    assert await keys() == ["111:9_0"]


async def test_nothing_is_read_before_it_is_verified(passed: tuple[httpx.AsyncClient, Passed], house: Services) -> None:
    client, _ = passed
    read: list[bytes] = []
    facebook = type(house.platforms["facebook"])
    split = facebook.split
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(facebook, "split", lambda self, body, **more: read.append(body) or split(self, body, **more))
        body = body_of(1)
        assert (await client.post(PATH, content=body, headers=sign_facebook(body, "other"))).status_code == 401
        assert read == []
        assert (await deliver(client, body)).status_code == 200
        assert read == [body]


async def test_a_database_that_is_away_is_503_counted_and_tried_once(
    passed: tuple[httpx.AsyncClient, Passed], endpoint: UUID, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    client, behind = passed
    tries: list[int] = []

    async def away(rows: Any) -> None:
        tries.append(len(rows))
        raise DatabaseAway("x")

    monkeypatch.setattr(commands, "_insert", away)
    before = REGISTRY.get_sample_value("plusone_webhook_unavailable_total", {"source": "facebook"}) or 0.0
    with caplog.at_level(logging.WARNING):
        answer = await deliver(client, body_of(1, 2, 3))
    assert (answer.status_code, answer.headers["retry-after"], answer.json()["error"]["code"]) == (503, "5", "UNAVAILABLE")
    assert answer.json()["error"]["requestId"] == answer.headers["x-request-id"]
    assert REGISTRY.get_sample_value("plusone_webhook_unavailable_total", {"source": "facebook"}) == before + 1
    assert (tries, behind.calls) == ([3], 2)
    assert "delivery not stored" in [record.message for record in caplog.records]


async def test_who_waits_too_long_for_the_database_hears_503(
    passed: tuple[httpx.AsyncClient, Passed], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, _ = passed
    stuck = asyncio.Event()

    async def hanging(rows: Any) -> None:
        await stuck.wait()

    monkeypatch.setattr(commands, "_insert", hanging)
    look = Patience._look

    def soon(self: Patience[Any]) -> None:
        self._seconds = 0.2
        look(self)

    monkeypatch.setattr(Patience, "_look", soon)
    try:
        async with asyncio.timeout(20):
            answers = await asyncio.gather(*(deliver(client, body_of(n)) for n in range(1, 9)))
        assert [answer.status_code for answer in answers] == [503] * 8
    finally:
        stuck.set()


async def test_an_endpoint_that_has_gone_is_left_to_the_long_way(passed: tuple[httpx.AsyncClient, Passed], endpoint: UUID) -> None:
    client, behind = passed
    await database.execute("delete from inbox_event")
    await database.execute("delete from webhook_endpoint")
    assert (await deliver(client, body_of(1))).status_code == 404
    assert behind.calls == 2


async def test_a_body_that_is_late_or_too_long_is_refused(endpoint: UUID, house: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    async def a_first_one(base: str) -> None:
        async with httpx.AsyncClient(base_url=base, trust_env=False) as client:
            assert (await deliver(client, body_of(0))).status_code == 200

    async with running(create_app(house)) as base:
        await a_first_one(base)
        body = body_of(1)
        signed = "".join(f"{name}: {value}\r\n" for name, value in sign_facebook(body, SECRET).items()).encode()
        head = b"POST %s HTTP/1.1\r\nHost: plusone\r\n%sContent-Length: %d\r\n\r\n" % (PATH.encode(), signed, len(body))
        quick = await raw(base, head.replace(b"Host:", b"Connection: close\r\nHost:") + body[:20], then=body[20:], pause=0.05)
        assert quick.startswith(b"HTTP/1.1 200 ")
        beyond = head.replace(b"Content-Length: %d" % len(body), b"Content-Length: %d" % (WEBHOOK_BODY_BYTES + 1))
        assert (await raw(base, beyond)).startswith(b"HTTP/1.1 413 ")
    monkeypatch.setattr(deliveries, "BODY_SECONDS", 0.5)
    async with running(create_app(house)) as base:
        await a_first_one(base)
        slow = await raw(base, head + body[:20])
        assert slow.startswith(b"HTTP/1.1 408 ")
        assert b"connection: close" in slow.lower()
    assert await keys() == ["111:9_0", "111:9_1"]


async def test_who_goes_away_in_the_middle_leaves_nothing(endpoint: UUID, house: Services) -> None:
    app = create_app(house)
    sent: list[Message] = []

    async def gone() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    async with app.router.lifespan_context(app):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://plusone") as client:
            assert (await deliver(client, body_of(0))).status_code == 200
        scope: Scope = {
            "type": "http", "method": "POST", "path": PATH, "raw_path": PATH.encode(), "query_string": b"",
            "headers": [(b"content-length", b"100")], "state": {},
        }  # fmt: skip
        await app(scope, gone, send)
    assert sent == []
    assert await keys() == ["111:9_0"]


HEAD = [(b"host", b"plusone"), (b"content-length", b"10"), (b"x-hub-signature-256", b"sha256=ab")]
ODD_HEADS = {
    "no length": HEAD[:1],
    "two lengths": [*HEAD, (b"content-length", b"10")],
    "two signatures": [*HEAD, HEAD[2]],
    "a length that is none": [*HEAD[:1], (b"content-length", b"-1")],
    "a length beyond ASCII": [*HEAD[:1], (b"content-length", "²".encode("latin-1"))],
    "a length beyond the limit": [*HEAD[:1], (b"content-length", b"%d" % (WEBHOOK_BODY_BYTES + 1))],
    "a length beyond numbers": [*HEAD[:1], (b"content-length", b"9" * 5_000)],
    "packed": [*HEAD, (b"content-encoding", b"gzip")],
    "chunked": [*HEAD, (b"transfer-encoding", b"chunked")],
    "asks first": [*HEAD, (b"expect", b"100-continue")],
    "too much": [*HEAD, (b"x-more", b"x" * HEADER_BYTES)],
}


@pytest.mark.parametrize("headers", ODD_HEADS.values(), ids=ODD_HEADS.keys())
def test_an_odd_head_goes_the_long_way(headers: list[tuple[bytes, bytes]]) -> None:
    assert plain_head({"headers": HEAD, "query_string": b""}) == {
        "host": "plusone",
        "content-length": "10",
        "x-hub-signature-256": "sha256=ab",
    }
    assert plain_head({"headers": HEAD, "query_string": b"a=1"}) is None
    assert plain_head({"headers": headers, "query_string": b""}) is None


async def test_an_endpoint_is_known_only_for_a_moment(endpoint: UUID, house: Services) -> None:
    endpoints = Endpoints(house)
    assert endpoints.fresh("facebook", "app") is None
    assert await endpoints.find("facebook", "app") is not None
    known = endpoints.fresh("facebook", "app")
    assert known is not None
    assert (known.endpoint.id, known.secret.secret) == (endpoint, SECRET)
    known.until = 0.0
    assert endpoints.fresh("facebook", "app") is None


class Pauses:
    """asyncio, whose clock stands, and whose pauses last until the test ends them."""

    def __init__(self) -> None:
        self.at = 1_000.0
        self.seconds: list[float] = []
        self._begun, self._over = asyncio.Semaphore(0), asyncio.Semaphore(0)

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    def get_running_loop(self) -> Any:
        return self

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.get_running_loop().create_future()

    def time(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self._begun.release()
        await self._over.acquire()
        self.at += seconds

    async def begun(self) -> float:
        """How long the next pause is to last."""
        async with asyncio.timeout(60):
            await self._begun.acquire()
        return self.seconds[-1]

    def end(self) -> None:
        self._over.release()


async def test_commits_grow_with_the_load_and_a_lone_delivery_waits_for_none(
    endpoint: UUID, house: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[int] = []

    async def counted(rows: Any) -> None:
        batches.append(len(rows))

    pauses = Pauses()
    monkeypatch.setattr(commands, "_insert", counted)
    monkeypatch.setattr(commands, "asyncio", pauses)
    inbox = InboxWriter()
    inbox.start()
    events = house.platforms["facebook"].split(body_of(1), received_at=NOW)

    def come(number: int) -> list[asyncio.Task[None]]:
        return [asyncio.create_task(inbox.receive(endpoint, "facebook", events, received_at=NOW)) for _ in range(number)]

    for number in (1, 5):  # nothing is known of the load; the second time it is much, and known from then on
        tasks = come(number)
        assert await pauses.begun() == commands.LINGER_SECONDS
        pauses.end()
        await asyncio.gather(*tasks)
    tasks = come(5)
    assert await pauses.begun() == commands.WINDOW_SECONDS
    tasks += come(5)
    await asyncio.sleep(0)  # they are in
    pauses.end()
    await asyncio.gather(*tasks)
    assert batches == [1, 5, 10]
    tasks = come(500)
    assert await pauses.begun() == commands.WINDOW_SECONDS
    pauses.end()
    await asyncio.gather(*tasks)
    tasks = come(1)  # so much comes in that a commit has enough of it soon
    assert await pauses.begun() < commands.WINDOW_SECONDS / 4
    pauses.end()
    await asyncio.gather(*tasks)
    pauses.at += commands.CALM_SECONDS + 0.05
    tasks = come(1)
    assert await pauses.begun() == commands.LINGER_SECONDS
    pauses.end()
    await asyncio.gather(*tasks)
    assert inbox._rate < 100
    assert batches == [1, 5, 10, 500, 1, 1]
    await inbox.stop()
