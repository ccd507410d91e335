"""A client that does not read: it holds nothing but its place, hinders nobody, and is cut off in the end."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket as sockets
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from domain import db as database
from domain.ids import public_id
from tests import build
from tests.api.live.acts import cursor, until
from tests.api.live.conftest import House, Place
from tests.api.live.wire import PATIENCE, wired

BIG = """subscription ($since: String) { myOrders(since: $since) { orderId resumeFrom order { version
  lines(first: 100) { nodes { id title variantLabel quantity handedOver unitPrice { amount currencyCode } variant { id label product { id title } } } } } } }"""


def frame(message: Any) -> bytes:
    """A text frame as a client sends it."""
    data, mask = json.dumps(message).encode(), os.urandom(4)
    head = bytes([0x81, 0x80 | 126]) + struct.pack(">H", len(data)) if len(data) > 125 else bytes([0x81, 0x80 | len(data)])
    return head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))


@asynccontextmanager
async def not_reading(base: str, token: str, since: str) -> AsyncIterator[sockets.socket]:
    """A client that subscribes to its orders and then reads nothing at all; its kernel takes little for it."""
    host, port = base.removeprefix("http://").split(":")
    line = sockets.socket()
    line.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    line.setblocking(False)
    loop = asyncio.get_running_loop()
    try:
        await loop.sock_connect(line, (host, int(port)))
        key = base64.b64encode(os.urandom(16)).decode()
        hello = f"GET /graphql HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
        hello += "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
        await loop.sock_sendall(line, hello.encode())
        assert b" 101 " in await loop.sock_recv(line, 1000)
        await loop.sock_sendall(line, frame({"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}}))
        await loop.sock_sendall(line, frame({"type": "subscribe", "id": "1", "payload": {"query": BIG, "variables": {"since": since}}}))
        yield line
    finally:
        line.close()


async def a_big_order(place: Place) -> build.AnOrder:
    """Its message is some 30 KB."""
    buyer = await build.a_buyer(place.shop, member_id=place.session.member)
    order = await build.an_order(place.shop, {place.variant: 1}, buyer=buyer)
    await database.execute(
        """insert into order_line (id, shop_id, order_id, variant_id, platform, title, variant_label, unit_price_minor, quantity, handed_over, created_at)
           select gen_random_uuid(), shop_id, order_id, variant_id, platform, repeat('長', 180), '', 0, 0, 0, created_at
           from order_line, generate_series(1, 80) where order_id = $1""",
        order.id,
    )  # fmt: skip
    return order


async def test_who_does_not_read_is_cut_off_and_nobody_waits_for_them(house: House, place: Place) -> None:
    before = (await cut()).get("4508", 0)
    async with house(send=1.0) as base:
        order, since = await a_big_order(place), await cursor(base, place.token)
        async with not_reading(base, place.token, since) as line, wired(base, place.token) as wire:
            await wire.subscribe(BIG, {"since": since})
            versions = []
            for version in range(2, 402):
                await database.execute('update "order" set version = version + 1 where id = $1', order.id)
                if version % 10 == 1:  # the other one takes all, while the slow one stands
                    while not versions or versions[-1] < version:
                        versions.append((await wire.data())["order"]["version"])
            assert versions[-1] == 401
            assert versions == sorted(set(versions))

            async def dropped() -> bool:
                metrics = await cut()
                return metrics.get("4508", 0) == before + 1

            await until(dropped)
            assert await over(line)
            await wire.nothing_more()


async def cut() -> dict[str, float]:
    """How many connections were ended by us, by code."""
    from api.sockets.registry import CUT

    return {sample.labels["code"]: sample.value for metric in CUT.collect() for sample in metric.samples if sample.name.endswith("_total")}


async def over(line: sockets.socket) -> bool:
    """The server has dropped the line: what is left of it can be read to its end."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(PATIENCE):
        try:
            while await loop.sock_recv(line, 65536):
                pass
        except ConnectionResetError:
            pass
    return True


async def test_a_slow_reader_is_told_of_each_order_once_as_it_is_then(house: House, place: Place) -> None:
    """While the network takes nothing, nothing is queued for it: hundreds of changes become one message."""
    async with house(send=PATIENCE) as base:
        order, since = await a_big_order(place), await cursor(base, place.token)
        async with not_reading(base, place.token, since) as line:
            for _ in range(600):
                await database.execute('update "order" set version = version + 1 where id = $1', order.id)
            loop, heard = asyncio.get_running_loop(), b""
            async with asyncio.timeout(PATIENCE):
                while b'"version":601' not in heard:
                    heard += await loop.sock_recv(line, 1 << 20)
        told = heard.count(b'"version":')
        assert told < 300
        assert heard.count(public_id("order", order.id).encode()) == told
