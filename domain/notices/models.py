"""Tables: notice, push_delivery."""

from __future__ import annotations

from typing import Any

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from domain.notices.rules import DeliveryState, NoticeKind


class Notice(Model):
    """Something a buyer should know. It is in the member's inbox whatever becomes of the push."""

    id = fields.UUIDField(primary_key=True)
    shop_id = fields.UUIDField()
    buyer_id = fields.UUIDField()
    member_id = fields.UUIDField(null=True)
    kind = fields.CharEnumField(NoticeKind, max_length=20, description="A NoticeKind; more may come.")
    data: fields.Field[dict[str, Any]] = fields.JSONField()
    dedupe_key = fields.CharField(max_length=120)
    read_at = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField()

    class Meta:
        table = "notice"
        unique_together = (("shop_id", "dedupe_key"),)


class PushDelivery(Model):
    """One notice on its way to one device; unique, so that a crash never makes two."""

    id = fields.UUIDField(primary_key=True)
    notice_id = fields.UUIDField()
    device_id = fields.UUIDField()
    state = fields.CharEnumField(DeliveryState, max_length=8, default=DeliveryState.PENDING)
    tries = fields.IntField(default=0)
    next_try_at = fields.DatetimeField()
    use_by = fields.DatetimeField()
    """A push later than this is dropped; the notice stays."""
    provider_id = fields.CharField(max_length=200, default="")
    last_error = fields.CharField(max_length=200, default="")
    sent_at = fields.DatetimeField(null=True)

    class Meta:
        table = "push_delivery"
        unique_together = (("notice_id", "device_id"),)
        indexes = [Index(fields=("device_id",))]
