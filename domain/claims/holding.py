"""Pieces on the desk: hold them, let them wait, give them back. Pure."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from uuid import UUID

from domain.claims.desk import Claim, Desk, Level, Line, Movement, OpenOrder, Turn, Wait
from domain.claims.rules import Shortage, WaitState
from domain.stock.rules import MovementKind, allot
from domain.values import value


@value
class Got:
    """What a wish for one variant came to, in pieces."""

    variant_id: UUID
    held: int
    waiting: int
    missing: int


def open_order(desk: Desk, turn: Turn) -> OpenOrder:
    """The buyer's order that claims stack on, opened if there is none."""
    method = turn.reading.facts.delivery_method
    found = desk.orders.get((turn.buyer_id, method))
    if found is None:
        found = OpenOrder(desk.new_id(), desk.new_number(), turn.buyer_id, method, 0, desk.now, desk.now, is_new=True)
        desk.orders[turn.buyer_id, method] = found
    return found


def _line(desk: Desk, turn: Turn, claim: Claim, variant_id: UUID, order: OpenOrder) -> Line:
    """The claim's line in this order: its pieces in another order, paid or cancelled, stay a line there."""
    lines, variant, facts = desk.lines[turn.buyer_id], turn.reading.variants[variant_id], turn.reading.facts
    own = (
        next((x for x in lines if x.claim_id == claim.id and x.variant_id == variant_id and x.order_id == order.id), None)
        if lines
        else None
    )
    if own is None:
        own = Line(
            desk.new_id(), order.id, variant.id, claim.id, facts.id, 0, variant.price_minor, variant.title, variant.label, turn.event.source,
            facts.policy_version_id, turn.at, claim.beneficiary, is_new=True,
        )  # fmt: skip
        lines.append(own)
    elif own.quantity == 0:
        # All its pieces were taken back; what the same comment asks for again has the price of today.
        own.unit_price_minor, own.policy_version_id, own.created_at = variant.price_minor, facts.policy_version_id, turn.at
        own.title, own.label, own.beneficiary = variant.title, variant.label, claim.beneficiary
        lines.remove(own)
        lines.append(own)
    if len(lines) > 1 and lines[-2].created_at >= lines[-1].created_at:
        # Told late: it stands where the next batch would read it.
        lines.sort(key=lambda x: (x.created_at, x.id))
    return own


_minutes = lru_cache(maxsize=256)(lambda n: timedelta(minutes=n))


def _give_time(desk: Desk, turn: Turn, order: OpenOrder) -> None:
    """Set the deadline that these pieces bring along, unless the order has a later one; an overdue order gets the whole time again.

    A time that the policy names counts from the comment that holds pieces; the shop's own from the day the order was opened, so that
    nobody puts it off for ever by one piece more.
    """
    if order.pay_by is None:
        return
    minutes, since = turn.reading.policy.hold_minutes, desk.now
    if minutes is None:
        minutes = desk.shop.pay_within_minutes
        since = desk.now if order.pay_by <= desk.now else order.opened_at
    by = since + _minutes(minutes)
    if by > order.pay_by:
        order.pay_by, order.reminders = by, turn.reading.policy.reminders


def _move(desk: Desk, level: Level, line: Line, pieces: int, kind: MovementKind, actor: str) -> None:
    level.held += pieces
    line.quantity += pieces
    line.changed = True
    desk.movements.append(Movement(level.variant_id, kind, pieces, line.id, actor))


def hold(desk: Desk, turn: Turn, claim: Claim, variant_id: UUID, pieces: int) -> None:
    """Hold pieces that are known to be free, on the claim's line in the buyer's open order."""
    order = open_order(desk, turn)
    line = _line(desk, turn, claim, variant_id, order)
    _move(desk, desk.levels[variant_id], line, pieces, MovementKind.HELD, turn.actor)
    order.subtotal_minor += pieces * line.unit_price_minor
    order.pieces += pieces
    order.changed = True
    _give_time(desk, turn, order)
    claim.order_id = order.id


def wait(desk: Desk, turn: Turn, claim: Claim, variant_id: UUID, pieces: int) -> None:
    """Put pieces on the waiting list, at the platform time of the comment.

    A claim has one place per variant: an edit that asks for more queues anew, so that no later wish overtakes an earlier one.
    """
    places = desk.waits[turn.buyer_id]
    place = next((x for x in places if x.claim_id == claim.id and x.variant_id == variant_id), None)
    if place is None:
        place = Wait(desk.new_id(), variant_id, claim.id, turn.buyer_id, 0, turn.at, turn.reading.facts.id, is_new=True)
    else:
        places.remove(place)
    places.append(place)
    place.quantity += pieces
    place.queued_at, place.state, place.changed = max(place.queued_at, turn.at), WaitState.WAITING, True
    if len(places) > 1 and places[-2].queued_at >= place.queued_at:
        places.sort(key=lambda x: (x.queued_at, x.id))
    desk.levels[variant_id].waiting += pieces


