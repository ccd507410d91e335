"""Every screen of the apps is one statement (and one more for rights at a shop's desk), whatever its size; what is not selected costs nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain import db as database
from domain.ids import new_id, public_id
from domain.members.standing import forget
from domain.orders.rules import FulfilmentState, PaymentState
from tests import build
from tests.sql_recorder import recorded

HOME = """{ me { orders(first: 12) { totalCount totalCountIsExact pageInfo { hasNextPage endCursor } edges { cursor } nodes {
  id number version createdAt updatedAt state paymentState fulfilmentState list deliveryMethod payBy actions
  shop { id handle name currency timeZone locale pickupPlace }
  buyer { id name provider }
  subtotal { amount currencyCode } shippingFee { amount } discount { amount } total { amount } paid { amount } amountDue { amount }
  lines { totalCount nodes { id title variantLabel quantity handedOver unitPrice { amount } total { amount }
    source { platform post { id title } } variant { id label code availability price { amount } product { title } }
    claim { id outcome reason rule { version sentence } comment { id text writtenAt platform } } } } } } } }"""
UNPAID = """{ me { unpaid(first: 5) { totalCount totals { amount currencyCode } byShop { shop { name } amountDue { amount } orderCount payBy }
  pageInfo { hasNextPage } nodes { number amountDue { amount } payBy lines { nodes { title quantity } } } } } }"""
WHOLE = """{ me { orders(first: 12, filter: {text: "法式"}) { totals { orderCount total { amount currencyCode } paid { amount } amountDue { amount } }
  nodes { id number actions shop { name } payments { method amount { amount } paidAt } timeline(first: 5) { totalCount nodes { kind at by lines { title } } }
    shipments { state carrier trackingNumber storeName lastPickupDay events { state at } } pickup { id state shop { pickupPlace } }
    lines(first: 5) { nodes { title quantity } } } } } }"""
OWED = """{ me { unpaid(first: 5, filter: {currency: TWD}) { totals { amount } byShop { shop { name } payBy } byDeadline { payBy amountDue { amount } orderCount }
  lines { lineId orderNumber title quantity total { amount } payBy shop { name } } nodes { number } } } }"""
SHIPMENTS = """{ me { shipments(first: 10, filter: {active: true}) { totalCount nodes { id state carrier trackingNumber lastPickupDay storeName
  events { state at place note } lines { title quantity } shop { name } order { id number total { amount } } } } } }"""
NOTICES = (
    "{ me { notifications(first: 20) { unreadCount totalCount nodes { id kind title body deepLink createdAt readAt shop { name } } } } }"
)
PICKUPS = "{ me { pickups(first: 10) { nodes { id state codeExpiresAt shop { name pickupPlace } orders { number lines { nodes { title } } } } } } }"
DESK_ORDERS = """query ($shop: ID!) { shop(id: $shop) { name orders(list: TO_PAY, first: 15) { totalCount nodes { number actions buyer { name }
  total { amount } lines { nodes { title quantity claim { outcome comment { text } } } } } } } }"""
DESK_STOCK = """query ($shop: ID!) { shop(id: $shop) { stock(first: 50) { totalCount nodes { onHand held committed available version sellBeyond
  backorderLimit variant { label availability product { title } } } } } }"""
DESK_COMMENTS = """query ($shop: ID!) { shop(id: $shop) { comments(first: 10, filter: {outcome: ORDERED}) { totalCount nodes { text author { name }
  post { title } revisions { text } claim { outcome reason order { number actions lines { nodes { title } } } } } } } }"""
POST = """query ($post: ID!) { salesPost(id: $post) { title state closesAt shop { name } rule { sentence version effectiveAt }
  items { codes availability product { title } variants { label availability price { amount currencyCode } } } } }"""


async def furnished(people, orders: int) -> str:
    """A shop with a post, orders, comments and notices; answers the post's id."""
    scarf = await build.a_product(people.shop, variants=("紅", "白"), on_hand=100)
    post = await build.a_post(people.shop, products=[scarf], codes=[["A1"]])
    paid = {"payment": PaymentState.PAID, "fulfilment": FulfilmentState.READY_FOR_PICKUP}
    for n in range(orders):
        at = build.NOW - timedelta(hours=n)
        state = {} if n == 0 else paid
        await build.an_order(
            people.shop, {scarf.variants[0]: 1, scarf.variants[1]: 2}, buyer=people.buyer, post=post, created_at=at, **state
        )
        await build.a_claim(people.shop, buyer=people.buyer)
    await database.execute('update claim set order_id = (select id from "order" limit 1)')
    pickup = new_id()
    await database.execute(
        """insert into pickup (id, shop_id, buyer_id, member_id, code_id, state, issue_number, short_code, version, created_at)
           values ($1, $2, $3, $4, 77, 'OPEN', 0, '', 1, $5)""",
        pickup, people.shop.id, people.buyer.id, people.member, build.NOW,
    )  # fmt: skip
    await database.execute('insert into pickup_order (order_id, shop_id, pickup_id) select id, shop_id, $1 from "order" limit 5', pickup)
    return public_id("post", post.id)


