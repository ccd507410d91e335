"""`once`: one effect per key, the same answer again, and nothing left of what failed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

import pytest

from domain import db as database
from domain.errors import DomainError, Unavailable
from domain.idempotency.commands import Refused, forget, once
from domain.idempotency.errors import KeyReused, KeyUnusable
from domain.ids import new_id
from tests.build import NOW

ME = UUID(int=1)


@dataclass
class Sour(DomainError):
    """A refusal of these tests."""

    code: ClassVar[str] = "SOUR"
    why: str


async def effect() -> dict[str, Any]:
    """One member row: what can be counted."""
    async with database.transaction() as tx:
        await tx.execute("insert into member (id, ver, display_name, locale, created_at) values ($1, 1, '', 'en', $2)", new_id(), NOW)
        number = await tx.fetchval("select count(*) from member")
    return {"number": number}


async def effects() -> int:
    found: int = await database.fetchval("select count(*) from member")
    return found


async def ask(action: Any = effect, *, key: str = "k", request: Any = None, actor: UUID = ME) -> Any:
    return await once(
        actor_id=actor,
        key=key,
        request=request or {"a": 1},
        action=action,
        describe=lambda e: {"code": e.code, "why": getattr(e, "why", "")},
        now=NOW,
    )


async def test_the_same_request_again_has_one_effect_and_the_same_answer(db) -> None:
    assert [await ask(), await ask(), await ask(request={"a": 1})] == [{"number": 1}] * 3
    assert await effects() == 1


async def test_another_request_with_the_key_is_refused(db) -> None:
    await ask()
    with pytest.raises(KeyReused):
        await ask(request={"a": 2})
    assert await effects() == 1


async def test_keys_are_each_actors_own_and_the_order_of_names_is_nothing(db) -> None:
    await ask(request={"a": 1, "b": 2})
    await ask(request={"b": 2, "a": 1})
    await ask(actor=UUID(int=2), request={"a": 3})
    await ask(key="other")
    assert await effects() == 3


async def test_a_refusal_is_kept_and_given_again(db) -> None:
    asked = 0

    async def sour() -> dict[str, Any]:
        nonlocal asked
        asked += 1
        await effect()
        raise Sour("old milk")

    async def sour_inside() -> dict[str, Any]:
        async with database.transaction() as tx:
            await tx.execute("insert into member (id, ver, display_name, locale, created_at) values ($1, 1, '', 'en', $2)", new_id(), NOW)
            return await sour()

    with pytest.raises(Sour):
        await ask(sour_inside)
    assert await effects() == 0
    with pytest.raises(Refused) as again:
        await ask(sour_inside)
    assert again.value.refusal == {"code": "SOUR", "why": "old milk"}
    assert asked == 1


async def test_what_the_action_committed_of_its_own_before_refusing_stays(db) -> None:
    """A refused scan is noted in the audit by a transaction of its own."""

    async def noted() -> dict[str, Any]:
        await effect()
        raise Sour("noted")

    with pytest.raises(Sour):
        await ask(noted)
    assert await effects() == 1


@pytest.mark.parametrize("error", [Unavailable(), RuntimeError("crash")])
async def test_a_passing_failure_leaves_no_trace(db, error) -> None:
    async def failing() -> dict[str, Any]:
        await effect()
        raise error

    with pytest.raises(type(error)):
        await ask(failing)
    assert (await effects(), await database.fetchval("select count(*) from idempotency_key")) == (0, 0)
    assert await ask() == {"number": 1}


async def slow() -> dict[str, Any]:
    found = await effect()
    await asyncio.sleep(0.05)  # long enough that the twin arrives while this one is open
    return found


async def test_two_at_once_have_one_effect_and_one_answer(db) -> None:
    assert await asyncio.gather(*(ask(slow) for _ in range(8))) == [{"number": 1}] * 8
    assert await effects() == 1


async def test_without_the_keys_row_first_two_at_once_have_two_effects(db) -> None:
    """The twin of the test above: look, act, then write the key."""

    async def careless() -> Any:
        async with database.transaction() as tx:
            row = await tx.fetchrow("select answer from idempotency_key where actor_id = $1 and key = 'k'", ME)
            if row is not None:
                return database.from_jsonb(row["answer"])
            found = await slow()
            await tx.execute(
                """insert into idempotency_key (id, actor_id, key, request_hash, answer, created_at) values ($1, $2, 'k', '', $3::jsonb, $4)
                   on conflict do nothing""",
                new_id(), ME, database.jsonb(found), NOW,
            )  # fmt: skip
            return found

    await asyncio.gather(*(careless() for _ in range(8)))
    assert await effects() > 1


async def test_a_twin_takes_over_when_the_first_fails(db) -> None:
    first_is_in = asyncio.Event()

    async def failing() -> dict[str, Any]:
        first_is_in.set()
        await slow()
        raise RuntimeError

    first = asyncio.create_task(ask(failing))
    await first_is_in.wait()
    assert await ask() == {"number": 1}
    with pytest.raises(RuntimeError):
        await first
    assert await effects() == 1


@pytest.mark.parametrize("key", ["", "x" * 121, "鍵", "a\nb", "a\0b", "\ud800"])
async def test_odd_keys_are_refused_before_anything_happens(db, key) -> None:
    with pytest.raises(KeyUnusable):
        await ask(key=key)
    assert await effects() == 0


async def test_old_keys_are_forgotten(db) -> None:
    await ask(key="old")
    await database.execute("update idempotency_key set created_at = $1", NOW - timedelta(days=3))
    await ask(key="new")
    assert await forget(before=NOW - timedelta(days=2)) == 1
    assert [row["key"] for row in await database.fetch("select key from idempotency_key")] == ["new"]
