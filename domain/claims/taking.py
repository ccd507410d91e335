"""Take a batch of stored events: read them, decide them in order, write what follows. One transaction, the caller's."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from domain.audit.commands import Actor
from domain.claims import links, loading, planning
from domain.claims.desk import NO_TEXT, Claim, Comment, Decision, Desk, Reading, ShopFacts, Turn
from domain.claims.ports import EventKind, Platform, SocialEvent, SourcePlatform, Unreadable
from domain.claims.recognition import Intent, Reason, Result
from domain.claims.rules import ClaimOutcome, ReviewState
from domain.claims.writing import Revision, write_comments, write_desk
from domain.db import Tx
from domain.ids import new_id
from domain.inbox.drain import InboxRow, Verdict
from domain.jobs import JobQueue

ACTOR = Actor("worker:ingest")
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
EFFECT = frozenset({Intent.ORDER, Intent.AMEND, Intent.CANCEL})
SPOKEN = frozenset({EventKind.ADD, EventKind.EDIT})
ERASED_WHEN_REMOVED = frozenset({SourcePlatform.LINE_GROUP, SourcePlatform.LINE_OA})
"""LINE asks that an unsent message leave no text behind."""


def order_number(now: datetime, time_zone: str) -> str:
    """Month and day in the shop's zone and six random characters, such as `1121-7K3QX9`: readable, and nobody's neighbour can be guessed."""
    return f"{now.astimezone(ZoneInfo(time_zone)):%m%d}-" + "".join(secrets.choice(CROCKFORD) for _ in range(6))


@dataclass(slots=True)
class Item:
    """One event of the batch, with what was found for it."""

    row: InboxRow
    event: SocialEvent
    channel_id: UUID
    post_id: UUID | None = None
    buyer_id: UUID | None = None
    result: Result | None = None

    @property
    def at(self) -> datetime:
        """When it happened: the platform's time as the inbox keeps it."""
        return self.row.occurred_at

    @property
    def key(self) -> tuple[UUID, str]:
        return self.channel_id, self.event.comment_id


@dataclass(slots=True)
class Batch:
    """One shop's part of the events, in platform order."""

    shop: ShopFacts
    items: list[Item]
    comments: dict[tuple[UUID, str], Comment] = field(default_factory=dict)
    revisions: dict[UUID, list[Revision]] = field(default_factory=dict)
    """By channel."""


async def take(tx: Tx, rows: Sequence[InboxRow], *, platforms: Mapping[str, Platform], now: datetime, jobs: JobQueue) -> list[Verdict]:
    """Decide these events, all of one lane, in the order given; answers a verdict for each."""
    verdicts: list[Verdict] = []
    read: list[tuple[InboxRow, SocialEvent]] = []
    for row in rows:
        try:
            event = platforms[row.source].parse(row.payload)
        except Unreadable as error:
            verdicts.append(Verdict(row.id, "UNREADABLE", str(error) or "unreadable"))
            continue
        if event.kind is EventKind.OTHER:
            verdicts.append(Verdict(row.id, "NOTED"))
        else:
            read.append((row, event))
    by_shop: dict[UUID, list[Item]] = {}
    channels = await _channels(tx, read)
    for row, event in read:
        found = channels.get((row.endpoint_id, event.channel_id))
        if found is None:
            verdicts.append(Verdict(row.id, "NO_CHANNEL", "no such channel is connected; replay it once it is"))
        else:
            by_shop.setdefault(found[1], []).append(Item(row, event, found[0]))
    # In key order, like all that is locked: two lanes may name the same shops in another order.
    for shop_id, items in sorted(by_shop.items()):
        verdicts += await _take_shop(tx, Batch(await loading.shop_facts(tx, shop_id), items), now=now, jobs=jobs)
    return verdicts


async def _channels(tx: Tx, read: Sequence[tuple[InboxRow, SocialEvent]]) -> dict[tuple[UUID, str], tuple[UUID, UUID]]:
    """(endpoint, external id) -> (channel, shop)."""
    keys = {(row.endpoint_id, event.channel_id) for row, event in read}
    rows = await tx.fetch(
        """select c.endpoint_id, c.external_id, c.id, c.shop_id from channel c
           join unnest($1::uuid[], $2::text[]) k(endpoint_id, external_id) on c.endpoint_id = k.endpoint_id and c.external_id = k.external_id""",
        [k[0] for k in keys],
        [k[1] for k in keys],
    )
    return {(r["endpoint_id"], r["external_id"]): (r["id"], r["shop_id"]) for r in rows}


