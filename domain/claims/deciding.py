"""One event after the other: from what was said, and what stood before, to what the desk shall hold. Pure: no database, no clock, no I/O.

The worker (`taking.py`) and the simulator (`simulation.py`) decide by this code, and by no other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.claims import planning
from domain.claims.desk import NO_TEXT, Claim, Comment, Decision, Desk, Reading, ShopFacts, Turn
from domain.claims.ports import EventKind, SocialEvent, SourcePlatform
from domain.claims.recognition import Intent, Reason, Result
from domain.claims.rules import ClaimOutcome, RepeatMode, ReviewState
from domain.claims.writing import Revision
from domain.ids import id_of
from domain.inbox.taken import InboxRow

EFFECT = frozenset({Intent.ORDER, Intent.AMEND, Intent.CANCEL})
SPOKEN = frozenset({EventKind.ADD, EventKind.EDIT})
ERASED_WHEN_REMOVED = frozenset({SourcePlatform.LINE_GROUP, SourcePlatform.LINE_OA})
"""LINE asks that an unsent message leave no text behind."""


@dataclass(slots=True)
class Item:
    """One event of the batch, with what was found for it."""

    row: InboxRow
    event: SocialEvent
    channel_id: UUID
    post_id: UUID | None = None
    buyer_id: UUID | None = None
    result: Result | None = None
    ignored: str = ""
    """Why its author's words are never read as an order; empty when they are."""
    reading: Reading | None = None
    """Its post by the policy in force at its time, from `read_texts` on."""
    at: datetime = field(init=False)
    """When it happened: the platform's time as the inbox keeps it."""
    key: tuple[UUID, str] = field(init=False)
    """(channel, comment)."""

    def __post_init__(self) -> None:
        self.at = self.row.occurred_at
        self.key = (self.channel_id, self.event.comment_id)


@dataclass(slots=True)
class Batch:
    """One shop's part of the events, in platform order."""

    shop: ShopFacts
    items: list[Item]
    private_links: frozenset[str] = frozenset()
    """Pages of the events, by their ids, whose private replies carry links."""
    comments: dict[tuple[UUID, str], Comment] = field(default_factory=dict)
    revisions: dict[UUID, list[Revision]] = field(default_factory=dict)
    """By channel."""


def stay_on_post(batch: Batch, spoken: Sequence[Item]) -> None:
    """A comment stays where it was first found, whatever its later events name or leave out."""
    found = {key: stored.post_id for key, stored in batch.comments.items() if stored.post_id is not None}
    for item in spoken:
        if item.post_id is not None:
            found.setdefault(item.key, item.post_id)
        item.post_id = found.get(item.key)


def of_shop(desk: Desk, item: Item) -> bool:
    """Written by the shop itself or by a program, and not to be read as a buyer's."""
    return bool(planning.ignored(desk, item.event, desk.reading(item.post_id, item.at), None, item.at))


def read_texts(batch: Batch, desk: Desk, spoken: Sequence[Item]) -> set[UUID]:
    """Recognise every text of the batch; answers the variants that they name."""
    named: set[UUID] = set()
    for item in spoken:
        reading = item.reading = desk.reading(item.post_id, item.at)
        item.ignored = planning.ignored(desk, item.event, reading, item.buyer_id, item.at)
        if item.event.kind in SPOKEN and reading is not None:
            stored = batch.comments.get(item.key)
            if stored is not None and stored.buyer_id is None and _said_before(stored, item):
                # An edit without author came first: its text is the comment's, this event only says whose it is.
                item.result = planning.read(stored.text, stored.mentions, reading, stored.text_at, from_shop=bool(item.ignored))
            else:
                item.result = planning.read(item.event.text, item.event.mentions, reading, item.at, from_shop=bool(item.ignored))
            named.update([id_of(line.variant) for line in item.result.lines])
    return named


def may_change(item: Item, batch: Batch, desk: Desk) -> bool:
    """Could this event touch orders or stock? Plain chat does not need the buyer's orders."""
    if item.result is not None and item.result.intent in EFFECT:
        return True
    stored = batch.comments.get(item.key)
    return item.event.kind in (EventKind.EDIT, EventKind.REMOVE) and (stored is None or stored.id in desk.claims)


def only_more(item: Item, batch: Batch, once: bool) -> bool:
    """Is this a comment that nobody has heard of before, which orders more, whatever its buyer has already? `once`: no other event of
    the batch speaks of it."""
    reading, result = item.reading, item.result
    if not once or item.event.kind is not EventKind.ADD or result is None or reading is None or item.key in batch.comments:
        return False
    policy = reading.policy
    return result.intent is Intent.ORDER and policy.repeat_mode is RepeatMode.ADD and policy.per_buyer_max is None


# --- one event -------------------------------------------------------------------------------------------------------------


def _revise(batch: Batch, item: Item, comment: Comment, text: str) -> None:
    tagged = item.event.mentions if text else None
    batch.revisions.setdefault(item.channel_id, []).append((comment.id, item.event.kind, text, tagged, item.at, item.row.received_at))


def decide(batch: Batch, desk: Desk, item: Item) -> str:
    """The event's outcome; what follows from it lies on the desk."""
    kind, desk.began = item.event.kind, len(desk.movements)
    if kind in SPOKEN:
        return _spoken(batch, desk, item)
    if kind is EventKind.REMOVE:
        return _removed(batch, desk, item)
    stored = batch.comments.get(item.key)
    if stored is not None:
        _revise(batch, item, stored, "")
    return "NOTED"


