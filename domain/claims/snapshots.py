"""Lists of all comments under a post, as a collector saw them: what stood here and is in none of two in a row counts as removed.

Platforms that tell of removals send no lists, and a comment under a post of which none was sent costs nothing here. The row of the post's place
is locked first: whoever compares the same list at the same time finds that it was compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from domain.audit.commands import Actor, Entry, record
from domain.claims.absence import Absence, Standing, absent
from domain.claims.ports import EventKind, Snapshot, SocialEvent, TimeSource
from domain.db import Record, Tx, from_jsonb, jsonb
from domain.ids import new_id
from domain.inbox.commands import occurred
from domain.inbox.taken import InboxRow
from domain.values import value

CLOCKS_APART: Final = timedelta(minutes=5)
"""What a collector's clock may be off by: the door refuses deliveries that are signed at another time."""

POST: Final = "select post_id from post_placement where channel_id = $1 and external_post_id = $2 and shop_id = $3"
PLACE: Final = """
insert into comment_snapshot (id, shop_id, channel_id, platform, external_post_id, snapshot_id) values ($1, $2, $3, $4, $5, '')
on conflict (channel_id, platform, external_post_id) do nothing"""
LOCK_PLACE: Final = """
select id, snapshot_id, taken_at, gathered from comment_snapshot
where channel_id = $1 and platform = $2 and external_post_id = $3 and shop_id = $4 for update"""
SEEN: Final = """
delete from comment_missed m using social_comment c
where m.place_id = $1 and m.shop_id = $2 and c.id = m.comment_id
  and (c.removed_at is not null or (m.missed_at < $3 and c.external_id = any($4::text[])))"""
STANDING: Final = """
select c.id, c.external_id, greatest(c.written_at, c.text_at, c.received_at - $6::interval, r.at) as heard_at, coalesce(r.hidden, false) as hidden,
       (select m.missed_at from comment_missed m where m.comment_id = c.id and m.shop_id = $1) as missed_at
from social_comment c cross join lateral (
  select max(x.at) as at, (array_agg(x.kind order by x.at desc, x.id desc) filter (where x.kind in ('HIDE', 'UNHIDE')))[1] = 'HIDE' as hidden
  from comment_revision x where x.comment_id = c.id) r
where c.shop_id = $1 and c.post_id = $2 and c.channel_id = $3 and c.platform = $4 and c.external_post_id = $5 and c.removed_at is null
  and c.external_id !~ '^[0-9a-f]{64}$'"""
"""Those without an id of their own are left out: their key is made of text and time, and changes with them."""
MISS: Final = """
insert into comment_missed (comment_id, shop_id, place_id, missed_at, told) select unnest($1::uuid[]), $2, $3, $4, false
on conflict (comment_id) do update set missed_at = excluded.missed_at, told = false"""
UNTOLD: Final = (
    "update comment_missed set told = true where comment_id = any($1::uuid[]) and shop_id = $2 and not told returning comment_id"
)
BUYERS: Final = """
select b.id from buyer b where b.shop_id = $2 and b.id = any(array(select k.buyer_id from claim k where k.comment_id = any($1::uuid[])))
order by b.id for no key update"""
TO_REVIEW: Final = """
update claim k set review = 'OPEN', reason = 'MISSING' where k.shop_id = $2 and k.comment_id = any($1::uuid[]) and k.review <> 'OPEN'
  and ((select true from order_line l cross join lateral (select x.state from "order" x where x.id = l.order_id offset 0) o
        where l.claim_id = k.id and l.quantity > 0 and o.state <> 'CANCELLED' limit 1)
       or (select true from waitlist_entry w where w.claim_id = k.id and w.state = 'WAITING' limit 1))
returning k.id, k.outcome, k.order_id"""
BACK: Final = """
select c.id from social_comment c cross join lateral (select x.reason, x.review from claim x where x.comment_id = c.id offset 0) k
where c.shop_id = $1 and c.channel_id = $2 and c.external_id = any($3::text[]) and c.platform = $4 and c.removed_at < $5
  and k.reason = 'REMOVED' and k.review <> 'RESOLVED'"""
