"""From a read comment to what it does: pure decisions over the desk. No database, no clock, no I/O.

Comments are given one by one in platform order, so a batch ends in the same state as the same comments alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from uuid import UUID

from domain.claims import tell
from domain.claims.changes import cancelled_by_edit, change, release_claim
from domain.claims.desk import Claim, Decision, Desk, Reading, Turn
from domain.claims.holding import Got, counted, free, give_back, has, leave, take
from domain.claims.offering import offered, with_candidates
from domain.claims.outcome import Done, of_pieces, refused, to_human, too_short
from domain.claims.ports import SocialEvent
from domain.claims.recognition import Intent, Reason, Result, normalise, recognize
from domain.claims.rules import CancelUntil, ClaimOutcome, IgnoredAuthor, NearMiss, OnDelete, OnEdit, Proxy, RepeatMode, ReviewState, person
from domain.ids import id_of
from domain.posts.rules import PostState

FINAL = frozenset({Reason.CLOSED, Reason.NOT_FOR_SALE})
"""Understood, and the answer is no."""
MOST_HEARD = 4_096
LONGEST_HEARD = 100
"""Characters; longer texts are seldom written twice."""
ORDERING = frozenset({ClaimOutcome.ORDERED, ClaimOutcome.PARTIAL, ClaimOutcome.WAITLISTED})
ACTED = ORDERING | {ClaimOutcome.CANCELLED}
"""Outcomes of comments that have had an effect on orders."""


def text_hash(text: str) -> str:
    """SHA-256 of the text, hexadecimal; texts themselves stay out of the audit."""
    return _short_hash(text) if len(text) <= LONGEST_HEARD else _hash(text)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


_short_hash = lru_cache(maxsize=4_096)(_hash)


def read(
    text: str, mentions: Sequence[tuple[int, int]] | None, reading: Reading, at: datetime | None, *, from_shop: bool = False
) -> Result:
    """The recognition of a text against its post, with the variants that a choice can be offered of.

    Where pieces may be taken back until they are paid, a cancellation outlives the closing. The same words are read once: in a live
    thousands of people write the same few.
    """
    closes_at = reading.context.closes_at
    late = closes_at is not None and at is not None and at > closes_at
    key = (text, None if mentions is None else tuple(mentions), from_shop, late)
    result = reading.heard.get(key)
    if result is None:
        result = _read(text, mentions, reading, at, from_shop=from_shop)
        if len(text) <= LONGEST_HEARD:
            if len(reading.heard) >= MOST_HEARD:
                reading.heard.clear()
            reading.heard[key] = result
    return result


def _read(text: str, mentions: Sequence[tuple[int, int]] | None, reading: Reading, at: datetime | None, *, from_shop: bool) -> Result:
    result = recognize(text, reading.context, at=at, mentions=mentions, from_shop=from_shop)
    if result.reason is Reason.CLOSED and reading.policy.cancel_until is CancelUntil.PAYMENT:
        open_still = recognize(text, reading.context, mentions=mentions, from_shop=from_shop)
        if open_still.intent is Intent.CANCEL:
            return open_still
    return with_candidates(result, reading.context)


def ignored(desk: Desk, event: SocialEvent, reading: Reading | None, buyer_id: UUID | None, at: datetime) -> str:
    """Why the author's words are never read as an order, by the post's policy; empty when they are. Under no post, only buyers are heard."""
    ignore: Collection[IgnoredAuthor] = reading.policy.ignore_authors if reading is not None else frozenset(IgnoredAuthor)
    if event.is_bot:
        return "BOT" if IgnoredAuthor.BOTS in ignore else ""
    if event.is_owner:
        return Reason.FROM_SHOP.value if IgnoredAuthor.PAGE in ignore else ""
    if buyer_id is None:
        return ""
    if IgnoredAuthor.STAFF in ignore and buyer_id in desk.staff:
        return "FROM_STAFF"
    until = desk.restricted.get(buyer_id)
    return "RESTRICTED" if IgnoredAuthor.RESTRICTED in ignore and until is not None and at < until else ""


def written(desk: Desk, turn: Turn, claim: Claim, result: Result) -> None:
    """A comment that is new, or that had no effect yet, says something."""
    _name(turn, claim, result)
    _close(desk, turn, claim, result, _decide(desk, turn, claim, result))


def edited(desk: Desk, turn: Turn, claim: Claim, result: Result, before: str) -> None:
    """The text of a decided comment became another one (`before` is the text until now)."""
    policy = turn.reading.policy
    mine = [x for x in desk.lines.get(turn.buyer_id, ()) if x.claim_id == claim.id and x.quantity]
    places = [x for x in desk.waits.get(turn.buyer_id, ()) if x.claim_id == claim.id and x.quantity]
    if policy.on_edit is OnEdit.IGNORE or normalise(before) == normalise(turn.event.text):
        return
    if claim.intent in (Intent.CANCEL, Intent.AMEND) and claim.outcome is not ClaimOutcome.NEEDS_REVIEW:
        _flag(desk, turn, claim, "EDITED_CHANGE")
    elif any(not x.open for x in mine):
        _flag(desk, turn, claim, "EDITED_AFTER_CANCEL" if all(x.dead for x in mine if not x.open) else "EDITED_AFTER_PAYMENT")
    elif policy.on_edit is OnEdit.FLAG and (mine or places):
        _flag(desk, turn, claim, "EDITED")
    elif not mine and not places:
        if claim.outcome not in ACTED:
            written(desk, turn, claim, result)
        elif turn.comment.removed_at is None:
            # What it ordered was taken back in other words: its new text must not order again by itself.
            _flag(desk, turn, claim, "EDITED_AFTER_CANCEL")
    elif result.reason is Reason.CLOSED or _is_over(turn) or _barred(turn, result) is not None:
        _flag(desk, turn, claim, "EDITED_AFTER_CLOSE")
    elif result.intent is Intent.CANCEL and (done := cancelled_by_edit(desk, turn, claim, result)) is not None:
        _close(desk, turn, claim, result, done)
    elif result.intent is not Intent.ORDER:
        # The order stands until the buyer says so in words: an edit may be a slip.
        _flag(desk, turn, claim, f"EDITED_TO_{result.intent.value}")
    elif _for_another(turn, result):
        _flag(desk, turn, claim, "EDITED_TO_PROXY")
    else:
        _name(turn, claim, result)
        _close(desk, turn, claim, result, _apply_edit(desk, turn, claim, result))


def removed(desk: Desk, turn: Turn, claim: Claim) -> None:
    """The comment was deleted or unsent."""
    mine = [x for x in desk.lines.get(turn.buyer_id, ()) if x.claim_id == claim.id and x.quantity and not x.dead]
    places = [x for x in desk.waits.get(turn.buyer_id, ()) if x.claim_id == claim.id and x.quantity]
    if not mine and not places:
        if claim.review is ReviewState.OPEN:
            claim.review, claim.changed = ReviewState.NONE, True
        return
    if turn.reading.policy.on_delete is OnDelete.RELEASE_IF_UNPAID and all(x.open for x in mine):
        pieces = release_claim(desk, turn, claim)
        tell.lines_cancelled(desk, turn, claim, pieces)
        claim.outcome, claim.reason, claim.changed = ClaimOutcome.CANCELLED, "REMOVED", True
        desk.decisions.append(Decision(claim.id, claim.outcome, claim.reason, {}))
        return
    _flag(desk, turn, claim, "REMOVED")


def _flag(desk: Desk, turn: Turn, claim: Claim, reason: str) -> None:
    """Keep what there is, let a human see it, and ask the buyer."""
    claim.review, claim.reason, claim.changed = ReviewState.OPEN, reason, True
    if claim.order_id is not None:
        desk.flagged_orders.add(claim.order_id)
    tell.ask_buyer(desk, turn, claim, reason)
    desk.decisions.append(Decision(claim.id, claim.outcome, reason, {}))


def _close(desk: Desk, turn: Turn, claim: Claim, result: Result, done: Done) -> None:
    """Write the outcome on the claim; an order beside a question stands, and somebody answers."""
    claim.outcome, claim.reason, claim.review = done.outcome, done.reason, done.review
    claim.intent, claim.result = result.intent._value_, result.to_json()
    claim.text_hash, claim.policy_version_id = text_hash(turn.event.text), turn.reading.facts.policy_version_id
    claim.decided_at, claim.changed = desk.now, True
    if result.question and claim.review is ReviewState.NONE and done.outcome is not ClaimOutcome.IGNORED:
        claim.review, claim.reason = ReviewState.OPEN, claim.reason or "QUESTION"
    if done.outcome in ORDERING:
        desk.ordered_at[turn.buyer_id][claim.id] = turn.comment.written_at
    detail = {"textHash": claim.text_hash, "intent": claim.intent}
    desk.decisions.append(Decision(claim.id, claim.outcome, claim.reason, detail))


def _decide(desk: Desk, turn: Turn, claim: Claim, result: Result) -> Done:
    match result.intent:
        case Intent.NONE:
            return Done(ClaimOutcome.IGNORED, str(result.reason or ""))
        case Intent.QUESTION:
            return to_human(str(result.reason or "LOOKS_LIKE_QUESTION"))
        case Intent.AMBIGUOUS:
            return _near_miss(desk, turn, claim, result)
    barred = _barred(turn, result)
    if barred is not None:
        if barred.outcome is ClaimOutcome.REJECTED:
            tell.rejected(desk, turn, claim, barred.reason)
        return barred
    if _for_another(turn, result):
        return _proxy(desk, turn, claim, result)
    if result.intent is Intent.ORDER:
        return _order(desk, turn, claim, result)
    return change(desk, turn, claim, result)


def _name(turn: Turn, claim: Claim, result: Result) -> None:
    """Remember whom the comment is for, where the shop takes orders for others."""
    allowed = turn.reading.policy.proxy is Proxy.ALLOW
    claim.beneficiary = person(result.beneficiary, turn.event.text) if allowed else ""


def _for_another(turn: Turn, result: Result) -> bool:
    """Does the comment ask for pieces for somebody else, at a shop that does not take such orders by itself?"""
    asks = result.intent in (Intent.ORDER, Intent.AMEND)
    return asks and result.beneficiary is not None and turn.reading.policy.proxy is Proxy.OFF


def _proxy(desk: Desk, turn: Turn, claim: Claim, result: Result) -> Done:
    """Nobody's name is taken in vain: the writer may take it on their own."""
    near = turn.reading.policy.on_near_miss
    if near is NearMiss.REPLY_HELP:
        tell.help_reply(desk, turn)
    offer = offered(result.to_json()) if near is NearMiss.SUGGEST else None
    if offer is None:
        return to_human("PROXY")
    tell.suggested(desk, turn, claim, offer, "PROXY")
    return Done(ClaimOutcome.SUGGESTED, "PROXY")


