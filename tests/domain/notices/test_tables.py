"""What guards the tables of wishes, digests and announcements, each guard broken on purpose."""

from __future__ import annotations

import importlib
from datetime import date

import asyncpg
import pytest

from domain import db as database
from domain.notices import announcements, settings
from domain.notices.announcements import Words
from domain.notices.settings import Wish
from domain.providers.pgqueuer_enqueue import PgQueuerJobs
from tests import build
from tests.parcels import PACKER

migration = importlib.import_module("domain.migrations.0012_inbox")


@pytest.fixture
async def rows(db: str) -> None:
    """A row of each."""
    member, shop = await build.a_member(), await build.a_shop()
    await settings.wish(member_id=member, wanted=Wish(daily_pushes=3), now=build.NOW)
    await settings.wish_of_shop(member_id=member, shop_id=shop.id, muted=True, now=build.NOW)
    post = await build.a_post(shop)
    await announcements.announce(
        shop_id=shop.id, post_id=post.id, words=Words("t", ""), by_member_id=member, actor=PACKER, now=build.NOW, jobs=PgQueuerJobs()
    )
    await database.execute(
        "insert into push_digest (id, member_id, day, state, tries, due_at, next_try_at) values ($1, $2, $3, 'PENDING', 0, $4, $4)",
        build.new_id(), member, date(2026, 11, 21), build.NOW,
    )  # fmt: skip


@pytest.mark.parametrize(("table", "column"), [(table, column) for table, column, _ in migration.TO_MEMBER])
async def test_every_row_is_somebodys(rows: None, table: str, column: str) -> None:
    with pytest.raises(asyncpg.ForeignKeyViolationError) as refused:
        await database.execute(f"update {table} set {column} = gen_random_uuid()")
    assert refused.value.constraint_name == f"{table}_{column}"


BREAKS = {
    "notice_settings_quiet": "update notice_settings set quiet_from = 60",
    "notice_settings_day": "update notice_settings set daily_pushes = 101",
    "shop_notice_settings_mute": "update shop_notice_settings set muted = false, muted_until = now()",
    "announcement_told": "update announcement set told = -1",
}


def test_every_check_is_broken_here() -> None:
    assert set(BREAKS) == {name for table, name, _ in migration.CHECKS if not table.startswith("shipment")}


@pytest.mark.parametrize("name", BREAKS)
async def test_every_check_refuses_what_it_is_for(rows: None, name: str) -> None:
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        await database.execute(BREAKS[name])
    assert refused.value.constraint_name == name
