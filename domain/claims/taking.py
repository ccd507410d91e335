"""Take a batch of stored events: read them, decide them in order, write what follows. One transaction, the caller's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from domain.audit.commands import Actor
from domain.claims import account_linking, codes, links, loading, snapshots
from domain.claims.deciding import SPOKEN, Batch, Item, decide, may_change, of_shop, only_more, read_texts, stay_on_post
from domain.claims.desk import Desk
from domain.claims.ports import EventKind, Platform, SocialEvent, SourcePlatform, Unreadable
from domain.claims.writing import write_comments, write_desk
from domain.db import Tx
from domain.inbox.taken import InboxRow, Verdict
from domain.jobs import REPLY, JobQueue

ACTOR = Actor("worker:ingest")
IDS_OF_A_COMMENT = 4
"""Its own, its claim's, its line's, its order's."""


async def take(tx: Tx, rows: Sequence[InboxRow], *, platforms: Mapping[str, Platform], now: datetime, jobs: JobQueue) -> list[Verdict]:
    """Decide these events, all of one lane, in the order given; answers a verdict for each, or for those before the next snapshot.

    A snapshot is decided in a transaction of its own: what it removes is locked as a batch locks it, from the beginning.
    """
    verdicts: list[Verdict] = []
    read: list[tuple[InboxRow, SocialEvent]] = []
    for row in rows:
        try:
            event = platforms[row.source].parse(row.payload)
        except Unreadable as error:
            verdicts.append(Verdict(row.id, "UNREADABLE", str(error) or "unreadable"))
            continue
        if event.kind is EventKind.SNAPSHOT:
            if verdicts or read:
                break
            return [await _take_snapshot(tx, row, event, now=now, jobs=jobs)]
        if event.kind is EventKind.OTHER:
            verdicts.append(Verdict(row.id, "NOTED"))
        else:
            read.append((row, event))
    by_shop: dict[UUID, list[Item]] = {}
    read = await account_linking.answered(tx, read, verdicts, now, jobs)
    channels = await _channels(tx, read)
    read = await codes.heard(tx, read, channels, verdicts, now)
    for row, event in read:
        found = channels.get((row.endpoint_id, event.channel_id))
        if found is None:
            verdicts.append(_no_channel(row))
        else:
            by_shop.setdefault(found[1], []).append(Item(row, event, found[0]))
    # In key order, like all that is locked: two lanes may name the same shops in another order.
    for shop_id, items in sorted(by_shop.items()):
        linked = frozenset(channel for (_, channel), found in channels.items() if found[1] == shop_id and found[2])
        verdicts += await _take_shop(tx, Batch(await loading.shop_facts(tx, shop_id), items, linked), now=now, jobs=jobs)
    return verdicts


def _no_channel(row: InboxRow) -> Verdict:
    return Verdict(row.id, "NO_CHANNEL", "no such channel is connected; replay it once it is")


async def _take_snapshot(tx: Tx, row: InboxRow, event: SocialEvent, *, now: datetime, jobs: JobQueue) -> Verdict:
    """Compare a post's comments with a list of them. What is gone is decided as if the platform had told of each."""
    found = (await _channels(tx, [(row, event)])).get((row.endpoint_id, event.channel_id))
    if found is None:
        return _no_channel(row)
    channel_id, shop_id, _ = found
    compared = await snapshots.compare(tx, row, event, channel_id, shop_id, actor=ACTOR, now=now)
    if compared.removals:
        told = replace(row, id=links.TAKEN_UP_AGAIN, occurred_at=compared.taken_at)
        batch = Batch(await loading.shop_facts(tx, shop_id), [Item(told, removal, channel_id) for removal in compared.removals])
        await _take_shop(tx, batch, now=now, jobs=jobs)
    elif compared.outcome != "SNAPSHOT_HELD":
        # Buyers are locked once in a transaction: what else this list shows is told by the next one.
        await snapshots.seen_again(tx, event, channel_id, shop_id, compared.taken_at, actor=ACTOR, now=now)
    return Verdict(row.id, compared.outcome)


async def _channels(tx: Tx, read: Sequence[tuple[InboxRow, SocialEvent]]) -> dict[tuple[UUID, str], tuple[UUID, UUID, bool]]:
    """(endpoint, external id) -> (channel, shop, whether its private replies carry links)."""
    keys = {(row.endpoint_id, event.channel_id) for row, event in read}
    rows = await tx.fetch(
        """select c.endpoint_id, c.external_id, c.id, c.shop_id, c.private_links from channel c
           join unnest($1::uuid[], $2::text[]) k(endpoint_id, external_id) on c.endpoint_id = k.endpoint_id and c.external_id = k.external_id""",
        [k[0] for k in keys],
        [k[1] for k in keys],
    )
    return {(r["endpoint_id"], r["external_id"]): (r["id"], r["shop_id"], r["private_links"]) for r in rows}


