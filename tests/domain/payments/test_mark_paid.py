"""Money taken by hand: the whole amount, once; held pieces become committed; a pickup order becomes ready when its goods are there."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from domain import db as database
from domain.audit.commands import Actor
from domain.errors import NotFound
from domain.orders.errors import InvalidTransition, VersionConflict
from domain.orders.rules import FulfilmentState, OrderState, PaymentState
from domain.payments.commands import mark_paid
from domain.payments.errors import AlreadyPaid, AmountMismatch
from domain.payments.rules import PaymentMethod
from domain.posts.rules import DeliveryMethod
from domain.providers.pgqueuer_jobs import PgQueuerJobs
from domain.stock.rules import SellBeyond
from tests.books import books_agree, everything, figures
from tests.build import NOW, AnOrder, a_buyer, a_member, a_product, a_shop, a_variant, an_order

JOBS = PgQueuerJobs()
OWNER_ID = UUID(int=1)
OWNER = Actor(f"member:{OWNER_ID}", "OWNER")


async def pay(
    order: AnOrder, *, shop_id: UUID | None = None, amount: int | None = None, version: int | None = None, minutes: int = 0
) -> None:
    await mark_paid(
        order_id=order.id, shop_id=shop_id or order.shop_id, method=PaymentMethod.BANK_TRANSFER, reference="末五碼 12345", amount_minor=amount,
        expected_version=version, actor=OWNER, by_member_id=OWNER_ID, now=NOW + timedelta(minutes=minutes), jobs=JOBS,
    )  # fmt: skip


async def state_of(order: AnOrder) -> tuple[str, str, str, int, int]:
    row = await database.fetchrow('select state, payment_state, fulfilment_state, paid_minor, version from "order" where id = $1', order.id)
    assert row is not None
    return tuple(row)  # type: ignore[return-value]


async def test_one_step_pays_commits_and_makes_ready(db: str) -> None:
    shop = await a_shop()
    red, white = (await a_product(shop, variants=["紅", "白"], on_hand=[3, 4])).variants
    order = await an_order(shop, [(red, 2), (white, 1)])
    await pay(order, amount=1770, version=1)
    assert await state_of(order) == ("OPEN", "PAID", "READY_FOR_PICKUP", 1770, 2)
    assert (await figures(red), await figures(white)) == ((3, 0, 2), (4, 0, 1))
    moved = await database.fetch(
        "select held_delta, committed_delta, order_line_id from stock_movement where at = $1 and kind = 'COMMITTED'", NOW
    )
    assert sorted(tuple(m) for m in moved) == sorted([(-2, 2, order.lines[0]), (-1, 1, order.lines[1])])
    paid = await database.fetch(
        "select shop_id, order_id, method, reference, amount_minor, currency, recorded_by, recorded_at from payment"
    )
    assert [tuple(p) for p in paid] == [(shop.id, order.id, "BANK_TRANSFER", "末五碼 12345", 1770, "TWD", OWNER_ID, NOW)]
    assert await database.fetchval("select array_agg(kind order by id) from order_event where order_id = $1", order.id) == [
        "PAID",
        "READY_FOR_PICKUP",
    ]
    assert await database.fetchval("select array_agg(kind order by kind) from notice") == ["PAYMENT_RECEIVED", "PICKUP_READY"]
    entry = await database.fetchrow("select actor, action, object_id, detail from audit_entry")
    assert entry is not None
    assert tuple(entry)[:3] == (OWNER.name, "order.mark_paid", order.id)
    assert "12345" not in entry["detail"]
    await books_agree()


async def test_the_buyers_pass_appears_and_covers_all_ready_orders(db: str) -> None:
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=9)
    buyer = await a_buyer(shop, member_id=await a_member())
    first = await an_order(shop, [(variant, 1)], buyer=buyer)
    await pay(first)
    second = await an_order(shop, [(variant, 1)], buyer=buyer)
    await pay(second)
    stranger = await an_order(shop, [(variant, 1)])
    await pay(stranger)
    passes = await database.fetch("select id, buyer_id, member_id, state, issue_number, short_code from pickup order by created_at, id")
    assert [tuple(p)[1:] for p in passes] == [(buyer.id, buyer.member_id, "OPEN", 0, ""), (stranger.buyer_id, None, "OPEN", 0, "")]
    joined = {row["order_id"]: row["pickup_id"] for row in await database.fetch("select order_id, pickup_id from pickup_order")}
    assert joined == {first.id: passes[0]["id"], second.id: passes[0]["id"], stranger.id: passes[1]["id"]}


async def test_paying_again_changes_nothing(db: str) -> None:
    shop = await a_shop()
    order = await an_order(shop, [(await a_variant(shop), 1)])
    await pay(order, version=1)
    before = await everything()
    for version in (None, 1, 2):
        with pytest.raises(AlreadyPaid):
            await pay(order, version=version)
    assert await everything() == before


async def test_two_clicks_at_once_take_the_money_once(db: str) -> None:
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=3)
    order = await an_order(shop, [(variant, 2)])
    answers = await asyncio.gather(*(pay(order) for _ in range(8)), return_exceptions=True)
    assert [type(a) for a in answers].count(AlreadyPaid) == 7
    assert await figures(variant) == (3, 0, 2)
    assert await database.fetchval("select count(*) from payment") == 1
    await books_agree()


@pytest.mark.parametrize("amount", [0, 1, 589, 591, -590, 2**40])
async def test_another_amount_than_the_one_due_is_refused(db: str, amount: int) -> None:
    shop = await a_shop()
    order = await an_order(shop, [(await a_variant(shop), 1)])
    before = await everything()
    with pytest.raises(AmountMismatch) as refused:
        await pay(order, amount=amount)
    assert vars(refused.value) == {"order_id": order.id, "due_minor": 590, "given_minor": amount, "currency": "TWD"}
    assert await everything() == before


async def test_an_order_that_changed_meanwhile_is_refused(db: str) -> None:
    shop = await a_shop()
    order = await an_order(shop, [(await a_variant(shop), 1)])
    await database.execute('update "order" set flagged = true, version = version + 1 where id = $1', order.id)
    before = await everything()
    with pytest.raises(VersionConflict) as refused:
        await pay(order, version=1)
    assert vars(refused.value) == {"order_id": order.id, "expected_version": 1, "current_version": 2}
    assert await everything() == before


async def test_a_cancelled_order_takes_no_money(db: str) -> None:
    shop = await a_shop()
    order = await an_order(shop, [(await a_variant(shop), 1)], state=OrderState.CANCELLED)
    before = await everything()
    with pytest.raises(InvalidTransition) as refused:
        await pay(order)
    assert vars(refused.value) == {"order_id": order.id, "axis": "state", "current": "CANCELLED", "wanted": "PAID"}
    assert await everything() == before


async def test_another_shops_order_is_not_found_just_like_a_missing_one(db: str) -> None:
    shop, other = await a_shop(), await a_shop()
    order = await an_order(shop, [(await a_variant(shop), 1)])
    missing = AnOrder(uuid4(), shop.id, order.buyer_id, "", 0, [])
    before = await everything()
    for case, shop_id in ((order, other.id), (missing, shop.id)):
        with pytest.raises(NotFound):
            await pay(case, shop_id=shop_id)
    assert await everything() == before


async def test_the_rest_of_a_partly_paid_order_is_what_is_due(db: str) -> None:
    shop = await a_shop()
    order = await an_order(shop, [(await a_variant(shop), 1)], payment=PaymentState.PARTIALLY_PAID, paid_minor=190)
    with pytest.raises(AmountMismatch):
        await pay(order, amount=590)
    await pay(order, amount=400)
    assert (await state_of(order))[1:4] == ("PAID", "READY_FOR_PICKUP", 590)
    assert await database.fetchval("select amount_minor from payment") == 400


async def test_an_order_that_costs_nothing_is_settled_without_a_payment(db: str) -> None:
    shop = await a_shop()
    variant = await a_variant(shop, price_minor=0)
    order = await an_order(shop, [(variant, 1)])
    await pay(order)
    assert await state_of(order) == ("OPEN", "PAID", "READY_FOR_PICKUP", 0, 2)
    assert await database.fetchval("select count(*) from payment") == 0
    await books_agree()


async def test_an_order_to_be_shipped_gets_no_pass(db: str) -> None:
    shop = await a_shop()
    order = await an_order(shop, [(await a_variant(shop), 1)], method=DeliveryMethod.SHIP)
    await pay(order)
    assert (await state_of(order))[:3] == ("OPEN", "PAID", "UNFULFILLED")
    assert await database.fetchval('select list from "order"') == "TO_SHIP"
    assert await database.fetchval("select count(*) from pickup") == 0
    assert await database.fetchval("select array_agg(kind) from notice") == ["PAYMENT_RECEIVED"]


async def test_pieces_on_hand_go_to_those_who_paid_first(db: str) -> None:
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=3, sell_beyond=SellBeyond.PREORDER, backorder_limit=9)
    orders = [await an_order(shop, [(variant, pieces)]) for pieces in (2, 2, 1)]
    for minute, order in enumerate(orders):
        await pay(order, minutes=minute)
    assert [(await state_of(order))[2] for order in orders] == ["READY_FOR_PICKUP", "WAITING_STOCK", "WAITING_STOCK"]
    assert await database.fetchval("select count(*) from pickup") == 1
    assert await database.fetchval("select count(*) from notice where kind = 'PICKUP_READY'") == 1
    await books_agree()


async def test_one_line_that_is_not_there_keeps_the_whole_order_waiting(db: str) -> None:
    shop = await a_shop()
    here = await a_variant(shop, on_hand=3)
    coming = await a_variant(shop, on_hand=0, sell_beyond=SellBeyond.PREORDER, backorder_limit=5)
    order = await an_order(shop, [(here, 1), (coming, 1)])
    await pay(order)
    assert (await state_of(order))[2] == FulfilmentState.WAITING_STOCK
    assert await database.fetchval("select count(*) from pickup") == 0


async def test_the_very_last_pieces_on_hand_are_enough(db: str) -> None:
    shop = await a_shop()
    order = await an_order(shop, [(await a_variant(shop, on_hand=3), 3)])
    await pay(order)
    assert (await state_of(order))[2] == FulfilmentState.READY_FOR_PICKUP