def _new_comment(batch: Batch, desk: Desk, item: Item, *, text_at: datetime) -> Comment:
    comment = Comment(
        desk.new_id(), item.event.comment_id, item.post_id, item.buyer_id, item.event.text, item.at, text_at, None, item.event,
        item.row.received_at, is_new=True,
    )  # fmt: skip
    batch.comments[item.key] = comment
    return comment


def _spoken(batch: Batch, desk: Desk, item: Item) -> str:
    comment = batch.comments.get(item.key)
    if comment is None:
        comment = _new_comment(batch, desk, item, text_at=item.at)
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
    turn = _turn(item, comment)
    if item.result is None or item.ignored or (claim.reason == Reason.FROM_SHOP and item.buyer_id is None):
        return claim.outcome._value_
    if turn is None:
        return _without_author(desk, claim, item.result)
    planning.edited(desk, turn, claim, item.result, before)
    return claim.outcome._value_


def _author_found(desk: Desk, item: Item, comment: Comment) -> str:
    """The comment as it now stands turns out to be this buyer's."""
    comment.buyer_id, comment.changed = item.buyer_id, True
    claim, turn = desk.claims.get(comment.id), _turn(item, comment)
    if claim is None or turn is None or item.result is None or claim.reason != "NO_AUTHOR":
        return "OVERTAKEN"
    claim.buyer_id, claim.changed = item.buyer_id, True
    if claim.review is ReviewState.RESOLVED:
        # The shop has looked at it and wanted nothing to follow.
        return claim.outcome._value_
    if item.ignored:
        return _silent(desk, claim, ClaimOutcome.IGNORED, item.ignored, item.result)
    planning.written(desk, replace(turn, event=replace(item.event, text=comment.text), at=comment.text_at), claim, item.result)
    return claim.outcome._value_


def _turn(item: Item, comment: Comment) -> Turn | None:
    buyer = item.buyer_id or comment.buyer_id
    if item.reading is None or buyer is None:
        return None
    return Turn(comment, item.event, item.reading, buyer, item.at, item.row.received_at)


def _first_words(desk: Desk, item: Item, comment: Comment) -> str:
    """A comment's first text: make its claim and decide it."""
    claim = Claim(
        desk.new_id(), comment.id, item.post_id, item.buyer_id, ClaimOutcome.IGNORED, "", Intent.NONE._value_, {}, planning.text_hash(item.event.text),
        None, None, ReviewState.NONE, desk.now, is_new=True, changed=True,
    )  # fmt: skip
    desk.claims[comment.id] = claim
    return _judge(desk, item, comment, claim)


def _judge(desk: Desk, item: Item, comment: Comment, claim: Claim) -> str:
    if item.result is None:
        return _silent(desk, claim, ClaimOutcome.IGNORED, "NO_POST", None)
    turn = _turn(item, comment)
    claim.policy_version_id = item.reading.facts.policy_version_id if item.reading is not None else None
    if item.ignored:
        return _silent(desk, claim, ClaimOutcome.IGNORED, item.ignored, item.result)
    if turn is None:
        return _without_author(desk, claim, item.result)
    if item.result.intent is Intent.NONE:
        return _silent(desk, claim, ClaimOutcome.IGNORED, str(item.result.reason or ""), item.result)
    planning.written(desk, turn, claim, item.result)
    return claim.outcome._value_


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
        claim.intent, claim.result = result.intent._value_, result.to_json()
    detail: dict[str, Any] = {"textHash": claim.text_hash, "intent": claim.intent}
    desk.decisions.append(Decision(claim.id, outcome, reason, detail))
    return outcome._value_


def _removed(batch: Batch, desk: Desk, item: Item) -> str:
    comment = batch.comments.get(item.key)
    if comment is None:
        comment = _new_comment(batch, desk, replace(item, event=replace(item.event, text="")), text_at=NO_TEXT)
        comment.removed_at = item.at
        _revise(batch, item, comment, "")
        return "REMOVED_FIRST"
    if comment.removed_at is not None:
        return "DUPLICATE"
    comment.removed_at, comment.changed = item.at, True
    _revise(batch, item, comment, "")
    return _take_back(desk, item, comment)


def _take_back(desk: Desk, item: Item, comment: Comment) -> str:
    claim, turn = desk.claims.get(comment.id), _turn(item, comment)
    if claim is not None and turn is not None:
        planning.removed(desk, turn, claim)
    elif claim is not None and claim.order_id is None and claim.review is ReviewState.OPEN:
        claim.review, claim.changed = ReviewState.NONE, True
    if item.event.source in ERASED_WHEN_REMOVED:
        _erase(desk, comment, claim)
    return "NOTED" if claim is None or turn is None else claim.outcome.value


def _erase(desk: Desk, comment: Comment, claim: Claim | None) -> None:
    """Leave what the comment did, and nothing of what it said."""
    comment.text, comment.erased, comment.changed = "", True, True
    if claim is None:
        return
    claim.result, claim.beneficiary, claim.changed = {**claim.result, "trail": []}, "", True
    for line in desk.lines.get(claim.buyer_id, ()) if claim.buyer_id is not None else ():
        if line.claim_id == claim.id and line.beneficiary:
            line.beneficiary, line.changed = "", True
