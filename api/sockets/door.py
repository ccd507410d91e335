"""Where web sockets come in: the right page, the right protocol, then a connection."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from api.live import Hub, Together
from api.resolvers.live import LiveContext
from api.sockets import ABORT
from api.sockets.closing import Closing
from api.sockets.connection import Connection
from api.sockets.limits import SocketLimits
from api.sockets.operations import Subscriptions
from api.sockets.registry import Registry
from domain.bootstrap import Services
from domain.ids import new_id

PROTOCOL: Final = "graphql-transport-ws"


class Door:
    """The ASGI application of web sockets at `/graphql`."""

    def __init__(
        self, services: Services, subscriptions: Subscriptions, limits: SocketLimits | None = None, hub: Hub | None = None
    ) -> None:
        self._services = services
        self._subscriptions = subscriptions
        self._limits = limits or SocketLimits()
        self._hub = hub or Hub()
        self._together = Together(self._hub)
        self._registry = Registry(self._hub, services.clock, self._limits)
        self._unknown: set[object] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        socket = WebSocket(scope, receive, send)
        if not self._from_our_page(socket) or len(self._unknown) >= self._limits.unknown:
            await socket.close(1008)  # before accepting: 403
            return
        self._unknown.add(socket)
        try:
            await self._serve(socket, scope)
        except WebSocketDisconnect:
            return
        finally:
            self._unknown.discard(socket)

    async def _serve(self, socket: WebSocket, scope: Scope) -> None:
        spoken = PROTOCOL in scope.get("subprotocols", ())
        await socket.accept(PROTOCOL if spoken else None)
        if not spoken:
            await socket.close(int(Closing.WRONG_PROTOCOL), f"speak {PROTOCOL}")
            return
        request_id = scope.get("state", {}).get("request_id", "") or str(new_id())
        context = LiveContext(
            self._services, None, request_id, socket.client.host if socket.client else "",
            accept_language=socket.headers.get("accept-language", ""), hub=self._hub, together=self._together,
        )  # fmt: skip
        abort = scope.get("state", {}).get(ABORT, lambda: None)

        def known() -> None:
            self._unknown.discard(socket)

        await Connection(socket, self._subscriptions, self._registry, self._limits, context, abort, known).run()

    def _from_our_page(self, socket: WebSocket) -> bool:
        """Browsers say which page asks: ours, or none. Apps say nothing."""
        origin = socket.headers.get("origin")
        if origin is None or self._services.settings.is_development:
            return True
        ours = urlsplit(self._services.settings.public_url)
        page = urlsplit(origin)
        return (page.scheme, page.netloc) == (ours.scheme, ours.netloc)

    async def stop(self) -> None:
        """End all connections and listen no more."""
        await self._registry.stop()
        await self._hub.stop()
