"""Gifts: a link that the buyer makes, and what whoever has it sees."""

from __future__ import annotations

import strawberry

from api.resolvers.base import Info, attach, field, key_of
from api.resolvers.delivery import own_order
from api.resolvers.mutation import mutation, text
from api.schema.errors import DeliveryUserError
from api.schema.gift import (
    Gift,
    GiftLinkCreateInput,
    GiftLinkCreatePayload,
    GiftLinkRevokeInput,
    GiftLinkRevokePayload,
    OrderGift,
)
from api.schema.order import Order
from domain.delivery import gifts
from domain.delivery.rules import LONGEST_FROM, LONGEST_MESSAGE
from domain.paging import Row

LONGEST_TOKEN = 80


@strawberry.type
class OrderGifts:
    """Fields of an order."""

    is_gift: bool = strawberry.field(description="It is for somebody else, who is to see no price.")
    gift: OrderGift | None = strawberry.field(description="What the buyer says with it; null when it is no gift.")


attach(Order, OrderGifts)


@strawberry.type
class GiftQuery:
    @field(Gift | None, description="What is coming, for the holder of a gift's link. No sign-in needed; null for a link that is not good.")
    async def gift(self, info: Info, token: str) -> Row | None:
        if len(token) > LONGEST_TOKEN or not token.isascii() or not token.isprintable():
            return None
        return await gifts.gift_of(token, now=info.context.now())


@strawberry.type
class GiftMutations:
    @mutation(DeliveryUserError, GiftLinkCreatePayload, "NOT_FOUND INVALID_INPUT INVALID_TRANSITION")
    async def gift_link_create(self, info: Info, input: GiftLinkCreateInput) -> Row:
        """Make an order of mine a gift, with a link that shows what comes and no price. A link made before is void from here on."""
        member_id, order_id = info.context.require_viewer().member_id, key_of(input.order_id, "order")
        sender, message = text(input.sender, "sender", LONGEST_FROM), text(input.message, "message", LONGEST_MESSAGE)
        token, until = await gifts.make_link(order_id=order_id, member_id=member_id, sender=sender, message=message, now=info.context.now())
        return {"link": {"token": token, "expires_at": until}, "order": await own_order(info, order_id, member_id)}

    @mutation(DeliveryUserError, GiftLinkRevokePayload, "NOT_FOUND")
    async def gift_link_revoke(self, info: Info, input: GiftLinkRevokeInput) -> Row:
        """Make the link of a gift void. Doing it again changes nothing."""
        member_id, order_id = info.context.require_viewer().member_id, key_of(input.order_id, "order")
        await gifts.revoke_link(order_id=order_id, member_id=member_id, now=info.context.now())
        return {"order": await own_order(info, order_id, member_id)}
