"""Attack A5: refresh tokens are used once, a lost answer can be had again, a copied token ends the family."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from datetime import timedelta

import asyncpg
import pytest

from domain import db as database
from domain.ids import new_id
from domain.members import sessions
from domain.members.commands import sign_in
from domain.members.errors import SignInRefused
from domain.members.ports import ProvenIdentity
from domain.members.sessions import REUSED, Grant
from domain.vault import Vault
from tests.conftest import NOW

VAULT = Vault("a root secret that is used by tests only, 48 chars")
PHONE = "phone-1"


@pytest.fixture
async def grant(db) -> Grant:
    async with database.transaction() as tx:
        member_id = await sign_in(tx, ProvenIdentity("line", "U1"), NOW)
        return await sessions.start(tx, member_id, PHONE, NOW)


async def refresh(token: str, now=NOW, installation: str = PHONE) -> Grant:
    return await sessions.refresh(token, installation, VAULT, now)


async def session_of(grant: Grant) -> database.Record:
    row = await database.fetchrow("select * from session where id = $1", grant.session_id)
    assert row is not None
    return row


async def tokens() -> int:
    return await database.fetchval("select count(*) from refresh_token")


async def test_a_token_is_256_random_bits_and_only_its_hash_is_kept(grant):
    raw = base64.urlsafe_b64decode(grant.refresh_token + "=")
    assert len(raw) == 32
    everything = [dict(row) for row in await database.fetch("select * from refresh_token")]
    assert [row["hash"] for row in everything] == [hashlib.sha256(raw).hexdigest()]
    assert grant.refresh_token not in str(everything) + repr(grant)
    assert raw.hex() not in str(everything)


async def test_each_use_gives_a_successor_in_the_same_family(grant):
    seen = {grant.refresh_token}
    current = grant
    for minutes in range(1, 6):
        current = await refresh(current.refresh_token, NOW + timedelta(minutes=10 * minutes))
        assert (current.session_id, current.member_id, current.ver) == (grant.session_id, grant.member_id, 1)
        seen.add(current.refresh_token)
    assert len(seen) == await tokens() == 6


async def test_a_lost_answer_can_be_had_again_within_thirty_seconds(grant):
    first = await refresh(grant.refresh_token)
    again = await refresh(grant.refresh_token, NOW + timedelta(seconds=30))
    assert again == first
    assert await tokens() == 2
    assert (await session_of(grant))["ended_at"] is None
    # The successor still works, once the answer has arrived.
    assert (await refresh(first.refresh_token, NOW + timedelta(seconds=31))).session_id == grant.session_id


@pytest.mark.parametrize("late", [31, 3600, 86_400 * 20])
async def test_a_token_used_again_later_ends_the_family_and_raises_the_alarm(grant, late):
    before = REUSED._value.get()
    successor = await refresh(grant.refresh_token)
    with pytest.raises(SignInRefused):
        await refresh(grant.refresh_token, NOW + timedelta(seconds=late))
    row = await session_of(grant)
    assert (row["ended_reason"], row["ended_at"]) == ("REUSE", NOW + timedelta(seconds=late))
    assert REUSED._value.get() == before + 1
    with pytest.raises(SignInRefused):
        await refresh(successor.refresh_token, NOW + timedelta(seconds=late))
    assert await tokens() == 2


async def test_a_token_whose_successor_was_used_ends_the_family_even_within_thirty_seconds(grant):
    successor = await refresh(grant.refresh_token)
    await refresh(successor.refresh_token, NOW + timedelta(seconds=1))
    with pytest.raises(SignInRefused):
        await refresh(grant.refresh_token, NOW + timedelta(seconds=2))
    assert (await session_of(grant))["ended_reason"] == "REUSE"


async def test_reuse_ends_one_family_only(grant):
    async with database.transaction() as tx:
        other = await sessions.start(tx, grant.member_id, "phone-2", NOW)
    await refresh(grant.refresh_token)
    with pytest.raises(SignInRefused):
        await refresh(grant.refresh_token, NOW + timedelta(hours=1))
    assert (await refresh(other.refresh_token, NOW + timedelta(hours=1), "phone-2")).session_id == other.session_id


async def test_another_installation_gets_nothing_and_uses_nothing_up(grant):
    with pytest.raises(SignInRefused):
        await refresh(grant.refresh_token, installation="phone-2")
    assert (await session_of(grant))["ended_at"] is None
    assert (await refresh(grant.refresh_token)).session_id == grant.session_id


async def test_a_session_idle_for_thirty_days_is_over(grant):
    assert (await session_of(grant))["idle_until"] == NOW + timedelta(days=30)
    with pytest.raises(SignInRefused):
        await refresh(grant.refresh_token, NOW + timedelta(days=30))
    successor = await refresh(grant.refresh_token, NOW + timedelta(days=30, seconds=-1))
    assert (await session_of(grant))["idle_until"] == NOW + timedelta(days=60, seconds=-1)
    with pytest.raises(SignInRefused):
        await refresh(successor.refresh_token, NOW + timedelta(days=60))


async def test_no_session_lives_longer_than_180_days(grant):
    current, at = grant, NOW
    for _ in range(6):
        at += timedelta(days=29)
        current = await refresh(current.refresh_token, at)
    assert (await session_of(grant))["idle_until"] == NOW + timedelta(days=180)
    with pytest.raises(SignInRefused):
        await refresh(current.refresh_token, NOW + timedelta(days=180))


@pytest.mark.parametrize(
    "token",
    [
        "",
        "A",
        "A" * 42,
        "A" * 43,
        "A" * 44,
        "=" * 43,
        "A" * 42 + "B",
        "\ud800" * 43,
        "\0" * 43,
        "Ａ" * 43,
        "A" * 42 + "\n",
        "A" * 100_000,
        "+" * 43,
    ],
)
async def test_what_is_no_token_of_ours_is_refused(grant, token):
    with pytest.raises(SignInRefused):
        await refresh(token)
    assert await tokens() == 1


async def test_every_changed_letter_makes_it_unknown(grant):
    for at in range(43):
        letter = "A" if grant.refresh_token[at] != "A" else "E"
        with pytest.raises(SignInRefused):
            await refresh(grant.refresh_token[:at] + letter + grant.refresh_token[at + 1 :])
    assert (await session_of(grant))["ended_at"] is None


async def test_after_sign_out_nothing_is_refreshed(grant):
    await sessions.end(grant.session_id, NOW)
    await sessions.end(grant.session_id, NOW + timedelta(hours=1))
    row = await session_of(grant)
    assert (row["ended_reason"], row["ended_at"]) == ("SIGN_OUT", NOW)
    with pytest.raises(SignInRefused):
        await refresh(grant.refresh_token)


async def test_signing_out_everywhere_ends_all_families_and_raises_ver(grant):
    async with database.transaction() as tx:
        other = await sessions.start(tx, grant.member_id, "phone-2", NOW)
    await sessions.end(other.session_id, NOW)
    await sessions.end_all(grant.member_id, NOW + timedelta(minutes=1))
    assert (await session_of(grant))["ended_reason"] == "SIGN_OUT_EVERYWHERE"
    assert (await session_of(other))["ended_reason"] == "SIGN_OUT"
    assert await database.fetchval("select ver from member where id = $1", grant.member_id) == 2
    with pytest.raises(SignInRefused):
        await refresh(grant.refresh_token)


async def test_a_deleted_member_gets_no_session_and_no_refresh(grant):
    await database.execute("update member set deleted_at = $1", NOW)
    with pytest.raises(SignInRefused):
        await refresh(grant.refresh_token)
    with pytest.raises(SignInRefused):
        async with database.transaction() as tx:
            await sessions.start(tx, grant.member_id, PHONE, NOW)
    with pytest.raises(SignInRefused):
        async with database.transaction() as tx:
            await sessions.start(tx, new_id(), PHONE, NOW)
    assert await database.fetchval("select count(*) from session") == 1


async def test_ten_uses_of_one_token_at_once_give_one_successor(grant):
    results = await asyncio.gather(*(refresh(grant.refresh_token) for _ in range(10)))
    assert len({result.refresh_token for result in results}) == 1
    assert await tokens() == 2
    assert (await session_of(grant))["ended_at"] is None


async def test_without_the_lock_two_uses_at_once_collide(grant, monkeypatch):
    """The twin: both find the token unused, and one of two honest answers is an error of the database."""
    both_looked = asyncio.Barrier(2)
    real = sessions._used_at

    async def unlocked(tx, token_hash):
        return await tx.fetchrow(
            """select s.*, m.ver, m.deleted_at, false as staff from session s join member m on m.id = s.member_id
               where s.id = (select session_id from refresh_token where hash = $1)""",
            token_hash,
        )

    async def after_both(tx, token):
        used_at = await real(tx, token)
        await both_looked.wait()
        return used_at

    monkeypatch.setattr(sessions, "_locked_session", unlocked)
    monkeypatch.setattr(sessions, "_used_at", after_both)
    results = await asyncio.gather(refresh(grant.refresh_token), refresh(grant.refresh_token), return_exceptions=True)
    assert {type(result) for result in results} == {Grant, asyncpg.UniqueViolationError}


async def test_a_thief_and_the_owner_at_once_never_hold_two_living_families(grant):
    """Both know the parent; whoever moves on first, the other's next use of an old token ends the family."""
    owner = await refresh(grant.refresh_token)
    thief = await refresh(grant.refresh_token, NOW + timedelta(seconds=5))
    assert thief.refresh_token == owner.refresh_token
    results = await asyncio.gather(
        refresh(owner.refresh_token, NOW + timedelta(minutes=10)), refresh(thief.refresh_token, NOW + timedelta(minutes=10))
    )
    assert results[0] == results[1]
    await refresh(results[0].refresh_token, NOW + timedelta(minutes=20))
    with pytest.raises(SignInRefused):
        await refresh(results[1].refresh_token, NOW + timedelta(minutes=21))
    assert (await session_of(grant))["ended_reason"] == "REUSE"
