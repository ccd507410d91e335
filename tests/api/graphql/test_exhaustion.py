"""Exhaustion, class by class: whatever is sent, the work is bounded (counted in function calls, the same on every machine), memory and answer too.

The documents of `test_limits.TOO_MUCH` are refused for their size; these others get past one limit or another, or are no documents at all.
"""

from __future__ import annotations

import json
import sys
import tracemalloc
from typing import Any

import pytest

from tests.api.graphql.test_limits import JUST_ENOUGH, TOO_MUCH, chain
from tests.sql_recorder import recorded

MOST_CALLS = 500_000
"""Of Python and C functions in one request; well below a quarter of a second of processor time (the worst class makes 312,000)."""
MOST_MEMORY = 64_000_000
MOST_ANSWER = 256_000


def many(count: int, text: str) -> str:
    """The text that often, `%d` numbered."""
    return " ".join(text.replace("%d", str(n)) for n in range(count))


def asked(query: str, variables: Any = None) -> bytes:
    return json.dumps({"query": query, "variables": variables}).encode()


CLASSES: dict[str, bytes] = {
    **{f"size: {name}": asked(query) for name, query in TOO_MUCH.items()},
    **{f"just inside: {name}": asked(query) for name, query in JUST_ENOUGH.items()},
    "unknown fields": asked(f"{{ {many(990, 'f%d')} }}"),
    "unknown arguments": asked(f"{{ serverTime({many(320, 'a%d: 1')}) }}"),
    "unknown directives on everything": asked(f"{{ {many(20, 'a%d: serverTime @x')} }}"),
    "unused variables": asked(f"query ({many(240, '$v%d: Int')}) {{ serverTime }}"),
    "undefined variables": asked(f"{{ nodes(ids: [{many(480, '$v%d')}]) {{ id }} }}"),
    "unused fragments": asked(f"{{ serverTime }} {many(120, 'fragment f%d on Query { serverTime }')}"),
    "fragment cycle": asked(f"{{ ...f0 }} {many(14, 'fragment f%d on Query { ...f%d }')}"),
    "fragments of one shape": asked(
        f"{{ me {{ {many(29, '...f%d')} }} }} {many(29, 'fragment f%d on Buyer { orders { nodes { id number } } }')}"
    ),
    "fragments in fragments": asked(
        f"{{ me {{ {many(14, '...f%d')} }} }} "
        + many(14, "fragment f%d on Buyer { ...g%d orders { nodes { id } } } fragment g%d on Buyer { orders { nodes { number } } }")
    ),
    "bomb of fragments on lists": asked("{ me { orders { nodes { ...f0 } } } }" + chain(14, "lines { nodes { id title } }", "Order")),
    "conflicting arguments": asked(f"{{ me {{ {many(50, 'orders(first: 1%d) { totalCount }')} }} }}"),
    "inline fragments side by side": asked(f"{{ {many(240, '... { serverTime }')} }}"),
    "introspection in depth": asked("{ __schema { types { fields { type { fields { type { fields { type { name } } } } } } } } }"),
    "type names by alias": asked(f"{{ {many(200, 'a%d: __typename')} }}"),
    "type names again and again": asked(f"{{ {'__typename ' * 990} }}"),
    "commas": asked("{" + "," * 9_900 + "serverTime }"),
    "comments": asked("#x\n" * 3_000 + "{ serverTime }"),
    "one long text": asked(f'{{ node(id: "{"x" * 9_900}") {{ id }} }}'),
    "one block text": asked('{ node(id: """' + "\\n " * 3_000 + '""") { id } }'),
    "four-byte characters": asked(f'{{ node(id: "{chr(0x1F600) * 4_900}") {{ id }} }}'),
    "a text of 90 KB in a variable": asked("query ($i: ID!) { node(id: $i) { id } }", {"i": "x" * 90_000}),
    "wrong values in a list": asked("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": [{}] * 250}),
    "a list of 20,000": asked("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": ["a"] * 20_000}),
    "7,000 variables": asked("{ serverTime }", {f"v{n}": n for n in range(7_000)}),
    "2,400 unknown input fields": asked(
        "mutation ($i: OrderCancelInput!) { orderCancel(input: $i) { userErrors { code } } }", {"i": {f"v{n}": n for n in range(2_400)}}
    ),
    "a batch of 2,000": json.dumps([{"query": "{ serverTime }"}] * 2_000).encode(),
    "variables 40,000 deep": b'{"query": "{ serverTime }", "variables": {"a": ' + b"[" * 40_000 + b"]" * 40_000 + b"}}",
    "a number of 90,000 digits": b'{"query": "{ serverTime }", "variables": {"a": ' + b"9" * 90_000 + b"}}",
    "a body of 200 KB": asked("{ serverTime }", {"a": "x" * 200_000}),
    "names twice in JSON": b'{"query": "{ serverTime }"' + b', "query": "{ serverTime }"' * 3_000 + b"}",
}
ANSWERED = {
    "unused fragments", "fragments of one shape", "fragments in fragments", "inline fragments side by side", "commas", "one long text", "one block text",
    "four-byte characters", "a text of 90 KB in a variable", "names twice in JSON",
}  # fmt: skip
"""Of the others some are small enough to be answered, or are refused by a resolver or the schema without having cost much."""


def test_the_classes_are_more_than_the_bar_asks_for() -> None:
    assert len(CLASSES) - len(JUST_ENOUGH) >= 31


@pytest.mark.parametrize("name", CLASSES)
async def test_work_memory_and_answer_are_bounded(people, signed_in, name) -> None:
    client = await signed_in(people.member)
    calls = 0

    def counting(_: Any, event: str, __: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    headers = {**client.headers, "content-type": "application/json"}
    before = sys.getprofile()
    tracemalloc.start()
    sys.setprofile(counting)
    try:
        with recorded() as sql:
            response = await client.http.post("/graphql", content=CLASSES[name], headers=headers)
    finally:
        sys.setprofile(before)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert calls < MOST_CALLS
    assert peak < MOST_MEMORY
    assert len(response.content) < MOST_ANSWER
    assert response.status_code in (200, 400, 413)
    if not name.startswith("just inside") and name not in ANSWERED:
        assert {error["extensions"]["code"] for error in response.json()["errors"]} <= {"BAD_REQUEST", "QUERY_TOO_COMPLEX"}
        assert sql == []
