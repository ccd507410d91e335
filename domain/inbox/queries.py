"""What waits: figures for alarms and for the doctor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from domain import db
from domain.db import from_jsonb
from domain.inbox.rules import EventState


@dataclass(frozen=True, slots=True)
class Backlog:
    """Ages in seconds, None when nothing waits."""

    inbox_oldest_seconds: float | None
    outbox_oldest_seconds: float | None
    """The oldest job, push or reply that is due and not done."""
    inbox_rows: Mapping[EventState, int]


async def counts() -> dict[EventState, int]:
    """Events by state, every state named."""
    rows = await db.fetch("select state, sum(size) as rows from inbox_event group by state")
    found = {row["state"]: row["rows"] for row in rows}
    return {state: found.get(state.value, 0) for state in EventState}


async def backlog(now: datetime) -> Backlog:
    """All of it in one statement. PENDING and PARKED are counted; DECIDED, which only grows, is the table's estimate less those."""
    row = await db.fetchrow(
        """select (select min(received_at) from inbox_undecided) as inbox,
                  least((select min(execute_after) from pgqueuer where status <> 'failed' and execute_after <= $1),
                        (select min(next_try_at) from push_delivery where state = 'PENDING' and next_try_at <= $1),
                        (select min(created_at) from platform_reply where state = 'PENDING')) as outbox,
                  json_build_object(
                    'PENDING', (select coalesce(sum(size), 0) from inbox_undecided),
                    'PARKED', (select count(*) from inbox_event where parked_reason <> '' and state = 'PARKED'),
                    'ALL', (select greatest(reltuples, 0)::bigint from pg_class where oid = 'inbox_event'::regclass))::text as rows""",
        now,
    )
    assert row is not None
    rows = from_jsonb(row["rows"])
    pending, parked = rows["PENDING"], rows["PARKED"]
    decided = max(rows["ALL"] - pending - parked, 0)
    return Backlog(
        inbox_oldest_seconds=None if row["inbox"] is None else _age(row["inbox"], now),
        outbox_oldest_seconds=None if row["outbox"] is None else _age(row["outbox"], now),
        inbox_rows={EventState.PENDING: pending, EventState.PARKED: parked, EventState.DECIDED: decided},
    )


def _age(since: datetime, now: datetime) -> float:
    return max((now - since).total_seconds(), 0.0)
