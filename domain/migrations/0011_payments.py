"""Paying online: a shop's contract with a provider, attempts to pay, and what the provider told of each."""

from __future__ import annotations

from uuid import uuid4

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from domain.payments.rules import AttemptState, OnlinePaymentMethod, SurplusReason

INTEGRITY = """
alter table payment_account add constraint payment_account_shop foreign key (shop_id) references shop (id);
create unique index payment_account_standing on payment_account (shop_id, provider) where ended_at is null;
alter table payment_attempt add constraint payment_attempt_shop foreign key (shop_id) references shop (id);
alter table payment_attempt add constraint payment_attempt_order_id foreign key (order_id) references "order" (id);
alter table payment_attempt add constraint payment_attempt_account_id foreign key (account_id) references payment_account (id);
alter table payment_attempt add constraint payment_attempt_amount check (amount_minor > 0 and received_minor >= 0);
alter table payment_attempt add constraint payment_attempt_surplus
  check (surplus_minor between 0 and received_minor and (surplus_minor > 0) = (surplus_reason is not null));
alter table payment_attempt add constraint payment_attempt_paid check ((state = 'PAID') = (received_minor > 0));
alter table payment_attempt add constraint payment_attempt_returned
  check ((returned_at is null) = (returned_by is null) and (returned_at is null or surplus_minor > 0));
alter table payment_event add constraint payment_event_attempt_id foreign key (attempt_id) references payment_attempt (id);
create index payment_attempt_to_ask on payment_attempt (ask_at) where ask_at is not null;
create index payment_attempt_pending on payment_attempt (order_id, hold_until) where state = 'PENDING';
create index payment_attempt_surplus on payment_attempt (shop_id, settled_at, id) where surplus_minor > 0 and returned_at is null;
create trigger append_only before update or delete or truncate on payment_event for each statement execute function append_only();
create function payment_attempt_moves() returns trigger language plpgsql as $$
begin
  if old.state = 'PAID' or new.state = 'PENDING' or (old.state, new.state) = ('FAILED', 'EXPIRED') then
    raise exception 'payment attempt % does not go from % to %', old.id, old.state, new.state using errcode = '23514', constraint = 'payment_attempt_moves';
  end if;
  return new;
end $$;
create trigger payment_attempt_moves before update of state on payment_attempt for each row
  when (old.state <> new.state) execute function payment_attempt_moves();
"""
"""The moves are those of `domain.payments.rules.NEXT_ATTEMPT`."""


class Migration(migrations.Migration):
    dependencies = [("plusone", "0010_operations")]
    operations = [
        ops.CreateModel(
            name="PaymentAccount",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("shop_id", fields.UUIDField()),
                ("provider", fields.CharField(max_length=16)),
                ("slug", fields.CharField(unique=True, max_length=43)),
                ("merchant_id", fields.CharField(max_length=20)),
                ("hash_key_encrypted", fields.TextField(unique=False)),
                ("hash_iv_encrypted", fields.TextField(unique=False)),
                ("live", fields.BooleanField()),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("ended_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "payment_account",
                "app": "plusone",
                "indexes": [Index(fields=["shop_id"])],
                "pk_attr": "id",
                "table_description": "A shop's contract with a payment provider; its keys are encrypted with the settings' key.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="PaymentAttempt",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("shop_id", fields.UUIDField()),
                ("order_id", fields.UUIDField()),
                ("account_id", fields.UUIDField()),
                ("member_id", fields.UUIDField()),
                ("trade_no", fields.CharField(unique=True, max_length=20)),
                (
                    "method",
                    fields.CharEnumField(
                        description="CARD: CARD\nATM: ATM\nSTORE_CODE: STORE_CODE", enum_type=OnlinePaymentMethod, max_length=16
                    ),
                ),
                ("amount_minor", fields.BigIntField()),
                ("currency", fields.CharField(max_length=3)),
                (
                    "state",
                    fields.CharEnumField(
                        description="PENDING: PENDING\nPAID: PAID\nFAILED: FAILED\nEXPIRED: EXPIRED", enum_type=AttemptState, max_length=8
                    ),
                ),
                ("provider_no", fields.CharField(default="", max_length=40)),
                ("code", fields.CharField(default="", max_length=20)),
                ("bank", fields.CharField(default="", max_length=20)),
                ("number", fields.CharField(default="", max_length=40)),
                ("number_until", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("received_minor", fields.BigIntField(default=0)),
                ("surplus_minor", fields.BigIntField(default=0)),
                (
                    "surplus_reason",
                    fields.CharEnumField(
                        null=True,
                        description="ORDER_CLOSED: ORDER_CLOSED\nALREADY_PAID: ALREADY_PAID\nMORE_THAN_DUE: MORE_THAN_DUE\nOTHER_AMOUNT: OTHER_AMOUNT",
                        enum_type=SurplusReason,
                        max_length=16,
                    ),
                ),
                ("returned_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("returned_by", fields.UUIDField(null=True)),
                ("return_note", fields.CharField(default="", max_length=200)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("page_until", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("hold_until", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("ask_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("asked", fields.IntField(default=0)),
                ("settled_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "payment_attempt",
                "app": "plusone",
                "indexes": [Index(fields=["order_id"]), Index(fields=["shop_id", "created_at", "id"])],
                "pk_attr": "id",
                "table_description": "One try to pay an order online. Money that came and was not the order's is its surplus, which a person of the shop returns.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="PaymentEvent",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("shop_id", fields.UUIDField()),
                ("attempt_id", fields.UUIDField()),
                ("word", fields.CharField(max_length=12)),
                ("code", fields.CharField(max_length=20)),
                ("provider_no", fields.CharField(max_length=40)),
                ("amount_minor", fields.BigIntField(null=True)),
                ("source", fields.CharField(max_length=8)),
                ("at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "payment_event",
                "app": "plusone",
                "unique_together": (("attempt_id", "word", "code", "provider_no"),),
                "pk_attr": "id",
                "table_description": "What a provider told about an attempt, each thing once; append only. No personal data of the payer is kept.",
            },
            bases=["Model"],
        ),
        ops.RunSQL(INTEGRITY),
    ]
