"""Where only registered documents are answered, streams and screens written from text are no way around it; and streams are paid for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest

from api.app import create_app
from api.execution.screens import Operations
from domain.bootstrap import Services
from domain.bootstrap import services as services_for
from domain.clock import FixedClock
from domain.members import keys
from domain.members.standing import forget
from domain.operations.commands import Draft, add, remove
from domain.settings import load
from tests.api.live.acts import ORDERS
from tests.api.live.conftest import PUBLIC, Place
from tests.api.live.wire import wired
from tests.serving import SECRET_KEY, running

SCREEN = "query Home { me { orders(first: 5) { nodes { id } } } }"


@pytest.fixture
async def services(db: str, clock: FixedClock) -> Services:
    """Production as it is without a setting, but for its points."""
    keys.forget()
    forget()
    settings = load(secret_key=SECRET_KEY, public_url=PUBLIC, open_operations=False, points_per_second=10, _env_file=None)
    found = services_for(settings, clock=clock)
    await keys.ensure_keys(found.vault, clock.now())
    return found


@pytest.fixture
async def base(services: Services) -> AsyncIterator[str]:
    async with running(create_app(services)) as found:
        yield found


async def registered(text: str, clock: FixedClock) -> str:
    draft = Draft(text, ("Shown",))
    await add([draft], clock.now())
    return draft.hash


async def test_a_stream_needs_a_registered_document(base: str, place: Place, clock: FixedClock) -> None:
    async with wired(base, place.token) as wire:
        await wire.subscribe(ORDERS)
        assert await wire.refusal() == ["PERSISTED_QUERY_REQUIRED"]
        digest = await registered(ORDERS, clock)
        await wire.subscribe(ORDERS)
        await wire.nothing_more()
        await wire.say(type="subscribe", id="by hash", payload={"documentId": digest})
        await wire.nothing_more()


async def test_a_screen_that_is_known_is_answered_only_while_it_is_registered(
    base: str, place: Place, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, answer = [], Operations.answer

    async def counted(self: Operations, *given: object) -> object:
        written.append(await answer(self, *given))  # type: ignore[arg-type]
        return written[-1]

    monkeypatch.setattr(Operations, "answer", counted)
    async with httpx.AsyncClient(base_url=base, trust_env=False, headers={"authorization": f"Bearer {place.token}"}) as http:

        async def codes() -> list[str]:
            found = (await http.post("/graphql", json={"query": SCREEN})).json()
            return [error["extensions"]["code"] for error in found.get("errors", [])]

        assert await codes() == ["PERSISTED_QUERY_REQUIRED"]
        digest = await registered(SCREEN, clock)
        assert await codes() == []
        assert len(written) == 1
        assert written[0] is not None
        await remove([digest])
        clock.at += timedelta(minutes=2)
        assert await codes() == ["PERSISTED_QUERY_REQUIRED"]
        assert len(written) == 1


async def test_streams_are_paid_for_as_they_begin(base: str, place: Place, clock: FixedClock) -> None:
    await registered(ORDERS, clock)
    async with wired(base, place.token) as wire:
        for _ in range(10):  # 20 points each, of 200
            await wire.subscribe("{ nobody registered this }")
            assert await wire.refusal() == ["PERSISTED_QUERY_REQUIRED"]
        await wire.subscribe(ORDERS)
        assert await wire.refusal() == ["THROTTLED"]
        clock.at += timedelta(seconds=30)
        await wire.subscribe(ORDERS)
        await wire.nothing_more()
