"""What a regular's comment costs does not rise with what they ordered in earlier years, nor with what others order under the post."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from domain import db as database
from domain.claims import loading
from domain.claims.desk import Desk
from domain.db import Tx
from domain.ids import new_id
from tests.build import NOW
from tests.wall import Wall, a_wall

OLD = """
with places as (select id, n from unnest($4::uuid[]) with ordinality p(id, n)),
comments as (
  insert into social_comment (id, shop_id, channel_id, external_id, post_id, platform, buyer_id, text, written_at, text_at, received_at, is_owner,
    author_name, parent_external_id, permalink, reply_token)
  select gen_random_uuid(), $1, $6, ($2::uuid)::text || n, id, 'FACEBOOK_PAGE', $2, '+1', $5, $5, $5, false, '', '', '', '' from places
  returning id, post_id),
claims as (
  insert into claim (id, shop_id, comment_id, post_id, buyer_id, outcome, reason, intent, result, text_hash, rules_version, review, resolution, decided_at)
  select gen_random_uuid(), $1, id, post_id, $2, 'ORDERED', '', 'ORDER', '{}', '', '', 'NONE', '', $5 from comments returning id, post_id),
numbered as (select *, gen_random_uuid() as order_id, row_number() over () as n from claims),
orders as (
  insert into "order" (id, shop_id, number, buyer_id, state, payment_state, fulfilment_state, delivery_method, currency, subtotal_minor,
    shipping_minor, discount_minor, total_minor, paid_minor, flagged, version, created_at, updated_at)
  select order_id, $1, left(($2::uuid)::text, 20) || n, $2, 'CANCELLED', 'UNPAID', 'UNFULFILLED', 'PICKUP', 'TWD', 0, 0, 0, 0, 0, false, 1, $5, $5 from numbered)
insert into order_line (id, shop_id, order_id, variant_id, post_id, claim_id, platform, title, variant_label, unit_price_minor, quantity, handed_over,
  created_at)
select gen_random_uuid(), $1, order_id, $3, post_id, id, 'FACEBOOK_PAGE', 't', '', 0, 1, 0, $5 from numbered
"""
"""An order each under these posts ($4) by one buyer ($2)."""


async def rows_looked_at(tx: Tx, wall: Wall, buyer_id: UUID) -> int:
    """Rows that the statements of one comment's desk take from lines and orders."""
    seen = 0

    class Explained(Tx):
        async def fetch(self, sql: str, *args: object) -> list[Any]:
            nonlocal seen
            if "order_line" in sql:
                plan = database.from_jsonb(await tx.raw.fetchval(f"explain (analyze, format json) {sql}", *args))
                seen += _rows(plan[0]["Plan"])
            return await tx.raw.fetch(sql, *args)

    explained = Explained(tx.using, tx.raw)
    desk = Desk(await loading.shop_facts(tx, wall.shop.id), NOW, new_id, str)
    desk.readings = await loading.readings_of(tx, [wall.post_id])
    await loading.fill_desk(explained, desk, [buyer_id], [wall.product.variants[0].id])
    assert len(desk.lines[buyer_id]) == 1
    return seen


def _rows(node: Any) -> int:
    own = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"] if "Relation Name" in node else 0
    return round(own) + sum(map(_rows, node.get("Plans", ())))


async def test_past_orders_are_not_looked_at(db: str) -> None:
    wall = await a_wall()
    for who in ("a", "b"):
        await wall.says(who, "+1")
    await wall.drain()
    buyer_id, other_id = [row["id"] for row in await database.fetch("select id from buyer order by external_id")]
    found = []
    for years in range(2):
        if years:
            posts = await database.fetch(
                """insert into sales_post (id, shop_id, title, state, delivery_method, version, created_at)
                   select gen_random_uuid(), $1, 'old', 'CLOSED', 'PICKUP', 1, $2 from generate_series(1, 300) returning id""",
                wall.shop.id,
                NOW,
            )
            for whose, places in ((buyer_id, [post["id"] for post in posts]), (other_id, 300 * [wall.post_id])):
                await database.execute(OLD, wall.shop.id, whose, wall.product.variants[0].id, places, NOW, wall.channel_id)
            await database.execute("analyze")
        async with database.transaction() as tx:
            await tx.by_keys()
            found.append(await rows_looked_at(tx, wall, buyer_id))
    assert found[0] > 0
    assert found[1] <= found[0] + 2
