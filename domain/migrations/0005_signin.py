"""What a member must be told about their sign-in, and what a provider wants back when an account is deleted."""

from __future__ import annotations

from uuid import uuid4

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from domain.members.rules import AlertKind

GUARDS = """
alter table sign_in_alert add constraint sign_in_alert_member_id foreign key (member_id) references member (id);
alter table sign_in_alert add constraint sign_in_alert_tries check (tries >= 0);
alter table provider_grant add constraint provider_grant_member_id foreign key (member_id) references member (id);
create index sign_in_alert_waiting on sign_in_alert (next_try_at) where sent_at is null;
create index provider_grant_due on provider_grant (give_back_at) where give_back_at is not null;
create index member_deleted on member (deleted_at) where deleted_at is not null;
"""


class Migration(migrations.Migration):
    dependencies = [("plusone", "0004_archive")]
    operations = [
        ops.CreateModel(
            name="SignInAlert",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("member_id", fields.UUIDField()),
                ("session_id", fields.UUIDField()),
                ("kind", fields.CharEnumField(description="REUSED: REUSED\nNEW_DEVICE: NEW_DEVICE", enum_type=AlertKind, max_length=16)),
                ("installation_id", fields.CharField(max_length=120)),
                ("at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("use_by", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("next_try_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("tries", fields.IntField(default=0)),
                ("sent_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "sign_in_alert",
                "app": "plusone",
                "indexes": [Index(fields=["member_id", "at"]), Index(fields=["at"])],
                "pk_attr": "id",
                "table_description": "Something that a member is told about their sign-in. `session_id` is no reference: an alert outlives its session.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="ProviderGrant",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("member_id", fields.UUIDField()),
                ("provider", fields.CharField(max_length=16)),
                ("subject", fields.CharField(max_length=120)),
                ("client_id", fields.CharField(max_length=120)),
                ("token_encrypted", fields.TextField(unique=False)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("give_back_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "provider_grant",
                "app": "plusone",
                "unique_together": (("provider", "subject", "client_id"),),
                "indexes": [Index(fields=["member_id"])],
                "pk_attr": "id",
                "table_description": "What a provider wants back when an account is deleted; encrypted with the settings' key.",
            },
            bases=["Model"],
        ),
        ops.RunSQL(GUARDS),
    ]
