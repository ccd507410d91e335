"""Delivery: what a shop offers, written by its staff, and what buyers choose."""

from __future__ import annotations

from uuid import UUID

import strawberry

from api.resolvers.base import Info, attach, field, key_of, selected
from api.resolvers.mutation import effect, mutation, staff_of, text
from api.resolvers.order import minor
from api.schema.delivery import (
    DeliveryOfferCreateInput,
    DeliveryOfferCreatePayload,
    DeliveryOfferWithdrawInput,
    DeliveryOfferWithdrawPayload,
    DeliveryOption,
    OrderDelivery,
    OrderDeliveryChooseInput,
    OrderDeliveryChoosePayload,
    PickupSlotCreateInput,
    PickupSlotCreatePayload,
    PickupSlotUpdateInput,
    PickupSlotUpdatePayload,
    Recipient,
    RecipientInput,
)
from api.schema.errors import DeliveryUserError
from api.schema.order import Order
from api.schema.shop import Shop
from domain.delivery import choosing, offers, screens
from domain.orders import queries
from domain.paging import Row
from domain.shops.rules import Permission


@strawberry.type
class OrderDeliveries:
    """Fields of an order."""

    delivery: OrderDelivery | None = strawberry.field(description="What was chosen; null while nothing was.")
    recipient: Recipient | None = strawberry.field(description="Who gets the goods, where the buyer wrote it.")


@strawberry.type
class ShopDelivery:
    """Fields of a shop."""

    @field(list[DeliveryOption], description="Ways of delivery that its buyers may choose, for everybody; at most 20.")
    async def delivery_options(self, root: strawberry.Parent[Row], info: Info) -> list[Row]:
        return await screens.offers_of_shop(root["key"], wanted=selected(info), now=info.context.now())


attach(Order, OrderDeliveries)
attach(Shop, ShopDelivery)


def _recipient(given: RecipientInput | None) -> choosing.Recipient:
    if given is None:
        return choosing.Recipient()
    return choosing.Recipient(
        name=text(given.name, "recipient.name", 60), phone=text(given.phone, "recipient.phone", 20),
        postal_code=text(given.postal_code, "recipient.postalCode", 12), address=text(given.address, "recipient.address", 200),
    )  # fmt: skip


@strawberry.type
class DeliveryMutations:
    @mutation(
        DeliveryUserError,
        OrderDeliveryChoosePayload,
        "NOT_FOUND INVALID_INPUT AMOUNT_MISMATCH INVALID_TRANSITION VERSION_CONFLICT ITEM_CLOSED SLOT_FULL DUPLICATE_ITEM PAYMENT_UNDER_WAY",
        idempotent=True,
    )
    async def order_delivery_choose(self, info: Info, input: OrderDeliveryChooseInput) -> Row:
        """Choose how an order of mine is delivered, or choose anew. What it costs is added to what I owe; after paying, only ways at the same price."""
        member_id, order_id = info.context.require_viewer().member_id, key_of(input.order_id, "order")
        store = input.store
        choice = choosing.Choice(
            offer_id=key_of(input.offer_id, "offer"), slot_id=None if input.slot_id is None else key_of(input.slot_id, "slot"),
            store_code=text(store.code, "store.code", 12) if store else "", store_name=text(store.name, "store.name", 80) if store else "",
            recipient=_recipient(input.recipient),
        )  # fmt: skip

        async def act() -> Row:
            await choosing.choose(
                order_id=order_id, member_id=member_id, choice=choice, expected_version=input.expected_version, now=info.context.now()
            )
            return {}

        await effect(info, input, act)
        return {"order": await own_order(info, order_id, member_id)}

    @mutation(DeliveryUserError, DeliveryOfferCreatePayload, "NOT_FOUND PERMISSION_DENIED INVALID_INPUT OVER_LIMIT", idempotent=True)
    async def delivery_offer_create(self, info: Info, input: DeliveryOfferCreateInput) -> Row:
        """Offer another way of delivery to the buyers of my shop."""
        shop_id = key_of(input.shop_id, "shop")
        actor = await info.context.require(Permission.MANAGE_DELIVERY, shop_id)
        offer = offers.Offer(
            input.kind,
            text(input.name, "name", 80, shortest=1),
            await minor(input.fee, shop_id, "fee"),
            text(input.place, "place", 200),
            input.chain,
        )

        async def act() -> Row:
            return {"offer": str(await offers.add_offer(shop_id=shop_id, offer=offer, actor=actor, now=info.context.now()))}

        made = await effect(info, input, act)
        return {"offer": await _offer(info, UUID(made["offer"]))}

    @mutation(DeliveryUserError, DeliveryOfferWithdrawPayload, "NOT_FOUND PERMISSION_DENIED")
    async def delivery_offer_withdraw(self, info: Info, input: DeliveryOfferWithdrawInput) -> Row:
        """Offer a way of delivery no longer. Orders that chose it keep it; doing it again changes nothing."""
        offer_id = key_of(input.offer_id, "offer")
        shop_id, actor = await staff_of(info, "offer", offer_id, Permission.MANAGE_DELIVERY)
        await offers.withdraw_offer(shop_id=shop_id, offer_id=offer_id, actor=actor, now=info.context.now())
        return {"offer": await _offer(info, offer_id)}

    @mutation(
        DeliveryUserError, PickupSlotCreatePayload, "NOT_FOUND PERMISSION_DENIED INVALID_INPUT ITEM_CLOSED OVER_LIMIT", idempotent=True
    )
    async def pickup_slot_create(self, info: Info, input: PickupSlotCreateInput) -> Row:
        """Offer a time at which orders are handed over face to face."""
        offer_id = key_of(input.offer_id, "offer")
        shop_id, actor = await staff_of(info, "offer", offer_id, Permission.MANAGE_DELIVERY)

        async def act() -> Row:
            slot_id = await offers.add_slot(
                shop_id=shop_id, offer_id=offer_id, starts_at=input.starts_at, ends_at=input.ends_at, capacity=input.capacity, actor=actor,
                now=info.context.now(),
            )  # fmt: skip
            return {"slot": str(slot_id)}

        made = await effect(info, input, act)
        return {"slot": await screens.slot_by_id(UUID(made["slot"]))}

    @mutation(DeliveryUserError, PickupSlotUpdatePayload, "NOT_FOUND PERMISSION_DENIED INVALID_INPUT SLOT_FULL")
    async def pickup_slot_update(self, info: Info, input: PickupSlotUpdateInput) -> Row:
        """Let a slot take more or fewer orders, close it to new ones, or open it again. Doing it again changes nothing."""
        slot_id = key_of(input.slot_id, "slot")
        shop_id, actor = await staff_of(info, "slot", slot_id, Permission.MANAGE_DELIVERY)
        await offers.change_slot(
            shop_id=shop_id, slot_id=slot_id, capacity=input.capacity, closed=input.closed, actor=actor, now=info.context.now()
        )
        return {"slot": await screens.slot_by_id(slot_id)}


async def _offer(info: Info, offer_id: UUID) -> Row | None:
    return await screens.offer_by_id(offer_id, wanted=selected(info, "offer"), now=info.context.now())


async def own_order(info: Info, order_id: UUID, member_id: UUID) -> Row | None:
    """The changed order, for its buyer."""
    found = await queries.visible_orders([order_id], member_id, wanted=selected(info, "order"), language=info.context.language)
    return found.get(order_id)
