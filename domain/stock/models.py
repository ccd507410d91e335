"""Tables: stock_level, stock_movement (append only; a trigger refuses changes)."""

from __future__ import annotations

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from domain.stock.rules import MovementKind, SellBeyond


class StockLevel(Model):
    """Figures in pieces. The CHECK `held + committed <= on_hand + backorder_limit` is the last guard against overselling."""

    variant_id = fields.UUIDField(primary_key=True)
    shop_id = fields.UUIDField()
    on_hand = fields.IntField()
    held = fields.IntField(default=0)
    committed = fields.IntField(default=0)
    waiting = fields.IntField(default=0)
    """Pieces that buyers wait for: the sum over the variant's open places in the waiting list, kept so that nobody has to add them up."""
    sell_beyond = fields.CharEnumField(SellBeyond, max_length=8, default=SellBeyond.DENY)
    backorder_limit = fields.IntField(default=0)
    version = fields.IntField(default=1)

    class Meta:
        table = "stock_level"
        unique_together = (("shop_id", "variant_id"),)


class StockMovement(Model):
    id = fields.BigIntField(primary_key=True, generated=True)
    shop_id = fields.UUIDField()
    variant_id = fields.UUIDField()
    kind = fields.CharEnumField(MovementKind, max_length=12)
    on_hand_delta = fields.IntField(default=0)
    held_delta = fields.IntField(default=0)
    committed_delta = fields.IntField(default=0)
    order_line_id = fields.UUIDField(null=True)
    actor = fields.CharField(max_length=80)
    """`member:<uuid>`, `comment:<uuid>`, `worker:<name>`."""
    reason = fields.CharField(max_length=40, default="")
    at = fields.DatetimeField()

    class Meta:
        table = "stock_movement"
        indexes = [Index(fields=("variant_id", "id")), Index(fields=("order_line_id",))]
