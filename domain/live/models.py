"""Table: live_change."""

from __future__ import annotations

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from domain.live.rules import ChangeKind


class LiveChange(Model):
    """That something of a member's changed, written by the tables' own triggers in the transaction of the change; what it is now is read anew."""

    id = fields.BigIntField(primary_key=True, generated=True)
    xid = fields.BigIntField()
    """The transaction that wrote it (pg_current_xact_id): who has read as of a snapshot can tell which changes that one did not see."""
    member_id = fields.UUIDField()
    kind = fields.CharEnumField(ChangeKind, max_length=8)
    object_id = fields.UUIDField()
    at = fields.DatetimeField()

    class Meta:
        table = "live_change"
        indexes = [Index(fields=("member_id", "xid"))]
