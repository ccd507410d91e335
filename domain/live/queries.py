"""What changed since a place, and who may still listen. Each is one statement."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from domain import db
from domain.live.places import BadPlace, Place
from domain.live.rules import MOST_AT_ONCE, ChangeKind

_CHANGES: Final = f"""
select now.snapshot::text as snapshot, pg_snapshot_xmax(now.snapshot)::text::bigint as next,
  array(select c.object_id from live_change c
        where c.member_id = $1 and c.kind = $2 and c.xid >= $3 and c.xid < pg_snapshot_xmax(now.snapshot)::text::bigint
          and not pg_visible_in_snapshot(c.xid::text::xid8, $4::text::pg_snapshot)
        group by c.object_id order by max(c.id) limit {MOST_AT_ONCE + 1}) as objects
from (select pg_current_snapshot() as snapshot) now"""

_STANDING: Final = """
select s.id, m.ver from session s join member m on m.id = s.member_id
where s.id = any($1::uuid[]) and s.ended_at is null and s.ends_at > $2 and m.deleted_at is null"""


@dataclass(frozen=True, slots=True)
class Changes:
    """Objects that changed since a place, each once, by their newest change; `place` is where this leaves off."""

    objects: list[UUID]
    place: Place


async def here(now: datetime) -> Place:
    """The place of this instant: all that commits from now on comes after it."""
    return Place(await db.fetchval("select pg_current_snapshot()::text"), now)


async def changes_since(member_id: UUID, kind: ChangeKind, place: Place, *, now: datetime) -> Changes:
    """A member's changes of one kind that the place did not see.

    Raises:
        BadPlace: there are more than MOST_AT_ONCE, or the place is of another database's life (it was restored).
    """
    row = await db.fetchrow(_CHANGES, member_id, kind.value, place.oldest, place.snapshot)
    assert row is not None
    if place.oldest > row["next"] or len(row["objects"]) > MOST_AT_ONCE:
        raise BadPlace
    return Changes(list(row["objects"]), Place(row["snapshot"], now))


async def standing(session_ids: Collection[UUID], *, now: datetime) -> dict[UUID, int]:
    """Those of these sessions that run, with their member's `ver`; read from the tables, nothing of it is cached."""
    return {row["id"]: row["ver"] for row in await db.fetch(_STANDING, list(session_ids), now)}
