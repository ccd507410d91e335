"""Codes of an authenticator app and recovery codes: each is good once, for its own member, in its own minute."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

import pyotp
import pytest

from domain import db as database
from domain.members import authenticators
from domain.members.errors import AuthenticatorKept, SignInRefused
from domain.vault import Vault
from tests.build import NOW, a_member

VAULT = Vault("a root secret that is used by tests only, 48 chars")
STEP = timedelta(seconds=30)
LATER = NOW + STEP


async def begun(member: UUID) -> pyotp.TOTP:
    return pyotp.TOTP((await authenticators.begin(member_id=member, shown_as="小美", vault=VAULT, now=NOW)).text)


async def an_authenticator(member: UUID) -> tuple[pyotp.TOTP, list[str]]:
    """Set up NOW, with its recovery codes; the code of NOW is used."""
    app = await begun(member)
    async with database.transaction() as tx:
        return app, await authenticators.keep(tx, member, app.at(NOW), VAULT, NOW)


async def use(member: UUID, code: str, now=LATER) -> bool:
    try:
        async with database.transaction() as tx:
            await authenticators.use(tx, member, code, VAULT, now)
    except SignInRefused:
        return False
    return True


async def test_a_secret_counts_from_its_first_code(db: str) -> None:
    member = await a_member()
    app = await begun(member)
    assert await authenticators.authenticator_of(member) is None
    assert not await use(member, app.at(LATER))
    for wrong in ("000000" if app.at(NOW) != "000000" else "111111", "", "12345", "1234567", "١٢٣٤٥٦"):
        with pytest.raises(SignInRefused):
            async with database.transaction() as tx:
                await authenticators.keep(tx, member, wrong, VAULT, NOW)
    assert await database.fetchval("select count(*) from recovery_code") == 0
    async with database.transaction() as tx:
        codes = await authenticators.keep(tx, member, app.at(NOW), VAULT, NOW)
    assert len(set(codes)) == 10
    assert await authenticators.authenticator_of(member) == authenticators.Authenticator(NOW, 10)
    assert not await use(member, app.at(NOW), NOW)
    assert await use(member, app.at(LATER))


async def test_a_second_secret_replaces_one_that_waits_and_none_that_counts(db: str) -> None:
    member = await a_member()
    first = await begun(member)
    second = await begun(member)
    async with database.transaction() as tx:
        with pytest.raises(SignInRefused):
            await authenticators.keep(tx, member, first.at(NOW), VAULT, NOW)
        await authenticators.keep(tx, member, second.at(NOW), VAULT, NOW)
    with pytest.raises(AuthenticatorKept):
        await begun(member)
    assert await use(member, second.at(LATER))


@pytest.mark.parametrize(("steps", "good"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
async def test_a_clock_may_be_half_a_minute_off(db: str, steps: int, good: bool) -> None:
    member = await a_member()
    app, _ = await an_authenticator(member)
    now = NOW + 10 * STEP
    assert await use(member, app.at(now + steps * STEP), now) is good


async def test_a_code_is_good_once_and_no_earlier_one_after_it(db: str) -> None:
    member = await a_member()
    app, _ = await an_authenticator(member)
    now = NOW + 10 * STEP
    assert await use(member, app.at(now), now)
    assert not await use(member, app.at(now), now)
    assert not await use(member, app.at(now - STEP), now)
    assert await use(member, app.at(now + STEP), now)


async def at_once(member: UUID, code: str, times: int = 6) -> int:
    return sum(await asyncio.gather(*(use(member, code) for _ in range(times))))


async def test_of_many_with_one_code_one_gets_through(db: str) -> None:
    member = await a_member()
    app, codes = await an_authenticator(member)
    assert await at_once(member, app.at(LATER)) == 1
    assert await at_once(member, codes[0]) == 1
    assert await authenticators.authenticator_of(member) == authenticators.Authenticator(NOW, 9)


async def test_without_the_look_at_the_row_all_get_through(db: str, monkeypatch) -> None:
    """The twin: what the guard is for."""
    monkeypatch.setattr(authenticators, "USE_STEP", "update authenticator set last_step = $2 where member_id = $1")
    member = await a_member()
    app, _ = await an_authenticator(member)
    assert await at_once(member, app.at(LATER)) == 6


async def test_a_recovery_code_is_good_once_however_it_is_written(db: str) -> None:
    member, other = await a_member(), await a_member()
    _, codes = await an_authenticator(member)
    await an_authenticator(other)
    assert not await use(other, codes[0])
    assert await use(member, f" {codes[0].lower()} ".replace("-", " "))
    assert not await use(member, codes[0])
    assert await use(member, codes[1])
    rows = [row["action"] for row in await database.fetch("select action from member_event where member_id = $1 order by id", member)]
    assert rows == ["AUTHENTICATOR_ADDED", "RECOVERY_CODE_USED", "RECOVERY_CODE_USED"]


async def test_the_tables_hold_neither_secret_nor_codes(db: str) -> None:
    member = await a_member()
    app, codes = await an_authenticator(member)
    rows = [await database.fetch(f"select * from {table}") for table in ("authenticator", "recovery_code", "member_event")]
    everything = "".join(str(tuple(row)) for found in rows for row in found)
    assert VAULT.open(await database.fetchval("select secret_encrypted from authenticator")).decode() == app.secret
    for hidden in (app.secret, *codes, *(code.replace("-", "") for code in codes)):
        assert hidden not in everything


async def test_under_another_key_of_the_settings_nothing_counts(db: str) -> None:
    member = await a_member()
    app, codes = await an_authenticator(member)
    other = Vault("another root secret that is used by tests only")
    for code in (app.at(LATER), codes[0]):
        with pytest.raises(SignInRefused):
            async with database.transaction() as tx:
                await authenticators.use(tx, member, code, other, LATER)


async def test_given_up_it_counts_no_more_and_can_be_set_up_anew(db: str) -> None:
    member = await a_member()
    app, codes = await an_authenticator(member)
    await authenticators.remove(member_id=member, now=NOW)
    assert not await use(member, app.at(LATER))
    assert not await use(member, codes[0])
    assert await database.fetchval("select (select count(*) from authenticator) + (select count(*) from recovery_code)") == 0
    await an_authenticator(member)
