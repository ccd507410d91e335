"""Lists of a post's comments: what stands in none of two complete ones in a row counts as removed, and nothing else does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from domain import db as database
from domain.claims.rules import OnDelete
from domain.ids import new_id
from plusone.invariants import check
from tests.build import NOW, a_channel
from tests.domain.claims.acts import pay
from tests.domain.claims.group import GROUP, a_group, millis, minute
from tests.domain.claims.looks import seen, twice_without, two
from tests.domain.claims.policy.picture import Picture

KEEP, RELEASE = OnDelete.KEEP_AND_FLAG, OnDelete.RELEASE_IF_UNPAID
TABLES = (
    "social_comment", "comment_revision", "comment_missed", "comment_snapshot", "claim", "order", "order_line", "order_event", "stock_level",
    "stock_movement", "notice", "audit_entry",
)  # fmt: skip


@pytest.fixture(autouse=True)
async def invariants_hold(db: str) -> AsyncIterator[None]:
    yield
    assert await check(NOW + timedelta(seconds=59)) == []


async def tables() -> list[list[Any]]:
    return [[tuple(row.values()) for row in await database.fetch(f'select * from "{table}" order by 1, 2')] for table in TABLES]


async def test_missing_once_is_nothing_and_twice_is_removed(db: str) -> None:
    group = await two()
    before = await seen(group, ["1", "2"])
    await group.looks("2", 1)
    await group.drain()
    assert (await seen(group, ["1", "2"]), await group.missed(), await group.removed()) == (before, ["1"], {})
    await group.looks("2", 2)
    await group.drain()
    assert await seen(group, ["1", "2"]) == Picture(
        ["ORDERED REMOVED ?", "ORDERED"], ["10/3/0"], {"甲": {"": 2}, "乙": {"": 1}}, ["乙 OPEN UNPAID 590", "甲 OPEN UNPAID 1180 !"], [],
        ["乙 ORDER_PLACED", "甲 ASK_BUYER", "甲 ORDER_PLACED"],
    )  # fmt: skip
    assert (await group.outcomes(), await group.missed(), await group.removed()) == (["SNAPSHOT", "SNAPSHOT"], [], {"1": minute(2)})
    told = await database.fetch("select actor, detail from audit_entry where action = 'COMMENTS_GONE'")
    assert [(row["actor"], database.from_jsonb(row["detail"])) for row in told] == [
        ("worker:ingest", {"takenAt": minute(2).isoformat(), "gone": 1, "believed": True})
    ]


async def test_what_is_gone_goes_the_way_of_a_platform_s_deletion(db: str) -> None:
    group = await two(on_delete=RELEASE)
    await group.looks("2", 1)
    await group.looks("2", 2)
    await group.drain()
    assert await seen(group, ["1", "2"]) == Picture(
        ["CANCELLED REMOVED", "ORDERED"], ["10/1/0"], {"乙": {"": 1}}, ["乙 OPEN UNPAID 590", "甲 CANCELLED UNPAID 0"], [],
        ["乙 ORDER_PLACED", "甲 LINES_CANCELLED", "甲 ORDER_PLACED"],
    )  # fmt: skip
    rows = await database.fetch(
        "select kind, at from comment_history h join social_comment c on c.id = h.comment_id where c.external_id = '1'"
    )
    assert [tuple(row.values()) for row in rows] == [("ADD", minute(0)), ("REMOVE", minute(2))]


async def test_paid_pieces_stay_whatever_the_lists_say(db: str) -> None:
    group = await two(on_delete=RELEASE)
    await pay(
        group,
        await database.fetchval("select order_id from claim k join social_comment c on c.id = k.comment_id where c.external_id = '1'"),
    )
    await group.looks("2", 1)
    await group.looks("2", 2)
    await group.drain()
    found = await seen(group, ["1", "2"])
    assert (found.outcomes, found.levels) == (["ORDERED REMOVED ?", "ORDERED"], ["10/1/2"])


@pytest.mark.parametrize(
    ("looks", "outcomes", "missed"),
    [
        pytest.param([("2", 1, {}), ("1 2", 2, {}), ("2", 3, {})], ["SNAPSHOT"] * 3, ["1"], id="seen in between"),
        pytest.param([("2", 1, {}), ("1", 2, {"complete": False}), ("2", 3, {})], ["SNAPSHOT", "SNAPSHOT_SEEN", "SNAPSHOT"], ["1"], id="seen in between in a part of the page"),
        pytest.param([("2", 1, {"complete": False}), ("2", 2, {"complete": False})], ["SNAPSHOT_SEEN"] * 2, [], id="never complete"),
        pytest.param([("2", 1, {}), ("2", 2, {"complete": False})], ["SNAPSHOT", "SNAPSHOT_SEEN"], ["1"], id="complete once"),
        pytest.param([("2", 1, {}), ("2", 2, {"complete": "true"})], ["SNAPSHOT", "SNAPSHOT_SEEN"], ["1"], id="complete in other words"),
        pytest.param([("2", 2, {}), ("2", 1, {})], ["SNAPSHOT", "OVERTAKEN"], ["1"], id="the later one first"),
        pytest.param([("2", 1, {}), ("2", 1, {})], ["SNAPSHOT", "OVERTAKEN"], ["1"], id="of one instant"),
        pytest.param([("2", 1, {"id": "x"}), ("2", 2, {"id": "x"})], ["SNAPSHOT"], ["1"], id="the same once more"),
        pytest.param([("2", 1, {"id": "x"}), ("", 2, {"id": "x"})], ["SNAPSHOT"], ["1"], id="another list by the same name"),
    ],
)  # fmt: skip
async def test_lists_that_are_no_two_in_a_row(db: str, looks: list[Any], outcomes: list[str], missed: list[str]) -> None:
    group = await two(on_delete=RELEASE)
    before = await seen(group, ["1", "2"])
    for comments, at, more in looks:
        await group.looks(comments, at, **more)
        await group.drain()
    assert (await group.outcomes(), await group.missed(), await group.removed()) == (outcomes, missed, {})
    assert await seen(group, ["1", "2"]) == before


async def test_a_list_that_comes_after_a_later_one_shows_only_what_was_there(db: str) -> None:
    """Three lists, of which the middle one comes last: it sees the comment after it was first missed, and that is what it says."""
    group = await two()
    for comments, at in (("2", 1), ("2 1", 3), ("2", 4), ("2 1", 3.5)):
        await group.looks(comments, at)
        await group.drain()
    assert (await group.outcomes(), await group.missed()) == (["SNAPSHOT", "SNAPSHOT", "SNAPSHOT", "OVERTAKEN"], ["1"])
    await group.looks("2 1", 4.5, complete=False)
    await group.drain()
    assert await group.missed() == []


@pytest.mark.parametrize("how", ["again", "reversed"])
async def test_hearing_all_of_it_again_changes_nothing(db: str, how: str) -> None:
    group = await two(on_delete=RELEASE)
    for at in (1, 2, 3):
        await group.looks("2", at)
    await group.drain()
    before = await tables()
    order = "" if how == "again" else " order by id desc"
    for row in await database.fetch(f"select id from inbox_event{order}"):
        await database.execute("update inbox_event set state = 'PENDING' where id = $1", row["id"])
        if how == "reversed":
            await group.drain()
    await group.drain()
    assert await tables() == before
    assert list(await group.removed()) == ["1"]


# --- what is never touched -------------------------------------------------------------------------------------------------


async def test_a_comment_newer_than_the_list_is_not_missing_in_it(db: str) -> None:
    group = await two()
    await group.tells("3", "丙", "+1", 2)
    await twice_without(group, "1 2")
    assert (await group.missed(), await group.removed()) == ([], {})
    await twice_without(group, "1 2", first=3, second=4)
    assert list(await group.removed()) == ["3"]


async def test_a_comment_that_came_here_after_the_list_was_taken_is_not_missing_in_it(db: str) -> None:
    """Its row says the day alone, so by its own time it would be older."""
    group = await two()
    await group.tells("3", "丙", "+1", 0, received=30, created_at_precision="day")
    await group.looks("1 2", 20, received=31)
    await group.looks("1 2", 24, received=31)
    await group.drain()
    assert (await group.missed(), await group.removed()) == ([], {})


async def test_an_edit_shows_that_the_comment_is_there(db: str) -> None:
    group = await two()
    await group.looks("2", 1)
    await group.tells("1", "甲", "+3", 2, event="edit")
    await group.looks("2", 3)
    await group.drain()
    assert (await group.missed(), await group.removed()) == (["1"], {})
    await group.looks("2", 4)
    await group.drain()
    assert await group.removed() == {"1": minute(4)}


async def test_an_edit_later_than_the_list_says_more_than_the_list(db: str) -> None:
    group = await two()
    await group.looks("2", 1)
    await group.tells("1", "甲", "+3", 2, event="edit")
    await group.drain()
    await group.looks("2", 1.5)
    await group.drain()
    assert (await group.missed(), await group.removed()) == (["1"], {})


async def test_a_hidden_comment_is_not_a_deleted_one(db: str) -> None:
    group = await two()
    await group.tells("1", "甲", "", 0.5, event="hide")
    await twice_without(group)
    assert (await group.missed(), await group.removed()) == ([], {})
    await group.tells("1", "甲", "", 3, event="unhide")
    await twice_without(group, first=4, second=5)
    assert list(await group.removed()) == ["1"]


async def test_hidden_between_two_lists_it_is_not_removed(db: str) -> None:
    group = await two()
    await group.looks("2", 1)
    await group.tells("1", "甲", "", 1.5, event="hide")
    await group.looks("2", 2)
    await group.drain()
    assert await group.removed() == {}


async def test_what_a_collector_saw_removed_is_told_once(db: str) -> None:
    group = await two()
    await group.tells("1", "甲", "", 1, event="remove")
    await group.drain()
    before = await tables()
    await twice_without(group, first=2, second=3)
    after = await tables()
    assert [a == b for a, b in zip(before, after, strict=True)] == [table != "comment_snapshot" for table in TABLES]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"source": "csv_import"}, id="an import"),
        pytest.param({"source": "line_openchat"}, id="a chat"),
        pytest.param({"post_id": "another"}, id="another post"),
        pytest.param({"comment_id": None}, id="a row without an id"),
    ],
)
async def test_comments_of_other_places_and_sources_are_not_touched(db: str, other: dict[str, Any]) -> None:
    group = await two()
    await group.tells("3", "丙", "+1", 0, **other)
    await group.drain()
    await twice_without(group, "1 2")
    assert (await group.outcomes(), await group.missed(), await group.removed()) == (["SNAPSHOT"] * 2, [], {})
    assert await database.fetchval("select count(*) from social_comment") == 3


async def test_a_page_that_tells_of_removals_itself_is_not_touched(db: str) -> None:
    """The same post number on a page of the same shop, whose comments no collector sends."""
    group = await two()
    page = await a_channel(type(group.shop)(*(getattr(group.shop, name) for name in ("id", "number", "handle", "currency"))))
    await database.execute(
        "insert into post_placement (id, shop_id, post_id, channel_id, external_post_id, created_at) values ($1, $2, $3, $4, $5, $6)",
        new_id(), group.shop.id, group.post_id, page.id, group.external_posts[0], NOW,
    )  # fmt: skip
    await database.execute("update social_comment set channel_id = $1, platform = 'FACEBOOK_PAGE' where external_id = '1'", page.id)
    await twice_without(group)
    assert (await group.outcomes(), await group.missed(), await group.removed()) == (["SNAPSHOT"] * 2, [], {})


async def test_lists_of_posts_that_are_not_ours_leave_nothing(db: str) -> None:
    group = await two()
    await group.tells("3", "丙", "+1", 0, post_id="theirs")
    before = (await tables())[0]
    for at in (1, 2):
        await group.looks("", at, post_id="theirs")
    await group.drain()
    assert await group.outcomes() == ["NO_POST", "NO_POST"]
    assert await database.fetchval("select count(*) from comment_snapshot") == 0
    assert [row for row in (await tables())[0] if row in before] == before


async def test_a_list_that_does_not_say_when_it_was_taken_waits_for_a_person(db: str) -> None:
    group = await two()
    await group.looks("2", 1, changed={"observed_at_ms": None}, taken_at_ms=None)
    await group.drain()
    rows = await database.fetch("select state, parked_reason from inbox_event where outcome = 'UNREADABLE'")
    assert [tuple(row.values()) for row in rows] == [("PARKED", "a snapshot must say when it was taken")]


async def test_a_clock_that_runs_years_ahead_does_not_shut_out_later_lists(db: str) -> None:
    group = await two()
    await group.looks("2", 60 * 24 * 400, received=1)
    await group.looks("2", 2)
    await group.drain()
    assert await group.removed() == {"1": minute(2)}


# --- whole lists -----------------------------------------------------------------------------------------------------------


async def test_an_empty_list_says_that_all_is_gone(db: str) -> None:
    group = await two()
    await twice_without(group, "")
    assert sorted(await group.removed()) == ["1", "2"]


@pytest.mark.parametrize(
    "row",
    [
        pytest.param({"comment_id": None, "text": "我也要"}, id="without an id"),
        pytest.param({"schema": "plusone.comment/9", "comment_id": "9"}, id="of another schema"),
        pytest.param({"text": 7, "comment_id": "9"}, id="that cannot be read"),
    ],
)
async def test_a_list_with_a_row_that_could_be_any_is_not_complete(db: str, row: dict[str, Any]) -> None:
    group = await two()
    for at in (1, 2):
        rows = [{**group.rows["2"], "observed_at_ms": millis(minute(at))}, {**group.rows["1"], "observed_at_ms": millis(minute(at)), **row}]
        await group.send(rows, received_at=minute(at), snapshot_id=f"s{at}", complete=True)
    await group.drain()
    assert (await group.outcomes(), await group.missed(), await group.removed()) == (["SNAPSHOT_SEEN"] * 2, [], {})


async def test_a_list_in_parts_counts_when_all_are_here(db: str) -> None:
    group = await a_group(on_hand=50)
    for n in range(1, 7):
        await group.tells(str(n), f"買家{n}", "+1", 0)
    await group.drain()
    head = {"source": "fb_group_ext", "channel_id": GROUP, "post_id": group.external_posts[0], "parts": 3}
    for at in (1, 2):
        for part, comments in ((3, ""), (1, "1 2"), (2, "3 4 5")):
            assert await group.removed() == {}
            await group.looks(comments, at + part / 10, id=f"s{at}", part=part, **head)
            await group.looks(comments, at + part / 10, id=f"s{at}", part=part, **head)
            await group.drain()
    assert await group.outcomes() == ["SNAPSHOT_PART", "SNAPSHOT_PART", "SNAPSHOT"] * 2
    assert await group.removed() == {"6": minute(2.1)}
    assert await database.fetchval("select gathered is null from comment_snapshot")


async def test_a_list_of_which_a_part_never_comes_says_nothing(db: str) -> None:
    group = await two()
    head = {"source": "fb_group_ext", "channel_id": GROUP, "post_id": group.external_posts[0]}
    for at, name, part, parts in ((1, "a", 1, 2), (2, "b", 1, 2), (1, "a", 2, 2), (2.5, "b", 2, 3)):
        await group.looks("2" if name == "b" and part == 1 else "", at, id=name, part=part, parts=parts, **head)
        await group.drain()
    assert (await group.missed(), await group.removed()) == ([], {})
    assert await group.outcomes() == ["SNAPSHOT_PART", "SNAPSHOT_PART", "OVERTAKEN", "SNAPSHOT_PART"]


@pytest.mark.parametrize(
    "parts", [{"part": 3, "parts": 2}, {"part": 0, "parts": 1}, {"part": 1}, {"part": 1, "parts": 41}, {"part": "1", "parts": "1"}]
)
async def test_parts_that_cannot_be_counted_are_not_complete(db: str, parts: dict[str, Any]) -> None:
    group = await two()
    head = {"source": "fb_group_ext", "channel_id": GROUP, "post_id": group.external_posts[0]}
    for at in (1, 2):
        await group.looks("2", at, **head, **parts)
    await group.drain()
    assert (await group.outcomes(), await group.removed()) == (["SNAPSHOT_SEEN"] * 2, {})