async def _take_shop(tx: Tx, batch: Batch, *, now: datetime, jobs: JobQueue) -> list[Verdict]:
    shop = batch.shop
    verdicts = await _link_posts(tx, batch, now)
    await _place(tx, batch)
    spoken = [item for item in batch.items if item.event.kind is not EventKind.POST_LINK]
    desk = Desk(shop, now, new_id, partial(order_number, now, shop.time_zone))
    batch.comments = await loading.comments_of(tx, [i.channel_id for i in spoken], [i.event.comment_id for i in spoken])
    _stay_on_post(batch, spoken)
    desk.earliest = min((item.at for item in spoken), default=None)
    desk.readings = await loading.readings_of(tx, {i.post_id for i in spoken if i.post_id is not None})
    await _find_buyers(tx, batch, spoken, now)
    # After the locks on their buyers: staff and waiting lists change claims too.
    desk.claims = await loading.claims_of(tx, [c.id for c in batch.comments.values()])
    variants = _read_texts(batch, desk, spoken)
    buyers = {i.buyer_id for i in spoken if i.buyer_id is not None and _may_change(i, batch, desk)}
    if buyers:
        await loading.fill_desk(tx, desk, buyers, variants)
    for item in spoken:
        outcome = _decide(batch, desk, item)
        if item.row.id != links.TAKEN_UP_AGAIN:
            verdicts.append(Verdict(item.row.id, outcome))
    for channel_id in dict.fromkeys(i.channel_id for i in spoken):
        comments = [c for (channel, _), c in batch.comments.items() if channel == channel_id]
        await write_comments(tx, shop.id, channel_id, comments, batch.revisions.get(channel_id, ()))
    await write_desk(tx, desk, actor=ACTOR, jobs=jobs)
    return verdicts


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
        found = (placed.get((item.channel_id, key)) for key in _places(item.event))
        item.post_id = next((post for post in found if post is not None), None)
        if item.post_id is None and (not item.event.post_id or item.event.source is SourcePlatform.TELEGRAM):
            # In a Telegram group every reply chain is a thread of its own: the chat's open post is still meant.
            item.post_id = placed.get((item.channel_id, ""))


def _stay_on_post(batch: Batch, spoken: Sequence[Item]) -> None:
    """A comment stays where it was first found, whatever its later events name or leave out."""
    found = {key: stored.post_id for key, stored in batch.comments.items() if stored.post_id is not None}
    for item in spoken:
        if item.post_id is not None:
            found.setdefault(item.key, item.post_id)
        item.post_id = found.get(item.key)


def _places(event: SocialEvent) -> list[str]:
    """Where a post may be found for this event, the nearest first."""
    return [key for key in (event.post_id, event.quoted_comment_id, event.parent_comment_id) if key]


async def _find_buyers(tx: Tx, batch: Batch, spoken: Sequence[Item], now: datetime) -> None:
    people = {
        (i.row.source, i.event.author_id): i.event.author_name
        for i in spoken
        if i.event.author_id and not i.event.is_owner and i.event.kind in SPOKEN
    }
    whose = {key: stored.buyer_id for key, stored in batch.comments.items() if stored.buyer_id is not None}
    known = await loading.buyers_for(tx, batch.shop.id, people, set(whose.values()), now=now) if people or whose else {}
    for item in spoken:
        own = known.get((item.row.source, item.event.author_id)) if not item.event.is_owner else None
        if own is not None:
            whose.setdefault(item.key, own)
    for item in spoken:
        # Edits and removals of some platforms name no author: the comment's is meant.
        item.buyer_id = whose.get(item.key)


def _read_texts(batch: Batch, desk: Desk, spoken: Sequence[Item]) -> set[UUID]:
    """Recognise every text of the batch; answers the variants that they name."""
    named: set[UUID] = set()
    for item in spoken:
        reading = desk.readings.get(item.post_id) if item.post_id is not None else None
        if item.event.kind in SPOKEN and reading is not None:
            stored = batch.comments.get(item.key)
            if stored is not None and stored.buyer_id is None and _said_before(stored, item):
                # An edit without author came first: its text is the comment's, this event only says whose it is.
                item.result = planning.read(stored.text, replace(item.event, mentions=None), reading, stored.text_at)
            else:
                item.result = planning.read(item.event.text, item.event, reading, item.at)
            named |= {UUID(line.variant) for line in item.result.lines}
    return named


