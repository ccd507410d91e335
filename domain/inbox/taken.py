"""What a transaction takes out of a lane, the events of bundles among those of single rows in the lane's order; and what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson

from domain.db import Record, Tx, from_jsonb
from domain.inbox.bundles import MOST, Part, parts_of, written
from domain.inbox.rules import EventState
from domain.values import value

_EVENTS: Final = """
taken as (delete from inbox_undecided u using due where u.ctid = due.place)
select e.id, e.endpoint_id, e.source, e.external_key, e.payload, e.occurred_at, e.received_at, e.parts from due
cross join lateral (select * from inbox_event x where x.id = due.event_id and x.state = 'PENDING' offset 0) e
"""
TAKE: Final = f"""
with next as materialized (
  select ctid as place, event_id, occurred_at, external_key, size from inbox_undecided where lane = $1
  order by occurred_at, length(external_key), external_key collate "C", event_id limit $2),
due as materialized (
  select place, event_id from (
    select place, event_id, size,
      sum(size) over (order by occurred_at, length(external_key), external_key collate "C", event_id rows unbounded preceding) as reached
    from next) counted
  where reached - size < $2),
{_EVENTS}"""
"""What is taken is undecided no more if this transaction commits, and as it was if it does not."""
TAKE_BETWEEN: Final = f"""
with due as materialized (
  select ctid as place, event_id from inbox_undecided
  where lane = $1 and occurred_at <= $2 and (occurred_at < $2 or (length(external_key), external_key collate "C") < ($3, $4)) limit $5),
{_EVENTS}"""
"""What happened before the last event of a bundle that was taken."""
MOST_BETWEEN: Final = 400
WAIT_AGAIN: Final = """
insert into inbox_undecided (lane, occurred_at, event_id, received_at, external_key, size)
select e.lane, e.occurred_at, e.id, e.received_at, e.external_key, e.size from inbox_event e where e.id = any($1::bigint[])
"""
"""Single rows that were taken and not decided."""
_MARK: Final = """update inbox_event e set state = k.state, outcome = k.outcome, parked_reason = k.reason, decided_at = $1
  from unnest($2::bigint[], $3::text[], $4::text[], $5::text[]) k(id, state, outcome, reason) where e.id = k.id"""
_CUT: Final = "update inbox_event e set size = k.size, parts = k.parts from unnest($1::bigint[], $2::int[], $3::text[]) k(id, size, parts) where e.id = k.id"
_OUT: Final = """
insert into inbox_event (endpoint_id, source, external_key, lane, occurred_at, payload, received_at, state, outcome, tries, parked_reason, decided_at)
select b.endpoint_id, b.source, k.key, b.lane, k.at, k.payload::jsonb, k.received, k.state, k.outcome, 0, k.reason,
       case when k.state <> 'PENDING' then $1::timestamptz end
