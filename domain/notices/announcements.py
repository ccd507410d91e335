"""What a shop tells its buyers: all of them, or those who ordered from one post. Written once, told lot by lot by jobs.

Only buyers who have linked their name in the member app are told, each person once, and nobody who wants no announcements of this shop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from domain import db
from domain.audit.commands import Actor, Entry, record
from domain.db import Tx
from domain.errors import NotFound
from domain.ids import new_id, public_id
from domain.jobs import ANNOUNCE, JobQueue
from domain.notices.commands import NoticeDraft, enqueue
from domain.notices.errors import TooManyAnnouncements
from domain.notices.rules import NoticeKind
from domain.paging import Row

A_DAY: Final = 3
"""Announcements of a shop within any 24 hours."""
LONGEST_TITLE: Final = 60
LONGEST_BODY: Final = 500
LOT: Final = 500
"""Buyers looked at in one transaction."""


@dataclass(frozen=True, slots=True)
class Words:
    """What is told."""

    title: str
    body: str


async def announce(
    *, shop_id: UUID, post_id: UUID | None, words: Words, by_member_id: UUID, actor: Actor, now: datetime, jobs: JobQueue
) -> UUID:
    """Tell the shop's buyers, or those of a post of it; answers the announcement's id.

    Raises:
        NotFound: the shop has no such post.
        TooManyAnnouncements: A_DAY were made within 24 hours.
    """
    async with db.transaction() as tx:
        await tx.fetchval("select pg_advisory_xact_lock(hashtextextended($1, 0))", f"announce:{shop_id}")
        if post_id is not None and await tx.fetchval("select 1 from sales_post where id = $1 and shop_id = $2", post_id, shop_id) is None:
            raise NotFound
        recent = await tx.fetchval(
            "select count(*) from announcement where shop_id = $1 and created_at > $2", shop_id, now - timedelta(days=1)
        )
        if recent >= A_DAY:
            raise TooManyAnnouncements
        announcement_id = new_id()
        await tx.execute(
            """insert into announcement (id, shop_id, post_id, title, body, by_member_id, told, created_at) values ($1, $2, $3, $4, $5, $6, 0, $7)""",
            announcement_id, shop_id, post_id, words.title, words.body, by_member_id, now,
        )  # fmt: skip
        detail = {"post": str(post_id)} if post_id else {}
        await record(tx, actor, [Entry(shop_id, "announcement.create", "announcement", announcement_id, detail)], now=now)
        await jobs.enqueue(tx, ANNOUNCE, [{"announcement": str(announcement_id), "after": None}])
        return announcement_id


_LOCK: Final = """select a.shop_id, a.post_id, a.title, a.body, s.name as shop from announcement a join shop s on s.id = a.shop_id
  where a.id = $1 and a.done_at is null for update of a"""
_BUYERS: Final = """
select b.id, b.member_id,
  b.member_id is not null{of_post}
  and (select true from notice_settings w where w.member_id = b.member_id and w.off ? 'ANNOUNCEMENT') is null
  and (select true from shop_notice_settings w where w.member_id = b.member_id and w.shop_id = b.shop_id and w.off ? 'ANNOUNCEMENT') is null
  and (select true from notice n where n.shop_id = b.shop_id and n.dedupe_key = $4 || b.member_id::text) is null as wanted
from buyer b where b.shop_id::text = ($1::uuid)::text and b.id > $2 order by b.id limit $3"""
"""Scalar sub-selects are looked up by key for each row, whatever the planner thinks of the tables."""
_OF_POST: Final = """ and (select true from "order" o join order_line l on l.order_id = o.id
    where o.buyer_id = b.id and o.shop_id = b.shop_id and l.post_id = $5 limit 1) is not null"""


async def tell_next(announcement_id: UUID, after: UUID | None, *, now: datetime, jobs: JobQueue) -> int:
    """Tell the next lot of buyers and leave a job for the rest; answers how many were told. Run twice, nobody is told twice."""
    async with db.transaction() as tx:
        found = await tx.fetchrow(_LOCK, announcement_id)
        if found is None:
            return 0
        key = f"announcement:{announcement_id}:"
        post = found["post_id"]
        sql = _BUYERS.format(of_post=_OF_POST if post else "")
        rows = await tx.fetch(sql, found["shop_id"], after or UUID(int=0), LOT, key, *([post] if post else []))
        people = {row["member_id"]: row["id"] for row in reversed(rows) if row["wanted"]}
        facts = {"shopName": found["shop"], "title": found["title"], "body": found["body"], "announcementId": str(announcement_id)}
        drafts = [NoticeDraft(buyer_id, NoticeKind.ANNOUNCEMENT, f"{key}{member_id}", facts) for member_id, buyer_id in people.items()]
        told = await enqueue(tx, found["shop_id"], drafts, now=now, jobs=jobs)
        await tx.execute(
            "update announcement set told = told + $2, done_at = $3 where id = $1", announcement_id, told, now if len(rows) < LOT else None
        )
        if len(rows) == LOT:
            await _go_on(tx, announcement_id, rows, jobs)
        return told


async def _go_on(tx: Tx, announcement_id: UUID, rows: Sequence[db.Record], jobs: JobQueue) -> None:
    await jobs.enqueue(tx, ANNOUNCE, [{"announcement": str(announcement_id), "after": str(rows[-1]["id"])}])


async def announcement_of_shop(shop_id: UUID, announcement_id: UUID) -> Row | None:
    """An announcement as its shop sees it."""
    row = await db.fetchrow(
        "select id, title, body, post_id, told, done_at, created_at from announcement where id = $1 and shop_id = $2",
        announcement_id,
        shop_id,
    )
    if row is None:
        return None
    post = None if row["post_id"] is None else public_id("post", row["post_id"])
    return {
        "id": public_id("announcement", row["id"]), "title": row["title"], "body": row["body"], "post_id": post, "told": row["told"],
        "done_at": row["done_at"], "created_at": row["created_at"],
    }  # fmt: skip
