"""Comments that take back or set: CANCEL and AMEND. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from domain.claims import tell
from domain.claims.desk import Claim, Desk, Turn
from domain.claims.holding import Got, counted, free, give_back, has, leave, take
from domain.claims.outcome import Done, of_pieces, refused, to_human, too_short
from domain.claims.recognition import Line as ReadLine
from domain.claims.recognition import Op, Result, Scope
from domain.claims.rules import CancelUntil, ClaimOutcome
from domain.ids import id_of

FEWER = "FEWER_HELD"
"""More was to be taken back than there was: all of it is, and the buyer is told."""


def change(desk: Desk, turn: Turn, claim: Claim, result: Result) -> Done:
    """Do what a CANCEL or AMEND asks; never create what was not held."""
    if turn.reading.policy.cancel_until is CancelUntil.NEVER:
        return to_human("CANCEL_NOT_ALLOWED")
    if result.scope is Scope.UNNAMED:
        return _cancel_unnamed(desk, turn, claim)
    if result.scope is Scope.ALL:
        return _cancel_all(desk, turn, claim)
    return _change_lines(desk, turn, claim, result.lines)


def _nothing_open(desk: Desk, turn: Turn, claim: Claim) -> Done:
    if desk.lines_on_post(turn.buyer_id, turn.reading.facts.id):
        return to_human("ALREADY_PAID")
    tell.rejected(desk, turn, claim, "NOTHING_TO_CANCEL")
    return Done(ClaimOutcome.IGNORED, "NOTHING_TO_CANCEL")


def _open_variants(desk: Desk, turn: Turn) -> list[UUID]:
    """One entry per open line or waiting place of the buyer on this post."""
    post = turn.reading.facts.id
    held = [x.variant_id for x in desk.lines_on_post(turn.buyer_id, post) if x.open]
    waiting = [x.variant_id for x in desk.waits.get(turn.buyer_id, ()) if x.quantity and x.post_id == post]
    return held + [v for v in waiting if v not in held]


def _cancelled(desk: Desk, turn: Turn, claim: Claim, pieces: dict[UUID, int], reason: str = "") -> Done:
    tell.lines_cancelled(desk, turn, claim, pieces)
    return Done(ClaimOutcome.CANCELLED, reason)


def _cancel_unnamed(desk: Desk, turn: Turn, claim: Claim) -> Done:
    variants = _open_variants(desk, turn)
    if not variants:
        return _nothing_open(desk, turn, claim)
    if len(variants) > 1:
        tell.ask_buyer(desk, turn, claim, "WHICH")
        return to_human("WHICH")
    n = give_back(desk, turn.buyer_id, turn.reading.facts.id, variants[0], None, turn.actor)
    return _cancelled(desk, turn, claim, {variants[0]: n})


def _cancel_all(desk: Desk, turn: Turn, claim: Claim) -> Done:
    pieces = {
        variant: give_back(desk, turn.buyer_id, turn.reading.facts.id, variant, None, turn.actor)
        for variant in dict.fromkeys(_open_variants(desk, turn))
    }
    return _cancelled(desk, turn, claim, pieces) if pieces else _nothing_open(desk, turn, claim)


def _change_lines(desk: Desk, turn: Turn, claim: Claim, lines: Sequence[ReadLine]) -> Done:
    post = turn.reading.facts.id
    named = [(id_of(x.variant), x) for x in lines]
    alive = [(v, x) for v, x in named if x.op is Op.ADD or has(desk, turn.buyer_id, post, v, open_only=True)]
    backs = [(v, x) for v, x in named if x.op is not Op.ADD]
    if backs and len(alive) < len(named) and not any(x.op is not Op.ADD for _, x in alive):
        if any(has(desk, turn.buyer_id, post, v, open_only=False) for v, _ in backs):
            return to_human("ALREADY_PAID")
        tell.ask_buyer(desk, turn, claim, "NOT_HELD")
        return to_human("NOT_HELD")
    if any(x.op is Op.SET and (v, x) not in alive for v, x in named):
        tell.ask_buyer(desk, turn, claim, "NOT_HELD")
        return to_human("NOT_HELD")
    if any(x.op is Op.SET and any(y.variant_id == v and not y.open for y in desk.lines_on_post(turn.buyer_id, post)) for v, x in named):
        # Is the new quantity meant with the paid pieces or beside them?
        return to_human("ALREADY_PAID")
    rises = {v: n for v, x in alive if (n := _difference(desk, turn, v, x) or 0) > 0}
    over = any(_over_limit(desk, turn, v, n) for v, n in rises.items())
    if over or too_short(desk, turn, rises):
        reason = "OVER_LIMIT" if over else "INSUFFICIENT_STOCK"
        tell.rejected(desk, turn, claim, reason)
        return refused(reason)
    pieces: dict[UUID, int] = {}
    got: list[Got] = []
    fewer = False
    for variant, line in sorted(alive, key=lambda pair: (Op.REMOVE, Op.SET, Op.ADD).index(pair[1].op)):
        change_by = _difference(desk, turn, variant, line)
        if change_by is None or change_by < 0:
            pieces[variant] = give_back(desk, turn.buyer_id, post, variant, None if change_by is None else -change_by, turn.actor)
            fewer |= change_by is not None and pieces[variant] < -change_by
        elif change_by > 0:
            got.append(take(desk, turn, claim, variant, change_by))
    said = FEWER if fewer else ""
    if pieces:
        tell.lines_cancelled(desk, turn, claim, pieces, said)
    if not got:
        return Done(ClaimOutcome.CANCELLED, said or ("" if all(x.op is Op.REMOVE for _, x in named) else "REDUCED"))
    done = of_pieces(got)
    tell.placed(desk, turn, claim, done.outcome, got)
    return done


def _difference(desk: Desk, turn: Turn, variant: UUID, line: ReadLine) -> int | None:
    """Pieces to add (positive) or to give back (negative); None gives all back."""
    if line.op is Op.REMOVE:
        return None if line.qty is None else -line.qty
    if line.op is Op.ADD:
        return line.qty or 0
    return (line.qty or 0) - has(desk, turn.buyer_id, turn.reading.facts.id, variant, open_only=True)


def _over_limit(desk: Desk, turn: Turn, variant: UUID, more: int) -> bool:
    most = turn.reading.policy.per_buyer_max
    return most is not None and counted(desk, turn, variant) + more > most


def cancelled_by_edit(desk: Desk, turn: Turn, claim: Claim, result: Result) -> Done | None:
    """An order's text became a cancellation of all that it ordered, or of everything; None if it names anything else or may not cancel."""
    if turn.reading.policy.cancel_until is CancelUntil.NEVER:
        return None
    if result.scope is Scope.ALL:
        return _cancel_all(desk, turn, claim)
    own: dict[UUID, int] = {}
    for held in (*desk.lines.get(turn.buyer_id, ()), *desk.waits.get(turn.buyer_id, ())):
        if held.claim_id == claim.id and held.quantity:
            own[held.variant_id] = own.get(held.variant_id, 0) + held.quantity
    whole = all(x.qty is None or x.qty >= own.get(id_of(x.variant), 0) for x in result.lines)
    if result.scope is not Scope.UNNAMED and not (whole and {id_of(x.variant) for x in result.lines} == set(own)):
        return None
    return _cancelled(desk, turn, claim, release_claim(desk, turn, claim))


def release_claim(desk: Desk, turn: Turn, claim: Claim) -> dict[UUID, int]:
    """Give back all that this one claim holds and waits for; answers pieces per variant."""
    pieces: dict[UUID, int] = {}
    for place in [x for x in desk.waits.get(turn.buyer_id, ()) if x.claim_id == claim.id and x.quantity]:
        pieces[place.variant_id] = pieces.get(place.variant_id, 0) + place.quantity
        leave(desk, place, place.quantity)
    for line in [x for x in desk.lines.get(turn.buyer_id, ()) if x.claim_id == claim.id and x.quantity and x.open]:
        pieces[line.variant_id] = pieces.get(line.variant_id, 0) + line.quantity
        free(desk, line, line.quantity, turn.actor)
    return pieces


__all__ = ["cancelled_by_edit", "change", "release_claim"]
