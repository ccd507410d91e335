"""Tables: buyer, order, order_line, order_event."""

from __future__ import annotations

from typing import Any

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from domain.orders.rules import FulfilmentState, OrderState, PaymentState
from domain.posts.rules import DeliveryMethod
from domain.shops.rules import SourcePlatform


class Buyer(Model):
    """A commenter as one shop knows them. `member_id` is set once the person has linked this identity in the member app."""

    id = fields.UUIDField(primary_key=True)
    shop_id = fields.UUIDField()
    provider = fields.CharField(max_length=16)
    """facebook, instagram, line, telegram, generic, member."""
    external_id = fields.CharField(max_length=120)
    name = fields.CharField(max_length=120, default="")
    member_id = fields.UUIDField(null=True)
    restricted_until = fields.DatetimeField(null=True)
    """Until then the shop takes no orders from this buyer's comments."""
    restricted_reason = fields.CharField(max_length=200, default="")
    """The shop's own words; no buyer reads them."""
    inbox_id = fields.CharField(max_length=120, null=True)
    """The id under which the page's messages know this commenter, where the platform said that both are one."""
    created_at = fields.DatetimeField()

    class Meta:
        table = "buyer"
        unique_together = (("provider", "external_id", "shop_id"),)


class Order(Model):
    """One buyer's order in one shop. Claims stack on the open, unpaid one (a partial unique index lets only one exist)."""

    id = fields.UUIDField(primary_key=True)
    shop_id = fields.UUIDField()
    number = fields.CharField(max_length=24)
    buyer_id = fields.UUIDField()
    member_id = fields.UUIDField(null=True)
    """Copy of the buyer's member, so that the member's list is one index scan."""
    state = fields.CharEnumField(OrderState, max_length=12)
    payment_state = fields.CharEnumField(PaymentState, max_length=24)
    fulfilment_state = fields.CharEnumField(FulfilmentState, max_length=20)
    delivery_method = fields.CharEnumField(DeliveryMethod, max_length=8)
    currency = fields.CharField(max_length=3)
    subtotal_minor = fields.BigIntField(default=0)
    shipping_minor = fields.BigIntField(default=0)
    discount_minor = fields.BigIntField(default=0)
    total_minor = fields.BigIntField(default=0)
    paid_minor = fields.BigIntField(default=0)
    pay_by = fields.DatetimeField(null=True)
    flagged = fields.BooleanField(default=False)
    cancel_requested_at = fields.DatetimeField(null=True)
    """Its buyer asks the shop to cancel it, and nobody has answered."""
    cancel_reason = fields.CharField(max_length=200, default="")
    """The buyer's words to that request; gone once it is answered."""
    ship_later_until = fields.DatetimeField(null=True)
    """Until then the buyer wants the parcel to wait for others."""
    version = fields.IntField(default=1)
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()

    class Meta:
        table = "order"
        unique_together = (("shop_id", "number"),)


class OrderLine(Model):
    """Pieces of one variant that one comment asked for; the price is the price at that moment."""

    id = fields.UUIDField(primary_key=True)
    shop_id = fields.UUIDField()
    order_id = fields.UUIDField()
    variant_id = fields.UUIDField()
    post_id = fields.UUIDField(null=True)
    claim_id = fields.UUIDField(null=True)
    platform = fields.CharEnumField(SourcePlatform, max_length=16)
    title = fields.CharField(max_length=200)
    variant_label = fields.CharField(max_length=120)
    unit_price_minor = fields.BigIntField()
    quantity = fields.IntField()
    """Pieces still ordered; 0 once cancelled."""
    handed_over = fields.IntField(default=0)
    packed = fields.IntField(default=0, db_default=0)
    """Pieces in parcels that have not left."""
    shipped = fields.IntField(default=0, db_default=0)
    """Pieces in parcels that have left; without those that came back to be sent again."""
    policy_version_id = fields.UUIDField(null=True)
    beneficiary = fields.CharField(max_length=60, default="")
    """Whom it is for, as the comment named them; empty for the buyer."""
    created_at = fields.DatetimeField()

    class Meta:
        table = "order_line"
        # A claim has one line per variant in an order; what it gets after that order was paid is a line of the next one.
        unique_together = (("order_id", "claim_id", "variant_id"),)
        indexes = [Index(fields=("claim_id", "variant_id")), Index(fields=("variant_id",))]


class PaymentReminder(Model):
    """Words to the buyer that are due at an instant, if the order is unpaid then; the row is gone once all were told."""

    order_id = fields.UUIDField(primary_key=True)
    shop_id = fields.UUIDField()
    half_at = fields.DatetimeField(null=True)
    last_hour_at = fields.DatetimeField(null=True)
    due_at = fields.DatetimeField()
    """The earlier of the two that have yet to be told."""

    class Meta:
        table = "payment_reminder"
        indexes = [Index(fields=("due_at",))]


class OrderEvent(Model):
    """The order's timeline; append only."""

    id = fields.BigIntField(primary_key=True, generated=True)
    shop_id = fields.UUIDField()
    order_id = fields.UUIDField()
    kind = fields.CharField(max_length=32)
    data: fields.Field[dict[str, Any]] = fields.JSONField(default=dict)
    actor = fields.CharField(max_length=80)
    at = fields.DatetimeField()

    class Meta:
        table = "order_event"
        indexes = [Index(fields=("order_id", "id"))]
