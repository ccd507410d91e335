"""The least that an order costs in SQL: one statement per batch that takes stock and writes orders, lines and an outbox, and nothing else.

No reading of comments, no buyers, no references, no history: the ceiling that set-based writing has on this machine, for comparison.
"""

from __future__ import annotations

import random
import time
from typing import Final

from domain import db

BATCH: Final = 100
VARIANTS: Final = 32

TABLES: Final = """
create table bare_variant (id int primary key, available int not null check (available >= 0), price bigint not null);
create table bare_order (id bigint primary key, buyer_id int not null, total bigint not null, state text not null, created_at timestamptz not null);
create table bare_line (id bigserial primary key, order_id bigint not null, variant_id int not null, quantity int not null, price bigint not null);
create table bare_outbox (id bigserial primary key, kind text not null, payload jsonb not null);
create sequence bare_number;
create index bare_order_of_buyer on bare_order (buyer_id, created_at);
create index bare_line_of_order on bare_line (order_id);
"""
STATEMENT: Final = """
with c as materialized (
    select ordinality as place, buyer, variant, pieces from unnest($1::int[], $2::int[], $3::int[]) with ordinality u(buyer, variant, pieces)),
  l as materialized (select id, available, price from bare_variant where id in (select variant from c) order by id for no key update),
  a as materialized (
    select c.*, l.price, sum(c.pieces) over (partition by c.variant order by c.place) <= l.available as fits from c join l on l.id = c.variant),
  o as materialized (select a.*, nextval('bare_number') as id from a where a.fits),
  u as (update bare_variant v set available = v.available - s.n from (select variant, sum(pieces)::int as n from o group by 1) s where v.id = s.variant),
  io as (insert into bare_order (id, buyer_id, total, state, created_at) select id, buyer, price * pieces, 'OPEN', now() from o),
  il as (insert into bare_line (order_id, variant_id, quantity, price) select id, variant, pieces, price from o),
  ob as (insert into bare_outbox (kind, payload) select 'order.placed', jsonb_build_object('order', id) from o)
select count(*) from o
"""


async def bare_orders_per_second(*, seconds: float) -> float:
    """Orders per second on one connection, over tables of its own that are dropped again."""
    choose = random.Random(1)
    await db.execute(TABLES)
    try:
        await db.execute("insert into bare_variant select g, 2000000000, 590 from generate_series(1, $1::int) g", VARIANTS)
        done, started = 0, time.perf_counter()
        while time.perf_counter() - started < seconds:
            buyers = [choose.randrange(20_000) for _ in range(BATCH)]
            wanted = [1 if choose.random() < 0.6 else choose.randrange(1, VARIANTS + 1) for _ in range(BATCH)]
            done += await db.fetchval(STATEMENT, buyers, wanted, [1] * BATCH)
        return done / (time.perf_counter() - started)
    finally:
        await db.execute("drop table bare_variant, bare_order, bare_line, bare_outbox; drop sequence bare_number")
