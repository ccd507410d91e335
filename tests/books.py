"""What tests ask the tables: did anything change, do the books agree, which jobs wait; and orders in all their states at once."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import orjson

from domain import db
from domain.ids import new_id
from domain.orders.rules import FulfilmentState, OrderState, PaymentState
from domain.posts.rules import DeliveryMethod
from tests.build import NOW, AShop, AVariant


async def queued(name: str) -> list[dict[str, object]]:
    """Payloads of the jobs of this name that wait, in the order they were enqueued."""
    rows = await db.fetch("select payload from pgqueuer where entrypoint = $1 order by id", name)
    return [orjson.loads(row["payload"]) for row in rows]


TABLES = ("order", "order_line", "order_event", "stock_level", "stock_movement", "payment", "pickup", "pickup_order", "hand_over",
    "hand_over_line", "shipment", "shipment_line", "shipment_event", "notice", "push_delivery", "audit_entry", "pgqueuer", "transfer_report", "transfer_slip",
    "order_delivery", "pickup_slot", "delivery_offer", "order_gift")  # fmt: skip


async def everything(*, but: Sequence[str] = ()) -> dict[str, list[str]]:
    """All rows of the seller's tables as text: equal before and after when nothing changed."""
    return {
        name: sorted(row["row"] for row in await db.fetch(f'select t::text as row from "{name}" t')) for name in TABLES if name not in but
    }


async def figures(variant: AVariant) -> tuple[int, int, int]:
    """(on hand, held, committed) of a variant."""
    row = await db.fetchrow("select on_hand, held, committed from stock_level where variant_id = $1", variant.id)
    assert row is not None
    return row["on_hand"], row["held"], row["committed"]


BOOKS = """
select l.variant_id::text as broken from stock_level l join lateral (
    select sum(on_hand_delta) as o, sum(held_delta) as h, sum(committed_delta) as c from stock_movement m where m.variant_id = l.variant_id) m on true
  where (l.on_hand, l.held, l.committed) is distinct from (m.o, m.h, m.c)
union all
select variant_id::text from stock_level l where held <> (
  select coalesce(sum(x.quantity), 0) from order_line x join "order" o on o.id = x.order_id
  where x.variant_id = l.variant_id and o.state = 'OPEN' and o.payment_state not in ('PAID','NONE_DUE','COLLECT_ON_DELIVERY'))
union all
select variant_id::text from stock_level l where committed <> (
  select coalesce(sum(x.quantity - x.handed_over), 0) from order_line x join "order" o on o.id = x.order_id
  where x.variant_id = l.variant_id and o.state = 'OPEN' and o.payment_state = 'PAID')
union all
select id::text from order_line l where handed_over <> (select coalesce(sum(quantity), 0) from hand_over_line h where h.order_line_id = l.id)
  + (select coalesce(sum(quantity), 0) from shipment_line h where h.order_line_id = l.id)
"""


async def books_agree() -> None:
    """Ledger, levels, orders and hand-overs say the same."""
    assert await db.fetch(BOOKS) == []


async def many_orders(
    shop: AShop, variant: AVariant | None, states: list[tuple[OrderState, PaymentState, FulfilmentState, DeliveryMethod, bool]]
) -> list[UUID]:
    """Orders in these states, each of a buyer of its own; with a variant each has a line of one piece and the level holds what it should."""
    ids, buyers = [new_id() for _ in states], [new_id() for _ in states]
    await db.execute(
        """insert into buyer (id, shop_id, provider, external_id, name, created_at)
           select id, $1, 'facebook', id::text, '', $2 from unnest($3::uuid[]) b(id)""",
        shop.id, NOW, buyers,
    )  # fmt: skip
    price = variant.price_minor if variant else 0
    await db.execute(
        """insert into "order" (id, shop_id, number, buyer_id, state, payment_state, fulfilment_state, delivery_method, currency, subtotal_minor,
             shipping_minor, discount_minor, total_minor, paid_minor, pay_by, flagged, version, created_at, updated_at)
           select o.id, $1, 'n' || o.n, o.buyer_id, o.state, o.payment, o.fulfilment, o.method, 'TWD', $3::bigint, 0, 0, $3::bigint,
             case o.payment when 'PAID' then $3::bigint when 'PARTIALLY_PAID' then $3::bigint / 2 else 0 end, $2, o.flagged, 1, $2, $2
           from unnest($4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::text[], $9::text[], $10::bool[]) with ordinality
             o(id, buyer_id, state, payment, fulfilment, method, flagged, n)""",
        shop.id, NOW, price, ids, buyers, *[[str(state[i]) for state in states] for i in range(4)], [state[4] for state in states],
    )  # fmt: skip
    if variant:
        await db.execute(
            """insert into order_line (id, shop_id, order_id, variant_id, platform, title, variant_label, unit_price_minor, quantity, handed_over,
                 created_at)
               select gen_random_uuid(), $1, id, $2, 'FACEBOOK_PAGE', '', '', $3, 1, 0, $4 from "order" where shop_id = $1""",
            shop.id, variant.id, price, NOW,
        )  # fmt: skip
        await db.execute(
            """with wanted as (select
                 count(*) filter (where payment_state not in ('PAID','NONE_DUE','COLLECT_ON_DELIVERY')) as held,
                 count(*) filter (where payment_state = 'PAID') as committed from "order" where shop_id = $1 and state = 'OPEN'),
               booked as (insert into stock_movement (shop_id, variant_id, kind, on_hand_delta, held_delta, committed_delta, actor, reason, at)
                 select $1, $2, 'HELD', 0, held, committed, 'worker:build', '', $3 from wanted)
               update stock_level set held = wanted.held, committed = wanted.committed from wanted where variant_id = $2""",
            shop.id, variant.id, NOW,
        )  # fmt: skip
    return ids
