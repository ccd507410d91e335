"""What was compiled is counted once, whoever compiled, waited or gave up at the same time: a count that drifts would have all plans forgotten."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from api.execution import screens
from api.execution.kept import Plans
from benchmarks.screens import DOCUMENTS

FIRST, SECOND = list(DOCUMENTS.values())[:2]


class Held:
    """Answers of the database that are kept back; `plans`: whose they are."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.waiting = asyncio.Semaphore(0)
        self.go = asyncio.Event()
        self.plans: list[Plans] = []
        self._fetch, self._answer = screens.fetch_columns, Plans.answer
        held = self

        async def answer(self: Plans, *given: Any) -> Any:
            held.plans.append(self)
            return await held._answer(self, *given)

        async def fetch(*given: Any) -> Any:
            held.waiting.release()
            await held.go.wait()
            return await held._fetch(*given)

        monkeypatch.setattr(Plans, "answer", answer)
        monkeypatch.setattr(screens, "fetch_columns", fetch)


async def test_who_ask_the_same_new_document_at_once_count_it_once(people, signed_in, monkeypatch) -> None:
    client, held = await signed_in(people.member), Held(monkeypatch)
    asking = [asyncio.create_task(client.ask(FIRST)) for _ in range(3)]
    for _ in asking:
        await held.waiting.acquire()
    room = held.plans[0]._room
    before = room.fields
    held.go.set()
    await asyncio.gather(*asking)
    assert held.plans[0] is held.plans[1] is held.plans[2]
    operations = held.plans[0]._operations
    assert operations is not None
    assert room.fields - before == operations.fields > 0
    held.plans[0].clear()
    assert room.fields == before


async def test_what_was_compiled_for_one_who_gave_up_is_counted_too(people, signed_in, monkeypatch) -> None:
    client, held = await signed_in(people.member), Held(monkeypatch)
    asking = asyncio.create_task(client.ask(SECOND))
    await held.waiting.acquire()
    (plans,) = held.plans
    before = plans._room.fields
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    assert plans._operations is not None
    assert plans._room.fields - before == plans._operations.fields > 0
    plans.clear()
    assert plans._room.fields == before
