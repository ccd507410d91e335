"""Digests: one push that tells how much came into the inbox for which the day had no push of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

from domain import db
from domain.db import Record

LEASE: Final = timedelta(seconds=60)
MAX_TRIES: Final = 10
USE_BY: Final = timedelta(hours=12)
"""A digest that could not be sent for so long is not sent any more."""
SHOPS_NAMED: Final = 3


@dataclass(frozen=True, slots=True)
class DigestTarget:
    """One device that is to be told."""

    target_kind: str
    target: str = field(repr=False)
    locale: str


@dataclass(frozen=True, slots=True)
class DueDigest:
    """A digest, leased to us. `count` unread notices, by the `shops` with most of them (name, count)."""

    id: UUID
    member_id: UUID
    day: date
    use_by: datetime
    count: int
    shops: tuple[tuple[str, int], ...]
    targets: tuple[DigestTarget, ...]


_CLAIM: Final = """
with due as materialized (
  select id from push_digest where state = 'PENDING' and next_try_at <= $1 order by next_try_at, id limit $3 for update skip locked),
taken as (
  update push_digest d set next_try_at = $2, tries = d.tries + 1,
    state = case when d.due_at <= $1 - $5::interval or d.tries >= $4 then 'DROPPED' else d.state end
  from due where d.id = due.id returning d.*)
select t.id, t.member_id, t.day, t.due_at,
  array(select row(s.name, told.n) from (
    select n.shop_id, count(*)::int as n from notice n
    where n.read_at is null and n.member_id = t.member_id and n.id in (select p.notice_id from push_delivery p where p.digest_id = t.id)
    group by n.shop_id) told join shop s on s.id = told.shop_id order by told.n desc, s.name, s.id) as shops,
  array(select row(d.target_kind, d.target, d.locale) from device d where d.member_id = t.member_id and d.revoked_at is null order by d.id) as targets
from taken t where t.state = 'PENDING' order by t.id"""


async def claim_due(now: datetime, *, limit: int = 100) -> list[DueDigest]:
    """Lease digests that are due for a minute, with what they tell and the devices they go to. Those past their time are dropped on the way."""
    return [_digest(row) for row in await db.fetch(_CLAIM, now, now + LEASE, limit, MAX_TRIES, USE_BY)]


def _digest(row: Record) -> DueDigest:
    shops = [(name, count) for name, count in row["shops"]]
    targets = tuple(DigestTarget(*target) for target in row["targets"])
    return DueDigest(
        row["id"],
        row["member_id"],
        row["day"],
        row["due_at"] + USE_BY,
        sum(count for _, count in shops),
        tuple(shops[:SHOPS_NAMED]),
        targets,
    )


async def close(sent: Sequence[DueDigest], empty: Sequence[DueDigest], *, now: datetime) -> None:
    """Digests that need no further try: those that were sent count as a push of their day, those with nothing unread do not."""
    async with db.transaction() as tx:
        await tx.execute(
            "update push_digest set state = 'DROPPED' where id = any($1::uuid[]) and state = 'PENDING'", [digest.id for digest in empty]
        )
        rows = await tx.fetch(
            "update push_digest set state = 'SENT', sent_at = $2 where id = any($1::uuid[]) and state = 'PENDING' returning member_id, day",
            [digest.id for digest in sent],
            now,
        )
        counted = sorted(rows, key=lambda row: row["member_id"])
        await tx.execute(
            """with locked as (
                 select s.member_id, k.day from unnest($1::uuid[], $2::date[]) k(id, day) join notice_settings s on s.member_id = k.id
                 order by s.member_id for update of s)
               update notice_settings s set spent = case when s.day = l.day then s.spent + 1 else 1 end, day = l.day
               from locked l where s.member_id = l.member_id and (s.day is null or s.day <= l.day)""",
            [row["member_id"] for row in counted],
            [row["day"] for row in counted],
        )