def _windows(turn: Turn, result: Result | None) -> list[tuple[datetime | None, datetime | None]]:
    """(opens, closes) of the post and of the items that the comment names."""
    facts, variants = turn.reading.facts, turn.reading.variants
    named = [variants[id_of(x.variant)] for x in result.lines if id_of(x.variant) in variants] if result is not None else []
    return [(facts.opens_at, facts.closes_at), *((v.opens_at, v.closes_at) for v in named)]


def _is_over(turn: Turn) -> bool:
    """Was it said after the post had closed?"""
    facts = turn.reading.facts
    return facts.state is PostState.CLOSED or (facts.closes_at is not None and turn.at > facts.closes_at)


def _barred(turn: Turn, result: Result | None = None) -> Done | None:
    """Reasons of the post, its items and their windows that keep any act from happening. The instants themselves are within."""
    facts, policy = turn.reading.facts, turn.reading.policy
    if facts.state is PostState.OPEN and facts.opens_at is None and facts.closes_at is None and not turn.reading.item_windows:
        return None
    windows = _windows(turn, result)
    if facts.state is PostState.DRAFT or any(opens is not None and turn.at < opens for opens, _ in windows):
        return refused("NOT_OPEN")
    if result is not None and result.intent is Intent.CANCEL and policy.cancel_until is CancelUntil.PAYMENT:
        return None
    closings = [closes for _, closes in windows if closes is not None]
    if facts.state is PostState.CLOSED or any(turn.at > closes for closes in closings):
        return refused("CLOSED")
    if any(turn.received_at > closes + timedelta(seconds=policy.grace_seconds) for closes in closings):
        return to_human("LATE")
    return None


