"""What members say of their pushes: preferences, mutes, quiet hours, the day's budget and its digest; announcements of shops."""

from __future__ import annotations

from tortoise import fields, migrations
from tortoise.migrations import operations as ops

from domain.notices.rules import NoticeKind


class Migration(migrations.Migration):
    dependencies = [("plusone", "0010_operations")]

    operations = [
        ops.AlterField(
            model_name="Notice",
            name="kind",
            field=fields.CharEnumField(description="A NoticeKind; more may come.", enum_type=NoticeKind, max_length=20),
        ),
    ]
