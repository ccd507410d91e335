"""Parcels, and what members say of their pushes: preferences, mutes, quiet hours, the day's budget and its digest; announcements of shops."""

from __future__ import annotations

from importlib import import_module
from uuid import uuid4

from orjson import loads
from tortoise import fields, migrations
from tortoise.fields.data import JSON_DUMPS
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from domain.notices.rules import DeliveryState, NoticeKind
from domain.shipping.rules import ShipmentState

integrity = import_module("domain.migrations.0002_integrity")

SHOP_OF_SHIPMENT = ("shipment_shop", "shop_id", "shop", False)
REFERENCES = {
    "shipment": (SHOP_OF_SHIPMENT, ("shipment_order_id", "order_id", "order", True), ("shipment_buyer_id", "buyer_id", "buyer", True)),
    "shipment_line": (("shipment_line_order_line_id", "order_line_id", "order_line", True),),
}
"""Looked up once per statement, as in 0002: what they point to has no second unique key that carries the shop."""
WITHIN_SHOP = (("shipment_line", "shipment_id", "shipment"), ("shipment_event", "shipment_id", "shipment"))
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
    ("shipment_line", "shipment_line_quantity", "quantity > 0"),
    ("shipment", "shipment_version", "version >= 1"),
)
ACTIVE = "('SHIPPED', 'ARRIVED_AT_STORE')"
DEFAULTS = "alter table push_delivery alter column admitted set default false"
"""Whoever writes a push knows nothing of what is decided later."""
INDEXES = (
    "create index push_of_digest on push_delivery (digest_id) where digest_id is not null",
    "create index push_digest_due on push_digest (next_try_at) where state = 'PENDING'",
    "create index buyer_of_shop on buyer (shop_id, id)",
    "create index shipment_of_member on shipment (member_id, created_at, id) where member_id is not null",
    f"create index shipment_active_of_member on shipment (member_id, created_at, id) where state in {ACTIVE} and member_id is not null",
    "create index shipment_reminder on shipment (remind_at) where remind_at is not null",
)
APPEND_ONLY = ("shipment_line", "shipment_event")


def statements() -> str:
    """What the models cannot say, in order."""
    parts = [f"alter table {t} add constraint {t}_{c} foreign key (shop_id, {c}) references {to} (shop_id, id)" for t, c, to in WITHIN_SHOP]
    parts += [f"alter table {t} add constraint {t}_{c} foreign key ({c}) references {to} (id)" for t, c, to in TO_MEMBER]
    parts += [DEFAULTS]
    parts += [integrity.references_hold(table, found) for table, found in REFERENCES.items()]
    parts += [f"alter table {t} add constraint {name} check ({rule})" for t, name, rule in CHECKS]
    parts += [
        f"create trigger append_only before update or delete or truncate on {t} for each statement execute function append_only()"
        for t in APPEND_ONLY
    ]
    return ";\n".join(part.strip().rstrip(";") for part in [*parts, *INDEXES]) + ";"


class Migration(migrations.Migration):
    dependencies = [("plusone", "0015_payments")]

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
            name="Shipment",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("shop_id", fields.UUIDField()),
                ("order_id", fields.UUIDField()),
                ("buyer_id", fields.UUIDField()),
                ("member_id", fields.UUIDField(null=True)),
                (
                    "state",
                    fields.CharEnumField(
                        description="SHIPPED: SHIPPED\nARRIVED_AT_STORE: ARRIVED_AT_STORE\nDELIVERED: DELIVERED\nRETURNED: RETURNED",
                        enum_type=ShipmentState,
                        max_length=16,
                    ),
                ),
                ("carrier", fields.CharField(max_length=60)),
                ("tracking_number", fields.CharField(default="", max_length=60)),
                ("store_code", fields.CharField(default="", max_length=20)),
                ("store_name", fields.CharField(default="", max_length=120)),
                ("store_address", fields.CharField(default="", max_length=200)),
                ("pick_up_by", fields.DateField(null=True)),
                ("remind_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("version", fields.IntField(default=1)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("updated_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "shipment",
                "app": "plusone",
                "unique_together": (("shop_id", "id"),),
                "indexes": [Index(fields=["order_id", "id"]), Index(fields=["buyer_id"])],
                "pk_attr": "id",
                "table_description": "A parcel with goods of one order.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="ShipmentEvent",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("shop_id", fields.UUIDField()),
                ("shipment_id", fields.UUIDField()),
                (
                    "state",
                    fields.CharEnumField(
                        description="SHIPPED: SHIPPED\nARRIVED_AT_STORE: ARRIVED_AT_STORE\nDELIVERED: DELIVERED\nRETURNED: RETURNED",
                        enum_type=ShipmentState,
                        max_length=16,
                    ),
                ),
                ("place", fields.CharField(default="", max_length=120)),
                ("note", fields.CharField(default="", max_length=200)),
                ("at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "shipment_event",
                "app": "plusone",
                "indexes": [Index(fields=["shipment_id", "id"])],
                "pk_attr": "id",
                "table_description": "What is known of a parcel's way; append only.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="ShipmentLine",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("shop_id", fields.UUIDField()),
                ("shipment_id", fields.UUIDField()),
                ("order_line_id", fields.UUIDField()),
                ("quantity", fields.IntField()),
            ],
            options={
                "table": "shipment_line",
                "app": "plusone",
                "unique_together": (("shipment_id", "order_line_id"),),
                "indexes": [Index(fields=["order_line_id"])],
                "pk_attr": "id",
                "table_description": "Pieces of an order's line that left in a parcel; append only.",
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
