"""Relay, for every connection that the schema has: pages forth and back, `edges` and `nodes` alike, cursors, totals; and ids that `node` finds again."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import GraphQLObjectType, get_named_type, is_leaf_type

from api.graphql_app import schema
from domain import db as database
from domain.claims.planning import text_hash
from domain.claims.rules import ClaimOutcome
from domain.ids import new_id, read_public_id
from tests import build
from tests.api.graphql.conftest import pid

ROWS = 5
TYPES = schema._schema.type_map
PAGING = {"first", "after", "last", "before"}

REACHED = {
    "Buyer": ("member", "me { %s }"),
    "Shop": ("owner", "shop(id: $shop) { %s }"),
    "Order": ("member", "node(id: $order) { ... on Order { %s } }"),
}
"""Type of a connection's parent: who asks, and how it is reached."""


def connections() -> dict[str, Any]:
    """Every field that answers a connection, by `Type.field`."""
    return {
        f"{type_.name}.{name}": field
        for type_ in TYPES.values()
        if isinstance(type_, GraphQLObjectType)
        for name, field in type_.fields.items()
        if get_named_type(field.type).name.endswith("Connection")
    }


CONNECTIONS = connections()


def selection(place: str) -> str:
    """Leaves of the connection's objects, which tell one from another."""
    connection: Any = get_named_type(CONNECTIONS[place].type)
    node: Any = get_named_type(connection.fields["nodes"].type)
    leaves = [name for name, field in node.fields.items() if is_leaf_type(get_named_type(field.type)) and not field.args]
    inner = " variant { id }" if "variant" in node.fields else ""
    return " ".join(leaves) + inner


A_PLACE = """insert into waitlist_entry (id, shop_id, variant_id, claim_id, buyer_id, quantity, state, queued_at)
  values (gen_random_uuid(), $1, $2, $3, $4, 1, 'WAITING', $5)"""
A_DISPUTE = """insert into dispute (id, shop_id, order_id, buyer_id, reason, state, opened_at, written_at)
  values (gen_random_uuid(), $1, $2, $3, 'OTHER', 'WAITS_FOR_SHOP', $4, $4)"""
A_SURPLUS = """
with a as (insert into payment_account (id, shop_id, provider, slug, merchant_id, hash_key_encrypted, hash_iv_encrypted, live, created_at, ended_at)
  values (gen_random_uuid(), $1, 'ECPAY', $3, '1', '', '', false, $4, $4) returning id)
insert into payment_attempt (id, shop_id, order_id, account_id, member_id, trade_no, method, amount_minor, currency, state, provider_no, code, bank, number,
  received_minor, surplus_minor, surplus_reason, return_note, asked, created_at, page_until, settled_at)
select gen_random_uuid(), $1, $2, a.id, gen_random_uuid(), $3, 'CARD', 5, 'TWD', 'PAID', '', '', '', '', 5, 5, 'ALREADY_PAID', '', 0, $4, $4, $4 from a"""


