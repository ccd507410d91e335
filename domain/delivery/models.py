"""Tables: delivery_offer, pickup_slot, order_delivery, order_gift."""

from __future__ import annotations

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from domain.delivery.rules import DeliveryKind, StoreChain


class DeliveryOffer(Model):
    """A way of delivery that a shop offers, at one price. A price never changes: the offer is withdrawn and another one made."""

    id = fields.UUIDField(primary_key=True)
    shop_id = fields.UUIDField()
    kind = fields.CharEnumField(DeliveryKind, max_length=20)
    name = fields.CharField(max_length=80)
    """For buyers."""
    place = fields.CharField(max_length=200, default="")
    """Where the goods are handed over, FACE_TO_FACE alone."""
    chain = fields.CharEnumField(StoreChain, max_length=16, null=True)
    """CONVENIENCE_STORE alone."""
    fee_minor = fields.BigIntField(default=0)
    created_at = fields.DatetimeField()
    withdrawn_at = fields.DatetimeField(null=True)

    class Meta:
        table = "delivery_offer"
        unique_together = (("shop_id", "id"),)


class PickupSlot(Model):
    """A time at which so many orders are handed over at the place of an offer. `taken` counts orders that chose it and were not cancelled."""

    id = fields.UUIDField(primary_key=True)
    shop_id = fields.UUIDField()
    offer_id = fields.UUIDField()
    starts_at = fields.DatetimeField()
    ends_at = fields.DatetimeField()
    capacity = fields.IntField()
    taken = fields.IntField(default=0)
    closed_at = fields.DatetimeField(null=True)
    """From then on nobody new may choose it."""
    version = fields.IntField(default=1)
    created_at = fields.DatetimeField()

    class Meta:
        table = "pickup_slot"
        unique_together = (("shop_id", "id"),)
        indexes = [Index(fields=("offer_id", "starts_at"))]


class OrderDelivery(Model):
    """What the buyer of an order chose, and for whom. Texts are empty where the kind needs none, and once the member was deleted."""

    order_id = fields.UUIDField(primary_key=True)
    shop_id = fields.UUIDField()
    offer_id = fields.UUIDField()
    slot_id = fields.UUIDField(null=True)
    """Null for other kinds, and once the order was cancelled."""
    store_code = fields.CharField(max_length=12, default="")
    store_name = fields.CharField(max_length=80, default="")
    recipient_name = fields.CharField(max_length=60, default="")
    recipient_phone = fields.CharField(max_length=20, default="")
    postal_code = fields.CharField(max_length=12, default="")
    address = fields.CharField(max_length=200, default="")
    chosen_at = fields.DatetimeField()

    class Meta:
        table = "order_delivery"
        indexes = [Index(fields=("slot_id",))]


class OrderGift(Model):
    """The order is a gift. Whoever has the newest link sees what is in it and when it comes, and no price."""

    order_id = fields.UUIDField(primary_key=True)
    shop_id = fields.UUIDField()
    token_hash = fields.CharField(max_length=64, unique=True, null=True)
    """SHA-256 of the link's token; null once it was taken back."""
    sender = fields.CharField(max_length=40, default="")
    """Who gives it, in the buyer's own words."""
    message = fields.CharField(max_length=200, default="")
    expires_at = fields.DatetimeField()
    created_at = fields.DatetimeField()

    class Meta:
        table = "order_gift"
