"""One timer for many waits: who is done hears nothing, who is late hears it once."""

from __future__ import annotations

import asyncio

from domain.inbox.patience import Patience


async def test_who_waits_too_long_is_told_and_nobody_else() -> None:
    told: list[str] = []
    patience = Patience[str](0.05, 0.01, told.append)
    for name in ("late", "done", "later"):
        patience.begin(name)
    patience.end("done")
    patience.end("nobody")
    async with asyncio.timeout(30):
        while len(told) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    assert told == ["late", "later"]
    patience.begin("again")
    patience.end("again")
    await asyncio.sleep(0.1)
    assert told == ["late", "later"]


async def test_nobody_is_told_before_the_time() -> None:
    told: list[str] = []
    patience = Patience[str](60.0, 0.01, told.append)
    patience.begin("waits")
    await asyncio.sleep(0.1)
    assert told == []
    patience.end("waits")
    await asyncio.sleep(0.05)
    assert patience._timer is None
