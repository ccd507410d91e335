"""Signing keys: one line per use, sealed at rest, safe when two processes start at once."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from datetime import timedelta

import asyncpg
import pytest

from domain import db as database
from domain.members import keys
from domain.members.errors import NoSigningKey
from domain.members.rules import KeyUse
from domain.vault import SealBroken, Vault
from tests.conftest import NOW

VAULT = Vault("a root secret that is used by tests only, 48 chars")


@pytest.fixture(autouse=True)
async def clean(db):
    keys.forget()
    keys._process.vault = None
    yield
    keys.forget()


async def rows() -> list[database.Record]:
    return await database.fetch("select * from signing_key order by use, number")


async def test_the_first_start_makes_one_key_of_each_use():
    await keys.ensure_keys(VAULT, NOW)
    await keys.ensure_keys(VAULT, NOW)
    found = await rows()
    assert [(row["use"], row["number"]) for row in found] == [("ACCESS", 0), ("PICKUP", 0), ("RECEIPT", 0)]
    assert len({row["kid"] for row in found}) == 3
    for row in found:
        assert row["kid"] == base64.urlsafe_b64encode(hashlib.sha256(row["public_key"]).digest()).rstrip(b"=").decode()


async def test_the_active_key_signs_what_the_public_key_checks():
    await keys.ensure_keys(VAULT, NOW)
    for use in KeyUse:
        active = await keys.active_key(use, NOW)
        (public,) = await keys.public_keys(use, NOW)
        assert (active.kid, active.number, active.use) == (public.kid, public.number, public.use)
        signature = active.sign(b"goods")
        assert public.verify(signature, b"goods")
        assert not public.verify(signature, b"other goods")
        assert not public.verify(b"", b"goods")


async def test_the_private_half_is_sealed_and_shown_nowhere():
    await keys.ensure_keys(VAULT, NOW)
    active = await keys.active_key(KeyUse.ACCESS, NOW)
    secret = active.private.private_bytes_raw()
    (row,) = [row for row in await rows() if row["use"] == "ACCESS"]
    assert VAULT.open(row["private_encrypted"]) == secret
    for shown in (secret.hex(), base64.b64encode(secret).decode()[:40], base64.urlsafe_b64encode(secret).decode()[:40]):
        assert shown not in str(dict(row))
        assert shown not in repr(active)
        assert shown not in repr(keys._process)


async def test_another_secret_key_opens_nothing():
    await keys.ensure_keys(VAULT, NOW)
    await keys.ensure_keys(Vault("another root secret, longer than 32 characters"), NOW)
    with pytest.raises(SealBroken):
        await keys.active_key(KeyUse.ACCESS, NOW)


async def test_without_ensure_keys_nothing_signs():
    with pytest.raises(NoSigningKey):
        await keys.active_key(KeyUse.ACCESS, NOW)
    assert await keys.public_keys(KeyUse.ACCESS, NOW) == ()


@pytest.mark.parametrize("first_need", [keys.active_key, keys.public_keys])
async def test_a_process_that_started_while_the_database_was_away_makes_the_keys_later(first_need):
    keys.sign_with(VAULT)
    assert await first_need(KeyUse.PICKUP, NOW)
    assert len(await rows()) == 3


async def test_eight_processes_that_start_at_once_make_one_key_of_each_use():
    await asyncio.gather(*(keys.ensure_keys(VAULT, NOW) for _ in range(8)))
    assert len(await rows()) == 3


async def test_without_the_turns_two_starts_collide(monkeypatch):
    """The twin: both find no key; the unique number stops the second, or, when the first was quick, there are two first keys."""
    both_looked = asyncio.Barrier(2)
    real = keys._insert

    async def no_turns(tx):
        return None

    async def after_both(tx, use, vault, *, not_before):
        if use is KeyUse.ACCESS:
            await both_looked.wait()
        return await real(tx, use, vault, not_before=not_before)

    monkeypatch.setattr(keys, "_one_at_a_time", no_turns)
    monkeypatch.setattr(keys, "_insert", after_both)
    results = await asyncio.gather(keys.ensure_keys(VAULT, NOW), keys.ensure_keys(VAULT, NOW), return_exceptions=True)
    collided = [type(result) for result in results if result] == [asyncpg.UniqueViolationError]
    assert collided or len([row for row in await rows() if row["use"] == KeyUse.ACCESS]) == 2


async def test_a_rotation_is_published_a_day_ahead_and_the_old_key_is_kept():
    await keys.ensure_keys(VAULT, NOW)
    first = await keys.active_key(KeyUse.ACCESS, NOW)
    second = await keys.rotate(KeyUse.ACCESS, VAULT, NOW)
    assert second.number == 1

    def later(**span: float):
        return NOW + timedelta(**span)

    assert [key.kid for key in await keys.public_keys(KeyUse.ACCESS, NOW)] == [second.kid, first.kid]
    assert (await keys.active_key(KeyUse.ACCESS, later(hours=23, minutes=59))).kid == first.kid
    assert (await keys.active_key(KeyUse.ACCESS, later(hours=24))).kid == second.kid
    assert [key.kid for key in await keys.public_keys(KeyUse.ACCESS, later(hours=47))] == [second.kid, first.kid]
    assert [key.kid for key in await keys.public_keys(KeyUse.ACCESS, later(hours=48))] == [second.kid]
    assert (await keys.active_key(KeyUse.ACCESS, later(days=3650))).kid == second.kid


async def test_receipts_can_be_checked_for_ever_and_pickup_codes_for_half_a_year():
    await keys.ensure_keys(VAULT, NOW)
    for use in (KeyUse.RECEIPT, KeyUse.PICKUP):
        await keys.rotate(use, VAULT, NOW)
    assert len(await keys.public_keys(KeyUse.RECEIPT, NOW + timedelta(days=3650))) == 2
    assert len(await keys.public_keys(KeyUse.PICKUP, NOW + timedelta(days=180))) == 2
    assert len(await keys.public_keys(KeyUse.PICKUP, NOW + timedelta(days=182))) == 1


async def test_the_emergency_switch_drops_a_key_and_another_signs():
    await keys.ensure_keys(VAULT, NOW)
    dropped = await keys.active_key(KeyUse.PICKUP, NOW)
    await keys.revoke(dropped.kid, VAULT, NOW)
    now_active = await keys.active_key(KeyUse.PICKUP, NOW)
    assert (now_active.number, now_active.kid != dropped.kid) == (1, True)
    assert [key.kid for key in await keys.public_keys(KeyUse.PICKUP, NOW)] == [now_active.kid]


async def test_keys_of_another_process_are_seen_within_thirty_seconds():
    await keys.ensure_keys(VAULT, NOW)
    await database.execute("update signing_key set revoked_at = $1 where use = 'ACCESS'", NOW)
    (revoked,) = await keys.public_keys(KeyUse.ACCESS, NOW + timedelta(seconds=29))
    (made,) = await keys.public_keys(KeyUse.ACCESS, NOW + timedelta(seconds=30))
    assert (revoked.number, made.number) == (0, 1)


async def test_a_process_whose_clock_is_a_little_behind_finds_the_first_key():
    await keys.ensure_keys(VAULT, NOW)
    await keys.ensure_keys(VAULT, NOW - timedelta(minutes=10))
    assert len(await rows()) == 3
    assert (await keys.active_key(KeyUse.ACCESS, NOW - timedelta(minutes=10))).number == 0
