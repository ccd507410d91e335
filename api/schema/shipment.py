"""Parcels: what is on its way, with which carrier, and what was said about it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final

import strawberry

from api.schema.errors import ShipmentErrorCode, ShipmentUserError
from api.schema.order import Order
from api.schema.paging import Connection, Node
from api.schema.shop import Shop
from domain.orders.carriers import Carrier
from domain.shipping.rules import ImportOutcome, ReturnDecision, ShipmentDifference, ShipmentState

strawberry.enum(ShipmentState, description="Where a parcel is. Treat unknown values as IN_TRANSIT.")
strawberry.enum(Carrier, description="Who brings a parcel. Treat unknown values as OTHER.")
strawberry.enum(ReturnDecision, description="What the shop does with the pieces of a parcel that came back.")
strawberry.enum(ShipmentDifference, description="What of a parcel is other than its buyer chose.")
strawberry.enum(ImportOutcome, name="ShipmentImportOutcome", description="What became of a row of an import.")


UNLIKE: Final = {
    ShipmentDifference.METHOD: "The buyer chose to collect it face to face.",
    ShipmentDifference.CARRIER: "The buyer chose another chain of stores, or home instead of a store.",
    ShipmentDifference.STORE: "The buyer chose another store of this chain, and the parcel names this one or none.",
    ShipmentDifference.SEVERAL: "Its orders go to different places or people.",
}
for _value in ShipmentDifference.__strawberry_definition__.values:  # type: ignore[attr-defined]
    _value.description = UNLIKE[ShipmentDifference(_value.value)]


@strawberry.type(description="Something said about a parcel, by the carrier or the shop.")
class ShipmentEvent:
    state: ShipmentState = strawberry.field(description="Where it was.")
    at: datetime = strawberry.field(description="When it was there, as they say.")
    note: str | None = strawberry.field(description="In their words; null without any.")
    recorded_at: datetime = strawberry.field(description="When it was entered here.")


@strawberry.type(description="Pieces of one order line in a parcel.")
class ShipmentLine:
    line_id: strawberry.ID = strawberry.field(description="The order's line.")
    order_id: strawberry.ID = strawberry.field(description="The line's order.")
    order_number: str = strawberry.field(description="The order's number, for people.")
    title: str = strawberry.field(description="The product's name when it was ordered.")
    variant_label: str = strawberry.field(description="The variant's name then; empty where there is only one.")
    quantity: int = strawberry.field(description="Pieces in this parcel.")


@strawberry.type(description="A parcel: pieces of one buyer's orders in one shop, on their way with a carrier.")
class Shipment(Node):
    shop: Shop = strawberry.field(description="Who sent it.")
    state: ShipmentState = strawberry.field(description="By the newest thing said about it.")
    since: datetime = strawberry.field(description="When it came to be so, by the carrier's or the shop's clock.")
    is_active: bool = strawberry.field(description="Something is still to come.")
    carrier: Carrier = strawberry.field(description="Who brings it.")
    carrier_name: str | None = strawberry.field(description="Of a carrier that has no value of its own; null otherwise.")
    tracking_number: str | None = strawberry.field(description="The carrier's number; null while there is none.")
    tracking_url: str | None = strawberry.field(
        description="The carrier's tracking page; some take the number by hand. Null where there is none."
    )
    store_code: str | None = strawberry.field(description="The convenience store's number; null for other ways.")
    store_name: str | None = strawberry.field(description="The store's name; null where it is not known.")
    store_address: str | None = strawberry.field(description="Where the store is; null where it is not known.")
    last_pickup_day: date | None = strawberry.field(
        description="The last day it waits at the store, by the shop's calendar; null where it is not known."
    )
    differences: list[ShipmentDifference] = strawberry.field(
        description="What of it is other than its buyer chose for its orders, as both stand now; empty when nothing is, or nothing was chosen."
    )
    return_decision: ReturnDecision | None = strawberry.field(description="Once it came back: what the shop did with it; null until then.")
    lines: list[ShipmentLine] = strawberry.field(description="What lies in it; at most 100.")
    events: list[ShipmentEvent] = strawberry.field(description="What was said about it, the newest first; at most 100.")
    version: int = strawberry.field(description="Rises with every change.")
    created_at: datetime = strawberry.field(description="When it was packed.")
    updated_at: datetime = strawberry.field(description="When it was changed last.")


ShipmentConnection = Connection[Shipment]


@strawberry.input(description="Narrows a list of parcels; absent fields narrow nothing.")
class ShipmentFilter:
    active: bool | None = strawberry.field(
        default=None, description="True: only those of which something is to come; false: only the others."
    )
    state: ShipmentState | None = strawberry.field(default=None, description="Only those that stand so.")
    shop_ids: list[strawberry.ID] | None = strawberry.field(default=None, description="Only those of these shops.")
    order_id: strawberry.ID | None = strawberry.field(default=None, description="Only those with pieces of this order.")


@strawberry.input(description="Narrows a shop's list of parcels; absent fields narrow nothing.")
class ShopShipmentFilter:
    active: bool | None = strawberry.field(
        default=None, description="True: only those of which something is to come; false: only the others."
    )
    state: ShipmentState | None = strawberry.field(default=None, description="Only those that stand so.")
    order_id: strawberry.ID | None = strawberry.field(default=None, description="Only those with pieces of this order.")
    to_settle: bool = strawberry.field(default=False, description="True: only those that came back and wait for `shipmentReturnSettle`.")


@strawberry.input(description="Pieces of an order line that go into a parcel.")
class ShipmentLineInput:
    line_id: strawberry.ID = strawberry.field(description="The order's line.")
    quantity: int = strawberry.field(description="Pieces, 1 to what is left of the line.")


@strawberry.input(description="The convenience store that a parcel goes to.")
class ShipmentStoreInput:
    code: str = strawberry.field(description="The store's number with its chain: 1 to 10 letters and digits.")
    name: str = strawberry.field(default="", description="For people; at most 60 characters.")
    address: str = strawberry.field(default="", description="At most 200 characters.")
    last_pickup_day: date | None = strawberry.field(default=None, description="The last day it waits there, where it is known already.")


@strawberry.input
class ShipmentCreateInput:
    carrier: Carrier | None = strawberry.field(
        default=None, description="Who brings it. Left out: the carrier of the convenience store that the buyer chose, to that store."
    )
    lines: list[ShipmentLineInput] | None = strawberry.field(
        default=None, description="What goes into it: lines of paid orders of one buyer; instead of `orderId`. At most 100."
    )
    order_id: strawberry.ID | None = strawberry.field(default=None, description="All that is left of this order; instead of `lines`.")
    carrier_name: str = strawberry.field(default="", description="With OTHER: the carrier's name, at most 60 characters.")
    tracking_number: str = strawberry.field(default="", description="Letters, digits and hyphens, at most 40; it may come later.")
    store: ShipmentStoreInput | None = strawberry.field(
        default=None, description="For the carriers of the store chains. Left out: the one that the buyer chose there."
    )


@strawberry.input
class ShipmentUpdateInput:
    shipment_id: strawberry.ID = strawberry.field(description="A parcel of the shop.")
    carrier: Carrier | None = strawberry.field(default=None, description="Another carrier.")
    carrier_name: str | None = strawberry.field(default=None, description="With OTHER: the carrier's name.")
    tracking_number: str | None = strawberry.field(default=None, description="Another number; empty takes it off.")
    store: ShipmentStoreInput | None = strawberry.field(default=None, description="Another store.")
    last_pickup_day: date | None = strawberry.field(default=None, description="Until when it waits at the store.")
    state: ShipmentState | None = strawberry.field(
        default=None, description="Where it is: one of those after PREPARING, but not CANCELLED."
    )
    at: datetime | None = strawberry.field(default=None, description="Since when; now when it is left out.")
    note: str = strawberry.field(default="", description="For the buyer too; at most 200 characters.")
    correction: bool = strawberry.field(
        default=False, description="The state may be one that does not follow: what was said before was wrong."
    )


@strawberry.input
class ShipmentCancelInput:
    shipment_id: strawberry.ID = strawberry.field(description="A parcel that the carrier does not have yet.")


@strawberry.input
class ShipmentReturnSettleInput:
    shipment_id: strawberry.ID = strawberry.field(description="A parcel that came back.")
    decision: ReturnDecision = strawberry.field(description="What becomes of its pieces.")


@strawberry.input
class ShipmentsImportInput:
    shop_id: strawberry.ID = strawberry.field(description="The shop whose parcels they are.")
    csv: str = strawberry.field(description="Comma- or tab-separated text with a heading, at most 200 rows and 60,000 characters.")


@strawberry.type(description="What became of one row of an import.")
class ShipmentImportRow:
    line: int = strawberry.field(description="Where it stands in the text, from 1; the heading is one too.")
    order_number: str = strawberry.field(description="As the row has it.")
    outcome: ImportOutcome = strawberry.field(description="Each row is done whole or not at all.")
    shipment: Shipment | None = strawberry.field(
        description="The parcel as it stands now; null for a refused row, and for staff who may not view orders."
    )
    code: ShipmentErrorCode | None = strawberry.field(description="Why it was refused; null when it was not.")
    field: str | None = strawberry.field(description="The column to blame, where one is.")
    message: str | None = strawberry.field(description="For people, in their language; null when it was not refused.")
    available_quantity: int | None = strawberry.field(description="Pieces that are there, where there are too few.")


@strawberry.type
class _ParcelPayload:
    shipment: Shipment | None = strawberry.field(description="As it stands now; null also for staff who may not view orders.")
    orders: list[Order] | None = strawberry.field(
        description="The orders of which pieces lie in it, as they stand now; null also for staff who may not view orders."
    )
    user_errors: list[ShipmentUserError]


@strawberry.type
class ShipmentCreatePayload(_ParcelPayload):
    shipment: Shipment | None = strawberry.field(description="The new parcel; null also for staff who may not view orders.")


@strawberry.type
class ShipmentUpdatePayload(_ParcelPayload):
    pass


@strawberry.type
class ShipmentCancelPayload(_ParcelPayload):
    pass


@strawberry.type
class ShipmentReturnSettlePayload(_ParcelPayload):
    pass


@strawberry.type
class ShipmentsImportPayload:
    rows: list[ShipmentImportRow] | None = strawberry.field(
        description="One for each row of the table, in its order; a refused row changes nothing."
    )
    user_errors: list[ShipmentUserError]
