"""One web socket by graphql-transport-ws (https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md).

Each subscription is a task that takes its next event only when the one before has been handed to the network. So a client that reads slowly
holds nothing here but its own place: what changes meanwhile is read once, as it then is. A client that takes nothing for a while is cut off.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import orjson
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from api.auth.bearer import viewer_of_token
from api.auth.strict import read_unverified
from api.auth.tokens import LONGEST
from api.auth.viewer import Unauthenticated, Viewer
from api.execution.errors import AWAY, Code, RequestError, extensions
from api.execution.http import HttpError, operation_of
from api.resolvers.live import LiveContext
from api.sockets.closing import Closed, Closing
from api.sockets.limits import SocketLimits
from api.sockets.operations import Refused, Subscriptions
from api.sockets.registry import CUT, Registry

log = logging.getLogger(__name__)

LONGEST_ID: Final = 128
CLOSE_SECONDS: Final = 2.0


class Connection:
    """See the module. `context` is the connection's, without a viewer; `abort` drops the line without waiting for the client; `known` is
    called once it is said whose this is."""

    def __init__(
        self, socket: WebSocket, subscriptions: Subscriptions, registry: Registry, limits: SocketLimits, context: LiveContext,
        abort: Callable[[], None], known: Callable[[], None],
    ) -> None:  # fmt: skip
        self._socket, self._subscriptions, self._registry, self._limits = socket, subscriptions, registry, limits
        self._context, self._abort, self.known = context, abort, known
        self._running: dict[str, asyncio.Task[None]] = {}
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[Closed] = self._loop.create_future()
        self._heard_at = self._counted_from = self._loop.time()
        self._counted = 0
        self.member_id: UUID | None = None
        self.session_id: UUID | None = None
        self.ver = 0
        self.until: datetime | None = None

    def end(self, code: Closing, reason: str = "") -> None:
        """End this connection; the first reason counts."""
        if not self._ended.done():
            self._ended.set_result(Closed(code, reason))

    async def run(self) -> None:
        """From `connection_init` to the end."""
        talking = asyncio.create_task(self._talk())
        try:
            both: set[asyncio.Future[Any]] = {talking, self._ended}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if talking.done() and not talking.cancelled() and (error := talking.exception()) is not None:
                self._ended_by(error)
        finally:
            tasks = [talking, *self._running.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if self._ended.done():
            await self._close(self._ended.result())

    def _ended_by(self, error: BaseException) -> None:
        if isinstance(error, Closed):
            self.end(error.code, error.reason)
        elif isinstance(error, AWAY):
            self.end(Closing.RESTART, "unavailable")
        elif not isinstance(error, WebSocketDisconnect):
            log.error("live: unexpected %s", type(error).__name__, exc_info=error, extra={"request_id": self._context.request_id})
            self.end(Closing.RESTART, "internal")

    async def _close(self, closed: Closed) -> None:
        CUT.labels(code=str(int(closed.code))).inc()
        if closed.code is not Closing.TOO_SLOW and self._socket.application_state is WebSocketState.CONNECTED:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await self._socket.close(int(closed.code), closed.reason)
                    return
        self._abort()

    # What the client says

    async def _talk(self) -> None:
        try:
            async with asyncio.timeout(self._limits.init):
                first = await self._receive()
                while first.get("type") in ("ping", "pong"):
                    await self._pinged(first)
                    first = await self._receive()
        except TimeoutError:
            raise Closed(Closing.INIT_TIMEOUT) from None
        if first.get("type") != "connection_init":
            raise Closed(Closing.NOT_INITIALISED)
        await self._recognise(_payload(first))
        self.known()
        with self._registry.holding(self, self._context.client_address):
            await self._send({"type": "connection_ack"})
            beating = asyncio.create_task(self._beat())
            try:
                while True:
                    await self._take(await self._receive())
            finally:
                beating.cancel()
                await asyncio.gather(beating, return_exceptions=True)

    async def _receive(self) -> dict[str, Any]:
        message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        self._count()
        text = message.get("text")
        if text is None or len(text) > self._limits.message_bytes:
            raise Closed(Closing.BAD_MESSAGE)
        try:
            found = orjson.loads(text)
        except orjson.JSONDecodeError:
            raise Closed(Closing.BAD_MESSAGE) from None
        if not isinstance(found, dict):
            raise Closed(Closing.BAD_MESSAGE)
        return found

    def _count(self) -> None:
        self._heard_at = now = self._loop.time()
        if now - self._counted_from > self._limits.messages_in:
            self._counted_from, self._counted = now, 0
        self._counted += 1
        if self._counted > self._limits.messages:
            raise Closed(Closing.TOO_MANY_MESSAGES)

    async def _recognise(self, payload: Mapping[str, Any]) -> None:
        """Who this is, by the access token of the payload; without one it is nobody.

        Raises:
            Closed: there is one, and it does not hold, or is another member's than the connection's.
        """
        given = payload.get("authorization", payload.get("Authorization"))
        if given is None:
            return
        scheme, _, token = given.partition(" ") if isinstance(given, str) else ("", "", "")
        try:
            if scheme.lower() != "bearer":
                raise Unauthenticated
            viewer = await viewer_of_token(token, self._context.services)
        except Unauthenticated:
            raise Closed(Closing.FORBIDDEN) from None
        self._is(viewer, read_unverified(token, longest=LONGEST)[1])

    def _is(self, viewer: Viewer, claims: Mapping[str, Any]) -> None:
        known = self._context.viewer
        if known is not None and known.member_id != viewer.member_id:
            raise Closed(Closing.FORBIDDEN)
        self._context = replace(self._context, viewer=viewer)
        self.member_id, self.session_id, self.ver = viewer.member_id, viewer.session_id, claims["ver"]
        self.until = datetime.fromtimestamp(claims["exp"], UTC)

    async def _take(self, message: dict[str, Any]) -> None:
        match message.get("type"):
            case "subscribe":
                await self._subscribe(message)
            case "complete":
                self._stop(message.get("id"))
            case "ping" | "pong":
                await self._pinged(message)
            case "connection_init":
                raise Closed(Closing.INIT_TWICE)
            case _:
                raise Closed(Closing.BAD_MESSAGE)

    async def _pinged(self, message: dict[str, Any]) -> None:
        """A ping may carry a fresh access token: the connection lives as long as the newest."""
        if message["type"] == "ping":
            if self.member_id is not None:
                await self._recognise(_payload(message))
            await self._send({"type": "pong"})

    async def _subscribe(self, message: dict[str, Any]) -> None:
        name = message.get("id")
        if not isinstance(name, str) or not 1 <= len(name) <= LONGEST_ID:
            raise Closed(Closing.BAD_MESSAGE)
        if name in self._running:
            raise Closed(Closing.SAME_ID)
        if len(self._running) >= self._limits.operations:
            text = f"a connection has at most {self._limits.operations} operations at once"
            await self._send({"type": "error", "id": name, "payload": [{"message": text, "extensions": extensions(Code.THROTTLED, "")}]})
            return
        task = self._running[name] = asyncio.create_task(self._run(name, message.get("payload")))
        task.add_done_callback(lambda done: self._over(name, done))

    def _over(self, name: str, task: asyncio.Task[None]) -> None:
        if self._running.get(name) is task:
            del self._running[name]
        if not task.cancelled() and (error := task.exception()) is not None:
            self._ended_by(error)

    def _stop(self, name: Any) -> None:
        task = self._running.pop(name, None) if isinstance(name, str) else None
        if task is not None:
            task.cancel()

    # What we say

    async def _run(self, name: str, payload: Any) -> None:
        """One subscription to its end: `next` messages, then `complete` or `error`."""
        # A context of its own: what a resolver keeps for its request is kept for this one alone.
        context = replace(self._context, _rights={})
        try:
            operation = operation_of(payload)
            async with contextlib.aclosing(self._subscriptions.run(operation, context)) as answers:
                async for answer in answers:
                    await self._send({"id": name, "type": "next", "payload": answer})
        except (HttpError, RequestError) as error:
            await self._send({"id": name, "type": "error", "payload": [{"message": str(error), "extensions": extensions(error.code, "")}]})
        except Refused as refused:
            await self._send({"id": name, "type": "error", "payload": refused.errors})
        else:
            await self._send({"id": name, "type": "complete"})

    async def _send(self, message: Mapping[str, Any]) -> None:
        """Hand a message to the network; waits while the client takes nothing.

        Raises:
            Closed: it took nothing for too long.
        """
        try:
            async with asyncio.timeout(self._limits.send):
                await self._socket.send_text(orjson.dumps(message).decode())
        except TimeoutError:
            raise Closed(Closing.TOO_SLOW) from None
        except RuntimeError:  # starlette: closed already
            raise WebSocketDisconnect(1006) from None

    async def _beat(self) -> None:
        """Ping now and then; a client that says nothing for two pings is gone."""
        while True:
            await asyncio.sleep(self._limits.ping)
            if self._loop.time() - self._heard_at > 2 * self._limits.ping:
                self.end(Closing.SILENT)
                return
            try:
                await self._send({"type": "ping"})
            except Closed as closed:
                self.end(closed.code, closed.reason)
                return


def _payload(message: Mapping[str, Any]) -> Mapping[str, Any]:
    payload = message.get("payload")
    if payload is None:
        return {}
    if not isinstance(payload, dict):
        raise Closed(Closing.BAD_MESSAGE)
    return payload
