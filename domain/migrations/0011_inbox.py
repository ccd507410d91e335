"""Parcels, and what members say of their pushes: preferences, mutes, quiet hours, the day's budget and its digest; announcements of shops."""

from __future__ import annotations

from importlib import import_module
from uuid import uuid4

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from domain.notices.rules import NoticeKind
from domain.shipping.rules import ShipmentState

integrity = import_module("domain.migrations.0002_integrity")

SHOP_OF_SHIPMENT = ("shipment_shop", "shop_id", "shop", False)
REFERENCES = {
    "shipment": (SHOP_OF_SHIPMENT, ("shipment_order_id", "order_id", "order", True), ("shipment_buyer_id", "buyer_id", "buyer", True)),
    "shipment_line": (("shipment_line_order_line_id", "order_line_id", "order_line", True),),
}
"""Looked up once per statement, as in 0002: what they point to has no second unique key that carries the shop."""
WITHIN_SHOP = (("shipment_line", "shipment_id", "shipment"), ("shipment_event", "shipment_id", "shipment"))
CHECKS = (
    ("shipment_line", "shipment_line_quantity", "quantity > 0"),
    ("shipment", "shipment_version", "version >= 1"),
)
ACTIVE = "('SHIPPED', 'ARRIVED_AT_STORE')"
INDEXES = (
    "create index shipment_of_member on shipment (member_id, created_at, id) where member_id is not null",
    f"create index shipment_active_of_member on shipment (member_id, created_at, id) where state in {ACTIVE} and member_id is not null",
    "create index shipment_reminder on shipment (remind_at) where remind_at is not null",
)
APPEND_ONLY = ("shipment_line", "shipment_event")


def statements() -> str:
    """What the models cannot say, in order."""
    parts = [f"alter table {t} add constraint {t}_{c} foreign key (shop_id, {c}) references {to} (shop_id, id)" for t, c, to in WITHIN_SHOP]
    parts += [integrity.references_hold(table, found) for table, found in REFERENCES.items()]
    parts += [f"alter table {t} add constraint {name} check ({rule})" for t, name, rule in CHECKS]
    parts += [
        f"create trigger append_only before update or delete or truncate on {t} for each statement execute function append_only()"
        for t in APPEND_ONLY
    ]
    return ";\n".join(part.strip().rstrip(";") for part in [*parts, *INDEXES]) + ";"


class Migration(migrations.Migration):
    dependencies = [("plusone", "0010_operations")]

    operations = [
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
        ops.AlterField(
            model_name="Notice",
            name="kind",
            field=fields.CharEnumField(description="A NoticeKind; more may come.", enum_type=NoticeKind, max_length=20),
        ),
        ops.RunSQL(statements()),
    ]
