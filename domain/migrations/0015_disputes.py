"""Disputes: a buyer's problem with an order, and what both sides wrote."""

from __future__ import annotations

from uuid import uuid4

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from domain.disputes.rules import LONGEST_TEXT, DisputeReason, DisputeState, Side

INTEGRITY = f"""
alter table dispute add constraint dispute_shop foreign key (shop_id) references shop (id);
alter table dispute add constraint dispute_order_id foreign key (order_id) references "order" (id);
alter table dispute add constraint dispute_buyer_id foreign key (buyer_id) references buyer (id);
alter table dispute add constraint dispute_closed check ((state = 'CLOSED') = (closed_at is not null) and (closed_at is null) = (closed_by is null));
create unique index dispute_standing on dispute (order_id) where state <> 'CLOSED';
create index dispute_of_shop on dispute (shop_id, state, written_at, id);
alter table dispute_message add constraint dispute_message_dispute_id foreign key (dispute_id) references dispute (id);
alter table dispute_message add constraint dispute_message_text check (length(text) <= {LONGEST_TEXT});
"""


class Migration(migrations.Migration):
    dependencies = [("plusone", "0014_delivery")]
    operations = [
        ops.CreateModel(
            name="Dispute",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("shop_id", fields.UUIDField()),
                ("order_id", fields.UUIDField()),
                ("buyer_id", fields.UUIDField()),
                (
                    "reason",
                    fields.CharEnumField(description="\n".join(f"{r}: {r}" for r in DisputeReason), enum_type=DisputeReason, max_length=16),
                ),
                (
                    "state",
                    fields.CharEnumField(description="\n".join(f"{s}: {s}" for s in DisputeState), enum_type=DisputeState, max_length=16),
                ),
                ("opened_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("written_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("closed_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("closed_by", fields.CharEnumField(null=True, description="BUYER: BUYER\nSHOP: SHOP", enum_type=Side, max_length=8)),
            ],
            options={
                "table": "dispute",
                "app": "plusone",
                "indexes": [Index(fields=["order_id"]), Index(fields=["buyer_id"]), Index(fields=["shop_id", "written_at", "id"])],
                "pk_attr": "id",
                "table_description": "A buyer's problem with an order; at most one per order is not closed.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="DisputeMessage",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("shop_id", fields.UUIDField()),
                ("dispute_id", fields.UUIDField()),
                ("side", fields.CharEnumField(description="BUYER: BUYER\nSHOP: SHOP", enum_type=Side, max_length=8)),
                ("by_member_id", fields.UUIDField()),
                ("text", fields.TextField(unique=False)),
                ("at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "dispute_message",
                "app": "plusone",
                "indexes": [Index(fields=["dispute_id", "at", "id"])],
                "pk_attr": "id",
                "table_description": "What one side wrote. Its text goes when its writer's account does.",
            },
            bases=["Model"],
        ),
        ops.RunSQL(INTEGRITY),
    ]
