"""Buckets of points: the arithmetic of their one instant, and settling what many processes spent."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import db as database
from domain.operations import buckets
from domain.operations.rules import REFILL_SECONDS, Kind, size_of
from tests.conftest import NOW
from tests.sql_recorder import recorded


@pytest.mark.parametrize(
    ("kind", "maximum", "rate"), [(Kind.MEMBER, 2_000, 100), (Kind.SHOP, 10_000, 500), (Kind.SCANNER, 2_000, 100), (Kind.ADDRESS, 20_000, 1_000)]
)  # fmt: skip
def test_the_sizes_are_those_of_the_docs(kind: Kind, maximum: int, rate: int) -> None:
    size = size_of(kind, 100)
    assert (size.maximum, size.rate) == (maximum, rate)


@pytest.mark.parametrize(("full_in", "left"), [(0, 2_000), (-5, 2_000), (0.01, 1_999), (10, 1_000), (20, 0), (25, -500)])
def test_what_is_left_follows_from_when_it_is_full(full_in: float, left: int) -> None:
    assert size_of(Kind.MEMBER, 100).left(1_000_000 + full_in, 1_000_000) == left


@given(st.lists(st.integers(1, 1_000), max_size=20), st.integers(1, 1_000))
def test_spending_then_waiting_gives_back_just_that(spent: list[int], rate: int) -> None:
    size = size_of(Kind.MEMBER, rate)
    full_at = 1_000.0 + sum(size.seconds(points) for points in spent)
    assert size.left(full_at, 1_000.0) == size.maximum - sum(spent)
    assert size.left(full_at, full_at) == size.maximum


async def full_in(key: str) -> float:
    """Seconds from NOW until this bucket is full, as its row says."""
    found = await database.fetchval("select full_at from cost_bucket where key = $1", key)
    return float((found - NOW).total_seconds())


def seconds(**spent: float) -> dict[str, timedelta]:
    return {key: timedelta(seconds=value) for key, value in spent.items()}


async def test_all_that_was_spent_is_one_statement_and_adds_up(db: str) -> None:
    with recorded() as sql:
        first = await buckets.settle(seconds(a=3, b=1), NOW)
    assert len(sql) == 1
    assert {key: (instant - NOW).total_seconds() for key, instant in first.items()} == {"a": 3, "b": 1}
    second = await buckets.settle(seconds(a=2, c=-1), NOW)
    assert {key: (instant - NOW).total_seconds() for key, instant in second.items()} == {"a": 5, "c": -1}
    assert [await full_in(key) for key in "abc"] == [5, 1, -1]


async def test_time_fills_and_what_comes_back_counts_from_now(db: str) -> None:
    await buckets.settle(seconds(a=3), NOW)
    await buckets.settle(seconds(a=1), NOW + timedelta(seconds=2))
    assert await full_in("a") == 4
    await buckets.settle(seconds(a=1), NOW + timedelta(seconds=60))
    assert await full_in("a") == 61
    await buckets.settle(seconds(a=-2), NOW + timedelta(seconds=60))
    assert await full_in("a") == 59


async def test_the_debt_is_bounded(db: str) -> None:
    for _ in range(5):
        await buckets.settle(seconds(a=15), NOW)
    assert await full_in("a") == 2 * REFILL_SECONDS


async def test_processes_that_settle_at_once_lose_nothing_and_never_wait_for_each_other_in_a_ring(db: str) -> None:
    keys = [f"k{n}" for n in range(40)]
    forth, back = {key: timedelta(milliseconds=10) for key in keys}, {key: timedelta(milliseconds=10) for key in reversed(keys)}
    await asyncio.gather(*(buckets.settle(forth if n % 2 else back, NOW) for n in range(20)))
    assert {await full_in(key) for key in keys} == {0.2}


async def test_full_buckets_are_forgotten(db: str) -> None:
    await buckets.settle(seconds(a=1, b=15), NOW)
    assert await buckets.forget_full(NOW + timedelta(seconds=REFILL_SECONDS + 2)) == 1
    assert [row["key"] for row in await database.fetch("select key from cost_bucket")] == ["b"]


async def test_the_buckets_are_written_to_no_log(db: str) -> None:
    assert await database.fetchval("select relpersistence::text from pg_class where relname = 'cost_bucket'") == "u"
