"""The short way through the GraphQL door: for an ordinary POST of JSON to /graphql, which is nearly every request of an app.

Like `api/deliveries.py` it stands before everything else and does the same in the same order: head within its limits, body read whole within its time,
the operation answered within its own, the same headers on the answer, the same line in the log. A head that is unusual (another method, a query
string, an encoding, a length that is missing or too large) goes on to the ordinary way as if it had not been here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send
from structlog.contextvars import STRUCTLOG_KEY_PREFIX

from api.deliveries import plain_head, refused
from api.execution.http import JSON, Written
from api.graphql_app import Endpoint
from api.limits import ANSWER, BODY_BYTES, BODY_SECONDS, Bodies, Disconnected, Refused
from api.whole import WHOLE, Whole

PATH: Final = "/graphql"
TYPES: Final = frozenset({JSON, f"{JSON}; charset=utf-8", f"{JSON};charset=utf-8"})
REQUEST_ID: Final[ContextVar[str]] = ContextVar(f"{STRUCTLOG_KEY_PREFIX}request_id")
"""As structlog binds it, which merges variables into a log's line by their names; without looking for the variable on each request."""


class Questions:
    """ASGI middleware, before the one that numbers requests. `stamps`: the headers that every answer carries."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        graphql: Endpoint,
        stamps: Sequence[tuple[bytes, bytes]],
        request_id: Callable[[str | None], str],
        answered: Callable[[Scope, int, float], None],
    ) -> None:
        self._app = app
        self._graphql = graphql
        self._stamps = stamps
        self._lines = b"".join([b"%b: %b\r\n" % pair for pair in stamps])
        self._request_id = request_id
        self._answered = answered
        self._bodies = Bodies(BODY_SECONDS, BODY_BYTES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != PATH or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        headers = plain_head(scope, BODY_BYTES)
        if headers is None or headers.get("content-type") not in TYPES:
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        try:
            body: bytes | None = await self._bodies.whole(receive)
        except Disconnected:
            body = None
        except (Refused, TimeoutError) as error:
            scope[ANSWER] = refused(error)
            await self._app(scope, receive, send)
            return
        request_id = self._request_id(headers.get("x-request-id"))
        token = REQUEST_ID.set(request_id)
        try:
            status = 0 if body is None else await self._answer(scope, body, headers, request_id, send)
            self._answered(scope, status, time.perf_counter() - started)
        finally:
            REQUEST_ID.reset(token)

    async def _answer(self, scope: Scope, body: bytes, headers: Mapping[str, str], request_id: str, send: Send) -> int:
        client = scope.get("client")
        response = await self._graphql.posted(body, headers, client[0] if client else "", request_id)
        whole: Whole | None = scope.get(WHOLE)
        if whole is not None and type(response) is Written:
            lines = b"%b%bx-request-id: %b\r\n" % (response.head, self._lines, request_id.encode("latin-1"))
            if whole(lines, bytes(response.body)):
                return 200
        head = [*response.raw_headers, *self._stamps, (b"x-request-id", request_id.encode("latin-1"))]
        await send({"type": "http.response.start", "status": response.status_code, "headers": head})
        await send({"type": "http.response.body", "body": response.body})
        return response.status_code
