"""Tables: audit_entry (append only), audit_seal (hash chain over ranges of entries)."""

from __future__ import annotations

from typing import Any

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model


class AuditEntry(Model):
    id = fields.BigIntField(primary_key=True, generated=True)
    shop_id = fields.UUIDField()
    at = fields.DatetimeField()
    actor = fields.CharField(max_length=80)
    role = fields.CharField(max_length=16, default="")
    action = fields.CharField(max_length=40)
    object_type = fields.CharField(max_length=24)
    object_id = fields.UUIDField()
    detail: fields.Field[dict[str, Any]] = fields.JSONField(default=dict)
    request_id = fields.CharField(max_length=64, default="")

    class Meta:
        table = "audit_entry"
        indexes = [Index(fields=("shop_id", "id")), Index(fields=("object_id",))]


class AuditSeal(Model):
    """`hash` = SHA-256 over the previous seal's hash and the entries from the previous `up_to_id` (exclusive) to this one's."""

    id = fields.BigIntField(primary_key=True, generated=True)
    shop_id = fields.UUIDField()
    up_to_id = fields.BigIntField()
    entries = fields.IntField()
    hash = fields.CharField(max_length=64)
    sealed_at = fields.DatetimeField()

    class Meta:
        table = "audit_seal"
        unique_together = (("shop_id", "up_to_id"),)