async def _take_shop(tx: Tx, batch: Batch, *, now: datetime, jobs: JobQueue) -> list[Verdict]:
    shop = batch.shop
    verdicts = await _link_posts(tx, batch, now)
    await _place(tx, batch)
    spoken = [item for item in batch.items if item.event.kind is not EventKind.POST_LINK]
    desk = loading.desk_of(shop, now, ids=IDS_OF_A_COMMENT * len(spoken))
    batch.comments = await loading.comments_of(tx, [i.channel_id for i in spoken], [i.event.comment_id for i in spoken])
    stay_on_post(batch, spoken)
    desk.private_links, desk.answers = batch.private_links, REPLY not in jobs.unheard
    desk.earliest = min((item.at for item in spoken), default=None)
    since = {i.post_id: i.at for i in sorted(spoken, key=lambda i: i.at, reverse=True) if i.post_id is not None}
    desk.readings = await loading.readings_of(tx, since)
    await loading.read_back(tx, desk, since)
    await _find_buyers(tx, batch, desk, spoken)
    # After the locks on their buyers: staff and waiting lists change claims too.
    desk.claims = await loading.claims_of(tx, [c.id for c in batch.comments.values()])
    variants = read_texts(batch, desk, spoken)
    changing = [i for i in spoken if i.buyer_id is not None and may_change(i, batch, desk)]
    buyers = {i.buyer_id for i in changing if i.buyer_id is not None}
    if buyers:
        await loading.fill_desk(tx, desk, buyers, variants, only_more=buyers - _looking_back(changing, spoken, batch))
    for item in spoken:
        outcome = decide(batch, desk, item)
        if item.row.id != links.TAKEN_UP_AGAIN:
            verdicts.append(Verdict(item.row.id, outcome))
    for channel_id in dict.fromkeys(i.channel_id for i in spoken):
        comments = [c for (channel, _), c in batch.comments.items() if channel == channel_id]
        await write_comments(tx, shop.id, channel_id, comments, batch.revisions.get(channel_id, ()))
    await write_desk(tx, desk, actor=ACTOR, jobs=jobs)
    return verdicts


def _looking_back(changing: Sequence[Item], spoken: Sequence[Item], batch: Batch) -> set[UUID | None]:
    """The buyers to whose events it may matter what they hold."""
    events = Counter(i.key for i in spoken)
    return {i.buyer_id for i in changing if not only_more(i, batch, once=events[i.key] == 1)}


async def _link_posts(tx: Tx, batch: Batch, now: datetime) -> list[Verdict]:
    """Learn where the platform copied our posts; comments that waited for it join the batch, in platform order."""
    verdicts = []
    for item in [i for i in batch.items if i.event.kind is EventKind.POST_LINK]:
        linked = await links.link(tx, batch.shop.id, item.channel_id, item.event, now=now)
        verdicts.append(Verdict(item.row.id, "LINKED" if linked else "NOTED"))
        if linked:
            waiting = await links.waiting_for(tx, item.row, item.channel_id, item.event)
            batch.items = sorted([*(Item(row, event, item.channel_id) for row, event in waiting), *batch.items], key=lambda i: i.at)
    return verdicts


async def _place(tx: Tx, batch: Batch) -> None:
    """Find each event's post: its own thread or post, the message it quotes, or the chat's open post."""
    wanted = {(i.channel_id, key) for i in batch.items for key in (*_places(i.event), "")}
    rows = await tx.fetch(
        """select p.channel_id, p.external_post_id, p.post_id from post_placement p
           join unnest($1::uuid[], $2::text[]) k(channel_id, external_post_id)
             on p.channel_id = k.channel_id and p.external_post_id = k.external_post_id""",
        [w[0] for w in wanted],
        [w[1] for w in wanted],
    )
    placed = {(r["channel_id"], r["external_post_id"]): r["post_id"] for r in rows}
    for item in batch.items:
        item.post_id = None
        for key in _places(item.event):
            if (post := placed.get((item.channel_id, key))) is not None:
                item.post_id = post
                break
        if item.post_id is None and (not item.event.post_id or item.event.source is SourcePlatform.TELEGRAM):
            # In a Telegram group every reply chain is a thread of its own: the chat's open post is still meant.
            item.post_id = placed.get((item.channel_id, ""))


def _places(event: SocialEvent) -> Sequence[str]:
    """Where a post may be found for this event, the nearest first."""
    if not event.quoted_comment_id and not event.parent_comment_id:
        return (event.post_id,) if event.post_id else ()
    return [key for key in (event.post_id, event.quoted_comment_id, event.parent_comment_id) if key]


async def _find_buyers(tx: Tx, batch: Batch, desk: Desk, spoken: Sequence[Item]) -> None:
    buyers = [not of_shop(desk, i) for i in spoken]
    whose = {key: stored.buyer_id for key, stored in batch.comments.items() if stored.buyer_id is not None}
    # Who wrote a comment that is known is known: heard once more, it brings nobody back who was erased meanwhile.
    people = {
        (i.row.source, i.event.author_id): i.event.author_name
        for i, may_buy in zip(spoken, buyers, strict=True)
        if may_buy and i.event.author_id and i.event.kind in SPOKEN and i.key not in whose
    }
    known = await loading.buyers_for(tx, desk, people, set(whose.values())) if people or whose else {}
    for item, may_buy in zip(spoken, buyers, strict=True):
        own = known.get((item.row.source, item.event.author_id)) if may_buy else None
        if own is not None:
            whose.setdefault(item.key, own)
    for item in spoken:
        # Edits and removals of some platforms name no author: the comment's is meant.
        item.buyer_id = whose.get(item.key)
