"""The app's edge: ids, headers, limits, and errors that say nothing of the inside."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from api.app import Edge, create_app
from api.limits import BODY_BYTES, Limits, SingleFlight, within
from domain.bootstrap import Services, services
from domain.clock import FixedClock
from domain.db import DatabaseAway
from domain.errors import Unavailable
from domain.settings import Environment, load
from tests.serving import SECRET_KEY, raw, running


def house(environment: Environment = Environment.PRODUCTION) -> Services:
    return services(load(secret_key=SECRET_KEY, environment=environment, _env_file=None), clock=None)


@pytest.fixture
async def client(db: str, clock: FixedClock) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(house())
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://plusone") as client,
    ):
        yield client


async def test_an_answer_names_its_request(client: httpx.AsyncClient) -> None:
    given = await client.get("/health/live", headers={"x-request-id": "edge-0123.abc_DEF"})
    assert given.headers["x-request-id"] == "edge-0123.abc_DEF"
    made = [(await client.get("/health/live")).headers["x-request-id"] for _ in range(2)]
    assert [bool(re.fullmatch(r"[0-9a-f]{32}", one)) for one in made] == [True, True]
    assert made[0] != made[1]


@pytest.mark.parametrize("odd", ["short", "a b c d e f g h", "x" * 65, "<script>alert(1)</script>", 'line"}{"x":1'])
async def test_an_odd_request_id_is_replaced(client: httpx.AsyncClient, odd: str) -> None:
    answer = await client.get("/health/live", headers={"x-request-id": odd})
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["x-request-id"])


async def test_every_answer_carries_the_security_headers(client: httpx.AsyncClient) -> None:
    for path in ("/health/live", "/nowhere"):
        headers = (await client.get(path, headers={"origin": "https://evil.example"})).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["strict-transport-security"].startswith("max-age=31536000")
        assert not [name for name in headers if name.startswith("access-control-")]


async def test_development_does_not_pin_browsers_to_https(db: str) -> None:
    app = create_app(house(Environment.DEVELOPMENT))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://plusone") as client:
        assert "strict-transport-security" not in (await client.get("/health/live")).headers


async def test_a_refusal_has_one_shape(client: httpx.AsyncClient) -> None:
    missing = await client.get("/nowhere")
    assert missing.status_code == 404
    assert missing.json() == {"error": {"code": "NOT_FOUND", "requestId": missing.headers["x-request-id"]}}
    wrong = await client.post("/health/live")
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (405, "METHOD_NOT_ALLOWED")


class Failing:
    """An app that fails with what it is given."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raise self._error


def over(app: object) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://plusone")  # type: ignore[arg-type]


async def test_an_error_shows_nothing_of_the_inside(caplog: pytest.LogCaptureFixture) -> None:
    async with over(Edge(Failing(RuntimeError("0912-345-678 of 王小美")), production=True)) as client:
        answer = await client.get("/")
    assert answer.status_code == 500
    assert answer.json() == {"error": {"code": "INTERNAL", "requestId": answer.headers["x-request-id"]}}
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert [record.message for record in caplog.records if record.levelno == logging.ERROR] == ["request failed"]


@pytest.mark.parametrize("error", [DatabaseAway("x"), Unavailable(), ConnectionRefusedError(), TimeoutError()])
async def test_a_database_that_is_away_is_said_so(error: Exception) -> None:
    async with over(Edge(Failing(error), production=True)) as client:
        answer = await client.get("/")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json()["error"]["code"] == "UNAVAILABLE"


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    request = Request(scope, receive)
    await JSONResponse({"bytes": len(await request.body())})(scope, receive, send)


async def test_a_body_has_its_limit(db: str) -> None:
    async with over(Limits(echo)) as client:
        assert (await client.post("/graphql", content=b"x" * BODY_BYTES)).json() == {"bytes": BODY_BYTES}
        refused = await client.post("/graphql", content=b"x" * (BODY_BYTES + 1))
        assert (refused.status_code, refused.json()["error"]["code"]) == (413, "PAYLOAD_TOO_LARGE")
        assert (await client.post("/webhooks/line/x", content=b"x" * (BODY_BYTES + 1))).json() == {"bytes": BODY_BYTES + 1}


