"""Comments of one commit share a row, and are decided as if each had one of its own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from domain import db as database
from domain.db import Tx
from domain.inbox import drain, taken
from domain.inbox.bundles import FEWEST, LONGEST, MARK_CHARS, MOST, parts_of, rows_of, written
from domain.inbox.commands import InboxWriter, replay_parked
from domain.inbox.drain import Cursor, Drained, drain_one
from domain.inbox.queries import backlog
from domain.inbox.rules import EventState
from domain.inbox.taken import APART, VARIOUS, InboxRow, Verdict
from plusone.invariants import check
from tests.build import NOW, an_endpoint
from tests.domain.inbox.bundling import LANE, Said, arrival, arrive, table, undecided

ENDPOINTS = [UUID(int=1), UUID(int=2)]
SECOND = timedelta(seconds=1)


@given(
    st.lists(
        st.tuples(st.sampled_from(ENDPOINTS), st.integers(1, 3), st.integers(0, 400), st.integers(0, 6_000), st.booleans()), max_size=300
    )
)
def test_every_event_is_in_one_row_and_a_bundle_is_of_one_lane_short_and_not_too_large(
    drawn: Sequence[tuple[UUID, int, int, int, bool]],
) -> None:
    arrivals = [
        arrival(endpoint, f"{place}:{'k' * length}"[:200], NOW + timedelta(milliseconds=millis), lane=lane, received_at=NOW + timedelta(microseconds=place), repeatable=same)
        for place, (endpoint, lane, length, millis, same) in enumerate(drawn)
    ]  # fmt: skip
    rows = rows_of(arrivals)
    found = []
    for endpoint, source, key, lane, at, payload, received, size, parts in rows:
        assert len(key) <= 200
        if parts is None:
            assert size == 1
            found.append((endpoint, source, key, lane, at, payload, received))
            continue
        events = parts_of(parts)
        assert FEWEST <= len(events) == size <= MOST
        assert key[:-MARK_CHARS] == events[0].external_key
        assert (at, received) == (events[0].occurred_at, min(event.received_at for event in events))
        assert events[-1].occurred_at - at <= LONGEST
        assert [(e.occurred_at, len(e.external_key), e.external_key) for e in events] == sorted(
            (e.occurred_at, len(e.external_key), e.external_key) for e in events
        )
        assert parts_of(written(events)) == events
        found += [(endpoint, source, e.external_key, lane, e.occurred_at, database.jsonb(e.payload), e.received_at) for e in events]
    same = {(one.endpoint_id, one.external_key) for one in arrivals if one.repeatable}
    bundled = {(row[0], event.external_key) for row in rows if row[8] is not None for event in parts_of(row[8])}
    assert bundled <= same
    assert sorted(found, key=str) == sorted(
        ((one.endpoint_id, one.source, one.external_key, one.lane, one.occurred_at, database.jsonb({"key": one.external_key}), one.received_at) for one in arrivals),
        key=str,
    )  # fmt: skip


def stored_so_far(fresh: str) -> float:
    return REGISTRY.get_sample_value("plusone_webhook_events_total", {"new": fresh}) or 0.0


async def test_the_door_stores_a_delivery_of_comments_as_a_bundle_once(writer: InboxWriter) -> None:
    endpoint, new, old = await an_endpoint(), stored_so_far("true"), stored_so_far("false")
    comments = [Said(f"page:c{n:02}", NOW + n * timedelta(milliseconds=20), payload={"n": n}) for n in range(30)]
    delivery = [*comments, Said("page:c03:edited", repeatable=False), Said("other:c1", lane="facebook:other")]
    for _ in range(2):
        await writer.receive(endpoint, "facebook", delivery, received_at=NOW)
    mark = (await table())[-1][0][-MARK_CHARS:]
    assert await table() == [
        ("page:c03:edited", "PENDING", "", 1),
        ("other:c1", "PENDING", "", 1),
        (f"page:c00{mark}", "PENDING", "", 30),
    ]
    assert sorted(await undecided()) == [("other:c1", 1), ("page:c00", 30), ("page:c03:edited", 1)]
    assert (stored_so_far("true") - new, stored_so_far("false") - old) == (32, 32)
    waits = await backlog(NOW)
    assert waits.inbox_rows[EventState.PENDING] == 32
    assert await check(NOW) == []


async def test_a_few_comments_have_rows_of_their_own(writer: InboxWriter) -> None:
    await writer.receive(await an_endpoint(), "facebook", [Said(f"c{n}") for n in range(FEWEST - 1)], received_at=NOW)
    assert [size for *_, size in await table()] == [1] * (FEWEST - 1)


async def a_bundle(size: int = 6, *, seconds: Sequence[float] | None = None) -> UUID:
    """Comments c0, c1 and so on, one a tenth of a second or at these."""
    endpoint = await an_endpoint()
    at = [NOW + timedelta(seconds=s) for s in seconds or [n / 10 for n in range(size)]]
    await arrive([arrival(endpoint, f"c{n}", when, received_at=NOW + SECOND) for n, when in enumerate(at)])
    return endpoint


class Judge:
    """A handler that notes what it is given, and says of each what it was told to."""

    def __init__(self, **words: Verdict | str) -> None:
        self.words = words
        self.seen: list[list[str]] = []

    async def __call__(self, tx: Tx, rows: Sequence[InboxRow]) -> Sequence[Verdict]:
        self.seen.append([row.external_key for row in rows])
        assert len({row.id for row in rows}) == len(rows)
        verdicts = []
        for row in rows:
            word = self.words.get(row.external_key, "SEEN")
            if word == "STOP":
                break
            if word == "RAISE":
                raise RuntimeError(row.external_key)
            parked = "why" if word == "NO_CHANNEL" else ""
            verdicts.append(Verdict(row.id, str(word), parked))
        return verdicts


async def turn(judge: Judge, most: int = 400) -> Drained | None:
    return await drain_one(Cursor(), judge, now=lambda: NOW, most=most)


async def until_dry(judge: Judge) -> None:
    for _ in range(100):
        try:
            if await turn(judge) is None:
                return
        except RuntimeError:
            continue
    raise AssertionError("the lane never ran dry")


@pytest.mark.parametrize(("word", "outcome"), [("SEEN", "SEEN"), ("ORDERED", VARIOUS)])
async def test_a_bundle_is_decided_event_by_event_among_the_others(db: str, word: str, outcome: str) -> None:
    endpoint = await a_bundle()
    await arrive([arrival(endpoint, "single", NOW + timedelta(seconds=0.25))])
    judge = Judge(c3=word)
    drained = await turn(judge)
    assert drained is not None
    assert judge.seen == [["c0", "c1", "c2", "single", "c3", "c4", "c5"]]
    assert [verdict.outcome for verdict in drained.verdicts] == ["SEEN"] * 4 + [word] + ["SEEN"] * 2
    assert [row[1:] for row in await table()] == [("DECIDED", outcome, 6), ("DECIDED", "SEEN", 1)]
    assert (await undecided(), await check(NOW)) == ([], [])


async def test_what_a_bundle_says_is_what_each_of_its_events_said(db: str) -> None:
    endpoint = await a_bundle()
    seen: list[InboxRow] = []

    async def look(tx: Tx, rows: Sequence[InboxRow]) -> Sequence[Verdict]:
        seen.extend(rows)
        return [Verdict(row.id, "SEEN") for row in rows]

    await drain_one(Cursor(), look, now=lambda: NOW)
    assert [(row.endpoint_id, row.source, row.external_key, dict(row.payload), row.occurred_at, row.received_at) for row in seen] == [
        (endpoint, "facebook", f"c{n}", {"key": f"c{n}"}, NOW + n * timedelta(seconds=0.1), NOW + SECOND) for n in range(6)
    ]


async def test_a_batch_that_failed_takes_its_bundles_apart_and_parks_the_poison_alone(db: str) -> None:
    await a_bundle(9)
    await until_dry(Judge(c4="RAISE"))
    found = await table()
    assert found[0][1:] == ("DECIDED", APART, 0)
    assert sorted(found[1:]) == [(f"c{n}", "PARKED" if n == 4 else "DECIDED", "POISON" if n == 4 else "SEEN", 1) for n in range(9)]
    assert await database.fetchval("select parts from inbox_event where size = 0") is None
    assert await check(NOW + timedelta(minutes=2)) == []


async def test_a_batch_smaller_than_a_bundle_takes_it_apart_and_counts_no_try(db: str) -> None:
    await a_bundle()
    judge = Judge()
    first = await turn(judge, most=2)
    assert (first, judge.seen) == (Drained(LANE, (), full=True), [])
    assert await database.fetchval("select coalesce(sum(tries), 0) from lane_tries") == 0
    assert await undecided() == [(f"c{n}", 1) for n in range(6)]
    for _ in range(3):
        await turn(judge, most=2)
    assert judge.seen == [["c0", "c1"], ["c2", "c3"], ["c4", "c5"]]


async def test_events_to_be_parked_leave_their_bundle_and_come_back_alone(db: str) -> None:
    await a_bundle()
    await turn(Judge(c1="NO_CHANNEL", c4="NO_CHANNEL"))
    assert [row[1:] for row in await table()] == [("DECIDED", "SEEN", 4), *[("PARKED", "NO_CHANNEL", 1)] * 2]
    assert [part.external_key for part in parts_of(await database.fetchval("select parts from inbox_event where size = 4"))] == [
        "c0",
        "c2",
        "c3",
        "c5",
    ]
    assert await replay_parked() == 2
    judge = Judge()
    await turn(judge)
    assert (judge.seen, await undecided(), await check(NOW)) == ([["c1", "c4"]], [], [])


async def test_what_is_not_decided_yet_waits_in_rows_of_its_own(db: str) -> None:
    endpoint = await a_bundle()
    await arrive([arrival(endpoint, "late", NOW + SECOND)])
    await turn(Judge(c3="STOP"))
    assert await undecided() == [("c3", 1), ("c4", 1), ("c5", 1), ("late", 1)]
    judge = Judge()
    await turn(judge)
    assert (judge.seen, await check(NOW)) == ([["c3", "c4", "c5", "late"]], [])


async def test_an_event_that_is_known_already_by_a_row_of_its_own_gets_no_second_one(db: str) -> None:
    endpoint = await a_bundle()
    await database.execute("insert into inbox_event (endpoint_id, source, external_key, lane, occurred_at, payload, received_at, state, outcome, tries, parked_reason) "
                           "values ($1, 'facebook', 'c2', $2, $3, '{}', $3, 'DECIDED', 'SEEN', 0, '')", endpoint, LANE, NOW)  # fmt: skip
    judge = Judge()
    for _ in range(4):
        await turn(judge, most=2)
    assert [key for batch in judge.seen for key in batch] == ["c0", "c1", "c3", "c4", "c5"]


async def overlapping(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """A bundle from the beginning to the end, a second within it, and a comment in the second: with room for the first bundle alone."""
    monkeypatch.setattr(drain, "MOST", 1)  # bundles of any size stay whole
    endpoint = await a_bundle(seconds=(0, 0.1, 0.2, 2))
    await arrive([arrival(endpoint, f"d{n}", NOW + timedelta(seconds=s)) for n, s in enumerate((1, 1.1, 1.2, 2.5))])
    for key, seconds in (("early", 0.15), ("within", 2.2), ("after", 2.6)):
        await arrive([arrival(endpoint, key, NOW + timedelta(seconds=seconds))])
    judge = Judge()
    while await turn(judge, most=4) is not None:
        pass
    return judge.seen


async def test_what_lies_between_the_events_of_bundles_is_decided_with_them(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await overlapping(monkeypatch) == [["c0", "c1", "early", "c2", "d0", "d1", "d2", "c3", "within", "d3"], ["after"]]


async def test_twin_without_it_the_order_of_a_post_is_lost(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taken, "TAKE_BETWEEN", taken.TAKE_BETWEEN.replace("where lane = $1", "where false and lane = $1"))
    seen = [key for batch in await overlapping(monkeypatch) for key in batch]
    assert seen.index("c3") < seen.index("d0")


async def test_bundles_with_too_much_between_them_come_apart(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taken, "MOST_BETWEEN", 2)
    seen = [key for batch in await overlapping(monkeypatch) for key in batch]
    assert seen == ["c0", "c1", "early", "c2", "d0", "d1", "d2", "c3", "within", "d3", "after"]
    assert sorted(size for *_, size in await table()) == [0, 0] + [1] * 11


async def test_an_undecided_bundle_of_another_size_than_its_row_is_told(db: str) -> None:
    await a_bundle()
    assert await check(NOW) == []
    await database.execute("update inbox_undecided set size = 5")
    assert [found.invariant for found in await check(NOW)] == ["I3"]


def test_no_number_is_that_of_two_events() -> None:
    numbers = [taken._part_id(bundle, place) for bundle in (1, 2, 3, 2**40) for place in range(MOST)]
    assert len({*numbers}) == len(numbers)
    assert max(numbers) < 0