def _near_miss(desk: Desk, turn: Turn, claim: Claim, result: Result) -> Done:
    reason = result.reason
    if reason in FINAL:
        tell.rejected(desk, turn, claim, str(reason))
        return refused(str(reason))
    near = turn.reading.policy.on_near_miss
    if near is NearMiss.REPLY_HELP:
        tell.help_reply(desk, turn)
    offer = offered(result.to_json()) if near is NearMiss.SUGGEST else None
    if offer is not None and _barred(turn) is None:
        tell.suggested(desk, turn, claim, offer, str(reason))
        return Done(ClaimOutcome.SUGGESTED, str(reason))
    if near is NearMiss.SUGGEST and reason is Reason.QUANTITY_OUT_OF_RANGE:
        tell.ask_buyer(desk, turn, claim, str(reason))
    return to_human(str(reason or "AMBIGUOUS"))


def _wishes(result: Result) -> dict[UUID, int]:
    return {id_of(x.variant): x.qty or 0 for x in result.lines}


def _order(desk: Desk, turn: Turn, claim: Claim, result: Result) -> Done:
    wishes, policy, post = _wishes(result), turn.reading.policy, turn.reading.facts.id
    refusal = _over(desk, turn, wishes)
    if refusal is not None:
        tell.rejected(desk, turn, claim, refusal.reason)
        return refusal
    falls: dict[UUID, int] = {}
    if policy.repeat_mode is RepeatMode.ONCE:
        if any(has(desk, turn.buyer_id, post, v, open_only=False) for v in wishes):
            return Done(ClaimOutcome.DUPLICATE, "ALREADY_ORDERED")
    elif policy.repeat_mode is RepeatMode.REPLACE:
        have = {v: has(desk, turn.buyer_id, post, v, open_only=False) for v in wishes}
        falls = {v: have[v] - n for v, n in wishes.items() if have[v] > n}
        if any(n > has(desk, turn.buyer_id, post, v, open_only=True) for v, n in falls.items()):
            return to_human("ALREADY_PAID")
        wishes = {v: n - have[v] for v, n in wishes.items() if n > have[v]}
    if too_short(desk, turn, wishes):
        tell.rejected(desk, turn, claim, "INSUFFICIENT_STOCK")
        return refused("INSUFFICIENT_STOCK")
    if falls:
        pieces = {v: give_back(desk, turn.buyer_id, post, v, n, turn.actor) for v, n in falls.items()}
        if any(pieces.values()):
            tell.lines_cancelled(desk, turn, claim, pieces)
    if not wishes:
        return Done(ClaimOutcome.DUPLICATE, "REPLACED")
    got = [take(desk, turn, claim, variant, wanted) for variant, wanted in wishes.items()]
    done = of_pieces(got)
    tell.placed(desk, turn, claim, done.outcome, got)
    return done


