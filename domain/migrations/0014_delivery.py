"""What a buyer says and chooses about an order: transfers reported with their pictures, delivery, gifts; and what a shop offers for it."""

from __future__ import annotations

from uuid import uuid4

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from domain.delivery.rules import DeliveryKind, StoreChain
from domain.payments.transfer_rules import SLIP_BYTES, ReportState

OF_ORDERS = ("transfer_report", "transfer_slip", "order_delivery", "order_gift")
"""Each row is of an order of its own shop. Orders stay for ever, so that looking once, when the row is written, is enough."""

SAME_SHOP = """
create function of_own_shop() returns trigger language plpgsql as $$
begin
  if (select o.shop_id from "order" o where o.id = new.order_id) is distinct from new.shop_id then
    raise exception 'insert or update on table "%" violates foreign key constraint "%_order_id"', tg_table_name, tg_table_name
      using errcode = '23503', constraint = tg_table_name || '_order_id', table = tg_table_name;
  end if;
  return new;
end $$
"""

KEYS = (
    ("transfer_report", "slip_id", "(slip_id) references transfer_slip (id) on delete set null"),
    ("pickup_slot", "offer_id", "(shop_id, offer_id) references delivery_offer (shop_id, id)"),
    ("order_delivery", "offer_id", "(shop_id, offer_id) references delivery_offer (shop_id, id)"),
    ("order_delivery", "slot_id", "(shop_id, slot_id) references pickup_slot (shop_id, id)"),
    ("delivery_offer", "shop", "(shop_id) references shop (id)"),
)
CHECKS = (
    ("transfer_report", "transfer_report_digits", "last_five ~ '^([0-9]{5})?$'"),
    ("transfer_report", "transfer_report_amount", "amount_minor > 0"),
    ("transfer_report", "transfer_report_answered", "(state = 'OPEN') = (answered_at is null)"),
    (
        "transfer_slip",
        "transfer_slip_jpeg",
        f"octet_length(content) <= {SLIP_BYTES} and substring(content from 1 for 3) = decode('ffd8ff', 'hex')",
    ),
    ("delivery_offer", "delivery_offer_fee", "fee_minor >= 0"),
    ("delivery_offer", "delivery_offer_chain", "(kind = 'CONVENIENCE_STORE') = (chain is not null)"),
    ("pickup_slot", "pickup_slot_taken", "taken between 0 and capacity"),
    ("pickup_slot", "pickup_slot_time", "ends_at > starts_at"),
)
INDEXES = (
    "create unique index transfer_report_open on transfer_report (order_id) where state = 'OPEN'",
    "create index transfer_report_due on transfer_report (answer_by, id) where state = 'OPEN'",
    "create index transfer_report_slip on transfer_report (slip_id) where slip_id is not null",
    "create index transfer_slip_age on transfer_slip (created_at)",
    "create index delivery_offer_of_shop on delivery_offer (shop_id, created_at, id) where withdrawn_at is null",
    "drop index order_expiry",
    "create index order_expiry on \"order\" (pay_by) where state = 'OPEN' and payment_state in ('UNPAID', 'FAILED') and pay_by is not null",
)
SETTINGS = (
    "alter table transfer_slip alter column content set storage external",
    "alter table transfer_report alter column reason set default ''",
    "alter table delivery_offer alter column place set default '', alter column fee_minor set default 0",
    "alter table pickup_slot alter column taken set default 0, alter column version set default 1",
    """alter table order_delivery alter column store_code set default '', alter column store_name set default '',
       alter column recipient_name set default '', alter column recipient_phone set default '',
       alter column postal_code set default '', alter column address set default ''""",
    "alter table shop alter column offers_delivery set default false",
    "alter table order_gift alter column sender set default '', alter column message set default ''",
)
"""Pictures do not get smaller by another compression."""


def statements() -> str:
    """What the models cannot say, in order."""
    parts = [SAME_SHOP.strip()]
    parts += [
        f"create trigger of_own_shop before insert or update of order_id, shop_id on {t} for each row execute function of_own_shop()"
        for t in OF_ORDERS
    ]
    parts += [f"alter table {t} add constraint {t}_{name} foreign key {rule}" for t, name, rule in KEYS]
    parts += [f"alter table {t} add constraint {name} check ({rule})" for t, name, rule in CHECKS]
    return ";\n".join([*parts, *INDEXES, *SETTINGS]) + ";"


