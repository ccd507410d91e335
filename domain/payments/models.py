"""Table: payment: money that was recorded for an order."""

from __future__ import annotations

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from domain.payments.rules import PaymentMethod


class Payment(Model):
    id = fields.UUIDField(primary_key=True)
    shop_id = fields.UUIDField()
    order_id = fields.UUIDField()
    method = fields.CharEnumField(PaymentMethod, max_length=16)
    reference = fields.CharField(max_length=120)
    amount_minor = fields.BigIntField()
    currency = fields.CharField(max_length=3)
    recorded_by = fields.UUIDField()
    recorded_at = fields.DatetimeField()

    class Meta:
        table = "payment"
        unique_together = (("shop_id", "id"),)
        indexes = [Index(fields=("order_id",))]
