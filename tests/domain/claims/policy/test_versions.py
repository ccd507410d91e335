"""A version of the policy counts from the instant it took effect, by the comments' own time, and each claim and line names its version."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from domain import db as database
from domain.claims.rules import ClaimPolicy, Reading, Shortage
from domain.posts.commands import set_policy
from tests.build import NOW
from tests.domain.claims.acts import fill, pay
from tests.domain.claims.policy.picture import picture
from tests.sql_recorder import recorded
from tests.wall import Wall, a_wall

MINUTE = timedelta(minutes=1)


async def rule(wall: Wall, minutes: int, *, of_post: bool = False, **policy: object) -> UUID:
    """A further version, in effect from so many minutes on."""
    async with database.transaction() as tx:
        return await set_policy(
            tx, shop_id=wall.shop.id, post_id=wall.post_id if of_post else None, policy=ClaimPolicy(**policy).stored(),  # type: ignore[arg-type]
            now=NOW + minutes * MINUTE,
        )  # fmt: skip


async def versions() -> list[tuple[str, int, bool]]:
    """(comment, version, of the post) of every claim, in the order of the comments."""
    rows = await database.fetch(
        """select c.external_id, v.version, v.post_id is not null as own from claim k join social_comment c on c.id = k.comment_id
           left join claim_policy_version v on v.id = k.policy_version_id order by c.written_at, c.external_id"""
    )
    return [tuple(row.values()) for row in rows]


@pytest.mark.parametrize("one_batch", [True, False])
async def test_each_comment_is_read_by_the_rule_of_its_own_time(db: str, one_batch: bool) -> None:
    wall = await a_wall(reading=Reading.LENIENT)
    await rule(wall, 10, reading=Reading.STRICT)
    await rule(wall, 20, reading=Reading.CONFIRM)
    comments = []
    for minute in (-60, 0, 9, 10, 19, 20, 99):
        comments.append(await wall.says("甲", "瓦片1片", comment=f"1_{100 + minute}", at=NOW + minute * MINUTE))
        if not one_batch:
            await wall.drain()
    await wall.drain()
    assert (await picture(wall, comments)).outcomes == [
        "ORDERED", "ORDERED", "ORDERED", "IGNORED NO_TRIGGER", "IGNORED NO_TRIGGER", "SUGGESTED NEEDS_CONFIRMATION", "SUGGESTED NEEDS_CONFIRMATION",
    ]  # fmt: skip
    assert [version for _, version, _ in await versions()] == [1, 1, 1, 2, 2, 3, 3]
    assert await database.fetchval(
        "select array_agg(distinct v.version) from order_line l join claim_policy_version v on v.id = l.policy_version_id"
    ) == [1]


async def test_a_post_has_its_own_rule_from_the_day_it_got_one(db: str) -> None:
    wall = await a_wall(reading=Reading.LENIENT)
    await rule(wall, 10, of_post=True, reading=Reading.STRICT)
    await rule(wall, 20, reading=Reading.CONFIRM)  # the shop's new rule reaches the post no more
    await rule(wall, 30, of_post=True, reading=Reading.LENIENT)
    for minute in (5, 15, 25, 35):
        await wall.says("甲", "瓦片1片", comment=f"1_{100 + minute}", at=NOW + minute * MINUTE)
    await wall.drain()
    assert [(version, own) for _, version, own in await versions()] == [(1, False), (1, True), (1, True), (2, True)]


async def test_an_edit_is_judged_by_the_rule_of_the_edit(db: str) -> None:
    wall = await a_wall(per_buyer_max=5)
    await rule(wall, 10, per_buyer_max=2)
    early = await wall.says("甲", "+1", at=NOW)
    late = await wall.says("乙", "+1", at=NOW)
    await wall.says("甲", "+4", comment=early, verb="edited", at=NOW + 9 * MINUTE)
    await wall.says("乙", "+4", comment=late, verb="edited", at=NOW + 10 * MINUTE)
    await wall.drain()
    found = await picture(wall, [early, late])
    assert found.outcomes == ["ORDERED", "ORDERED OVER_LIMIT ?"]
    assert found.lines == {"乙": {"": 1}, "甲": {"": 4}}


async def test_waiting_pieces_come_by_the_rule_under_which_they_were_asked_for(db: str) -> None:
    wall = await a_wall(on_hand=1, shortage=Shortage.PARTIAL_WAITLIST)
    comment = await wall.says("甲", "+2", at=NOW)
    await wall.drain()
    await pay(wall)
    await rule(wall, 10, shortage=Shortage.REJECT_LINE)
    assert await fill(wall, more=1) == 1
    assert (await picture(wall, [comment])).outcomes == ["ORDERED"]
    rows = await database.fetch(
        "select v.version from order_line l join claim_policy_version v on v.id = l.policy_version_id order by l.created_at, l.id"
    )
    assert [row["version"] for row in rows] == [1, 1]


async def test_a_batch_that_is_newer_than_every_rule_asks_for_no_history(db: str) -> None:
    wall = await a_wall()
    await rule(wall, 10)
    await wall.says("甲", "+1", at=NOW + 11 * MINUTE)
    with recorded() as sql:
        await wall.drain()
    assert [statement for statement in sql if "own_since" in statement] == []
    await wall.says("甲", "+1", at=NOW + 9 * MINUTE)
    with recorded() as sql:
        await wall.drain()
    assert len([statement for statement in sql if "own_since" in statement]) == 1


async def test_a_post_without_any_rule_has_the_defaults(db: str) -> None:
    wall = await a_wall()
    async with database.transaction() as tx:
        await tx.execute("set local session_replication_role = replica")
        await tx.execute("delete from claim_policy_version")
    comment = await wall.says("甲", "+1")
    await wall.drain()
    assert (await picture(wall, [comment])).outcomes == ["ORDERED"]
    assert [version for _, version, _ in await versions()] == [None]
