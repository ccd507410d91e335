"""Answers to comments on their way to the platforms: rows written with their cause, leased, sent, marked.

A PENDING row is not touched before its `sent_at` (null: at once): the end of a lease, or the instant of the next try. The attempt is
recorded before the call, with `last_error` = IN_FLIGHT until its outcome is known, so that after a crash it is known that the outcome is
not. `tries` is the number of the lease: a sender that comes back too late cannot put the row off or park it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from domain import db
from domain.claims.ports import OutgoingReply, ReplyKind
from domain.db import Record, Tx
from domain.ids import new_ids
from domain.jobs import REPLY, JobQueue, lots
from domain.values import value

LEASE = timedelta(seconds=60)
MAX_TRIES = 6
DELAYS = (5, 30, 120, 300, 600)
"""Seconds before the second to the sixth try, where the platform asks for no longer wait."""
USE_BY = timedelta(hours=24)
"""An answer that could not be given for so long would only puzzle its reader."""
JOB_AFTER = timedelta(seconds=1)
IN_FLIGHT = "outcome unknown"
NO_SENDER = "no reply sender"


@value
class ReplyDraft:
    """An answer to be. `dedupe_key` is unique everywhere: the same cause never answers twice."""

    comment_id: UUID
    kind: ReplyKind
    text: str
    dedupe_key: str


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer, leased to us."""

    id: UUID
    tries: int
    """Number of this try, from 1."""
    outcome_unknown: bool
    """An earlier try began and nobody knows how it ended."""
    outgoing: OutgoingReply


async def enqueue_replies(tx: Tx, shop_id: UUID, drafts: Sequence[ReplyDraft], *, now: datetime, jobs: JobQueue) -> int:
    """Write answers to comments of one shop, and the jobs that send them; answers how many were new.

    Where nobody sends any, none is written: in a live they were rows by the thousand that nothing reads. Once somebody does, the next comment is answered.
    """
    if not drafts or REPLY in jobs.unheard:
        return 0
    first = {d.dedupe_key: d for d in reversed(drafts)}
    known = await tx.fetch(
        "select dedupe_key from platform_reply where shop_id = $1 and dedupe_key = any($2::text[])", shop_id, list(first)
    )
    for row in known:
        del first[row["dedupe_key"]]
    rows = [
        (made, shop_id, d.comment_id, d.dedupe_key, d.kind.value, d.text, "PENDING", 0, "", "", now)
        for made, d in zip(new_ids(len(first)), reversed(first.values()), strict=True)
    ]
    # Whoever answers holds the buyer, so that a key hardly ever comes twice at one time; if one does, `copy_new` knows.
    written = await tx.copy_new("platform_reply", REPLY_COLUMNS, rows)
    await jobs.enqueue(tx, REPLY, lots([str(row[0]) for row in written], "replies"))
    return len(written)


REPLY_COLUMNS = (
    "id", "shop_id", "comment_id", "dedupe_key", "kind", "text", "state", "tries", "external_id", "last_error", "created_at",
)  # fmt: skip


CLAIM = """
with due as materialized (
  select r.id, r.kind, r.text, r.last_error as before, e.source, h.external_id as channel_id, c.external_id as comment_id,
         coalesce(p.external_post_id, '') as post_id, coalesce(b.external_id, '') as author_id, c.reply_token,
         case when r.created_at <= $1::timestamptz - $5::interval then 'too late'
              when c.removed_at is not null then 'comment removed'
              when r.kind = 'PRIVATE' and b.member_id is not null then 'the commenter has a member'
              when r.tries >= $3 then 'no answer of any try' end as verdict
  from platform_reply r
  join social_comment c on c.id = r.comment_id
  join channel h on h.id = c.channel_id
  join webhook_endpoint e on e.id = h.endpoint_id
  left join buyer b on b.id = c.buyer_id
  left join lateral (
    select external_post_id from post_placement
    where post_id = c.post_id and channel_id = c.channel_id order by external_post_id desc limit 1) p on true
  where r.state = 'PENDING' and (r.sent_at is null or r.sent_at <= $1) {which}
  for update of r skip locked),
taken as (
  update platform_reply r
  set tries = r.tries + case when due.verdict is null then 1 else 0 end,
      sent_at = case when due.verdict is null then $2::timestamptz end,
      state = case when due.verdict is null then 'PENDING' when due.verdict = 'no answer of any try' then 'PARKED' else 'DROPPED' end,
      last_error = coalesce(due.verdict, $6)
  from due where r.id = due.id
  returning r.id, r.tries)
select due.*, taken.tries from taken join due on due.id = taken.id order by taken.id
"""
BY_ID = CLAIM.format(which="and r.id = any($4::uuid[])")
OLDEST = CLAIM.format(which="order by r.created_at, r.id limit $4")


