"""Goods that arrive go to paid orders that wait, first paid first; and the member's list of passes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from domain import db as database
from domain.orders.rules import PaymentState
from domain.pickup import commands
from domain.stock.commands import adjust
from domain.stock.rules import AdjustReason, SellBeyond
from tests.books import books_agree, everything
from tests.build import NOW, AnOrder, AShop, AVariant, a_buyer, a_member, a_shop, a_variant, an_order
from tests.counter import CLERK, JOBS, paid, pay


async def waiting_shop() -> tuple[AShop, AVariant, AVariant, list[AnOrder]]:
    """Two variants sold beyond; paid one after another: 2 a · 1 a + 1 b · 3 a · 1 b; 1 a on hand."""
    shop = await a_shop()
    a = await a_variant(shop, on_hand=1, sell_beyond=SellBeyond.PREORDER, backorder_limit=20)
    b = await a_variant(shop, on_hand=0, sell_beyond=SellBeyond.PREORDER, backorder_limit=20)
    orders = [
        await paid(shop, lines, await a_buyer(shop, member_id=await a_member()), at=NOW + timedelta(minutes=n))
        for n, lines in enumerate([[(a, 2)], [(a, 1), (b, 1)], [(a, 3)], [(b, 1)]])
    ]
    return shop, a, b, orders


async def arrived(shop: AShop, variant: AVariant, count: int) -> int:
    await adjust(shop_id=shop.id, variant_id=variant.id, delta=count, reason=AdjustReason.RECEIPT, actor=CLERK, now=NOW, jobs=JOBS)
    return await commands.ready_waiting_orders(shop_id=shop.id, variant_ids=[variant.id], now=NOW + timedelta(hours=1), jobs=JOBS)


async def fulfilment(orders: Sequence[AnOrder]) -> list[str]:
    return [await database.fetchval('select fulfilment_state from "order" where id = $1', order.id) for order in orders]


async def test_arrived_goods_go_to_those_who_paid_first(db: str) -> None:
    shop, a, b, orders = await waiting_shop()
    w, r = "WAITING_STOCK", "READY_FOR_PICKUP"
    assert await fulfilment(orders) == [w, w, w, w]
    assert (await arrived(shop, a, 1), await fulfilment(orders)) == (1, [r, w, w, w])
    assert (await arrived(shop, a, 3), await fulfilment(orders)) == (0, [r, w, w, w])
    assert (await arrived(shop, b, 1), await fulfilment(orders)) == (1, [r, r, w, w])
    assert (await arrived(shop, a, 1), await fulfilment(orders)) == (1, [r, r, r, w])
    assert (await arrived(shop, b, 1), await fulfilment(orders)) == (1, [r, r, r, r])
    assert await database.fetchval("select count(*) from pickup where state = 'OPEN'") == 4
    assert await database.fetchval("select count(*) from notice where kind = 'PICKUP_READY'") == 4
    assert await database.fetchval("select count(*) from audit_entry where action = 'order.ready' and actor = 'worker:restocked'") == 4
    await books_agree()


async def test_the_order_of_payment_counts_and_not_that_of_ordering(db: str) -> None:
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=0, sell_beyond=SellBeyond.PREORDER, backorder_limit=9)
    orders = [await an_order(shop, [(variant, 1)]) for _ in range(3)]
    for minutes, order in ((0, orders[2]), (1, orders[0]), (2, orders[1])):
        await pay(order, at=NOW + timedelta(minutes=minutes))
    w, r = "WAITING_STOCK", "READY_FOR_PICKUP"
    assert (await arrived(shop, variant, 1), await fulfilment(orders)) == (1, [w, w, r])
    assert (await arrived(shop, variant, 1), await fulfilment(orders)) == (1, [r, w, r])


async def test_readying_again_changes_nothing(db: str) -> None:
    shop, a, _, _ = await waiting_shop()
    assert await arrived(shop, a, 1) == 1
    before = await everything()
    assert await commands.ready_waiting_orders(shop_id=shop.id, variant_ids=[a.id], now=NOW, jobs=JOBS) == 0
    assert await commands.ready_waiting_orders(shop_id=shop.id, variant_ids=[], now=NOW, jobs=JOBS) == 0
    assert await commands.ready_waiting_orders(shop_id=(await a_shop()).id, variant_ids=[a.id], now=NOW, jobs=JOBS) == 0
    assert await everything() == before


async def test_unpaid_orders_never_become_ready(db: str) -> None:
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=0, sell_beyond=SellBeyond.PREORDER, backorder_limit=9)
    order = await an_order(shop, [(variant, 1)], payment=PaymentState.UNPAID)
    assert (await arrived(shop, variant, 5), await fulfilment([order])) == (0, ["UNFULFILLED"])
