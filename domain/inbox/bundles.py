"""Comments of one lane that are stored by one commit share a row: a bundle. It is decided like the rows that it stands for.

In a live's busiest minutes a row of its own for each comment cost PostgreSQL as much as the comment's order and line. Only events that change nothing
when they are heard twice are bundled (`Arrived.repeatable`), because the door knows a bundle by its key and not by those of its events. What is unusual
about one (a batch that failed, an event to be parked, a snapshot between two events) takes it apart: its events get the rows that they did without.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson

from domain.values import value

FEWEST: Final = 4
"""Events of a bundle; fewer keep rows of their own."""
MOST: Final = 100
LONGEST: Final = timedelta(seconds=2)
"""From a bundle's first event to its last, so that few others can lie between them."""
MARK_CHARS: Final = 16
"""What a bundle's key has after that of its first event."""
MAX_KEY_CHARS: Final = 200 - MARK_CHARS

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


@value
class Arrival:
    """One event on its way into the inbox."""

    endpoint_id: UUID
    source: str
    external_key: str
    lane: int
    occurred_at: datetime
    payload: str
    """JSON text."""
    received_at: datetime
    repeatable: bool


Row = tuple[UUID, str, str, int, datetime, str, datetime, int, str | None]
"""endpoint_id, source, external_key, lane, occurred_at, payload, received_at, size, parts"""


@value
class Part:
    """One event of a bundle."""

    external_key: str
    occurred_at: datetime
    received_at: datetime
    payload: dict[str, Any]


def rows_of(arrivals: Sequence[Arrival]) -> list[Row]:
    """The rows that store these events: a bundle for each lane in which enough of them can share one, and a row for every other, in the order given."""
    lanes: dict[tuple[UUID, int], list[Arrival]] = {}
    for one in arrivals:
        if one.repeatable and len(one.external_key) <= MAX_KEY_CHARS:
            lanes.setdefault((one.endpoint_id, one.lane), []).append(one)
    bundles = [cut for of_lane in lanes.values() if len(of_lane) >= FEWEST for cut in _cuts(of_lane) if len(cut) >= FEWEST]
    within = {id(one) for cut in bundles for one in cut}
    singles: list[Row] = [
        (one.endpoint_id, one.source, one.external_key, one.lane, one.occurred_at, one.payload, one.received_at, 1, None)
        for one in arrivals
        if id(one) not in within
    ]
    return singles + [_bundle(cut) for cut in bundles]


def _cuts(of_lane: Sequence[Arrival]) -> list[list[Arrival]]:
    """In the order in which the lane is decided, each at most MOST events and LONGEST long."""
    cuts: list[list[Arrival]] = []
    for one in sorted(of_lane, key=lambda x: (x.occurred_at, len(x.external_key), x.external_key)):
        if cuts and len(cuts[-1]) < MOST and one.occurred_at - cuts[-1][0].occurred_at <= LONGEST:
            cuts[-1].append(one)
        else:
            cuts.append([one])
    return cuts


def _bundle(cut: Sequence[Arrival]) -> Row:
    first = cut[0]
    mark = hashlib.blake2b("\n".join([one.external_key for one in cut]).encode(), digest_size=MARK_CHARS // 2).hexdigest()[1:]
    parts = [(one.external_key, _micros(one.occurred_at), _micros(one.received_at), orjson.Fragment(one.payload)) for one in cut]
    return (
        first.endpoint_id, first.source, f"{first.external_key}+{mark}", first.lane, first.occurred_at, "{}",
        min([one.received_at for one in cut]), len(cut), orjson.dumps(parts).decode(),
    )  # fmt: skip


def parts_of(written: str) -> list[Part]:
    """What `rows_of` and `written` wrote."""
    return [Part(key, _instant(at), _instant(received), payload) for key, at, received, payload in orjson.loads(written)]


def written(parts: Sequence[Part]) -> str:
    """As `rows_of` writes them."""
    return orjson.dumps([(one.external_key, _micros(one.occurred_at), _micros(one.received_at), one.payload) for one in parts]).decode()


def _micros(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


def _instant(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)
