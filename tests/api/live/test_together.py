"""Shared readings: who leaves takes nothing from the others, and what nobody waits for is not asked on and on."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import structlog

from api.live import Hub, Together
from domain.db import DatabaseAway
from tests.api.live.wire import PATIENCE


async def nobody_rings() -> Any:
    await asyncio.Event().wait()


async def test_what_nobody_waits_for_any_more_is_not_asked_again() -> None:
    together, asked = Together(Hub(nobody_rings), gather_seconds=0.0), asyncio.Event()

    async def away() -> None:
        asked.set()
        raise DatabaseAway

    before = asyncio.all_tasks()
    watchers = [asyncio.create_task(together.ask("post", away)) for _ in range(2)]
    await asked.wait()
    for watcher in watchers:
        watcher.cancel()
    _, left = await asyncio.wait(asyncio.all_tasks() - before, timeout=PATIENCE)
    assert not left


async def test_who_leaves_takes_no_answer_from_the_others() -> None:
    together, asked, go = Together(Hub(nobody_rings), gather_seconds=0.0), asyncio.Event(), asyncio.Event()

    async def slow() -> int:
        asked.set()
        await go.wait()
        return 7

    leaving, staying = (asyncio.create_task(together.ask("post", slow)) for _ in range(2))
    await asked.wait()
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    go.set()
    assert await staying == 7
    assert await together.ask("post", slow) == 7


async def test_who_comes_after_all_have_left_asks_anew() -> None:
    together = Together(Hub(nobody_rings), gather_seconds=0.0)

    async def answer() -> int:
        return 7

    first = asyncio.create_task(together.ask("post", answer))
    await asyncio.sleep(0)  # it waits for others to join
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await together.ask("post", answer) == 7


async def test_the_ear_of_the_process_is_not_the_request_that_opened_it() -> None:
    """What it logs in all its life would otherwise bear the id of the first request."""
    heard: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

    async def connect() -> Any:
        heard.set_result(structlog.contextvars.get_contextvars())
        await asyncio.Event().wait()

    hub = Hub(connect)
    with structlog.contextvars.bound_contextvars(request_id="the first one"), hub.watching(lambda: None, "p1"):
        assert await heard == {}
    await hub.stop()
