"""Exhaustion: each class of oversized document is refused before it costs anything, and what is just inside a limit is answered."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import get_introspection_query, parse

from api.execution import documents as store
from api.execution.documents import Documents
from api.execution.errors import RequestError
from api.execution.limits import Costs, TooComplex, check_size
from api.graphql_app import schema
from tests.sql_recorder import recorded


def chain(length: int, last: str = "serverTime", on: str = "Query") -> str:
    """Fragments of which each spreads the next twice."""
    links = "".join(f" fragment f{n} on {on} {{ ...f{n + 1} ...f{n + 1} }}" for n in range(length))
    return links + f" fragment f{length} on {on} {{ {last} }}"


def nested(levels: int) -> str:
    """A query of this depth."""
    middle = "comment { claim { " * ((levels - 7) // 2)
    inner = "comment { " if (levels - 7) % 2 else ""
    tail = "id" + " }" * (middle.count("{") + inner.count("{"))
    return "{ me { orders(first: 1) { nodes { lines(first: 1) { nodes { claim { " + middle + inner + tail + " } } } } } } }"


TOO_MUCH = {
    "aliases": "{ " + " ".join(f"a{n}: serverTime" for n in range(31)) + " }",
    "aliases deep": "{ me { " + " ".join(f"a{n}: orders(first: 1) {{ b{n}: totalCount }}" for n in range(16)) + " } }",
    "aliases over operations": "query A { "
    + " ".join(f"a{n}: serverTime" for n in range(16))
    + " } query B { "
    + " ".join(f"a{n}: serverTime" for n in range(16))
    + " }",
    "aliased mutations": "mutation { "
    + " ".join(f'a{n}: orderCancel(input: {{orderId: "x"}}) {{ userErrors {{ code }} }}' for n in range(31))
    + " }",
    "spreads": "{ " + "...f " * 31 + "} fragment f on Query { serverTime }",
    "spread chain": "{ ...f0 }" + chain(15),
    "directives": "{ " + " ".join("serverTime @skip(if: false)" for _ in range(21)) + " }",
    "directives on one field": "{ serverTime " + "@include(if: true) " * 21 + "}",
    "unknown directives": "{ serverTime " + "@x " * 21 + "}",
    "operations": " ".join(f"query q{n} {{ serverTime }}" for n in range(6)),
    "tokens": "{ " + "serverTime " * 999 + "}",
    "characters": "{ serverTime }" + " " * 10_000,
    "comment": "#" + "x" * 10_000 + "\n{ serverTime }",
    "same field": "{ " + "serverTime " * 51 + "}",
    "same object": "{ " + "me { id } " * 51 + "}",
    "same field through inline fragments": "{ " + "... { serverTime } " * 51 + "}",
    "same object through inline fragments": "{ me { " + "... on Buyer { orders { nodes { id } } } " * 51 + "} }",
    "depth": nested(11),
    "depth by fragments": "query { me { orders(first: 1) { nodes { ...a } } } } fragment a on Order { lines(first: 1) { nodes { claim { comment { claim { comment { claim { id } } } } } } } }",
    "depth by inline fragments": "{ me { orders(first: 1) { nodes { ... { lines(first: 1) { nodes { claim { ... { comment { claim { comment { claim { id } } } } } } } } } } } } }",
    "brackets": "{ a" * 400 + " }" * 400,
    "list value": "{ node(id: " + "[" * 450 + "]" * 450 + ") { id } }",
    "object value": "{ node(id: " + "{a: " * 300 + "1" + "}" * 300 + ") { id } }",
    "inline fragments": "{ " + "... { " * 300 + "serverTime" + " }" * 301,
    "page": "{ me { orders(first: 100) { nodes { lines { nodes { id } } } } } }",
    "page by last": "{ me { orders(last: 100) { nodes { lines { nodes { id } } } } } }",
    "page through edges": "{ me { orders(first: 100) { edges { node { lines { edges { node { id } } } } } } } }",
    "page through a fragment": "{ me { orders(first: 100) { ...p } } } fragment p on MyOrderConnection { nodes { lines { nodes { id } } } }",
    "nested pages": '{ shop(id: "x") { orders(first: 20) { nodes { shop { orders(first: 20) { nodes { shop { orders(first: 20) { nodes { id } } } } } } } } } }',
    "pages side by side": "{ me { " + " ".join(f"a{n}: orders(first: 100) {{ nodes {{ id }} }}" for n in range(11)) + " } }",
    "lists in lists": "{ me { pickups(first: 100) { nodes { orders { shop { id } } } } } }",
    "many nodes": "{ nodes(ids: [" + '"x" ' * 100 + "]) { ... on SalesPost { items { variants { product { id } } } } } }",
}


@pytest.mark.parametrize("name", TOO_MUCH)
async def test_each_class_of_too_much_is_refused_without_a_statement(signed_in, people, name) -> None:
    client = await signed_in(people.member)
    with recorded() as sql:
        answer = await client.ask(TOO_MUCH[name])
    assert set(answer.codes) == {"QUERY_TOO_COMPLEX"}
    assert sql == []
    assert len(answer.response.content) < 5_000


JUST_ENOUGH = {
    "aliases": "{ " + " ".join(f"a{n}: serverTime" for n in range(30)) + " }",
    "spreads": "{ " + "...f " * 30 + "} fragment f on Query { serverTime }",
    "spread chain": "{ ...f0 }" + chain(14),
    "directives": "{ " + " ".join("serverTime @skip(if: false)" for _ in range(20)) + " }",
    "same field": "{ " + "serverTime " * 50 + "}",
    "depth": nested(10),
    "characters": "{ serverTime }" + " " * (10_000 - 14),
    "page": "{ me { orders(first: 100) { nodes { id shop { name } total { amount } lines(first: 7) { nodes { id } } } } } }",
    "a chain on what a mutation answers": "mutation { notificationsMarkRead(input: {ids: []}) { notifications { ...f0 } } }"
    + chain(14, "id kind title", "Notification"),
    "a chain on an order": "{ me { orders(first: 1) { nodes { ...f0 } } } }" + chain(14, "id number total { amount }", "Order"),
}


@pytest.mark.parametrize("name", JUST_ENOUGH)
async def test_what_is_just_inside_is_answered(signed_in, people, name) -> None:
    client = await signed_in(people.member)
    assert await client.get(JUST_ENOUGH[name])


async def test_of_five_operations_one_is_run(signed_in) -> None:
    client = await signed_in(None)
    body = {"query": " ".join(f"query q{n} {{ a{n}: serverTime }}" for n in range(5)), "operationName": "q3"}
    assert list((await client.http.post("/graphql", json=body)).json()["data"]) == ["a3"]


@pytest.mark.parametrize(
    ("query", "variables", "cost"),
    [
        ("{ serverTime }", {}, 0),
        ("{ me { id } }", {}, 1),
        ("{ me { orders { nodes { id } } } }", {}, 1 + 20),
        ("{ me { orders { totalCount pageInfo { hasNextPage } } } }", {}, 1),
        ("{ me { orders(first: 3) { nodes { id total { amount } shop { id } } } } }", {}, 1 + 3 * 2),
        ("{ me { orders(first: 3) { edges { node { id shop { id } } } } } }", {}, 1 + 3 * 2),
        ("{ me { orders(first: 2) { nodes { lines { nodes { id } } } } } }", {}, 1 + 2 * (1 + 10)),
        (
            "query ($n: Int) { me { orders(first: 2) { nodes { lines(first: $n, last: null) { nodes { id } } } } } }",
            {"n": None},
            1 + 2 * (1 + 10),
        ),
        ("{ me { orders(first: 2) { nodes { timeline { nodes { at } } } } } }", {}, 1 + 2 * (1 + 20)),
        (
            "{ me { orders(first: 2) { nodes { lines(last: 4) { nodes { id } } timeline(last: 3) { edges { node { at } } } } } } }",
            {},
            1 + 2 * (1 + 4 + 3),
        ),
        ("query ($n: Int) { me { orders(first: $n) { nodes { id } } } }", {"n": 7}, 1 + 7),
        ("query ($n: Int) { me { orders(last: $n) { nodes { id } } } }", {"n": 7}, 1 + 7),
        ("query ($n: Int) { me { orders(first: $n) { nodes { id } } } }", {"n": None}, 1 + 20),
        ('{ claimPolicySimulate(input: {postId: "x", policy: {}}) { before { orders } } }', {}, 100 + 1),
        ("query ($n: Int = 90) { me { orders(first: $n) { nodes { id } } } }", {}, 1 + 90),
        ("query ($n: Int = 90) { me { orders(first: $n) { nodes { id } } } }", {"n": 3}, 1 + 3),
        ('query ($ids: [ID!]! = ["a", "b", "c"]) { nodes(ids: $ids) { id } }', {}, 3),
        ("{ me { ...a ...a } } fragment a on Buyer { orders(first: 4) { nodes { id } } }", {}, 1 + 4 + 4),
        ('{ nodes(ids: ["a" "b" "c"]) { id } }', {}, 3),
        ("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": ["a"] * 9}, 9),
        ("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": "a"}, 1),
        ('mutation { orderCancel(input: {orderId: "x"}) { order { id shop { id } } userErrors { code } } }', {}, 10 + 1 + 2 + 5),
        ("mutation { ...m } fragment m on Mutation { notificationsMarkRead(input: {ids: []}) { unreadCount } }", {}, 10 + 1),
    ],
)
def test_cost_is_objects_times_pages(query: str, variables: dict[str, Any], cost: int) -> None:
    found = Documents(schema._schema, introspection=False)
    prepared = found.get(query)
    assert prepared.errors == []
    assert found.check_cost(prepared, prepared.operation(None), variables) == cost
    assert found.check_cost(prepared, prepared.operation(None), variables) == cost


@pytest.mark.parametrize("given", [0, -1, 101, 2**31, 10**30, True, 1.5, "7"])
def test_a_page_size_in_a_variable_is_checked(given: object) -> None:
    found = Documents(schema._schema, introspection=False)
    prepared = found.get("query ($n: Int) { me { orders(first: $n) { nodes { id } } } }")
    with pytest.raises(RequestError):
        found.check_cost(prepared, prepared.operation(None), {"n": given})


def test_a_cost_is_not_remembered_for_a_size_of_another_kind() -> None:
    found = Documents(schema._schema, introspection=False)
    prepared = found.get("query ($n: Int) { me { orders(first: $n) { nodes { id } } } }")
    assert found.check_cost(prepared, prepared.operation(None), {}) == 21
    with pytest.raises(RequestError):
        found.check_cost(prepared, prepared.operation(None), {"n": 100.0})


def test_more_than_a_hundred_ids_are_refused() -> None:
    found = Documents(schema._schema, introspection=False)
    prepared = found.get("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }")
    with pytest.raises(RequestError):
        found.check_cost(prepared, prepared.operation(None), {"ids": ["a"] * 101})


def test_each_fragment_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A chain of n fragments that each spread the next twice: the work grows with n, not with 2^n."""
    looked: list[int] = []
    for length in (7, 14):
        calls = 0
        original = Costs._selections

        def counting(self: Costs, *args: Any, original: Any = original) -> int:
            nonlocal calls
            calls += 1
            return int(original(self, *args))

        monkeypatch.setattr(Costs, "_selections", counting)
        found = Documents(schema._schema, introspection=False)
        prepared = found.get("{ ...f0 }" + chain(length))
        found.check_cost(prepared, prepared.operation(None), {})
        looked.append(calls)
        monkeypatch.setattr(Costs, "_selections", original)
    assert looked == [9, 16]


def test_a_fragment_inside_itself_is_refused_by_validation_and_not_walked_for_ever() -> None:
    document = "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }"
    check_size(parse(document), introspection=False)
    found = Documents(schema._schema, introspection=False)
    assert [error.message for error in found.get(document).errors] == ["Cannot spread fragment 'a' within itself via 'b'."]


def test_documents_are_read_once_and_the_oldest_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "KEPT", 3)
    found = Documents(schema._schema, introspection=False)
    texts = [f"{{ a{n}: serverTime }}" for n in range(4)]
    first = [found.get(text) for text in texts[:3]]
    assert found.get(texts[0]) is first[0]
    found.get(texts[3])
    assert len(found) == 3
    assert found.get(texts[0]) is first[0]
    assert found.get(texts[1]) is not first[1]


def test_a_refused_document_is_not_kept() -> None:
    found = Documents(schema._schema, introspection=False)
    with pytest.raises(TooComplex):
        found.get(TOO_MUCH["aliases"])
    assert len(found) == 0


def test_the_editors_own_query_passes_in_development_only() -> None:
    assert Documents(schema._schema, introspection=True).get(get_introspection_query()).errors == []
    with pytest.raises(TooComplex):
        Documents(schema._schema, introspection=False).get(get_introspection_query())
