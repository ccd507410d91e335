"""What waits to be decided stands in a table of its own, whoever stores an event or gives it back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from domain import db as database
from domain.db import Tx
from domain.inbox.commands import park, replay_parked
from domain.inbox.drain import Cursor, drain_one
from domain.inbox.taken import InboxRow, Verdict
from plusone.invariants import check
from tests.build import NOW, an_endpoint

LATER = NOW + timedelta(seconds=5)


async def an_event(key: str, state: str = "PENDING", *, lane: int = 1, seconds: int = 0) -> int:
    found: int = await database.fetchval(
        """insert into inbox_event (endpoint_id, source, external_key, lane, occurred_at, payload, received_at, state, outcome, tries, parked_reason)
           values ($1, 'line', $2, $3, $4, '{}', $5, $6, '', 0, $7) returning id""",
        await an_endpoint(source="line"), key, lane, NOW + timedelta(seconds=seconds), NOW, state, "odd" if state == "PARKED" else "",
    )  # fmt: skip
    return found


async def waiting() -> list[tuple[int, int]]:
    return [tuple(row) for row in await database.fetch("select lane, event_id from inbox_undecided order by lane, occurred_at, event_id")]


async def states() -> list[str]:
    return [row["state"] for row in await database.fetch("select state from inbox_event order by id")]


async def decided(tx: Tx, rows: Sequence[InboxRow]) -> Sequence[Verdict]:
    return [Verdict(row.id, "NOTED") for row in rows]


async def test_what_is_stored_undecided_waits_and_nothing_else(db: str) -> None:
    late, early = await an_event("a", seconds=2), await an_event("b", seconds=1)
    await an_event("c", "DECIDED")
    parked = await an_event("d", "PARKED")
    other = await an_event("e", lane=-7)
    assert await waiting() == [(-7, other), (1, early), (1, late)]
    assert await replay_parked() == 1
    assert await waiting() == [(-7, other), (1, parked), (1, early), (1, late)]
    await database.execute("delete from inbox_event where id = $1", other)
    async with database.transaction() as tx:
        assert await park(tx, [late, late], "") == 1
    assert await waiting() == [(1, parked), (1, early)]
    assert await states() == ["PARKED", "PENDING", "DECIDED", "PENDING"]
    assert await check(LATER) == []


async def test_a_batch_that_fails_leaves_what_it_took_undecided(db: str) -> None:
    event = await an_event("a")

    async def failing(tx: Tx, rows: Sequence[InboxRow]) -> Sequence[Verdict]:
        assert await tx.fetchval("select count(*) from inbox_undecided") == 0
        raise RuntimeError("bug")

    with pytest.raises(RuntimeError, match="bug"):
        await drain_one(Cursor(), failing, now=lambda: NOW)
    assert (await waiting(), await states()) == ([(1, event)], ["PENDING"])
    assert await check(LATER) == []
    assert await drain_one(Cursor(), decided, now=lambda: NOW) is not None
    assert (await waiting(), await states()) == ([], ["DECIDED"])


async def test_what_is_decided_already_is_not_decided_again(db: str) -> None:
    event = await an_event("a")
    await database.execute("update inbox_event set state = 'DECIDED'")
    assert await waiting() == [(1, event)]
    assert [found.invariant for found in await check(LATER)] == ["I3"]
    drained = await drain_one(Cursor(), decided, now=lambda: NOW)
    assert drained is not None
    assert drained.verdicts == ()
    assert (await waiting(), await check(LATER)) == ([], [])


async def test_an_undecided_event_that_no_lane_would_bring_is_told_at_once(db: str) -> None:
    await an_event("a")
    await database.execute("delete from inbox_undecided")
    assert [found.invariant for found in await check(NOW)] == ["I3"]


async def test_a_round_takes_each_lane_once_and_begins_again_at_the_first(db: str) -> None:
    for lane in (5, -3, 9):
        for n in range(3):
            await an_event(f"{lane}:{n}", lane=lane)
    cursor, seen = Cursor(), []
    while (drained := await drain_one(cursor, decided, now=lambda: NOW, most=1)) is not None:
        seen.append((drained.lane, len(drained.verdicts)))
    assert [one for one in seen if one[1]] == [(-3, 1), (5, 1), (9, 1)] * 3


async def test_a_decided_event_stays_on_its_page_and_touches_no_index(db: str) -> None:
    for n in range(40):
        await an_event(f"{n:05}" + "x" * 150)
    pages = await database.fetch("select (ctid::text::point)[0] as page from inbox_event order by id")
    assert await drain_one(Cursor(), decided, now=lambda: NOW) is not None
    assert await database.fetch("select (ctid::text::point)[0] as page from inbox_event order by id") == pages
    indexed = await database.fetch("select pg_get_indexdef(indexrelid) as made from pg_index where indrelid = 'inbox_event'::regclass")
    assert [row["made"] for row in indexed if "state" in row["made"] or "decided_at" in row["made"]] == []
