"""What a turn came to. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from domain.claims.desk import Desk, Turn
from domain.claims.holding import Got
from domain.claims.rules import ClaimOutcome, ReviewState, Shortage
from domain.values import value


@value
class Done:
    """Outcome, reason code, and whether a human should look."""

    outcome: ClaimOutcome
    reason: str = ""
    review: ReviewState = ReviewState.NONE


def to_human(reason: str) -> Done:
    """Nothing was changed; the seller decides."""
    return Done(ClaimOutcome.NEEDS_REVIEW, reason, ReviewState.OPEN)


def refused(reason: str) -> Done:
    """The rule says no; nothing was changed."""
    return Done(ClaimOutcome.REJECTED, reason)


def too_short(desk: Desk, turn: Turn, wishes: Mapping[UUID, int]) -> bool:
    """Does the policy refuse the whole comment because one of its wishes is short?"""
    return turn.reading.policy.shortage is Shortage.REJECT_COMMENT and any(desk.levels[v].free < n for v, n in wishes.items())


def of_pieces(got: Sequence[Got]) -> Done:
    """The outcome of wishes: all held, some held, all waiting, or none."""
    held = waiting = missing = 0
    for one in got:
        held += one.held
        waiting += one.waiting
        missing += one.missing
    if held and not waiting and not missing:
        return Done(ClaimOutcome.ORDERED)
    if held:
        return Done(ClaimOutcome.PARTIAL, "INSUFFICIENT_STOCK")
    if waiting:
        return Done(ClaimOutcome.WAITLISTED, "INSUFFICIENT_STOCK")
    return refused("INSUFFICIENT_STOCK")
