"""POST /webhooks/{source}/{channel}: verify the raw bytes, store the events, answer 200 after the COMMIT. GET answers a challenge.

Every answer comes within 2 s: 200 stored (or known already), 401 wrong signature, 404 no such endpoint, 413 and 415 by size and
encoding, 503 with Retry-After when nothing could be stored. A rightly signed body is never refused for what is in it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from api.limits import SingleFlight, refusal, unavailable
from domain.bootstrap import Services
from domain.claims.ports import EndpointSecret, Platform, RawEvent
from domain.db import AWAY
from domain.inbox.commands import InboxWriter
from domain.inbox.errors import Unstorable
from domain.inbox.metrics import refused_deliveries, signature_failures
from domain.providers.platforms.events import Refusals
from domain.shops.queries import Endpoint, endpoint_by_slug

log = logging.getLogger(__name__)

ANSWER_SECONDS: Final = 1.8
"""From the whole body to the answer."""
UNTIL: Final = "plusone.until"
"""Key of a scope: when the answer is due by the loop's clock, if some of the time has gone."""
LOOK_UP_SECONDS: Final = 0.9
ENDPOINT_FRESH_SECONDS: Final = 5.0
"""For so long a known endpoint is not asked for again; the room of the shops keeps it for 30 s on top."""
MAX_EVENTS: Final = 10_000
"""More events in one delivery than any platform sends; such a body is kept as one event that a person looks at."""


STORED: Final = b"{}"
"""Body of a 200."""


@dataclass(slots=True)
class Known:
    """An endpoint, what it takes to check and read its deliveries, and until when it need not be asked for again."""

    endpoint: Endpoint
    platform: Platform
    secret: EndpointSecret
    until: float


class Endpoints:
    """The endpoints of this process: asked once, kept for a while, and used beyond that as long as the database is away."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._known: dict[tuple[str, str], Known] = {}
        self._flight = SingleFlight()

    async def find(self, source: str, slug: str) -> Endpoint | None:
        """The endpoint, or None when there is none.

        Raises:
            AWAY: the database does not answer and this endpoint has not been seen.
        """
        fresh = self.fresh(source, slug)
        if fresh is not None:
            return fresh.endpoint
        key = (source, slug)
        known = self._known.get(key)
        now = asyncio.get_running_loop().time()
        try:
            found = await self._flight.ask(key, LOOK_UP_SECONDS, lambda: endpoint_by_slug(source, slug, self._services.vault))
        except AWAY:
            if known is None:
                raise
            return known.endpoint
        if found is None:
            self._known.pop(key, None)
        else:
            self._known[key] = Known(found, self._services.platforms[source], _secret(found), now + ENDPOINT_FRESH_SECONDS)
        return found

    def fresh(self, source: str, slug: str) -> Known | None:
        """The endpoint, if it was asked for a moment ago."""
        known = self._known.get((source, slug))
        return known if known is not None and asyncio.get_running_loop().time() < known.until else None

    def forget(self, source: str, slug: str) -> None:
        """Ask the database the next time."""
        self._known.pop((source, slug), None)


class WebhookDoor:
    """The ASGI endpoint behind `/webhooks/{source}/{channel}`."""

    def __init__(self, services: Services, inbox: InboxWriter) -> None:
        self._services = services
        self._inbox = inbox
        self.endpoints = Endpoints(services)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        source, slug = request.path_params["source"], request.path_params["channel"]
        platform = self._services.platforms.get(source)
        if platform is None:
            response = refusal(scope, 404, "NOT_FOUND")
        elif request.method not in ("GET", "POST"):
            response = refusal(scope, 405, "METHOD_NOT_ALLOWED", {"Allow": "GET, POST"})
        elif request.headers.get("content-encoding", "identity").lower() != "identity":
            response = refusal(scope, 415, "UNSUPPORTED_ENCODING")
        else:
            response = await self._in_time(request, platform, slug)
        await response(scope, receive, send)

    async def _in_time(self, request: Request, platform: Platform, slug: str) -> Response:
        """The answer, or 503 when the database keeps it waiting; all that is waited for can be given up at once."""
        try:
            async with asyncio.timeout_at(request.scope.get(UNTIL) or asyncio.get_running_loop().time() + ANSWER_SECONDS):
                endpoint = await self.endpoints.find(platform.name, slug)
                if endpoint is None:
                    return refusal(request.scope, 404, "NOT_FOUND")
                if request.method == "GET":
                    return _handshake(request, platform, endpoint)
                return await self._deliver(request, platform, slug, endpoint)
        except AWAY as error:
            return not_stored(request.scope, platform, error)

    async def _deliver(self, request: Request, platform: Platform, slug: str, endpoint: Endpoint) -> Response:
        body = await request.body()
        now = self._services.clock.now()
        if not platform.verify(headers_of(request), body, _secret(endpoint), now=now):
            signature_failures.labels(platform.name).inc()
            return refusal(request.scope, 401, "BAD_SIGNATURE")
        refusals = Refusals(platform.name, body)
        events: Sequence[RawEvent]
        try:
            events = platform.split(body, received_at=now)
        except Exception:
            log.exception("split failed", extra={"source": platform.name})
            events = [refusals.whole_body("the delivery could not be cut into events")]
        if len(events) > MAX_EVENTS:
            events = [refusals.whole_body(f"{len(events)} events in one delivery")]
        if not await self._stored(endpoint, events, now):
            event = refusals.whole_body("the database refuses its events")
            if not await self._stored(endpoint, [event], now):  # a few plain words: so the endpoint itself is gone
                self.endpoints.forget(platform.name, slug)
                return refusal(request.scope, 404, "NOT_FOUND")
        return Response(STORED, 200, media_type="application/json")

    async def _stored(self, endpoint: Endpoint, events: Sequence[RawEvent], now: datetime) -> bool:
        """False when the database refuses these rows for good."""
        try:
            await self._inbox.receive(endpoint.id, endpoint.source, events, received_at=now)
        except Unstorable as error:
            log.warning("delivery not storable", extra={"source": endpoint.source, "error": str(error)})
            return False
        return True


def headers_of(request: Request) -> dict[str, str]:
    """Headers by lower-case name; one that is given twice becomes "a, b", which no signature equals."""
    found: dict[str, str] = {}
    for name, value in request.headers.items():
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def not_stored(scope: Scope, platform: Platform, error: BaseException) -> Response:
    """503, counted and logged."""
    refused_deliveries.labels(platform.name).inc()
    log.warning("delivery not stored", extra={"source": platform.name, "error": type(error).__name__})
    return unavailable(scope)


def _secret(endpoint: Endpoint) -> EndpointSecret:
    return EndpointSecret(endpoint.secret, endpoint.verify_token, endpoint.destination)


def _handshake(request: Request, platform: Platform, endpoint: Endpoint) -> Response:
    answer = platform.handshake(dict(request.query_params), _secret(endpoint))
    if answer is None:
        return refusal(request.scope, 405, "METHOD_NOT_ALLOWED", {"Allow": "POST"})
    status, text = answer
    if status >= 400:
        signature_failures.labels(platform.name).inc()
    return PlainTextResponse(text, status)