class Migration(migrations.Migration):
    dependencies = [("plusone", "0013_acting")]
    operations = [
        ops.CreateModel(
            name="DeliveryOffer",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("shop_id", fields.UUIDField()),
                (
                    "kind",
                    fields.CharEnumField(
                        description="FACE_TO_FACE: FACE_TO_FACE\nCONVENIENCE_STORE: CONVENIENCE_STORE\nHOME: HOME",
                        enum_type=DeliveryKind,
                        max_length=20,
                    ),
                ),
                ("name", fields.CharField(max_length=80)),
                ("place", fields.CharField(default="", max_length=200)),
                (
                    "chain",
                    fields.CharEnumField(
                        null=True,
                        description="SEVEN_ELEVEN: SEVEN_ELEVEN\nFAMILY_MART: FAMILY_MART\nHI_LIFE: HI_LIFE\nOK_MART: OK_MART",
                        enum_type=StoreChain,
                        max_length=16,
                    ),
                ),
                ("fee_minor", fields.BigIntField(default=0)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("withdrawn_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "delivery_offer",
                "app": "plusone",
                "unique_together": (("shop_id", "id"),),
                "pk_attr": "id",
                "table_description": "A way of delivery that a shop offers, at one price. A price never changes: the offer is withdrawn and another one made.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="OrderDelivery",
            fields=[
                ("order_id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("shop_id", fields.UUIDField()),
                ("offer_id", fields.UUIDField()),
                ("slot_id", fields.UUIDField(null=True)),
                ("store_code", fields.CharField(default="", max_length=12)),
                ("store_name", fields.CharField(default="", max_length=80)),
                ("recipient_name", fields.CharField(default="", max_length=60)),
                ("recipient_phone", fields.CharField(default="", max_length=20)),
                ("postal_code", fields.CharField(default="", max_length=12)),
                ("address", fields.CharField(default="", max_length=200)),
                ("chosen_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "order_delivery",
                "app": "plusone",
                "indexes": [Index(fields=["slot_id"])],
                "pk_attr": "order_id",
                "table_description": "What the buyer of an order chose, and for whom. Texts are empty where the kind needs none, and once the member was deleted.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="OrderGift",
            fields=[
                ("order_id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("shop_id", fields.UUIDField()),
                ("token_hash", fields.CharField(null=True, unique=True, max_length=64)),
                ("sender", fields.CharField(default="", max_length=40)),
                ("message", fields.CharField(default="", max_length=200)),
                ("expires_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "order_gift",
                "app": "plusone",
                "pk_attr": "order_id",
                "table_description": "The order is a gift. Whoever has the newest link sees what is in it and when it comes, and no price.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="PickupSlot",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("shop_id", fields.UUIDField()),
                ("offer_id", fields.UUIDField()),
                ("starts_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("ends_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("capacity", fields.IntField()),
                ("taken", fields.IntField(default=0)),
                ("closed_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("version", fields.IntField(default=1)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "pickup_slot",
                "app": "plusone",
                "unique_together": (("shop_id", "id"),),
                "indexes": [Index(fields=["offer_id", "starts_at"])],
                "pk_attr": "id",
                "table_description": "A time at which so many orders are handed over at the place of an offer. `taken` counts orders that chose it and were not cancelled.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="TransferReport",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("shop_id", fields.UUIDField()),
                ("order_id", fields.UUIDField()),
                (
                    "state",
                    fields.CharEnumField(
                        description="OPEN: OPEN\nCONFIRMED: CONFIRMED\nREFUSED: REFUSED\nLAPSED: LAPSED\nREPLACED: REPLACED\nOVER: OVER",
                        enum_type=ReportState,
                        max_length=12,
                    ),
                ),
                ("last_five", fields.CharField(max_length=5)),
                ("paid_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("amount_minor", fields.BigIntField()),
                ("currency", fields.CharField(max_length=3)),
                ("slip_id", fields.UUIDField(null=True)),
                ("reason", fields.CharField(default="", max_length=200)),
                ("reported_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("answer_by", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("answered_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("answered_by", fields.UUIDField(null=True)),
            ],
            options={
                "table": "transfer_report",
                "app": "plusone",
                "indexes": [Index(fields=["order_id", "reported_at"])],
                "pk_attr": "id",
                "table_description": "A buyer says that money was sent. At most one of an order stands open, and only while its payment is REPORTED.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="TransferSlip",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("shop_id", fields.UUIDField()),
                ("order_id", fields.UUIDField()),
                ("content", fields.BinaryField()),
                ("width", fields.IntField()),
                ("height", fields.IntField()),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "transfer_slip",
                "app": "plusone",
                "indexes": [Index(fields=["order_id"])],
                "pk_attr": "id",
                "table_description": "A picture of a transfer, drawn anew by us; its key is the upload's, so that the same upload never makes two.",
            },
            bases=["Model"],
        ),
        ops.AddField(model_name="Shop", name="offers_delivery", field=fields.BooleanField(default=False)),
        ops.RunSQL(statements()),
    ]
