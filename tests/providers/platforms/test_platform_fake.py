"""The reply sender against the small server that stands for a platform."""

from __future__ import annotations

import signal
import socket
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest

from domain.claims.ports import OutgoingReply, ReplyDelayed, ReplyKind, ReplyRefused, ReplySender, SentReply
from domain.providers.platforms.fake import FakePlatformServer, HttpReplySender

REPLY = OutgoingReply(
    reply_id="018f-1",
    platform="facebook",
    kind=ReplyKind.PUBLIC,
    channel_id="page",
    comment_id="comment",
    post_id="post",
    author_id="mei",
    reply_token="",
    text="已登記 紅色 x1 🥭",
)


@pytest.fixture
async def server() -> AsyncIterator[FakePlatformServer]:
    async with FakePlatformServer() as running:
        yield running


@pytest.fixture
async def sender(server: FakePlatformServer) -> AsyncIterator[ReplySender]:
    made = HttpReplySender(server.url)
    yield made
    await made.aclose()


async def test_reply_arrives_once_however_often_it_is_sent(server: FakePlatformServer, sender: ReplySender) -> None:
    first = await sender.send(REPLY)
    assert await sender.send(REPLY) == first == SentReply("fake-018f-1")
    await sender.send(replace(REPLY, reply_id="018f-2", kind=ReplyKind.PRIVATE))
    assert [(reply["reply_id"], reply["kind"], reply["text"]) for reply in server.replies] == [
        ("018f-1", "PUBLIC", "已登記 紅色 x1 🥭"),
        ("018f-2", "PRIVATE", "已登記 紅色 x1 🥭"),
    ]
    assert server.attempts == 3


async def test_other_4xx_is_the_end(server: FakePlatformServer, sender: ReplySender) -> None:
    for status in (400, 401, 403, 404, 409, 422):
        server.fail_next(1, status)
        with pytest.raises(ReplyRefused, match=str(status)):
            await sender.send(REPLY)
    assert server.replies == []


async def test_throttled_or_away_is_tried_again_after_what_was_told(server: FakePlatformServer, sender: ReplySender) -> None:
    for status, told, waits in (
        (429, 14.0, 14.0),
        (503, 60.0, 60.0),
        (503, None, 5.0),
        (500, None, 5.0),
        (408, None, 5.0),
        (429, 1e9, 3_600.0),
    ):
        server.fail_next(2, status, retry_after_seconds=told)
        for _ in range(2):
            with pytest.raises(ReplyDelayed) as delayed:
                await sender.send(REPLY)
            assert delayed.value.retry_after_seconds == waits
    assert server.replies == []
    await sender.send(REPLY)
    assert (len(server.replies), server.attempts) == (1, 13)


async def test_reply_that_counted_although_its_answer_was_an_error_is_not_doubled(server: FakePlatformServer, sender: ReplySender) -> None:
    server.fail_next(1, 500, take_first=True)
    with pytest.raises(ReplyDelayed):
        await sender.send(REPLY)
    assert len(server.replies) == 1
    await sender.send(REPLY)
    assert len(server.replies) == 1


async def test_nobody_there_is_tried_again() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        sender = HttpReplySender(f"http://127.0.0.1:{closed.getsockname()[1]}/")
        with pytest.raises(ReplyDelayed, match="ConnectError"):
            await sender.send(REPLY)
        await sender.aclose()


@pytest.mark.parametrize("failure", [httpx.ReadTimeout, httpx.ConnectTimeout, httpx.RemoteProtocolError])
async def test_no_answer_in_time_is_tried_again(failure: type[httpx.TransportError]) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise failure("no answer", request=request)

    async with httpx.AsyncClient(transport=httpx.MockTransport(fail)) as client:
        with pytest.raises(ReplyDelayed, match=failure.__name__):
            await HttpReplySender("http://platform.test", client).send(REPLY)


ANSWERS = [(b'{"id":"p-7"}', "p-7"), (b"", "018f-1"), (b"ok", "018f-1"), (b"[]", "018f-1"), (b'{"id":7}', "018f-1")]


@pytest.mark.parametrize(("content", "expected"), ANSWERS)
async def test_answer_without_an_id_is_known_by_ours(content: bytes, expected: str) -> None:
    seen: list[httpx.Request] = []

    def take(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, content=content)

    async with httpx.AsyncClient(transport=httpx.MockTransport(take)) as client:
        sender = HttpReplySender("http://platform.test/base/", client)
        assert (await sender.send(replace(REPLY, text="a\x00\ud800"))).external_id == expected
        await sender.aclose()
        assert not client.is_closed
    assert str(seen[0].url) == "http://platform.test/base/replies"
    assert seen[0].headers["idempotency-key"] == "018f-1"


async def test_server_refuses_what_is_no_reply(server: FakePlatformServer) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.post(f"{server.url}/replies", content=b"{}")).status_code == 400
        assert (await client.post(f"{server.url}/replies", content=b"x", headers={"Idempotency-Key": "k"})).status_code == 400
        assert (await client.get(f"{server.url}/replies")).status_code == 405
    assert server.replies == []


async def test_server_leaves_signals_alone_and_ends_with_its_block() -> None:
    before = signal.getsignal(signal.SIGINT)
    async with FakePlatformServer() as server:
        assert signal.getsignal(signal.SIGINT) is before
    with pytest.raises(ReplyDelayed):
        await HttpReplySender(server.url).send(REPLY)
