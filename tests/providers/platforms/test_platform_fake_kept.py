"""A kept connection that its other end puts away just as it is used again."""

from __future__ import annotations

import asyncio

import pytest

from domain.claims.ports import OutgoingReply, ReplyDelayed, ReplyKind
from domain.providers.platforms.fake import HttpReplySender

REPLY = OutgoingReply(
    reply_id="r-1", platform="facebook", kind=ReplyKind.PUBLIC, channel_id="page", comment_id="c", post_id="p", author_id="a", reply_token="", text="已登記"
)  # fmt: skip


class Door:
    """Answers one request per connection and closes on the next without a word; of the first `deaf` connections it answers none."""

    def __init__(self, deaf: int = 0) -> None:
        self.deaf, self.connections, self.requests = deaf, 0, 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        answers = 0 if self.connections <= self.deaf else 1
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
            await reader.readexactly(length)
            self.requests += 1
            if not answers:
                break
            answers -= 1
            writer.write(b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 14\r\n\r\n{"id": "fb-1"}')
            await writer.drain()
        writer.close()


async def sent(door: Door, times: int) -> list[str]:
    async with await asyncio.start_server(door.serve, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        sender = HttpReplySender(f"http://{host}:{port}")
        try:
            return [(await sender.send(REPLY)).external_id for _ in range(times)]
        finally:
            await sender.aclose()


async def test_a_reply_goes_out_on_another_connection_at_once() -> None:
    door = Door()
    assert await sent(door, 3) == ["fb-1"] * 3
    assert (door.connections, door.requests) == (3, 5)


async def test_a_door_that_never_answers_is_asked_twice_and_later_again() -> None:
    door = Door(deaf=9)
    with pytest.raises(ReplyDelayed):
        await sent(door, 1)
    assert door.requests == 2
