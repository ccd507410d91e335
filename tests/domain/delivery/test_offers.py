"""What a shop offers: ways at a price, slots with room."""

from __future__ import annotations

from datetime import timedelta

import asyncpg
import pytest

from domain import db as database
from domain.delivery import offers
from domain.delivery.errors import InvalidDelivery, OfferOver, SlotFull, TooMany
from domain.delivery.offers import Offer
from domain.delivery.rules import MOST_OFFERS, MOST_SLOTS, DeliveryKind, StoreChain
from domain.errors import NotFound
from tests.books import everything
from tests.build import NOW, a_shop, a_variant
from tests.domain.delivery.acts import OWNER, TOMORROW, a_shop_with_ways, a_slot, chosen, taken
from tests.domain.payments.transfers import owned_order

K, C = DeliveryKind, StoreChain
HOUR = timedelta(hours=1)


async def test_an_offer_is_there_until_it_is_withdrawn(db: str) -> None:
    ways = await a_shop_with_ways()
    assert await database.fetchval("select offers_delivery from shop where id = $1", ways.shop.id)
    for offer in (ways.meet, ways.store, ways.home):
        assert await database.fetchval("select offers_delivery from shop where id = $1", ways.shop.id)
        for _ in range(2):
            await offers.withdraw_offer(shop_id=ways.shop.id, offer_id=offer, actor=OWNER, now=NOW)
    assert not await database.fetchval("select offers_delivery from shop where id = $1", ways.shop.id)
    actions = [row["action"] for row in await database.fetch("select action from audit_entry order by id")]
    assert actions == ["delivery_offer.add"] * 3 + ["pickup_slot.add"] + ["delivery_offer.withdraw"] * 3


@pytest.mark.parametrize(
    ("field", "offer"),
    [
        ("name", Offer(K.HOME, "")),
        ("name", Offer(K.HOME, "x" * 81)),
        ("place", Offer(K.FACE_TO_FACE, "x")),
        ("place", Offer(K.FACE_TO_FACE, "x", 0, "y" * 201)),
        ("place", Offer(K.HOME, "x", 0, "y")),
        ("chain", Offer(K.CONVENIENCE_STORE, "x")),
        ("chain", Offer(K.HOME, "x", 0, "", C.HI_LIFE)),
        ("fee", Offer(K.HOME, "x", -1)),
    ],
)
async def test_an_offer_that_cannot_be_is_refused(db: str, field: str, offer: Offer) -> None:
    shop = await a_shop()
    with pytest.raises(InvalidDelivery) as invalid:
        await offers.add_offer(shop_id=shop.id, offer=offer, actor=OWNER, now=NOW)
    assert invalid.value.field == field
    assert await database.fetchval("select count(*) from delivery_offer") == 0


@pytest.mark.parametrize(
    ("field", "starts", "ends", "capacity"),
    [
        ("startsAt", -HOUR, HOUR, 1),
        ("startsAt", timedelta(days=367), timedelta(days=367, hours=1), 1),
        ("endsAt", HOUR, HOUR, 1),
        ("endsAt", HOUR, timedelta(), 1),
        ("endsAt", HOUR, timedelta(days=2), 1),
        ("capacity", HOUR, 2 * HOUR, 0),
        ("capacity", HOUR, 2 * HOUR, 10_001),
    ],
)
async def test_a_slot_that_cannot_be_is_refused(db: str, field: str, starts: timedelta, ends: timedelta, capacity: int) -> None:
    ways = await a_shop_with_ways()
    before = await everything()
    with pytest.raises(InvalidDelivery) as invalid:
        await offers.add_slot(
            shop_id=ways.shop.id, offer_id=ways.meet, starts_at=NOW + starts, ends_at=NOW + ends, capacity=capacity, actor=OWNER, now=NOW
        )
    assert invalid.value.field == field
    assert await everything() == before


