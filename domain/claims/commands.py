"""What the seller does with a comment that waits for a human."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from domain import db
from domain.audit.commands import Actor, Entry, record
from domain.claims import loading, tell
from domain.claims.desk import Claim
from domain.claims.errors import NotOnPost, NotResolvable, TooFew
from domain.claims.holding import Got, hold
from domain.claims.outcome import of_pieces
from domain.claims.rules import ClaimOutcome, ReviewState
from domain.claims.writing import write_desk
from domain.db import Tx
from domain.errors import NotFound
from domain.jobs import JobQueue


class ResolveAction(StrEnum):
    MAKE_ORDER = "MAKE_ORDER"
    """The comment meant these pieces."""
    DISMISS = "DISMISS"
    """Seen; nothing follows, and what the comment ordered before stays."""


async def resolve(
    *,
    comment_id: UUID,
    shop_id: UUID,
    action: ResolveAction,
    lines: Sequence[tuple[UUID, int]] = (),
    note: str = "",
    actor: Actor,
    by_member_id: UUID,
    now: datetime,
    jobs: JobQueue,
) -> None:
    """Close a comment's review, with pieces of (variant, quantity) for MAKE_ORDER.

    Raises:
        NotFound: this shop has no such comment.
        NotResolvable: no known author, or no post, or an order is to be made of a comment that was resolved before.
        NotOnPost: a variant that the post does not offer.
        TooFew: not enough free pieces; nothing was changed.
    """
    async with db.transaction() as tx:
        claim = await _locked_claim(tx, shop_id, comment_id)
        order_before = claim.order_id
        if action is ResolveAction.MAKE_ORDER:
            await _make_order(tx, shop_id, claim, lines, actor, now, jobs)
        await tx.execute(
            "update claim set review = $2, resolved_by = $3, resolution = $4 where id = $1",
            claim.id,
            ReviewState.RESOLVED.value,
            by_member_id,
            note[:200],
        )
        await _unflag(tx, shop_id, {order_before, claim.order_id}, now)
        await record(tx, actor, [Entry(shop_id, "COMMENT_RESOLVED", "comment", comment_id, {"action": action.value})], now=now)


async def _locked_claim(tx: Tx, shop_id: UUID, comment_id: UUID) -> Claim:
    # The buyer first, as everybody who decides comments does; then the claim as it stands.
    found = await tx.fetchrow("select shop_id, buyer_id from social_comment where id = $1", comment_id)
    if found is None or found["shop_id"] != shop_id:
        raise NotFound
    await tx.execute("select id from buyer where id = $1 for no key update", found["buyer_id"])
    await tx.execute("select id from claim where comment_id = $1 for no key update", comment_id)
    claim = (await loading.claims_of(tx, [comment_id])).get(comment_id)
    if claim is None:
        raise NotFound
    return claim


async def _make_order(
    tx: Tx, shop_id: UUID, claim: Claim, lines: Sequence[tuple[UUID, int]], actor: Actor, now: datetime, jobs: JobQueue
) -> None:
    # An accepted suggestion is the order that the comment meant; made once more it would be there twice.
    accepted = "accepted" in claim.result
    if claim.buyer_id is None or claim.post_id is None or claim.review is ReviewState.RESOLVED or accepted:
        raise NotResolvable(claim.comment_id)
    shop = await loading.shop_facts(tx, shop_id)
    desk = loading.desk_of(shop, now)
    desk.readings = await loading.readings_of(tx, [claim.post_id])
    reading = desk.readings[claim.post_id]
    wanted: dict[UUID, int] = {}
    for variant_id, quantity in lines:
        if variant_id not in reading.variants or not 0 < quantity <= reading.policy.max_per_line:
            raise NotOnPost(variant_id)
        wanted[variant_id] = wanted.get(variant_id, 0) + quantity
    if not wanted:
        raise NotResolvable(claim.comment_id)
    desk.claims = {claim.comment_id: claim}
    await loading.fill_desk(tx, desk, [claim.buyer_id], wanted)
    for variant_id, quantity in wanted.items():
        if desk.levels[variant_id].free < quantity:
            raise TooFew(variant_id, quantity, desk.levels[variant_id].free)
    turn = (await loading.turns_of(tx, desk, [claim], at=now))[claim.id]
    got = []
    for variant_id, quantity in wanted.items():
        hold(desk, turn, claim, variant_id, quantity)
        got.append(Got(variant_id, quantity, 0, 0))
    claim.outcome, claim.reason, claim.review, claim.changed = of_pieces(got).outcome, "BY_STAFF", ReviewState.RESOLVED, True
    tell.placed(desk, turn, claim, ClaimOutcome.ORDERED, got)
    await write_desk(tx, desk, actor=actor, jobs=jobs)


async def _unflag(tx: Tx, shop_id: UUID, order_ids: Collection[UUID | None], now: datetime) -> None:
    """Orders leave the review list when none of their claims waits for a human."""
    await tx.execute(
        """update "order" o set flagged = false, version = version + 1, updated_at = $3 where shop_id = $1 and id = any($2::uuid[]) and flagged and o.cancel_requested_at is null
           and not exists (select 1 from claim c where c.shop_id = $1 and c.order_id = o.id and c.review = 'OPEN')""",
        shop_id,
        [order_id for order_id in order_ids if order_id is not None],
        now,
    )
