"""What members say of their pushes: preferences, mutes, quiet hours, the day's budget and its digest; announcements of shops."""

from __future__ import annotations

from uuid import uuid4

from orjson import loads
from tortoise import fields, migrations
from tortoise.fields.data import JSON_DUMPS
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from domain.notices.rules import DeliveryState, NoticeKind

TO_MEMBER = (
    ("notice_settings", "member_id", "member"), ("shop_notice_settings", "member_id", "member"), ("shop_notice_settings", "shop_id", "shop"),
    ("push_digest", "member_id", "member"), ("announcement", "shop_id", "shop"), ("announcement", "post_id", "sales_post"),
)  # fmt: skip
"""(table, column, what it points to by its id)"""
CHECKS = (
    (
        "notice_settings",
        "notice_settings_quiet",
        "(quiet_from is null) = (quiet_until is null) and quiet_from between 0 and 1439 and quiet_until between 0 and 1439",
    ),
    ("notice_settings", "notice_settings_day", "daily_pushes between 0 and 100 and digest_at between 0 and 1439 and spent >= 0"),
    ("shop_notice_settings", "shop_notice_settings_mute", "muted or muted_until is null"),
    ("announcement", "announcement_told", "told >= 0 and title <> ''"),
)
DEFAULTS = "alter table push_delivery alter column admitted set default false"
"""Whoever writes a push knows nothing of what is decided later."""
INDEXES = (
    "create index push_of_digest on push_delivery (digest_id) where digest_id is not null",
    "create index push_digest_due on push_digest (next_try_at) where state = 'PENDING'",
    "create index buyer_of_shop on buyer ((shop_id::text), id)",
)
"""A shop's buyers are walked for an announcement alone, and by the text of its id: an index that begins with `shop_id` would be taken, while the table is
small, by the look-up of a comment's writer, whose plan is kept and would read all of the shop's buyers ever after."""


def statements() -> str:
    """What the models cannot say, in order."""
    parts = [f"alter table {t} add constraint {t}_{c} foreign key ({c}) references {to} (id)" for t, c, to in TO_MEMBER]
    parts += [DEFAULTS]
    parts += [f"alter table {t} add constraint {name} check ({rule})" for t, name, rule in CHECKS]
    return ";\n".join(part.strip().rstrip(";") for part in [*parts, *INDEXES]) + ";"


class Migration(migrations.Migration):
    dependencies = [("plusone", "0011_payments")]

    operations = [
        ops.CreateModel(
            name="Announcement",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("shop_id", fields.UUIDField()),
                ("post_id", fields.UUIDField(null=True)),
                ("title", fields.CharField(max_length=60)),
                ("body", fields.CharField(max_length=500)),
                ("by_member_id", fields.UUIDField()),
                ("told", fields.IntField(default=0)),
                ("done_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "announcement",
                "app": "plusone",
                "indexes": [Index(fields=["shop_id", "created_at"])],
                "pk_attr": "id",
                "table_description": "What a shop told its buyers, or those of one post.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="NoticeSettings",
            fields=[
                ("member_id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("time_zone", fields.CharField(default="", max_length=40)),
                ("quiet_from", fields.SmallIntField(null=True)),
                ("quiet_until", fields.SmallIntField(null=True)),
                ("daily_pushes", fields.SmallIntField(default=20)),
                ("digest_at", fields.SmallIntField(default=1200)),
                ("off", fields.JSONField(default=list, encoder=JSON_DUMPS, decoder=loads)),
                ("day", fields.DateField(null=True)),
                ("spent", fields.IntField(default=0)),
                ("updated_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "notice_settings",
                "app": "plusone",
                "pk_attr": "member_id",
                "table_description": "What a member wishes of their pushes, and how many have gone to them in their day. Times are minutes after midnight.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="PushDigest",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("member_id", fields.UUIDField()),
                ("day", fields.DateField()),
                (
                    "state",
                    fields.CharEnumField(
                        default=DeliveryState.PENDING,
                        description="PENDING: PENDING\nSENT: SENT\nDROPPED: DROPPED\nPARKED: PARKED",
                        enum_type=DeliveryState,
                        max_length=8,
                    ),
                ),
                ("tries", fields.IntField(default=0)),
                ("due_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("next_try_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("sent_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "push_digest",
                "app": "plusone",
                "unique_together": (("member_id", "day"),),
                "pk_attr": "id",
                "table_description": "One push that tells of several notices; one a day for a member at most.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="ShopNoticeSettings",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("member_id", fields.UUIDField()),
                ("shop_id", fields.UUIDField()),
                ("muted", fields.BooleanField(default=False)),
                ("muted_until", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("off", fields.JSONField(default=list, encoder=JSON_DUMPS, decoder=loads)),
                ("updated_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "shop_notice_settings",
                "app": "plusone",
                "unique_together": (("member_id", "shop_id"),),
                "pk_attr": "id",
                "table_description": "What a member wishes of one shop's pushes.",
            },
            bases=["Model"],
        ),
        ops.AlterField(
            model_name="Notice",
            name="kind",
            field=fields.CharEnumField(description="A NoticeKind; more may come.", enum_type=NoticeKind, max_length=20),
        ),
        ops.AddField(
            model_name="PushDelivery",
            name="admitted",
            field=fields.BooleanField(default=False),
        ),
        ops.AddField(
            model_name="PushDelivery",
            name="digest_id",
            field=fields.UUIDField(null=True),
        ),
        ops.RunSQL(statements()),
    ]