def _may_change(item: Item, batch: Batch, desk: Desk) -> bool:
    """Could this event touch orders or stock? Plain chat does not need the buyer's orders."""
    if item.result is not None and item.result.intent in EFFECT:
        return True
    stored = batch.comments.get(item.key)
    return item.event.kind in (EventKind.EDIT, EventKind.REMOVE) and (stored is None or stored.id in desk.claims)


# --- one event -------------------------------------------------------------------------------------------------------------


def _revise(batch: Batch, item: Item, comment: Comment, text: str) -> None:
    batch.revisions.setdefault(item.channel_id, []).append((comment.id, item.event.kind.value, text, item.at, item.row.received_at))


def _decide(batch: Batch, desk: Desk, item: Item) -> str:
    kind = item.event.kind
    if kind in SPOKEN:
        return _spoken(batch, desk, item)
    if kind is EventKind.REMOVE:
        return _removed(batch, desk, item)
    stored = batch.comments.get(item.key)
    if stored is not None:
        _revise(batch, item, stored, "")
    return "NOTED"


def _new_comment(batch: Batch, item: Item, *, text_at: datetime) -> Comment:
    comment = Comment(
        new_id(), item.event.comment_id, item.post_id, item.buyer_id, item.event.text, item.at, text_at, None, source=item.event,
        received_at=item.row.received_at, is_new=True,
    )  # fmt: skip
    batch.comments[item.key] = comment
    return comment


def _spoken(batch: Batch, desk: Desk, item: Item) -> str:
    comment = batch.comments.get(item.key)
    if comment is None:
        comment = _new_comment(batch, item, text_at=item.at)
        _revise(batch, item, comment, item.event.text)
        return _first_words(desk, item, comment)
    if comment.text_at == NO_TEXT:
        # The removal overtook the text: act as if they had come in order.
        comment.text, comment.text_at, comment.written_at, comment.changed = item.event.text, item.at, item.at, True
        comment.buyer_id = comment.buyer_id or item.buyer_id
        _revise(batch, item, comment, item.event.text)
        _first_words(desk, item, comment)
        return _take_back(desk, item, comment)
    claim = desk.claims.get(comment.id)
    if claim is not None and claim.reason == "NO_POST" and item.post_id is not None and item.event.text == comment.text:
        comment.post_id = claim.post_id = item.post_id
        comment.changed = claim.changed = True
        return _judge(desk, item, comment, claim)
    if _said_before(comment, item):
        if item.at < comment.written_at:
            comment.written_at, comment.changed = item.at, True
        if comment.buyer_id is None and item.buyer_id is not None:
            return _author_found(desk, item, comment)
        return "DUPLICATE" if item.event.text == comment.text else "OVERTAKEN"
    before, comment.text, comment.text_at, comment.changed = comment.text, item.event.text, item.at, True
    _revise(batch, item, comment, item.event.text)
    if before == item.event.text:
        return "DUPLICATE"
    outcome = _other_words(desk, item, comment, before)
    return outcome if comment.removed_at is None else _take_back(desk, item, comment)


def _said_before(comment: Comment, item: Item) -> bool:
    """Is the comment's text as new as this event's? A first text never follows an edit, even within the platform's second."""
    return item.at < comment.text_at or (
        item.at == comment.text_at and (item.event.text == comment.text or item.event.kind is EventKind.ADD)
    )


def _other_words(desk: Desk, item: Item, comment: Comment, before: str) -> str:
    """A comment's text became another one."""
    claim = desk.claims.get(comment.id)
    if claim is None:
        return _first_words(desk, item, comment)
    if claim.post_id is None and item.post_id is not None:
        comment.post_id = claim.post_id = item.post_id
    if comment.buyer_id is None and item.buyer_id is not None:
        comment.buyer_id = claim.buyer_id = item.buyer_id
    turn = _turn(desk, item, comment)
    if item.result is None or claim.reason == Reason.FROM_SHOP:
        return claim.outcome.value
    if turn is None:
        return _without_author(desk, claim, item.result)
    planning.edited(desk, turn, claim, item.result, before)
    return claim.outcome.value