async def test_slots_are_of_offers_face_to_face_that_stand(db: str) -> None:
    ways = await a_shop_with_ways()
    with pytest.raises(InvalidDelivery):
        await a_slot(ways.shop, ways.home)
    await offers.withdraw_offer(shop_id=ways.shop.id, offer_id=ways.meet, actor=OWNER, now=NOW)
    with pytest.raises(OfferOver):
        await a_slot(ways.shop, ways.meet)


async def test_another_shop_has_no_such_offer_and_no_such_slot(db: str) -> None:
    ways, other = await a_shop_with_ways(), await a_shop()
    before = await everything()
    with pytest.raises(NotFound):
        await offers.withdraw_offer(shop_id=other.id, offer_id=ways.meet, actor=OWNER, now=NOW)
    with pytest.raises(NotFound):
        await a_slot(other, ways.meet)
    with pytest.raises(NotFound):
        await offers.change_slot(shop_id=other.id, slot_id=ways.slot, capacity=9, closed=None, actor=OWNER, now=NOW)
    assert await everything() == before


async def test_a_slot_takes_more_or_fewer_but_never_fewer_than_have_chosen_it(db: str) -> None:
    ways = await a_shop_with_ways(capacity=3)
    variant = await a_variant(ways.shop, on_hand=9)
    for _ in range(2):
        await chosen(*await owned_order(ways.shop, variant), ways.at_slot())

    async def change(capacity: int | None = None, closed: bool | None = None) -> None:
        await offers.change_slot(shop_id=ways.shop.id, slot_id=ways.slot, capacity=capacity, closed=closed, actor=OWNER, now=NOW)

    before = await everything()
    with pytest.raises(SlotFull):
        await change(1)
    with pytest.raises(InvalidDelivery):
        await change(0)
    await change()
    await change(3)
    await change(closed=False)
    assert await everything() == before
    await change(2, closed=True)
    row = await database.fetchrow("select capacity, taken, closed_at, version from pickup_slot")
    assert row is not None
    assert tuple(row) == (2, 2, NOW, 4)
    await change(closed=False)
    assert await database.fetchval("select closed_at from pickup_slot") is None
    assert await taken(ways.slot) == 2


async def test_a_shop_has_few_offers_and_an_offer_few_coming_slots(db: str) -> None:
    ways = await a_shop_with_ways()
    for number in range(MOST_OFFERS - 3):
        await offers.add_offer(shop_id=ways.shop.id, offer=Offer(K.HOME, f"宅配 {number}"), actor=OWNER, now=NOW)
    with pytest.raises(TooMany):
        await offers.add_offer(shop_id=ways.shop.id, offer=Offer(K.HOME, "多一個"), actor=OWNER, now=NOW)
    for _ in range(MOST_SLOTS - 1):
        await a_slot(ways.shop, ways.meet)
    with pytest.raises(TooMany):
        await a_slot(ways.shop, ways.meet)


BREAKS = {
    "delivery_offer_fee": "update delivery_offer set fee_minor = -1",
    "delivery_offer_chain": "update delivery_offer set chain = null",
    "delivery_offer_shop": "update delivery_offer set shop_id = gen_random_uuid() where kind = 'HOME'",
    "pickup_slot_taken": "update pickup_slot set taken = capacity + 1",
    "pickup_slot_time": "update pickup_slot set ends_at = starts_at",
    "pickup_slot_offer_id": "update pickup_slot set offer_id = gen_random_uuid()",
    "order_delivery_offer_id": "update order_delivery set offer_id = gen_random_uuid()",
    "order_delivery_slot_id": "update order_delivery set slot_id = gen_random_uuid()",
    "order_delivery_order_id": "update order_delivery set shop_id = gen_random_uuid()",
}


@pytest.mark.parametrize("name", BREAKS)
async def test_every_guard_of_the_tables_refuses_what_it_is_for(db: str, name: str) -> None:
    ways = await a_shop_with_ways()
    await chosen(*await owned_order(ways.shop), ways.at_slot())
    assert await database.fetchval("select min(starts_at) from pickup_slot") == TOMORROW
    with pytest.raises(asyncpg.IntegrityConstraintViolationError) as broken:
        await database.execute(BREAKS[name])
    assert broken.value.constraint_name == name
