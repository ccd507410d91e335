-- What waits to be decided, in the order of its lanes, until the transaction that decides it takes it away.
-- Kept by triggers, so that whoever stores an event or gives it back cannot forget it. No index of `inbox_event` depends on its state, and its pages
-- are half empty when they are written (live_tables.sql): so its one change, from undecided to decided, stays on its page and touches no index.
create table inbox_undecided (
  lane bigint not null, occurred_at timestamptz not null, event_id bigint not null, received_at timestamptz not null, external_key varchar(200) not null,
  size int not null, primary key (lane, occurred_at, event_id));
-- Without what a bundle's key has after that of its first event: `inbox.bundles.MARK_CHARS`.
create function inbox_first_key(external_key varchar, size int) returns varchar language sql immutable
  return case when size > 1 then left(external_key, -16) else external_key end;
create function inbox_arrived() returns trigger language plpgsql as $$
begin
  insert into inbox_undecided (lane, occurred_at, event_id, received_at, external_key, size)
  select f.lane, f.occurred_at, f.id, f.received_at, inbox_first_key(f.external_key, f.size), f.size from fresh f where f.state = 'PENDING';
  return null;
end $$;
create function inbox_again() returns trigger language plpgsql as $$
begin
  insert into inbox_undecided (lane, occurred_at, event_id, received_at, external_key, size)
  values (new.lane, new.occurred_at, new.id, new.received_at, inbox_first_key(new.external_key, new.size), new.size) on conflict do nothing;
  return null;
end $$;
create function inbox_gone() returns trigger language plpgsql as $$
begin
  delete from inbox_undecided u where u.lane = old.lane and u.occurred_at = old.occurred_at and u.event_id = old.id;
  return null;
end $$;
create trigger undecided after insert on inbox_event referencing new table as fresh for each statement execute function inbox_arrived();
create trigger undecided_again after update of state on inbox_event for each row when (new.state = 'PENDING') execute function inbox_again();
create trigger undecided_no_more after delete on inbox_event for each row when (old.state = 'PENDING') execute function inbox_gone();
