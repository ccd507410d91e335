"""Every CHECK and key of the tables for lists of comments, broken on purpose."""

from __future__ import annotations

import asyncpg
import pytest

from domain import db as database
from domain.ids import new_id
from tests.build import NOW
from tests.domain.claims.group import a_group

COPY = """insert into comment_snapshot (id, shop_id, channel_id, platform, external_post_id, snapshot_id, taken_at)
  select $1, shop_id, channel_id, platform, external_post_id, snapshot_id, taken_at from comment_snapshot limit 1"""


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("update comment_snapshot set taken_at = null", "comment_snapshot_taken"),
        ("update comment_snapshot set snapshot_id = ''", "comment_snapshot_taken"),
        ("update comment_snapshot set external_post_id = ''", "comment_snapshot_post"),
        ("update comment_snapshot set shop_id = gen_random_uuid()", "comment_snapshot_shop"),
        ("update comment_snapshot set channel_id = gen_random_uuid()", "comment_snapshot_channel_id"),
        ("update comment_missed set shop_id = gen_random_uuid()", "comment_missed_shop"),
        ("update comment_missed set comment_id = gen_random_uuid()", "comment_missed_comment_id"),
        ("update comment_missed set place_id = gen_random_uuid()", "comment_missed_place_id"),
    ],
)
async def test_a_guard_holds(db: str, sql: str, name: str) -> None:
    group = await a_group()
    await group.tells("1", "甲", "+1", 0)
    await group.drain()
    await group.looks("", 1)
    await group.drain()
    with pytest.raises(asyncpg.IntegrityConstraintViolationError) as raised:
        await database.execute(sql)
    assert raised.value.constraint_name == name


async def test_a_post_stands_once_in_a_place(db: str) -> None:
    group = await a_group()
    await group.tells("1", "甲", "+1", 0)
    await group.drain()
    await group.looks("1", 1)
    await group.drain()
    with pytest.raises(asyncpg.UniqueViolationError):
        await database.execute(COPY, new_id())
    assert await database.fetchval("select count(*) from comment_snapshot where taken_at > $1", NOW) == 1
