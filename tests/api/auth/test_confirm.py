"""A fresh sign-in: the person of a running session proves again who they are."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest

from domain import db as database
from domain.ids import new_id
from domain.members import freshness
from domain.members.errors import SignInAgain
from domain.members.rules import FRESH_ACT
from tests.api.auth.asking import assert_refused, bearer, counts, nonce_for, signed_in
from tests.conftest import NOW

HOUR = timedelta(hours=1)


async def confirm(http: httpx.AsyncClient, tokens: dict[str, Any] | None, token: str = "dev:line:U1", **changes: Any) -> httpx.Response:
    body: dict[str, Any] = {"provider": "dev", "idToken": token} | changes
    if "nonce" not in body:
        body["nonce"] = await nonce_for(http, body["provider"])
    return await http.post("/auth/confirm", json=body, headers=bearer(tokens) if tokens else {})


async def confirmed() -> list[Any]:
    return [row["confirmed_at"] for row in await database.fetch("select confirmed_at from session order by id")]


async def test_a_session_is_fresh_for_five_minutes_and_again_after_a_yes(http, clock):
    tokens = await signed_in(http)
    session, member = (await database.fetchrow("select id, member_id from session")).values()
    clock.at = NOW + FRESH_ACT
    await freshness.require(session, member, clock.now())
    clock.at += timedelta(seconds=1)
    with pytest.raises(SignInAgain):
        await freshness.require(session, member, clock.now())
    response = await confirm(http, tokens)
    assert (response.status_code, response.json()) == (200, {"freshUntil": "2026-11-21T08:10:01Z"})
    assert response.headers["cache-control"] == "no-store"
    await freshness.require(session, member, clock.now() + FRESH_ACT)
    with pytest.raises(SignInAgain):
        await freshness.require(session, member, clock.now() + FRESH_ACT + timedelta(seconds=1))


async def test_it_makes_no_session_no_token_and_no_longer_life(http):
    tokens = await signed_in(http)
    before, row = await counts(), await database.fetchrow("select idle_until, ends_at, last_used_at from session")
    assert (await confirm(http, tokens)).status_code == 200
    assert await counts() == before | {name: before[name] + 1 for name in ("login_attempt", "seen_token")}
    assert await database.fetchrow("select idle_until, ends_at, last_used_at from session") == row


async def test_another_identity_of_the_member_will_do_and_anybody_elses_will_not(http):
    tokens = await signed_in(http)
    await signed_in(http, "dev:line:U2", installationId="phone-2")
    member = await database.fetchval("select member_id from identity where subject = 'U1'")
    await database.execute(
        "insert into identity (id, member_id, provider, subject, created_at, last_seen_at) values ($1, $2, 'facebook', 'g', $3, $3)",
        new_id(), member, NOW,
    )  # fmt: skip
    before = await counts()
    for somebody in ("dev:line:U2", "dev:line:nobody-yet"):
        assert_refused(await confirm(http, tokens, somebody), 401, "UNAUTHENTICATED")
    assert (await counts(), await confirmed()) == (before, [None, None])
    assert (await confirm(http, tokens, "dev:facebook:g")).status_code == 200
    assert await confirmed() == [NOW, None]


async def test_a_nonce_and_a_token_are_good_once_here_too(http):
    tokens = await signed_in(http)
    nonce = await nonce_for(http)
    assert (await confirm(http, tokens, nonce=nonce)).status_code == 200
    assert_refused(await confirm(http, tokens, nonce=nonce), 401, "UNAUTHENTICATED")
    assert_refused(await confirm(http, tokens, nonce="x" * 40), 401, "UNAUTHENTICATED")
    used = await nonce_for(http)
    await signed_in(http, nonce=used)
    assert_refused(await confirm(http, tokens, nonce=used), 401, "UNAUTHENTICATED")


async def test_who_is_not_signed_in_confirms_nothing(http):
    tokens = await signed_in(http)
    assert_refused(await confirm(http, None), 401, "UNAUTHENTICATED")
    assert (await http.post("/auth/sign-out", headers=bearer(tokens))).status_code == 204
    assert_refused(await confirm(http, tokens), 401, "UNAUTHENTICATED")
    assert await confirmed() == [None]


async def test_a_session_that_ended_in_the_same_moment_is_not_confirmed(http):
    """The twin of the check of the token, which may be 30 seconds behind: the statement itself looks."""
    tokens = await signed_in(http)
    await database.execute("update session set ended_at = $1", NOW)
    assert_refused(await confirm(http, tokens), 401, "UNAUTHENTICATED")
    assert await confirmed() == [None]


async def test_guesses_are_counted_by_session(http):
    tokens = await signed_in(http)
    for _ in range(10):
        assert_refused(await confirm(http, tokens, "dev:line:U2"), 401, "UNAUTHENTICATED")
    assert_refused(await confirm(http, tokens), 429, "TOO_MANY_REQUESTS")


@pytest.mark.parametrize(
    "changes", [{"provider": "nowhere", "nonce": "x"}, {"channel": "odd"}, {"extra": 1}, {"idToken": 1}, {"idToken": ""}]
)
async def test_odd_bodies_are_bad_requests(http, changes):
    assert_refused(await confirm(http, await signed_in(http), **changes), 400, "BAD_REQUEST")
