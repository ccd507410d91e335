"""Whether an access token still counts: the session runs, the member exists, `ver` has not been raised.

Read at most once in CACHE per session and process; a change made in this process is seen at once, one made in another within CACHE.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from domain import db

CACHE = timedelta(seconds=30)
MOST_CACHED = 20_000


@dataclass(frozen=True, slots=True)
class Standing:
    """One session as the tables have it."""

    member_id: UUID
    ver: int
    ended: bool
    """The session was ended, or the member is deleted."""
    ends_at: datetime
    locale: str = ""
    """The member's language."""


@dataclass(slots=True)
class _Forgetting:
    times: int = 0
    """How often something was forgotten: an answer that was asked for before may be older than what it was forgotten for."""


_known: dict[UUID, tuple[datetime, Standing]] = {}
_forgetting = _Forgetting()


def forget(*sessions: UUID) -> None:
    """Drop what is cached of these sessions; of all when none is named."""
    _forgetting.times += 1
    if not sessions:
        _known.clear()
    for session_id in sessions:
        _known.pop(session_id, None)


def forget_member(member_id: UUID) -> None:
    """Drop what is cached of all sessions of a member."""
    _forgetting.times += 1
    forget_these = [session_id for session_id, (_, standing) in _known.items() if standing.member_id == member_id]
    for session_id in forget_these:
        del _known[session_id]


def known(session_id: UUID, now: datetime) -> Standing | None:
    """The session's standing where it was read less than CACHE ago."""
    cached = _known.get(session_id)
    return cached[1] if cached is not None and timedelta(0) <= now - cached[0] < CACHE else None


async def standing_of(session_id: UUID, now: datetime) -> Standing | None:
    """The session's standing, at most CACHE old; None when there is no such session."""
    cached = known(session_id, now)
    if cached is not None:
        return cached
    before = _forgetting.times
    row = await db.fetchrow(
        """select s.member_id, m.ver, s.ended_at is not null or m.deleted_at is not null as ended, s.ends_at, m.locale
           from session s join member m on m.id = s.member_id where s.id = $1""",
        session_id,
    )
    if row is None:
        return None
    standing = Standing(row["member_id"], row["ver"], row["ended"], row["ends_at"], row["locale"])
    if before == _forgetting.times:
        if len(_known) >= MOST_CACHED:
            _known.clear()
        _known[session_id] = (now, standing)
    return standing