HEAD = b"POST /graphql HTTP/1.1\r\nHost: plusone\r\n"
STRANGE: dict[str, tuple[bytes, set[bytes]]] = {
    "too long by its own word": (HEAD + b"Content-Length: 100001\r\n\r\n", {b"413"}),
    "absurdly long": (HEAD + b"Content-Length: 99999999999999999999999\r\n\r\n", {b"413", b"400"}),
    "two lengths": (HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc", {b"400"}),
    "negative length": (HEAD + b"Content-Length: -1\r\n\r\n", {b"400"}),
    "length and chunks": (HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {b"400"}),
    "64 KB of headers": (HEAD + b"X-Long: " + b"x" * 65_536 + b"\r\nContent-Length: 0\r\n\r\n", {b"431", b"400"}),
    "long target": (b"GET /" + b"x" * 5_000 + b" HTTP/1.1\r\nHost: plusone\r\n\r\n", {b"414"}),
    "unknown method": (b"BREW / HTTP/1.1\r\nHost: plusone\r\n\r\n", {b"400", b"405"}),
    "method of others": (b"DELETE /graphql HTTP/1.1\r\nHost: plusone\r\nContent-Length: 0\r\n\r\n", {b"405"}),
    "no HTTP": (b"hello\r\n\r\n", {b"400"}),
    "dots": (b"GET /../../etc/passwd HTTP/1.1\r\nHost: plusone\r\nConnection: close\r\n\r\n", {b"404", b"400"}),
    "absolute target": (b"GET http://other.example/nowhere HTTP/1.1\r\nHost: plusone\r\nConnection: close\r\n\r\n", {b"404", b"400"}),
    "odd host": (b"GET /nowhere HTTP/1.1\r\nHost: <script>\r\nConnection: close\r\n\r\n", {b"404", b"400"}),
}


@pytest.fixture(scope="module")
async def base(database_dsn: str) -> AsyncIterator[str]:
    async with running(create_app(house())) as address:
        yield address


@pytest.mark.parametrize(("data", "statuses"), STRANGE.values(), ids=STRANGE.keys())
async def test_strange_http_is_refused(base: str, data: bytes, statuses: set[bytes]) -> None:
    answer = await raw(base, data)
    assert answer[:9] == b"HTTP/1.1 "
    assert answer[9:12] in statuses
    assert len(answer) < 1_000
    async with httpx.AsyncClient(base_url=base, trust_env=False) as client:
        assert (await client.get("/health/live")).status_code == 200


async def test_who_sends_slowly_is_not_waited_for() -> None:
    async with running(Limits(echo, body_seconds=0.2)) as base:
        answer = await raw(base, HEAD + b"Content-Length: 50\r\n\r\nabc")
        assert answer.startswith(b"HTTP/1.1 408 ")
    async with running(Limits(echo)) as base:
        quick = await raw(base, HEAD + b"Connection: close\r\nContent-Length: 6\r\n\r\nabc", then=b"def", pause=0.02)
        assert quick.endswith(b'{"bytes":6}')


async def test_who_goes_away_in_the_middle_hears_nothing_and_hurts_nobody() -> None:
    calls: list[str] = []

    async def counted(scope: Scope, receive: Receive, send: Send) -> None:
        calls.append(scope["path"])
        await echo(scope, receive, send)

    async with running(Limits(counted)) as base:
        host, port = base.removeprefix("http://").split(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(HEAD + b"Content-Length: 50\r\n\r\nabc")
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        async with httpx.AsyncClient(base_url=base, trust_env=False) as client:
            assert (await client.post("/later", content=b"ab")).json() == {"bytes": 2}
    assert calls == ["/later"]


async def test_who_asks_while_a_question_is_open_shares_its_answer() -> None:
    flight, gate, asked = SingleFlight(), asyncio.Event(), 0

    async def question() -> int:
        nonlocal asked
        asked += 1
        await gate.wait()
        return asked

    both = asyncio.gather(*(flight.ask("key", 5, question) for _ in range(10)))
    await asyncio.sleep(0)
    with pytest.raises(DatabaseAway):
        await flight.ask("key", 0.01, question)
    gate.set()
    assert await both == [1] * 10
    assert await flight.ask("key", 5, question) == 2


async def test_giving_up_leaves_the_work_alone() -> None:
    gate = asyncio.Event()
    work = asyncio.ensure_future(gate.wait())
    with pytest.raises(DatabaseAway):
        await within(0.01, work)
    assert not work.done()
    gate.set()
    assert await within(5, work) is True


async def test_of_a_path_the_log_tells_our_own_words_alone(client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    """Tickets to pay, upload and fetch with are in paths, and so is whatever somebody types."""
    asked = {
        "/pay/ticket77": "/pay/…", "/pay/ticket77/back": "/pay/…/back", "/slips/slip_77": "/slips/…", "/exports/export_77": "/exports/…", "/ticket77/pay": "/…/pay",
        "/uploads/slips/ticket77": "/uploads/slips/…", "/auth/sessions": "/auth/sessions", "/webhooks/nowhere/ticket77": "/webhooks/…/…", "/health/live": "/health/live",
    }  # fmt: skip
    with caplog.at_level("DEBUG", logger="api.app"):
        for path in asked:
            await client.get(path)
    assert [vars(record)["path"] for record in caplog.records if record.message == "request"] == list(asked.values())
