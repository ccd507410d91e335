"""The second proof of staff: passkeys, when a session showed one, and shops that ask all of their staff for it."""

from __future__ import annotations

from uuid import uuid4

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

INTEGRITY = """
alter table passkey add constraint passkey_member_id foreign key (member_id) references member (id);
alter table passkey add constraint passkey_credential_id check (length(credential_id) between 1 and 1023);
alter table passkey add constraint passkey_sign_count check (sign_count >= 0);
create unique index passkey_credential on passkey (credential_id);
"""


class Migration(migrations.Migration):
    dependencies = [("plusone", "0021_pass_slots")]
    operations = [
        ops.AddField(
            model_name="Session", name="second_proof_at", field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)
        ),
        ops.AddField(model_name="Shop", name="staff_second_proof", field=fields.BooleanField(default=False, db_default=False)),
        ops.CreateModel(
            name="Passkey",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("member_id", fields.UUIDField()),
                ("name", fields.CharField(max_length=60)),
                ("credential_id", fields.BinaryField()),
                ("public_key", fields.BinaryField()),
                ("sign_count", fields.BigIntField(default=0)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("last_used_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "passkey",
                "app": "plusone",
                "indexes": [Index(fields=["member_id"])],
                "pk_attr": "id",
                "table_description": (
                    "A passkey of a member (WebAuthn): the public half of a key that stays on the person's device, or in its maker's cloud."
                ),
            },
            bases=["Model"],
        ),
        ops.RunSQL(INTEGRITY),
    ]
