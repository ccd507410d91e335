"""The apps' screens have plans, answer with them what they answer without, and pay in SQL for what they select alone.

A buyer's screens have writers before that (`test_written.py`): here they are put aside where plans are looked at.
"""

from __future__ import annotations

from json import dumps, loads
from random import Random
from typing import Any

import pytest
from graphql import GraphQLNamedType, GraphQLObjectType, get_named_type, get_nullable_type, is_leaf_type

from api import graphql_app
from api.execution.executor import MISSED, SchemaExecutor
from api.execution.kept import Plans
from api.resolvers import base
from domain import db as database
from domain.ids import public_id
from tests import build
from tests.api.graphql import test_budgets as budgets
from tests.sql_recorder import recorded

BUYER = {"home": budgets.HOME, "unpaid": budgets.UNPAID, "notices": budgets.NOTICES, "pickups": budgets.PICKUPS, "owed": budgets.OWED}
DESK = {"orders": budgets.DESK_ORDERS, "stock": budgets.DESK_STOCK, "comments": budgets.DESK_COMMENTS}


class Counts:
    """Parts of answers that plans completed, and those that they did not."""

    def __init__(self) -> None:
        self.by_plan: list[str] = []
        self.missed: list[str] = []


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> Counts:
    """What the endpoint's executor completes by plans from here on, by type."""
    found = Counts()

    class Counted(SchemaExecutor):
        def _completed(self, type_: Any, *rest: Any) -> Any:
            done = super()._completed(type_, *rest)
            (found.missed if done is MISSED else found.by_plan).append(str(type_))
            return done

    monkeypatch.setattr(graphql_app, "SchemaExecutor", Counted)
    return found


async def notices(people: Any) -> None:
    """Three in the member's inbox, one of them read."""
    for n in range(3):
        await database.execute(
            """insert into notice (id, shop_id, buyer_id, member_id, kind, data, dedupe_key, read_at, created_at)
               values ($1, $2, $3, $4, 'ORDER_PLACED', '{}', $5, $6, $7)""",
            build.new_id(), people.shop.id, people.buyer.id, people.member, f"n{n}", build.NOW if n else None, build.NOW,
        )  # fmt: skip


@pytest.fixture
def unwritten(monkeypatch: pytest.MonkeyPatch) -> None:
    """No operation is written from text."""
    monkeypatch.setattr(Plans, "answer", nothing)


async def nothing(*_: Any) -> None:
    """Instead of `Plans.answer`: the executor answers."""


