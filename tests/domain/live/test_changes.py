"""What the triggers write down and ring for, and how it is read."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain import db as database
from domain.ids import new_id
from domain.live import queries
from domain.live.rules import Bell, ChangeKind, topic, topics_of
from domain.notices.commands import NoticeDraft, enqueue, mark_read
from domain.notices.rules import NoticeKind
from tests import build
from tests.build import NOW
from tests.counter import JOBS, paid


async def written() -> list[tuple[str, object, object]]:
    return [tuple(row) for row in await database.fetch("select kind, member_id, object_id from live_change order by id")]  # type: ignore[misc]


async def test_nothing_is_written_for_who_is_no_member(db: str) -> None:
    shop = await build.a_shop()
    await paid(shop, [(await build.a_variant(shop), 1)], await build.a_buyer(shop))
    assert await written() == []


async def test_a_change_is_written_with_its_cause_or_not_at_all(db: str) -> None:
    shop, member = await build.a_shop(), await build.a_member()
    order = await build.an_order(shop, {await build.a_variant(shop): 1}, buyer=await build.a_buyer(shop, member_id=member))
    assert await written() == [("ORDER", member, order.id)]
    with pytest.raises(RuntimeError):
        async with database.transaction() as tx:
            await tx.execute('update "order" set version = version + 1')
            raise RuntimeError
    assert len(await written()) == 1
    await database.execute('update "order" set version = version + 1')
    assert await written() == [("ORDER", member, order.id)] * 2


async def test_a_notice_that_becomes_a_members_is_a_change_and_one_that_is_read_is_none(db: str) -> None:
    shop, member = await build.a_shop(), await build.a_member()
    buyer = await build.a_buyer(shop)
    async with database.transaction() as tx:
        await enqueue(tx, shop.id, [NoticeDraft(buyer.id, NoticeKind.ANNOUNCEMENT, "k", {})], now=NOW, jobs=JOBS)
    notice = await database.fetchval("select id from notice")
    assert await written() == []
    await database.execute("update notice set member_id = $1", member)
    assert await written() == [("NOTICE", member, notice)]
    assert await mark_read(member_id=member, ids=[notice], now=NOW) == 1
    assert len(await written()) == 1


async def test_changes_are_found_by_their_index_among_many(db: str) -> None:
    await database.execute(
        """insert into live_change (member_id, kind, object_id, at)
           select ('00000000-0000-7000-8000-' || lpad((n % 2000)::text, 12, '0'))::uuid, 'ORDER', gen_random_uuid(), $1 from generate_series(1, 40000) n""",
        NOW,
    )
    await database.execute("analyze live_change")
    member = await database.fetchval("select member_id from live_change limit 1")
    rows = await database.fetch("explain (format text) " + queries._CHANGES.replace("$1", f"'{member}'").replace("$2", "'ORDER'")
                                .replace("$3", "0").replace("$4", "'1:1:'"))  # fmt: skip
    plan = "\n".join(row[0] for row in rows)
    assert "Seq Scan on live_change" not in plan
    assert "member_id = " in plan


async def test_one_object_is_found_once_by_its_newest_change(db: str) -> None:
    member, (one, two) = new_id(), (new_id(), new_id())
    place = await queries.here(NOW)
    for object_id in (one, two, one):
        await database.execute(
            "insert into live_change (member_id, kind, object_id, at) values ($1, 'ORDER', $2, $3)", member, object_id, NOW
        )
    found = await queries.changes_since(member, ChangeKind.ORDER, place, now=NOW)
    assert found.objects == [two, one]
    again = await queries.changes_since(member, ChangeKind.ORDER, found.place, now=NOW)
    assert again.objects == []
    assert (await queries.changes_since(new_id(), ChangeKind.ORDER, place, now=NOW)).objects == []
    assert (await queries.changes_since(member, ChangeKind.NOTICE, place, now=NOW)).objects == []


async def test_only_sessions_that_run_stand(db: str) -> None:
    member = await build.a_member()
    ids = {name: new_id() for name in ("runs", "ended", "over")}
    for name, session_id in ids.items():
        await database.execute(
            """insert into session (id, member_id, installation_id, created_at, last_used_at, idle_until, ends_at, ended_at, ended_reason)
               values ($1, $2, 'x', $3, $3, $4, $4, $5, '')""",
            session_id, member, NOW, NOW if name == "over" else NOW + timedelta(days=1), NOW if name == "ended" else None,
        )  # fmt: skip
    assert await queries.standing([*ids.values(), new_id()], now=NOW) == {ids["runs"]: 1}


def test_topics_and_payloads_are_of_one_spelling() -> None:
    keys = [new_id() for _ in range(3)]
    assert topics_of("v" + ",".join(map(str, keys))) == [topic(Bell.VARIANT, key) for key in keys]
    assert topics_of("") == topics_of("v") == []