REVIEW_AGAIN: Final = """
update claim k set review = 'OPEN', reason = 'SEEN_AGAIN'
where k.shop_id = $2 and k.comment_id = any($1::uuid[]) and k.reason = 'REMOVED' and k.review <> 'RESOLVED'
returning k.id, k.outcome, k.order_id"""
FLAG: Final = """
with found as materialized (select o.id from "order" o where o.shop_id = $2 and o.id = any($1::uuid[]) order by o.id for update)
update "order" o set flagged = true, version = o.version + 1, updated_at = $3 from found
where o.id = found.id and not o.flagged and o.state <> 'CANCELLED'"""


@value
class Compared:
    """What became of a list, and a removal for each comment that is gone."""

    outcome: str
    taken_at: datetime
    removals: Sequence[SocialEvent] = ()


async def compare(tx: Tx, row: InboxRow, event: SocialEvent, channel_id: UUID, shop_id: UUID, *, actor: Actor, now: datetime) -> Compared:
    """Hold a list against the post's comments, and remember what is missing.

    SNAPSHOT: compared. SNAPSHOT_HELD: too many comments are gone at once; none is removed, and the shop is asked to look. SNAPSHOT_PART: other
    parts of it are not here yet. SNAPSHOT_SEEN: not complete, it shows what is there and not what is missing. OVERTAKEN: a later one was
    compared before. DUPLICATE: it was compared before. NO_POST: no post of ours is known to stand there.
    """
    snapshot = event.snapshot
    assert snapshot is not None
    taken_at = occurred(snapshot.taken_at, row.received_at)
    post_id = await tx.fetchval(POST, channel_id, event.post_id, shop_id)
    if post_id is None:
        return Compared("NO_POST", taken_at)
    place = await _locked_place(tx, shop_id, channel_id, event)
    await tx.execute(SEEN, place["id"], shop_id, taken_at, list(snapshot.seen))
    if not snapshot.complete:
        return Compared("SNAPSHOT_SEEN", taken_at)
    if snapshot.id == place["snapshot_id"]:
        return Compared("DUPLICATE", taken_at)
    if place["taken_at"] is not None and taken_at <= place["taken_at"]:
        return Compared("OVERTAKEN", taken_at)
    gathered = _gathered(place, snapshot, taken_at)
    if gathered is None:
        return Compared("OVERTAKEN", taken_at)
    if len(gathered["seen"]) < snapshot.parts:
        await tx.execute("update comment_snapshot set gathered = $2::jsonb where id = $1", place["id"], jsonb(gathered))
        return Compared("SNAPSHOT_PART", taken_at)
    began = datetime.fromisoformat(gathered["takenAt"])
    await tx.execute(
        "update comment_snapshot set snapshot_id = $2, taken_at = $3, gathered = null where id = $1", place["id"], snapshot.id, began
    )
    rows = await tx.fetch(STANDING, shop_id, post_id, channel_id, event.source.value, event.post_id, CLOCKS_APART)
    seen = {key for part in gathered["seen"].values() for key in part}
    found = absent(sorted((Standing(*r.values()) for r in rows), key=lambda x: x.id), seen, began)
    return await _follow(tx, shop_id, place["id"], event, found, began, actor, now)


async def _locked_place(tx: Tx, shop_id: UUID, channel_id: UUID, event: SocialEvent) -> Record:
    """Where the post stands, with what is known of its lists; made when the first list comes."""
    await tx.execute(PLACE, new_id(), shop_id, channel_id, event.source.value, event.post_id)
    place = await tx.fetchrow(LOCK_PLACE, channel_id, event.source.value, event.post_id, shop_id)
    assert place is not None
    return place


