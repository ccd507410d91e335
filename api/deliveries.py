"""The short way through the webhook door: for an ordinary delivery to an endpoint that was asked for a moment ago.

It stands before everything else and does the same in the same order: head within its limits, body read whole within its time, signature over
the raw bytes, events cut, stored, 200 after the COMMIT, the same headers on the answer. Whatever is unusual (another method, an unknown
endpoint, an odd head, a wrong signature, rows that are refused) goes on to the ordinary way as if it had not been here, which alone refuses.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api.limits import ANSWER, BODY_SECONDS, HEADER_BYTES, WEBHOOK_BODY_BYTES, WEBHOOKS, Bodies, Disconnected, Refused, refusal, replay
from api.webhooks import ANSWER_SECONDS, MAX_EVENTS, STORED, UNTIL, Endpoints, Known, not_stored
from domain.bootstrap import Services
from domain.claims.ports import Platform, RawEvent
from domain.db import AWAY
from domain.inbox.commands import InboxWriter
from domain.inbox.errors import Unstorable

log = logging.getLogger(__name__)

UNUSUAL: Final = frozenset({"transfer-encoding", "content-encoding", "expect"})
"""Heads with one of these go the ordinary way."""


class Deliveries:
    """ASGI middleware, before the one that numbers requests. `stamps`: the headers that every answer carries."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        services: Services,
        endpoints: Endpoints,
        inbox: InboxWriter,
        stamps: Sequence[tuple[bytes, bytes]],
        request_id: Callable[[str | None], str],
    ) -> None:
        self._app = app
        self._services = services
        self._endpoints = endpoints
        self._inbox = inbox
        self._request_id = request_id
        self._bodies = Bodies(BODY_SECONDS, WEBHOOK_BODY_BYTES)
        self._headers = [(b"content-length", b"%d" % len(STORED)), (b"content-type", b"application/json"), *stamps]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].startswith(WEBHOOKS):
            await self._app(scope, receive, send)
            return
        known, headers = self._known(scope["path"]), plain_head(scope)
        if known is None or headers is None:
            await self._app(scope, receive, send)
            return
        try:
            body = await self._bodies.whole(receive)
        except Disconnected:
            return
        except (Refused, TimeoutError) as error:
            scope[ANSWER] = refused(error)
            await self._app(scope, receive, send)
            return
        if await self._stored(scope, known, headers, body):
            await self._acknowledge(headers, send)
        else:
            await self._app(scope, replay(body, receive), send)

    def _known(self, path: str) -> Known | None:
        parts = path.split("/")
        return self._endpoints.fresh(parts[2], parts[3]) if len(parts) == 4 else None

    async def _stored(self, scope: Scope, known: Known, headers: dict[str, str], body: bytes) -> bool:
        """Whether the delivery is stored now; if not, the ordinary way says what is wrong with it."""
        endpoint, platform, now = known.endpoint, known.platform, self._services.clock.now()
        if not platform.verify(headers, body, known.secret, now=now):
            return False
        events = _events(platform, body, now)
        if events is None:
            return False
        scope[UNTIL] = asyncio.get_running_loop().time() + ANSWER_SECONDS
        try:
            await self._inbox.receive(endpoint.id, endpoint.source, events, received_at=now)
        except Unstorable:
            return False
        except AWAY as error:
            scope[ANSWER] = _away(platform, error)
            return False
        return True

    async def _acknowledge(self, headers: Mapping[str, str], send: Send) -> None:
        request_id = self._request_id(headers.get("x-request-id")).encode("latin-1")
        await send({"type": "http.response.start", "status": 200, "headers": [*self._headers, (b"x-request-id", request_id)]})
        await send({"type": "http.response.body", "body": STORED})


def plain_head(scope: Scope, longest: int = WEBHOOK_BODY_BYTES) -> dict[str, str] | None:
    """Headers by their names, when each is there once, all are within the limits, and the body has a length (of at most `longest` bytes) and no
    other coat."""
    headers, size = {}, 0
    for name, value in scope["headers"]:
        headers[str(name, "latin-1")] = str(value, "latin-1")
        size += len(name) + len(value)
    length = headers.get("content-length", "")
    within = size <= HEADER_BYTES and len(headers) == len(scope["headers"]) and not scope["query_string"]
    if not within or not UNUSUAL.isdisjoint(headers) or not (length.isascii() and length.isdigit() and len(length) <= 12):
        return None
    return headers if int(length) <= longest else None


def _events(platform: Platform, body: bytes, now: datetime) -> list[RawEvent] | None:
    try:
        events = platform.split(body, received_at=now)
    except Exception as error:
        log.debug("the ordinary way tells", extra={"error": type(error).__name__})
        return None
    return events if len(events) <= MAX_EVENTS else None


def refused(error: Refused | TimeoutError) -> Callable[[Scope], Response]:
    """What makes the answer to a body that was not read whole, for ANSWER."""
    status, code = (error.status, error.code) if isinstance(error, Refused) else (408, "REQUEST_TIMEOUT")
    return lambda scope: refusal(scope, status, code, {"Connection": "close"})


def _away(platform: Platform, error: BaseException) -> Callable[[Scope], Response]:
    return lambda scope: not_stored(scope, platform, error)
