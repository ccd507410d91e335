"""Orders that are for somebody else: the buyer's link, and what its holder sees."""

from __future__ import annotations

from datetime import datetime

import strawberry

from api.schema.errors import DeliveryUserError
from api.schema.order import Order
from domain.delivery.rules import DeliveryKind, StoreChain
from domain.orders.rules import FulfilmentState


@strawberry.type(description="That an order is a gift, for its buyer and the shop. Put no invoice and no price into the parcel.")
class OrderGift:
    sender: str | None = strawberry.field(description="Who gives it, in the buyer's words.")
    message: str | None = strawberry.field(description="For whoever gets it, in the buyer's words.")
    has_link: bool = strawberry.field(description="A link was made and not taken back. It is shown once, when it is made.")
    expires_at: datetime = strawberry.field(description="When the newest link ends.")
    created_at: datetime = strawberry.field(description="When the first link was made.")


@strawberry.type(description="A kind of goods in a gift.")
class GiftItem:
    title: str = strawberry.field(description="The product's name.")
    variant_label: str = strawberry.field(description="The variant's name; empty where there is only one.")
    quantity: int = strawberry.field(description="Pieces.")


@strawberry.type(description="How a gift comes.")
class GiftDelivery:
    kind: DeliveryKind = strawberry.field(description="The way.")
    place: str | None = strawberry.field(description="Where it is handed over, face to face.")
    starts_at: datetime | None = strawberry.field(description="From when, face to face.")
    ends_at: datetime | None = strawberry.field(description="Until when, face to face.")
    time_zone: str = strawberry.field(description="The shop's, such as Europe/Vienna.")
    chain: StoreChain | None = strawberry.field(description="Whose store.")
    store_name: str | None = strawberry.field(description="Which store.")


@strawberry.type(description="What the holder of a gift's link sees: no price, no order number, no buyer and no address.")
class Gift:
    shop_name: str = strawberry.field(description="Where it comes from.")
    sender: str | None = strawberry.field(description="Who gives it, in the buyer's words.")
    message: str | None = strawberry.field(description="The buyer's words.")
    fulfilment_state: FulfilmentState = strawberry.field(description="Where the goods are.")
    items: list[GiftItem] = strawberry.field(description="What is in it, at most 100 kinds.")
    delivery: GiftDelivery | None = strawberry.field(description="Null while nothing was chosen.")
    expires_at: datetime = strawberry.field(description="Until then the link is good.")


@strawberry.type(description="A link for whoever gets a gift. Whoever has it sees the gift: send it to them alone.")
class GiftLink:
    token: str = strawberry.field(description="For `gift`; put it into an address of the app. It is not shown again.")
    expires_at: datetime = strawberry.field(description="From then on a new one is needed.")


@strawberry.input
class GiftLinkCreateInput:
    order_id: strawberry.ID = strawberry.field(description="One of mine that has MAKE_GIFT among its actions.")
    sender: str = strawberry.field(default="", description="Who gives it; at most 40 characters.")
    message: str = strawberry.field(default="", description="For whoever gets it; at most 200 characters.")


@strawberry.input
class GiftLinkRevokeInput:
    order_id: strawberry.ID = strawberry.field(description="One of mine that is a gift.")


@strawberry.type
class GiftLinkCreatePayload:
    link: GiftLink | None = strawberry.field(description="Good at once; an older one is void.")
    order: Order | None = strawberry.field(description="As it stands now.")
    user_errors: list[DeliveryUserError]


@strawberry.type
class GiftLinkRevokePayload:
    order: Order | None = strawberry.field(description="As it stands now.")
    user_errors: list[DeliveryUserError]
