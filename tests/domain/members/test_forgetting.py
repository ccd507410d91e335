"""What is forgotten stays forgotten: an answer that was asked for before is not kept when it comes after."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from domain import db as database
from domain.members import keys, sessions, standing
from domain.members.commands import sign_in
from domain.members.ports import ProvenIdentity
from domain.members.rules import KeyUse
from domain.vault import Vault
from tests.conftest import NOW

VAULT = Vault("a root secret that is used by tests only, 48 chars")


@pytest.fixture(autouse=True)
async def clean(db: str) -> AsyncIterator[None]:
    keys.forget()
    standing.forget()
    yield
    keys.forget()
    standing.forget()


class Held:
    """Keeps back the first answer of a function of `domain.db`."""

    def __init__(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answered, self.go = asyncio.Event(), asyncio.Event()
        ask: Callable[..., Any] = getattr(database, name)

        async def held(*given: object) -> Any:
            found = await ask(*given)
            if not self.answered.is_set():
                self.answered.set()
                await self.go.wait()
            return found

        monkeypatch.setattr(database, name, held)


@pytest.mark.parametrize("everywhere", [False, True])
async def test_a_session_that_ends_while_it_is_asked_about_is_not_remembered_as_running(
    monkeypatch: pytest.MonkeyPatch, everywhere: bool
) -> None:
    async with database.transaction() as tx:
        member_id = await sign_in(tx, ProvenIdentity("line", "U1"), NOW)
        grant = await sessions.start(tx, member_id, "phone-1", NOW)
    held = Held("fetchrow", monkeypatch)
    asking = asyncio.create_task(standing.standing_of(grant.session_id, NOW))
    await held.answered.wait()
    await (sessions.end_all(member_id, NOW) if everywhere else sessions.end(grant.session_id, NOW))
    held.go.set()
    before = await asking
    assert before is not None
    assert not before.ended  # as it was when it was asked
    after = await standing.standing_of(grant.session_id, NOW)
    assert after is not None
    assert after.ended


async def test_a_key_that_is_revoked_while_keys_are_read_is_not_taken_up_again(monkeypatch: pytest.MonkeyPatch) -> None:
    await keys.ensure_keys(VAULT, NOW)
    (first,) = await keys.public_keys(KeyUse.ACCESS, NOW)
    keys.forget()
    held = Held("fetch", monkeypatch)
    asking = asyncio.create_task(keys.public_keys(KeyUse.ACCESS, NOW))
    await held.answered.wait()
    await keys.revoke(first.kid, VAULT, NOW)
    held.go.set()
    assert first.kid not in {key.kid for key in await asking}
    assert (await keys.active_key(KeyUse.ACCESS, NOW)).kid != first.kid
    assert first.kid not in {key.kid for key in await keys.public_keys(KeyUse.ACCESS, NOW)}
