"""Waiting lists: pieces that became free go to those who wait, in platform order, before anybody new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from domain import db
from domain.audit.commands import Actor
from domain.claims import loading, tell
from domain.claims.desk import Claim, Decision, Desk, Turn, Wait
from domain.claims.holding import hold, leave
from domain.claims.rules import ClaimOutcome, WaitState
from domain.claims.writing import write_desk
from domain.db import Tx
from domain.jobs import JobQueue
from domain.stock.rules import allot

ACTOR = Actor("worker:waitlist")
LOT = 200
"""Places looked at in one transaction."""


async def fill(*, shop_id: UUID, variant_ids: Sequence[UUID], now: datetime, jobs: JobQueue) -> int:
    """Give free pieces of these variants to the waiting; answers how many pieces found a buyer. Running it twice changes nothing more.

    Whoever let the order of the same comment run out, or had it cancelled by the shop, waits no longer: the pieces that came free with
    that order would come straight back.
    """
    total = 0
    while True:
        async with db.transaction() as tx:
            filled, ended = await _fill_lot(tx, shop_id, variant_ids, now, jobs)
        total += filled
        if filled == ended == 0:
            return total


async def _fill_lot(tx: Tx, shop_id: UUID, variant_ids: Sequence[UUID], now: datetime, jobs: JobQueue) -> tuple[int, int]:
    """One transaction's worth: pieces that found a buyer, places that ended without."""
    heads = await tx.fetch(
        """select w.buyer_id, w.claim_id, w.variant_id, c.post_id, c.comment_id from waitlist_entry w join claim c on c.id = w.claim_id
           join social_comment sc on sc.id = c.comment_id
           join stock_level s on s.variant_id = w.variant_id and s.held + s.committed < s.on_hand + s.backorder_limit
           where w.shop_id = $1 and w.variant_id = any($2::uuid[]) and w.state = 'WAITING'
           order by w.queued_at, length(sc.external_id), sc.external_id collate "C", w.id limit $3""",
        shop_id,
        list(variant_ids),
        LOT,
    )
    if not heads:
        return 0, 0
    shop = await loading.shop_facts(tx, shop_id)
    desk = loading.desk_of(shop, now)
    desk.readings = await loading.readings_of(tx, {row["post_id"] for row in heads})
    buyers = sorted({row["buyer_id"] for row in heads})
    await tx.execute("select id from buyer where id = any($1::uuid[]) order by id for no key update", buyers)
    desk.claims = await loading.claims_of(tx, [row["comment_id"] for row in heads])
    await loading.fill_desk(tx, desk, buyers, variant_ids)
    turns = await loading.turns_of(tx, desk, list(desk.claims.values()), at=None)
    by_id = {c.id: c for c in desk.claims.values()}
    rank = {(row["claim_id"], row["variant_id"]): n for n, row in enumerate(heads)}
    found = (w for all_of in desk.waits.values() for w in all_of if (w.claim_id, w.variant_id) in rank)
    places = sorted(found, key=lambda w: rank[w.claim_id, w.variant_id])
    filled, ended = give_out(desk, places, by_id, turns)
    # What was freed here was given away in the same breath: nobody is to be woken for it again.
    desk.freed.clear()
    await write_desk(tx, desk, actor=ACTOR, jobs=jobs)
    return filled, ended


def give_out(desk: Desk, places: Sequence[Wait], claims: Mapping[UUID, Claim], turns: Mapping[UUID, Turn]) -> tuple[int, int]:
    """Give free pieces to these places, in this order; answers pieces that found a buyer, and places that ended without. Pure.

    `claims` and `turns` are by claim. A variant stops at the first place that it cannot serve whole.
    """
    stopped: set[UUID] = set()
    filled = ended = 0
    for place in places:
        if place.variant_id in stopped:
            continue
        if order_is_gone(desk, place):
            end(desk, place, claims[place.claim_id])
            ended += 1
        else:
            n = _give(desk, place, claims[place.claim_id], turns)
            filled += n
            if place.quantity:
                stopped.add(place.variant_id)
    return filled, ended


def order_is_gone(desk: Desk, place: Wait) -> bool:
    """Was an order of this claim cancelled by the shop, or did it run out? Its lines keep their pieces as history."""
    return any(x.dead and x.quantity for x in desk.lines[place.buyer_id] if x.claim_id == place.claim_id)


def end(desk: Desk, place: Wait, claim: Claim) -> None:
    """Take a place off the list whose order is gone."""
    desk.decisions.append(Decision(claim.id, claim.outcome, "WAITLIST_ENDED", {"pieces": place.quantity}))
    leave(desk, place, place.quantity, WaitState.EXPIRED)


def _give(desk: Desk, place: Wait, claim: Claim, turns: Mapping[UUID, Turn]) -> int:
    level = desk.levels[place.variant_id]
    n = allot(level.on_hand + level.backorder_limit - level.held - level.committed, place.quantity, partial=True)
    turn = turns.get(claim.id)
    if n == 0 or turn is None:
        return 0
    hand(desk, place, claim, turn, n)
    return n


def hand(desk: Desk, place: Wait, claim: Claim, turn: Turn, n: int) -> None:
    """Hold so many free pieces for one who waits for them. Pure."""
    leave(desk, place, n, WaitState.FILLED)
    hold(desk, turn, claim, place.variant_id, n)
    rest = any(w.quantity for w in desk.waits[place.buyer_id] if w.claim_id == claim.id)
    claim.outcome = ClaimOutcome.PARTIAL if rest else ClaimOutcome.ORDERED
    claim.reason, claim.changed = ("INSUFFICIENT_STOCK" if rest else ""), True
    tell.waitlist_filled(desk, turn, claim, place, n)
    desk.decisions.append(Decision(claim.id, claim.outcome, "WAITLIST_FILLED", {"pieces": n}))
