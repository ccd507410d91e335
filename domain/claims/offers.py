"""Timed offers: what becomes free is offered to those who wait, in their order, and passes on when nobody says yes in time.

Pieces on offer are held for nobody: their places still wait, and no newcomer stands before a place that waits, so they are there when the
yes comes. A shop without `offer_minutes` gives them out at once (`waiting.fill`); so does every shop to a buyer who has no app to answer in.
Locks as everywhere: buyers, orders, levels, then offers and places.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from domain import db
from domain.audit.commands import Actor, Entry, record
from domain.claims import loading, tell, waiting
from domain.claims.desk import Claim, Decision, Desk, Turn, Wait
from domain.claims.errors import BuyerRestricted, OfferOver, PlaceOver, TooFew
from domain.claims.holding import leave as take_off
from domain.claims.rules import ClaimOutcome
from domain.claims.writing import write_desk
from domain.db import Record, Tx
from domain.errors import NotFound
from domain.ids import new_id
from domain.jobs import JobQueue

TAKE: Final = """update waitlist_offer set state = 'ACCEPTED'
  where id = $1 and state = 'OPEN' and expires_at > $2 returning quantity"""
OPEN_OFFERS: Final = """select f.variant_id, f.place_id, f.id, f.quantity from waitlist_offer f
  where f.variant_id = any($1::uuid[]) and f.state = 'OPEN'"""
HEADS: Final = """
select w.id, w.buyer_id, w.claim_id, w.variant_id, c.post_id, c.comment_id, b.member_id is not null as answers, h.offer_minutes, h.time_zone
from waitlist_entry w join claim c on c.id = w.claim_id join social_comment sc on sc.id = c.comment_id
join buyer b on b.id = w.buyer_id join shop h on h.id = w.shop_id
join stock_level s on s.variant_id = w.variant_id
left join waitlist_offer f on f.place_id = w.id and f.state = 'OPEN'
where w.shop_id = $1 and w.variant_id = any($2::uuid[]) and w.state = 'WAITING' and w.quantity > coalesce(f.quantity, 0)
  and s.on_hand + s.backorder_limit - s.held - s.committed
    > (select coalesce(sum(o.quantity), 0) from waitlist_offer o where o.variant_id = w.variant_id and o.state = 'OPEN')
