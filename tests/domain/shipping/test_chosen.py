"""A parcel goes where its buyer chose unless the packer says otherwise, and then it says so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from domain import db as database
from domain.delivery.choosing import Choice, Recipient
from domain.delivery.offers import Offer, add_offer
from domain.delivery.rules import DeliveryKind, StoreChain
from domain.orders.carriers import Carrier
from domain.paging import Wanted
from domain.shipping import commands
from domain.shipping.chosen import Label, Place, completed
from domain.shipping.errors import BadParcel, ChoicesDiffer
from domain.shipping.importing import take_rows
from domain.shipping.rules import ImportOutcome, Pieces, Store
from domain.shipping.screens import shipment_of_shop
from domain.shipping.table import ImportRow
from tests.books import everything
from tests.build import NOW, ABuyer, AnOrder, AShop, a_buyer, a_member
from tests.domain.delivery.acts import OWNER, Ways, a_shop_with_ways, chosen
from tests.parcels import JOBS, PACKER, all_agrees, an_order_to_send, packed, parcel_row

SEVEN = Place(Carrier.SEVEN_ELEVEN, Store("131386", "鑫台北門市"))
FAMILY = Place(Carrier.FAMILY_MART, Store("012345", "全家光復"))
NOWHERE = Place(None, None)


@pytest.mark.parametrize(
    ("label", "places", "carrier", "store"),
    [
        (Label(), [SEVEN], Carrier.SEVEN_ELEVEN, SEVEN.store),
        (Label(Carrier.SEVEN_ELEVEN), [SEVEN], Carrier.SEVEN_ELEVEN, SEVEN.store),
        (Label(Carrier.SEVEN_ELEVEN, store=Store("999999")), [SEVEN], Carrier.SEVEN_ELEVEN, Store("999999")),
        (Label(store=Store("999999")), [SEVEN], Carrier.SEVEN_ELEVEN, Store("999999")),
        (Label(Carrier.FAMILY_MART), [SEVEN], Carrier.FAMILY_MART, None),
        (Label(Carrier.T_CAT), [SEVEN], Carrier.T_CAT, None),
        (Label(Carrier.T_CAT), [NOWHERE], Carrier.T_CAT, None),
        (Label(Carrier.SEVEN_ELEVEN), [SEVEN, FAMILY], Carrier.SEVEN_ELEVEN, None),
        (Label(Carrier.POST), [], Carrier.POST, None),
        (Label(), [replace(SEVEN, store=None)], Carrier.SEVEN_ELEVEN, None),
    ],
)
def test_what_a_label_leaves_open_is_as_was_chosen(label: Label, places: list[Place], carrier: Carrier, store: Store | None) -> None:
    found, whole = completed(label, places)
    assert (found, whole.carrier, whole.store) == (carrier, carrier, store)
    assert (whole.carrier_name, whole.tracking_number) == (label.carrier_name, label.tracking_number)


@pytest.mark.parametrize(
    ("places", "error"), [([], BadParcel), ([NOWHERE], BadParcel), ([SEVEN, FAMILY], ChoicesDiffer), ([SEVEN, NOWHERE], ChoicesDiffer)]
)
def test_without_a_carrier_there_must_be_one_store(places: list[Place], error: type[Exception]) -> None:
    with pytest.raises(error) as refused:
        completed(Label(), places)
    assert refused.value.field == "carrier"  # type: ignore[attr-defined]


async def a_choice(ways: Ways, choice: Choice | None, buyer: ABuyer | None = None) -> AnOrder:
    """A paid order of a member, who chose; its fee is the offer's."""
    who = buyer or await a_buyer(ways.shop, member_id=await a_member())
    order = await an_order_to_send(ways.shop, buyer=who)
    if choice is not None:
        fee = await database.fetchval("select fee_minor from delivery_offer where id = $1", choice.offer_id)
        method = "PICKUP" if choice.slot_id else "SHIP"
        await database.execute(
            """update "order" set shipping_minor = $2, total_minor = subtotal_minor + $2, paid_minor = subtotal_minor + $2, delivery_method = $3,
               version = version + 1 where id = $1""",
            order.id,
            fee,
            method,
        )
        assert who.member_id is not None
        await chosen(who.member_id, order, choice)
    return order


async def shown(shop: AShop, parcel: UUID) -> tuple[str, str | None, str | None, list[str]]:
    """Carrier, store and differences on the screens of the shop."""
    row = await shipment_of_shop(shop.id, parcel, wanted=Wanted.of("differences", "lines"))
    assert row is not None
    return row["carrier"], row["store_code"], row["store_name"], row["differences"]


async def audited() -> dict[str, Any]:
    found: dict[str, Any] = database.from_jsonb(
        await database.fetchval("select detail from audit_entry where action = 'shipment.create' order by id desc limit 1")
    )
    return found


async def test_a_parcel_goes_to_the_chosen_store(db: str) -> None:
    ways = await a_shop_with_ways()
    order = await a_choice(ways, ways.at_store())
    for label in (Label(), Label(Carrier.SEVEN_ELEVEN, "", "S1")):
        parcel = await packed(order, {0: 1}, label=label)
        assert await shown(ways.shop, parcel) == ("SEVEN_ELEVEN", "131386", "鑫台北門市", [])
        assert "unlike" not in await audited()
    await all_agrees()


