"""Delivery and gifts through the API: offered by staff, seen by everybody, chosen by the buyer; a gift's holder sees no price, nor a way to one."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import GraphQLObjectType, get_named_type

from api.graphql_app import schema
from domain import db as database
from domain.ids import new_id
from plusone.invariants import check
from tests import books, build
from tests.api.graphql.conftest import pid
from tests.api.graphql.test_mutations import do, refused
from tests.domain.delivery.acts import Ways, a_shop_with_ways
from tests.sql_recorder import recorded

OFFER = """mutation ($input: DeliveryOfferCreateInput!, $key: String!) { deliveryOfferCreate(input: $input) @idempotent(key: $key) {
  offer { id kind name place chain fee { amount currencyCode } slots { id } } userErrors { code field message } } }"""
WITHDRAW = (
    """mutation ($input: DeliveryOfferWithdrawInput!) { deliveryOfferWithdraw(input: $input) { offer { id } userErrors { code } } }"""
)
SLOT = """mutation ($input: PickupSlotCreateInput!, $key: String!) { pickupSlotCreate(input: $input) @idempotent(key: $key) {
  slot { id startsAt endsAt capacity left isClosed } userErrors { code field message } } }"""
CHANGE = """mutation ($input: PickupSlotUpdateInput!) { pickupSlotUpdate(input: $input) {
  slot { capacity left isClosed } userErrors { code field } } }"""
CHOOSE = """mutation ($input: OrderDeliveryChooseInput!, $key: String!) { orderDeliveryChoose(input: $input) @idempotent(key: $key) {
  order { version deliveryMethod shippingFee { amount } total { amount } actions
    delivery { offer { id kind name place chain fee { amount } } slot { id left } storeCode storeName chosenAt }
    recipient { name phone postalCode address } }
  userErrors { code field message conflictingVersion } } }"""
OPTIONS = """query ($id: ID!) { node(id: $id) { ... on Shop { deliveryOptions { id kind name place chain fee { amount }
  slots { id startsAt endsAt capacity left isClosed } } } } }"""
LINK = """mutation ($input: GiftLinkCreateInput!) { giftLinkCreate(input: $input) {
  link { token expiresAt } order { isGift gift { sender message hasLink expiresAt createdAt } } userErrors { code field } } }"""
REVOKE = """mutation ($input: GiftLinkRevokeInput!) { giftLinkRevoke(input: $input) { order { isGift gift { hasLink } } userErrors { code } } }"""
GIFT = """query ($token: String!) { gift(token: $token) { shopName sender message fulfilmentState expiresAt items { title variantLabel quantity }
  delivery { kind place startsAt endsAt timeZone chain storeName } } }"""
ACTS = ["UNDO", "REDUCE", "REQUEST_CANCEL"]
MOTHER = {"name": "王媽媽", "phone": "0912345678"}


@pytest.fixture
async def ways(people) -> Ways:
    return await a_shop_with_ways(shop=people.shop)


async def mine(people: Any, **how: Any) -> build.AnOrder:
    return await build.an_order(people.shop, {await build.a_variant(people.shop): 2}, buyer=people.buyer, **how)


async def test_staff_offer_and_everybody_sees_it_in_one_statement(people, signed_in) -> None:
    owner, key = await signed_in(people.manager), str(new_id())
    given = {"shopId": pid("shop", people.shop.id), "kind": "FACE_TO_FACE", "name": "捷運面交", "fee": "0", "place": "中山站"}
    made = await do(owner, OFFER, given, key)
    assert made["userErrors"] == []
    assert await do(owner, OFFER, given, key) == made
    store = {"shopId": given["shopId"], "kind": "CONVENIENCE_STORE", "name": "店到店", "fee": "60", "chain": "FAMILY_MART"}
    assert (await do(owner, OFFER, store))["offer"]["fee"] == {"amount": "60", "currencyCode": "TWD"}
    slot = await do(
        owner, SLOT, {"offerId": made["offer"]["id"], "startsAt": "2026-11-22T11:00:00Z", "endsAt": "2026-11-22T13:00:00Z", "capacity": 40}
    )
    assert slot["userErrors"] == []
    client = await signed_in(people.stranger)
    with recorded() as sql:
        options = (await client.get(OPTIONS, {"id": given["shopId"]}))["node"]["deliveryOptions"]
    assert options == [
        {
            "id": made["offer"]["id"], "kind": "FACE_TO_FACE", "name": "捷運面交", "place": "中山站", "chain": None, "fee": {"amount": "0"},
            "slots": [
                {"id": slot["slot"]["id"], "startsAt": "2026-11-22T11:00:00Z", "endsAt": "2026-11-22T13:00:00Z", "capacity": 40, "left": 40,
                 "isClosed": False}
            ],
        },
        {"id": options[1]["id"], "kind": "CONVENIENCE_STORE", "name": "店到店", "place": None, "chain": "FAMILY_MART", "fee": {"amount": "60"}, "slots": []},
    ]  # fmt: skip
    assert len([s for s in sql if "delivery_offer" in s]) == 1
    changed = await do(owner, CHANGE, {"slotId": slot["slot"]["id"], "capacity": 5, "closed": True})
    assert changed == {"slot": {"capacity": 5, "left": 0, "isClosed": True}, "userErrors": []}
    assert (await client.get(OPTIONS, {"id": given["shopId"]}))["node"]["deliveryOptions"][0]["slots"] == []
    assert (await do(owner, WITHDRAW, {"offerId": made["offer"]["id"]}))["userErrors"] == []
    assert [o["kind"] for o in (await client.get(OPTIONS, {"id": given["shopId"]}))["node"]["deliveryOptions"]] == ["CONVENIENCE_STORE"]


async def test_a_choice_is_priced_and_seen_by_its_buyer_and_staff(people, ways, signed_in) -> None:
    order = await mine(people)
    client = await signed_in(people.member)
    given = {
        "orderId": pid("order", order.id),
        "offerId": pid("offer", ways.store),
        "store": {"code": "131386", "name": "鑫台北"},
        "recipient": MOTHER,
    }
    payload = await do(client, CHOOSE, {**given, "expectedVersion": 1})
    assert payload["userErrors"] == []
    assert payload["order"] == {
        "version": 2, "deliveryMethod": "SHIP", "shippingFee": {"amount": "60"}, "total": {"amount": "1240"},
        "actions": ["PAY", "REPORT_TRANSFER", "CHOOSE_DELIVERY", "MAKE_GIFT", "UNDO", "REDUCE", "REQUEST_CANCEL"],
        "delivery": {
            "offer": {"id": pid("offer", ways.store), "kind": "CONVENIENCE_STORE", "name": "7-11 店到店", "place": None, "chain": "SEVEN_ELEVEN", "fee": {"amount": "60"}},
            "slot": None, "storeCode": "131386", "storeName": "鑫台北", "chosenAt": "2026-11-21T08:00:00Z",
        },
        "recipient": {"name": "王媽媽", "phone": "0912345678", "postalCode": None, "address": None},
    }  # fmt: skip
    slot = {"orderId": given["orderId"], "offerId": pid("offer", ways.meet), "slotId": pid("slot", ways.slot)}
    payload = await do(client, CHOOSE, slot)
    assert payload["order"]["delivery"]["slot"] == {"id": pid("slot", ways.slot), "left": 1}
    assert (payload["order"]["recipient"], payload["order"]["total"]) == (None, {"amount": "1180"})
    query = (
        "query ($id: ID!) { shop(id: $id) { orders { nodes { delivery { offer { name } slot { left } } recipient { name } isGift } } } }"
    )
    await do(client, CHOOSE, {**slot, "recipient": {"name": "王媽媽", "phone": "0912345678"}})
    for who in (people.owner, people.helper):
        staff = await signed_in(who)
        with recorded() as sql:
            found = await staff.get(query, {"id": pid("shop", people.shop.id)})
        assert found["shop"]["orders"]["nodes"] == [
            {"delivery": {"offer": {"name": "捷運面交"}, "slot": {"left": 1}}, "recipient": {"name": "王媽媽"}, "isGift": False}
        ]
        assert len([s for s in sql if "order_delivery" in s]) == 1
    assert await check(build.NOW) == []


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"offerId": "offer_AAAAAAAAAAAAAAAAAAAAAA"}, "NOT_FOUND", None),
        ({"offerId": "nonsense"}, "NOT_FOUND", None),
        ({"orderId": "order_AAAAAAAAAAAAAAAAAAAAAA"}, "NOT_FOUND", None),
        ({"slotId": "slot_AAAAAAAAAAAAAAAAAAAAAA"}, "INVALID_INPUT", "slotId"),
        ({"store": {"code": "1", "name": "x"}}, "INVALID_INPUT", "store.code"),
        ({"store": None}, "INVALID_INPUT", "store.code"),
        ({"recipient": None}, "INVALID_INPUT", "recipient.name"),
        ({"recipient": {"name": "x" * 61, "phone": "0912345678"}}, "INVALID_INPUT", "recipient.name"),
        ({"recipient": {"name": "王媽媽", "phone": "02-23456789"}}, "INVALID_INPUT", "recipient.phone"),
        ({"expectedVersion": 7}, "VERSION_CONFLICT", None),
    ],
)
async def test_a_choice_is_refused_with_a_code_and_changes_nothing(people, ways, signed_in, change, code, field) -> None:
    order = await mine(people)
    before = await books.everything()
    given = {
        "orderId": pid("order", order.id),
        "offerId": pid("offer", ways.store),
        "store": {"code": "131386", "name": "x"},
        "recipient": MOTHER,
    }
    payload = await do(await signed_in(people.member), CHOOSE, {**given, **change})
    assert refused(payload) == [code]
    assert payload["userErrors"][0]["field"] == (["input", *field.split(".")] if field else None)
    assert await books.everything() == before


async def test_refusals_of_a_full_slot_a_fixed_fee_and_a_second_order_have_their_codes(people, ways, signed_in) -> None:
    await database.execute("update pickup_slot set capacity = 1")
    first, client = await mine(people), await signed_in(people.member)
    slot = {"offerId": pid("offer", ways.meet), "slotId": pid("slot", ways.slot)}
    await do(client, CHOOSE, {"orderId": pid("order", first.id), **slot})
    ship = await mine(people, method=build.DeliveryMethod.SHIP)
    home = {"offerId": pid("offer", ways.home), "recipient": {**MOTHER, "address": "臺北市中山區南京東路"}}
    assert refused(await do(client, CHOOSE, {"orderId": pid("order", first.id), **home})) == ["DUPLICATE_ITEM"]
    paid = await mine(people, payment=build.PaymentState.PAID, fulfilment=build.FulfilmentState.READY_FOR_PICKUP)
    assert refused(await do(client, CHOOSE, {"orderId": pid("order", paid.id), **home})) == ["AMOUNT_MISMATCH"]
    assert refused(await do(client, CHOOSE, {"orderId": pid("order", paid.id), **slot})) == ["SLOT_FULL"]
    await database.execute("update delivery_offer set withdrawn_at = created_at")
    assert refused(await do(client, CHOOSE, {"orderId": pid("order", ship.id), **home})) == ["ITEM_CLOSED"]


async def test_what_may_be_chosen_is_among_the_actions_only_where_something_is_offered(people, signed_in) -> None:
    await mine(people)
    client = await signed_in(people.member)
    for query in ("{ me { orders { nodes { actions } } } }", "{ me { orders { nodes { actions buyer { id } } } } }"):
        assert (await client.get(query))["me"]["orders"]["nodes"][0]["actions"] == ["PAY", "REPORT_TRANSFER", "MAKE_GIFT", *ACTS]
    await a_shop_with_ways(shop=people.shop)
    for query in ("{ me { orders { nodes { actions } } } }", "{ me { orders { nodes { actions buyer { id } } } } }"):
        assert (await client.get(query))["me"]["orders"]["nodes"][0]["actions"] == [
            "PAY",
            "REPORT_TRANSFER",
            "CHOOSE_DELIVERY",
            "MAKE_GIFT",
            *ACTS,
        ]


async def test_whoever_has_the_link_sees_the_gift_without_signing_in(people, ways, signed_in) -> None:
    order = await mine(people)
    client, nobody = await signed_in(people.member), await signed_in(None)
    payload = await do(client, LINK, {"orderId": pid("order", order.id), "sender": "小美", "message": "生日快樂"})
    assert payload["userErrors"] == []
    assert payload["order"] == {
        "isGift": True,
        "gift": {
            "sender": "小美",
            "message": "生日快樂",
            "hasLink": True,
            "expiresAt": "2026-12-21T08:00:00Z",
            "createdAt": "2026-11-21T08:00:00Z",
        },
    }
    token = payload["link"]["token"]
    for who in (nobody, await signed_in(people.stranger), await signed_in(people.owner)):
        answer = await who.ask(GIFT, {"token": token})
        assert answer.data["gift"] == {
            "shopName": "小鹿團購", "sender": "小美", "message": "生日快樂", "fulfilmentState": "UNFULFILLED", "expiresAt": "2026-12-21T08:00:00Z",
            "items": [{"title": "法式方巾", "variantLabel": "", "quantity": 2}], "delivery": None,
        }  # fmt: skip
        for hidden in ("1180", "590", order.number, "陳小美", pid("order", order.id)):
            assert hidden not in answer.response.text
    for other in ("", "gift_x", token + "x", "x" * 500, "\u200b", "禮物"):
        assert (await nobody.get(GIFT, {"token": other}))["gift"] is None
    assert await do(client, REVOKE, {"orderId": pid("order", order.id)}) == {
        "order": {"isGift": True, "gift": {"hasLink": False}},
        "userErrors": [],
    }
    assert (await nobody.get(GIFT, {"token": token}))["gift"] is None


def test_from_a_gift_no_price_can_be_reached() -> None:
    """Every field below `gift`, by the schema: no money, no order, no shop's desk, no member, and nothing that is asked on."""
    types, waiting, seen = schema._schema.type_map, ["Gift"], set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        type_ = types[name]
        if isinstance(type_, GraphQLObjectType):
            waiting += [get_named_type(field.type).name for field in type_.fields.values()]
            assert [field for field in type_.fields.values() if field.args] == []
    assert seen == {"Gift", "GiftItem", "GiftDelivery", "DeliveryKind", "StoreChain", "FulfilmentState", "String", "Int", "DateTime"}
    words = {name.lower() for one in ("Gift", "GiftItem", "GiftDelivery") for name in types[one].fields}  # type: ignore[attr-defined]
    assert not [
        word
        for word in words
        if any(hidden in word for hidden in ("price", "total", "amount", "fee", "paid", "number", "address", "phone"))
    ]