order by w.queued_at, length(sc.external_id), sc.external_id collate "C", w.id limit $3"""
"""As `waiting.fill` takes them, without those whose every piece is on offer, and only while some piece is not."""
UPSERT: Final = """
insert into waitlist_offer (id, shop_id, place_id, buyer_id, variant_id, quantity, state, offered_at, expires_at)
select k.id, $1, k.place_id, k.buyer_id, k.variant_id, k.quantity, 'OPEN', $2, $3
from unnest($4::uuid[], $5::uuid[], $6::uuid[], $7::uuid[], $8::int[]) k(id, place_id, buyer_id, variant_id, quantity) order by k.place_id
on conflict (place_id) where state = 'OPEN' do update set quantity = excluded.quantity, offered_at = excluded.offered_at, expires_at = excluded.expires_at"""


@dataclass(slots=True)
class Offered:
    """An offer as it stands after this round; one that more pieces came for begins anew."""

    id: UUID
    place: Wait
    claim: Claim
    turn: Turn
    quantity: int


@dataclass(slots=True)
class Round:
    """What one round gives out. `open`: (offer, pieces) by place; `on_offer`: pieces by variant."""

    open: dict[UUID, tuple[UUID, int]] = field(default_factory=dict)
    on_offer: dict[UUID, int] = field(default_factory=dict)
    offered: list[Offered] = field(default_factory=list)
    done: int = 0


async def serve(*, shop_id: UUID, variant_ids: Sequence[UUID], now: datetime, jobs: JobQueue) -> int:
    """Give or offer free pieces of these variants to the waiting, as the shop has it; answers how many. Twice changes nothing more."""
    if await db.fetchval("select offer_minutes from shop where id = $1", shop_id) is None:
        return await waiting.fill(shop_id=shop_id, variant_ids=variant_ids, now=now, jobs=jobs)
    total = 0
    while True:
        async with db.transaction() as tx:
            done = await _offer_lot(tx, shop_id, variant_ids, now, jobs)
        total += done
        if done == 0:
            return total


async def _offer_lot(tx: Tx, shop_id: UUID, variant_ids: Sequence[UUID], now: datetime, jobs: JobQueue) -> int:
    heads = await tx.fetch(HEADS, shop_id, list(variant_ids), waiting.LOT)
    if not heads or heads[0]["offer_minutes"] is None:
        return 0
    desk = await _desk(tx, shop_id, sorted({row["buyer_id"] for row in heads}), heads, variant_ids, now)
    turns = await loading.turns_of(tx, desk, list(desk.claims.values()), at=None)
    claims = {claim.id: claim for claim in desk.claims.values()}
    rank = {row["id"]: n for n, row in enumerate(heads)}
    answers = {row["id"] for row in heads if row["answers"]}
    places = sorted((w for of_buyer in desk.waits.values() for w in of_buyer if w.id in rank), key=lambda w: rank[w.id])
    found = Round()
    for row in await tx.fetch(OPEN_OFFERS, list(variant_ids)):
        found.open[row["place_id"]] = row["id"], row["quantity"]
        found.on_offer[row["variant_id"]] = found.on_offer.get(row["variant_id"], 0) + row["quantity"]
    for place in places:
        claim = claims[place.claim_id]
        if claim.id in turns:
            give_or_offer(desk, found, place, claim, turns[claim.id], answers=place.id in answers)
    await _write(tx, desk, found, now + timedelta(minutes=heads[0]["offer_minutes"]), jobs)
    return found.done


def give_or_offer(desk: Desk, found: Round, place: Wait, claim: Claim, turn: Turn, *, answers: bool) -> None:
    """The turn of one place: what is free and on offer to nobody is offered, or given to a buyer who cannot answer. Pure.

    A place whose order was cancelled by the shop, or has run out, waits no longer. Once a place is not served whole, nothing is left for
    the next of its variant.
    """
    if waiting.order_is_gone(desk, place):
        found.on_offer[place.variant_id] = found.on_offer.get(place.variant_id, 0) - found.open.get(place.id, (None, 0))[1]
        waiting.end(desk, place, claim)
        found.done += 1
        return
    level, before = desk.levels[place.variant_id], found.open.get(place.id, (None, 0))
    left = level.on_hand + level.backorder_limit - level.held - level.committed - found.on_offer.get(place.variant_id, 0)
    n = min(left, place.quantity - before[1])
    if n <= 0:
        return
    found.done += n
    if not answers:
        waiting.hand(desk, place, claim, turn, n)
        return
    found.on_offer[place.variant_id] = found.on_offer.get(place.variant_id, 0) + n
    found.offered.append(Offered(before[0] or new_id(), place, claim, turn, before[1] + n))
    desk.decisions.append(Decision(claim.id, claim.outcome, "WAITLIST_OFFERED", {"pieces": before[1] + n}))


async def _write(tx: Tx, desk: Desk, found: Round, until: datetime, jobs: JobQueue) -> None:
    for each in found.offered:
        tell.waitlist_offered(desk, each.turn, each.place, each.id, each.quantity, until)
    # What was freed here was given away in the same breath: nobody is to be woken for it again.
    desk.freed.clear()
    await write_desk(tx, desk, actor=waiting.ACTOR, jobs=jobs)
    if found.offered:
        await tx.execute(
            UPSERT, desk.shop.id, desk.now, until, [x.id for x in found.offered], [x.place.id for x in found.offered],
            [x.place.buyer_id for x in found.offered], [x.place.variant_id for x in found.offered], [x.quantity for x in found.offered],
        )  # fmt: skip


async def _desk(
    tx: Tx, shop_id: UUID, buyers: Sequence[UUID], places: Sequence[Record], variant_ids: Sequence[UUID], now: datetime
) -> Desk:
    """The desk for these places, their buyers, orders and levels locked."""
    desk = loading.desk_of(await loading.shop_facts(tx, shop_id), now)
    desk.readings = await loading.readings_of(tx, {row["post_id"] for row in places})
    await loading.buyers_for(tx, desk, {}, buyers)
    desk.claims = await loading.claims_of(tx, [row["comment_id"] for row in places])
    await loading.fill_desk(tx, desk, buyers, variant_ids)
    return desk


# --- the buyer's answer --------------------------------------------------------------------------------------------------------


async def accept(*, offer_id: UUID, member_id: UUID, now: datetime, jobs: JobQueue) -> UUID:
    """Say yes to an offer of mine: its pieces are held on my order; answers the claim that waited for them.

    Raises:
        NotFound: no such offer of this member's.
        OfferOver: accepted before, too late, or its place has ended.
        BuyerRestricted: the shop takes no orders from this buyer for now.
        TooFew: the shop took pieces out of its stock meanwhile.
    """
    async with db.transaction() as tx:
        found = await _mine(
            tx,
            "select w.id, f.variant_id from waitlist_offer f join waitlist_entry w on w.id = f.place_id where f.id = $1",
            offer_id,
            member_id,
        )
        desk = await _desk(tx, found["shop_id"], [found["buyer_id"]], [found], [found["variant_id"]], now)
        await _still_mine(tx, found, member_id)
        claim, place = desk.claims[found["comment_id"]], _place(desk, found)
        if place is None:
            raise OfferOver(offer_id)
        until = desk.restricted.get(found["buyer_id"])
        if until is not None and now < until:
            raise BuyerRestricted
        pieces = await tx.fetchval(TAKE, offer_id, now)
        if pieces is None:
            raise OfferOver(offer_id)
        level = desk.levels[place.variant_id]
        free = level.on_hand + level.backorder_limit - level.held - level.committed
        if free < pieces:
            raise TooFew(place.variant_id, pieces, max(free, 0))
        # The tap is the act: by the rule of this moment, and its line may be undone from now on.
        turn = (await loading.turns_of(tx, desk, [claim], at=now))[claim.id]
        waiting.hand(desk, place, claim, turn, pieces)
        desk.freed.clear()
        actor = Actor(f"member:{member_id}", "buyer")
        await write_desk(tx, desk, actor=actor, jobs=jobs)
        await record(tx, actor, [Entry(desk.shop.id, "WAITLIST_OFFER_ACCEPTED", "claim", claim.id, {"pieces": pieces})], now=now)
        await _settle(tx, found["buyer_id"], offer_id, now)
        return claim.id


async def leave(*, place_id: UUID, member_id: UUID, now: datetime, jobs: JobQueue) -> UUID:
    """Give up a place of mine; an offer to it passes on. Giving it up again changes nothing. Answers its claim.

    Raises:
        NotFound: no such place of this member's.
        PlaceOver: its pieces were ordered, or it ended without me.
    """
    async with db.transaction() as tx:
        found = await _mine(tx, "select w.id, w.variant_id from waitlist_entry w where w.id = $1", place_id, member_id)
        desk = await _desk(tx, found["shop_id"], [found["buyer_id"]], [found], [found["variant_id"]], now)
        await _still_mine(tx, found, member_id)
        claim, place = desk.claims[found["comment_id"]], _place(desk, found)
        if place is None:
            if await tx.fetchval("select state from waitlist_entry where id = $1", place_id) == "LEFT":
                return claim.id
            raise PlaceOver(place_id)
        pieces = place.quantity
        take_off(desk, place, pieces)
        _what_is_left(desk, claim, found["buyer_id"])
        desk.decisions.append(Decision(claim.id, claim.outcome, "WAITLIST_LEFT", {"pieces": pieces}))
        await write_desk(tx, desk, actor=Actor(f"member:{member_id}", "buyer"), jobs=jobs)
        return claim.id


def _what_is_left(desk: Desk, claim: Claim, buyer_id: UUID) -> None:
    """A claim that waits for nothing more is ordered as far as it has pieces, else taken back."""
    if any(w.quantity for w in desk.waits[buyer_id] if w.claim_id == claim.id):
        return
    has_lines = any(x.quantity and not x.dead for x in desk.lines[buyer_id] if x.claim_id == claim.id)
    claim.outcome = ClaimOutcome.ORDERED if has_lines else ClaimOutcome.CANCELLED
    claim.reason, claim.changed = "WAITLIST_LEFT", True


async def _mine(tx: Tx, place: str, key: UUID, member_id: UUID) -> Record:
    """A place by a statement that finds its id and variant; (id, variant_id, shop_id, buyer_id, comment_id, post_id) if it is this member's.

    Raises:
        NotFound: it is not.
    """
    row = await tx.fetchrow(
        f"""select p.id, p.variant_id, w.shop_id, w.buyer_id, c.comment_id, c.post_id from ({place}) p
            join waitlist_entry w on w.id = p.id join claim c on c.id = w.claim_id join buyer b on b.id = w.buyer_id where b.member_id = $2""",
        key,
        member_id,
    )
    if row is None:
        raise NotFound
    return row


async def _still_mine(tx: Tx, found: Record, member_id: UUID) -> None:
    """The buyer is locked now: did the name change hands while we waited?"""
    if await tx.fetchval("select member_id from buyer where id = $1", found["buyer_id"]) != member_id:
        raise NotFound


def _place(desk: Desk, found: Record) -> Wait | None:
    return next((w for w in desk.waits[found["buyer_id"]] if w.id == found["id"] and w.quantity), None)


async def _settle(tx: Tx, buyer_id: UUID, offer_id: UUID, now: datetime) -> None:
    """The notice has been answered."""
    await tx.execute(
        "update notice set read_at = $3 where buyer_id = $1 and kind = 'WAITLIST_OFFERED' and read_at is null and data ->> 'offerId' = $2",
        buyer_id,
        str(offer_id),
        now,
    )
