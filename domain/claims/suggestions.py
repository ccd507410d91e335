"""Suggestions: what a comment almost ordered, and the one tap of its buyer that makes it an order.

A tap is decided as a comment written at that instant would be, by the same code and under the same locks: buyer, claim, orders, levels, and
last the post, so that nobody closes it meanwhile. What is offered is `offering.offered` of the stored result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from domain import db
from domain.audit.commands import Actor, Entry, record
from domain.claims import loading, planning
from domain.claims.desk import Claim, Desk, Turn
from domain.claims.errors import BadChoice, BuyerRestricted, OverLimit, SuggestionClosed, SuggestionOver, TooFew
from domain.claims.offering import Choice, Offer, SuggestionMode, fitting, most_of, offered, version_of, version_of_text
from domain.claims.recognition import Context, Intent, Line, Op, Result, Scope
from domain.claims.recognition.result import Span
from domain.claims.rules import ClaimOutcome, Proxy, ReviewState
from domain.claims.writing import write_claims, write_desk
from domain.db import Tx
from domain.errors import NotFound
from domain.jobs import JobQueue
from domain.posts.queries import PostFacts
from domain.posts.rules import PostState

OPEN_FOR: Final = timedelta(hours=24)
"""How long a yes is taken on a post without a closing time: every buyer has had an evening to look, and after a day the price, the stock and
the wish are no longer those of the comment."""
LOCK_POST: Final = "select id from sales_post where id = $1 for share"
ACCEPTED, DISMISSED = "ACCEPTED", "DISMISSED"
DONE = planning.ORDERING | {ClaimOutcome.CANCELLED}
LIMITS = frozenset({"OVER_LIMIT", "RATE_LIMITED", "ALREADY_ORDERED"})
SHUT = frozenset({"CLOSED", "NOT_OPEN", "NOT_FOR_SALE"})


def accept_until(closes_at: datetime | None, decided_at: datetime) -> datetime:
    """The last instant at which this suggestion may be accepted."""
    return closes_at if closes_at is not None else decided_at + OPEN_FOR


async def accept(
    *,
    claim_id: UUID,
    member_id: UUID,
    lines: Sequence[tuple[UUID, int]] | None = None,
    version: str | None = None,
    now: datetime,
    jobs: JobQueue,
) -> None:
    """Say yes to a suggestion of mine; the order queues at `now`, not at the comment's time.

    `lines` are (variant, quantity) of a choice; None takes what is offered as it stands, which only a confirmation or a choice of one can
    mean. `version` is the text's version that the buyer saw; None takes whatever stands there.

    Raises:
        NotFound: no such suggestion of this member's.
        SuggestionOver: accepted, dismissed, decided otherwise, edited or removed meanwhile; or a change of pieces that cannot be changed.
        SuggestionClosed: the post or the item is closed, or the time for a yes is over.
        BadChoice: variants or quantities that were not offered.
        BuyerRestricted: the shop takes no orders from this buyer for now.
        OverLimit: more than the policy lets this buyer have, or order in so short a time.
        TooFew: not enough free pieces, where the policy keeps no waiting list.
    """
    async with db.transaction() as tx:
        shop_id, claim = await _lock(tx, claim_id, member_id, version)
        offer = offered(claim.result)
        if claim.post_id is None or claim.buyer_id is None or offer is None:
            raise SuggestionOver(claim.id)
        desk = await _desk_of_tap(tx, shop_id, claim, claim.buyer_id, claim.post_id, offer, now)
        _check_open(desk.readings[claim.post_id].facts, claim, now)
        turn = (await loading.turns_of(tx, desk, [claim], at=now))[claim.id]
        _check_author(desk, turn, claim)
        # The tap is the act: limits by time count from it.
        turn = replace(turn, comment=replace(turn.comment, written_at=now))
        taken = chosen(offer, lines, turn.reading.context, claim.id)
        take(desk, turn, claim, taken)
        actor = Actor(f"member:{member_id}", "buyer")
        await write_desk(tx, desk, actor=actor, jobs=jobs)
        await _settle(tx, claim, now)
        detail = {"lines": [line.to_json() for line in taken]}
        await record(tx, actor, [Entry(shop_id, "SUGGESTION_ACCEPTED", "claim", claim.id, detail)], now=now)


async def dismiss(*, claim_id: UUID, member_id: UUID, version: str | None = None, now: datetime) -> None:
    """Say no to a suggestion of mine; it does not come back unless the comment becomes another text. Saying it again changes nothing.

    Raises:
        NotFound: no such suggestion of this member's.
        SuggestionOver: accepted, decided otherwise, edited or removed meanwhile.
    """
    async with db.transaction() as tx:
        shop_id, claim = await _lock(tx, claim_id, member_id, version, unless=DISMISSED)
        if claim.reason == DISMISSED:
            return
        claim.outcome, claim.reason, claim.decided_at = ClaimOutcome.IGNORED, DISMISSED, now
        await write_claims(tx, shop_id, [claim])
        await _settle(tx, claim, now)
        entry = Entry(shop_id, "SUGGESTION_DISMISSED", "claim", claim.id, {"textHash": claim.text_hash})
        await record(tx, Actor(f"member:{member_id}", "buyer"), [entry], now=now)


async def _desk_of_tap(tx: Tx, shop_id: UUID, claim: Claim, buyer_id: UUID, post_id: UUID, offer: Offer, now: datetime) -> Desk:
    """The desk as a comment would find it, with the post locked, so that what it says now holds until we are done."""
    desk = loading.desk_of(await loading.shop_facts(tx, shop_id), now)
    desk.earliest, desk.claims = now, {claim.comment_id: claim}
    await loading.buyers_for(tx, desk, {}, [buyer_id])
    desk.readings = await loading.readings_of(tx, [post_id])
    await loading.fill_desk(tx, desk, [buyer_id], {choice.variant_id for choice in offer.choices})
    # Locked after the levels, as everybody does who changes both.
    await tx.execute(LOCK_POST, post_id)
    desk.readings = await loading.readings_of(tx, [post_id])
    return desk


async def _lock(tx: Tx, claim_id: UUID, member_id: UUID, version: str | None, *, unless: str = "") -> tuple[UUID, Claim]:
    """The suggestion with its shop, locked as everybody does who decides comments: the buyer first, then the claim as it stands.

    `unless`: a claim with this reason is let through although it is no open suggestion.
    """
    found = await tx.fetchrow(
        "select c.shop_id, c.comment_id, c.buyer_id from claim c join buyer b on b.id = c.buyer_id where c.id = $1 and b.member_id = $2",
        claim_id,
        member_id,
    )
    if found is None:
        raise NotFound
    if await tx.fetchval("select member_id from buyer where id = $1 for no key update", found["buyer_id"]) != member_id:
        raise NotFound
    await tx.execute("select id from claim where id = $1 for no key update", claim_id)
    claim = (await loading.claims_of(tx, [found["comment_id"]]))[found["comment_id"]]
    removed = await tx.fetchval("select removed_at is not null from social_comment where id = $1", claim.comment_id)
    is_open = claim.outcome is ClaimOutcome.SUGGESTED and claim.review is not ReviewState.RESOLVED
    if removed or not (is_open or (unless and claim.reason == unless)):
        raise SuggestionOver(claim.id)
    if version is not None and version != version_of(claim.text_hash):
        raise SuggestionOver(claim.id, "EDITED")
    return found["shop_id"], claim


async def _settle(tx: Tx, claim: Claim, now: datetime) -> None:
    """The notice has been answered."""
    await tx.execute(
        """update notice set read_at = $3 where buyer_id = $1 and kind = 'SUGGESTION' and read_at is null and data ->> 'claimId' = $2""",
        claim.buyer_id,
        str(claim.id),
        now,
    )


def _check_open(facts: PostFacts, claim: Claim, now: datetime) -> None:
    """The tap's time is our own: no grace for late delivery."""
    early = facts.opens_at is not None and now < facts.opens_at
    if facts.state is not PostState.OPEN or early or now > accept_until(facts.closes_at, claim.decided_at):
        raise SuggestionClosed(claim.id)


