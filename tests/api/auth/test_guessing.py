"""Attack A6 over HTTP: how often one may guess."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from domain import db as database
from tests.api.auth.asking import assert_refused, exchange, refresh, signed_in


async def test_ten_wrong_guesses_of_an_installation_are_the_most(http, clock):
    for _ in range(10):
        assert_refused(await refresh(http, "A" * 43), 401, "UNAUTHENTICATED")
    answer = await refresh(http, "A" * 43)
    assert_refused(answer, 429, "TOO_MANY_REQUESTS")
    assert answer.headers["retry-after"] == "600"
    assert_refused(await exchange(http), 429, "TOO_MANY_REQUESTS")
    assert (await exchange(http, installationId="phone-2")).status_code == 200
    clock.at += timedelta(minutes=10)
    assert (await exchange(http)).status_code == 200


async def test_a_hundred_wrong_guesses_of_an_address_are_the_most(http, clock):
    tokens = await signed_in(http)
    for n in range(100):
        assert_refused(await refresh(http, "A" * 43, f"guess-{n}"), 401, "UNAUTHENTICATED")
    answer = await refresh(http, tokens["refreshToken"])
    assert_refused(answer, 429, "TOO_MANY_REQUESTS")
    assert answer.headers["retry-after"] == "3600"
    clock.at += timedelta(hours=1)
    assert (await refresh(http, tokens["refreshToken"])).status_code == 200


async def test_guesses_at_once_are_counted_before_they_are_looked_at(http):
    answers = await asyncio.gather(*(refresh(http, "A" * 43) for _ in range(40)))
    assert sorted(answer.status_code for answer in answers) == [401] * 10 + [429] * 30


async def test_right_ones_do_not_count(http):
    for n in range(105):
        assert (await exchange(http, f"dev:line:U{n % 3}")).status_code == 200
    assert await database.fetch("select 1 from guess_count where guesses <> 0") == []


async def test_who_guessed_is_not_readable(http):
    await refresh(http, "A" * 43, "secret-installation")
    scopes = [row["scope"] for row in await database.fetch("select scope from guess_count")]
    assert len(scopes) == 2
    assert not any("secret-installation" in scope or "127.0.0.1" in scope for scope in scopes)
