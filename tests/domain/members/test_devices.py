"""Devices: pushes go to the person who is signed in on the phone, and to nobody who was."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from domain import db as database
from domain.ids import new_id
from domain.members import sessions
from domain.members.commands import register_device
from domain.members.errors import InvalidDevice
from domain.members.rules import DevicePlatform, PushTarget
from tests.build import a_buyer, a_member, a_shop
from tests.conftest import NOW

LATER = NOW + timedelta(hours=1)


async def register(member_id: UUID, installation: str = "phone-1", target: str = "token-1", now=NOW, **changes) -> UUID:
    given = {"platform": DevicePlatform.ANDROID, "target_kind": PushTarget.TOKEN, "locale": "zh-TW"} | changes
    return await register_device(member_id=member_id, installation_id=installation, target=target, now=now, **given)


async def targets(*members: UUID) -> list[tuple[UUID, str]]:
    """(member, target) of their devices that are not revoked."""
    rows = await database.fetch(
        """select member_id, target from device where member_id = any($1::uuid[]) and revoked_at is null
           order by member_id, created_at, id""",
        list(members),
    )
    return [(row["member_id"], row["target"]) for row in rows]


async def a_push(device_id: UUID, member_id: UUID) -> UUID:
    shop = await a_shop()
    buyer = await a_buyer(shop, member_id=member_id)
    notice_id, push_id = new_id(), new_id()
    await database.execute(
        "insert into notice (id, shop_id, buyer_id, member_id, kind, data, dedupe_key, created_at) values ($1, $2, $3, $4, 'ORDER_PLACED', '{}', 'x', $5)",
        notice_id, shop.id, buyer.id, member_id, NOW,
    )  # fmt: skip
    await database.execute(
        """insert into push_delivery (id, notice_id, device_id, state, tries, next_try_at, use_by, provider_id, last_error)
           values ($1, $2, $3, 'PENDING', 0, $4, $5, '', '')""",
        push_id, notice_id, device_id, NOW, LATER,
    )  # fmt: skip
    return push_id


async def push_state(push_id: UUID) -> str:
    return await database.fetchval("select state from push_delivery where id = $1", push_id)


async def test_a_device_is_registered_once_per_installation(db):
    member = await a_member()
    first = await register(member)
    second = await register(member, target="token-2", now=LATER, platform=DevicePlatform.IOS, target_kind=PushTarget.FID, locale="ja")
    assert first == second
    row = await database.fetchrow(
        "select member_id, platform, target_kind, target, locale, created_at, last_seen_at, revoked_at from device"
    )
    assert row is not None
    assert tuple(row) == (member, "IOS", "FID", "token-2", "ja", NOW, LATER, None)
    assert await database.fetchval("select count(*) from device") == 1


async def test_the_installation_moves_to_the_member_who_signs_in_on_it(db):
    anna, ben = await a_member(), await a_member()
    device = await register(anna)
    push = await a_push(device, anna)
    assert await register(ben, now=LATER) == device
    assert await targets(anna, ben) == [(ben, "token-1")]
    # Anna's notice must not show up on the phone that is Ben's now.
    assert await push_state(push) == "DROPPED"


async def test_the_same_member_again_loses_no_push(db):
    anna = await a_member()
    device = await register(anna)
    push = await a_push(device, anna)
    await register(anna, target="token-2", now=LATER)
    assert await push_state(push) == "PENDING"


async def test_a_target_that_another_installation_had_leaves_it(db):
    anna, ben = await a_member(), await a_member()
    old = await register(anna, "phone-1", "token-1")
    push = await a_push(old, anna)
    new = await register(ben, "phone-2", "token-1", now=LATER)
    assert new != old
    assert await targets(anna, ben) == [(ben, "token-1")]
    assert await database.fetchval("select revoked_at from device where id = $1", old) == LATER
    assert await push_state(push) == "DROPPED"


async def test_the_same_text_as_token_and_as_installation_id_are_two_targets(db):
    anna, ben = await a_member(), await a_member()
    await register(anna, "phone-1", "same", target_kind=PushTarget.TOKEN)
    await register(ben, "phone-2", "same", target_kind=PushTarget.FID)
    assert len(await targets(anna, ben)) == 2


async def test_devices_of_several_members_come_in_one_answer(db):
    members = sorted([await a_member() for _ in range(3)])
    for n, member in enumerate(members):
        await register(member, f"phone-{n}", f"token-{n}")
        await register(member, f"tablet-{n}", f"tablet-token-{n}", now=LATER)
    await database.execute("update device set revoked_at = $1 where installation_id = 'phone-1'", LATER)
    assert await targets(*members[:2]) == [(members[0], "token-0"), (members[0], "tablet-token-0"), (members[1], "tablet-token-1")]
    assert await targets() == []


async def test_sign_out_revokes_the_device_of_that_installation_only(db):
    anna = await a_member()
    async with database.transaction() as tx:
        grant = await sessions.start(tx, anna, "phone-1", NOW)
    await register(anna, "phone-1", "token-1")
    await register(anna, "phone-2", "token-2")
    await sessions.end(grant.session_id, LATER)
    assert await targets(anna) == [(anna, "token-2")]
    await register(anna, "phone-1", "token-1", now=LATER)
    assert len(await targets(anna)) == 2


async def test_sign_out_leaves_a_device_that_is_another_member_s_by_now(db):
    anna, ben = await a_member(), await a_member()
    async with database.transaction() as tx:
        grant = await sessions.start(tx, anna, "phone-1", NOW)
    await register(anna)
    await register(ben)
    await sessions.end(grant.session_id, LATER)
    assert await targets(ben) == [(ben, "token-1")]


async def test_signing_out_everywhere_revokes_all_devices(db):
    anna, ben = await a_member(), await a_member()
    for n in range(3):
        await register(anna, f"phone-{n}", f"token-{n}")
    await register(ben, "phone-9", "token-9")
    await sessions.end_all(anna, LATER)
    assert await targets(anna, ben) == [(ben, "token-9")]


@pytest.mark.parametrize("text", ["", " ", "a b", "\0", "a\0", "\ud800", "a\n", "é", "x" * 600])
@pytest.mark.parametrize("field", ["installationId", "target", "locale"])
async def test_a_text_that_no_device_has_is_refused(db, field, text):
    given = {"installationId": "phone-1", "target": "token-1", "locale": "zh-TW"} | {field: text}
    with pytest.raises(InvalidDevice) as refused:
        await register(await a_member(), given["installationId"], given["target"], locale=given["locale"])
    assert refused.value.field == field
    assert await database.fetchval("select count(*) from device") == 0


async def test_installations_that_swap_targets_at_once_do_not_deadlock(db):
    anna, ben = await a_member(), await a_member()
    for round_ in range(10):
        await register(anna, "phone-1", "token-1", now=NOW + timedelta(minutes=round_))
        await register(ben, "phone-2", "token-2", now=NOW + timedelta(minutes=round_))
        await asyncio.gather(register(anna, "phone-1", "token-2"), register(ben, "phone-2", "token-1"))
        rows = await database.fetch("select target from device where revoked_at is null")
        assert len({row["target"] for row in rows}) == len(rows)


async def test_a_target_claimed_by_ten_installations_at_once_is_one_s(db):
    members = [await a_member() for _ in range(10)]
    await asyncio.gather(*(register(member, f"phone-{n}", "token-1") for n, member in enumerate(members)))
    assert len(await targets(*members)) == 1
