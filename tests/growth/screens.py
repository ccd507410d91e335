"""Every operation of the app that reads: documents, who asks, and with which variables; for tests of how they run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.screens import DESK, DOCUMENTS, MORE
from domain import db
from domain.ids import public_id
from tests.api.graphql import test_budgets as budgets
from tests.api.test_guide import steps
from tests.growth.seeded import Seeded

MEMBER, OWNER, NOBODY = "member", "owner", "nobody"
DEEP = """id number actions buyer { name } lines(first: 5) { totalCount nodes { title quantity source { platform post { title rule { sentence } } }
  variant { label availability } claim { outcome matched { text } rule { sentence } comment { text revisions { text } } } } }"""
LISTS = {
    "orders": (MEMBER, "me { orders(%s) { totalCount pageInfo { endCursor startCursor } nodes { number lines { nodes { title } } } } }"),
    "unpaid": (MEMBER, "me { unpaid(%s) { totalCount totals { amount } byShop { orderCount } pageInfo { endCursor startCursor } nodes { number } } }"),
    "notices": (MEMBER, "me { notifications(%s) { totalCount unreadCount pageInfo { endCursor startCursor } nodes { title expired } } }"),
    "pickups": (MEMBER, "me { pickups(%s) { totalCount pageInfo { endCursor startCursor } nodes { state orders { number lines { nodes { title } } } } } }"),
    "shipments": (MEMBER, "me { shipments(%s) { totalCount pageInfo { endCursor startCursor } nodes { state events { at } lines { title } order { number } } } }"),
    "suggestions": (MEMBER, "me { suggestions(%s) { totalCount pageInfo { endCursor startCursor } nodes { id comment { text } choices { available } } } }"),
    "desk orders": (OWNER, "shop(id: $shop) { orders(%s) { totalCount pageInfo { endCursor startCursor } nodes { " + DEEP + " } } }"),
    "desk comments": (
        OWNER,
        """shop(id: $shop) { comments(%s) { totalCount pageInfo { endCursor startCursor }
             nodes { text post { title } revisions { text } claim { outcome order { number } } } } }""",
    ),
    "desk stock": (OWNER, "shop(id: $shop) { stock(%s) { totalCount pageInfo { endCursor startCursor } nodes { onHand variant { label } } } }"),
}  # fmt: skip
"""Every list, by its name."""
SURPLUSES = """query ($shop: ID!) { shop(id: $shop) { paymentSurpluses(first: 5) { totalCount nodes { attempt { state surplus { reason } }
  order { number paysOnline paymentAttempts { state } lines { nodes { title } } } } } } }"""
NARROWED = {
    "orders": ["filter: {state: OPEN}", "filter: {paymentState: PAID}", "filter: {shopIds: [$shop]}", 'filter: {since: "2026-11-01T00:00:00Z"}'],
    "unpaid": ["filter: {shopIds: [$shop]}", "filter: {currency: TWD}", 'filter: {dueBefore: "2026-11-23T00:00:00Z"}'],
    "shipments": ["filter: {active: true}", "filter: {active: false}", "filter: {state: ARRIVED_AT_STORE}", "filter: {shopIds: [$shop]}"],
    "notices": [
        "filter: {unread: true}", "filter: {unread: false}", "filter: {topics: [ORDER]}", "filter: {shopIds: [$shop]}",
        'filter: {since: "2026-11-01T00:00:00Z"}', "filter: {unread: true, kinds: [ORDER_PLACED]}",
    ],
    "pickups": ["filter: {state: OPEN}", "filter: {state: COLLECTED}"],
    "desk orders": [
        *[f"list: {name}" for name in ("TO_PAY", "TO_SHIP", "TO_PICK_UP", "TO_RECEIVE", "REVIEW", "DONE")],
        "filter: {state: OPEN}", "filter: {state: LOCKED}", "filter: {paymentState: REPORTED}", "filter: {paymentState: PAID}",
        "filter: {state: OPEN, paymentState: UNPAID}", 'list: TO_PAY, filter: {since: "2026-11-01T00:00:00Z"}',
    ],
    "desk comments": [
        "filter: {review: OPEN}", "filter: {outcome: ORDERED}", "filter: {outcome: NEEDS_REVIEW}", "filter: {postId: $post}",
        "filter: {platform: FACEBOOK_PAGE}", "filter: {platform: IMPORT}", "filter: {review: OPEN, platform: FACEBOOK_PAGE}",
    ],
    "desk stock": ["filter: {soldOut: true}", "filter: {soldOut: false}", "filter: {productId: $product}"],
}  # fmt: skip
"""Every way to narrow a list."""


@dataclass(frozen=True, slots=True)
class Screen:
    """One operation as it is asked."""

    name: str
    who: str
    query: str
    variables: Mapping[str, Any] = field(default_factory=dict)


async def screens(seed: Seeded) -> list[Screen]:
    """All of them, for the busiest member and shop of the seed."""
    known = await _ids(seed)
    return [*_whole(known), *_narrowed(known), *_nodes(known), *_guide(known)]


async def pages(seed: Seeded, ask: Any) -> list[Screen]:
    """The next page of every list that has one, and the page before that one."""
    known, found = await _ids(seed), []
    for name, (who, text) in LISTS.items():
        given = {"shop": known["shop"]} if "$shop" in text else {}
        first = Screen(name, who, _query(text % "first: 5", given), given)
        cursors = _cursors(await ask(first))
        assert cursors["endCursor"], f"the busiest member has no {name}"
        parts = (f'first: 5, after: "{cursors["endCursor"]}"', f'last: 5, before: "{cursors["endCursor"]}"', "last: 5")
        found += [Screen(f"{name} ({part.split(':')[0]})", who, _query(text % part, given), given) for part in parts]
    return found


def _cursors(answer: Any) -> Any:
    if "pageInfo" in answer:
        return answer["pageInfo"]
    return _cursors(next(value for value in answer.values() if isinstance(value, dict)))


def _query(text: str, given: Mapping[str, Any]) -> str:
    named = ", ".join(f"${name}: ID!" for name in given)
    return f"query ({named}) {{ {text} }}" if named else f"{{ {text} }}"


def _whole(known: Mapping[str, str]) -> Iterator[Screen]:
    """The screens of the apps: those that are measured, and those whose statements are counted."""
    for name, query in {**DOCUMENTS, **MORE}.items():
        yield Screen(name, MEMBER, query)
    for name, query in DESK.items():
        yield Screen(name, OWNER, query, {"shop": known["shop"]})
    for name in ("HOME", "WHOLE", "UNPAID", "OWED", "SHIPMENTS", "NOTICES", "PICKUPS"):
        yield Screen(f"{name.lower()}, whole", MEMBER, getattr(budgets, name))
    for name in ("DESK_ORDERS", "DESK_STOCK", "DESK_COMMENTS"):
        yield Screen(f"{name.lower()}, whole", OWNER, getattr(budgets, name), {"shop": known["shop"]})
    yield Screen(
        "my disputes",
        MEMBER,
        "{ me { disputes(first: 5, filter: {state: WAITS_FOR_SHOP}) { totalCount nodes { state messages { text } order { number } } } } }",
    )
    yield Screen(
        "disputes",
        OWNER,
        "query ($shop: ID!) { shop(id: $shop) { disputes(first: 5, filter: {state: CLOSED}) { totalCount nodes { messages { text } } } } }",
        {"shop": known["shop"]},
    )
    yield Screen("surpluses", OWNER, SURPLUSES, {"shop": known["shop"]})
    yield Screen("post", NOBODY, budgets.POST, {"post": known["post"]})


def _narrowed(known: Mapping[str, str]) -> Iterator[Screen]:
    for name, ways in NARROWED.items():
        who, text = LISTS[name]
        for way in ways:
            whole = text % f"first: 10, {way}"
            given = {one: known[one] for one in ("shop", "post", "product") if f"${one}" in whole}
            yield Screen(f"{name}: {way}", who, _query(whole, given), given)


def _nodes(known: Mapping[str, str]) -> Iterator[Screen]:
    """Every kind of object by its id, for its buyer or for staff."""
    kinds = {
        "order": f"... on Order {{ {DEEP} }}", "claim": "... on Claim { outcome order { number } receipt { document } }",
        "comment": "... on SocialComment { text claim { outcome } revisions { text } }", "line": "... on OrderLine { title claim { outcome } }",
        "pickup": "... on Pickup { state orders { number } }", "notice": "... on Notification { title expired }",
        "variant": "... on ProductVariant { label availability }", "post": "... on SalesPost { title items { availability } }",
        "shop": "... on Shop { name }", "shipment": "... on Shipment { state order { number } events { state } }",
    }  # fmt: skip
    for kind, text in kinds.items():
        for who in (MEMBER, OWNER):
            yield Screen(f"node: {kind} for the {who}", who, f"query ($id: ID!) {{ node(id: $id) {{ id {text} }} }}", {"id": known[kind]})
    yield Screen(
        "simulation", OWNER, "query ($i: ClaimPolicySimulateInput!) { claimPolicySimulate(input: $i) { __typename } }",
        {"i": {"postId": known["post"], "policy": {"reading": "STRICT"}}},
    )  # fmt: skip


def _guide(known: Mapping[str, str]) -> Iterator[Screen]:
    """The queries of the guide for app developers."""
    for step in steps():
        if step.kind == "graphql" and step.text.startswith("query"):
            name = step.text.split()[1].partition("(")[0]
            given = {"id": known["post"], "shop": known["shop"]}
            who = OWNER if "shop(" in step.text else MEMBER
            query = step.text.replace('"amei"', f'"{known["handle"]}"')
            yield Screen(f"guide: {name}", who, query, {k: v for k, v in given.items() if f"${k}:" in query})


async def _ids(seed: Seeded) -> dict[str, str]:
    """Public ids of objects of the busiest member at the busiest shop, the newest of each kind."""
    row = await db.fetchrow(
        """select o.id as "order", l.id as line, c.id as claim, c.comment_id as comment, l.variant_id as variant, v.product_id as product,
                  (select id from pickup k where k.member_id = $1 order by created_at desc limit 1) as pickup,
                  (select id from shipment h where h.member_id = $1 order by created_at desc limit 1) as shipment,
                  (select id from notice n where n.member_id = $1 order by created_at desc limit 1) as notice
           from "order" o join order_line l on l.order_id = o.id join claim c on c.id = l.claim_id join variant v on v.id = l.variant_id
           where o.member_id = $1 and o.shop_id = $2 order by o.created_at desc limit 1""",
        seed.member,
        seed.shop,
    )
    assert row is not None
    post = await db.fetchval("select post_id from claim where shop_id = $1 group by 1 order by count(*) desc, 1 limit 1", seed.shop)
    found = {tag: public_id(tag, key) for tag, key in {**dict(row), "shop": seed.shop, "post": post}.items()}
    return {**found, "handle": await db.fetchval("select handle from shop where id = $1", seed.shop)}
