"""`plusone keys`: what it shows, that a rotation overlaps, that a dropped key counts no longer, and that no private key is shown."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api.auth.tokens import issue_access, verify_access
from api.auth.viewer import Unauthenticated
from domain import db as database
from domain.db import Record
from domain.members import keys, sessions
from domain.members.keyring import KeyState, keyring
from domain.members.rules import KeyUse
from domain.vault import Vault
from tests import build
from tests.conftest import NOW
from tests.serving import SECRET_KEY, environment, plusone

VAULT = Vault(SECRET_KEY)
Run = Callable[..., Awaitable[subprocess.CompletedProcess[str]]]


@pytest.fixture
async def run(db: str, tmp_path: Path) -> Run:
    """Runs `plusone keys …` on this database; a fresh process of ours knows no keys."""
    keys.forget()

    async def go(*arguments: str, secret: str = SECRET_KEY, fresh: bool = False) -> subprocess.CompletedProcess[str]:
        env = environment(PLUSONE_SECRET_KEY=secret, DATABASE_URL=db, PLUSONE_LOG_LEVEL="WARNING", PYTHONUTF8="1", COLUMNS="160")
        done = await asyncio.to_thread(plusone, "keys", *arguments, cwd=tmp_path, env=env, fresh=fresh)
        assert "Traceback" not in done.stderr
        return done

    return go


async def rows() -> list[Record]:
    return await database.fetch("select * from signing_key order by use, number")


async def test_an_empty_database_has_no_keys_and_listing_makes_none(run: Run) -> None:
    done = await run("list", fresh=True)
    assert (done.returncode, "no keys yet" in done.stdout, await rows()) == (0, True, [])


async def test_every_key_is_listed_with_what_it_is_doing_and_no_private_half(run: Run) -> None:
    now = datetime.now(UTC)
    await keys.ensure_keys(VAULT, now - timedelta(days=200))
    for use, days in ((KeyUse.ACCESS, 190), (KeyUse.ACCESS, 100), (KeyUse.ACCESS, 0), (KeyUse.RECEIPT, 10)):
        await keys.rotate(use, VAULT, now - timedelta(days=days))
    (pickup,) = [key for key in await keyring(now) if key.use is KeyUse.PICKUP]
    await keys.revoke(pickup.kid, VAULT, now)
    done = await run("list")
    assert done.returncode == 0
    found = re.findall(r"│ (access|pickup|receipt) +│ (\d+) +│ (\w+) +│", done.stdout)
    assert found == [
        ("access", "3", "next"),
        ("access", "2", "signs"),
        ("access", "1", "ended"),
        ("access", "0", "ended"),
        ("pickup", "1", "signs"),
        ("pickup", "0", "revoked"),
        ("receipt", "1", "signs"),
        ("receipt", "0", "honoured"),
    ]
    assert "`plusone keys rotate access`" in done.stdout, "its key has signed for 99 days"
    assert "rotate receipt" not in done.stdout
    for row in await rows():
        assert row["kid"] in done.stdout
        assert row["private_encrypted"] not in done.stdout


async def test_the_ring_agrees_with_what_signs(db: str) -> None:
    keys.forget()
    await keys.ensure_keys(VAULT, NOW)
    await keys.rotate(KeyUse.ACCESS, VAULT, NOW)
    for hours in (0, 23, 24, 47, 48, 72):
        now = NOW + timedelta(hours=hours)
        for use in KeyUse:
            ring = [key for key in await keyring(now) if key.use is use]
            (signs,) = [key.kid for key in ring if key.state is KeyState.SIGNS]
            assert signs == (await keys.active_key(use, now)).kid
            counts = [key.kid for key in ring if key.state in (KeyState.NEXT, KeyState.SIGNS, KeyState.HONOURED)]
            assert counts == [key.kid for key in await keys.public_keys(use, now)]


async def test_a_rotation_overlaps_and_tokens_hold_all_the_way(run: Run) -> None:
    now = datetime.now(UTC)
    await keys.ensure_keys(VAULT, now)
    first = await keys.active_key(KeyUse.ACCESS, now)
    done = await run("rotate", "access", fresh=True)
    assert done.returncode == 0
    old, new = [row for row in await rows() if row["use"] == "ACCESS"]
    assert (old["kid"], new["kid"] in done.stdout) == (first.kid, True)
    assert timedelta(hours=23, minutes=59) < new["not_before"] - now < timedelta(hours=24, minutes=5)
    assert old["not_after"] - new["not_before"] == timedelta(hours=24)
    keys.forget()
    member = await build.a_member()
    async with database.transaction() as tx:
        grant = await sessions.start(tx, member, "phone-1", now)
    for at, kid in ((now, old["kid"]), (new["not_before"] - timedelta(minutes=1), old["kid"]), (new["not_before"], new["kid"])):
        assert (await keys.active_key(KeyUse.ACCESS, at)).kid == kid
        issued = await issue_access(member, grant.session_id, grant.ver, issuer="https://p.test", now=at)
        # Nine minutes later the key may have changed; the token holds.
        assert (await verify_access(issued.text, issuer="https://p.test", now=at + timedelta(minutes=9))).member_id == member


async def test_a_second_rotation_does_nothing_while_the_next_key_waits(run: Run) -> None:
    assert (await run("rotate", "pickup")).returncode == 0
    before = [dict(row) for row in await rows()]
    again = await run("rotate", "pickup")
    assert (again.returncode, "published already" in again.stdout) == (0, True)
    assert [dict(row) for row in await rows()] == before
    assert [(row["use"], row["number"]) for row in await rows()] == [("ACCESS", 0), ("PICKUP", 0), ("PICKUP", 1), ("RECEIPT", 0)]


async def test_a_young_key_is_left_when_only_old_ones_are_meant(run: Run) -> None:
    await keys.ensure_keys(VAULT, datetime.now(UTC) - timedelta(days=89))
    young = await run("rotate", "receipt", "--older-than", "90")
    assert (young.returncode, "89 days, less than 90" in young.stdout, len(await rows())) == (0, True, 3)
    old = await run("rotate", "receipt", "--older-than", "89")
    assert (old.returncode, "for ever" in old.stdout, len(await rows())) == (0, True, 4)


async def test_a_revoked_key_counts_no_longer_and_another_signs(run: Run) -> None:
    now = datetime.now(UTC)
    await keys.ensure_keys(VAULT, now)
    member = await build.a_member()
    async with database.transaction() as tx:
        grant = await sessions.start(tx, member, "phone-1", now)
    issued = await issue_access(member, grant.session_id, grant.ver, issuer="https://p.test", now=now)
    dropped = await keys.active_key(KeyUse.ACCESS, now)
    done = await run("revoke", dropped.kid, "--yes")
    assert (done.returncode, "Access tokens signed with it are refused" in done.stdout) == (0, True)
    keys.forget()
    with pytest.raises(Unauthenticated):
        await verify_access(issued.text, issuer="https://p.test", now=now + timedelta(seconds=5))
    assert (await keys.active_key(KeyUse.ACCESS, now + timedelta(seconds=5))).number == 1
    twice = await run("revoke", dropped.kid, "--yes")
    assert (twice.returncode, "already" in twice.stdout, len(await rows())) == (0, True, 4)


async def test_nothing_is_revoked_without_a_yes_or_by_a_wrong_name(run: Run) -> None:
    now = datetime.now(UTC)
    await keys.ensure_keys(VAULT, now)
    key = await keys.active_key(KeyUse.RECEIPT, now)
    before = [dict(row) for row in await rows()]
    for arguments in ((key.kid,), (key.kid[:-1], "--yes"), ("-" + key.kid, "--yes"), (str(uuid4()), "--yes")):
        done = await run("revoke", *arguments)
        assert done.returncode == 1, arguments
    assert [dict(row) for row in await rows()] == before


async def test_a_key_id_may_begin_with_a_dash(run: Run) -> None:
    await keys.ensure_keys(VAULT, datetime.now(UTC))
    kid = "-" + keys.kid_of(Ed25519PrivateKey.generate().public_key().public_bytes_raw())[1:]
    await database.execute("update signing_key set kid = $1 where use = 'RECEIPT'", kid)
    done = await run("revoke", kid, "--yes", fresh=True)
    assert (done.returncode, "no longer verify" in done.stdout) == (0, True)
    assert await database.fetchval("select revoked_at is not null from signing_key where kid = $1", kid)


async def test_another_secret_changes_nothing(run: Run) -> None:
    """A key sealed with a secret that the running processes do not have would stop all sign-ins a day later."""
    await keys.ensure_keys(VAULT, datetime.now(UTC))
    key = await keys.active_key(KeyUse.ACCESS, datetime.now(UTC))
    before = [dict(row) for row in await rows()]
    for arguments in (("rotate", "access"), ("revoke", key.kid, "--yes")):
        done = await run(*arguments, secret="another-root-of-all-keys-0123456789")
        assert (done.returncode, "PLUSONE_SECRET_KEY" in done.stderr) == (1, True), arguments
    assert [dict(row) for row in await rows()] == before


@pytest.mark.parametrize("arguments", [("rotate",), ("rotate", "cursor"), ("rotate", "access", "--older-than", "-1"), ("revoke",)])
async def test_what_cannot_be_meant_is_refused(run: Run, arguments: tuple[str, ...]) -> None:
    assert (await run(*arguments)).returncode == 2
    assert await rows() == []
