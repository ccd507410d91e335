"""What guards the tables of people, each guard broken on purpose."""

from __future__ import annotations

import importlib

import asyncpg
import pytest

from domain import db as database
from domain.members import deletion
from domain.members.claim_codes import start
from domain.members.export import request
from domain.members.rules import CodeKind
from tests.build import NOW, a_member
from tests.domain.members.test_merging import a_merge

migration = importlib.import_module("domain.migrations.0006_people")


async def a_row_of_each() -> None:
    keeper, other = await a_member(), await a_member()
    await a_merge(keeper, other)
    await deletion.request(member_id=keeper, now=NOW)
    await request(member_id=keeper, now=NOW)
    await start(member_id=keeper, kind=CodeKind.NAME, now=NOW)


async def refuses(error: type[Exception], name: str, sql: str) -> None:
    await a_row_of_each()
    with pytest.raises(error) as refused:
        await database.execute(sql)
    assert refused.value.constraint_name == name


@pytest.mark.parametrize(("table", "column"), [each for each in migration.TO_MEMBER if each[0] != "member_event"])
async def test_every_row_is_somebodys(db: str, table: str, column: str) -> None:
    await refuses(asyncpg.ForeignKeyViolationError, f"{table}_{column}", f"update {table} set {column} = gen_random_uuid()")


BREAKS = {
    "claim_code_answered": "update claim_code set accepted = true, answered_at = null",
    "member_merge_two": "update member_merge set keeper_id = absorbed_id",
    "account_deletion_once": "update account_deletion set cancelled_at = now(), done_at = now()",
}


@pytest.mark.parametrize("name", [name for _, name, _ in migration.CHECKS])
async def test_every_check_refuses_what_it_is_for(db: str, name: str) -> None:
    await refuses(asyncpg.CheckViolationError, name, BREAKS[name])


@pytest.mark.parametrize("sql", ["update member_event set action = 'X'", "delete from member_event", "truncate member_event"])
async def test_the_book_of_an_account_is_append_only(db: str, sql: str) -> None:
    await refuses(asyncpg.CheckViolationError, "append_only", sql)


async def test_a_line_of_the_book_is_a_members(db: str) -> None:
    sql = (
        "insert into member_event (member_id, at, actor, action, detail, request_id) values (gen_random_uuid(), now(), 'a', 'X', '{}', '')"
    )
    await refuses(asyncpg.ForeignKeyViolationError, "member_event_member_id", sql)


@pytest.mark.parametrize(
    ("name", "sql"),
    [
        (
            "member_merge_standing",
            "insert into member_merge select gen_random_uuid(), keeper_id, absorbed_id, merged_at, undo_until, null, moved from member_merge",
        ),
        (
            "account_deletion_standing",
            "insert into account_deletion select gen_random_uuid(), member_id, requested_at, due_at, null, null, names from account_deletion",
        ),
    ],
)
async def test_one_merge_and_one_deletion_of_an_account_stand(db: str, name: str, sql: str) -> None:
    await refuses(asyncpg.UniqueViolationError, name, sql)