@pytest.mark.parametrize(
    "query",
    [HOME, WHOLE, UNPAID, OWED, SHIPMENTS, NOTICES, PICKUPS],
    ids=["home", "whole", "unpaid", "owed", "shipments", "notices", "pickups"],
)
@pytest.mark.parametrize("orders", [0, 1, 6])
async def test_a_buyers_screen_is_one_statement(people, signed_in, query, orders) -> None:
    await furnished(people, orders)
    client = await signed_in(people.member)
    with recorded() as sql:
        await client.get(query)
    assert len(sql) == 1


@pytest.mark.parametrize("query", [DESK_ORDERS, DESK_STOCK, DESK_COMMENTS], ids=["orders", "stock", "comments"])
@pytest.mark.parametrize("orders", [0, 6])
async def test_a_list_of_the_desk_is_one_statement_and_one_for_rights(people, signed_in, query, orders) -> None:
    await furnished(people, orders)
    client = await signed_in(people.manager)
    with recorded() as sql:
        await client.get(query, {"shop": public_id("shop", people.shop.id)})
    assert len(sql) == 2
    assert "membership" in sql[0]


async def test_all_lists_of_the_desk_share_one_look_at_the_rights(people, signed_in) -> None:
    await furnished(people, 2)
    client = await signed_in(people.owner)
    with recorded() as sql:
        await client.get(
            "query ($shop: ID!) { shop(id: $shop) { pay: orders(list: TO_PAY) { totalCount } go: orders(list: TO_PICK_UP) { totalCount } "
            "stock { totalCount } comments { totalCount } } }",
            {"shop": public_id("shop", people.shop.id)},
        )
    assert len(sql) == 5


async def test_the_post_page_is_one_statement_without_sign_in(people, signed_in) -> None:
    post = await furnished(people, 1)
    client = await signed_in(None)
    with recorded() as sql:
        await client.get(POST, {"post": post})
    assert len(sql) == 1


async def test_the_first_request_of_a_session_looks_at_the_session_once(people, signed_in) -> None:
    client = await signed_in(people.member)
    forget()
    with recorded() as sql:
        await client.get("{ me { orders { nodes { number } } } }")
        await client.get("{ me { orders { nodes { number } } } }")
    assert len(sql) == 3


@pytest.mark.parametrize(
    ("fields", "absent"),
    [
        ("number", ("order_line", "claim ", "buyer b", "variant v")),
        ("lines { nodes { title } }", ("claim ", "buyer b", "stock_level")),
        ("lines { nodes { variant { label } } }", ("claim ", "stock_level")),
        ("buyer { name }", ("order_line", "claim ")),
        ("number", ("shipment", "pickup", "order_event", "payment ")),
    ],
)
async def test_what_is_not_selected_is_not_in_the_statement(people, signed_in, fields, absent) -> None:
    await furnished(people, 1)
    client = await signed_in(people.member)
    with recorded() as sql:
        await client.get(f"{{ me {{ orders {{ nodes {{ {fields} }} }} }} }}")
    assert [word for word in absent if word in sql[0]] == []


async def test_me_without_its_own_fields_asks_nothing(people, signed_in) -> None:
    client = await signed_in(people.member)
    with recorded() as sql:
        data = await client.get("{ me { id } serverTime }")
    assert sql == []
    assert data["me"]["id"] == public_id("member", people.member)


async def test_nodes_of_one_kind_are_one_statement(people, signed_in) -> None:
    await furnished(people, 4)
    client = await signed_in(people.member)
    ids = [node["id"] for node in (await client.get("{ me { orders { nodes { id } } } }"))["me"]["orders"]["nodes"]]
    with recorded() as sql:
        data = await client.get(
            "query ($ids: [ID!]!) { nodes(ids: $ids) { id ... on Order { number } } }", {"ids": [*ids, "nothing", ids[0]]}
        )
    assert len(sql) == 1
    assert [node and node["id"] for node in data["nodes"]] == [*ids, None, ids[0]]
