"""Tables: shipment, shipment_line, shipment_event."""

from __future__ import annotations

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from domain.orders.carriers import Carrier
from domain.shipping.rules import ReturnDecision, ShipmentState


class Shipment(Model):
    """A parcel: pieces of one buyer's orders in one shop, on their way with a carrier."""

    id = fields.UUIDField(primary_key=True)
    shop_id = fields.UUIDField()
    buyer_id = fields.UUIDField()
    member_id = fields.UUIDField(null=True)
    """Copy of the buyer's member, so that the member's list is one index scan."""
    state = fields.CharEnumField(ShipmentState, max_length=20)
    state_at = fields.DatetimeField()
    """Since when, by the newest event; when it was made while there is none."""
    carrier = fields.CharEnumField(Carrier, max_length=16)
    carrier_name = fields.CharField(max_length=60, default="")
    """Of a carrier that is none of ours."""
    tracking_number = fields.CharField(max_length=40, default="")
    store_code = fields.CharField(max_length=10, default="")
    store_name = fields.CharField(max_length=60, default="")
    store_address = fields.CharField(max_length=200, default="")
    last_pickup_day = fields.DateField(null=True)
    remind_at = fields.DatetimeField(null=True)
    """When its buyer is reminded of the store's last day; null once that was done, and where there is none."""
    left_at = fields.DatetimeField(null=True)
    """When its pieces left the shop's books; null while it is being packed, and for ever when it was cancelled."""
    return_decision = fields.CharEnumField(ReturnDecision, max_length=12, null=True)
    settled_at = fields.DatetimeField(null=True)
    version = fields.IntField(default=1)
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()

    class Meta:
        table = "shipment"
        unique_together = (("shop_id", "id"),)


class ShipmentLine(Model):
    """What lies in a parcel; append only. A cancelled parcel keeps its lines as history."""

    id = fields.BigIntField(primary_key=True, generated=True)
    shop_id = fields.UUIDField()
    shipment_id = fields.UUIDField()
    order_id = fields.UUIDField()
    order_line_id = fields.UUIDField()
    quantity = fields.IntField()

    class Meta:
        table = "shipment_line"
        unique_together = (("shipment_id", "order_line_id"),)
        indexes = [Index(fields=("order_id",)), Index(fields=("order_line_id",))]


class ShipmentEvent(Model):
    """What was said about a parcel; append only but for the note, which can be erased. Said again, it is the same row."""

    id = fields.BigIntField(primary_key=True, generated=True)
    shop_id = fields.UUIDField()
    shipment_id = fields.UUIDField()
    state = fields.CharEnumField(ShipmentState, max_length=20)
    at = fields.DatetimeField()
    note = fields.CharField(max_length=200, default="")
    actor = fields.CharField(max_length=80)
    recorded_at = fields.DatetimeField()

    class Meta:
        table = "shipment_event"
        unique_together = (("shipment_id", "at", "state"),)
