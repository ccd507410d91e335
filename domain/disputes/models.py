"""Tables: dispute, dispute_message. Whose a dispute is, is its order's: it has no member of its own."""

from __future__ import annotations

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from domain.disputes.rules import DisputeReason, DisputeState, Side


class Dispute(Model):
    """A buyer's problem with an order; at most one per order is not closed."""

    id = fields.UUIDField(primary_key=True)
    shop_id = fields.UUIDField()
    order_id = fields.UUIDField()
    buyer_id = fields.UUIDField()
    reason = fields.CharEnumField(DisputeReason, max_length=16)
    state = fields.CharEnumField(DisputeState, max_length=16)
    opened_at = fields.DatetimeField()
    written_at = fields.DatetimeField()
    """The last message, or the closing."""
    closed_at = fields.DatetimeField(null=True)
    closed_by = fields.CharEnumField(Side, max_length=8, null=True)

    class Meta:
        table = "dispute"
        indexes = [Index(fields=("order_id",)), Index(fields=("buyer_id",)), Index(fields=("shop_id", "written_at", "id"))]


class DisputeMessage(Model):
    """What one side wrote. Its text goes when its writer's account does."""

    id = fields.UUIDField(primary_key=True)
    shop_id = fields.UUIDField()
    dispute_id = fields.UUIDField()
    side = fields.CharEnumField(Side, max_length=8)
    by_member_id = fields.UUIDField()
    text = fields.TextField()
    at = fields.DatetimeField()

    class Meta:
        table = "dispute_message"
        indexes = [Index(fields=("dispute_id", "at", "id"))]
