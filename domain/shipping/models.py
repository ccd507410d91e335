"""Tables: shipment, shipment_line, shipment_event."""

from __future__ import annotations

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from domain.shipping.rules import ShipmentState


class Shipment(Model):
    """A parcel with goods of one order."""

    id = fields.UUIDField(primary_key=True)
    shop_id = fields.UUIDField()
    order_id = fields.UUIDField()
    buyer_id = fields.UUIDField()
    member_id = fields.UUIDField(null=True)
    """Copy of the buyer's member, so that the member's list is one index scan."""
    state = fields.CharEnumField(ShipmentState, max_length=16)
    carrier = fields.CharField(max_length=60)
    """As the shop names it."""
    tracking_number = fields.CharField(max_length=60, default="")
    store_code = fields.CharField(max_length=20, default="")
    store_name = fields.CharField(max_length=120, default="")
    """The convenience store where it is fetched; empty when it goes to the door."""
    store_address = fields.CharField(max_length=200, default="")
    pick_up_by = fields.DateField(null=True)
    """The store's last day, in the shop's time zone."""
    remind_at = fields.DatetimeField(null=True)
    """When the buyer is told of that day; null once they were."""
    version = fields.IntField(default=1)
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()

    class Meta:
        table = "shipment"
        unique_together = (("shop_id", "id"),)
        indexes = [Index(fields=("order_id", "id")), Index(fields=("buyer_id",))]


class ShipmentLine(Model):
    """Pieces of an order's line that left in a parcel; append only."""

    id = fields.BigIntField(primary_key=True, generated=True)
    shop_id = fields.UUIDField()
    shipment_id = fields.UUIDField()
    order_line_id = fields.UUIDField()
    quantity = fields.IntField()

    class Meta:
        table = "shipment_line"
        unique_together = (("shipment_id", "order_line_id"),)
        indexes = [Index(fields=("order_line_id",))]


class ShipmentEvent(Model):
    """What is known of a parcel's way; append only."""

    id = fields.BigIntField(primary_key=True, generated=True)
    shop_id = fields.UUIDField()
    shipment_id = fields.UUIDField()
    state = fields.CharEnumField(ShipmentState, max_length=16)
    """As it stood from then on."""
    place = fields.CharField(max_length=120, default="")
    note = fields.CharField(max_length=200, default="")
    at = fields.DatetimeField()
    """When it happened, as the carrier says."""

    class Meta:
        table = "shipment_event"
        indexes = [Index(fields=("shipment_id", "id"))]
