"""What has done its work is deleted; what still guards something stays."""

from __future__ import annotations

from datetime import timedelta

from domain import db as database
from domain.members import sessions
from domain.members.guesses import Limit, count
from domain.members.sweeping import forget_expired
from domain.vault import Vault
from tests.build import a_member
from tests.conftest import NOW

VAULT = Vault("a root secret that is used by tests only, 48 chars")


async def left(table: str) -> int:
    return await database.fetchval(f"select count(*) from {table}")


async def test_only_what_is_long_over_goes(db):
    await database.execute(
        "insert into login_attempt (nonce_hash, provider, expires_at, used_at) values ('n', 'line', $1, $2)",
        NOW + timedelta(minutes=10),
        NOW,
    )
    await database.execute("insert into seen_token (hash, until) values ('t', $1)", NOW + timedelta(hours=1))
    await count([Limit("x", 10, timedelta(hours=1))], NOW)
    assert await forget_expired(NOW + timedelta(hours=2)) == 0
    assert await forget_expired(NOW + timedelta(hours=2, minutes=11)) == 2
    assert await left("seen_token") == 1
    assert await forget_expired(NOW + timedelta(hours=3, seconds=1)) == 1
    assert [await left(table) for table in ("login_attempt", "seen_token", "guess_count")] == [0, 0, 0]


async def test_sessions_go_thirty_days_after_their_end_with_their_tokens(db):
    member_id = await a_member()
    async with database.transaction() as tx:
        ended, idle = [await sessions.start(tx, member_id, f"phone-{n}", NOW) for n in range(2)]
    await sessions.refresh(ended.refresh_token, "phone-0", VAULT, NOW)
    await sessions.end(ended.session_id, NOW)
    assert await forget_expired(NOW + timedelta(days=30)) == 0
    assert await forget_expired(NOW + timedelta(days=30, seconds=1)) == 3
    assert await database.fetchval("select id from session") == idle.session_id
    assert await forget_expired(NOW + timedelta(days=60)) == 0
    assert await forget_expired(NOW + timedelta(days=60, seconds=1)) == 2
    assert await left("refresh_token") == 0
