"""Two server processes and one database: what one of them does is told by the other; lost connections; the end of a process."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from subprocess import Popen

import pytest

from api.live import Hub, Watch
from domain import db as database
from domain.bootstrap import Services
from domain.clock import FixedClock
from domain.ids import public_id
from domain.members import keys
from tests import build
from tests.api.live.acts import ORDERS, POST, ask, cursor, ears, touch, until
from tests.api.live.conftest import PUBLIC, House, Place, SignIn
from tests.api.live.wire import wired
from tests.counter import paid
from tests.serving import SECRET_KEY, environment, free_port, process, until_up

CANCEL = "mutation ($input: OrderCancelInput!, $key: String!) { orderCancel(input: $input) @idempotent(key: $key) { order { state } userErrors { code } } }"


def at(folder: Path, name: str) -> Path:
    """A folder of its own."""
    (folder / name).mkdir()
    return folder / name


@asynccontextmanager
async def server(dsn: str, folder: Path) -> AsyncIterator[tuple[str, Popen[bytes]]]:
    """A `plusone serve` process on this database."""
    port = free_port()
    env = environment(
        DATABASE_URL=dsn, PLUSONE_SECRET_KEY=SECRET_KEY, PLUSONE_PORT=str(port), PLUSONE_PUBLIC_URL=PUBLIC, PLUSONE_OPEN_OPERATIONS="true"
    )
    with process("serve", cwd=folder, env=env) as child:
        base = f"http://127.0.0.1:{port}"
        await until_up(base, child)
        yield base, child


async def today(clock: FixedClock, services: Services) -> None:
    """Processes of their own go by the machine's clock: keys and tokens must hold by it."""
    clock.at = datetime.now(UTC)
    await database.execute("delete from signing_key")
    keys.forget()
    await keys.ensure_keys(services.vault, clock.at)


async def test_what_one_process_does_the_other_tells_and_ends_are_orderly(
    database_dsn: str, place: Place, sign_in: SignIn, tmp_path: Path, clock: FixedClock, services: Services
) -> None:
    await today(clock, services)
    owner, buyer = await sign_in(await build.a_membership(place.shop)), await sign_in(place.session.member)
    order = await build.an_order(place.shop, {place.variant: 1}, buyer=place.buyer)
    post = await build.a_post(place.shop, products=[await build.a_product(place.shop)])
    async with AsyncExitStack() as stack:
        first, one = await stack.enter_async_context(server(database_dsn, at(tmp_path, "one")))
        second, _ = await stack.enter_async_context(server(database_dsn, at(tmp_path, "two")))
        since = await cursor(second, buyer.token)
        wires = [await stack.enter_async_context(wired(base, buyer.token)) for base in (first, second)]
        for wire in wires:
            await wire.subscribe(ORDERS, {"since": since}, name="o")
            await wire.subscribe(POST, {"id": public_id("post", post.id)}, name="p")
            assert (await wire.data(name="p"))["post"]["state"] == "OPEN"
        await ask(first, owner.token, CANCEL, {"input": {"orderId": public_id("order", order.id)}, "key": "0123456789abcdef"})
        for wire in wires:
            told = await wire.data(name="o")
            assert (told["orderId"], told["order"]["state"]) == (public_id("order", order.id), "CANCELLED")

        async def one_ear_per_process() -> bool:  # whatever is watched
            return len(await ears()) == 2

        await until(one_ear_per_process)
        await asyncio.sleep(0.1)
        assert await one_ear_per_process()
        one.send_signal(signal.SIGTERM)
        assert (await wires[0].closed())[0] == 1012
        assert await asyncio.to_thread(one.wait, 30) == 0
        assert "Traceback" not in (tmp_path / "one" / "serve.log").read_text()
        # the app goes on at the other one, where it was
        again = await build.an_order(place.shop, {place.variant: 1}, buyer=place.buyer)
        async with wired(second, buyer.token) as wire:
            await wire.subscribe(ORDERS, {"since": told["resumeFrom"]})
            assert (await wire.data())["orderId"] == public_id("order", again.id)


async def deafened(pids: list[int]) -> None:
    """The listening connections are cut by the server."""
    for pid in pids:
        await database.fetchval("select pg_terminate_backend($1)", pid)


async def during_the_gap(place: Place, base: str) -> build.AnOrder:
    """An order that changes after the listening connection was cut and before there is a new one."""
    order = await build.an_order(place.shop, {place.variant: 1}, buyer=place.buyer)
    since = await cursor(base, place.token)
    async with wired(base, place.token) as wire:
        await wire.subscribe(ORDERS, {"since": since})
        await touch(order)
        assert (await wire.data())["order"]["version"] == 2
        await deafened(await until(ears))
        await touch(order)
        assert (await wire.data())["order"]["version"] == 3
        await touch(order)
        assert (await wire.data())["order"]["version"] == 4
    return order