@pytest.mark.parametrize(
    ("kind", "label", "unlike"),
    [
        ("store", Label(Carrier.FAMILY_MART), ["CARRIER"]),
        ("store", Label(Carrier.T_CAT), ["CARRIER"]),
        ("store", Label(Carrier.SEVEN_ELEVEN, store=Store("999999", "別家")), ["STORE"]),
        ("home", Label(Carrier.T_CAT), []),
        ("home", Label(Carrier.OTHER, "自己送"), []),
        ("home", Label(Carrier.HI_LIFE, store=Store("1234")), ["CARRIER"]),
        ("meet", Label(Carrier.POST), ["METHOD"]),
        (None, Label(Carrier.OK_MART, store=Store("1234")), []),
    ],
)
async def test_a_parcel_that_goes_elsewhere_says_so(db: str, kind: str | None, label: Label, unlike: list[str]) -> None:
    ways = await a_shop_with_ways()
    choice = {"store": ways.at_store(), "home": ways.to_home(), "meet": ways.at_slot(), None: None}[kind]
    order = await a_choice(ways, choice)
    parcel = await packed(order, label=label)
    assert (await shown(ways.shop, parcel))[3] == unlike
    assert (await audited()).get("unlike", []) == unlike
    assert "131386" not in str(await audited())


@pytest.mark.parametrize("kind", ["home", "meet", None])
async def test_where_no_carrier_follows_one_must_be_named(db: str, kind: str | None) -> None:
    ways = await a_shop_with_ways()
    order = await a_choice(ways, {"home": ways.to_home(), "meet": ways.at_slot(), None: None}[kind])
    before = await everything()
    with pytest.raises(BadParcel) as refused:
        await packed(order, label=Label())
    assert refused.value.field == "carrier"
    assert await everything() == before


async def test_orders_of_one_parcel_that_go_to_different_places(db: str) -> None:
    ways = await a_shop_with_ways()
    buyer = await a_buyer(ways.shop, member_id=await a_member())
    orders = [await a_choice(ways, choice, buyer) for choice in (ways.at_store(), ways.at_store("999999"), None)]

    async def parcel_of(*which: int, label: Label) -> UUID:
        pieces = [Pieces(orders[place].lines[0], 1) for place in which]
        return await commands.create(shop_id=ways.shop.id, pieces=pieces, label=label, actor=PACKER, now=NOW)

    before = await everything()
    with pytest.raises(ChoicesDiffer):
        await parcel_of(0, 1, label=Label())
    assert await everything() == before
    alike = await parcel_of(0, 2, label=Label())
    assert await shown(ways.shop, alike) == ("SEVEN_ELEVEN", "131386", "鑫台北門市", [])
    by_hand = await parcel_of(0, 1, label=Label(Carrier.SEVEN_ELEVEN, store=Store("131386")))
    assert (await shown(ways.shop, by_hand))[3] == ["STORE", "SEVERAL"]


async def test_another_carrier_brings_the_store_that_was_chosen_there_and_takes_others_away(db: str) -> None:
    ways = await a_shop_with_ways()
    parcel = await packed(await a_choice(ways, ways.at_store()), label=Label(Carrier.FAMILY_MART, "", "F1", Store("012345", "全家光復")))
    assert (await shown(ways.shop, parcel))[3] == ["CARRIER"]

    async def relabel(**given: Any) -> tuple[str, str | None, str | None, list[str]]:
        assert await commands.relabel(shop_id=ways.shop.id, shipment_id=parcel, actor=PACKER, now=NOW, **given)
        return await shown(ways.shop, parcel)

    assert await relabel(carrier=Carrier.SEVEN_ELEVEN) == ("SEVEN_ELEVEN", "131386", "鑫台北門市", [])
    assert await relabel(carrier=Carrier.HI_LIFE) == ("HI_LIFE", None, None, ["CARRIER"])
    assert await relabel(carrier=Carrier.SEVEN_ELEVEN, store=Store("131390", "新門市")) == ("SEVEN_ELEVEN", "131390", "新門市", ["STORE"])


async def test_a_choice_after_a_part_was_packed_shows_on_that_parcel(db: str) -> None:
    ways = await a_shop_with_ways()
    member = await a_member()
    order = await a_choice(ways, ways.at_store(), await a_buyer(ways.shop, member_id=member))
    first = await packed(order, {0: 1}, label=Label())
    await chosen(member, order, ways.at_store("999999"))
    assert (await shown(ways.shop, first))[3] == ["STORE"]
    second = await packed(order, label=Label())
    assert (await shown(ways.shop, second))[1:] == ("999999", "鑫台北門市", [])


async def test_an_import_takes_the_chosen_store_and_a_long_name_is_cut(db: str) -> None:
    ways = await a_shop_with_ways()
    offer = await add_offer(
        shop_id=ways.shop.id, offer=Offer(DeliveryKind.CONVENIENCE_STORE, "全家", 60, "", StoreChain.FAMILY_MART), actor=OWNER, now=NOW
    )
    order = await a_choice(ways, Choice(offer, None, "012345", "店" * 80, Recipient("王媽媽", "0912345678")))
    (done,) = await take_rows(
        [ImportRow(2, order.number, Carrier.FAMILY_MART, "", "F77")], shop_id=ways.shop.id, describe=lambda e: {"code": e.code}, actor=PACKER,
        now=NOW, jobs=JOBS,
    )  # fmt: skip
    assert (done.outcome, done.shipment_id is None) == (ImportOutcome.CREATED, False)
    assert done.shipment_id is not None
    row = await parcel_row(done.shipment_id)
    assert (row["store_code"], row["store_name"]) == ("012345", "店" * 60)


async def test_what_was_erased_with_its_member_is_no_difference(db: str) -> None:
    ways = await a_shop_with_ways()
    parcel = await packed(await a_choice(ways, ways.at_store()), label=Label())
    await database.execute("update order_delivery set store_code = '', store_name = '', recipient_name = '', recipient_phone = ''")
    assert (await shown(ways.shop, parcel))[3] == []
