"""What a member must be told about their sign-in: that somebody used a copied token, that a new device is in."""

from __future__ import annotations

from tortoise import migrations
from tortoise.migrations import operations as ops

ALERTS = """
create table sign_in_alert (
  id uuid primary key,
  member_id uuid not null references member (id),
  session_id uuid not null,
  kind varchar(16) not null check (kind in ('REUSED', 'NEW_DEVICE')),
  installation_id varchar(120) not null,
  at timestamptz not null,
  use_by timestamptz not null,
  next_try_at timestamptz not null,
  tries int not null default 0 check (tries >= 0),
  sent_at timestamptz
);
create index sign_in_alert_of_member on sign_in_alert (member_id, at desc);
create index sign_in_alert_waiting on sign_in_alert (next_try_at) where sent_at is null;
create index sign_in_alert_at on sign_in_alert (at)
"""
"""`session_id` is no reference: an alert outlives the session that it speaks of."""


class Migration(migrations.Migration):
    dependencies = [("plusone", "0004_archive")]
    operations = [ops.RunSQL(ALERTS)]
