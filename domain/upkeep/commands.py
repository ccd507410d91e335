"""Old rows go, some thousand at a time, each lot in a transaction of its own: nobody waits long for a lock, and a killed worker loses one lot.

Ids rise with time in all of these tables, so the oldest rows are found by walking the primary key from its beginning until a lot has none that
is old: no index is kept up for this alone. Rows that stay behind (parked, pending) are few.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from domain import db
from domain.upkeep.ledger import archive_movements
from domain.upkeep.rules import Keep, cutoff

LOT: Final = 2_000
LOTS: Final = 500
"""Lots of one kind in one run: a million rows. What is left waits for the next one."""


@dataclass(frozen=True, slots=True)
class _Walk:
    """Rows of `table` that are over once `at` is older than the period and `done` holds; `first` is below every key."""

    table: str
    at: str
    done: str
    first: int | UUID
    also: str = ""
    """A further `delete` of what points to the rows `gone`, as a CTE with a comma behind it."""

    @property
    def sql(self) -> str:
        """One lot: deletes what is over, and answers the last key looked at, how many rows were old, and how many are gone."""
        key = "uuid" if isinstance(self.first, UUID) else "bigint"
        return f"""
            with page as materialized (
              select t.id, t.{self.at} < $1 as old, t.{self.at} < $1 and {self.done} as over from {self.table} t where t.id > $2::{key} order by t.id limit $3),
            gone as materialized (select p.id from page p where p.over),
            {self.also}
            dead as (delete from {self.table} t where t.id = any(array(select id from gone)) and {self.done} returning 1)
            select (select p.id from page p order by p.id desc limit 1) as last, (select count(*) from page p where p.old) as old,
                   (select count(*) from dead) as gone"""


NOBODY: Final = UUID(int=0)
THEIR_PUSHES: Final = "pushes as (delete from push_delivery d where d.notice_id = any(array(select id from gone))),"
EVENTS: Final = _Walk("inbox_event", "received_at", "t.state = 'DECIDED'", 0)
REVISIONS: Final = _Walk("comment_revision", "received_at", "true", 0)
UNREAD: Final = _Walk("notice", "created_at", "t.read_at is null", NOBODY, THEIR_PUSHES)
PUSHES: Final = _Walk("push_delivery", "use_by", "t.state <> 'PENDING'", NOBODY)
REPLIES: Final = _Walk("platform_reply", "created_at", "t.state <> 'PENDING'", NOBODY)

PARKED: Final = """delete from inbox_event where state = 'PARKED' and id in (
  select id from inbox_event where state = 'PARKED' and parked_reason <> '' and received_at < $1 order by received_at limit $2)"""
READ: Final = f"""
with gone as materialized (select id from notice where read_at < $1 order by read_at limit $2), {THEIR_PUSHES.rstrip(",")}
delete from notice t where t.id = any(array(select id from gone))"""


LOOSE_DAYS: Final = 1
LOOSE: Final = """delete from transfer_slip where id in (
  select s.id from transfer_slip s where s.created_at < $1 and (select true from transfer_report r where r.slip_id = s.id limit 1) is null
  order by s.created_at limit $2)"""
"""Pictures that were sent and never reported. Sub-selects are looked up by key, whatever the planner thinks of the tables."""
SLIPS: Final = """delete from transfer_slip where id in (
  select s.id from transfer_slip s where s.created_at < $1
    and (select true from transfer_report r where r.slip_id = s.id and (r.answered_at is null or r.answered_at >= $1) limit 1) is null
  order by s.created_at limit $2)"""


async def forget_old(keep: Keep, *, now: datetime) -> dict[str, int]:
    """Delete what has been kept long enough, and archive old movements of stock; answers how many rows of each kind. Harmless when run twice."""
    found = {
        "events": await _walk(EVENTS, cutoff(keep.events, now)),
        "parked": await _oldest(PARKED, cutoff(keep.parked, now)),
        "revisions": await _walk(REVISIONS, cutoff(keep.revisions, now)),
        "pushes": await _walk(PUSHES, cutoff(keep.pushes, now)),
        "read_notices": await _oldest(READ, cutoff(keep.read_notices, now)),
        "unread_notices": await _walk(UNREAD, cutoff(keep.unread_notices, now)),
        "replies": await _walk(REPLIES, cutoff(keep.replies, now)),
        "loose_slips": await _oldest(LOOSE, cutoff(LOOSE_DAYS, now)),
        "slips": await _oldest(SLIPS, cutoff(keep.slips, now)),
    }
    before = cutoff(keep.movements, now)
    found["movements"] = 0 if before is None else await archive_movements(before=before, now=now, lot=LOT, lots=LOTS)
    return found


async def _walk(walk: _Walk, before: datetime | None) -> int:
    """Lot after lot from the smallest key; answers how many rows are gone."""
    total, after = 0, walk.first
    for _ in range(LOTS if before is not None else 0):
        row: Any = await db.fetchrow(walk.sql, before, after, LOT)
        total += row["gone"]
        if not row["old"]:
            break
        after = row["last"]
    return total


async def _oldest(sql: str, before: datetime | None) -> int:
    """Lot after lot of an index that has the oldest first."""
    total = 0
    for _ in range(LOTS if before is not None else 0):
        gone = await db.execute(sql, before, LOT)
        total += gone
        if gone < LOT:
            break
    return total
