"""Ways from a commenter to a member: links in private replies, ids of a page's messages, LINE's linking of accounts."""

from __future__ import annotations

from uuid import uuid4

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from domain.members.rules import LinkState

INTEGRITY = """
alter table account_link add constraint account_link_endpoint_id foreign key (endpoint_id) references webhook_endpoint (id);
alter table account_link add constraint account_link_member_id foreign key (member_id) references member (id);
alter table account_link add constraint account_link_opened check ((member_id is null) = (nonce_hash is null) and (member_id is null) = (opened_at is null));
alter table account_link add constraint account_link_state check (
  case state when 'ASKED' then sent_at is null and done_at is null
             when 'SENT' then sent_at is not null and member_id is null and done_at is null
             when 'OPENED' then sent_at is not null and member_id is not null and done_at is null
             when 'LINKED' then member_id is not null and done_at is not null
             else done_at is not null end);
create index account_link_to_send on account_link (next_try_at) where state = 'ASKED';
create unique index buyer_of_inbox on buyer (inbox_id, provider, shop_id) where inbox_id is not null;
"""
"""A page's messages know a commenter by one id, and an id belongs to one commenter of a shop."""


class Migration(migrations.Migration):
    dependencies = [("plusone", "0016_shipping")]

    operations = [
        ops.AddField(model_name="Buyer", name="inbox_id", field=fields.CharField(null=True, max_length=120)),
        ops.AddField(model_name="Channel", name="contact", field=fields.CharField(default="", db_default="", max_length=64)),
        ops.AddField(model_name="Channel", name="private_links", field=fields.BooleanField(default=False, db_default=False)),
        ops.AddField(
            model_name="WebhookEndpoint", name="access_token_encrypted", field=fields.TextField(default="", db_default="", unique=False)
        ),
        ops.CreateModel(
            name="AccountLink",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("endpoint_id", fields.UUIDField()),
                ("provider", fields.CharField(max_length=16)),
                ("external_id", fields.CharField(max_length=120)),
                ("state", fields.CharEnumField(enum_type=LinkState, max_length=8)),
                ("reply_token", fields.CharField(default="", max_length=120)),
                ("link_token_encrypted", fields.TextField(default="", unique=False)),
                ("nonce_hash", fields.CharField(null=True, unique=True, max_length=64)),
                ("member_id", fields.UUIDField(null=True)),
                ("tries", fields.IntField(default=0)),
                ("asked_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("next_try_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("sent_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("opened_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("done_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "account_link",
                "app": "plusone",
                "indexes": [
                    Index(fields=["endpoint_id", "external_id", "asked_at"]),
                    Index(fields=["member_id"]),
                    Index(fields=["asked_at"]),
                ],
                "pk_attr": "id",
                "table_description": (
                    "A person of a platform on the way to a member, by the platform's own linking of accounts (LINE); "
                    "tokens are sealed, the nonce is a hash."
                ),
            },
            bases=["Model"],
        ),
        ops.RunSQL(INTEGRITY),
    ]
