"""Tables of the job queue, as PgQueuer 1.6.0 prints them; frozen here so that an upgrade of the library is a migration of its own."""

from __future__ import annotations

from pathlib import Path

from tortoise import migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("plusone", "0002_integrity")]
    operations = [ops.RunSQL((Path(__file__).parent / "sql" / "pgqueuer_1_6_0.sql").read_text(encoding="utf-8"))]
