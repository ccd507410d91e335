"""Who watches is told: triggers write down what changed for members, and ring for what is on screens. And lent pickup passes.

A payload of NOTIFY is a letter and ids (`domain.live.rules.Bell`), never anything of what changed: whoever hears it reads the tables.
"""

from __future__ import annotations

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from domain.live.rules import CHANNEL, ChangeKind

RING = f"""
create function live_ring(bell text, ids uuid[]) returns void language plpgsql as $$
begin
  for part in 0 .. coalesce(cardinality(ids) - 1, -200) / 200 loop
    perform pg_notify('{CHANNEL}', bell || array_to_string(ids[part * 200 + 1 : part * 200 + 200], ','));
  end loop;
end $$;
"""
"""200 ids are 7,400 bytes; a payload has at most 8,000."""

ORDERS = """
create function live_orders_new() returns trigger language plpgsql as $$
declare members uuid[];
begin
  with told as (
    insert into live_change (member_id, kind, object_id, at)
    select f.member_id, 'ORDER', f.id, f.updated_at from fresh f where f.member_id is not null order by f.id returning member_id)
  select array_agg(distinct member_id) into members from told;
  perform live_ring('o', members);
  return null;
end $$;

create function live_orders_changed() returns trigger language plpgsql as $$
declare members uuid[];
begin
  with told as (
    insert into live_change (member_id, kind, object_id, at)
    select f.member_id, 'ORDER', f.id, f.updated_at from fresh f where f.member_id is not null
    union all
    select g.member_id, 'ORDER', g.id, (select max(updated_at) from fresh)
    from (select id, member_id from gone except select id, member_id from fresh) g where g.member_id is not null
    returning member_id)
  select array_agg(distinct member_id) into members from told;
  perform live_ring('o', members);
  return null;
end $$;

create trigger live after insert on "order" referencing new table as fresh for each statement execute function live_orders_new();
create trigger live_changed after update on "order" referencing old table as gone new table as fresh
  for each statement execute function live_orders_changed();
"""
"""An order that leaves a member (another person's from now on) is a change of both. Found by EXCEPT: a join of the two images compares each row with each
other in a transaction of `Tx.by_keys`, or by a plan that was kept from a statement of one row."""

NOTICES = """
create function live_notices_new() returns trigger language plpgsql as $$
declare members uuid[];
begin
  with told as (
    insert into live_change (member_id, kind, object_id, at)
    select f.member_id, 'NOTICE', f.id, f.created_at from fresh f where f.member_id is not null order by f.id returning member_id)
  select array_agg(distinct member_id) into members from told;
  perform live_ring('n', members);
  return null;
end $$;

create function live_notices_moved() returns trigger language plpgsql as $$
declare members uuid[];
begin
  with told as (
    insert into live_change (member_id, kind, object_id, at)
    select f.member_id, 'NOTICE', f.id, f.created_at from fresh f join gone g on g.id = f.id
    where f.member_id is not null and f.member_id is distinct from g.member_id returning member_id)
  select array_agg(distinct member_id) into members from told;
  perform live_ring('n', members);
  return null;
end $$;

create trigger live after insert on notice referencing new table as fresh for each statement execute function live_notices_new();
create trigger live_moved after update on notice referencing old table as gone new table as fresh
  for each statement execute function live_notices_moved();
"""

STOCK = """
create function live_levels() returns trigger language plpgsql as $$
declare variants uuid[];
begin
  select array_agg(f.variant_id) into variants from fresh f join gone g on g.variant_id = f.variant_id
  where f.on_hand + f.backorder_limit - f.held - f.committed <> g.on_hand + g.backorder_limit - g.held - g.committed;
  perform live_ring('v', variants);
  return null;
end $$;
create trigger live after update on stock_level referencing old table as gone new table as fresh
  for each statement execute function live_levels();
"""
"""Only what buyers see: paying moves pieces from held to committed, and nothing on a screen."""

ACCESS = """
create function live_sessions() returns trigger language plpgsql as $$
declare members uuid[];
begin
  select array_agg(distinct f.member_id) into members from fresh f join gone g on g.id = f.id where f.ended_at is distinct from g.ended_at;
  perform live_ring('a', members);
  return null;
end $$;
create function live_members() returns trigger language plpgsql as $$
declare members uuid[];
begin
  select array_agg(f.id) into members from fresh f join gone g on g.id = f.id
  where f.ver <> g.ver or f.deleted_at is distinct from g.deleted_at;
  perform live_ring('a', members);
  return null;
end $$;
create trigger live after update on session referencing old table as gone new table as fresh for each statement execute function live_sessions();
create trigger live after update on member referencing old table as gone new table as fresh for each statement execute function live_members();
"""

RINGS = """
create function live_rings() returns trigger language plpgsql as $$
declare ids uuid[];
begin
  execute format('select array_agg(distinct %I) from fresh', tg_argv[1]) into ids;
  perform live_ring(tg_argv[0], ids);
  return null;
end $$;
"""
"""For tables that change seldom: the bell and the column whose ids it is rung with."""

RUNG = (
    ("sales_post", "update", "p", "id"),
    ("post_item", "insert", "p", "post_id"),
    ("post_item", "update", "p", "post_id"),
    ("post_item", "delete", "p", "post_id"),
    ("variant", "insert", "g", "product_id"),
    ("variant", "update", "g", "product_id"),
    ("pickup", "update", "k", "id"),
    ("membership", "insert", "a", "member_id"),
    ("membership", "update", "a", "member_id"),
    ("membership", "delete", "a", "member_id"),
)
"""Table, what happens to it, the bell, the column."""


def rung(table: str, act: str, bell: str, column: str) -> str:
    """The trigger of one row of RUNG."""
    image = "old" if act == "delete" else "new"
    return f"""create trigger live_{act} after {act} on {table} referencing {image} table as fresh
      for each statement execute function live_rings('{bell}', '{column}')"""


def statements() -> str:
    """All statements of this migration, in order."""
    parts = [
        "alter table live_change alter column xid set default (pg_current_xact_id()::text::bigint)",
        "alter table live_change set (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.2)",
        "alter table pickup add constraint pickup_lent check (lent_issue is null or lent_issue between 1 and issue_number)",
        RING, ORDERS, NOTICES, STOCK, ACCESS, RINGS, *(rung(*row) for row in RUNG),
    ]  # fmt: skip
    return ";\n".join(part.strip().rstrip(";") for part in parts) + ";"


class Migration(migrations.Migration):
    dependencies = [("plusone", "0006_people")]
    operations = [
        ops.CreateModel(
            name="LiveChange",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("xid", fields.BigIntField()),
                ("member_id", fields.UUIDField()),
                ("kind", fields.CharEnumField(enum_type=ChangeKind, description="ORDER: ORDER\nNOTICE: NOTICE", max_length=8)),
                ("object_id", fields.UUIDField()),
                ("at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "live_change",
                "app": "plusone",
                "indexes": [Index(fields=["member_id", "xid"])],
                "pk_attr": "id",
                "table_description": "That something of a member's changed, written by the tables' own triggers in the transaction of the"
                " change; what it is now is read anew.",
            },
            bases=["Model"],
        ),
        ops.AddField(model_name="Pickup", name="lent_issue", field=fields.IntField(null=True)),
        ops.AddField(model_name="Pickup", name="lent_to", field=fields.CharField(null=True, max_length=40)),
        ops.AddField(model_name="Pickup", name="lent_at", field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
        ops.AddField(model_name="Pickup", name="lent_used_at", field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
        ops.RunSQL(statements()),
    ]
