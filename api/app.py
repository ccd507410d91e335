"""The Starlette app: routes, lifespan, request ids, security headers, masked errors."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from os import urandom
from typing import Any, Final

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import health
from api.auth.authenticators import routes as authenticator_routes
from api.auth.exports import routes as export_routes
from api.auth.passkeys import routes as passkey_routes
from api.auth.receipt_keys import routes as receipt_key_routes
from api.auth.routes import routes as auth_routes
from api.deliveries import Deliveries
from api.graphql_app import Endpoint, graphql_app
from api.limits import WEBHOOKS, Limits, refusal, unavailable
from api.payments import routes as payment_routes
from api.questions import Questions
from api.sockets.limits import SocketLimits
from api.uploads import roomier
from api.uploads import routes as upload_routes
from api.webhooks import WebhookDoor
from domain.bootstrap import Services
from domain.db import AWAY
from domain.errors import Unavailable
from domain.inbox.commands import InboxWriter

log = logging.getLogger(__name__)

HEADERS: Final = {"x-content-type-options": "nosniff", "x-frame-options": "DENY", "referrer-policy": "no-referrer"}
HSTS: Final = {"strict-transport-security": "max-age=31536000; includeSubDomains"}
CODES: Final = {400: "BAD_REQUEST", 401: "UNAUTHENTICATED", 403: "FORBIDDEN", 404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_.-]{8,64}")


def create_app(services: Services, sockets: SocketLimits | None = None) -> Starlette:
    """The whole API for these services; the process's database pool is set up by the caller. `sockets`: other limits of web sockets."""
    inbox = InboxWriter()
    graphql = graphql_app(services, sockets)
    door = WebhookDoor(services, inbox)
    stamps = _stamps(production=not services.settings.is_development)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        inbox.start()
        graphql.start()
        try:
            yield
        finally:
            await graphql.stop()
            await inbox.stop()

    routes = _routes(services, door, graphql)
    answered = partial(_log_request, words=frozenset(part for route in routes for part in route.path.split("/") if "{" not in part))
    return App(
        doors=[
            Middleware(Deliveries, services=services, endpoints=door.endpoints, inbox=inbox, stamps=stamps, request_id=_named),
            Middleware(Questions, graphql=graphql, stamps=stamps, request_id=_named, answered=answered),
        ],
        routes=routes,
        middleware=[
            Middleware(Edge, production=not services.settings.is_development, answered=answered),
            Middleware(Limits, roomier=partial(roomier, services)),
        ],
        exception_handlers={HTTPException: _http_refusal},
        lifespan=lifespan,
    )


def _routes(services: Services, door: WebhookDoor, graphql: Endpoint) -> list[Route | WebSocketRoute]:
    """Every address, in the order in which they are looked through."""
    return [
        Route("/webhooks/{source}/{channel}", door),
        *health.routes(services),
        *auth_routes(services),
        *passkey_routes(services),
        *authenticator_routes(services),
        *receipt_key_routes(services),
        *export_routes(services),
        *upload_routes(services),
        *payment_routes(services),
        Route("/graphql", graphql),
        WebSocketRoute("/graphql", graphql),
    ]


def _http_refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return refusal(request.scope, error.status_code, CODES.get(error.status_code, "REFUSED"), error.headers)


class App(Starlette):
    """A Starlette app with doors before everything else, its own outermost middleware too: that wraps all that is sent, and does what the server does
    anyway when something is raised."""

    def __init__(self, *, doors: Sequence[Middleware], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._doors = doors

    def build_middleware_stack(self) -> ASGIApp:
        app = super().build_middleware_stack()
        for cls, args, kwargs in reversed(self._doors):
            app = cls(app, *args, **kwargs)
        return app


class Edge:
    """ASGI middleware, the outermost: a request id in scope, answer and logs; security headers; no error shows what happened inside."""

    def __init__(self, app: ASGIApp, *, production: bool, answered: Callable[[Scope, int, float], None] | None = None) -> None:
        self._app, self._answered = app, answered or _log_request
        self._headers = _stamps(production=production)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        started = time.perf_counter()
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                given = {name for name, _ in message["headers"]}
                ours = [pair for pair in self._headers if pair[0] not in given]
                message["headers"] = [*message["headers"], *ours, (b"x-request-id", request_id.encode("latin-1"))]
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, send_with_headers)
            except Exception as error:
                if scope["type"] != "http" or status:
                    raise
                await _masked(scope, error)(scope, receive, send_with_headers)
            self._answered(scope, status, time.perf_counter() - started)


def _stamps(*, production: bool) -> list[tuple[bytes, bytes]]:
    headers = HEADERS | (HSTS if production else {})
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]


def _request_id(scope: Scope) -> str:
    return _named(next((str(value, "latin-1") for name, value in scope["headers"] if name == b"x-request-id"), None))


def _named(given: str | None) -> str:
    """What the caller (a load balancer) calls this request if it looks like an id, else one of ours."""
    return given if given is not None and _REQUEST_ID.fullmatch(given) else urandom(16).hex()


def _masked(scope: Scope, error: Exception) -> Response:
    if isinstance(error, (*AWAY, Unavailable)):
        log.warning("database away", extra={"error": type(error).__name__})
        return unavailable(scope)
    log.error("request failed", exc_info=error)
    return refusal(scope, 500, "INTERNAL")


def _log_request(scope: Scope, status: int, seconds: float, *, words: frozenset[str] = frozenset()) -> None:
    """One line per request; deliveries come by the thousand and are counted instead, and probes are nobody's business.

    Of the path only `words` are told: the rest may be a ticket to pay, upload or fetch with, or whatever somebody typed.
    """
    if scope["type"] != "http":
        return
    path = scope["path"]
    quiet = path.startswith((WEBHOOKS, "/health/", "/metrics"))
    level = logging.WARNING if status >= 500 else logging.DEBUG if quiet else logging.INFO
    if log.isEnabledFor(level):
        told = path if path.startswith(WEBHOOKS) and status != 404 else "/".join(part if part in words else "…" for part in path.split("/"))
        log.log(level, "request", extra={"method": scope["method"], "path": told[:200], "status": status, "ms": round(seconds * 1000, 1)})