async def shop_with_all(people: Any) -> dict[str, str]:
    """ROWS of everything that a connection lists; answers the variables of REACHED."""
    scarf = await build.a_product(people.shop, variants=tuple(f"色{n}" for n in range(ROWS)), on_hand=100)
    channel = await build.a_channel(people.shop)
    post = await build.a_post(people.shop, products=[scarf], channel=channel)
    variants = [str(variant.id) for variant in scarf.variants]
    for n in range(ROWS):
        payment = {} if n == 0 else {"payment": build.PaymentState.REPORTED}  # of those not paid for, one alone is still added to
        order = await build.an_order(people.shop, dict.fromkeys(scarf.variants, 1), buyer=people.buyer, post=post, **payment)
        claim = await build.a_claim(people.shop, channel=channel, buyer=people.buyer, text=f"隨便{n}", outcome=ClaimOutcome.SUGGESTED)
        result = {"reason": "MISSING_OPTION", "lines": [], "candidates": variants[:2], "trail": []}
        await database.execute(
            "update claim set post_id = $2, reason = 'MISSING_OPTION', intent = 'AMBIGUOUS', result = $3::jsonb, text_hash = $4 where id = $1",
            claim, post.id, database.jsonb(result), text_hash(f"隨便{n}"),
        )  # fmt: skip
        await database.execute(
            """insert into pickup (id, shop_id, buyer_id, member_id, code_id, state, issue_number, short_code, version, created_at)
               values ($1, $2, $3, $4, $5, $7, 0, '', 1, $6)""",
            new_id(), people.shop.id, people.buyer.id, people.member, 1000 + n, build.NOW, "COLLECTED" if n else "OPEN",
        )  # fmt: skip
        await database.execute(
            """insert into notice (id, shop_id, buyer_id, member_id, kind, data, dedupe_key, created_at)
               values ($1, $2, $3, $4, 'ORDER_PLACED', '{}', $5, $6)""",
            new_id(), people.shop.id, people.buyer.id, people.member, f"n{n}", build.NOW,
        )  # fmt: skip
        await database.execute(A_PLACE, people.shop.id, scarf.variants[n].id, claim, people.buyer.id, build.NOW)
        await database.execute(A_DISPUTE, people.shop.id, order.id, people.buyer.id, build.NOW)
        await database.execute(A_SURPLUS, people.shop.id, order.id, f"T{n}", build.NOW)
        await database.execute(
            """insert into shipment (id, shop_id, buyer_id, member_id, state, state_at, carrier, carrier_name, tracking_number, store_code, store_name,
                 store_address, version, created_at, updated_at)
               values ($1, $2, $3, $4, 'PREPARING', $5, 'POST', '', $6, '', '', '', 1, $5, $5)""",
            new_id(), people.shop.id, people.buyer.id, people.member, build.NOW, f"N-{n}",
        )  # fmt: skip
    await database.execute(
        """insert into order_event (shop_id, order_id, kind, data, actor, at)
           select $1, $2, 'PAID', '{}', 'worker:x', $3::timestamptz + n * interval '1 s' from generate_series(1, $4::int) n""",
        people.shop.id, order.id, build.NOW, ROWS,
    )  # fmt: skip
    return {"shop": pid("shop", people.shop.id), "order": pid("order", order.id)}


class Walker:
    """Asks for pages of one connection."""

    def __init__(self, client: Any, place: str, variables: dict[str, str]) -> None:
        parent, _, self.field = place.partition(".")
        arguments = ", ".join(f"{name}: ${name}" for name in PAGING)
        types = ", ".join(f"${name}: {'Int' if name in ('first', 'last') else 'String'}" for name in PAGING)
        leaves = selection(place)
        fields = f"nodes {{ {leaves} }} edges {{ cursor node {{ {leaves} }} }} totalCount totalCountIsExact "
        fields += "pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
        reached = REACHED[parent][1] % f"page: {self.field}({arguments}) {{ {fields} }}"
        named = "".join(f", ${name}: ID!" for name in variables if f"${name}" in reached)
        self._query = f"query ({types}{named}) {{ {reached} }}"
        self._variables = {name: value for name, value in variables.items() if f"${name}" in reached}
        self._client = client

    async def page(self, **given: Any) -> Any:
        (parent,) = (await self._client.get(self._query, {**self._variables, **given})).values()
        found = parent["page"]
        assert [edge["node"] for edge in found["edges"]] == found["nodes"]
        cursors = [edge["cursor"] for edge in found["edges"]]
        info = found["pageInfo"]
        assert [info["startCursor"], info["endCursor"]] == ([cursors[0], cursors[-1]] if cursors else [None, None])
        assert (found["totalCount"], found["totalCountIsExact"]) == (ROWS, True)
        return found

    async def refusal(self, **given: Any) -> list[str]:
        codes: list[str] = (await self._client.ask(self._query, {**self._variables, **given})).codes
        return codes


@pytest.fixture
async def walker(request: pytest.FixtureRequest, people: Any, signed_in: Any) -> Walker:
    place: str = request.param
    variables = await shop_with_all(people)
    client = await signed_in(getattr(people, REACHED[place.partition(".")[0]][0]))
    return Walker(client, place, variables)


