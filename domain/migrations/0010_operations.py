"""The apps' documents, and the buckets of points that requests spend.

Buckets are unlogged: they are written once a second per process for everybody who asked something, and losing them only fills them.
"""

from __future__ import annotations

from tortoise import fields, migrations
from tortoise.migrations import operations as ops

INTEGRITY = """
alter table trusted_operation add constraint trusted_operation_hash check (hash ~ '^[0-9a-f]{64}$' and hash = encode(sha256(convert_to(document, 'UTF8')), 'hex'));
alter table cost_bucket set unlogged;
alter table cost_bucket set (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.1, autovacuum_vacuum_threshold = 1000);
"""
"""A document cannot be registered under another's hash, nor changed under its own. `full_at` has no index, so that moving it on stays in its page."""


class Migration(migrations.Migration):
    dependencies = [("plusone", "0009_live")]
    operations = [
        ops.CreateModel(
            name="TrustedOperation",
            fields=[
                ("hash", fields.CharField(primary_key=True, unique=True, db_index=True, max_length=64)),
                ("name", fields.CharField(max_length=400)),
                ("document", fields.TextField(unique=False)),
                ("added_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "trusted_operation",
                "app": "plusone",
                "pk_attr": "hash",
                "table_description": "A document that an app ships with; production answers these alone unless a setting opens it. `hash`: SHA-256 of its text, hexadecimal.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="CostBucket",
            fields=[
                ("key", fields.CharField(primary_key=True, unique=True, db_index=True, max_length=80)),
                ("full_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "cost_bucket",
                "app": "plusone",
                "pk_attr": "key",
                "table_description": "How much somebody has spent lately: the instant at which their bucket is full again. Unlogged: a crash fills all buckets.",
            },
            bases=["Model"],
        ),
        ops.RunSQL(INTEGRITY),
    ]
