"""Tables: pickup, pickup_order, hand_over, hand_over_line."""

from __future__ import annotations

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from domain.pickup.rules import PickupState


class Pickup(Model):
    """What one buyer collects at one shop with one code: all paid, ready orders of theirs."""

    id = fields.UUIDField(primary_key=True)
    shop_id = fields.UUIDField()
    buyer_id = fields.UUIDField()
    member_id = fields.UUIDField(null=True)
    slot_id = fields.UUIDField(null=True)
    """The slot that its orders chose, or null for those that chose none. It stays as it is: an order that goes to another slot goes to another pass."""
    code_id = fields.BigIntField(unique=True)
    """The 8 random bytes inside the code, as a signed number."""
    state = fields.CharEnumField(PickupState, max_length=12)
    issue_number = fields.IntField(default=0)
    """`seq` of the code: rises with every renewal, 0 before the first."""
    short_code = fields.CharField(max_length=8, default="")
    not_after = fields.DatetimeField(null=True)
    lent_issue = fields.IntField(null=True)
    """The issue that was lent to somebody last; it is good for one hand-over."""
    lent_to = fields.CharField(max_length=40, null=True)
    """Whom the owner says it was lent to; the owner alone reads it."""
    lent_at = fields.DatetimeField(null=True)
    lent_used_at = fields.DatetimeField(null=True)
    version = fields.IntField(default=1)
    created_at = fields.DatetimeField()

    class Meta:
        table = "pickup"
        unique_together = (("shop_id", "id"),)


class PickupOrder(Model):
    order_id = fields.UUIDField(primary_key=True)
    shop_id = fields.UUIDField()
    pickup_id = fields.UUIDField()

    class Meta:
        table = "pickup_order"
        indexes = [Index(fields=("pickup_id",))]


class HandOver(Model):
    """Goods that left over the counter. The scan's id is the key: the same scan confirmed again is the same hand-over."""

    id = fields.UUIDField(primary_key=True)
    shop_id = fields.UUIDField()
    pickup_id = fields.UUIDField()
    issue_number = fields.IntField()
    by_member_id = fields.UUIDField()
    device = fields.CharField(max_length=120, default="")
    collected_minor = fields.BigIntField(default=0)
    conflict = fields.BooleanField(default=False)
    at = fields.DatetimeField()

    class Meta:
        table = "hand_over"
        unique_together = (("shop_id", "id"),)
        indexes = [Index(fields=("pickup_id",))]


class HandOverLine(Model):
    id = fields.BigIntField(primary_key=True, generated=True)
    shop_id = fields.UUIDField()
    hand_over_id = fields.UUIDField()
    order_line_id = fields.UUIDField()
    quantity = fields.IntField()

    class Meta:
        table = "hand_over_line"
        unique_together = (("hand_over_id", "order_line_id"),)
        indexes = [Index(fields=("order_line_id",))]
