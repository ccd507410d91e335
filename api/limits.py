"""What one request may cost, and how it is refused: sizes, time for the body, and waiting for the database.

Bodies are read here, whole, before anything else looks at them; so no handler ever waits for a slow sender.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Any, Final, TypeVar

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from domain.db import DatabaseAway, jsonb
from domain.inbox.patience import Patience

WEBHOOKS: Final = "/webhooks/"
WEBHOOK_BODY_BYTES: Final = 1_000_000
BODY_BYTES: Final = 100_000
"""GraphQL, sign-in and everything else."""
BODY_SECONDS: Final = 10.0
HEADER_BYTES: Final = 16_384
TARGET_BYTES: Final = 4_096
METHODS: Final = frozenset({"GET", "HEAD", "POST", "OPTIONS"})
RETRY_AFTER_SECONDS: Final = 5
TOO_SLOW: Final = "the body took too long"

ANSWER: Final = "plusone.answer"
"""Key of a scope under which a door before this one leaves what makes the answer, when nothing else is left to be done."""

T = TypeVar("T")


def request_id_of(scope: Scope) -> str:
    """The id that `api.app` gave this request; empty outside of it."""
    found = scope.get("state", {}).get("request_id", "")
    return found if isinstance(found, str) else ""


def refusal(scope: Scope, status: int, code: str, headers: Mapping[str, str] | None = None) -> Response:
    """`{"error": {"code", "requestId"}}` with this status."""
    body = jsonb({"error": {"code": code, "requestId": request_id_of(scope)}})
    return Response(body, status, headers, "application/json")


def unavailable(scope: Scope) -> Response:
    """503 with Retry-After: the database is away for the moment."""
    return refusal(scope, 503, "UNAVAILABLE", {"Retry-After": str(RETRY_AFTER_SECONDS)})


class Refused(Exception):
    """The request is answered with this status and code, and its connection closed."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code


class Disconnected(Exception):
    """The sender went away before its body was whole."""


class Limits:
    """ASGI middleware: the body is read whole within its limits, or the request is refused and its connection closed."""

    def __init__(
        self, app: ASGIApp, *, body_seconds: float = BODY_SECONDS, roomier: Callable[[Scope], tuple[int, float] | None] | None = None
    ) -> None:
        """`roomier`: bytes and seconds for requests that may send more than others, once it is sure that they may."""
        self._app = app
        self._body_seconds = body_seconds
        self._roomier = roomier

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer: Callable[[Scope], Response] | None = scope.get(ANSWER)
        if answer is not None:
            await answer(scope)(scope, receive, send)
            return
        try:
            limit, seconds = WEBHOOK_BODY_BYTES if scope["path"].startswith(WEBHOOKS) else BODY_BYTES, self._body_seconds
            if self._roomier is not None and (more := self._roomier(scope)) is not None:
                limit, seconds = more
            _check_head(scope, limit)
            async with asyncio.timeout(seconds):
                body = await read_body(receive, limit)
        except Refused as error:
            await refusal(scope, error.status, error.code, {"Connection": "close"})(scope, receive, send)
        except TimeoutError:
            await refusal(scope, 408, "REQUEST_TIMEOUT", {"Connection": "close"})(scope, receive, send)
        except Disconnected:
            return
        else:
            await self._app(scope, replay(body, receive), send)


def _check_head(scope: Scope, limit: int) -> None:
    if scope["method"] not in METHODS:
        raise Refused(405, "METHOD_NOT_ALLOWED")
    if len(scope.get("raw_path", b"")) + len(scope["query_string"]) > TARGET_BYTES:
        raise Refused(414, "URI_TOO_LONG")
    if sum(len(name) + len(value) for name, value in scope["headers"]) > HEADER_BYTES:
        raise Refused(431, "HEADERS_TOO_LARGE")
    lengths = [value for name, value in scope["headers"] if name == b"content-length"]
    if len(lengths) > 1 or (lengths and not lengths[0].isdigit()):
        raise Refused(400, "BAD_REQUEST")
    if lengths and (len(lengths[0]) > 12 or int(lengths[0]) > limit):
        raise Refused(413, "PAYLOAD_TOO_LARGE")


async def read_body(receive: Receive, limit: int) -> bytes:
    """The whole body.

    Raises:
        Refused: it is longer than the limit.
        Disconnected: the sender went away.
    """
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise Refused(413, "PAYLOAD_TOO_LARGE")
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


class Bodies:
    """Reads bodies of at most `longest` bytes within `seconds`: as `asyncio.timeout` around `read_body`, for less, since nearly all are here already."""

    def __init__(self, seconds: float, longest: int) -> None:
        self._longest = longest
        self._slow = Patience["asyncio.Task[Any]"](seconds, 0.5, lambda task: task.cancel(TOO_SLOW))

    async def whole(self, receive: Receive) -> bytes:
        """One body.

        Raises:
            TimeoutError: not whole in time.
            Refused, Disconnected: see `read_body`.
        """
        task: asyncio.Task[Any] = asyncio.current_task()  # type: ignore[assignment]
        self._slow.begin(task)
        try:
            return await read_body(receive, self._longest)
        except asyncio.CancelledError as error:
            if error.args == (TOO_SLOW,) and task.uncancel() == 0:
                raise TimeoutError from None
            raise
        finally:
            self._slow.end(task)


def replay(body: bytes, receive: Receive) -> Receive:
    """What gives a body that has been read once more, whole."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return messages.pop() if messages else await receive()

    return next_message


async def within(seconds: float, work: asyncio.Task[T]) -> T:
    """The result of a task that touches the database, or DatabaseAway once the time is over.

    The task is left alone then: cancelling a statement waits for the very server that does not answer. It ends by its own limits.

    Raises:
        DatabaseAway: not done in time.
    """
    done, _ = await asyncio.wait({work}, timeout=seconds)
    if not done:
        raise DatabaseAway("no answer in time")
    return work.result()


class SingleFlight:
    """One question at a time per key: who asks while it is being answered gets the same answer, and a hanging one hangs once."""

    def __init__(self) -> None:
        self._asking: dict[Hashable, asyncio.Task[Any]] = {}

    async def ask(self, key: Hashable, seconds: float, question: Callable[[], Awaitable[T]]) -> T:
        """The answer to a question.

        Raises:
            DatabaseAway: no answer within `seconds`.
        """
        task: asyncio.Task[T] | None = self._asking.get(key)
        if task is None:
            task = asyncio.ensure_future(_run(question))
            self._asking[key] = task
            task.add_done_callback(lambda done: self._forget(key, done))
        return await within(seconds, task)

    def _forget(self, key: Hashable, task: asyncio.Task[Any]) -> None:
        self._asking.pop(key, None)
        if not task.cancelled():
            task.exception()  # seen, so that nobody complains when all who asked have given up


async def _run(question: Callable[[], Awaitable[T]]) -> T:
    return await question()
