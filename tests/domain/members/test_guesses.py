"""Attack A6: guesses are counted one by one, before they are looked at."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from domain import db as database
from domain.members import guesses
from domain.members.errors import TooManyGuesses
from domain.members.guesses import Limit, count, give_back, per_account, per_address
from tests.conftest import NOW

FEW = Limit("code:account:x", 3, timedelta(minutes=10))
MANY = Limit("code:address:y", 5, timedelta(hours=1))


async def allowed(*limits: Limit, now=NOW) -> bool:
    try:
        await count(limits, now)
    except TooManyGuesses:
        return False
    return True


async def test_as_many_as_the_limit_and_no_more(db):
    assert [await allowed(FEW) for _ in range(5)] == [True, True, True, False, False]


async def test_the_window_begins_with_the_first_guess_and_ends_whole(db):
    for minutes in (0, 5, 9):
        assert await allowed(FEW, now=NOW + timedelta(minutes=minutes))
    with pytest.raises(TooManyGuesses) as refused:
        await count([FEW], NOW + timedelta(minutes=9, seconds=30))
    assert refused.value.retry_after_seconds == 30
    assert [await allowed(FEW, now=NOW + timedelta(minutes=10)) for _ in range(4)] == [True, True, True, False]


async def test_each_limit_counts_by_itself_and_the_longest_wait_is_told(db):
    other = Limit("code:account:z", 3, timedelta(minutes=10))
    assert [await allowed(FEW, MANY) for _ in range(3)] == [True] * 3
    assert [await allowed(other, MANY) for _ in range(3)] == [True, True, False]
    with pytest.raises(TooManyGuesses) as refused:
        await count([FEW, MANY], NOW)
    assert refused.value.retry_after_seconds == 3600


async def test_a_right_guess_is_given_back(db):
    for _ in range(20):
        await count([FEW, MANY], NOW)
        await give_back([FEW, MANY])
    assert [row["guesses"] for row in await database.fetch("select guesses from guess_count")] == [0, 0]
    await give_back([FEW])
    assert await database.fetchval("select min(guesses) from guess_count") == 0


async def test_a_count_outlives_the_transaction_that_the_refusal_rolls_back(db):
    for _ in range(3):
        await count([FEW], NOW)
    assert not await allowed(FEW)


async def test_fifty_at_once_pass_three(db):
    assert sum(await asyncio.gather(*(allowed(FEW) for _ in range(50)))) == 3


async def test_looking_before_counting_would_pass_all_of_them(db, monkeypatch):
    """The twin: the count is read first and written after the guess."""
    all_looked = asyncio.Barrier(10)

    async def look_then_count(limit, now):
        seen = await database.fetchval("select coalesce(max(guesses), 0) from guess_count where scope = $1", limit.scope)
        await all_looked.wait()
        await real(limit, now)
        return None if seen < limit.most else limit.window

    real = guesses._count_one
    monkeypatch.setattr(guesses, "_count_one", look_then_count)
    assert sum(await asyncio.gather(*(allowed(FEW) for _ in range(10)))) == 10


async def test_the_limits_of_sign_in_are_those_of_the_bar(db):
    assert (per_account("k", "a").most, per_account("k", "a").window) == (10, timedelta(minutes=10))
    assert (per_address("k", "a").most, per_address("k", "a").window) == (100, timedelta(hours=1))
    assert per_account("k", "a" * 10_000).scope != per_account("k", "b").scope
    assert len(per_account("sign-in", "a" * 10_000).scope) <= 160
