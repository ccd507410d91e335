"""A shop tells its buyers: each person once, those who want it, lot by lot; three times a day at most."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from domain import db as database
from domain.errors import NotFound
from domain.ids import new_id
from domain.notices import announcements, settings
from domain.notices.announcements import Words
from domain.notices.errors import TooManyAnnouncements
from domain.notices.rules import NoticeKind
from domain.notices.settings import Wish
from domain.orders.rules import PaymentState
from domain.providers.pgqueuer_enqueue import PgQueuerJobs
from tests import books, build
from tests.parcels import PACKER

JOBS, NOW = PgQueuerJobs(), build.NOW


async def announce(shop: build.AShop, post: UUID | None = None, *, now: Any = NOW, title: str = "颱風停班") -> UUID:
    return await announcements.announce(
        shop_id=shop.id, post_id=post, words=Words(title, "明天照常"), by_member_id=new_id(), actor=PACKER, now=now, jobs=JOBS
    )


async def run(announcement: UUID) -> int:
    """Work off its jobs as the worker does; answers how many were told."""
    told, done = 0, 0
    while len(jobs := await books.queued("announce")) > done:
        payload, done = jobs[done], done + 1
        if payload["announcement"] == str(announcement):
            after = payload["after"]
            told += await announcements.tell_next(announcement, UUID(str(after)) if after else None, now=NOW, jobs=JOBS)
    return told


async def told() -> list[UUID]:
    return sorted(row["member_id"] for row in await database.fetch("select member_id from notice where kind = 'ANNOUNCEMENT'"))


async def test_every_buyer_with_the_app_is_told_once_and_nobody_else(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announcements, "LOT", 3)
    shop, other = await build.a_shop(), await build.a_shop()
    people = [await build.a_member() for _ in range(7)]
    for member in people:
        await build.a_buyer(shop, member_id=member)
    await build.a_buyer(shop, member_id=people[0], provider="line")
    await build.a_buyer(shop)
    await build.a_buyer(other, member_id=await build.a_member())
    made = await announce(shop)
    assert await run(made) == 7
    assert await told() == sorted(people)
    row = await database.fetchrow("select told, done_at from announcement")
    assert row is not None
    assert (row["told"], row["done_at"]) == (7, NOW)
    facts = database.from_jsonb(await database.fetchval("select data from notice limit 1"))
    assert (facts["title"], facts["body"], facts["shopName"]) == ("颱風停班", "明天照常", "小鹿團購")
    assert await announcements.tell_next(made, None, now=NOW, jobs=JOBS) == 0
    assert len(await told()) == 7
    assert await database.fetchval("select count(*) from audit_entry where action = 'announcement.create'") == 1


async def test_a_lot_that_is_told_twice_tells_nobody_twice(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announcements, "LOT", 2)
    shop = await build.a_shop()
    for _ in range(3):
        await build.a_buyer(shop, member_id=await build.a_member())
    made = await announce(shop)
    assert [await announcements.tell_next(made, None, now=NOW, jobs=JOBS) for _ in range(2)] == [2, 0]
    await run(made)
    assert len(await told()) == 3


async def test_who_wants_no_announcements_gets_none_and_who_is_muted_gets_no_push(db: str) -> None:
    shop = await build.a_shop()
    nowhere, not_here, muted, plain = [await build.a_member() for _ in range(4)]
    for member in (nowhere, not_here, muted, plain):
        await build.a_buyer(shop, member_id=member)
        await build.a_device(member)
    await settings.wish(member_id=nowhere, wanted=Wish(kinds={NoticeKind.ANNOUNCEMENT: False}), now=NOW)
    await settings.wish_of_shop(member_id=not_here, shop_id=shop.id, kinds={NoticeKind.ANNOUNCEMENT: False}, now=NOW)
    await settings.wish_of_shop(member_id=muted, shop_id=shop.id, muted=True, now=NOW)
    assert await run(await announce(shop)) == 2
    assert await told() == sorted([muted, plain])


async def test_of_a_post_those_are_told_who_ordered_there(db: str) -> None:
    shop = await build.a_shop()
    post = await build.a_post(shop)
    people = [await build.a_buyer(shop, member_id=await build.a_member()) for _ in range(3)]
    variant = await build.a_variant(shop, on_hand=9)
    await build.an_order(shop, {variant: 1}, buyer=people[0], post=post)
    await build.an_order(shop, {variant: 1}, buyer=people[1], payment=PaymentState.PAID)
    assert await run(await announce(shop, post.id)) == 1
    assert await told() == [people[0].member_id]
    with pytest.raises(NotFound):
        await announce(shop, new_id())
    with pytest.raises(NotFound):
        await announce(await build.a_shop(), post.id)


async def test_three_within_a_day_and_not_one_more(db: str) -> None:
    shop, other = await build.a_shop(), await build.a_shop()
    for hours in (0, 8, 16):
        await announce(shop, now=NOW + timedelta(hours=hours))
    with pytest.raises(TooManyAnnouncements):
        await announce(shop, now=NOW + timedelta(hours=23))
    assert await database.fetchval("select count(*) from announcement") == 3
    await announce(other, now=NOW + timedelta(hours=23))
    await announce(shop, now=NOW + timedelta(hours=24, seconds=1))


async def test_many_at_once_are_still_three(db: str) -> None:
    shop = await build.a_shop()
    done = await asyncio.gather(*(announce(shop) for _ in range(6)), return_exceptions=True)
    assert sum(isinstance(each, TooManyAnnouncements) for each in done) == 3
    assert await database.fetchval("select count(*) from announcement") == 3
