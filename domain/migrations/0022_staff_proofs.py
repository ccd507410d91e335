"""The second proof of staff: passkeys, authenticator apps with their recovery codes, when a session
showed one, and shops that ask all of their staff for it."""

from __future__ import annotations

from uuid import uuid4

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

INTEGRITY = """
alter table passkey add constraint passkey_member_id foreign key (member_id) references member (id);
alter table passkey add constraint passkey_credential_id check (length(credential_id) between 1 and 1023);
alter table passkey add constraint passkey_sign_count check (sign_count >= 0);
alter table authenticator add constraint authenticator_member_id foreign key (member_id) references member (id);
alter table authenticator add constraint authenticator_last_step check (last_step >= 0);
alter table recovery_code add constraint recovery_code_member_id foreign key (member_id) references member (id);
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
        ops.CreateModel(
            name="Authenticator",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("member_id", fields.UUIDField(unique=True)),
                ("secret_encrypted", fields.TextField(unique=False)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("confirmed_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("last_step", fields.BigIntField(default=0)),
            ],
            options={
                "table": "authenticator",
                "app": "plusone",
                "pk_attr": "id",
                "table_description": "A member's authenticator app (TOTP); its secret is encrypted with the settings' key.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="RecoveryCode",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("member_id", fields.UUIDField()),
                ("hash", fields.CharField(max_length=64)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("used_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "recovery_code",
                "app": "plusone",
                "unique_together": (("member_id", "hash"),),
                "pk_attr": "id",
                "table_description": "A code for when the authenticator app is gone; a MAC of it, good once.",
            },
            bases=["Model"],
        ),
        ops.RunSQL(INTEGRITY),
    ]
