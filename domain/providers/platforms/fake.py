"""Replies without a platform: a sender over HTTP, and a small server that takes what it sends.

`POST {base_url}/replies` with a JSON reply and `Idempotency-Key: reply_id` is the shape of every real send call behind which we shall
stand: at least once from here, at most once there.

Source: IETF draft "The Idempotency-Key HTTP Header Field"; RFC 9110, "10.2.3 Retry-After" (read 2026-11).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Generator, Mapping
from dataclasses import asdict
from types import TracebackType
from typing import Any, Self

import httpx
import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from domain.claims.ports import OutgoingReply, ReplyDelayed, ReplyRefused, SentReply
from domain.providers.platforms.text import clean

SEND_TIMEOUT_SECONDS = 5.0
DEFAULT_RETRY_AFTER_SECONDS = 5.0
MAX_RETRY_AFTER_SECONDS = 3_600.0
MAX_REASON_CHARS = 200
STOP_TIMEOUT_SECONDS = 5.0
BROKEN = (httpx.ReadError, httpx.WriteError, httpx.CloseError, httpx.RemoteProtocolError)
"""What a kept connection raises whose other end had just put it away: the same is sent once more, on another."""
TRY_AGAIN = frozenset({408, 425, 429})
"""The 4xx that say "not now"; every other one says "never"."""


class HttpReplySender:
    """Answers comments by POST to a server of replies. A client that is given stays its giver's; `aclose` closes only an own one."""

    def __init__(self, base_url: str, client: httpx.AsyncClient | None = None) -> None:
        self._client = client or httpx.AsyncClient(trust_env=False)
        self._owns_client = client is None
        self._url = f"{base_url.rstrip('/')}/replies"

    async def aclose(self) -> None:
        """Close the connections."""
        if self._owns_client:
            await self._client.aclose()

    async def send(self, reply: OutgoingReply) -> SentReply:
        """Send one reply; answers the receiver's id of it, and of who got it if it says so.

        Raises:
            ReplyRefused: the receiver will never take it (4xx).
            ReplyDelayed: throttled, away, or no answer in time; whether it arrived is then open, which the key makes harmless.
        """
        headers = {"Idempotency-Key": reply.reply_id, "Content-Type": "application/json"}
        content = orjson.dumps(clean(asdict(reply)))
        try:
            try:
                response = await self._client.post(self._url, content=content, headers=headers, timeout=SEND_TIMEOUT_SECONDS)
            except BROKEN:
                response = await self._client.post(self._url, content=content, headers=headers, timeout=SEND_TIMEOUT_SECONDS)
        except httpx.HTTPError as error:
            raise ReplyDelayed(type(error).__name__, DEFAULT_RETRY_AFTER_SECONDS) from error
        if response.is_success:
            answer = _answer_of(response)
            return SentReply(_text_of(answer, "id", "message_id") or reply.reply_id, _text_of(answer, "recipient_id"))
        reason = f"{response.status_code} {response.text}"[:MAX_REASON_CHARS]
        if response.is_client_error and response.status_code not in TRY_AGAIN:
            raise ReplyRefused(reason)
        raise ReplyDelayed(reason, _retry_after_seconds(response))


def _answer_of(response: httpx.Response) -> Mapping[str, Any]:
    try:
        answer = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _text_of(answer: Mapping[str, Any], *names: str) -> str:
    """The first of these that is a text. `recipient_id` and `message_id` are what Meta answers to a private reply."""
    return next((answer[name] for name in names if isinstance(answer.get(name), str)), "")


def _retry_after_seconds(response: httpx.Response) -> float:
    """Seconds of the header; its other form, a date, is not worth a clock here."""
    value = response.headers.get("retry-after", "")
    seconds = float(value) if value.isascii() and value.isdigit() else DEFAULT_RETRY_AFTER_SECONDS
    return min(seconds, MAX_RETRY_AFTER_SECONDS)


class _QuietServer(uvicorn.Server):
    """Leaves signals to the process that it runs in."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


class FakePlatformServer:
    """A platform's send call on 127.0.0.1: `async with FakePlatformServer() as server: server.url, server.replies`."""

    def __init__(self) -> None:
        self.replies: list[dict[str, Any]] = []
        """What arrived, once per idempotency key, in order of arrival."""
        self.recipients: dict[str, str] = {}
        """By the comment's author: who got a private reply, as the platform's messages know them."""
        self.attempts = 0
        """Every request, repeats and failures too."""
        self.url = ""
        self._keys: set[str] = set()
        self._failures: list[tuple[int, float | None, bool]] = []

    def fail_next(self, times: int, status: int, *, retry_after_seconds: float | None = None, take_first: bool = False) -> None:
        """Answer the next requests with this status; with `take_first` the reply counts although its sender hears of a failure."""
        self._failures.extend([(status, retry_after_seconds, take_first)] * times)

    async def __aenter__(self) -> Self:
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        app = Starlette(routes=[Route("/replies", self._receive, methods=["POST"])])
        config = uvicorn.Config(
            app, log_config=None, log_level="warning", access_log=False, lifespan="off", ws="none", timeout_graceful_shutdown=1
        )
        self._server = _QuietServer(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        while not self._server.started:
            if self._task.done():
                self._task.result()
            await asyncio.sleep(0.005)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.should_exit = True
        await asyncio.wait_for(self._task, STOP_TIMEOUT_SECONDS)
        self._socket.close()

    async def _receive(self, request: Request) -> Response:
        self.attempts += 1
        key = request.headers.get("idempotency-key", "")
        try:
            reply = orjson.loads(await request.body())
        except orjson.JSONDecodeError:
            reply = None
        if not key or not isinstance(reply, dict):
            return JSONResponse({"error": "a JSON reply with an Idempotency-Key, please"}, status_code=400)
        if self._failures:
            status, retry_after_seconds, take_first = self._failures.pop(0)
            if take_first:
                self._take(key, reply)
            headers = {} if retry_after_seconds is None else {"Retry-After": f"{retry_after_seconds:.0f}"}
            return JSONResponse({"error": "as told"}, status_code=status, headers=headers)
        self._take(key, reply)
        recipient = self.recipients.get(str(reply.get("author_id"))) if reply.get("kind") == "PRIVATE" else None
        return JSONResponse({"id": f"fake-{key}"} | ({} if recipient is None else {"recipient_id": recipient}))

    def _take(self, key: str, reply: dict[str, Any]) -> None:
        if key not in self._keys:
            self._keys.add(key)
            self.replies.append(reply)
