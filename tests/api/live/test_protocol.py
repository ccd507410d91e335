"""What the protocol graphql-transport-ws says of the beginning, the messages and the end of a connection."""

from __future__ import annotations

import json
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.api.live.conftest import House, Place, SignIn
from tests.api.live.wire import PROTOCOL, bare, wired

ORDERS = "subscription ($since: String) { myOrders(since: $since) { kind orderId resumeFrom order { number version state } } }"


async def test_a_connection_is_acknowledged_and_pings_are_answered(base: str, place: Place) -> None:
    async with wired(base, place.token) as wire:
        await wire.say(type="ping", payload={"authorization": f"Bearer {place.token}"})
        assert await wire.hear() == {"type": "pong"}


async def test_a_ping_may_come_before_the_beginning(base: str) -> None:
    async with bare(base) as wire:
        await wire.say(type="ping")
        assert await wire.hear() == {"type": "pong"}
        await wire.say(type="connection_init")
        assert await wire.hear() == {"type": "connection_ack"}


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        ([{"type": "subscribe", "id": "1", "payload": {"query": "subscription { myOrders { kind } }"}}], 4401),
        ([{"type": "connection_init"}, {"type": "connection_init"}], 4429),
        ([{"type": "connection_init"}, {"type": "nonsense"}], 4400),
        ([{"type": "connection_init"}, {}], 4400),
        ([{"type": "connection_init", "payload": []}], 4400),
        ([{"type": "connection_init"}, {"type": "subscribe", "payload": {}}], 4400),
        ([{"type": "connection_init"}, {"type": "subscribe", "id": "x" * 200, "payload": {}}], 4400),
        ([{"type": "connection_init", "payload": {"authorization": "Bearer nonsense"}}], 4403),
        ([{"type": "connection_init", "payload": {"authorization": "Basic eA=="}}], 4403),
        ([{"type": "connection_init", "payload": {"authorization": 7}}], 4403),
    ],
)
async def test_a_wrong_word_ends_the_connection_with_its_code(base: str, messages: list[dict[str, Any]], code: int) -> None:
    async with bare(base) as wire:
        for message in messages:
            await wire.say(**message)
        assert (await wire.closed())[0] == code


@pytest.mark.parametrize("text", ["", "nonsense", "[]", "7", '"x"', '{"type": "\\ud800"}', "[" * 5000, '{"type": NaN}', "x" * 110_000])
async def test_what_is_no_message_ends_the_connection(base: str, text: str) -> None:
    async with wired(base) as wire:
        await wire.socket.send(text)
        assert (await wire.closed())[0] == 4400


async def test_bytes_are_no_message_and_a_huge_one_is_not_taken_in(base: str) -> None:
    async with wired(base) as wire:
        await wire.socket.send(b"{}")
        assert (await wire.closed())[0] == 4400
    async with wired(base) as wire:
        await wire.socket.send("x" * 200_000)
        assert (await wire.closed())[0] == 1009


async def test_another_protocol_is_not_spoken(base: str) -> None:
    async with connect(base.replace("http", "ws") + "/graphql", subprotocols=["graphql-ws"], proxy=None) as socket:  # type: ignore[list-item]
        await socket.wait_closed()
        assert socket.close_code == 4406


async def test_another_sites_page_is_not_let_in(base: str) -> None:
    address = base.replace("http", "ws") + "/graphql"
    with pytest.raises(InvalidStatus) as caught:
        async with connect(address, subprotocols=[PROTOCOL], proxy=None, origin="https://evil.example"):  # type: ignore[arg-type]
            pass
    assert caught.value.response.status_code == 403
    async with wired(base, origin="https://plusone.test") as wire:
        await wire.nothing_more()


async def test_a_token_in_the_address_is_nobodys(base: str, place: Place) -> None:
    address = f"{base.replace('http', 'ws')}/graphql?authorization=Bearer%20{place.token}&access_token={place.token}"
    async with connect(
        address, subprotocols=[PROTOCOL], proxy=None, additional_headers={"Authorization": f"Bearer {place.token}"}
    ) as socket:
        await socket.send(json.dumps({"type": "connection_init"}))
        await socket.recv()
        await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": {"query": ORDERS}}))
        answer = json.loads(await socket.recv())
    assert (answer["type"], answer["payload"][0]["extensions"]["code"]) == ("error", "UNAUTHENTICATED")


async def test_who_says_nothing_at_first_is_sent_away(house: House) -> None:
    async with house(init=0.05) as base, bare(base) as wire:
        assert (await wire.closed())[0] == 4408


async def test_who_answers_no_ping_is_gone(house: House) -> None:
    async with house(ping=1.0) as base, wired(base) as wire:
        assert json.loads(await wire.socket.recv())["type"] == "ping"
        await wire.say(type="pong")
        wire.deaf = True
        assert (await wire.closed())[0] == 4504


async def test_one_id_names_one_operation_until_it_is_complete(base: str, place: Place) -> None:
    async with wired(base, place.token) as wire:
        await wire.subscribe(ORDERS)
        await wire.say(type="complete", id="1")
        await wire.subscribe(ORDERS)
        await wire.nothing_more()
        await wire.subscribe(ORDERS)
        assert (await wire.closed())[0] == 4409


async def test_completing_what_is_not_there_does_no_harm(base: str, place: Place) -> None:
    async with wired(base, place.token) as wire:
        for name in ("1", None, 7, {"x": 1}):
            await wire.say(type="complete", id=name)
        await wire.nothing_more()


async def test_operations_and_connections_have_their_limits(house: House, sign_in: SignIn, place: Place) -> None:
    async with house(operations=2, per_member=2, per_address=1) as base:
        async with wired(base, place.token) as wire, wired(base, (await sign_in(place.session.member)).token):
            for name in ("1", "2", "3"):
                await wire.subscribe(ORDERS, name=name)
            assert await wire.refusal(name="3") == ["THROTTLED"]
            async with bare(base) as third:
                await third.say(type="connection_init", payload={"authorization": f"Bearer {place.token}"})
                assert (await third.closed())[0] == 4430
            async with wired(base), bare(base) as nobody:
                await nobody.say(type="connection_init")
                assert (await nobody.closed())[0] == 4430
            await wire.say(type="complete", id="1")
            await wire.nothing_more()
            await wire.subscribe(ORDERS, name="3")
            await wire.nothing_more()
        async with wired(base, place.token), wired(base, place.token):
            pass


async def test_who_talks_too_much_is_sent_away(house: House) -> None:
    async with house(messages=20, messages_in=60.0) as base, wired(base) as wire:
        for _ in range(20):
            await wire.say(type="pong")
        assert (await wire.closed())[0] == 4431


async def test_who_does_not_say_who_they_are_takes_no_more_than_their_room(house: House) -> None:
    async with house(unknown=2) as base, bare(base) as first, bare(base):
        with pytest.raises(InvalidStatus) as caught:
            async with bare(base):
                pass
        assert caught.value.response.status_code == 403
        await first.say(type="connection_init")
        assert await first.hear() == {"type": "connection_ack"}
        async with wired(base):
            pass


async def test_pings_do_not_put_off_the_beginning(house: House) -> None:
    async with house(init=0.3, messages=100_000) as base, bare(base) as wire:
        with pytest.raises(ConnectionClosed) as caught:
            while True:
                await wire.say(type="ping")
                await wire.hear()
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 4408
