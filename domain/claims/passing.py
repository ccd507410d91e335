"""Offers that nobody answered: their places end, and what they were for passes on to the next in line."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import Final

from domain import db
from domain.audit.commands import Entry, record
from domain.claims.waiting import ACTOR
from domain.db import Record, Tx
from domain.jobs import JobQueue
from domain.notices.commands import NoticeDraft, enqueue
from domain.notices.rules import NoticeKind
from domain.stock.commands import lock_levels, restocked

LOT: Final = 200
"""Offers that one transaction passes on."""

DUE: Final = (
    """select id, buyer_id, variant_id from waitlist_offer where state = 'OPEN' and expires_at <= $1 order by expires_at, id limit $2"""
)
LOCK_BUYERS: Final = "select id from buyer where id = any($1::uuid[]) order by id for no key update skip locked"
END_PLACES: Final = """
with passed as (
  update waitlist_offer set state = 'PASSED'
  where id = any($1::uuid[]) and buyer_id = any($2::uuid[]) and state = 'OPEN' and expires_at <= $3 returning id, place_id),
gone as (
  update waitlist_entry w set state = 'EXPIRED' from passed where w.id = passed.place_id and w.state = 'WAITING'
  returning passed.id as offer_id, w.id, w.shop_id, w.buyer_id, w.claim_id, w.variant_id, w.quantity)
select gone.*, c.outcome, p.title as post_title, h.name as shop_name, v.label, t.title
from gone join claim c on c.id = gone.claim_id left join sales_post p on p.id = c.post_id join shop h on h.id = gone.shop_id
join variant v on v.id = gone.variant_id join product t on t.id = v.product_id order by gone.shop_id, gone.id"""
FEWER: Final = """
update stock_level s set waiting = s.waiting - k.pieces
from (select v, sum(n)::int as pieces from unnest($1::uuid[], $2::int[]) x(v, n) group by v) k where s.variant_id = k.v"""


async def pass_on_due(*, now: datetime, limit: int, jobs: JobQueue) -> int:
    """End the places whose offers have run out, at most `limit`, LOT in a transaction; answers how many.

    A buyer who is locked at this moment (they say yes, or write a comment) is left for the next time.
    """
    done = 0
    while done < limit:
        async with db.transaction() as tx:
            passed = await _pass_on(tx, now, min(LOT, limit - done), jobs)
        done += passed
        if passed == 0:
            break
    return done


async def _pass_on(tx: Tx, now: datetime, limit: int, jobs: JobQueue) -> int:
    due = await tx.fetch(DUE, now, limit)
    if not due:
        return 0
    buyers = [row["id"] for row in await tx.fetch(LOCK_BUYERS, sorted({row["buyer_id"] for row in due}))]
    await lock_levels(tx, [row["variant_id"] for row in due])
    gone = await tx.fetch(END_PLACES, [row["id"] for row in due], buyers, now)
    await tx.execute(FEWER, [row["variant_id"] for row in gone], [row["quantity"] for row in gone])
    for _, found in groupby(gone, key=lambda row: row["shop_id"]):
        await _tell(tx, list(found), now, jobs)
    return len(gone)


async def _tell(tx: Tx, gone: Sequence[Record], now: datetime, jobs: JobQueue) -> None:
    """Audit, a notice each, and word to those who stand behind; all of one shop."""
    shop_id = gone[0]["shop_id"]
    entries = [
        Entry(
            shop_id, "CLAIM_DECIDED", "claim", row["claim_id"],
            {"outcome": row["outcome"], "reason": "WAITLIST_OFFER_PASSED", "pieces": row["quantity"]},
        )
        for row in gone
    ]  # fmt: skip
    await record(tx, ACTOR, entries, now=now)
    drafts = [
        NoticeDraft(
            row["buyer_id"], NoticeKind.WAITLIST_OFFER_OVER, f"waitlist_offer_over:{row['offer_id']}",
            {
                "shopName": row["shop_name"], "postTitle": row["post_title"] or "",
                "lines": [{"title": row["title"], "label": row["label"], "quantity": row["quantity"]}],
            },
        )
        for row in gone
    ]  # fmt: skip
    await enqueue(tx, shop_id, drafts, now=now, jobs=jobs)
    await restocked(tx, shop_id, [row["variant_id"] for row in gone], jobs=jobs)
