"""Members who are named before they ever signed in."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from domain import db as database
from domain.members.commands import expect, sign_in
from domain.members.errors import SignInRefused
from domain.members.ports import ProvenIdentity
from tests import build
from tests.conftest import NOW


async def expected(subject: str = "U1") -> UUID:
    async with database.transaction() as tx:
        return await expect(tx, "line", subject, NOW)


async def signed_in(name: str, subject: str = "U1") -> UUID:
    async with database.transaction() as tx:
        return await sign_in(tx, ProvenIdentity("line", subject, name), NOW + timedelta(days=1))


async def counts() -> tuple[int, int]:
    return await database.fetchval("select count(*) from member"), await database.fetchval("select count(*) from identity")


async def test_the_first_sign_in_finds_the_member_and_gives_the_name(db):
    member_id = await expected()
    assert await signed_in("阿美") == member_id
    assert await database.fetchval("select display_name from member where id = $1", member_id) == "阿美"
    assert await signed_in("別的名字") == member_id
    assert await database.fetchval("select display_name from member where id = $1", member_id) == "阿美"
    assert await counts() == (1, 1)


async def test_whoever_signed_in_before_is_the_same_member_and_untouched(db):
    member_id = await signed_in("阿美")
    before = await database.fetchrow("select m, i from member m, identity i")
    assert await expected() == member_id
    assert await database.fetchrow("select m, i from member m, identity i") == before


async def test_expected_twice_or_at_once_is_one_member(db):
    assert len({*await asyncio.gather(*(expected() for _ in range(8)))}) == 1
    assert await expected("U2") != await expected("U1")
    assert await counts() == (2, 2)


async def test_buyers_are_linked_at_the_sign_in_and_not_before(db):
    buyer = await build.a_buyer(await build.a_shop(), provider="line", external_id="U1")
    member_id = await expected()
    assert await database.fetchval("select member_id from buyer where id = $1", buyer.id) is None
    await signed_in("阿美")
    assert await database.fetchval("select member_id from buyer where id = $1", buyer.id) == member_id


async def test_a_deleted_member_is_not_expected(db):
    member_id = await expected()
    await database.execute("update member set deleted_at = $2 where id = $1", member_id, NOW)
    with pytest.raises(SignInRefused):
        await expected()
    assert await counts() == (1, 1)