async def claim_due(*, now: datetime, ids: Collection[UUID] | None = None, limit: int = 100) -> list[Reply]:
    """Lease due answers for a minute: those of `ids`, or the oldest. Answers that came too late, or to removed comments, are dropped.

    None without `ids` means that none is due: where all of a lot were dropped, the next lot is looked at.
    """
    which: object = limit if ids is None else list(ids)
    while True:
        rows = await db.fetch(OLDEST if ids is None else BY_ID, now, now + LEASE, MAX_TRIES, which, USE_BY, IN_FLIGHT)
        found = [_reply(row) for row in rows if row["verdict"] is None]
        if found or not rows or ids is not None:
            return found


async def due_in(ids: Collection[UUID], *, now: datetime) -> timedelta | None:
    """How long until the first of these is due that is still open; None when all are closed."""
    at: datetime | None = await db.fetchval(
        "select min(coalesce(sent_at, $2)) from platform_reply where id = any($1::uuid[]) and state = 'PENDING'", list(ids), now
    )
    return None if at is None else at - now


def _reply(row: Record) -> Reply:
    outgoing = OutgoingReply(
        reply_id=str(row["id"]),
        platform=row["source"],
        kind=ReplyKind(row["kind"]),
        channel_id=row["channel_id"],
        comment_id=row["comment_id"],
        post_id=row["post_id"],
        author_id=row["author_id"],
        reply_token=row["reply_token"],
        text=row["text"],
    )
    return Reply(row["id"], row["tries"], row["before"] == IN_FLIGHT, outgoing)


async def mark_sent(reply: Reply, external_id: str, *, now: datetime) -> None:
    """The platform has it, under this id."""
    await db.execute(
        """update platform_reply set state = 'SENT', external_id = left($2, 200), sent_at = $3, last_error = ''
           where id = $1 and state = 'PENDING'""",
        reply.id,
        external_id,
        now,
    )


async def refuse(reply: Reply, reason: str) -> None:
    """The platform will never take it."""
    await _close(reply, "DROPPED", reason)


async def park(reply: Reply, reason: str) -> None:
    """Give it up for a human to look at."""
    await _close(reply, "PARKED", reason)


async def _close(reply: Reply, state: str, reason: str) -> None:
    await db.execute(
        """update platform_reply set state = $3, last_error = left($4, 200), sent_at = null
           where id = $1 and tries = $2 and state = 'PENDING'""",
        reply.id,
        reply.tries,
        state,
        reason,
    )


async def retry_at(reply: Reply, at: datetime, reason: str, *, jobs: JobQueue) -> None:
    """Put it off until `at`, with a job that sends it then. Its last try is known to have come to nothing."""
    async with db.transaction() as tx:
        moved = await tx.execute(
            "update platform_reply set sent_at = $3, last_error = left($4, 200) where id = $1 and tries = $2 and state = 'PENDING'",
            reply.id,
            reply.tries,
            at,
            reason,
        )
        if moved:
            await jobs.enqueue(tx, REPLY, lots([str(reply.id)], "replies"), run_at=at + JOB_AFTER)


async def drop_all(reason: str, *, ids: Collection[UUID] | None = None) -> int:
    """Close open answers that nobody will send: those of `ids`, or all."""
    closed = "update platform_reply set state = 'DROPPED', last_error = $1, sent_at = null where state = 'PENDING'"
    if ids is None:
        return await db.execute(closed, reason)
    return await db.execute(f"{closed} and id = any($2::uuid[])", reason, list(ids))
