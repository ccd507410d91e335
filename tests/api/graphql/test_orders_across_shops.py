"""A member's orders over all shops: every filter alone and all together, sums, receipt, timeline, parcels and the pass; and what is owed."""

from __future__ import annotations

import itertools
from collections import defaultdict
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

import pytest

from domain import db as database
from domain.orders.carriers import Carrier
from domain.orders.rules import UNPAID_STATES, FulfilmentState, OrderState, PaymentState
from domain.payments.commands import mark_paid
from domain.payments.rules import PaymentMethod
from domain.shipping.chosen import Label
from domain.shipping.rules import ShipmentState, Store
from tests import build
from tests.api.graphql.conftest import pid
from tests.counter import CLERK, CLERK_ID
from tests.parcels import an_order_to_send, packed, said

NUMBERS = "query ($f: OrderFilter) { me { orders(first: 100, filter: $f) { totalCount nodes { number } totals { orderCount total { amount currencyCode } paid { amount } amountDue { amount } } } } }"


async def a_history(people: Any, chance: Random, count: int) -> list[dict[str, Any]]:
    """Random orders of the member at three shops, two currencies and in many states; what is in them."""
    shops = [people.shop, people.other_shop, await build.a_shop(name="ＨＫ Ｓｈｏｐ", currency="HKD")]
    buyers = {shop.id: await build.a_buyer(shop, member_id=people.member) for shop in shops}
    found = []
    for n in range(count):
        shop = chance.choice(shops)
        variant = await build.a_variant(shop, on_hand=50, price_minor=chance.choice([100, 590, 1234]))
        payment = chance.choice(list(PaymentState))
        state = chance.choice([OrderState.OPEN, OrderState.OPEN, OrderState.LOCKED, OrderState.COMPLETED, OrderState.CANCELLED])
        if payment is PaymentState.UNPAID and state is OrderState.OPEN:
            payment = PaymentState.REPORTED  # only one open, unpaid order of a buyer takes more lines
        pieces = chance.choice([0, 1, 2, 3])
        total = variant.price_minor * pieces
        paid = total if payment is PaymentState.PAID else chance.choice([0, 0, total // 2, total])
        order = await build.an_order(
            shop, [(variant, pieces), (variant, chance.choice([0, 0, 1]) if pieces else 0)], buyer=buyers[shop.id], state=state,
            payment=payment, fulfilment=chance.choice([FulfilmentState.UNFULFILLED, FulfilmentState.READY, FulfilmentState.SHIPPED]),
            paid_minor=paid, pay_by=chance.choice([None, build.NOW + timedelta(hours=chance.randint(1, 5))]),
            created_at=build.NOW - timedelta(hours=n // 2),
        )  # fmt: skip
        title = chance.choice(["法式方巾", "Mango 禮盒", "ｗｉｄｅ茶"])
        await database.execute("update order_line set title = $2 where order_id = $1", order.id, title)
        row = await database.fetchrow('select * from "order" where id = $1', order.id)
        assert row is not None
        lines = await database.fetch(
            "select id, quantity, unit_price_minor from order_line where order_id = $1 order by created_at, id", order.id
        )
        found.append({**row, "shop": shop, "title": title, "lines": [dict(line) for line in lines]})
    return sorted(found, key=lambda o: (o["created_at"], o["id"]), reverse=True)


def decimal(minor: int, currency: str) -> str:
    return str(minor) if currency == "TWD" else f"{minor // 100}.{minor % 100:02d}"


def wide(text: str) -> str:
    import unicodedata

    return unicodedata.normalize("NFKC", text).lower()


async def test_every_combination_of_filters_says_exactly_those_orders_and_their_sums(people, signed_in) -> None:
    chance = Random(20261122)
    history = await a_history(people, chance, 40)
    client = await signed_in(people.member)
    since = build.NOW - timedelta(hours=11)
    ways: dict[str, tuple[Any, Any]] = {
        "shopIds": ([pid("shop", people.shop.id), pid("shop", people.other_shop.id)], lambda o: o["shop"].currency == "TWD"),
        "state": ("OPEN", lambda o: o["state"] == "OPEN"),
        "paymentState": ("PAID", lambda o: o["payment_state"] == "PAID"),
        "fulfilmentState": ("SHIPPED", lambda o: o["fulfilment_state"] == "SHIPPED"),
        "since": (since.isoformat().replace("+00:00", "Z"), lambda o: o["created_at"] >= since),
        "text": ("MANGO", lambda o: "mango" in wide(o["title"])),
    }
    seen = 0
    for size in range(len(ways) + 1):
        for chosen in itertools.combinations(ways, size):
            given = {name: ways[name][0] for name in chosen}
            expected = [o for o in history if all(ways[name][1](o) for name in chosen)]
            answer = (await client.get(NUMBERS, {"f": given}))["me"]["orders"]
            assert [node["number"] for node in answer["nodes"]] == [o["number"] for o in expected], chosen
            assert answer["totals"] == sums(expected), chosen
            seen += len(expected)
    assert seen > 150, "the history says something"


def sums(orders: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for o in orders:
        if o["state"] != "CANCELLED":
            owed = o["state"] == "OPEN" and PaymentState(o["payment_state"]) in UNPAID_STATES
            due = max(o["total_minor"] - o["paid_minor"], 0) if owed else 0
            found[o["currency"]] = [a + b for a, b in zip(found[o["currency"]], (1, o["total_minor"], o["paid_minor"], due), strict=True)]
    return [
        {
            "orderCount": count, "total": {"amount": decimal(total, currency), "currencyCode": currency}, "paid": {"amount": decimal(paid, currency)},
            "amountDue": {"amount": decimal(due, currency)},
        }
        for currency, (count, total, paid, due) in sorted(found.items())
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "hits"),
    [
        ("方巾", 1),
        ("mango", 1),
        ("WIDE", 1),
        ("ｗｉｄｅ", 1),
        ("hk shop", 1),
        ("50%", 1),
        ("%", 1),
        ("_", 0),
        ("\\", 0),
        ("nothing of it", 0),
    ],
)
async def test_a_text_is_found_in_number_shop_product_and_variant_and_is_no_pattern(people, signed_in, text, hits) -> None:
    hk = await build.a_shop(name="ＨＫ Ｓｈｏｐ", currency="HKD")
    there = await build.a_buyer(hk, member_id=people.member)
    for title, shop, buyer in (("法式方巾 50%", people.shop, people.buyer), ("Mango", people.shop, people.buyer), ("ＷＩＤＥ", hk, there)):
        order = await build.an_order(shop, {await build.a_variant(shop): 1}, buyer=buyer, payment=PaymentState.PAID)
        await database.execute("update order_line set title = $2 where order_id = $1", order.id, title)
    client = await signed_in(people.member)
    found = (await client.get(NUMBERS, {"f": {"text": text}}))["me"]["orders"]
    assert found["totalCount"] == len(found["nodes"]) == hits
    (own,) = (await client.get(NUMBERS, {"f": {"text": order.number[-4:]}}))["me"]["orders"]["nodes"]
    assert own == {"number": order.number}


async def test_a_text_has_one_to_sixty_characters(people, signed_in) -> None:
    client = await signed_in(people.member)
    for text in ("", "   ", "x" * 61):
        answer = await client.ask(NUMBERS, {"f": {"text": text}})
        assert answer.codes == ["BAD_REQUEST"]


UNPAID = """query ($f: UnpaidFilter) { me { unpaid(first: 100, filter: $f) { totalCount totals { amount currencyCode } nodes { number amountDue { amount } payBy }
  byShop { shop { id } amountDue { amount currencyCode } orderCount payBy } byDeadline { payBy amountDue { amount currencyCode } orderCount }
  lines { lineId orderId orderNumber quantity total { amount currencyCode } payBy shop { id } } } } }"""
FAR = datetime(9999, 12, 31, tzinfo=build.NOW.tzinfo)


@pytest.mark.parametrize("seed", range(6))
async def test_what_is_owed_is_said_whole_and_nothing_else(people, signed_in, seed) -> None:
    """Property, from a seed: over random orders, exactly the lines, shops, deadlines and sums that a plain count gives."""
    chance = Random(seed)
    history = await a_history(people, chance, 30)
    client = await signed_in(people.member)
    limit = build.NOW + timedelta(hours=3)
    for given, fits in (
        ({}, lambda _: True),
        ({"currency": "HKD"}, lambda o: o["currency"] == "HKD"),
        ({"shopIds": [pid("shop", people.shop.id)]}, lambda o: o["shop"].id == people.shop.id),
        ({"dueBefore": "2026-11-21T11:00:00Z"}, lambda o: o["pay_by"] is not None and o["pay_by"] < limit),
    ):
        owed = [
            o for o in history
            if o["state"] == "OPEN" and PaymentState(o["payment_state"]) in UNPAID_STATES and o["total_minor"] > o["paid_minor"] and fits(o)
        ]  # fmt: skip
        owed.sort(key=lambda o: (o["pay_by"] or FAR, o["id"]))
        found = (await client.get(UNPAID, {"f": given}))["me"]["unpaid"]
        assert [node["number"] for node in found["nodes"]] == [o["number"] for o in owed]
        assert found["totalCount"] == len(owed)
        assert [(line["lineId"], line["orderId"], line["quantity"], line["total"]["amount"]) for line in found["lines"]] == [
            (pid("line", line["id"]), pid("order", o["id"]), line["quantity"], decimal(line["quantity"] * line["unit_price_minor"], o["currency"]))
            for o in owed for line in o["lines"] if line["quantity"]
        ]  # fmt: skip
        for part, key in (
            ("totals", lambda o: o["currency"]),
            ("byShop", lambda o: o["shop"].id),
            ("byDeadline", lambda o: (o["pay_by"], o["currency"])),
        ):
            groups: dict[Any, list[int]] = defaultdict(list)
            for o in owed:
                groups[key(o)].append(o["total_minor"] - o["paid_minor"])
            expected = sorted((decimal(sum(groups[g]), next(o["currency"] for o in owed if key(o) == g)), len(groups[g])) for g in groups)
            rows = found[part]
            said = [row if part == "totals" else row["amountDue"] for row in rows]
            counts = [len(groups[row["currencyCode"]]) if part == "totals" else row["orderCount"] for row in rows]
            assert sorted(zip((row["amount"] for row in said), counts, strict=True)) == expected, part
        deadlines = [row["payBy"] for row in found["byDeadline"] if row["payBy"]]
        assert deadlines == sorted(deadlines)


async def test_paying_takes_an_order_off_the_screen(people, signed_in, services) -> None:
    order = await build.an_order(people.shop, {await build.a_variant(people.shop): 2}, buyer=people.buyer)
    client = await signed_in(people.member)
    assert (await client.get(UNPAID))["me"]["unpaid"]["totalCount"] == 1
    await mark_paid(
        order_id=order.id, shop_id=people.shop.id, method=PaymentMethod.CASH, reference="r", amount_minor=None, expected_version=None, actor=CLERK,
        by_member_id=CLERK_ID, now=build.NOW, jobs=services.jobs,
    )  # fmt: skip
    found = (await client.get(UNPAID))["me"]["unpaid"]
    assert (found["totalCount"], found["totals"], found["byShop"], found["byDeadline"], found["lines"]) == (0, [], [], [], [])


WHOLE = """{ me { orders(first: 4) { nodes { number actions payments { method amount { amount currencyCode } paidAt }
  timeline(first: 6) { totalCount totalCountIsExact nodes { kind title at by lines { title variantLabel quantity } } }
  pickup { state shop { name } orders { number } } shipments { state carrier trackingNumber storeName lastPickupDay events { state at note }
    lines { lineId title quantity orderNumber } shop { name } } } } } }"""


async def test_an_order_shows_receipt_timeline_and_pass(people, signed_in, services) -> None:
    order = await build.an_order(people.shop, {await build.a_variant(people.shop): 2}, buyer=people.buyer)
    await mark_paid(
        order_id=order.id, shop_id=people.shop.id, method=PaymentMethod.BANK_TRANSFER, reference="12345", amount_minor=None, expected_version=None,
        actor=CLERK, by_member_id=CLERK_ID, now=build.NOW, jobs=services.jobs,
    )  # fmt: skip
    line = {"title": "法式方巾", "label": "紅", "quantity": 2}
    for kind, actor, data in (("LINES_ADDED", f"member:{people.member}", {"lines": [line]}), ("A_NEW_KIND", "worker:x", {})):
        await database.execute(
            "insert into order_event (shop_id, order_id, kind, data, actor, at) values ($1, $2, $3, $4::jsonb, $5, $6)",
            people.shop.id, order.id, kind, database.jsonb(data), actor, build.NOW,
        )  # fmt: skip
    client = await signed_in(people.member)
    (found,) = (await client.get(WHOLE))["me"]["orders"]["nodes"]
    at = "2026-11-21T08:00:00Z"
    assert found == {
        "number": order.number, "actions": ["MAKE_GIFT", "SHOW_CODE", "REQUEST_CANCEL"], "shipments": [],
        "payments": [{"method": "BANK_TRANSFER", "amount": {"amount": "1180", "currencyCode": "TWD"}, "paidAt": at}],
        "timeline": {"totalCount": 4, "totalCountIsExact": True, "nodes": [
            {"kind": "PAID", "title": "已收到款項", "at": at, "by": "SHOP", "lines": []},
            {"kind": "READY_FOR_PICKUP", "title": "可以取貨", "at": at, "by": "SHOP", "lines": []},
            {"kind": "LINES_ADDED", "title": "已加入品項", "at": at, "by": "BUYER", "lines": [{"title": "法式方巾", "variantLabel": "紅", "quantity": 2}]},
            {"kind": "OTHER", "title": "訂單有更新", "at": at, "by": "SYSTEM", "lines": []},
        ]},
        "pickup": {"state": "OPEN", "shop": {"name": "小鹿團購"}, "orders": [{"number": order.number}]},
    }  # fmt: skip
    assert "12345" not in str(found)


async def test_a_long_timeline_is_walked_to_its_end_and_back(people, signed_in) -> None:
    order = await build.an_order(people.shop, {await build.a_variant(people.shop): 1}, buyer=people.buyer)
    await database.execute(
        """insert into order_event (shop_id, order_id, kind, data, actor, at)
           select $1, $2, 'PAID', '{}', 'worker:x', $3::timestamptz + n * interval '1 s' from generate_series(1, 130) n""",
        people.shop.id, order.id, build.NOW,
    )  # fmt: skip
    client, query = (
        await signed_in(people.member),
        """query ($id: ID!, $after: String) { node(id: $id) { ... on Order {
      timeline(first: 50, after: $after) { totalCount nodes { at } pageInfo { hasNextPage endCursor } } } } }""",
    )
    seen: list[str] = []
    after = None
    while True:
        page = (await client.get(query, {"id": pid("order", order.id), "after": after}))["node"]["timeline"]
        seen += [event["at"] for event in page["nodes"]]
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert len(seen) == len(set(seen)) == 130
    assert seen == sorted(seen)
    back: list[str] = []
    before, rest = None, """totalCount totalCountIsExact nodes { at } pageInfo { hasNextPage hasPreviousPage startCursor }"""
    query = (
        f"query ($id: ID!, $before: String) {{ node(id: $id) {{ ... on Order {{ timeline(last: 50, before: $before) {{ {rest} }} }} }} }}"
    )
    for left in (80, 30, 0):
        page = (await client.get(query, {"id": pid("order", order.id), "before": before}))["node"]["timeline"]
        assert (page["totalCount"], page["totalCountIsExact"]) == (130, True)
        assert (page["pageInfo"]["hasNextPage"], page["pageInfo"]["hasPreviousPage"]) == (bool(back), left > 0)
        back = [event["at"] for event in page["nodes"]] + back
        before = page["pageInfo"]["startCursor"]
    assert back == seen
    nothing = (await client.get(query, {"id": pid("order", order.id), "before": before}))["node"]["timeline"]
    assert (nothing["nodes"], nothing["totalCount"]) == ([], 130)
    between = """query ($id: ID!, $after: String, $before: String) { node(id: $id) { ... on Order {
      timeline(last: 5, after: $after, before: $before) { edges { cursor node { at } } } } } }"""
    given = {"id": pid("order", order.id)}
    edges = (await client.get(between, given))["node"]["timeline"]["edges"]
    assert [edge["node"]["at"] for edge in edges] == seen[-5:]
    given |= {"after": edges[0]["cursor"], "before": edges[3]["cursor"]}
    assert (await client.get(between, given))["node"]["timeline"]["edges"] == edges[1:3]


async def test_parcels_show_their_way_carrier_store_and_last_day(people, signed_in) -> None:
    there = await build.a_buyer(people.other_shop, member_id=people.member)
    first = await an_order_to_send(people.shop, buyer=people.buyer, created_at=build.NOW - timedelta(days=1))
    second = await an_order_to_send(people.other_shop, buyer=there)
    gone = await packed(first, label=Label(Carrier.T_CAT, "", "903-1"))
    label = Label(Carrier.SEVEN_ELEVEN, "", "F9", Store("991182", "台大門市", "台北市", date(2026, 11, 25)))
    store = await packed(second, label=label, now=build.NOW + timedelta(hours=1))
    await said(first, gone, ShipmentState.DELIVERED)
    await said(second, store, ShipmentState.SHIPPED, at=build.NOW + timedelta(hours=1))
    await said(second, store, ShipmentState.ARRIVED_AT_STORE, at=build.NOW + timedelta(hours=2), note="到店")
    client = await signed_in(people.member)
    query = """query ($f: ShipmentFilter) { me { shipments(first: 10, filter: $f) { totalCount nodes { id state carrier trackingNumber trackingUrl storeCode
      storeName storeAddress lastPickupDay shop { name } lines { title quantity orderNumber } events { state at note } } } } }"""

    async def ids(**given: Any) -> list[str]:
        return [node["id"] for node in (await client.get(query, {"f": given}))["me"]["shipments"]["nodes"]]

    assert await ids() == [pid("shipment", store), pid("shipment", gone)]
    for given in (
        {"active": True}, {"state": "ARRIVED_AT_STORE"}, {"shopIds": [pid("shop", people.other_shop.id)]}, {"orderId": pid("order", second.id)},
    ):  # fmt: skip
        assert await ids(**given) == [pid("shipment", store)], given
    assert await ids(active=False) == await ids(orderId=pid("order", first.id)) == [pid("shipment", gone)]
    assert await ids(orderId="nonsense") == await ids(orderId=pid("shop", people.shop.id)) == await ids(shopIds=[]) == []
    shown = (await client.get(query))["me"]["shipments"]["nodes"][0]
    assert shown | {"id": ""} == {
        "id": "", "state": "ARRIVED_AT_STORE", "carrier": "SEVEN_ELEVEN", "trackingNumber": "F9", "storeCode": "991182", "storeName": "台大門市",
        "trackingUrl": "https://eservice.7-11.com.tw/e-tracking/search.aspx", "storeAddress": "台北市", "lastPickupDay": "2026-11-25",
        "shop": {"name": "別家"}, "lines": [{"title": "法式方巾", "quantity": 2, "orderNumber": second.number}],
        "events": [
            {"state": "ARRIVED_AT_STORE", "at": "2026-11-21T10:00:00Z", "note": "到店"},
            {"state": "SHIPPED", "at": "2026-11-21T09:00:00Z", "note": None},
        ],
    }  # fmt: skip
    orders = (await client.get(WHOLE))["me"]["orders"]["nodes"]
    assert [[parcel["carrier"] for parcel in order["shipments"]] for order in orders] == [["SEVEN_ELEVEN"], ["T_CAT"]]
    assert (await client.get("query ($id: ID!) { node(id: $id) { ... on Shipment { trackingUrl } } }", {"id": pid("shipment", gone)}))[
        "node"
    ] == {"trackingUrl": "https://www.t-cat.com.tw/Inquire/TraceDetail.aspx?BillID=903-1"}
