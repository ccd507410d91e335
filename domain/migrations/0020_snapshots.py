"""Lists of a post's comments as collectors saw them, and the comments that stood in none of the latest."""

from __future__ import annotations

from uuid import uuid4

from orjson import loads
from tortoise import fields, migrations
from tortoise.fields.data import JSON_DUMPS
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from domain.shops.rules import SourcePlatform

INTEGRITY = """
alter table comment_snapshot add constraint comment_snapshot_shop foreign key (shop_id) references shop (id);
alter table comment_snapshot add constraint comment_snapshot_channel_id foreign key (channel_id) references channel (id);
alter table comment_snapshot add constraint comment_snapshot_taken check ((taken_at is null) = (snapshot_id = ''));
alter table comment_snapshot add constraint comment_snapshot_post check (external_post_id <> '');
alter table comment_missed add constraint comment_missed_shop foreign key (shop_id) references shop (id);
alter table comment_missed add constraint comment_missed_comment_id foreign key (comment_id) references social_comment (id);
alter table comment_missed add constraint comment_missed_place_id foreign key (place_id) references comment_snapshot (id);
"""
"""Both are written for posts of which lists are sent, and for nothing else: a comment as such costs nothing here."""


class Migration(migrations.Migration):
    dependencies = [("plusone", "0019_staff")]
    operations = [
        ops.CreateModel(
            name="CommentSnapshot",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("shop_id", fields.UUIDField()),
                ("channel_id", fields.UUIDField()),
                (
                    "platform",
                    fields.CharEnumField(
                        description="\n".join(f"{p.name}: {p.value}" for p in SourcePlatform), enum_type=SourcePlatform, max_length=16
                    ),
                ),
                ("external_post_id", fields.CharField(max_length=200)),
                ("snapshot_id", fields.CharField(default="", max_length=200)),
                ("taken_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("gathered", fields.JSONField(null=True, encoder=JSON_DUMPS, decoder=loads)),
            ],
            options={
                "table": "comment_snapshot",
                "app": "plusone",
                "unique_together": (("channel_id", "platform", "external_post_id"),),
                "pk_attr": "id",
                "table_description": "The newest complete list of comments that a collector sent of a post; posts of which none was sent have no row.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="CommentMissed",
            fields=[
                ("comment_id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("shop_id", fields.UUIDField()),
                ("place_id", fields.UUIDField()),
                ("missed_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("told", fields.BooleanField(default=False)),
            ],
            options={
                "table": "comment_missed",
                "app": "plusone",
                "indexes": [Index(fields=["place_id"])],
                "pk_attr": "comment_id",
                "table_description": "A comment that stood in no complete list since one was taken at `missed_at`; gone once it is seen again, or counts as removed.",
            },
            bases=["Model"],
        ),
        ops.RunSQL(INTEGRITY),
    ]
