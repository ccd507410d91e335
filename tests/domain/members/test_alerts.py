"""Members are told of copied tokens and of new devices: once each, and on which devices."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from domain import db as database
from domain.members import alerts, sessions
from domain.members.commands import register_device
from domain.members.errors import SignInRefused
from domain.members.rules import AlertKind, DevicePlatform, PushTarget
from domain.members.sessions import Grant
from domain.members.sweeping import forget_expired
from domain.vault import Vault
from tests.build import a_member
from tests.conftest import NOW

VAULT = Vault("a root secret that is used by tests only, 48 chars")


async def started(member_id: UUID, installation: str = "phone-1", now: datetime = NOW) -> Grant:
    async with database.transaction() as tx:
        return await sessions.start(tx, member_id, installation, now)


async def device(member_id: UUID, installation: str) -> None:
    await register_device(
        member_id=member_id, installation_id=installation, platform=DevicePlatform.IOS, target_kind=PushTarget.TOKEN,
        target=f"token-of-{installation}", locale="zh-TW", now=NOW,
    )  # fmt: skip


async def told(member_id: UUID) -> list[AlertKind]:
    return [alert.kind for alert in await alerts.alerts_of(member_id)]


async def reused(grant: Grant, installation: str = "phone-1", now: datetime = NOW) -> None:
    await sessions.refresh(grant.refresh_token, installation, VAULT, now)
    with pytest.raises(SignInRefused):
        await sessions.refresh(grant.refresh_token, installation, VAULT, now + timedelta(hours=1))


async def test_a_copied_token_is_told_once_and_to_every_device(db: str) -> None:
    member, other = await a_member(), await a_member()
    grant = await started(member)
    for installation in ("phone-1", "phone-2"):
        await device(member, installation)
    await device(other, "phone-9")
    await reused(grant)
    with pytest.raises(SignInRefused):
        await sessions.refresh(grant.refresh_token, "phone-1", VAULT, NOW + timedelta(hours=2))
    (alert,) = await alerts.alerts_of(member)
    assert (alert.kind, alert.session_id, alert.at) == (AlertKind.REUSED, grant.session_id, NOW + timedelta(hours=1))
    assert await told(other) == []
    (due,) = await alerts.claim_due(NOW + timedelta(hours=1))
    assert sorted(target.target for target in due.targets) == ["token-of-phone-1", "token-of-phone-2"]
    assert "token-of" not in repr(due)


async def test_a_lost_answer_is_no_copy(db: str) -> None:
    member = await a_member()
    grant = await started(member)
    for seconds in (0, 30):
        await sessions.refresh(grant.refresh_token, "phone-1", VAULT, NOW + timedelta(seconds=seconds))
    assert await told(member) == []


async def test_ten_thieves_at_once_make_one_alert(db: str) -> None:
    member = await a_member()
    grant = await started(member)
    await sessions.refresh(grant.refresh_token, "phone-1", VAULT, NOW)
    late = NOW + timedelta(hours=1)
    answers = await asyncio.gather(
        *(sessions.refresh(grant.refresh_token, "phone-1", VAULT, late) for _ in range(10)), return_exceptions=True
    )
    assert {type(answer) for answer in answers} == {SignInRefused}
    assert await told(member) == [AlertKind.REUSED]


async def test_a_new_device_is_told_to_the_others_and_the_first_one_to_nobody(db: str) -> None:
    member = await a_member()
    await started(member)
    assert await told(member) == []
    for installation in ("phone-1", "phone-2"):
        await device(member, installation)
    second = await started(member, "phone-2")
    (alert,) = await alerts.alerts_of(member)
    assert (alert.kind, alert.session_id) == (AlertKind.NEW_DEVICE, second.session_id)
    (due,) = await alerts.claim_due(NOW)
    assert [target.target for target in due.targets] == ["token-of-phone-1"]


async def test_a_known_device_is_not_new(db: str) -> None:
    member = await a_member()
    for installation in ("phone-1", "phone-2", "phone-1", "phone-2"):
        await sessions.end((await started(member, installation)).session_id, NOW)
        await started(member, installation)
    assert await told(member) == [AlertKind.NEW_DEVICE]


async def test_who_is_signed_in_nowhere_has_no_other_device_to_tell(db: str) -> None:
    ended, idle = await a_member(), await a_member()
    await sessions.end((await started(ended)).session_id, NOW)
    await started(ended, "phone-2")
    await started(idle)
    await started(idle, "phone-2", NOW + timedelta(days=30))
    assert await told(ended) == await told(idle) == []


async def test_an_alert_without_devices_stays_among_the_sessions(db: str) -> None:
    member = await a_member()
    await reused(await started(member))
    (due,) = await alerts.claim_due(NOW + timedelta(hours=1))
    assert due.targets == ()


async def test_a_claim_is_a_lease_and_what_is_marked_is_done(db: str) -> None:
    member = await a_member()
    await reused(await started(member))
    now = NOW + timedelta(hours=1)
    (due,) = await alerts.claim_due(now)
    assert await alerts.claim_due(now + timedelta(seconds=59)) == []
    (again,) = await alerts.claim_due(now + timedelta(seconds=60))
    assert again.id == due.id
    await alerts.mark_sent([due.id], now)
    assert await alerts.claim_due(now + timedelta(hours=1)) == []


async def test_two_workers_at_once_take_an_alert_once(db: str) -> None:
    for _ in range(10):
        await reused(await started(await a_member()))
    taken = await asyncio.gather(*(alerts.claim_due(NOW + timedelta(hours=1), limit=10) for _ in range(4)))
    ids = [alert.id for each in taken for alert in each]
    assert len(ids) == len(set(ids)) == 10


async def test_an_alert_is_given_up_after_ten_tries_or_a_day(db: str) -> None:
    await reused(await started(await a_member()))
    at = NOW + timedelta(hours=1)
    found = [len(await alerts.claim_due(at + timedelta(minutes=n))) for n in range(12)]
    assert found == [1] * 10 + [0] * 2
    await reused(await started(await a_member()))
    assert await alerts.claim_due(at + timedelta(hours=24)) == []


async def test_at_most_twenty_are_shown_and_old_ones_go(db: str) -> None:
    member = await a_member()
    for n in range(25):
        await reused(await started(member), now=NOW + timedelta(days=n))
    shown = await alerts.alerts_of(member)
    assert (len(shown), shown[0].at) == (20, NOW + timedelta(days=24, hours=1))
    await forget_expired(NOW + timedelta(days=185, hours=2))
    assert await database.fetchval("select min(at) from sign_in_alert") == NOW + timedelta(days=6, hours=1)
