"""Table: inbox_event: every event that was answered 2xx, until long after it was decided."""

from __future__ import annotations

from typing import Any

from tortoise import fields
from tortoise.models import Model

from domain.inbox.rules import EventState


class InboxEvent(Model):
    """Unique by (endpoint_id, external_key). What of it is undecided stands in inbox_undecided as well, kept by triggers."""

    id = fields.BigIntField(primary_key=True, generated=True)
    endpoint_id = fields.UUIDField()
    source = fields.CharField(max_length=16)
    external_key = fields.CharField(max_length=200)
    lane = fields.BigIntField()
    occurred_at = fields.DatetimeField()
    """Platform time, or the time of receipt where the platform gives none."""
    payload: fields.Field[dict[str, Any]] = fields.JSONField()
    state = fields.CharEnumField(EventState, max_length=8, default=EventState.PENDING)
    outcome = fields.CharField(max_length=40, default="")
    tries = fields.IntField(default=0)
    received_at = fields.DatetimeField()
    decided_at = fields.DatetimeField(null=True)
    parked_reason = fields.CharField(max_length=300, default="")
    size = fields.IntField(default=1)
    """How many events this row stands for: more than one is a bundle, none a bundle whose events have rows of their own by now."""
    parts = fields.TextField(null=True)
    """A bundle's events (`bundles`), in place of a payload: read whole or not at all, so it is text."""

    class Meta:
        table = "inbox_event"
        unique_together = (("endpoint_id", "external_key"),)


class LaneTries(Model):
    """Batches of a lane that failed in a row, counted in a transaction of its own so that a killed worker counts too."""

    lane = fields.BigIntField(primary_key=True)
    tries = fields.IntField()

    class Meta:
        table = "lane_tries"