async def without_plans(client: Any, query: str, variables: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> bytes:
    """The answer's bytes by graphql-core alone."""
    with monkeypatch.context() as patch:
        patch.setattr(Plans, "chosen", lambda *_: None)
        patch.setattr(Plans, "answer", nothing)
        return (await client.ask(query, variables)).response.content


@pytest.mark.parametrize("screen", BUYER)
async def test_a_buyers_screen_is_one_plan(people, signed_in, unwritten, counts, monkeypatch, screen) -> None:
    await budgets.furnished(people, 6)
    await notices(people)
    client = await signed_in(people.member)
    counts.by_plan.clear()
    answer = await client.ask(BUYER[screen])
    assert len(answer.data["me"].popitem()[1]["nodes"]) >= 1
    assert len(counts.by_plan) == 1
    assert counts.by_plan[0].endswith("Connection")
    assert counts.missed == ["Buyer"]
    assert await without_plans(client, BUYER[screen], {}, monkeypatch) == answer.response.content


@pytest.mark.parametrize("screen", DESK)
async def test_a_list_of_the_desk_is_one_plan(people, signed_in, counts, monkeypatch, screen) -> None:
    await budgets.furnished(people, 6)
    client, shop = await signed_in(people.manager), {"shop": public_id("shop", people.shop.id)}
    answer = await client.ask(DESK[screen], shop)
    assert "errors" not in answer.body
    assert len(counts.by_plan) == 1
    assert counts.missed == ["Shop"]
    assert await without_plans(client, DESK[screen], shop, monkeypatch) == answer.response.content


async def test_a_post_and_nodes_are_plans(people, signed_in, counts, monkeypatch) -> None:
    post = {"post": await budgets.furnished(people, 1)}
    client = await signed_in(people.member)
    answer = await client.ask(budgets.POST, post)
    assert (counts.by_plan, counts.missed) == (["SalesPost"], [])
    assert await without_plans(client, budgets.POST, post, monkeypatch) == answer.response.content
    node = "query ($post: ID!) { node(id: $post) { id ... on SalesPost { title items { codes } } ... on Order { number } } }"
    counts.by_plan.clear()
    assert (await client.get(node, post))["node"]["title"] == "週五團"
    assert counts.by_plan == ["SalesPost"]


@pytest.mark.parametrize("after", [None, "no cursor", "that of another order"])
async def test_lines_with_arguments_answer_the_same_by_plan(people, signed_in, unwritten, monkeypatch, after) -> None:
    variant = await build.a_variant(people.shop, on_hand=500)
    paid = {"payment": build.PaymentState.PAID, "fulfilment": build.FulfilmentState.READY_FOR_PICKUP}
    await build.an_order(people.shop, [(variant, 1)] * 5, buyer=people.buyer)
    await build.an_order(people.shop, [(variant, 1)] * 120, buyer=people.buyer, **paid)
    client = await signed_in(people.member)
    page = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount totalCountIsExact edges { cursor } nodes { id }"
    query = (
        "query ($first: Int = 3, $after: String, $last: Int, $before: String) { me { orders { nodes {"
        f"lines(first: $first, after: $after, last: $last, before: $before) {{ {page} }} }} }} }} }}"
    )
    if after == "that of another order":
        shown = await client.get(query)
        after = shown["me"]["orders"]["nodes"][0]["lines"]["pageInfo"]["endCursor"]
    back = {"first": None, "last": 2}
    backwards = (
        back,
        {**back, "before": after},
        {**back, "last": 100},
        {**back, "after": after},
        {"before": after},
        {"last": 2},
        {**back, "last": 0},
    )
    for variables in (
        {"after": after},
        {"after": after, "first": 100},
        {"first": 101},
        {"first": 0},
        {"first": 1, "after": after},
        *backwards,
    ):
        answer = await client.ask(query, variables)
        assert await without_plans(client, query, variables, monkeypatch) == answer.response.content


async def test_random_selections_answer_the_same_by_plan(people, signed_in, unwritten, counts, monkeypatch) -> None:
    """A hundred and fifty documents over everything that a buyer may read, with fragments, aliases and conditions."""
    await budgets.furnished(people, 3)
    await notices(people)
    client = await signed_in(people.member)
    types = graphql_app.schema._schema.type_map
    for seed in range(150):
        chance = Random(seed)
        fields = chance.choice(["orders", "unpaid", "notifications", "pickups"])
        connection = get_named_type(types["Buyer"].fields[fields].type)  # type: ignore[union-attr]
        query = f"query ($yes: Boolean = true) {{ me {{ __typename @include(if: $yes) {fields}(first: 3) {{ {_selection(chance, connection, 6)} }} }} }}"
        answer = await client.ask(query)
        assert answer.response.status_code == 200, (query, answer.body)
        codes = {error["extensions"]["code"] for error in answer.body.get("errors", ())}
        assert codes <= {"QUERY_TOO_COMPLEX", "FORBIDDEN"}, (query, answer.body)
        usual = loads(await without_plans(client, query, {}, monkeypatch))
        # Refusals of several rows come as the database answers, in any order.
        for body in (usual, answer.body):
            body.get("errors", []).sort(key=dumps)
        assert dumps(usual) == dumps(answer.body), query
    assert len(counts.by_plan) >= 45


def _selection(chance: Random, type_: GraphQLNamedType, depth: int) -> str:
    assert isinstance(type_, GraphQLObjectType)
    made = ["__typename"]
    for name, field in type_.fields.items():
        below, condition = (
            get_named_type(field.type),
            chance.choice(["", "", " @include(if: $yes)", " @skip(if: $yes)", " @skip(if: false)"]),
        )
        if name in ("receipt", "edges") or below.name == "SalesPost" or chance.random() < 0.4:
            continue
        if is_leaf_type(get_nullable_type(below)):
            made.append(f"{chance.choice(['', '', f'{name}_: '])}{name}{condition}")
        elif isinstance(below, GraphQLObjectType) and depth > 0:
            inner = _selection(chance, below, depth - 3 if below.name in ("Order", "Claim") else depth - 1)
            made.append(f"{name}{condition} {{ {chance.choice([inner, f'... on {below.name} {{ {inner} }}', f'... {{ {inner} }}'])} }}")
    return " ".join(made)


# What is not selected costs nothing

ORDER = {
    "lines { nodes { id } }": "order_line l",
    "lines { nodes { claim { id } } }": "from claim c",
    "lines { nodes { claim { comment { id } } } }": "social_comment",
    "lines { nodes { variant { availability } } }": "stock_level",
    "lines { nodes { source { post { id } } } }": "sales_post",
    "buyer { name }": "from buyer b",
    "delivery { storeCode }": "order_delivery d join",
    "recipient { name }": "from order_delivery d where",
    "isGift": "from order_gift",
    "gift { sender }": "from order_gift",
    "transfer { state }": "from transfer_report",
    "paymentAttempts { state }": "from payment_attempt",
    "paysOnline": "from payment_account",
    "payments { method }": "from payment p",
    "timeline { nodes { kind } }": "from order_event",
    "shipments { state }": "from shipment sh",
    "pickup { state }": "from pickup_order",
    "undoUntil": "undo_minutes",
    "actions": "ship_later_days",
}
PAGE = {"totalCount": "count(*)"}
SCREENS: dict[str, tuple[str, dict[str, str], dict[str, str]]] = {
    "home": ("me { orders { %s nodes { id %s } } }", PAGE, ORDER),
    "unpaid": ("me { unpaid { %s nodes { id %s } } }", {**PAGE, "totals { amount }": "t.currency", "byShop { orderCount }": "owed"}, ORDER),
    "notices": ("me { notifications { %s nodes { id %s } } }", {**PAGE, "unreadCount": "unread"}, {"shop { name }": "s.name"}),
    "pickups": ("me { pickups(first: 2) { %s nodes { id %s } } }", PAGE, {"slot { place }": "from pickup_slot t", "orders { id }": '"order" o', "orders { lines { nodes { id } } }": "order_line l"}),
    "desk orders": ('shop(id: "$shop") { orders { %s nodes { id %s } } }', PAGE, ORDER),
    "desk stock": ('shop(id: "$shop") { stock { %s nodes { onHand %s } } }', PAGE, {"variant { availability }": "coalesce((select greatest"}),
    "desk comments": (
        'shop(id: "$shop") { comments { %s nodes { id %s } } }', PAGE,
        {"claim { order { id } }": '"order" o', "post { title }": "sales_post", "revisions { text }": "comment_history"},
    ),
    "post": ('salesPost(id: "$post") { %s id %s }', {}, {"items { codes }": "post_item i", "rule { sentence }": "claim_policy_version"}),
}  # fmt: skip
BRANCHES = [
    (screen, around, within, word)
    for screen, (_, page, node) in SCREENS.items()
    for around, within, word in [*((text, "", word) for text, word in page.items()), *(("", text, word) for text, word in node.items())]
]


@pytest.mark.parametrize(("screen", "around", "within", "word"), BRANCHES)
async def test_a_branch_is_in_the_statement_when_it_is_selected_and_only_then(people, signed_in, screen, around, within, word) -> None:
    post = await budgets.furnished(people, 1)
    client = await signed_in(people.manager if screen.startswith("desk") else people.member)

    async def statement(*selected: str) -> str:
        query = SCREENS[screen][0] % selected
        with recorded() as sql:
            await client.get(f"{{ {query.replace('$shop', public_id('shop', people.shop.id)).replace('$post', post)} }}")
        return sql[-1]

    bare, full = await statement("", ""), await statement(around, within)
    assert word in full
    assert word not in bare
    assert len(bare) < len(full)


# What is selected is looked up once per document


async def test_a_documents_selection_is_walked_once(people, signed_in, unwritten, monkeypatch) -> None:
    await budgets.furnished(people, 6)
    walks = []
    walk = base._wanted
    monkeypatch.setattr(base, "_wanted", lambda *given: walks.append(1) or walk(*given))
    client = await signed_in(people.member)
    query = "{ me { displayName orders(first: 4) { nodes { number lines { nodes { title } } } } } }"
    first = await client.get(query)
    assert len(walks) == 3, "me, its orders, and the lines of all orders"
    assert await client.get(query) == first
    assert len(walks) == 3
    await client.get(query + " ")
    assert len(walks) == 6, "another document has its own"


async def test_a_field_that_stands_twice_is_selected_as_one(people, signed_in) -> None:
    await budgets.furnished(people, 1)
    client = await signed_in(people.member)
    query = "{ me { orders { nodes { buyer { name } } } ...F } } fragment F on Buyer { orders { nodes { lines { nodes { title } } } } }"
    for _ in range(2):
        nodes = (await client.get(query))["me"]["orders"]["nodes"]
        assert [list(node) for node in nodes] == [["buyer", "lines"]]
        assert nodes[0]["lines"]["nodes"][0]["title"] == "法式方巾"
