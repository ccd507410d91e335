"""What was asked for, as a tree; rows within rows within rows; pages cut out of a list."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.paging import Page, Shape, Wanted, cut, money, shape

NAMES = st.text(alphabet="abc", min_size=1, max_size=2)
PATHS = st.lists(st.lists(NAMES, min_size=1, max_size=4).map(".".join), max_size=6)


def test_a_tree_answers_what_it_holds() -> None:
    wanted = Wanted.of("shop", "lines.variant", "lines.claim.comment")
    assert "shop" in wanted
    assert "claim" in wanted["lines"]
    assert "comment" in wanted["lines"]["claim"]
    assert "anything" not in wanted["nothing"]["of"]["this"]
    assert wanted.any_of("none", "lines")
    assert not wanted.any_of("none")


@given(paths=PATHS)
def test_equal_trees_are_one_key_whatever_the_order(paths: list[str]) -> None:
    one, other = Wanted.of(*paths), Wanted.of(*reversed(paths))
    assert one == other
    assert hash(one) == hash(other)
    assert one != Wanted.of(*paths, "z.y.x")


async def test_lists_within_rows_within_lists_are_read_on_a_connection_that_never_saw_any(db) -> None:
    leaf = Shape(("3", "'紅'::varchar"), lambda row: {"n": row[0], "label": row[1]})
    branch = shape(["2"], lambda row: {"n": row[0]}, [("leaves", f"array(select {leaf.row} from generate_series(1, 2))", leaf.read_all)])
    root = shape(
        ["1"], lambda row: {"n": row[0]}, [("branch", f"(select {branch.row})", branch.read_if), ("none", "null::record", branch.read_if)]
    )
    connection = await asyncpg.connect(db)
    try:
        row = await connection.fetchrow(f"select {root.select}")
        with pytest.raises(asyncpg.InternalClientError):  # the twin: without the column that shows the driver such a list
            other = await asyncpg.connect(db)
            try:
                await other.fetchrow(f"select {', '.join(root.columns)}")
            finally:
                await other.close()
    finally:
        await connection.close()
    assert root.read(row) == {"n": 1, "branch": {"n": 2, "leaves": [{"n": 3, "label": "紅"}] * 2}, "none": None}


def test_amounts_are_exact_texts() -> None:
    assert [str(money(minor, code)["amount"]) for minor, code in ((590, "TWD"), (12305, "HKD"), (5, "USD"), (0, "USD"), (10**14, "VND"))] == [
        "590", "123.05", "0.05", "0.00", "100000000000000",
    ]  # fmt: skip


@given(count=st.integers(0, 8), size=st.integers(1, 4), backwards=st.booleans(), bounded=st.booleans())
def test_a_page_is_cut_from_one_row_more(count: int, size: int, backwards: bool, bounded: bool) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    found = [({"n": n}, (at + timedelta(n), UUID(int=n))) for n in range(min(count, size + 1))]
    edge = (at, UUID(int=99)) if bounded else None
    page = Page(size, before=edge, backwards=True) if backwards else Page(size, after=edge)
    part = cut(found, page)
    kept = [row for row, _ in found[:size]]
    assert part.rows == (kept[::-1] if backwards else kept)
    assert len(part.positions) == len(part.rows)
    more = count > size
    assert (part.has_next, part.has_previous) == ((bounded, more) if backwards else (more, bounded))
