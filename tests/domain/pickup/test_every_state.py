"""A hand-over and arriving goods in every state an order can be in."""

from __future__ import annotations

import itertools
from datetime import timedelta
from uuid import UUID

from domain import db as database
from domain.audit.commands import Actor
from domain.ids import new_id
from domain.orders.rules import FulfilmentState, OrderAction, OrderState, PaymentState, seller_actions
from domain.pickup.commands import confirm, ready_waiting_orders
from domain.pickup.errors import PickupRefused
from domain.pickup.rules import CoveredOrder
from domain.pickup.scans import Scan, sign_scan
from domain.posts.rules import DeliveryMethod
from domain.providers.pgqueuer_jobs import PgQueuerJobs
from domain.vault import Vault
from tests.books import books_agree, many_orders
from tests.build import NOW, AShop, a_shop, a_variant

JOBS = PgQueuerJobs()
VAULT = Vault("a secret of at least thirty-two characters")
CLERK_ID = UUID(int=7)
ALL = [(*axes, DeliveryMethod.PICKUP, False) for axes in itertools.product(OrderState, PaymentState, FulfilmentState)]


async def _passes(shop: AShop) -> dict[UUID, UUID]:
    """An open pass for each order of the shop."""
    rows = await database.fetch(
        """insert into pickup (id, shop_id, buyer_id, code_id, state, issue_number, short_code, not_after, version, created_at)
           select gen_random_uuid(), shop_id, buyer_id, row_number() over (), 'OPEN', 1, '', $2, 1, $3 from "order" where shop_id = $1
           returning id, buyer_id""",
        shop.id,
        NOW + timedelta(days=3),
        NOW,
    )
    await database.execute(
        """insert into pickup_order (order_id, shop_id, pickup_id)
           select o.id, o.shop_id, p.id from "order" o join pickup p on p.buyer_id = o.buyer_id where o.shop_id = $1""",
        shop.id,
    )
    order_of = {row["buyer_id"]: row["id"] for row in await database.fetch('select id, buyer_id from "order"')}
    return {order_of[row["buyer_id"]]: row["id"] for row in rows}


async def test_handing_over_in_every_state(db: str) -> None:
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=1000)
    ids = await many_orders(shop, variant, ALL)
    pickup_of = await _passes(shop)
    moved = set()
    for order_id, (state, payment, fulfilment, *_) in zip(ids, ALL, strict=True):
        scan = sign_scan(Scan(new_id(), pickup_of[order_id], CLERK_ID, 1, NOW), shop.id, VAULT)
        try:
            await confirm(
                shop_id=shop.id, scan_id=scan, lines=None, collected_minor=0, actor=Actor(f"member:{CLERK_ID}"), by_member_id=CLERK_ID,
                device="", vault=VAULT, now=NOW, jobs=JOBS,
            )  # fmt: skip
            moved.add((state, payment, fulfilment))
        except PickupRefused:
            assert not CoveredOrder(state, payment, fulfilment, 1, 0).may_leave
    assert moved == {(OrderState.OPEN, PaymentState.PAID, f) for f in (FulfilmentState.READY_FOR_PICKUP, FulfilmentState.PARTIAL)}
    assert all(OrderAction.HAND_OVER in seller_actions(*axes) for axes in moved)
    changed = await database.fetch('select state, payment_state, fulfilment_state from "order" where version > 1')
    assert [tuple(row) for row in changed] == [("COMPLETED", "PAID", "HANDED_OVER")] * 2
    assert await database.fetchval("select count(*) from hand_over") == 2
    assert await database.fetchval("select count(*) from audit_entry where action = 'pickup.refused'") == len(ALL) - 2
    await books_agree()


async def test_goods_arriving_in_every_state(db: str) -> None:
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=1000)
    await many_orders(shop, variant, ALL)
    assert await ready_waiting_orders(shop_id=shop.id, variant_ids=[variant.id], now=NOW, jobs=JOBS) == 1
    changed = await database.fetch('select state, payment_state, fulfilment_state from "order" where version > 1')
    assert [tuple(row) for row in changed] == [("OPEN", "PAID", "READY_FOR_PICKUP")]
    assert await database.fetchval("select count(*) from pickup") == 1
    await books_agree()
