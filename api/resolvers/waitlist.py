"""Orders without a comment; the buyer's places in waiting lists, given up, and the offers to them, taken."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import strawberry

from api.resolvers.base import Info, attach, key_of
from api.resolvers.claim import claim_with_order
from api.resolvers.lists import Listed, member_list
from api.resolvers.mutation import InvalidInput, effect, mutation
from api.schema.errors import ClaimUserError
from api.schema.member import Buyer
from api.schema.waitlist import (
    ClaimCreateInput,
    ClaimCreatePayload,
    WaitlistConnection,
    WaitlistLeaveInput,
    WaitlistLeavePayload,
    WaitlistOfferAcceptInput,
    WaitlistOfferAcceptPayload,
)
from domain.claims import creating, offers
from domain.claims.waitlist_screens import places_of_member
from domain.paging import Row, Slice


@strawberry.type
class BuyerWaitlist:
    """Fields of the signed-in buyer."""

    @member_list(WaitlistConnection, "What I wait for, the oldest place first, with what is offered to me.")
    async def waitlist(self, listed: Listed) -> Slice:
        context = listed.info.context
        return await places_of_member(listed.owner_id, **listed.page(), language=context.language, now=context.now())


attach(Buyer, BuyerWaitlist)


@strawberry.type
class WaitlistMutations:
    @mutation(
        ClaimUserError,
        ClaimCreatePayload,
        "NOT_FOUND INVALID_INPUT NOT_EDITABLE ITEM_CLOSED INSUFFICIENT_STOCK OVER_LIMIT BUYER_RESTRICTED",
        idempotent=True,
    )
    async def claim_create(self, info: Info, input: ClaimCreateInput) -> Row:
        """Order without a comment: decided as a comment that says it plainly now, in the same line and within the same limits."""
        post_id, variant_id = key_of(input.post_id, "post"), key_of(input.variant_id, "variant")
        if input.quantity < 1:
            raise InvalidInput("quantity")
        return await _done(
            info, input,
            lambda member_id: creating.create(
                post_id=post_id, variant_id=variant_id, quantity=input.quantity, member_id=member_id, now=info.context.now(),
                jobs=info.context.services.jobs,
            ),
        )  # fmt: skip

    @mutation(ClaimUserError, WaitlistOfferAcceptPayload, "NOT_FOUND INSUFFICIENT_STOCK BUYER_RESTRICTED HOLD_EXPIRED", idempotent=True)
    async def waitlist_offer_accept(self, info: Info, input: WaitlistOfferAcceptInput) -> Row:
        """Take the pieces that are offered to me; they are held on my order, to be paid like others."""
        offer_id = key_of(input.offer_id, "offer")
        return await _done(
            info, input,
            lambda member_id: offers.accept(
                offer_id=offer_id, member_id=member_id, now=info.context.now(), jobs=info.context.services.jobs
            ),
        )  # fmt: skip

    @mutation(ClaimUserError, WaitlistLeavePayload, "NOT_FOUND INVALID_TRANSITION", idempotent=True)
    async def waitlist_leave(self, info: Info, input: WaitlistLeaveInput) -> Row:
        """Give up a place of mine; what was offered to it goes to the next in line. Pieces that are ordered already stay."""
        place_id = key_of(input.place_id, "place")
        return await _done(
            info, input,
            lambda member_id: offers.leave(
                place_id=place_id, member_id=member_id, now=info.context.now(), jobs=info.context.services.jobs
            ),
        )  # fmt: skip


async def _done(info: Info, input: Any, act: Callable[[UUID], Awaitable[UUID]]) -> Row:
    """Do it once for the key; then the claim and its order."""
    member_id = info.context.require_viewer().member_id

    async def once() -> Row:
        return {"claim": str(await act(member_id))}

    return await claim_with_order(info, UUID((await effect(info, input, once))["claim"]))
