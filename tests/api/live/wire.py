"""Real web sockets for tests: a client that speaks graphql-transport-ws, and what it heard."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

PATIENCE = 60.0
"""Seconds until a test gives up; nothing is judged by them."""
PROTOCOL = Subprotocol("graphql-transport-ws")


class Wire:
    """One connection. Pings are answered at once, unless `deaf`."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.deaf = False

    async def say(self, **message: Any) -> None:
        await self.socket.send(json.dumps(message))

    async def hear(self) -> dict[str, Any]:
        """The next message that is no ping."""
        async with asyncio.timeout(PATIENCE):
            while True:
                message: dict[str, Any] = json.loads(await self.socket.recv())
                if message["type"] != "ping":
                    return message
                if not self.deaf:
                    await self.say(type="pong")

    async def closed(self) -> tuple[int, str]:
        """Code and reason of the close frame, once all that came before is read."""
        with pytest.raises(ConnectionClosed) as caught:
            while True:
                await self.hear()
        assert caught.value.rcvd is not None
        return caught.value.rcvd.code, caught.value.rcvd.reason

    async def subscribe(self, document: str, variables: dict[str, Any] | None = None, *, name: str = "1") -> None:
        await self.say(type="subscribe", id=name, payload={"query": document, "variables": variables or {}})

    async def data(self, *, name: str = "1") -> Any:
        """The data of the next `next` message, which is this operation's."""
        message = await self.hear()
        assert (message["type"], message["id"]) == ("next", name), message
        assert "errors" not in message["payload"], message
        (value,) = message["payload"]["data"].values()
        return value

    async def refusal(self, *, name: str = "1") -> list[str]:
        """The codes of the `error` message that comes next."""
        message = await self.hear()
        assert (message["type"], message["id"]) == ("error", name), message
        return [error["extensions"]["code"] for error in message["payload"]]

    async def nothing_more(self) -> None:
        """Nothing waits to be said: a ping of ours is answered by the very next message."""
        await self.say(type="ping")
        assert (await self.hear())["type"] == "pong"


@asynccontextmanager
async def bare(base: str, **options: Any) -> AsyncIterator[Wire]:
    """A connection that has said nothing yet."""
    options = {"open_timeout": PATIENCE} | options
    async with connect(base.replace("http://", "ws://") + "/graphql", subprotocols=[PROTOCOL], proxy=None, **options) as socket:
        yield Wire(socket)


@asynccontextmanager
async def wired(base: str, token: str | None = None, **options: Any) -> AsyncIterator[Wire]:
    """A connection that was acknowledged."""
    async with bare(base, **options) as wire:
        await wire.say(type="connection_init", payload={"authorization": f"Bearer {token}"} if token else None)
        assert await wire.hear() == {"type": "connection_ack"}
        yield wire