def _over(desk: Desk, turn: Turn, wishes: dict[UUID, int], *, edit: bool = False) -> Done | None:
    """The refusal of wishes beyond the limits. An edit is no new order, and what it adds comes on top of what the comment has."""
    policy = turn.reading.policy
    if policy.rate_limit_orders is not None and not edit:
        since = turn.comment.written_at - timedelta(hours=policy.rate_limit_hours)
        if sum(at > since for at in desk.ordered_at[turn.buyer_id].values()) >= policy.rate_limit_orders:
            return refused("RATE_LIMITED")
    if policy.per_buyer_max is not None:
        replaces, post = policy.repeat_mode is RepeatMode.REPLACE and not edit, turn.reading.facts.id
        for variant, wanted in wishes.items():
            have = counted(desk, turn, variant)
            if replaces:
                have -= has(desk, turn.buyer_id, post, variant, open_only=False)
            if have + wanted > policy.per_buyer_max:
                return refused("OVER_LIMIT")
    return None


def _apply_edit(desk: Desk, turn: Turn, claim: Claim, result: Result) -> Done:
    """The comment's effect becomes the new result: a rise queues now, a fall frees at once."""
    wishes, buyer = _wishes(result), turn.buyer_id
    own = {v: _own(desk, buyer, claim, v) for v in {*wishes, *_variants_of(desk, buyer, claim)}}
    rises = {v: n - own.get(v, 0) for v, n in wishes.items() if n > own.get(v, 0)}
    refusal = _over(desk, turn, rises, edit=True) or (refused("INSUFFICIENT_STOCK") if too_short(desk, turn, rises) else None)
    if refusal is not None:
        tell.rejected(desk, turn, claim, refusal.reason)
        return Done(claim.outcome, refusal.reason, ReviewState.OPEN)
    falls = {v: n - wishes.get(v, 0) for v, n in own.items() if n > wishes.get(v, 0)}
    for variant, pieces in falls.items():
        _shrink(desk, turn, claim, variant, pieces)
    if falls:
        tell.lines_cancelled(desk, turn, claim, falls)
    for line in desk.lines.get(buyer, ()):
        if line.claim_id == claim.id and line.beneficiary != claim.beneficiary:
            line.beneficiary, line.changed = claim.beneficiary, True
    got = [take(desk, turn, claim, variant, pieces) for variant, pieces in rises.items()]
    if got:
        tell.placed(desk, turn, claim, of_pieces(got).outcome, got)
    return of_pieces([_standing(desk, buyer, claim, v, got) for v in wishes])


