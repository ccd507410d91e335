"""Pushes on their way: a row per notice and device, claimed for a while, then marked.

A claim is a lease: it sets `next_try_at` a minute ahead and counts the try, so that a row whose sender dies is due again by itself and a
row that kills its sender is parked in the end. `tries` is also the number of the lease: a sender that comes back after its lease was given
to another cannot put the row off or park it any more. That a push was sent, or that its device is gone, is a fact whoever tells it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from domain import db
from domain.db import Record, Tx, from_jsonb
from domain.jobs import PUSH, JobQueue, lots
from domain.notices.rules import NoticeKind

LEASE = timedelta(seconds=60)
MAX_TRIES = 6
DELAYS = (30, 120, 240, 300, 300)
"""Seconds before the second to the sixth try: together longer than an outage of 15 minutes, and none so long that a backlog takes more
than five minutes after it."""
JOB_AFTER = timedelta(seconds=1)
"""A job for a later try runs this much after the row is due, so that small differences of clocks do not make it come too early."""


@dataclass(frozen=True, slots=True)
class Push:
    """One notice for one device, leased to us."""

    id: UUID
    tries: int
    """Number of this try, from 1."""
    use_by: datetime
    notice_id: UUID
    member_id: UUID
    shop_id: UUID
    kind: NoticeKind
    data: Mapping[str, Any]
    device_id: UUID
    target_kind: str
    """`FID` or `TOKEN`."""
    target: str
    locale: str
    admitted: bool = False
    """It was decided before that it goes."""


CLAIM = """
with due as materialized (
  select p.id, p.admitted, n.id as notice_id, n.member_id, n.shop_id, n.kind, n.data, d.id as device_id, d.target_kind, d.target, d.locale,
         case when p.use_by <= $1 then 'too late'
              when d.revoked_at is not null then 'device revoked'
              when n.member_id is distinct from d.member_id then 'device changed hands'
              when p.tries >= $3 then 'no answer of any try' end as verdict
  from push_delivery p join notice n on n.id = p.notice_id join device d on d.id = p.device_id
  where p.state = 'PENDING' and p.next_try_at <= $1 {which}
  for update of p skip locked),
taken as (
  update push_delivery p
  set tries = p.tries + case when due.verdict is null then 1 else 0 end,
      next_try_at = case when due.verdict is null then $2::timestamptz else p.next_try_at end,
      state = case when due.verdict is null then 'PENDING' when due.verdict = 'no answer of any try' then 'PARKED' else 'DROPPED' end,
      last_error = coalesce(due.verdict, p.last_error)
  from due where p.id = due.id
  returning p.id, p.tries, p.use_by)
select due.*, taken.tries, taken.use_by from taken join due on due.id = taken.id order by taken.id
"""
BY_ID = CLAIM.format(which="and p.id = any($4::uuid[])")
OLDEST = CLAIM.format(which="order by p.next_try_at, p.id limit $4")


async def claim_due(*, now: datetime, ids: Collection[UUID] | None = None, limit: int = 100) -> list[Push]:
    """Lease due pushes for a minute: those of `ids`, or the longest due ones.

    Pushes that are past their time, or whose device was signed out or passed on to another member, are dropped on the way. None without
    `ids` means that none is due: where all of a lot were dropped, the next lot is looked at.
    """
    which: object = limit if ids is None else list(ids)
    while True:
        rows = await db.fetch(OLDEST if ids is None else BY_ID, now, now + LEASE, MAX_TRIES, which)
        found = [_push(row) for row in rows if row["verdict"] is None]
        if found or not rows or ids is not None:
            return found


async def due_in(ids: Collection[UUID], *, now: datetime) -> timedelta | None:
    """How long until the first of these is due that is still open; None when all are closed."""
    at: datetime | None = await db.fetchval(
        "select min(next_try_at) from push_delivery where id = any($1::uuid[]) and state = 'PENDING'", list(ids)
    )
    return None if at is None else at - now


def _push(row: Record) -> Push:
    return Push(
        id=row["id"],
        tries=row["tries"],
        use_by=row["use_by"],
        notice_id=row["notice_id"],
        member_id=row["member_id"],
        admitted=row["admitted"],
        shop_id=row["shop_id"],
        kind=NoticeKind(row["kind"]),
        data=from_jsonb(row["data"]),
        device_id=row["device_id"],
        target_kind=row["target_kind"],
        target=row["target"],
        locale=row["locale"],
    )


async def mark_sent(tx: Tx, provider_ids: Mapping[UUID, str], *, now: datetime) -> int:
    """Close pushes that were taken over, by push id; answers how many were still open."""
    return await tx.execute(
        """update push_delivery p set state = 'SENT', provider_id = left(s.provider_id, 200), sent_at = $1, last_error = ''
           from unnest($2::uuid[], $3::text[]) s(id, provider_id) where p.id = s.id and p.state = 'PENDING'""",
        now,
        list(provider_ids),
        list(provider_ids.values()),
    )


async def mark_dropped(tx: Tx, pushes: Sequence[Push], reason: str, *, now: datetime) -> int:
    """Close pushes whose target is gone for good, and revoke those devices unless they have a new target meanwhile."""
    if not pushes:
        return 0
    await tx.execute(
        """update device set revoked_at = $1 where id in (
             select d.id from device d join unnest($2::uuid[], $3::text[]) g(id, target) on d.id = g.id and d.target = g.target
             where d.revoked_at is null order by d.id for update of d)""",
        now,
        [p.device_id for p in pushes],
        [p.target for p in pushes],
    )
    return await _close(tx, "DROPPED", pushes, reason)


async def park(tx: Tx, pushes: Sequence[Push], reason: str) -> int:
    """Give pushes up for a human to look at; only those whose lease is still ours."""
    return await _close(tx, "PARKED", pushes, reason)


async def _close(tx: Tx, state: str, pushes: Sequence[Push], reason: str) -> int:
    return await tx.execute(
        """update push_delivery p set state = $1, last_error = left($2, 200)
           from unnest($3::uuid[], $4::int[]) g(id, tries)
           where p.id = g.id and p.state = 'PENDING' and (p.tries = g.tries or $1 = 'DROPPED')""",
        state,
        reason,
        [p.id for p in pushes],
        [p.tries for p in pushes],
    )


async def retry_at(tx: Tx, pushes: Sequence[Push], at: datetime, reason: str, *, jobs: JobQueue, counted: bool = True) -> int:
    """Put pushes off until `at`, with jobs that send them then; only those whose lease is still ours.

    With `counted=False` the try is taken back: it says nothing about the push that nobody answered.
    """
    if not pushes:
        return 0
    rows = await tx.fetch(
        """update push_delivery p set next_try_at = $1, last_error = left($2, 200), tries = p.tries - case when $3 then 0 else 1 end
           from unnest($4::uuid[], $5::int[]) g(id, tries) where p.id = g.id and p.tries = g.tries and p.state = 'PENDING'
           returning p.id""",
        at,
        reason,
        counted,
        [p.id for p in pushes],
        [p.tries for p in pushes],
    )
    await jobs.enqueue(tx, PUSH, lots([str(row["id"]) for row in rows], "deliveries"), run_at=at + JOB_AFTER)
    return len(rows)


async def drop_late(reason: str, *, now: datetime, limit: int = 1000) -> int:
    """Close pushes past their time; the notices stay in the inbox."""
    return await db.execute(
        """with late as materialized (
             select id from push_delivery where state = 'PENDING' and use_by <= $2 order by id limit $3 for update skip locked)
           update push_delivery p set state = 'DROPPED', last_error = $1 from late where p.id = late.id""",
        reason,
        now,
        limit,
    )
