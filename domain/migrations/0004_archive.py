"""Where old movements of stock go: a ledger row may leave its table when its copy lies in the archive and its sum is carried forward.

The archive is partitioned by month, in a schema of its own. `stock_ledger` is the whole ledger, live and archived, without the sums.
"""

from __future__ import annotations

from tortoise import migrations
from tortoise.migrations import operations as ops

ARCHIVE = """
create schema if not exists archive;
create table stock_movement_archive (like stock_movement, primary key (at, id)) partition by range (at);
create index movement_archive_of_variant on stock_movement_archive (variant_id, id);
create index movement_archive_of_line on stock_movement_archive (order_line_id) where order_line_id is not null;

create view stock_ledger as
  select * from stock_movement where kind <> 'BALANCE' union all select * from stock_movement_archive where kind <> 'BALANCE'
"""
"""BALANCE rows are what was carried forward: with them the live table alone adds up to the levels, without them live and archive do."""

GUARDS = """
create function archive_takes_copies() returns trigger language plpgsql as $$
begin
  if exists (select from fresh f where not exists (select from stock_movement m where m.id = f.id and row(m.*) is not distinct from row(f.*))) then
    raise exception 'the archive takes copies of movements alone' using errcode = '23514', constraint = 'archive_takes_copies';
  end if;
  return null;
end $$;
"""

MONTH = """
create function movement_archive_month(month date) returns void language plpgsql as $$
declare
  part text := 'stock_movement_' || to_char(month, 'YYYY_MM');
begin
  perform pg_advisory_xact_lock(hashtextextended('movement_archive_month', 0));
  if to_regclass('archive.' || part) is not null then
    return;
  end if;
  execute format('create table archive.%I (like stock_movement_archive including defaults including constraints)', part);
  execute format('create trigger archive_only before update or delete or truncate on archive.%I for each statement execute function append_only()', part);
  execute format('alter table stock_movement_archive attach partition archive.%I for values from (%L) to (%L)',
                 part, month::timestamp at time zone 'UTC', (month + interval '1 month') at time zone 'UTC');
end $$
"""
"""Made apart and attached: readers of the archive are not kept waiting. A month is one of UTC."""

FIGURES = "coalesce(sum(on_hand_delta), 0) as on_hand, coalesce(sum(held_delta), 0) as held, coalesce(sum(committed_delta), 0) as committed"

LEAVING = f"""
create function leaves_by_archive() returns trigger language plpgsql as $$
begin
  if exists (select from gone g where not exists (select from stock_movement_archive a where a.at = g.at and a.id = g.id and a.variant_id = g.variant_id))
  then
    raise exception 'stock_movement is append only: a row leaves when its copy is in the archive' using errcode = '23514', constraint = 'append_only';
  end if;
  if exists (
    select from (select variant_id, {FIGURES} from gone group by variant_id) g
    left join lateral (
      select count(*) as rows, {FIGURES}, bool_and(age(m.xmin) <= age(pg_current_xact_id()::xid)) as fresh
      from stock_movement m where m.variant_id = g.variant_id and m.kind = 'BALANCE') b on true
    where b.rows <> 1 or not b.fresh or (b.on_hand, b.held, b.committed) is distinct from (g.on_hand, g.held, g.committed))
  then
    raise exception 'stock_movement is append only: what leaves is carried forward' using errcode = '23514', constraint = 'append_only';
  end if;
  return null;
end $$;
drop trigger append_only on stock_movement;
create trigger append_only before update or truncate on stock_movement for each statement execute function append_only();
create trigger leaves_by_archive after delete on stock_movement referencing old table as gone for each statement execute function leaves_by_archive();
create trigger takes_copies after insert on stock_movement_archive referencing new table as fresh for each statement execute function archive_takes_copies();
create trigger archive_only before update or delete or truncate on stock_movement_archive for each statement execute function append_only();
create index movement_carried on stock_movement (variant_id) where kind = 'BALANCE'
"""
"""A variant has one BALANCE at most, and it is the sum of all that ever left: the one before leaves with the rows that the next one sums up."""


def statements() -> str:
    """All statements of this migration, in order."""
    return ";\n".join(part.strip().rstrip(";") for part in (ARCHIVE, GUARDS, MONTH, LEAVING)) + ";"


class Migration(migrations.Migration):
    dependencies = [("plusone", "0003_jobs")]
    operations = [ops.RunSQL(statements())]