def _gathered(place: Record, snapshot: Snapshot, taken_at: datetime) -> dict[str, Any] | None:
    """The list as far as it is here, with this part; None when parts of a later one are here already."""
    stored: Mapping[str, Any] | None = from_jsonb(place["gathered"]) if place["gathered"] is not None else None
    seen: dict[str, list[str]] = {}
    if stored is not None:
        began = datetime.fromisoformat(stored["takenAt"])
        if stored["id"] == snapshot.id and stored["parts"] == snapshot.parts:
            seen, taken_at = dict(stored["seen"]), min(began, taken_at)
        elif taken_at <= began:
            return None
    seen.setdefault(str(snapshot.part), sorted(snapshot.seen))
    return {"id": snapshot.id, "takenAt": taken_at.isoformat(), "parts": snapshot.parts, "seen": seen}


async def _follow(
    tx: Tx, shop_id: UUID, place_id: UUID, event: SocialEvent, found: Absence, taken_at: datetime, actor: Actor, now: datetime
) -> Compared:
    """Remember what is missing, and what is gone remove or tell of."""
    if found.first:
        await tx.execute(MISS, [x.id for x in found.first], shop_id, place_id, taken_at)
    if not found.again:
        return Compared("SNAPSHOT", taken_at)
    again = [x.id for x in found.again]
    detail = {"takenAt": taken_at.isoformat(), "gone": len(again), "believed": not found.too_many}
    entries = [Entry(shop_id, "COMMENTS_GONE", "comment_snapshot", place_id, detail)]
    if found.too_many:
        await record(tx, actor, entries + await _ask(tx, shop_id, again, now), now=now)
        return Compared("SNAPSHOT_HELD", taken_at)
    await record(tx, actor, entries, now=now)
    await tx.execute("delete from comment_missed where comment_id = any($1::uuid[]) and shop_id = $2", again, shop_id)
    return Compared("SNAPSHOT", taken_at, [_removal(event, x, taken_at) for x in found.again])


def _removal(event: SocialEvent, gone: Standing, taken_at: datetime) -> SocialEvent:
    return SocialEvent(
        EventKind.REMOVE, event.source, channel_id=event.channel_id, comment_id=gone.external_id, post_id=event.post_id, occurred_at=taken_at,
        time_source=TimeSource.OBSERVER,
    )  # fmt: skip


async def _ask(tx: Tx, shop_id: UUID, comment_ids: Sequence[UUID], now: datetime) -> list[Entry]:
    """Put what these comments hold on the shop's list for review, each once; buyers hear nothing."""
    new = [r["comment_id"] for r in await tx.fetch(UNTOLD, list(comment_ids), shop_id)]
    return await _to_review(tx, TO_REVIEW, "MISSING", shop_id, new, now)


async def seen_again(
    tx: Tx, event: SocialEvent, channel_id: UUID, shop_id: UUID, taken_at: datetime, *, actor: Actor, now: datetime
) -> None:
    """Comments that count as removed and are there all the same come to the shop's list for review, each once.

    What was released is not ordered again by itself: its pieces may be somebody else's by now.
    """
    assert event.snapshot is not None
    rows = await tx.fetch(BACK, shop_id, channel_id, list(event.snapshot.seen), event.source.value, taken_at)
    if rows:
        await record(tx, actor, await _to_review(tx, REVIEW_AGAIN, "SEEN_AGAIN", shop_id, [r["id"] for r in rows], now), now=now)


async def _to_review(tx: Tx, sql: str, reason: str, shop_id: UUID, comment_ids: Sequence[UUID], now: datetime) -> list[Entry]:
    """Open the reviews of these comments' claims by this statement, and flag their orders; buyers first, as everybody locks them."""
    await tx.execute(BUYERS, comment_ids, shop_id)
    claims = await tx.fetch(sql, comment_ids, shop_id)
    orders = [r["order_id"] for r in claims if r["order_id"] is not None]
    if orders:
        await tx.execute(FLAG, orders, shop_id, now)
    return [Entry(shop_id, "CLAIM_DECIDED", "claim", r["id"], {"outcome": r["outcome"], "reason": reason}) for r in claims]
