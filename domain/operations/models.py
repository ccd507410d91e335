"""Tables: trusted_operation, cost_bucket."""

from __future__ import annotations

from tortoise import fields
from tortoise.models import Model


class TrustedOperation(Model):
    """A document that an app ships with; production answers these alone unless a setting opens it. `hash`: SHA-256 of its text, hexadecimal."""

    hash = fields.CharField(max_length=64, primary_key=True)
    name = fields.CharField(max_length=400)
    """Names of its operations, by commas."""
    document = fields.TextField()
    added_at = fields.DatetimeField()

    class Meta:
        table = "trusted_operation"


class CostBucket(Model):
    """How much somebody has spent lately: the instant at which their bucket is full again. Unlogged: a crash fills all buckets."""

    key = fields.CharField(max_length=80, primary_key=True)
    full_at = fields.DatetimeField()

    class Meta:
        table = "cost_bucket"