def test_there_is_a_way_to_every_connection() -> None:
    assert sorted({place.partition(".")[0] for place in CONNECTIONS} - REACHED.keys()) == []
    assert len(CONNECTIONS) >= 11


@pytest.mark.parametrize("place", CONNECTIONS)
def test_a_connection_has_what_relay_asks_for(place: str) -> None:
    field: Any = CONNECTIONS[place]
    connection: Any = get_named_type(field.type)
    edge: Any = get_named_type(connection.fields["edges"].type)
    assert {name: str(field.args[name].type) for name in PAGING} == {"first": "Int", "after": "String", "last": "Int", "before": "String"}
    assert edge.name.endswith("Edge")
    assert get_named_type(edge.fields["node"].type) == get_named_type(connection.fields["nodes"].type)
    assert [str(edge.fields["cursor"].type), str(connection.fields["pageInfo"].type)] == ["String!", "PageInfo!"]


@pytest.mark.parametrize("walker", CONNECTIONS, indirect=True)
async def test_pages_forth_are_the_whole_list_once(walker: Walker) -> None:
    whole = await walker.page(first=100)
    assert len(whole["nodes"]) == ROWS
    assert len({str(node) for node in whole["nodes"]}) == ROWS
    seen: list[Any] = []
    given: dict[str, Any] = {"first": 2}
    for left in (True, True, False):
        found = await walker.page(**given)
        info = found["pageInfo"]
        assert (info["hasNextPage"], info["hasPreviousPage"]) == (left, bool(seen))
        seen += found["edges"]
        given["after"] = info["endCursor"]
    assert seen == whole["edges"]
    assert (await walker.page(**given))["nodes"] == []


@pytest.mark.parametrize("walker", CONNECTIONS, indirect=True)
async def test_pages_back_are_the_same_list_with_the_same_cursors(walker: Walker) -> None:
    whole = await walker.page(last=100)
    assert whole == await walker.page(first=100)
    seen: list[Any] = []
    given: dict[str, Any] = {"last": 2}
    for left in (True, True, False):
        found = await walker.page(**given)
        info = found["pageInfo"]
        assert (info["hasPreviousPage"], info["hasNextPage"]) == (left, bool(seen))
        seen = found["edges"] + seen
        given["before"] = info["startCursor"]
    assert seen == whole["edges"]
    assert (await walker.page(**given))["nodes"] == []
    second, fourth = (seen[n]["cursor"] for n in (1, 3))
    for way in ("first", "last"):
        assert (await walker.page(**{way: 9}, after=second, before=fourth))["edges"] == [seen[2]]


@pytest.mark.parametrize("walker", CONNECTIONS, indirect=True)
@pytest.mark.parametrize("given", [{"first": 1, "last": 1}, {"last": 0}, {"last": 101}, {"last": 1, "before": "x"}], ids=str)
async def test_a_page_that_cannot_be_is_refused(walker: Walker, given: dict[str, Any]) -> None:
    assert await walker.refusal(**given) == ["BAD_REQUEST"]


async def test_every_id_of_a_node_is_global(people: Any, signed_in: Any) -> None:
    """Each object of a Node type that a list shows is found by its id alone, as the same type; two kinds never share an id."""
    variables = await shop_with_all(people)
    nodes = {type_.name for type_ in schema._schema.get_possible_types(TYPES["Node"])}  # type: ignore[arg-type]
    asked = 0
    for place in CONNECTIONS:
        connection: Any = get_named_type(CONNECTIONS[place].type)
        kind = get_named_type(connection.fields["nodes"].type).name
        if kind not in nodes:
            continue
        client = await signed_in(getattr(people, REACHED[place.partition(".")[0]][0]))
        ids = [node["id"] for node in (await Walker(client, place, variables).page(first=100))["nodes"]]
        assert len({read_public_id(each) for each in ids}) == ROWS
        found = await client.get("query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }", {"ids": ids})
        assert found["nodes"] == [{"__typename": kind, "id": each} for each in ids]
        one = await client.get("query ($id: ID!) { node(id: $id) { __typename id } }", {"id": ids[0]})
        assert one["node"] == found["nodes"][0]
        asked += 1
    assert asked >= 6
