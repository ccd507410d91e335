"""Parcels: where they are, and what staff tell of them."""

from __future__ import annotations

from datetime import date, datetime

import strawberry

from api.schema.errors import ShipmentUserError
from api.schema.order import Order
from api.schema.paging import Connection, Node
from api.schema.shop import Shop
from domain.shipping.rules import ShipmentState

strawberry.enum(ShipmentState, description="Where a parcel is. Treat unknown values as SHIPPED.")


@strawberry.type(description="Something that is known of a parcel's way.")
class ShipmentEvent:
    state: ShipmentState = strawberry.field(description="Where it was from then on.")
    at: datetime = strawberry.field(description="When it happened, as the carrier says.")
    place: str | None = strawberry.field(description="Where, as the carrier says; null where nobody said it.")
    note: str | None = strawberry.field(description="In the carrier's or the shop's words; null without any.")


@strawberry.type(description="Pieces in a parcel.")
class ShipmentLine:
    line_id: strawberry.ID = strawberry.field(description="The order line's id.")
    title: str
    variant_label: str
    quantity: int = strawberry.field(description="Pieces in this parcel.")


@strawberry.type(description="A parcel with goods of one order.")
class Shipment(Node):
    state: ShipmentState
    shop: Shop
    order: Order
    carrier: str
    tracking_number: str | None
    store_code: str | None
    store_name: str | None
    store_address: str | None
    last_pickup_day: date | None
    events: list[ShipmentEvent]
    lines: list[ShipmentLine]
    created_at: datetime
    updated_at: datetime


ShipmentConnection = Connection[Shipment]


@strawberry.input(description="Narrows a list of parcels; absent fields narrow nothing.")
class ShipmentFilter:
    active: bool | None = strawberry.field(
        default=None, description="True: only those on their way or to be fetched; false: only the others."
    )
    state: ShipmentState | None = None
    shop_ids: list[strawberry.ID] | None = None


@strawberry.input(description="Pieces of an order's line that are in a parcel.")
class ShipmentLineInput:
    line_id: strawberry.ID
    quantity: int


@strawberry.input
class ShipmentCreateInput:
    order_id: strawberry.ID
    carrier: str = strawberry.field(description="As buyers know it; 1 to 60 characters.")
    tracking_number: str = strawberry.field(default="", description="At most 60 characters; empty where the carrier has none.")
    store_code: str = strawberry.field(default="", description="The convenience store's number; at most 20 characters.")
    store_name: str = strawberry.field(
        default="", description="Where the buyer fetches it; at most 120 characters, empty when it goes to the door."
    )
    store_address: str = strawberry.field(default="", description="At most 200 characters.")
    lines: list[ShipmentLineInput] | None = strawberry.field(default=None, description="At most 100; absent: all pieces that are left.")
    expected_version: int | None = strawberry.field(default=None, description="When given, the order must still be this version.")


@strawberry.type
class ShipmentCreatePayload:
    shipment: Shipment | None
    order: Order | None
    user_errors: list[ShipmentUserError]


@strawberry.input
class ShipmentUpdateInput:
    shipment_id: strawberry.ID
    state: ShipmentState = strawberry.field(description="Where it is now; the same as before adds what else is told.")
    at: datetime | None = strawberry.field(default=None, description="When it happened, not in the future; absent: now.")
    place: str = strawberry.field(default="", description="Where; at most 120 characters.")
    note: str = strawberry.field(default="", description="For the buyer; at most 200 characters.")
    last_pickup_day: date | None = strawberry.field(default=None, description="The store's last day, with ARRIVED_AT_STORE.")


@strawberry.type
class ShipmentUpdatePayload:
    shipment: Shipment | None
    user_errors: list[ShipmentUserError]
