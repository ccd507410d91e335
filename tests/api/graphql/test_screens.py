"""What each screen says, exactly."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain import db as database
from domain.claims.rules import ClaimOutcome
from domain.ids import new_id, public_id
from domain.notices.commands import NoticeDraft, enqueue
from domain.notices.rules import NoticeKind
from domain.orders.rules import FulfilmentState, OrderState, PaymentState
from domain.posts.commands import set_policy
from domain.posts.rules import DeliveryMethod, PostState
from tests import build
from tests.api.graphql.conftest import pid

READY = {"payment": PaymentState.PAID, "fulfilment": FulfilmentState.READY_FOR_PICKUP}


async def test_a_buyer_sees_their_orders_of_all_shops_newest_first(people, signed_in) -> None:
    there = await build.a_buyer(people.other_shop, member_id=people.member)
    here = await build.an_order(
        people.shop, {await build.a_variant(people.shop): 2}, buyer=people.buyer, created_at=build.NOW - timedelta(hours=2)
    )
    newer = await build.an_order(people.other_shop, {await build.a_variant(people.other_shop, price_minor=100): 1}, buyer=there)
    await build.an_order(people.shop, {await build.a_variant(people.shop): 1})
    client = await signed_in(people.member)
    data = await client.get(
        "{ me { displayName locale orders { totalCount nodes { id number shop { name } total { amount currencyCode } } } } }"
    )
    assert data["me"] == {
        "displayName": "陳小美",
        "locale": "zh-TW",
        "orders": {
            "totalCount": 2,
            "nodes": [
                {
                    "id": pid("order", newer.id),
                    "number": newer.number,
                    "shop": {"name": "別家"},
                    "total": {"amount": "100", "currencyCode": "TWD"},
                },
                {
                    "id": pid("order", here.id),
                    "number": here.number,
                    "shop": {"name": "小鹿團購"},
                    "total": {"amount": "1180", "currencyCode": "TWD"},
                },
            ],
        },
    }


async def test_amounts_have_the_digits_of_their_currency(people, signed_in) -> None:
    shop = await build.a_shop(name="HK", currency="HKD")
    buyer = await build.a_buyer(shop, member_id=people.member)
    await build.an_order(shop, {await build.a_variant(shop, price_minor=12305): 2}, buyer=buyer)
    client = await signed_in(people.member)
    order = (await client.get("{ me { orders { nodes { total { amount currencyCode } amountDue { amount } discount { amount } } } } }"))[
        "me"
    ]["orders"]
    assert order["nodes"] == [
        {"total": {"amount": "246.10", "currencyCode": "HKD"}, "amountDue": {"amount": "246.10"}, "discount": {"amount": "0.00"}}
    ]


async def test_orders_are_narrowed_by_shop_state_and_time(people, signed_in) -> None:
    variant = await build.a_variant(people.shop, on_hand=50)
    there = await build.a_buyer(people.other_shop, member_id=people.member)
    old = await build.an_order(people.shop, {variant: 1}, buyer=people.buyer, created_at=build.NOW - timedelta(days=9), **READY)
    gone = await build.an_order(
        people.shop, {variant: 1}, buyer=people.buyer, state=OrderState.CANCELLED, created_at=build.NOW - timedelta(days=1)
    )
    far = await build.an_order(people.other_shop, {await build.a_variant(people.other_shop): 1}, buyer=there)
    client = await signed_in(people.member)

    async def numbers(**given: object) -> set[str]:
        query = "query ($f: OrderFilter) { me { orders(filter: $f) { nodes { number } } } }"
        return {node["number"] for node in (await client.get(query, {"f": given}))["me"]["orders"]["nodes"]}

    assert await numbers() == {old.number, gone.number, far.number}
    assert await numbers(shopIds=[pid("shop", people.other_shop.id)]) == {far.number}
    assert await numbers(shopIds=[]) == set()
    assert await numbers(shopIds=["shop_nonsense"]) == set()
    assert await numbers(state="CANCELLED") == {gone.number}
    assert await numbers(paymentState="PAID") == {old.number}
    assert await numbers(since="2026-11-20T00:00:00+08:00") == {gone.number, far.number}


async def test_unpaid_is_exactly_what_is_owed_with_the_nearest_deadline_first(people, signed_in) -> None:
    variant = await build.a_variant(people.shop, on_hand=50)
    hk = await build.a_shop(name="HK", currency="HKD")
    there = await build.a_buyer(hk, member_id=people.member)
    soon, later = build.NOW + timedelta(hours=1), build.NOW + timedelta(days=2)
    a = await build.an_order(people.shop, {variant: 1}, buyer=people.buyer, pay_by=later)
    b = await build.an_order(hk, {await build.a_variant(hk, price_minor=1050): 1}, buyer=there, pay_by=soon)
    c = await build.an_order(
        people.shop, {variant: 2}, buyer=people.buyer, payment=PaymentState.PARTIALLY_PAID, paid_minor=180, pay_by=None
    )
    await build.an_order(people.shop, {variant: 1}, buyer=people.buyer, **READY)
    await build.an_order(people.shop, {variant: 1}, buyer=people.buyer, state=OrderState.CANCELLED, method=DeliveryMethod.SHIP)
    client = await signed_in(people.member)
    query = """{ me { unpaid { totalCount totals { amount currencyCode } nodes { number amountDue { amount } payBy }
      byShop { shop { name } amountDue { amount currencyCode } orderCount payBy } } } }"""
    assert (await client.get(query))["me"]["unpaid"] == {
        "totalCount": 3,
        "totals": [{"amount": "10.50", "currencyCode": "HKD"}, {"amount": "1590", "currencyCode": "TWD"}],
        "nodes": [
            {"number": b.number, "amountDue": {"amount": "10.50"}, "payBy": "2026-11-21T09:00:00Z"},
            {"number": a.number, "amountDue": {"amount": "590"}, "payBy": "2026-11-23T08:00:00Z"},
            {"number": c.number, "amountDue": {"amount": "1000"}, "payBy": None},
        ],
        "byShop": [
            {
                "shop": {"name": "HK"},
                "amountDue": {"amount": "10.50", "currencyCode": "HKD"},
                "orderCount": 1,
                "payBy": "2026-11-21T09:00:00Z",
            },
            {
                "shop": {"name": "小鹿團購"},
                "amountDue": {"amount": "1590", "currencyCode": "TWD"},
                "orderCount": 2,
                "payBy": "2026-11-23T08:00:00Z",
            },
        ],
    }
    empty = await (await signed_in(people.stranger)).get(query)
    assert empty["me"]["unpaid"] == {"totalCount": 0, "totals": [], "nodes": [], "byShop": []}


async def test_a_line_leads_back_to_its_comment_and_rule(people, signed_in) -> None:
    channel = await build.a_channel(people.shop)
    scarf = await build.a_product(people.shop)
    post = await build.a_post(people.shop, products=[scarf], channel=channel)
    order = await build.an_order(people.shop, {scarf.variants[0]: 2}, buyer=people.buyer, post=post)
    claim = await build.a_claim(people.shop, channel=channel, buyer=people.buyer, text="紅色+2")
    async with database.transaction() as tx:
        policy = await set_policy(
            tx, shop_id=people.shop.id, post_id=None, policy={"reading": "STRICT", "trigger_symbols": ["="]}, now=build.NOW
        )
    await database.execute(
        "update claim set policy_version_id = $2, order_id = $3, post_id = $4 where id = $1", claim, policy, order.id, post.id
    )
    await database.execute("update order_line set claim_id = $2 where id = $1", order.lines[0], claim)
    client = await signed_in(people.member)
    query = """query ($id: ID!) { node(id: $id) { ... on Order { lines { nodes { quantity source { platform post { title } }
      claim { outcome rule { version sentence } order { number } comment { text platform claim { outcome } } } } } } } }"""
    line = (await client.get(query, {"id": pid("order", order.id)}))["node"]["lines"]["nodes"][0]
    assert line["quantity"] == 2
    assert line["source"] == {"platform": "FACEBOOK_PAGE", "post": {"title": "週五團"}}
    assert line["claim"]["comment"] == {"text": "紅色+2", "platform": "FACEBOOK_PAGE", "claim": {"outcome": "ORDERED"}}
    assert line["claim"]["order"] == {"number": order.number}
    assert line["claim"]["rule"]["version"] == 1
    assert "紅色=1" in line["claim"]["rule"]["sentence"]


async def test_the_inbox_says_the_words_of_the_push_in_the_asked_language(people, signed_in, services) -> None:
    order = await build.an_order(people.shop, {await build.a_variant(people.shop): 1}, buyer=people.buyer)
    facts = {"shopName": "小鹿團購", "orderId": str(order.id), "orderNumber": order.number, "paidMinor": 590, "currency": "TWD"}
    async with database.transaction() as tx:
        await enqueue(
            tx, people.shop.id, [NoticeDraft(people.buyer.id, NoticeKind.PAYMENT_RECEIVED, "k1", facts)], now=build.NOW, jobs=services.jobs
        )
    client = await signed_in(people.member)
    query = "{ me { notifications { unreadCount totalCount nodes { kind title body deepLink readAt createdAt shop { name } } } } }"
    inbox = (await client.get(query))["me"]["notifications"]
    assert (inbox["unreadCount"], inbox["totalCount"]) == (1, 1)
    notice = inbox["nodes"][0]
    assert notice["title"] == "小鹿團購：已收到款項"
    assert order.number in notice["body"]
    assert pid("order", order.id) in notice["deepLink"]
    assert (notice["kind"], notice["readAt"], notice["createdAt"]) == ("PAYMENT_RECEIVED", None, "2026-11-21T08:00:00Z")
    english = (await client.ask(query, accept_language="en-GB, zh;q=0.5")).data["me"]["notifications"]["nodes"][0]
    assert english["title"].isascii() is False  # the shop's own name stays
    assert "小鹿團購: " in english["title"]


async def test_pickups_show_their_shop_and_orders(people, signed_in) -> None:
    order = await build.an_order(people.shop, {await build.a_variant(people.shop): 1}, buyer=people.buyer, **READY)
    pickup = await a_pickup(people, order)
    client = await signed_in(people.member)
    query = """query ($f: PickupFilter) { me { pickups(filter: $f) { nodes { id state codeExpiresAt createdAt shop { pickupPlace } orders { number actions } } } } }"""
    expected = {
        "id": pid("pickup", pickup), "state": "OPEN", "codeExpiresAt": None, "createdAt": "2026-11-21T08:00:00Z",
        "shop": {"pickupPlace": "捷運中山站 2 號出口"},
        "orders": [{"number": order.number, "actions": ["MAKE_GIFT", "SHOW_CODE", "REQUEST_CANCEL"]}],
    }  # fmt: skip
    assert (await client.get(query))["me"]["pickups"]["nodes"] == [expected]
    assert (await client.get(query, {"f": {"state": "COLLECTED"}}))["me"]["pickups"]["nodes"] == []


async def a_pickup(people, order) -> object:
    pickup = new_id()
    await database.execute(
        """insert into pickup (id, shop_id, buyer_id, member_id, code_id, state, issue_number, short_code, version, created_at)
           values ($1, $2, $3, $4, 77, 'OPEN', 0, '', 1, $5)""",
        pickup, people.shop.id, people.buyer.id, people.member, build.NOW,
    )  # fmt: skip
    await database.execute("insert into pickup_order (order_id, shop_id, pickup_id) values ($1, $2, $3)", order.id, people.shop.id, pickup)
    return pickup


@pytest.mark.parametrize("by", ["id", "handle"])
async def test_staff_find_their_shop(people, signed_in, by) -> None:
    client = await signed_in(people.scanner)
    given = pid("shop", people.shop.id) if by == "id" else people.shop.handle
    data = await client.get(f'{{ shop({by}: "{given}") {{ id handle name currency timeZone }} }}')
    assert data["shop"] == {
        "id": pid("shop", people.shop.id), "handle": people.shop.handle, "name": "小鹿團購", "currency": "TWD", "timeZone": "Asia/Taipei",
    }  # fmt: skip


async def test_each_order_stands_in_the_list_of_its_state_and_counts_agree(people, signed_in) -> None:
    variant = await build.a_variant(people.shop, on_hand=50)
    pay = await build.an_order(people.shop, {variant: 1})
    pick = await build.an_order(people.shop, {variant: 1}, **READY)
    ship = await build.an_order(people.shop, {variant: 1}, payment=PaymentState.PAID, method=DeliveryMethod.SHIP)
    sent = await build.an_order(
        people.shop, {variant: 1}, payment=PaymentState.PAID, fulfilment=FulfilmentState.SHIPPED, method=DeliveryMethod.SHIP
    )
    flagged = await build.an_order(people.shop, {variant: 1}, flagged=True)
    done = await build.an_order(people.shop, {variant: 1}, state=OrderState.CANCELLED)
    await build.an_order(people.other_shop, {await build.a_variant(people.other_shop): 1})
    client = await signed_in(people.helper)
    query = "query ($s: ID!, $l: OrderList) { shop(id: $s) { orders(list: $l) { totalCount nodes { number list } } } }"
    wanted = {"TO_PAY": pay, "TO_PICK_UP": pick, "TO_SHIP": ship, "TO_RECEIVE": sent, "REVIEW": flagged, "DONE": done}
    for name, order in wanted.items():
        orders = (await client.get(query, {"s": pid("shop", people.shop.id), "l": name}))["shop"]["orders"]
        assert orders == {"totalCount": 1, "nodes": [{"number": order.number, "list": name}]}
    assert (await client.get(query, {"s": pid("shop", people.shop.id), "l": None}))["shop"]["orders"]["totalCount"] == 6


async def test_actions_are_what_this_viewer_may_do(people, signed_in) -> None:
    variant = await build.a_variant(people.shop, on_hand=50)
    unpaid = await build.an_order(people.shop, {variant: 1}, buyer=people.buyer)
    ready = await build.an_order(people.shop, {variant: 1}, buyer=people.buyer, **READY)
    query = "query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Order { actions } } }"

    async def actions(member: object) -> list[object]:
        client = await signed_in(member)
        nodes = (await client.get(query, {"ids": [pid("order", unpaid.id), pid("order", ready.id)]}))["nodes"]
        return [node and node["actions"] for node in nodes]

    unpaid_acts = ["PAY", "REPORT_TRANSFER", "MAKE_GIFT", "UNDO", "REDUCE", "REQUEST_CANCEL"]
    assert await actions(people.member) == [unpaid_acts, ["MAKE_GIFT", "SHOW_CODE", "REQUEST_CANCEL"]]
    assert await actions(people.owner) == [["MARK_PAID", "CANCEL"], ["HAND_OVER"]]
    assert await actions(people.helper) == [["CANCEL"], ["HAND_OVER"]]
    assert await actions(people.scanner) == [None, None]
    denied = await build.a_membership(people.shop, role=build.Role.MANAGER, denied=["CANCEL_ORDER", "SCAN_AND_HAND_OVER"])
    assert await actions(denied) == [["MARK_PAID"], []]


async def test_stock_shows_its_figures_and_can_be_narrowed(people, signed_in) -> None:
    scarf = await build.a_product(people.shop, variants=("紅", "白"), on_hand=(3, 0))
    await build.an_order(people.shop, {scarf.variants[0]: 1})
    await build.an_order(people.shop, {scarf.variants[0]: 1}, **READY)
    client = await signed_in(people.helper)
    query = """query ($s: ID!, $f: StockFilter) { shop(id: $s) { stock(filter: $f) { totalCount nodes { onHand held committed available
      backorderLimit sellBeyond variant { id label availability product { title } } } } } }"""
    red = {
        "onHand": 3, "held": 1, "committed": 1, "available": 1, "backorderLimit": 0, "sellBeyond": "DENY",
        "variant": {"id": pid("variant", scarf.variants[0].id), "label": "紅", "availability": 1, "product": {"title": "法式方巾"}},
    }  # fmt: skip
    shop = pid("shop", people.shop.id)
    assert (await client.get(query, {"s": shop, "f": {"soldOut": False}}))["shop"]["stock"] == {"totalCount": 1, "nodes": [red]}
    sold_out = (await client.get(query, {"s": shop, "f": {"soldOut": True}}))["shop"]["stock"]["nodes"]
    assert [node["variant"]["label"] for node in sold_out] == ["白"]
    assert (await client.get(query, {"s": shop, "f": {"productId": pid("product", scarf.id)}}))["shop"]["stock"]["totalCount"] == 2
    assert (await client.get(query, {"s": shop, "f": {"productId": pid("product", new_id())}}))["shop"]["stock"]["totalCount"] == 0


async def test_comments_are_narrowed_by_outcome_review_and_platform(people, signed_in) -> None:
    line = await build.a_channel(people.shop, platform=build.SourcePlatform.LINE_GROUP)
    ordered = await build.a_claim(people.shop, buyer=people.buyer, text="+1")
    unclear = await build.a_claim(people.shop, channel=line, text="那個+1", outcome=ClaimOutcome.NEEDS_REVIEW)
    await database.execute("update claim set review = 'OPEN', reason = 'UNKNOWN_ITEM' where id = $1", unclear)
    client = await signed_in(people.helper)
    query = """query ($s: ID!, $f: CommentFilter) { shop(id: $s) { comments(filter: $f) { totalCount nodes { text platform removedAt
      claim { id outcome reason review } } } } }"""

    async def found(**given: object) -> list[str]:
        nodes = (await client.get(query, {"s": pid("shop", people.shop.id), "f": given}))["shop"]["comments"]["nodes"]
        return sorted(node["claim"]["id"] for node in nodes)

    both = sorted([pid("claim", ordered), pid("claim", unclear)])
    assert await found() == both
    assert (
        await found(outcome="NEEDS_REVIEW") == await found(review="OPEN") == await found(platform="LINE_GROUP") == [pid("claim", unclear)]
    )
    assert await found(outcome="ORDERED", review="OPEN") == []
    assert await found(postId=pid("post", new_id())) == []


async def test_a_removed_comment_has_no_text_but_its_history_has(people, signed_in) -> None:
    claim = await build.a_claim(people.shop, buyer=people.buyer, text="+1")
    comment = await database.fetchval("select comment_id from claim where id = $1", claim)
    await database.execute("update social_comment set removed_at = $2 where id = $1", comment, build.NOW)
    await database.execute(
        "insert into comment_revision (shop_id, comment_id, kind, text, at, received_at) values ($1, $2, 'ADD', '+1', $3, $3)",
        people.shop.id, comment, build.NOW,
    )  # fmt: skip
    client = await signed_in(people.owner)
    data = await client.get(
        "query ($id: ID!) { node(id: $id) { ... on SocialComment { text removedAt revisions { kind text at } } } }",
        {"id": pid("comment", comment)},
    )
    assert data["node"] == {
        "text": None, "removedAt": "2026-11-21T08:00:00Z", "revisions": [{"kind": "ADD", "text": "+1", "at": "2026-11-21T08:00:00Z"}],
    }  # fmt: skip


async def test_anybody_reads_a_post_its_rule_and_what_is_left(people, signed_in) -> None:
    scarf = await build.a_product(people.shop, variants=("紅", "白"), on_hand=(3, 0))
    await build.an_order(people.shop, {scarf.variants[0]: 1})
    post = await build.a_post(people.shop, products=[scarf], codes=[["A1"]], closes_at=build.NOW + timedelta(hours=4))
    client = await signed_in(None)
    query = """query ($id: ID!) { salesPost(id: $id) { title state closesAt shop { name } rule { sentence version effectiveAt }
      items { codes onSale maxQuantity availability product { title } variants { label price { amount currencyCode } availability } } } }"""
    data = (await client.get(query, {"id": pid("post", post.id)}))["salesPost"]
    assert data["rule"]["version"] == 0
    assert "「+」" in data["rule"]["sentence"]
    assert (data["title"], data["state"], data["closesAt"]) == ("週五團", "OPEN", "2026-11-21T12:00:00Z")
    assert data["items"] == [
        {
            "codes": ["A1"], "onSale": True, "maxQuantity": None, "availability": 2, "product": {"title": "法式方巾"},
            "variants": [
                {"label": "紅", "price": {"amount": "590", "currencyCode": "TWD"}, "availability": 2},
                {"label": "白", "price": {"amount": "590", "currencyCode": "TWD"}, "availability": 0},
            ],
        }
    ]  # fmt: skip
    async with database.transaction() as tx:
        await set_policy(tx, shop_id=people.shop.id, post_id=None, policy={"reading": "LENIENT"}, now=build.NOW)
        await set_policy(tx, shop_id=people.shop.id, post_id=post.id, policy={"reading": "STRICT", "per_buyer_max": 2}, now=build.NOW)
    rule = (await client.ask(query, {"id": pid("post", post.id)}, accept_language="en")).data["salesPost"]["rule"]
    assert rule["sentence"].startswith("Only a comment that names item and quantity in full")
    assert "At most 2 of each per buyer." in rule["sentence"]
    assert rule["effectiveAt"] == "2026-11-21T08:00:00Z"


async def test_a_draft_is_nobodys_to_read(people, signed_in) -> None:
    post = await build.a_post(people.shop, state=PostState.DRAFT)
    client = await signed_in(None)
    assert (await client.get("query ($id: ID!) { salesPost(id: $id) { title } }", {"id": pid("post", post.id)})) == {"salesPost": None}


async def test_server_time_is_the_services_clock(signed_in) -> None:
    client = await signed_in(None)
    assert await client.get("{ serverTime }") == {"serverTime": "2026-11-21T08:00:00Z"}


async def test_long_orders_are_paged_to_the_last_line(people, signed_in) -> None:
    variant = await build.a_variant(people.shop, on_hand=500)
    order = await build.an_order(people.shop, [(variant, 1)] * 130, buyer=people.buyer)
    client = await signed_in(people.member)
    query = """query ($id: ID!, $after: String) { node(id: $id) { ... on Order { lines(first: 60, after: $after) {
      totalCount totalCountIsExact pageInfo { hasNextPage endCursor } nodes { id } } } } }"""
    seen, after, sizes = [], None, []
    while True:
        lines = (await client.get(query, {"id": pid("order", order.id), "after": after}))["node"]["lines"]
        seen += [line["id"] for line in lines["nodes"]]
        sizes.append(len(lines["nodes"]))
        if not lines["pageInfo"]["hasNextPage"]:
            break
        after = lines["pageInfo"]["endCursor"]
    assert sizes == [60, 60, 10]
    assert sorted(seen) == sorted(public_id("line", line) for line in order.lines)
    assert len(set(seen)) == 130
    back: list[str] = []
    before = None
    query = """query ($id: ID!, $before: String) { node(id: $id) { ... on Order { lines(last: 60, before: $before) {
      totalCount pageInfo { hasNextPage hasPreviousPage startCursor } nodes { id } } } } }"""
    for left in (70, 10, 0):
        lines = (await client.get(query, {"id": pid("order", order.id), "before": before}))["node"]["lines"]
        assert (lines["pageInfo"]["hasNextPage"], lines["pageInfo"]["hasPreviousPage"]) == (bool(back), left > 0)
        assert lines["totalCount"] == 130
        back = [line["id"] for line in lines["nodes"]] + back
        before = lines["pageInfo"]["startCursor"]
    assert back == seen
