"""A seeded database for a whole module of tests: 7,000 orders of very unequal shops and members, and who asks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import httpx

from api.auth.tokens import issue_access
from api.graphql_app import graphql_app
from benchmarks import seed as seeding
from benchmarks.seed_world import Plan
from domain import db
from domain.bootstrap import Services
from domain.bootstrap import services as services_for
from domain.clock import FixedClock
from domain.ids import new_id
from domain.members import keys, standing
from domain.settings import load
from domain.shops import queries as shop_queries
from tests.api.graphql.conftest import SECRET_KEY, Client
from tests.conftest import NOW, empty

PLAN = Plan(orders=7_000, members=60, shops=12, until=NOW)
"""The busiest shop has about 2,000 of the orders, the busiest member about 250."""


@dataclass(slots=True)
class Seeded:
    """The seed, and its busiest people."""

    dsn: str
    services: Services
    shop: UUID
    """The busiest shop."""
    owner: UUID
    member: UUID
    """The busiest member, who buys at all shops."""
    http: httpx.AsyncClient

    async def signed_in(self, member_id: UUID) -> Client:
        """A client of this member, whose session was looked at already."""
        session, now = new_id(), self.services.clock.now()
        await db.execute(
            """insert into session (id, member_id, installation_id, created_at, last_used_at, idle_until, ends_at, ended_reason)
               values ($1, $2, 'test', $3, $3, $4, $4, '')""",
            session, member_id, now, now + timedelta(days=30),
        )  # fmt: skip
        token = await issue_access(member_id, session, 1, issuer=self.services.settings.public_url, now=now)
        client = Client(self.http, token.text)
        await client.ask("{ serverTime }")
        return client


ONCE_SUGGESTED = """
update claim c set outcome = 'SUGGESTED', reason = 'MISSING_OPTION', intent = 'AMBIGUOUS',
  decided_at = case when $2 = 'OPEN' then $4::timestamptz - l.n * interval '1 minute' else c.decided_at end,
  result = jsonb_build_object('reason', 'MISSING_OPTION', 'lines', '[]'::jsonb, 'candidates', jsonb_build_array(l.variant_id), 'trail', '[]'::jsonb)
from (select distinct on (c.id) c.id, l.variant_id, row_number() over (order by c.decided_at desc) as n from claim c
      join order_line l on l.claim_id = c.id join sales_post p on p.id = c.post_id join buyer b on b.id = c.buyer_id
      where b.member_id = $1 and p.state = $2) l
where c.id = l.id and l.n <= $3"""
"""The seed has few suggestions. These are the busiest member's: most of posts that closed long ago, some of open ones."""


MORE_GOODS = """
with fresh as (
  insert into product (id, shop_id, title, options, created_at)
  select gen_random_uuid(), $1, 'old ' || n, '[]', '2025-01-01' from generate_series(1, $2::int) n returning id),
kinds as (
  insert into variant (id, shop_id, product_id, label, option_values, code, price_minor, position)
  select gen_random_uuid(), $1, id, '', '{}', '', 100, 0 from fresh returning id)
insert into stock_level (variant_id, shop_id, on_hand, held, committed, waiting, sell_beyond, backorder_limit, version)
select id, $1, 0, 0, 0, 0, 'DENY', 0, 1 from kinds"""
"""Goods of years, long sold out, at the busiest shop."""


@asynccontextmanager
async def seeded(dsn: str, *, plan: Plan = PLAN, now: datetime = NOW) -> AsyncIterator[Seeded]:
    """Fill the session's database, and leave its tables empty and their files small."""
    await empty(dsn)
    for forget in (keys.forget, standing.forget, shop_queries.forget):
        forget()
    await seeding.seed(dsn, plan)
    services = services_for(
        load(secret_key=SECRET_KEY, environment="production", public_url="https://plusone.test", _env_file=None), clock=FixedClock(now)
    )
    await keys.ensure_keys(services.vault, now)
    row = await db.fetchrow(
        """select o.shop_id, m.member_id as owner, (select member_id from "order" where member_id is not null group by 1 order by count(*) desc, 1 limit 1)
           from "order" o join membership m on m.shop_id = o.shop_id and m.role = 'OWNER' group by 1, 2 order by count(*) desc limit 1"""
    )
    assert row is not None
    for state, count in (("CLOSED", 250), ("OPEN", 12)):
        await db.execute(ONCE_SUGGESTED, row[2], state, count, now)
    await db.execute(MORE_GOODS, row[0], 800)
    await db.execute(
        "update product p set created_at = created_at + n * interval '1 minute' from (select id, row_number() over (order by id) n from product) k where k.id = p.id"
    )
    connection = await db.dedicated()  # without a limit: it waits wherever the server cleans just then
    await connection.execute("analyze claim, product, variant, stock_level")
    await connection.close()
    transport = httpx.ASGITransport(app=graphql_app(services))
    async with httpx.AsyncClient(transport=transport, base_url="https://plusone.test") as http:
        try:
            yield Seeded(dsn, services, row[0], row[1], row[2], http)
        finally:
            await clear(dsn)


async def clear(dsn: str) -> None:
    """Truncate all but what migrations filled."""
    connection = await asyncpg.connect(dsn)
    try:
        tables = await connection.fetch("select tablename from pg_tables where schemaname = 'public'")
        names = ", ".join(f'"{row["tablename"]}"' for row in tables if row["tablename"] not in ("tortoise_migrations", "legal_move"))
        await connection.execute(f"set session_replication_role = replica; truncate {names} cascade")
    finally:
        await connection.close()
