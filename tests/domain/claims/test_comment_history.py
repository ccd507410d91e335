"""What happened to a comment: told by its row while it was only written, and by rows of its own from then on."""

from __future__ import annotations

from datetime import timedelta

from domain import db as database
from tests.build import NOW
from tests.wall import a_wall


async def history() -> list[tuple[str, str, int]]:
    """(kind, text, second) of all that is known of comments, in order."""
    rows = await database.fetch("select kind, text, at from comment_history order by at, comment_id, id")
    return [(row["kind"], row["text"], int((row["at"] - NOW).total_seconds())) for row in rows]


async def stored() -> int:
    """Rows of the table."""
    found: int = await database.fetchval("select count(*) from comment_revision")
    return found


async def test_a_comment_that_was_only_written_needs_no_row(db: str) -> None:
    wall = await a_wall()
    for n in range(3):
        await wall.says(f"buyer-{n}", "+1", at=NOW + timedelta(seconds=n))
    assert await wall.drain() == 3
    assert await history() == [("ADD", "+1", n) for n in range(3)]
    assert await stored() == 0


async def test_what_comes_later_keeps_what_was_written_first(db: str) -> None:
    wall = await a_wall()
    said = await wall.says("anna", "+1", at=NOW, tags=[(0, 1)])
    await wall.drain()
    first = await database.fetchrow("select kind, text, mentions, at, received_at from comment_history")
    await wall.says("anna", "+2", comment=said, verb="edited", at=NOW + timedelta(seconds=1))
    await wall.drain()
    await wall.says("anna", "", comment=said, verb="remove", at=NOW + timedelta(seconds=2))
    await wall.drain()
    assert await history() == [("ADD", "+1", 0), ("EDIT", "+2", 1), ("REMOVE", "", 2)]
    assert await database.fetchrow("select kind, text, mentions, at, received_at from comment_revision order by id limit 1") == first
    assert await stored() == 3


async def test_all_in_one_batch_says_the_same(db: str) -> None:
    wall = await a_wall()
    said = await wall.says("anna", "+1", at=NOW)
    await wall.says("anna", "+2", comment=said, verb="edited", at=NOW + timedelta(seconds=1))
    await wall.says("anna", "", comment=said, verb="remove", at=NOW + timedelta(seconds=2))
    await wall.drain()
    assert await history() == [("ADD", "+1", 0), ("EDIT", "+2", 1), ("REMOVE", "", 2)]


async def test_an_edit_in_the_very_second_of_the_writing_is_kept_apart(db: str) -> None:
    wall = await a_wall()
    said = await wall.says("anna", "+1", at=NOW)
    await wall.says("anna", "+2", comment=said, verb="edited", at=NOW)
    await wall.drain()
    assert [(kind, text) for kind, text, _ in await history()] == [("ADD", "+1"), ("EDIT", "+2")]


async def test_an_edited_comment_whose_old_texts_are_gone_has_no_history(db: str) -> None:
    wall = await a_wall()
    said = await wall.says("anna", "+1", at=NOW)
    await wall.says("anna", "+2", comment=said, verb="edited", at=NOW + timedelta(seconds=1))
    await wall.drain()
    await database.execute("delete from comment_revision")
    assert await history() == []
