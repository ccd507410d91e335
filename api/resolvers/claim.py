"""The seller's comment review; a claim and its order after their buyer's act."""

from __future__ import annotations

from uuid import UUID

import strawberry

from api.resolvers.base import Info, attach, key_of, selected
from api.resolvers.lists import Listed, desk_list
from api.resolvers.mutation import InvalidInput, mutation, staff_of, text
from api.resolvers.order import staff_view
from api.schema.claim import CommentFilter, CommentResolveInput, CommentResolvePayload, SocialCommentConnection
from api.schema.errors import CommentUserError
from api.schema.shop import Shop
from domain.claims import commands, screens
from domain.paging import Row, Slice, Wanted
from domain.shops.rules import Permission

MOST_LINES = 50


@strawberry.type
class ShopComments:
    """Fields of a shop's desk."""

    @desk_list(
        SocialCommentConnection,
        Permission.VIEW_COMMENTS,
        "Decided comments, the latest decision first. For staff who may view them; null for others.",
    )
    async def comments(self, listed: Listed, filter: CommentFilter | None = None) -> Slice:
        narrowed = screens.CommentFilter()
        if filter is not None:
            post = key_of(filter.post_id, "post") if filter.post_id else None
            narrowed = screens.CommentFilter(filter.outcome, filter.review, filter.platform, post)
        page, view = listed.page(narrowed), await staff_view(listed.info, listed.owner_id)
        return await screens.comments_of_shop(listed.owner_id, **page, viewpoint=view, narrowed=narrowed)


attach(Shop, ShopComments)


@strawberry.type
class CommentMutations:
    @mutation(
        CommentUserError, CommentResolvePayload, "NOT_FOUND PERMISSION_DENIED INVALID_INPUT NOT_EDITABLE ITEM_CLOSED INSUFFICIENT_STOCK"
    )
    async def comment_resolve(self, info: Info, input: CommentResolveInput) -> Row:
        """Close a comment's review: make its order by hand, or dismiss it."""
        comment_id, note = key_of(input.comment_id, "comment"), text(input.note, "note", 200)
        shop_id, actor = await staff_of(info, "comment", comment_id, Permission.RESOLVE_COMMENTS)
        makes_order = input.action is commands.ResolveAction.MAKE_ORDER
        if len(input.lines) > MOST_LINES or (bool(input.lines) is not makes_order):
            raise InvalidInput("lines")
        await commands.resolve(
            comment_id=comment_id, shop_id=shop_id, action=input.action,
            lines=[(key_of(line.variant_id, "variant"), line.quantity) for line in input.lines], note=note, actor=actor,
            by_member_id=info.context.require_viewer().member_id, now=info.context.now(), jobs=info.context.services.jobs,
        )  # fmt: skip
        view = await staff_view(info, shop_id)
        return {"comment": await screens.comment_of_shop(shop_id, comment_id, wanted=selected(info, "comment"), viewpoint=view)}


async def claim_with_order(info: Info, claim_id: UUID) -> Row:
    """The decided claim and the order it is in, as their buyer sees them; one statement for each that was asked for."""
    member_id, language, wanted = info.context.require_viewer().member_id, info.context.language, selected(info)
    found: Row = {}
    if "claim" in wanted:
        rows = await screens.visible_claims([claim_id], member_id, wanted=wanted["claim"], language=language)
        found["claim"] = rows.get(claim_id)
    if "order" in wanted:
        rows = await screens.visible_claims([claim_id], member_id, wanted=Wanted({"order": wanted["order"]}), language=language)
        found["order"] = rows[claim_id]["order"] if claim_id in rows else None
    return found
