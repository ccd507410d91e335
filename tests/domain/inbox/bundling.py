"""Comments of one lane that came in one commit, for tests: as the door stores them, in bundles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest

from domain import db
from domain.inbox import bundles, commands
from domain.inbox.bundles import Arrival
from tests.build import NOW

LANE = 7


@dataclass(frozen=True, slots=True)
class Said:
    """An event of a delivery."""

    external_key: str
    occurred_at: datetime | None = NOW
    lane: str = "facebook:post"
    payload: Mapping[str, Any] = field(default_factory=dict)
    written: str = ""
    repeatable: bool = True


def arrival(
    endpoint: UUID, key: str, at: datetime = NOW, *, received_at: datetime = NOW, lane: int = LANE, repeatable: bool = True
) -> Arrival:
    return Arrival(endpoint, "facebook", key, lane, at, orjson.dumps({"key": key}).decode(), received_at, repeatable)


async def arrive(arrivals: Sequence[Arrival]) -> None:
    """One commit of the door."""
    await commands._insert(arrivals)


async def bundle_what_waits(endpoint: UUID) -> None:
    """Store the added comments that wait as if they had come in one commit: two of a lane are enough for a bundle, however long it gets."""
    async with db.transaction() as tx:
        rows = await tx.fetch(
            """/* arranged */ delete from inbox_event where endpoint_id = $1 and state = 'PENDING' and parts is null and payload #>> '{value,verb}' = 'add'
               returning endpoint_id, source, external_key, lane, occurred_at, payload, received_at""",
            endpoint,
        )
    if rows:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(bundles, "FEWEST", 2)
            patch.setattr(bundles, "LONGEST", timedelta(days=1))
            await arrive([Arrival(*row.values(), True) for row in sorted(rows, key=lambda row: row["received_at"])])


async def table() -> list[tuple[str, str, str, int]]:
    """(key, state, outcome, size) of every row."""
    rows = await db.fetch("select external_key, state, outcome, size from inbox_event order by id")
    return [tuple(row) for row in rows]


async def undecided() -> list[tuple[str, int]]:
    """(first key, size) of what waits, in the order of its times."""
    return [tuple(row) for row in await db.fetch("select external_key, size from inbox_undecided order by occurred_at, event_id")]
