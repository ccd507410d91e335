"""Disputes: opened by the buyer, written into and closed by either side."""

from __future__ import annotations

from uuid import UUID

import strawberry

from api.resolvers.base import Info, attach, key_of, selected
from api.resolvers.lists import Listed, desk_list, member_list
from api.resolvers.mutation import NOWHERE, effect, mutation, text
from api.resolvers.order import staff_view
from api.schema.dispute import (
    DisputeCloseInput,
    DisputeClosePayload,
    DisputeConnection,
    DisputeFilter,
    DisputeMessageSendInput,
    DisputeMessageSendPayload,
    DisputeOpenInput,
    DisputeOpenPayload,
)
from api.schema.errors import DisputeUserError
from api.schema.member import Buyer
from api.schema.shop import Shop
from domain.audit.commands import Actor
from domain.disputes import commands, screens
from domain.disputes.rules import LONGEST_TEXT, Side
from domain.ids import public_id
from domain.orders.shapes import Viewpoint
from domain.paging import Row, Slice
from domain.shops.rules import Permission
from domain.shops.screens import shop_owning


@strawberry.type
class BuyerDisputes:
    """Fields of the signed-in buyer."""

    @member_list(DisputeConnection, "My problems with orders at all shops, the last written first.")
    async def disputes(self, listed: Listed, filter: DisputeFilter | None = None) -> Slice:
        state, view = None if filter is None else filter.state, Viewpoint(listed.info.context.language)
        return await screens.disputes_of_buyer(listed.owner_id, **listed.page(state), viewpoint=view, state=state)


attach(Buyer, BuyerDisputes)


@strawberry.type
class ShopDisputes:
    """Fields of a shop's desk."""

    @desk_list(
        DisputeConnection,
        Permission.ANSWER_BUYERS,
        "Buyers' problems with orders, the last written first. For staff who may answer buyers and view orders; null for others.",
        also=Permission.VIEW_ORDERS,
    )
    async def disputes(self, listed: Listed, filter: DisputeFilter | None = None) -> Slice:
        state = None if filter is None else filter.state
        page, view = listed.page(state), await staff_view(listed.info, listed.owner_id)
        return await screens.disputes_of_shop(listed.owner_id, **page, viewpoint=view, state=state)


attach(Shop, ShopDisputes)


@strawberry.type
class DisputeMutations:
    @mutation(DisputeUserError, DisputeOpenPayload, "NOT_FOUND INVALID_INPUT ALREADY_OPEN", idempotent=True)
    async def dispute_open(self, info: Info, input: DisputeOpenInput) -> Row:
        """Tell the shop of a problem with an order of mine; one at a time per order."""
        order_id, words = key_of(input.order_id, "order"), text(input.text, "text", LONGEST_TEXT, shortest=1)
        member_id = info.context.require_viewer().member_id

        async def act() -> Row:
            made = await commands.open_dispute(
                order_id=order_id, member_id=member_id, reason=input.reason, text=words, now=info.context.now(), actor=_buyer(info)
            )
            return {"dispute": public_id("dispute", made)}

        done = await effect(info, input, act)
        return await _after(info, key_of(done["dispute"], "dispute"))

    @mutation(
        DisputeUserError,
        DisputeMessageSendPayload,
        "NOT_FOUND PERMISSION_DENIED INVALID_INPUT INVALID_TRANSITION OVER_LIMIT",
        idempotent=True,
    )
    async def dispute_message_send(self, info: Info, input: DisputeMessageSendInput) -> Row:
        """Write into a dispute of mine, or into one of a shop where I may answer buyers."""
        dispute_id, words = key_of(input.dispute_id, "dispute"), text(input.text, "text", LONGEST_TEXT, shortest=1)
        side, shop_id, actor = await _side(info, dispute_id)

        async def act() -> Row:
            await commands.send(
                dispute_id=dispute_id, side=side, member_id=info.context.require_viewer().member_id, shop_id=shop_id, text=words,
                now=info.context.now(), actor=actor, jobs=info.context.services.jobs,
            )  # fmt: skip
            return {}

        await effect(info, input, act)
        return await _after(info, dispute_id)

    @mutation(DisputeUserError, DisputeClosePayload, "NOT_FOUND PERMISSION_DENIED")
    async def dispute_close(self, info: Info, input: DisputeCloseInput) -> Row:
        """Close a dispute of mine, or of a shop where I may answer buyers. Doing it again changes nothing."""
        dispute_id = key_of(input.dispute_id, "dispute")
        side, shop_id, actor = await _side(info, dispute_id)
        await commands.close(
            dispute_id=dispute_id, side=side, member_id=info.context.require_viewer().member_id, shop_id=shop_id, now=info.context.now(),
            actor=actor, jobs=info.context.services.jobs,
        )  # fmt: skip
        return await _after(info, dispute_id)


def _buyer(info: Info) -> Actor:
    return Actor(f"member:{info.context.require_viewer().member_id}", request_id=info.context.request_id)


async def _side(info: Info, dispute_id: UUID) -> tuple[Side, UUID | None, Actor]:
    """The viewer's side: the buyer's where the order is theirs, else the shop's, with its permission.

    Raises:
        NotFound: neither; a missing dispute takes the same steps.
        PermissionDenied: staff of the shop without the permission.
    """
    if await screens.is_buyer(dispute_id, info.context.require_viewer().member_id):
        return Side.BUYER, None, _buyer(info)
    shop_id = await shop_owning("dispute", dispute_id) or NOWHERE
    return Side.SHOP, shop_id, await info.context.require(Permission.ANSWER_BUYERS, shop_id)


async def _after(info: Info, dispute_id: UUID) -> Row:
    wanted = selected(info)
    if "dispute" not in wanted:
        return {"dispute": None}
    viewer = info.context.require_viewer()
    found = await screens.visible_disputes([dispute_id], viewer.member_id, wanted=wanted["dispute"], language=info.context.language)
    return {"dispute": found.get(dispute_id)}
