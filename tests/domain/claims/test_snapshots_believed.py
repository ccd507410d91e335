"""Which lists of comments are believed: too many gone at once, comments that are seen again, and a list's place among comments."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from domain import db as database
from domain.claims.commands import ResolveAction, resolve
from domain.claims.rules import OnDelete
from domain.ids import new_id
from plusone.invariants import check
from tests.build import NOW
from tests.domain.claims.acts import STAFF
from tests.domain.claims.group import Group, a_group, minute
from tests.domain.claims.looks import seen, twice_without, two

KEEP, RELEASE = OnDelete.KEEP_AND_FLAG, OnDelete.RELEASE_IF_UNPAID


@pytest.fixture(autouse=True)
async def invariants_hold(db: str) -> AsyncIterator[None]:
    yield
    assert await check(NOW + timedelta(seconds=59)) == []


async def many(count: int, **policy: Any) -> Group:
    group = await a_group(on_hand=count, **policy)
    for n in range(1, count + 1):
        await group.tells(str(n), f"買家{n}", "+1" if n > 1 else "好美", 0)
    await group.drain()
    return group


def names(first: int, last: int) -> str:
    return " ".join(str(n) for n in range(first, last + 1))


@pytest.mark.parametrize(("count", "left", "gone"), [(9, 0, 9), (10, 5, 5), (11, 6, 5)])
async def test_few_of_many_or_any_of_few_may_be_gone(db: str, count: int, left: int, gone: int) -> None:
    group = await many(count, on_delete=RELEASE)
    await twice_without(group, names(1, left))
    assert (await group.outcomes(), len(await group.removed())) == (["SNAPSHOT"] * 2, gone)
    assert await group.level() == (count, max(left - 1, 0), 0)


async def test_more_than_half_of_ten_are_not_believed_and_the_shop_is_told(db: str) -> None:
    group = await many(10, on_delete=RELEASE)
    comments = [str(n) for n in range(1, 11)]
    before = await seen(group, comments)
    await twice_without(group, names(7, 10))
    after = await seen(group, comments)
    assert (await group.outcomes(), await group.removed()) == (["SNAPSHOT", "SNAPSHOT_HELD"], {})
    # The first one was chat: it holds nothing, and there is nothing to look at.
    assert after.outcomes == ["IGNORED NO_TRIGGER", *["ORDERED MISSING ?"] * 5, *["ORDERED"] * 4]
    assert after.orders == [f"買家{n} OPEN UNPAID 590" + (" !" if n < 7 else "") for n in (10, *range(2, 10))]
    assert (after.lines, after.levels, after.notices) == (before.lines, before.levels, before.notices)
    assert await group.missed() == [f"{n}!" for n in range(1, 7)]
    told = await database.fetch(
        "select object_type, detail from audit_entry where detail::text like '%MISSING%' or action = 'COMMENTS_GONE' order by 1, id"
    )
    assert [(row["object_type"], database.from_jsonb(row["detail"]).get("reason")) for row in told] == [
        *[("claim", "MISSING")] * 5,
        ("comment_snapshot", None),
    ]


async def test_the_shop_is_asked_once_and_may_be_believed_later(db: str) -> None:
    group = await many(10, on_delete=RELEASE)
    await twice_without(group, names(7, 10))
    comment = await database.fetchval("select id from social_comment where external_id = '2'")
    await resolve(
        comment_id=comment, shop_id=group.shop.id, action=ResolveAction.DISMISS, actor=STAFF, by_member_id=new_id(), now=NOW, jobs=group.services.jobs
    )  # fmt: skip
    await group.looks(names(7, 10), 3)
    await group.drain()
    assert (await group.outcomes())[2:] == ["SNAPSHOT_HELD"]
    assert (await seen(group, ["2", "3"])).outcomes == ["ORDERED MISSING", "ORDERED MISSING ?"]
    # The page has loaded: all but two are there.
    await group.looks(names(1, 4) + " " + names(7, 10), 4)
    await group.drain()
    assert sorted(await group.removed()) == ["5", "6"]
    assert (await group.missed(), await group.level()) == ([], (10, 7, 0))


# --- what comes back -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("on_delete", "outcome", "pieces"), [(KEEP, "ORDERED", 2), (RELEASE, "CANCELLED", 0)])
@pytest.mark.parametrize("complete", [True, False])
async def test_a_removed_comment_that_is_seen_again_is_shown_to_the_shop_once(
    db: str, on_delete: OnDelete, outcome: str, pieces: int, complete: bool
) -> None:
    group = await two(on_delete=on_delete)
    await twice_without(group)
    before = await seen(group, ["1", "2"])
    await group.looks("1 2", 1.5, complete=False)
    await group.drain()
    assert await seen(group, ["1", "2"]) == before
    for at in (3, 4):
        await group.looks("1 2", at, complete=complete)
        await group.drain()
        found = await seen(group, ["1", "2"])
        assert found.outcomes == [f"{outcome} SEEN_AGAIN ?", "ORDERED"]
        assert (found.lines.get("甲", {}), found.notices) == ({"": pieces} if pieces else {}, before.notices)
    told = await database.fetchval("select count(*) from audit_entry where detail ->> 'reason' = 'SEEN_AGAIN'")
    assert (told, await group.removed()) == (1, {"1": minute(2)})


async def test_what_the_shop_has_looked_at_does_not_come_back(db: str) -> None:
    group = await two()
    await twice_without(group)
    comment = await database.fetchval("select id from social_comment where external_id = '1'")
    await resolve(
        comment_id=comment, shop_id=group.shop.id, action=ResolveAction.DISMISS, actor=STAFF, by_member_id=new_id(), now=NOW, jobs=group.services.jobs
    )  # fmt: skip
    before = await seen(group, ["1", "2"])
    await group.looks("1 2", 3)
    await group.drain()
    assert await seen(group, ["1", "2"]) == before


# --- in their lane ---------------------------------------------------------------------------------------------------------


async def test_a_list_comes_after_its_own_comments_and_before_later_ones(db: str) -> None:
    """Everything waits at once: the rows of two lists, what happened between them, and the lists themselves."""
    group = await a_group()
    for n in (1, 2, 3):
        group.rows[str(n)] = group.row(str(n), f"買家{n}", "+1", minute(0))
    await group.looks("1 2 3", 1)
    await group.tells("4", "買家4", "+1", 1.5)
    await group.looks("1 2", 2)
    await group.tells("1", "買家1", "+2", 2.5, event="edit")
    await group.looks("2 4", 3)
    assert await group.drain() == 8
    assert await group.outcomes() == ["SNAPSHOT"] * 3
    # 3 was missed twice; 1 was seen to be edited after it was there, so it was missed once; 4 was missed and is there again.
    assert (await group.missed(), await group.removed()) == (["1"], {"3": minute(3)})
    assert await group.pieces("買家1") == {"": 2}
    assert await database.fetchval("select count(*) from inbox_event where state <> 'DECIDED'") == 0


async def test_a_comment_as_such_leaves_nothing_of_lists(db: str) -> None:
    group = await two()
    assert [await database.fetchval(f"select count(*) from {table}") for table in ("comment_snapshot", "comment_missed")] == [0, 0]
    await group.looks("1 2", 1)
    await group.drain()
    assert [await database.fetchval(f"select count(*) from {table}") for table in ("comment_snapshot", "comment_missed")] == [1, 0]
