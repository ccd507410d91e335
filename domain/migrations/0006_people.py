"""One person, many names: claim codes, merged accounts, exports, deletions, and what was done with an account (append only)."""

from __future__ import annotations

from uuid import uuid4

from orjson import loads
from tortoise import fields, migrations
from tortoise.fields.data import JSON_DUMPS
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from domain.members.rules import CodeKind

TO_MEMBER = (
    ("claim_code", "member_id"),
    ("member_merge", "keeper_id"),
    ("member_merge", "absorbed_id"),
    ("account_deletion", "member_id"),
    ("data_export", "member_id"),
    ("member_event", "member_id"),
)
CHECKS = (
    ("claim_code", "claim_code_answered", "accepted = false or answered_at is not null"),
    ("member_merge", "member_merge_two", "keeper_id <> absorbed_id"),
    ("account_deletion", "account_deletion_once", "cancelled_at is null or done_at is null"),
)
GUARDS = """
create unique index member_merge_standing on member_merge (absorbed_id) where undone_at is null;
create unique index account_deletion_standing on account_deletion (member_id) where cancelled_at is null;
create index account_deletion_due on account_deletion (due_at) where cancelled_at is null and done_at is null;
create index claim_code_to_answer on claim_code (member_id) where answered_at is null and seen_at is not null;
create trigger append_only before update or delete or truncate on member_event for each statement execute function append_only();
"""


def statements() -> str:
    """What the models cannot say, in order."""
    parts = [f"alter table {t} add constraint {t}_{c} foreign key ({c}) references member (id);" for t, c in TO_MEMBER]
    parts += [f"alter table {t} add constraint {name} check ({rule});" for t, name, rule in CHECKS]
    return "\n".join(parts) + GUARDS


class Migration(migrations.Migration):
    dependencies = [("plusone", "0005_signin")]
    operations = [
        ops.CreateModel(
            name="AccountDeletion",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("member_id", fields.UUIDField()),
                ("requested_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("due_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("cancelled_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("done_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("names", fields.JSONField(default=list, encoder=JSON_DUMPS, decoder=loads)),
            ],
            options={
                "table": "account_deletion",
                "app": "plusone",
                "indexes": [Index(fields=["member_id"]), Index(fields=["done_at"])],
                "pk_attr": "id",
                "table_description": "A member wants to be forgotten; until `due_at` it can be called off, afterwards never again.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="ClaimCode",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("kind", fields.CharEnumField(description="NAME: NAME\nMERGE: MERGE", enum_type=CodeKind, max_length=8)),
                ("member_id", fields.UUIDField()),
                ("hash", fields.CharField(unique=True, max_length=64)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("expires_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("seen_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("provider", fields.CharField(default="", max_length=16)),
                ("external_id", fields.CharField(default="", max_length=120)),
                ("name", fields.CharField(default="", max_length=120)),
                ("shops", fields.JSONField(default=list, encoder=JSON_DUMPS, decoder=loads)),
                ("answered_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("accepted", fields.BooleanField(default=False)),
            ],
            options={
                "table": "claim_code",
                "app": "plusone",
                "indexes": [Index(fields=["member_id", "created_at"]), Index(fields=["created_at"])],
                "pk_attr": "id",
                "table_description": "A code that links a commenter's name (NAME) or a second account (MERGE) to the member who asked for it; single use, kept as a hash.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="DataExport",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("member_id", fields.UUIDField()),
                ("requested_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("expires_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("fetched_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "data_export",
                "app": "plusone",
                "indexes": [Index(fields=["member_id"])],
                "pk_attr": "id",
                "table_description": "A member asked for the file of all their data; it may be fetched until `expires_at`.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="MemberEvent",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("member_id", fields.UUIDField()),
                ("at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("actor", fields.CharField(max_length=80)),
                ("action", fields.CharField(max_length=40)),
                ("detail", fields.JSONField(default=dict, encoder=JSON_DUMPS, decoder=loads)),
                ("request_id", fields.CharField(default="", max_length=64)),
            ],
            options={
                "table": "member_event",
                "app": "plusone",
                "indexes": [Index(fields=["member_id", "id"])],
                "pk_attr": "id",
                "table_description": "What was done with an account, beside the shops' audit; append only, without personal data.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="MemberMerge",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("keeper_id", fields.UUIDField()),
                ("absorbed_id", fields.UUIDField()),
                ("merged_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("undo_until", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("undone_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("moved", fields.JSONField(default=dict, encoder=JSON_DUMPS, decoder=loads)),
            ],
            options={
                "table": "member_merge",
                "app": "plusone",
                "indexes": [Index(fields=["keeper_id"]), Index(fields=["merged_at"])],
                "pk_attr": "id",
                "table_description": "Two accounts of one person became one; what was moved is kept here, so that it can be moved back.",
            },
            bases=["Model"],
        ),
        ops.RunSQL(statements()),
    ]
