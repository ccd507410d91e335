"""The gate before the pool: who comes first enters first, nobody waits without end, and no place is lost."""

from __future__ import annotations

import asyncio

import pytest

from domain.db import gate as gates
from domain.db.gate import Gate

LONG = 60.0


async def waiting(gate: Gate, count: int, seconds: float = LONG) -> list[asyncio.Task[bool]]:
    """So many who wait, in this order."""
    tasks = [asyncio.create_task(gate.enter(seconds)) for _ in range(count)]
    while len(gate._waiting) < count:  # noqa: ASYNC110
        await asyncio.sleep(0)
    return tasks


async def test_places_are_given_in_order() -> None:
    gate = Gate(2)
    assert [gate.entered(), await gate.enter(LONG), gate.entered()] == [True, True, False]
    first, second, third = await waiting(gate, 3)
    gate.release()
    assert await first is True
    assert [second.done(), third.done(), gate.entered()] == [False, False, False]
    gate.release()
    gate.release()
    assert [await second, await third] == [True, True]
    for _ in range(2):
        gate.release()
    assert [gate.entered(), gate.entered(), gate.entered()] == [True, True, False]


async def test_who_waits_too_long_does_not_enter_and_takes_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "TICK_SECONDS", 0.01)
    gate = Gate(1)
    assert gate.entered()
    short = await waiting(gate, 2, 0.01)
    assert await asyncio.gather(*short) == [False, False]
    assert not gate._waiting
    gate.release()
    assert [gate.entered(), gate.entered()] == [True, False]
    (late,) = await waiting(gate, 1, 0.01)
    assert await late is False, "the timer runs again"


@pytest.mark.parametrize("released", ["before", "after"])
async def test_a_cancelled_task_leaves_its_place_to_the_next(released: str) -> None:
    gate = Gate(1)
    assert gate.entered()
    first, second = await waiting(gate, 2)
    if released == "before":
        gate.release()  # given to the first, which has not run since
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    if released == "after":
        gate.release()
    assert await second is True
    gate.release()
    assert [gate.entered(), gate.entered()] == [True, False]
