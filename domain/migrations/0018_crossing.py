"""Attempts to pay know whether their page was opened: one that was not is unknown to the provider, and may be ended by us."""

from __future__ import annotations

from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("plusone", "0017_links")]
    operations = [
        ops.AddField(
            model_name="PaymentAttempt", name="opened_at", field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)
        ),
        # Nobody wrote down whether the pages of older ones were opened.
        ops.RunSQL("update payment_attempt set opened_at = created_at"),
    ]
