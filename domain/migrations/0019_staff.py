"""Staff: when the person of a session last proved again who they are."""

from __future__ import annotations

from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("plusone", "0018_crossing")]
    operations = [
        ops.AddField(model_name="Session", name="confirmed_at", field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
    ]