def take(desk: Desk, turn: Turn, claim: Claim, variant_id: UUID, wanted: int) -> Got:
    """Hold what the shortage policy allows now, let the rest wait or go missing."""
    shortage = turn.reading.policy.shortage
    held = allot(desk.levels[variant_id].free, wanted, partial=shortage in (Shortage.PARTIAL, Shortage.PARTIAL_WAITLIST))
    rest = wanted - held
    if held:
        hold(desk, turn, claim, variant_id, held)
    waits = shortage is Shortage.PARTIAL_WAITLIST and rest > 0
    if waits:
        wait(desk, turn, claim, variant_id, rest)
    return Got(variant_id, held, rest if waits else 0, 0 if waits else rest)


def free(desk: Desk, line: Line, pieces: int, actor: str) -> None:
    """Give pieces of an open line back; an order left without pieces is closed."""
    _move(desk, desk.levels[line.variant_id], line, -pieces, MovementKind.RELEASED, actor)
    desk.freed.add(line.variant_id)
    for key, order in list(desk.orders.items()):
        if order.id != line.order_id:
            continue
        order.subtotal_minor -= pieces * line.unit_price_minor
        order.pieces -= pieces
        order.changed = True
        if order.pieces == 0:
            order.closed = True
            desk.closed_orders.append(desk.orders.pop(key))
            for x in desk.lines[order.buyer_id]:
                if x.order_id == order.id:
                    x.open, x.dead = False, True


def leave(desk: Desk, place: Wait, pieces: int, end: WaitState = WaitState.LEFT) -> None:
    """Take pieces off the waiting list; a place without pieces has come to this end."""
    place.quantity -= pieces
    place.changed = True
    if place.quantity == 0:
        place.state = end
    level = desk.levels[place.variant_id]
    level.waiting -= pieces
    desk.freed.add(place.variant_id)


def give_back(desk: Desk, buyer_id: UUID, post_id: UUID, variant_id: UUID, pieces: int | None, actor: str) -> int:
    """Take pieces of a variant back (None: all): waiting ones first, then held ones, the newest first; answers how many it was."""
    left = pieces
    total = 0
    for place in reversed(desk.waits_on(buyer_id, post_id, variant_id)):
        n = place.quantity if left is None else min(left, place.quantity)
        if n:
            leave(desk, place, n)
            total += n
            left = None if left is None else left - n
    for line in reversed([x for x in desk.lines_on_post(buyer_id, post_id) if x.variant_id == variant_id and x.open]):
        n = line.quantity if left is None else min(left, line.quantity)
        if n:
            free(desk, line, n, actor)
            total += n
            left = None if left is None else left - n
    return total


def has(desk: Desk, buyer_id: UUID, post_id: UUID, variant_id: UUID, *, open_only: bool) -> int:
    """Pieces of a variant that the buyer holds or waits for on this post."""
    if buyer_id not in desk.lines and buyer_id not in desk.waits:
        return 0
    held = sum(x.quantity for x in desk.lines_on_post(buyer_id, post_id) if x.variant_id == variant_id and (x.open or not open_only))
    return held + sum(x.quantity for x in desk.waits_on(buyer_id, post_id, variant_id))


def counted(desk: Desk, turn: Turn, variant_id: UUID) -> int:
    """Pieces that the limit per buyer counts: all on this post, and with a window those of other posts claimed within it."""
    post, hours = turn.reading.facts.id, turn.reading.policy.per_buyer_window_hours
    total = has(desk, turn.buyer_id, post, variant_id, open_only=False)
    if hours is None:
        return total
    since = turn.at - timedelta(hours=hours)
    for other in desk.readings.keys() - {post}:
        lines = (x for x in desk.lines_on_post(turn.buyer_id, other) if x.variant_id == variant_id and x.created_at > since)
        waits = (x for x in desk.waits_on(turn.buyer_id, other, variant_id) if x.queued_at > since)
        total += sum(x.quantity for x in lines) + sum(x.quantity for x in waits)
    return total + sum(n for at, n in desk.elsewhere[turn.buyer_id, variant_id] if at > since)