def _author_found(desk: Desk, item: Item, comment: Comment) -> str:
    """The comment as it now stands turns out to be this buyer's."""
    comment.buyer_id, comment.changed = item.buyer_id, True
    claim, turn = desk.claims.get(comment.id), _turn(desk, item, comment)
    if claim is None or turn is None or item.result is None or claim.reason != "NO_AUTHOR":
        return "OVERTAKEN"
    claim.buyer_id = item.buyer_id
    planning.written(desk, replace(turn, event=replace(item.event, text=comment.text), at=comment.text_at), claim, item.result)
    return claim.outcome.value


def _turn(desk: Desk, item: Item, comment: Comment) -> Turn | None:
    reading: Reading | None = desk.readings.get(item.post_id) if item.post_id is not None else None
    buyer = item.buyer_id or comment.buyer_id
    if reading is None or buyer is None:
        return None
    return Turn(comment, item.event, reading, buyer, item.at, item.row.received_at)


def _first_words(desk: Desk, item: Item, comment: Comment) -> str:
    """A comment's first text: make its claim and decide it."""
    claim = Claim(
        new_id(), comment.id, item.post_id, item.buyer_id, ClaimOutcome.IGNORED, "", Intent.NONE.value, {}, planning.text_hash(item.event.text),
        None, None, ReviewState.NONE, desk.now, is_new=True, changed=True,
    )  # fmt: skip
    desk.claims[comment.id] = claim
    return _judge(desk, item, comment, claim)


def _judge(desk: Desk, item: Item, comment: Comment, claim: Claim) -> str:
    turn = _turn(desk, item, comment)
    if item.result is None:
        return _silent(desk, claim, ClaimOutcome.IGNORED, "NO_POST", None)
    if item.event.is_owner or turn is None:
        return _without_author(desk, claim, item.result)
    if item.result.intent is Intent.NONE:
        return _silent(desk, claim, ClaimOutcome.IGNORED, str(item.result.reason or ""), item.result)
    planning.written(desk, turn, claim, item.result)
    return claim.outcome.value


def _without_author(desk: Desk, claim: Claim, result: Result) -> str:
    """Words of the shop itself, or of nobody known: a human may see whose an order is."""
    if result.intent is Intent.NONE:
        return _silent(desk, claim, ClaimOutcome.IGNORED, str(result.reason or ""), result)
    return _silent(desk, claim, ClaimOutcome.NEEDS_REVIEW, "NO_AUTHOR", result)


def _silent(desk: Desk, claim: Claim, outcome: ClaimOutcome, reason: str, result: Result | None) -> str:
    claim.outcome, claim.reason = outcome, reason
    claim.review = ReviewState.OPEN if outcome is ClaimOutcome.NEEDS_REVIEW else ReviewState.NONE
    claim.changed = True
    if result is not None:
        claim.intent, claim.result = result.intent.value, result.to_json()
    detail: dict[str, Any] = {"textHash": claim.text_hash, "intent": claim.intent}
    desk.decisions.append(Decision(claim.id, outcome, reason, detail))
    return outcome.value


def _removed(batch: Batch, desk: Desk, item: Item) -> str:
    comment = batch.comments.get(item.key)
    if comment is None:
        comment = _new_comment(batch, replace(item, event=replace(item.event, text="")), text_at=NO_TEXT)
        comment.removed_at = item.at
        _revise(batch, item, comment, "")
        return "REMOVED_FIRST"
    if comment.removed_at is not None:
        return "DUPLICATE"
    comment.removed_at, comment.changed = item.at, True
    _revise(batch, item, comment, "")
    return _take_back(desk, item, comment)


def _take_back(desk: Desk, item: Item, comment: Comment) -> str:
    claim, turn = desk.claims.get(comment.id), _turn(desk, item, comment)
    if claim is not None and turn is not None:
        planning.removed(desk, turn, claim)
    elif claim is not None and claim.order_id is None and claim.review is ReviewState.OPEN:
        claim.review, claim.changed = ReviewState.NONE, True
    if item.event.source in ERASED_WHEN_REMOVED:
        _erase(comment, claim)
    return "NOTED" if claim is None or turn is None else claim.outcome.value


def _erase(comment: Comment, claim: Claim | None) -> None:
    """Leave what the comment did, and nothing of what it said."""
    comment.text, comment.erased, comment.changed = "", True, True
    if claim is not None:
        claim.result, claim.changed = {**claim.result, "trail": []}, True
