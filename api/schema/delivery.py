"""Ways of delivery that a shop offers, and what was chosen for an order."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import strawberry

from api.schema.errors import DeliveryUserError
from api.schema.order import Order
from api.schema.scalars import Money
from domain.delivery.rules import DeliveryKind, StoreChain

strawberry.enum(DeliveryKind, description="How goods reach a buyer. Treat unknown values as HOME.")
strawberry.enum(StoreChain, description="Convenience stores that keep parcels; more may come.")


@strawberry.type(description="A time at which orders are handed over face to face.")
class PickupSlot:
    id: strawberry.ID
    starts_at: datetime = strawberry.field(description="From when.")
    ends_at: datetime = strawberry.field(description="Until when.")
    capacity: int = strawberry.field(description="Orders that it takes.")
    left: int = strawberry.field(description="Orders that may still choose it; 0 once it is closed.")
    is_closed: bool = strawberry.field(description="Nobody new may choose it.")


@strawberry.type(description="A way of delivery at one price. The price never changes: another offer takes its place.")
class DeliveryOffer:
    id: strawberry.ID
    kind: DeliveryKind = strawberry.field(description="What it needs of the buyer follows from it.")
    name: str = strawberry.field(description="For buyers.")
    place: str | None = strawberry.field(description="Where goods are handed over; face to face alone.")
    chain: StoreChain | None = strawberry.field(description="Whose stores; CONVENIENCE_STORE alone.")
    fee: Money = strawberry.field(description="On top of the order.")


@strawberry.type(description="A way of delivery with the slots that may be chosen.")
class DeliveryOption(DeliveryOffer):
    slots: list[PickupSlot] = strawberry.field(description="Open ones that are to come, the next first; face to face alone.")


@strawberry.type(description="What was chosen for an order.")
class OrderDelivery:
    offer: DeliveryOffer = strawberry.field(description="The way.")
    slot: PickupSlot | None = strawberry.field(description="The time; face to face alone.")
    store_code: str | None = strawberry.field(description="The chain's own number of the store.")
    store_name: str | None = strawberry.field(description="As the buyer found it.")
    chosen_at: datetime = strawberry.field(description="When.")


@strawberry.type(description="Who gets the goods, as the buyer wrote it. For the buyer and staff who may view orders.")
class Recipient:
    name: str | None = strawberry.field(description="Null when the buyer comes.")
    phone: str | None = strawberry.field(description="For the carrier.")
    postal_code: str | None = strawberry.field(description="HOME alone.")
    address: str | None = strawberry.field(description="HOME alone.")


@strawberry.input(description="Who gets the goods.")
class RecipientInput:
    name: str = strawberry.field(default="", description="At most 60 characters; as on the identity card where a store asks for it.")
    phone: str = strawberry.field(default="", description="6 to 20 digits, blanks and dashes; for convenience stores 09 and eight digits.")
    postal_code: str = strawberry.field(default="", description="HOME alone; at most 12 characters.")
    address: str = strawberry.field(default="", description="HOME alone; 5 to 200 characters.")


@strawberry.input(description="A convenience store.")
class StoreInput:
    code: str = strawberry.field(description="The chain's own number: six digits, of HI_LIFE and OK_MART four.")
    name: str = strawberry.field(description="For people; at most 80 characters.")


@strawberry.input
class OrderDeliveryChooseInput:
    order_id: strawberry.ID = strawberry.field(description="One of mine that has CHOOSE_DELIVERY among its actions.")
    offer_id: strawberry.ID = strawberry.field(description="Of the order's shop.")
    slot_id: strawberry.ID | None = strawberry.field(default=None, description="Of that offer; face to face, and only there.")
    store: StoreInput | None = strawberry.field(default=None, description="CONVENIENCE_STORE, and only there.")
    recipient: RecipientInput | None = strawberry.field(
        default=None, description="Name and phone are needed unless I come myself; HOME needs an address."
    )
    expected_version: int | None = strawberry.field(default=None, description="When given, the order must still be this version.")


@strawberry.input
class DeliveryOfferCreateInput:
    shop_id: strawberry.ID = strawberry.field(description="My shop.")
    kind: DeliveryKind = strawberry.field(description="How the goods go.")
    name: str = strawberry.field(description="For buyers; 1 to 80 characters.")
    fee: Decimal = strawberry.field(description="On top of an order, in the shop's currency; 0 for none.")
    place: str = strawberry.field(
        default="", description="Where goods are handed over, at most 200 characters; FACE_TO_FACE needs one, others have none."
    )
    chain: StoreChain | None = strawberry.field(default=None, description="CONVENIENCE_STORE needs one, others have none.")


@strawberry.input
class DeliveryOfferWithdrawInput:
    offer_id: strawberry.ID = strawberry.field(description="One of my shop.")


@strawberry.input
class PickupSlotCreateInput:
    offer_id: strawberry.ID = strawberry.field(description="One of my shop, face to face.")
    starts_at: datetime = strawberry.field(description="From when; not past.")
    ends_at: datetime = strawberry.field(description="Until when; a day later at most.")
    capacity: int = strawberry.field(description="Orders that it takes: 1 to 10,000.")


@strawberry.input
class PickupSlotUpdateInput:
    slot_id: strawberry.ID = strawberry.field(description="One of my shop.")
    capacity: int | None = strawberry.field(default=None, description="Not fewer than have chosen it.")
    closed: bool | None = strawberry.field(default=None, description="True: nobody new may choose it.")


@strawberry.type
class OrderDeliveryChoosePayload:
    order: Order | None = strawberry.field(description="As it stands now.")
    user_errors: list[DeliveryUserError]


@strawberry.type
class DeliveryOfferCreatePayload:
    offer: DeliveryOption | None = strawberry.field(description="As buyers see it.")
    user_errors: list[DeliveryUserError]


@strawberry.type
class DeliveryOfferWithdrawPayload:
    offer: DeliveryOption | None = strawberry.field(description="As orders that chose it keep it.")
    user_errors: list[DeliveryUserError]


@strawberry.type
class PickupSlotCreatePayload:
    slot: PickupSlot | None = strawberry.field(description="As buyers see it.")
    user_errors: list[DeliveryUserError]


@strawberry.type
class PickupSlotUpdatePayload:
    slot: PickupSlot | None = strawberry.field(description="As it stands now.")
    user_errors: list[DeliveryUserError]
