"""Requests that take too long are cut off by one timer for all."""

from __future__ import annotations

import asyncio

import pytest

from api.execution.in_time import InTime


async def answered() -> int:
    await asyncio.sleep(0)
    return 7


async def test_what_is_done_in_time_is_answered_and_nothing_waits_any_more() -> None:
    times = InTime()
    assert await asyncio.gather(*(asyncio.ensure_future(times.within(5, answered())) for _ in range(3))) == [7, 7, 7]
    assert [bool(slow._since) for slow in times._by_seconds.values()] == [False]


async def test_who_takes_too_long_is_cut_off_and_others_are_not() -> None:
    times, never, cut = InTime(), asyncio.Event(), list[str]()

    async def endless() -> None:
        try:
            await never.wait()
        except asyncio.CancelledError:
            cut.append("it is told")
            raise

    late = asyncio.ensure_future(times.within(0.01, endless()))
    other = asyncio.ensure_future(times.within(60, never.wait()))
    with pytest.raises(TimeoutError):
        await late
    assert (cut, late.cancelling(), other.done(), times._late) == (["it is told"], 0, False, set())
    never.set()
    assert await other


async def test_who_is_cancelled_by_others_is_cancelled() -> None:
    times, never = InTime(), asyncio.Event()
    task = asyncio.ensure_future(times.within(60, never.wait()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not times._late


async def test_what_fails_fails() -> None:
    async def broken() -> None:
        raise ValueError("7")

    with pytest.raises(ValueError, match="7"):
        await InTime().within(60, broken())
