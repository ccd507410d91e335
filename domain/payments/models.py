"""Tables: payment (money that was recorded for an order), transfer_report, transfer_slip."""

from __future__ import annotations

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from domain.payments.rules import PaymentMethod
from domain.payments.transfer_rules import ReportState


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


class TransferReport(Model):
    """A buyer says that money was sent. At most one of an order stands open, and only while its payment is REPORTED."""

    id = fields.UUIDField(primary_key=True)
    shop_id = fields.UUIDField()
    order_id = fields.UUIDField()
    state = fields.CharEnumField(ReportState, max_length=12)
    last_five = fields.CharField(max_length=5)
    """Of the account that paid, as text: leading zeros count. Empty once the member was deleted."""
    paid_at = fields.DatetimeField()
    amount_minor = fields.BigIntField()
    currency = fields.CharField(max_length=3)
    slip_id = fields.UUIDField(null=True)
    reason = fields.CharField(max_length=200, default="")
    """The shop's words to the buyer when it refused."""
    reported_at = fields.DatetimeField()
    answer_by = fields.DatetimeField()
    answered_at = fields.DatetimeField(null=True)
    answered_by = fields.UUIDField(null=True)

    class Meta:
        table = "transfer_report"
        indexes = [Index(fields=("order_id", "reported_at"))]


class TransferSlip(Model):
    """A picture of a transfer, drawn anew by us; its key is the upload's, so that the same upload never makes two."""

    id = fields.UUIDField(primary_key=True)
    shop_id = fields.UUIDField()
    order_id = fields.UUIDField()
    content = fields.BinaryField()
    """JPEG."""
    width = fields.IntField()
    height = fields.IntField()
    created_at = fields.DatetimeField()

    class Meta:
        table = "transfer_slip"
        indexes = [Index(fields=("order_id",))]