async def test_after_a_lost_listening_connection_the_gap_is_filled(base: str, place: Place) -> None:
    await during_the_gap(place, base)


async def test_without_waking_all_after_a_lost_connection_the_gap_stays(base: str, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin: a new connection that listens on as if nothing had been."""
    begun: list[int] = []
    touched = asyncio.Event()
    cut = False  # whether the first connection began before or after this patch is chance
    listen = Hub._listen

    async def silently(self: Hub, connection: object) -> None:
        if cut:
            await touched.wait()
            begun.append(1)
            self._all = set()
        await listen(self, connection)  # type: ignore[arg-type]

    monkeypatch.setattr(Hub, "_listen", silently)
    order = await build.an_order(place.shop, {place.variant: 1}, buyer=place.buyer)
    since = await cursor(base, place.token)
    async with wired(base, place.token) as wire:
        await wire.subscribe(ORDERS, {"since": since})
        await touch(order)
        assert (await wire.data())["order"]["version"] == 2
        heard_by = await until(ears)  # the change may have been read before the first connection listened
        cut = True
        await deafened(heard_by)
        await touch(order)
        touched.set()

        async def listens_again() -> bool:
            return len(begun) > 0 and len(await ears()) == 1

        await until(listens_again)
        await wire.nothing_more()
        await touch(order)  # what is rung from here on is heard, and brings the gap with it
        assert (await wire.data())["order"]["version"] == 4


async def test_a_process_that_nobody_watches_at_listens_to_nothing(house: House, place: Place) -> None:
    assert await ears() == []
    async with house() as base:
        await ask(base, place.token, "{ me { id } }")
        assert await ears() == []
        async with wired(base, place.token) as wire:
            await wire.subscribe(ORDERS)
            assert len(await until(ears)) == 1

    async def nobody() -> bool:
        return await ears() == []

    await until(nobody)


async def test_the_end_of_a_house_ends_its_connections(house: House, place: Place) -> None:
    async with AsyncExitStack() as stack:
        async with house() as base:
            wire = await stack.enter_async_context(wired(base, place.token))
            await wire.subscribe(ORDERS)
            await wire.nothing_more()
        assert (await wire.closed())[0] == 1012


async def test_a_watch_that_is_over_leaves_nothing_behind() -> None:
    hub = Hub()
    woken: list[str] = []
    with hub.watching(lambda: woken.append("a"), "x1", "x2") as watch:
        assert isinstance(watch, Watch)
        assert watch.set("x2", "x3")
        assert not watch.set("x2")
        hub._heard(None, None, None, "x1,2,3")
        hub._heard(None, None, None, "x3")
        hub._heard(None, None, None, "")
        hub._heard(None, None, None, "é")
    assert woken == ["a"]
    assert (hub._watches, hub._all) == ({}, set())
    await hub.stop()


async def test_a_bell_says_ids_alone(db: str, place: Place) -> None:
    """What goes over the wire of NOTIFY, of every kind of change."""
    import re

    heard: list[str] = []
    connection = await database.dedicated()
    await connection.add_listener("plusone_live", lambda *args: heard.append(str(args[3])))
    try:
        await build.a_post(place.shop, products=[await build.a_product(place.shop)])
        await paid(place.shop, [(place.variant, 1)], place.buyer)
        await build.a_membership(place.shop)
        await database.execute("update session set ended_at = now()")
        await database.execute("update sales_post set title = '陳小美'")

        async def all_heard() -> bool:
            return {payload[0] for payload in heard} >= set("onavpg")

        await until(all_heard)
    finally:
        await connection.close()
    one = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    assert [payload for payload in heard if not re.fullmatch(f"[a-z]{one}(,{one})*", payload)] == []


async def test_a_large_statement_rings_in_parts(db: str, place: Place) -> None:
    heard: list[str] = []
    connection = await database.dedicated()
    await connection.add_listener("plusone_live", lambda *args: heard.append(str(args[3])))
    try:
        await database.execute("select live_ring('v', array(select gen_random_uuid() from generate_series(1, 501)))")
        await until(lambda: _true(len(heard) >= 3))
    finally:
        await connection.close()
    assert [payload.count(",") + 1 for payload in heard] == [200, 200, 101]


async def _true(value: bool) -> bool:
    return value
