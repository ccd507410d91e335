"""Orders that become one although something was chosen for them: alike without a word, unlike only by a word; gifts the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from domain import db as database
from domain.delivery import gifts
from domain.delivery.choosing import Choice
from domain.errors import NotFound
from domain.orders import merging, requests
from domain.orders.errors import DeliveryDiffers, GiftDiffers, InvalidTransition, NotMergeable, PaymentUnderWay
from domain.posts.rules import DeliveryMethod
from plusone.invariants import check
from tests.books import books_agree, everything
from tests.build import NOW, AnOrder, a_buyer, a_member, a_variant, an_order
from tests.domain.delivery.acts import JOBS, OWNER, Ways, a_shop_with_ways, a_slot, chosen, taken
from tests.domain.orders.acting import actions
from tests.domain.payments.online import Till, an_account, attempt_of, begun
from tests.domain.payments.transfers import reported
from tests.domain.payments.under_way import opened

SOON = NOW + timedelta(seconds=30)
PICKUP, SHIP = DeliveryMethod.PICKUP, DeliveryMethod.SHIP


async def names(ways: Ways, *methods: DeliveryMethod) -> tuple[UUID, list[AnOrder]]:
    """Unpaid orders of one member under as many names, the oldest first; each of one piece at 590."""
    member, variant = await a_member(), await a_variant(ways.shop, on_hand=9)
    return member, [
        await an_order(
            ways.shop, {variant: 1}, buyer=await a_buyer(ways.shop, member_id=member), method=method, created_at=NOW + timedelta(hours=hour)
        )
        for hour, method in enumerate(methods)
    ]  # fmt: skip


async def one_of(member: UUID, orders: list[AnOrder], **given: UUID | None) -> UUID:
    return await merging.merge(order_ids=[order.id for order in orders], member_id=member, now=NOW, jobs=JOBS, **given)


async def stays(refusal: type[Exception], member: UUID, orders: list[AnOrder], **given: UUID | None) -> None:
    before: Any = await everything()
    with pytest.raises(refusal):
        await one_of(member, orders, **given)
    assert await everything() == before


async def merged_order(order: AnOrder) -> tuple[str, str, int, int, str | None]:
    """(state, method, fee, total, store's number) of an order."""
    row = await database.fetchrow(
        """select o.state, o.delivery_method, o.shipping_minor, o.total_minor, d.store_code from "order" o
           left join order_delivery d on d.order_id = o.id where o.id = $1""",
        order.id,
    )
    assert row is not None
    return tuple(row)  # type: ignore[return-value]


@pytest.mark.parametrize("choice", [Ways.at_slot, Ways.at_store, Ways.to_home])
async def test_orders_for_which_the_same_was_chosen_become_one(db: str, choice: Callable[[Ways], Choice]) -> None:
    ways = await a_shop_with_ways()
    member, orders = await names(ways, PICKUP, PICKUP)
    for order in orders:
        await chosen(member, order, choice(ways))
    assert "MERGE" in await actions(member, orders[0].id)
    fee = await database.fetchval('select shipping_minor from "order" limit 1')
    assert await one_of(member, orders) == orders[0].id
    assert (await merged_order(orders[0]))[::2] == ("OPEN", fee, "131386" if choice is Ways.at_store else "")
    assert (await merged_order(orders[0]))[3] == 1180 + fee
    assert await taken(ways.slot) == (1 if choice is Ways.at_slot else 0)
    await books_agree()
    assert await check(SOON) == []


@pytest.mark.parametrize("who", [0, 1])
@pytest.mark.parametrize("choice", [Ways.at_slot, Ways.at_store])
async def test_what_was_chosen_for_one_alone_is_the_merged_ones(db: str, choice: Callable[[Ways], Choice], who: int) -> None:
    """The other says nothing, and goes the same way."""
    ways = await a_shop_with_ways()
    member, orders = await names(ways, *[PICKUP if choice is Ways.at_slot else SHIP] * 2)
    await chosen(member, orders[who], choice(ways))
    assert await one_of(member, orders) == orders[0].id
    fee, store = (0, "") if choice is Ways.at_slot else (60, "131386")
    assert await merged_order(orders[0]) == ("OPEN", "PICKUP" if choice is Ways.at_slot else "SHIP", fee, 1180 + fee, store)
    assert await taken(ways.slot) == (1 if choice is Ways.at_slot else 0)
    assert await database.fetchval("select count(*) from order_delivery") == 1
    await books_agree()
    assert await check(SOON) == []


def pairs(ways: Ways, other: UUID) -> dict[str, tuple[Choice | None, Choice | None]]:
    home = replace(ways.to_home().recipient, address="臺北市大安區和平東路二段 2 號")
    return {
        "slots": (ways.at_slot(), ways.at_slot(other)),
        "stores": (ways.at_store(), ways.at_store("131387")),
        "homes": (ways.to_home(), ways.to_home(home)),
        "kinds": (ways.at_store(), ways.to_home()),
        "methods": (ways.at_slot(), ways.to_home()),
        "one chosen": (None, ways.to_home()),
    }


@pytest.mark.parametrize("keep", [0, 1])
@pytest.mark.parametrize("pair", ["slots", "stores", "homes", "kinds", "methods", "one chosen"])
async def test_of_unlike_ones_the_buyer_says_which_stays(db: str, pair: str, keep: int) -> None:
    ways = await a_shop_with_ways()
    other = await a_slot(ways.shop, ways.meet, starts_at=NOW + timedelta(days=2))
    member, orders = await names(ways, PICKUP, PICKUP)
    for order, choice in zip(orders, pairs(ways, other)[pair], strict=True):
        if choice is not None:
            await chosen(member, order, choice)
    assert "MERGE" in await actions(member, orders[1].id)
    await stays(DeliveryDiffers, member, orders)
    columns = "d.offer_id, d.slot_id, d.store_code, d.recipient_name, d.address, o.delivery_method, o.shipping_minor"
    of = f'select {columns} from "order" o left join order_delivery d on d.order_id = o.id where o.id = $1'
    before = await database.fetchrow(of, orders[keep].id)
    assert await one_of(member, orders, delivery_from=orders[keep].id) == orders[0].id
    assert await database.fetchrow(of, orders[0].id) == before
    assert before is not None
    assert (await merged_order(orders[0]))[3] == 1180 + before["shipping_minor"]
    assert [await taken(slot) for slot in (ways.slot, other)] == [int(before["slot_id"] == slot) for slot in (ways.slot, other)]
    assert (await merged_order(orders[1]))[0] == "CANCELLED"
    await books_agree()
    assert await check(SOON) == []


async def test_orders_of_two_ways_without_a_choice_ask_too_also_those_of_one_name(db: str) -> None:
    ways = await a_shop_with_ways()
    member, variant = await a_member(), await a_variant(ways.shop, on_hand=9)
    buyer = await a_buyer(ways.shop, member_id=member)
    orders = [
        await an_order(ways.shop, {variant: 1}, buyer=buyer, method=method, created_at=NOW + timedelta(hours=hour))
        for hour, method in enumerate((PICKUP, SHIP))
    ]
    await stays(DeliveryDiffers, member, orders)
    assert await one_of(member, orders, delivery_from=orders[1].id) == orders[0].id
    assert await merged_order(orders[0]) == ("OPEN", "SHIP", 0, 1180, None)
    assert await check(SOON) == []


async def test_a_buyer_has_no_second_unpaid_order_of_a_way_by_it(db: str) -> None:
    """The oldest would go the way of an order of its name that is not among them: that one belongs to it too."""
    ways = await a_shop_with_ways()
    member, orders = await names(ways, PICKUP, SHIP)
    third = await an_order(
        ways.shop, {await a_variant(ways.shop): 1}, buyer=replace(await a_buyer(ways.shop), id=orders[0].buyer_id, member_id=member), method=SHIP
    )  # fmt: skip
    await stays(NotMergeable, member, orders, delivery_from=orders[1].id)
    await one_of(member, [*orders, third], delivery_from=orders[1].id)
    assert (await merged_order(orders[0]))[:4] == ("OPEN", "SHIP", 0, 1770)
    assert await check(SOON) == []


async def test_only_one_of_them_can_be_followed(db: str) -> None:
    ways = await a_shop_with_ways()
    member, orders = await names(ways, PICKUP, PICKUP, PICKUP)
    await stays(NotFound, member, orders[:2], delivery_from=orders[2].id)
    await stays(NotFound, member, orders[:2], gift_from=orders[2].id)
    await stays(GiftDiffers, member, orders[:2], gift_from=orders[1].id)


@pytest.mark.parametrize("keep", [0, 1])
@pytest.mark.parametrize("which", [(0,), (1,), (0, 1)])
async def test_a_gift_takes_others_in_only_by_a_word(db: str, which: tuple[int, ...], keep: int) -> None:
    member, orders = await names(await a_shop_with_ways(), PICKUP, PICKUP)
    tokens = {}
    for number in which:
        tokens[number], _ = await gifts.make_link(order_id=orders[number].id, member_id=member, sender=f"小美{number}", message="", now=NOW)
    assert "MERGE" in await actions(member, orders[0].id)
    await stays(GiftDiffers, member, orders)
    if keep not in which:
        await stays(GiftDiffers, member, orders, gift_from=orders[keep].id)
        return
    assert await one_of(member, orders, gift_from=orders[keep].id) == orders[0].id
    seen = {number: await gifts.gift_of(token, now=NOW) for number, token in tokens.items()}
    kept = seen.pop(keep)
    assert kept is not None
    assert (kept["sender"], [item["quantity"] for item in kept["items"]]) == (f"小美{keep}", [1, 1])
    assert set(seen.values()) <= {None}
    assert await database.fetchval("select sender from order_gift where order_id = $1", orders[0].id) == f"小美{keep}"
    assert await check(SOON) == []


async def test_what_waits_for_an_answer_is_not_merged(db: str) -> None:
    """A reported transfer, a payment that may succeed, a request to cancel; a payment nobody opened is ended first."""
    ways = await a_shop_with_ways()
    member, orders = await names(ways, PICKUP, PICKUP)
    till = Till(ways.shop, None, await an_account(ways.shop), member, orders[1])  # type: ignore[arg-type]
    unopened = await begun(till)
    await requests.request(order_id=orders[0].id, reason="", member_id=member, now=NOW)
    assert "MERGE" not in await actions(member, orders[0].id) + await actions(member, orders[1].id)
    await stays(NotMergeable, member, orders)
    await requests.answer(
        order_id=orders[0].id, shop_id=ways.shop.id, accept=False, note="", refund_reference="", may_refund=True, actor=OWNER, now=NOW,
        jobs=JOBS,
    )  # fmt: skip
    assert "MERGE" in await actions(member, orders[0].id)
    number = await begun(till)
    await opened(number)
    assert "MERGE" not in await actions(member, orders[0].id) + await actions(member, orders[1].id)
    await stays(PaymentUnderWay, member, orders)
    assert (await attempt_of(unopened))[0] == "PENDING"
    await database.execute("update payment_attempt set state = 'FAILED', ask_at = null, settled_at = $2 where trade_no = $1", number, NOW)
    await one_of(member, orders)
    assert (await attempt_of(unopened))[0] == "EXPIRED"
    assert await check(SOON) == []
    member, orders = await names(ways, PICKUP, PICKUP)
    await reported(member, orders[1])
    await stays(InvalidTransition, member, orders)
    assert "MERGE" not in await actions(member, orders[0].id)


async def test_what_a_person_must_look_at_is_still_on_their_list(db: str) -> None:
    from tests.domain.claims.acts import first_order
    from tests.domain.orders.acting import a_wish

    wall, member, _ = await a_wish()
    flagged = await first_order()
    await database.execute("update claim set review = 'OPEN'")
    await database.execute('update "order" set flagged = true, version = version + 1')
    older = await an_order(
        wall.shop, {await a_variant(wall.shop): 1}, buyer=await a_buyer(wall.shop, member_id=member), created_at=NOW - timedelta(hours=1)
    )
    assert await merging.merge(order_ids=[flagged, older.id], member_id=member, now=NOW, jobs=JOBS) == older.id
    assert await database.fetchval('select list from "order" where id = $1', older.id) == "REVIEW"
