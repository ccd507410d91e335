"""Table: idempotency_key."""

from __future__ import annotations

from typing import Any

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model


class IdempotencyKey(Model):
    """(actor, key) answered once; the stored answer is given again for the same request."""

    id = fields.UUIDField(primary_key=True)
    actor_id = fields.UUIDField()
    key = fields.CharField(max_length=120)
    request_hash = fields.CharField(max_length=64)
    answer: fields.Field[dict[str, Any] | None] = fields.JSONField(null=True)
    created_at = fields.DatetimeField()

    class Meta:
        table = "idempotency_key"
        unique_together = (("actor_id", "key"),)
        indexes = [Index(fields=("created_at",))]
