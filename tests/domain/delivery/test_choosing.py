"""A buyer chooses among what the shop offers; what it costs is owed with the order; slots have room for so many."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from domain import db as database
from domain.delivery import offers
from domain.delivery.choosing import Choice, Recipient
from domain.delivery.errors import FeeFixed, InvalidDelivery, OfferOver, OtherOrderOpen, SlotFull
from domain.errors import NotFound
from domain.orders.commands import cancel, expire_due
from domain.orders.errors import InvalidTransition, VersionConflict
from domain.orders.rules import FulfilmentState, OrderState, PaymentState, may_choose_delivery
from domain.posts.rules import DeliveryMethod
from plusone.invariants import check
from tests.books import books_agree, everything
from tests.build import NOW, a_buyer, a_member, a_variant, an_order
from tests.domain.delivery.acts import HOME, JOBS, MOTHER, OWNER, TOMORROW, a_shop_with_ways, a_slot, chosen, money_of, taken
from tests.domain.payments.test_mark_paid import pay
from tests.domain.payments.transfers import confirmed, owned_order, refused, reported

SOON = NOW + timedelta(seconds=30)
SHIP, PICKUP = DeliveryMethod.SHIP, DeliveryMethod.PICKUP


async def test_what_it_costs_is_owed_with_the_order_and_follows_each_choice(db: str) -> None:
    ways = await a_shop_with_ways()
    member, order = await owned_order(ways.shop, pieces=2)
    for choice, money in (
        (ways.at_store(), ("SHIP", 60, 1240)),
        (ways.to_home(), ("SHIP", 120, 1300)),
        (ways.at_slot(), ("PICKUP", 0, 1180)),
        (ways.at_store(), ("SHIP", 60, 1240)),
    ):
        await chosen(member, order, choice)
        assert await money_of(order) == money
        assert await taken(ways.slot) == (1 if choice.slot_id else 0)
    assert await database.fetchval('select version from "order"') == 5
    row = await database.fetchrow(
        "select offer_id, slot_id, store_code, store_name, recipient_name, recipient_phone, address from order_delivery"
    )
    assert row is not None
    assert tuple(row) == (ways.store, None, "131386", "鑫台北門市", "王媽媽", "0912345678", "")
    told = str(await database.fetch("select detail::text from audit_entry union all select data::text from order_event"))
    for private in ("王媽媽", "0912345678", "南京東路", "鑫台北", "131386"):
        assert private not in told
    assert [row[0] for row in await database.fetch("select kind from order_event")] == ["DELIVERY_CHOSEN"] * 4
    await books_agree()
    assert await check(SOON) == []


async def test_the_same_choice_again_changes_nothing(db: str) -> None:
    ways = await a_shop_with_ways()
    member, order = await owned_order(ways.shop)
    for choice in (ways.at_slot(), ways.at_store(), ways.to_home()):
        await chosen(member, order, choice)
        before = await everything()
        await chosen(member, order, choice)
        assert await everything() == before


async def test_the_fee_is_paid_with_the_order(db: str) -> None:
    ways = await a_shop_with_ways()
    member, order = await owned_order(ways.shop)
    await chosen(member, order, ways.to_home())
    report = await reported(member, order, amount=710)
    await confirmed(report, ways.shop)
    assert await database.fetchval('select paid_minor from "order"') == 710
    assert await database.fetchval('select list from "order"') == "TO_SHIP"
    assert await check(SOON) == []


async def test_a_full_slot_takes_no_more_and_room_is_given_back(db: str) -> None:
    ways = await a_shop_with_ways(capacity=1)
    variant = await a_variant(ways.shop, on_hand=9)
    first, order = await owned_order(ways.shop, variant)
    second, other = await owned_order(ways.shop, variant)
    await chosen(first, order, ways.at_slot())
    before = await everything()
    with pytest.raises(SlotFull):
        await chosen(second, other, ways.at_slot())
    assert await everything() == before
    await chosen(first, order, ways.at_store())
    await chosen(second, other, ways.at_slot())
    assert await taken(ways.slot) == 1
    later = await a_slot(ways.shop, ways.meet)
    await chosen(second, other, ways.at_slot(later))
    assert (await taken(ways.slot), await taken(later)) == (0, 1)
    assert await check(SOON) == []


@pytest.mark.parametrize("end", ["cancelled", "expired", "failed and expired"])
async def test_an_order_that_is_no_more_gives_its_place_back(db: str, end: str) -> None:
    ways = await a_shop_with_ways()
    variant = await a_variant(ways.shop, on_hand=9)
    member, order = await owned_order(ways.shop, variant)
    other, stays = await owned_order(ways.shop, variant, pay_by=None)
    await chosen(member, order, ways.at_slot())
    await chosen(other, stays, ways.at_slot())
    if end == "cancelled":
        await cancel(order_id=order.id, shop_id=ways.shop.id, reason="", actor=OWNER, now=NOW, jobs=JOBS)
    else:
        if end == "failed and expired":
            await refused(await reported(member, order), ways.shop)
        assert await expire_due(now=NOW + timedelta(days=9), limit=10, jobs=JOBS) == 1
    assert await taken(ways.slot) == 1
    assert await check(SOON) == []


async def test_a_slot_that_is_closed_or_past_is_over_for_who_has_not_chosen_it(db: str) -> None:
    ways = await a_shop_with_ways()
    variant = await a_variant(ways.shop, on_hand=9)
    member, order = await owned_order(ways.shop, variant)
    other, late = await owned_order(ways.shop, variant)
    await chosen(member, order, ways.at_slot())
    await offers.change_slot(shop_id=ways.shop.id, slot_id=ways.slot, capacity=None, closed=True, actor=OWNER, now=NOW)
    with pytest.raises(OfferOver):
        await chosen(other, late, ways.at_slot())
    await chosen(member, order, replace(ways.at_slot(), recipient=MOTHER))  # who comes may change
    await offers.change_slot(shop_id=ways.shop.id, slot_id=ways.slot, capacity=None, closed=False, actor=OWNER, now=NOW)
    with pytest.raises(OfferOver):
        await chosen(other, late, ways.at_slot(), now=TOMORROW + timedelta(hours=2))
    await chosen(other, late, ways.at_slot(), now=TOMORROW + timedelta(hours=1))


async def test_what_was_withdrawn_is_kept_by_who_has_it(db: str) -> None:
    ways = await a_shop_with_ways()
    variant = await a_variant(ways.shop, on_hand=9)
    member, order = await owned_order(ways.shop, variant)
    other, late = await owned_order(ways.shop, variant)
    await chosen(member, order, ways.to_home())
    await offers.withdraw_offer(shop_id=ways.shop.id, offer_id=ways.home, actor=OWNER, now=NOW)
    with pytest.raises(OfferOver):
        await chosen(other, late, ways.to_home())
    await chosen(member, order, ways.to_home(replace(HOME, name="李先生")))
    assert await database.fetchval("select recipient_name from order_delivery") == "李先生"


BAD = {
    "slotId": [lambda w: Choice(w.meet), lambda w: replace(w.to_home(), slot_id=w.slot)],
    "store": [lambda w: replace(w.to_home(), store_code="131386"), lambda w: replace(w.at_slot(), store_name="x")],
    "store.code": [
        lambda w: w.at_store("13138"),
        lambda w: w.at_store("１３１３８６"),
        lambda w: w.at_store(""),
        lambda w: w.at_store("1313866"),
    ],
    "store.name": [lambda w: replace(w.at_store(), store_name="")],
    "recipient.name": [lambda w: w.to_home(replace(HOME, name="")), lambda w: w.to_home(replace(HOME, name="x" * 61))],
    "recipient.phone": [
        lambda w: w.to_home(replace(HOME, phone="")),
        lambda w: w.to_home(replace(HOME, phone="call me")),
        lambda w: w.to_home(replace(HOME, phone="0912345678; drop")),
        lambda w: replace(w.at_store(), recipient=replace(MOTHER, phone="+886912345678")),
        lambda w: replace(w.at_slot(), recipient=Recipient("x", "x")),
    ],
    "recipient.address": [
        lambda w: w.to_home(replace(HOME, address="")),
        lambda w: w.to_home(replace(HOME, address="x" * 201)),
        lambda w: replace(w.at_store(), recipient=replace(MOTHER, address="臺北市中山區")),
    ],
    "recipient.postalCode": [lambda w: w.to_home(replace(HOME, postal_code="x" * 13))],
}


@pytest.mark.parametrize("field", BAD)
async def test_what_a_kind_needs_is_there_and_nothing_else(db: str, field: str) -> None:
    ways = await a_shop_with_ways()
    member, order = await owned_order(ways.shop)
    before = await everything()
    for make in BAD[field]:
        with pytest.raises(InvalidDelivery) as invalid:
            await chosen(member, order, make(ways))
        assert invalid.value.field == field
    assert await everything() == before


async def test_others_orders_offers_and_slots_are_not_found(db: str) -> None:
    ways, others = await a_shop_with_ways(), await a_shop_with_ways()
    member, order = await owned_order(ways.shop)
    second = await a_shop_with_ways(shop=ways.shop)
    before = await everything()
    for who, what, choice in (
        (await a_member(), order, ways.at_slot()),
        (member, await an_order(ways.shop, {}, state=OrderState.CANCELLED), ways.at_slot()),
        (member, order, others.at_slot()),
        (member, order, Choice(ways.meet, others.slot)),
        (member, order, Choice(ways.meet, second.slot)),
        (member, order, Choice(ways.slot, ways.slot)),
    ):
        with pytest.raises(NotFound):
            await chosen(who, what, choice)
    assert {k: v for k, v in (await everything()).items() if k != "order"} == {k: v for k, v in before.items() if k != "order"}


async def test_an_order_that_changed_meanwhile_is_refused(db: str) -> None:
    ways = await a_shop_with_ways()
    member, order = await owned_order(ways.shop)
    with pytest.raises(VersionConflict):
        await chosen(member, order, ways.at_slot(), version=2)
    await chosen(member, order, ways.at_slot(), version=1)


async def test_once_money_is_underway_only_the_same_price_may_be_chosen(db: str) -> None:
    ways = await a_shop_with_ways()
    later = await a_slot(ways.shop, ways.meet)
    variant = await a_variant(ways.shop, on_hand=9)
    member, order = await owned_order(ways.shop, variant)
    await chosen(member, order, ways.at_slot())
    await reported(member, order)
    for step in ("reported", "paid"):
        if step == "paid":
            await pay(order)
        before = await everything()
        for choice in (ways.at_store(), ways.to_home()):
            with pytest.raises(FeeFixed):
                await chosen(member, order, choice)
        assert await everything() == before
        await chosen(member, order, ways.at_slot(later if step == "reported" else None))
    other, home = await owned_order(ways.shop, variant)
    await chosen(other, home, ways.to_home())
    await pay(home)
    await chosen(other, home, ways.to_home(replace(HOME, address="高雄市前金區五福三路 2 號")))
    with pytest.raises(FeeFixed):
        await chosen(other, home, ways.at_slot())
    assert await check(SOON) == []


async def test_a_failed_payment_may_change_its_way(db: str) -> None:
    ways = await a_shop_with_ways()
    member, order = await owned_order(ways.shop)
    await refused(await reported(member, order), ways.shop)
    await chosen(member, order, ways.to_home())
    assert await money_of(order) == ("SHIP", 120, 710)


async def test_two_unpaid_orders_by_one_way_cannot_be(db: str) -> None:
    """Comments are added to the one that is there."""
    ways = await a_shop_with_ways()
    variant = await a_variant(ways.shop, on_hand=9)
    member = await a_member()
    buyer = await a_buyer(ways.shop, member_id=member)
    meet = await an_order(ways.shop, {variant: 1}, buyer=buyer)
    ship = await an_order(ways.shop, {variant: 1}, buyer=buyer, method=SHIP)
    before = await everything()
    with pytest.raises(OtherOrderOpen) as other:
        await chosen(member, meet, ways.to_home())
    assert other.value.order_id == ship.id
    assert await everything() == before
    await pay(ship)
    await chosen(member, meet, ways.to_home())
    assert await money_of(meet) == ("SHIP", 120, 710)


@pytest.mark.parametrize("payment", list(PaymentState))
async def test_the_rule_and_the_command_agree_in_every_state(db: str, payment: PaymentState) -> None:
    ways = await a_shop_with_ways(capacity=500)
    variant = await a_variant(ways.shop, on_hand=999)
    for state in OrderState:
        for fulfilment in FulfilmentState:
            member, order = await owned_order(ways.shop, variant, state=state, payment=payment, fulfilment=fulfilment)
            if may_choose_delivery(state, payment, fulfilment):
                await chosen(member, order, ways.at_slot())
                continue
            with pytest.raises(InvalidTransition):
                await chosen(member, order, ways.at_slot())