from unnest($2::bigint[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::text[], $7::text[], $8::text[], $9::text[])
       k(bundle, key, at, received, payload, state, outcome, reason) join inbox_event b on b.id = k.bundle
on conflict (endpoint_id, external_key) do nothing"""
VARIOUS: Final = "VARIOUS"
"""Outcome of a bundle whose events have more than one."""
APART: Final = "APART"
"""Outcome of a bundle of which nothing was decided: its events have rows of their own."""
_PLACES: Final = 128
assert MOST <= _PLACES, "a part's number has its bundle's and its place in it"


@value
class InboxRow:
    """One undecided event."""

    id: int
    """Of its row, or below zero when it is part of a bundle."""
    endpoint_id: UUID
    source: str
    external_key: str
    payload: Mapping[str, Any]
    occurred_at: datetime
    received_at: datetime


@value
class Verdict:
    """What became of one event."""

    event_id: int
    outcome: str
    parked_reason: str = ""

    @property
    def state(self) -> EventState:
        """PARKED with a reason, else DECIDED."""
        return EventState.PARKED if self.parked_reason else EventState.DECIDED


Order = tuple[datetime, int, str, int]


def _order(row: InboxRow) -> Order:
    """By platform time, and within one instant by key, which begins with the comment's id: not by arrival.

    A shorter key goes first, so that ids with a counter are in its order and a comment comes before its own edits.
    """
    return row.occurred_at, len(row.external_key), row.external_key, row.id


@dataclass(slots=True)
class Taken:
    """Events in the lane's order."""

    rows: list[InboxRow] = field(default_factory=list)
    bundles: dict[int, list[Part]] = field(default_factory=dict)
    """By the ids of their rows."""
    tangled: bool = False
    """So much happened between the events of bundles that not all of it was taken: they must come apart before anything is decided."""

    def add(self, found: Sequence[Record]) -> None:
        """Rows as they were read."""
        for number, endpoint_id, source, key, payload, at, received, parts in found:
            if parts is None:
                self.rows.append(InboxRow(number, endpoint_id, source, key, from_jsonb(payload), at, received))
                continue
            self.bundles[number] = of_it = parts_of(parts)
            self.rows += [
                InboxRow(_part_id(number, place), endpoint_id, source, part.external_key, part.payload, part.occurred_at, part.received_at)
                for place, part in enumerate(of_it)
            ]
        self.rows.sort(key=_order)


def _part_id(bundle: int, place: int) -> int:
    return -(bundle * _PLACES + place)


async def take(tx: Tx, lane: int, limit: int) -> Taken:
    """The lane's next events: `limit` of them and what the last bundle has beyond that, with all that lies between the events of bundles."""
    taken = Taken()
    taken.add(await tx.fetch(TAKE, lane, limit))
    before = 0
    while len(taken.bundles) > before and not taken.tangled:
        before, last = len(taken.bundles), taken.rows[-1]
        between = await tx.fetch(TAKE_BETWEEN, lane, last.occurred_at, len(last.external_key), last.external_key, MOST_BETWEEN)
        taken.tangled = len(between) == MOST_BETWEEN
        taken.add(between)
    return taken


async def close(tx: Tx, taken: Taken, verdicts: Sequence[Verdict], now: datetime) -> None:
    """Write what became of everything taken. What has no verdict waits again; of a bundle it gets a row of its own, as does what is to be parked."""
    told = {verdict.event_id: verdict for verdict in verdicts}
    marks = [verdict for verdict in verdicts if verdict.event_id > 0]
    if taken.bundles:
        marks += await _close_bundles(tx, taken.bundles, told, now)
    await tx.execute(
        _MARK,
        now,
        [v.event_id for v in marks],
        ["PARKED" if v.parked_reason else "DECIDED" for v in marks],
        [v.outcome[:40] for v in marks],
        [v.parked_reason[:300] for v in marks],
    )
    if len(told) < len(taken.rows) and (rest := [row.id for row in taken.rows if row.id > 0 and row.id not in told]):
        await tx.execute(WAIT_AGAIN, rest)


async def _close_bundles(tx: Tx, bundles: Mapping[int, Sequence[Part]], told: Mapping[int, Verdict], now: datetime) -> list[Verdict]:
    """A verdict for each bundle, after those of its events that are undecided or to be parked went out of it."""
    marks: list[Verdict] = []
    out: list[tuple[object, ...]] = []
    cut: list[tuple[int, int, str | None]] = []
    for bundle, parts in bundles.items():
        outcomes: set[str] = set()
        kept: list[Part] = []
        for place, part in enumerate(parts):
            verdict = told.get(_part_id(bundle, place))
            if verdict is not None and not verdict.parked_reason:
                outcomes.add(verdict.outcome)
                kept.append(part)
            else:
                out.append((bundle, *_alone(part, verdict)))
        marks.append(Verdict(bundle, APART if not outcomes else VARIOUS if len(outcomes) > 1 else outcomes.pop()))
        if len(kept) < len(parts):
            cut.append((bundle, len(kept), written(kept) if kept else None))
    if out:
        await tx.execute(_OUT, now, *zip(*out, strict=True))
        await tx.execute(_CUT, *zip(*cut, strict=True))
    return marks


def _alone(part: Part, verdict: Verdict | None) -> tuple[object, ...]:
    payload = orjson.dumps(part.payload).decode()
    state, outcome, reason = ("PENDING", "", "") if verdict is None else ("PARKED", verdict.outcome[:40], verdict.parked_reason[:300])
    return part.external_key, part.occurred_at, part.received_at, payload, state, outcome, reason