def _check_author(desk: Desk, turn: Turn, claim: Claim) -> None:
    """A buyer whose comments would not be heard now cannot order by a tap either."""
    why = planning.ignored(desk, turn.event, turn.reading, turn.buyer_id, turn.at)
    if why == "RESTRICTED":
        raise BuyerRestricted
    if why:
        raise SuggestionOver(claim.id, why)


# --- pure --------------------------------------------------------------------------------------------------------------------


def chosen(offer: Offer, lines: Sequence[tuple[UUID, int]] | None, context: Context, claim_id: UUID) -> tuple[Line, ...]:
    """What the buyer takes of an offer, as lines of a comment.

    Raises:
        BadChoice: see `accept`.
        OverLimit: more of a variant than one comment may ask for.
        SuggestionClosed: a variant that the post does not sell now.
    """
    taken = []
    for choice in _picked(offer, lines):
        most = most_of(context, choice.variant_id)
        quantity = choice.quantity
        if choice.op is not Op.REMOVE:
            if most is None:
                raise SuggestionClosed(claim_id)
            if offer.mode is SuggestionMode.CHOOSE and lines is None:
                quantity = fitting(choice, most)
            if quantity is not None and quantity > most:
                raise OverLimit("MAX_PER_LINE")
        taken.append(Line(str(choice.variant_id), choice.op, quantity))
    return tuple(taken)


