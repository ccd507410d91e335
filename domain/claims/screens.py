"""The seller's comment review: comments of a shop with what became of them. Each is one statement."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from domain import db
from domain.claims.rules import ClaimOutcome, ReviewState
from domain.orders.shapes import Viewpoint, as_seen, claim_shape, comment_shape
from domain.paging import Args, Listing, Page, Row, Slice, Wanted, fetch_page
from domain.shops.rules import Permission, SourcePlatform
from domain.shops.screens import visible


@dataclass(frozen=True, slots=True)
class CommentFilter:
    """What the review list is narrowed to; empty fields narrow nothing."""

    outcome: ClaimOutcome | None = None
    review: ReviewState | None = None
    platform: SourcePlatform | None = None
    post_id: UUID | None = None

    def where(self, args: Args) -> str:
        """SQL, starting with ` and` when it says anything. OPEN and outcomes are written out, so that their partial indexes serve."""
        review = "'OPEN'" if self.review is ReviewState.OPEN else args(self.review.value) if self.review is not None else ""
        parts = [
            f"c.outcome = '{self.outcome.value}'" if self.outcome is not None else "",
            f"c.review = {review}" if review else "",
            f"sc.platform = {args(self.platform.value)}" if self.platform is not None else "",
            f"c.post_id = {args(self.post_id)}" if self.post_id is not None else "",
        ]
        return "".join(f" and {part}" for part in parts if part)


COMMENTS = "claim c cross join lateral (select * from social_comment x where x.id = c.comment_id and x.shop_id = c.shop_id offset 0) sc"
"""Each claim's comment by its key. Joined by shop and id, the planner expects few pairs, reads all comments of the shop and sorts them."""


async def comments_of_shop(
    shop_id: UUID, *, page: Page, wanted: Wanted, viewpoint: Viewpoint, narrowed: CommentFilter | None = None, count: bool = False
) -> Slice:
    """A shop's decided comments, the latest decision first."""
    args = Args(shop_id)
    where = "c.shop_id = $1" + (narrowed or CommentFilter()).where(args)
    by_platform = narrowed is not None and narrowed.platform is not None
    listing = Listing(COMMENTS, where, at="c.decided_at", id="c.id", counted="" if by_platform else "claim c")
    return await fetch_page(comment_shape(wanted, viewpoint), listing, page, args, count=count)


async def comment_of_shop(shop_id: UUID, comment_id: UUID, *, wanted: Wanted, viewpoint: Viewpoint) -> Row | None:
    """One comment of this shop; None also for staff who may not view comments: they may have resolved it all the same."""
    if not viewpoint.may(Permission.VIEW_COMMENTS):
        return None
    comment = comment_shape(wanted, viewpoint)
    row = await db.fetchrow(f"select {comment.select} from social_comment sc where sc.shop_id = $1 and sc.id = $2", shop_id, comment_id)
    return None if row is None else comment.read(row)


async def visible_comments(comment_ids: Collection[UUID], member_id: UUID, *, wanted: Wanted, language: str) -> dict[UUID, Row]:
    """Comments for their author, or for staff of the shop who may view comments; for anybody else they do not exist."""
    found = await visible(
        comment_shape(wanted, Viewpoint(language)), "social_comment sc left join buyer b on b.id = sc.buyer_id", key="sc.id", shop="sc.shop_id",
        owner="b.member_id", permission=Permission.VIEW_COMMENTS, ids=comment_ids, member_id=member_id,
    )  # fmt: skip
    return {seen.key: as_seen(seen, language) for seen in found}


async def visible_claims(claim_ids: Collection[UUID], member_id: UUID, *, wanted: Wanted, language: str) -> dict[UUID, Row]:
    """Claims for their buyer, or for staff of the shop who may view comments; for anybody else they do not exist."""
    found = await visible(
        claim_shape(wanted, Viewpoint(language)), "claim c left join buyer b on b.id = c.buyer_id", key="c.id", shop="c.shop_id",
        owner="b.member_id", permission=Permission.VIEW_COMMENTS, ids=claim_ids, member_id=member_id,
    )  # fmt: skip
    return {seen.key: as_seen(seen, language) for seen in found}