def _variants_of(desk: Desk, buyer_id: UUID, claim: Claim) -> set[UUID]:
    held = {x.variant_id for x in desk.lines.get(buyer_id, ()) if x.claim_id == claim.id and x.quantity}
    return held | {x.variant_id for x in desk.waits.get(buyer_id, ()) if x.claim_id == claim.id and x.quantity}


def _own(desk: Desk, buyer_id: UUID, claim: Claim, variant_id: UUID) -> int:
    standing = _standing(desk, buyer_id, claim, variant_id, [])
    return standing.held + standing.waiting


def _standing(desk: Desk, buyer_id: UUID, claim: Claim, variant_id: UUID, got: list[Got]) -> Got:
    """What this claim holds and waits for now; `missing` as the last wishes left it."""
    held = sum(x.quantity for x in desk.lines.get(buyer_id, ()) if x.claim_id == claim.id and x.variant_id == variant_id)
    waiting = sum(x.quantity for x in desk.waits.get(buyer_id, ()) if x.claim_id == claim.id and x.variant_id == variant_id)
    return Got(variant_id, held, waiting, sum(g.missing for g in got if g.variant_id == variant_id))


def _shrink(desk: Desk, turn: Turn, claim: Claim, variant_id: UUID, pieces: int) -> None:
    for place in [x for x in desk.waits.get(turn.buyer_id, ()) if x.claim_id == claim.id and x.variant_id == variant_id]:
        n = min(pieces, place.quantity)
        leave(desk, place, n)
        pieces -= n
    for line in [x for x in desk.lines.get(turn.buyer_id, ()) if x.claim_id == claim.id and x.variant_id == variant_id]:
        n = min(pieces, line.quantity)
        if n:
            free(desk, line, n, turn.actor)
            pieces -= n