def _picked(offer: Offer, lines: Sequence[tuple[UUID, int]] | None) -> list[Choice]:
    """The choices taken, with the buyer's quantities where they may be chosen."""
    if lines is None:
        if offer.mode is SuggestionMode.CHOOSE and len(offer.choices) > 1:
            raise BadChoice
        return list(offer.choices)
    wanted: dict[UUID, int | None] = {}
    for variant_id, quantity in lines:
        if quantity < 1:
            raise BadChoice
        wanted[variant_id] = (wanted.get(variant_id) or 0) + quantity
    if offer.mode is SuggestionMode.CONFIRM:
        if wanted != {choice.variant_id: choice.quantity for choice in offer.choices}:
            raise BadChoice
        return list(offer.choices)
    mine = [replace(choice, quantity=wanted.pop(choice.variant_id)) for choice in offer.choices if choice.variant_id in wanted]
    if wanted or not mine:
        raise BadChoice
    return mine


def take(desk: Desk, turn: Turn, claim: Claim, lines: Sequence[Line]) -> None:
    """Decide the tap as a comment that says these lines plainly; the claim keeps what was read, and what was accepted beside it.

    Raises:
        OverLimit, SuggestionClosed, SuggestionOver, TooFew: the comment would not have had its effect; the desk is to be thrown away.
    """
    stored, text_hash = claim.result, claim.text_hash
    ops = {line.op for line in lines}
    intent = Intent.ORDER if ops == {Op.ADD} else Intent.CANCEL if ops == {Op.REMOVE} else Intent.AMEND
    scope = Scope.LINES if intent is Intent.CANCEL else None
    said = Result(intent, tuple(lines), scope=scope, question=bool(stored.get("question")), beneficiary=_person(turn, claim))
    planning.written(desk, turn, claim, said)
    _must_be_done(desk, claim, lines)
    claim.result = {**stored, "accepted": {"at": desk.now.isoformat(), "lines": [line.to_json() for line in lines]}}
    claim.text_hash, claim.reason = text_hash, claim.reason or ACCEPTED


def _person(turn: Turn, claim: Claim) -> Span | None:
    """Whom the comment named it for, where the shop takes orders for others; elsewhere the buyer takes it on their own name."""
    span = claim.result.get("beneficiary")
    if not span or turn.reading.policy.proxy is not Proxy.ALLOW or version_of_text(turn.event.text) != version_of(claim.text_hash):
        return None
    return span[0], span[1]


def _must_be_done(desk: Desk, claim: Claim, lines: Sequence[Line]) -> None:
    if claim.outcome in DONE or (claim.outcome is ClaimOutcome.DUPLICATE and claim.reason == "REPLACED"):
        return
    if claim.reason in LIMITS:
        raise OverLimit(claim.reason)
    if claim.reason in SHUT:
        raise SuggestionClosed(claim.id)
    if claim.reason != "INSUFFICIENT_STOCK":
        raise SuggestionOver(claim.id, claim.reason)
    free, line = min(
        ((desk.levels[UUID(x.variant)].free - (x.qty or 0), x) for x in lines if x.op is not Op.REMOVE), key=lambda pair: pair[0]
    )
    raise TooFew(UUID(line.variant), line.qty or 0, free + (line.qty or 0))
