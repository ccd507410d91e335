"""Whoever works in a shop has shorter sessions: 12 hours of rest, 7 days of life."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import pytest

from domain import db as database
from domain.members import sessions
from domain.members.errors import SignInRefused
from domain.members.sessions import Grant
from domain.shops.rules import Role
from domain.vault import Vault
from tests import build
from tests.conftest import NOW

VAULT = Vault("a root secret that is used by tests only, 48 chars")


async def started(member_id: UUID, now: datetime = NOW) -> Grant:
    async with database.transaction() as tx:
        return await sessions.start(tx, member_id, "phone-1", now)


async def refresh(grant: Grant, **later: float) -> Grant:
    return await sessions.refresh(grant.refresh_token, "phone-1", VAULT, NOW + timedelta(**later))


async def limits(grant: Grant) -> tuple[timedelta, timedelta]:
    row = await database.fetchrow("select idle_until, ends_at from session where id = $1", grant.session_id)
    assert row is not None
    return row["idle_until"] - NOW, row["ends_at"] - NOW


@pytest.mark.parametrize("role", list(Role))
async def test_every_role_rests_twelve_hours_and_lives_seven_days(db: str, role: Role) -> None:
    member = await build.a_membership(await build.a_shop(), role=role)
    grant = await started(member)
    assert await limits(grant) == (timedelta(hours=12), timedelta(days=7))
    with pytest.raises(SignInRefused):
        await refresh(grant, hours=12)
    for hours in range(11, 7 * 24, 11):
        grant = await refresh(grant, hours=hours)
    assert await limits(grant) == (timedelta(days=7), timedelta(days=7))
    with pytest.raises(SignInRefused):
        await refresh(grant, days=7)


async def test_a_role_given_today_counts_today(db: str) -> None:
    shop, member = await build.a_shop(), await build.a_member()
    long, short = await started(member), await started(member)
    assert await limits(long) == (timedelta(days=30), timedelta(days=180))
    await build.a_membership(shop, member_id=member)
    with pytest.raises(SignInRefused):
        await refresh(long, hours=12)
    short = await refresh(short, hours=11)
    assert (await limits(short))[0] == timedelta(hours=23)
    old = await started(member, NOW - timedelta(days=8))
    await database.execute(
        "update session set last_used_at = $2, idle_until = $3, ends_at = $3 where id = $1", old.session_id, NOW, NOW + timedelta(days=9)
    )
    with pytest.raises(SignInRefused):
        await refresh(old, hours=1)


async def test_who_worked_once_is_a_buyer_again(db: str) -> None:
    shop, member = await build.a_shop(), await build.a_member()
    await build.a_membership(shop, member_id=member)
    grant = await started(member)
    await database.execute("update membership set ended_at = $1", NOW)
    grant = await refresh(grant, hours=1)
    assert await limits(grant) == (timedelta(days=7), timedelta(days=7))
    assert await limits(await started(member)) == (timedelta(days=30), timedelta(days=180))
