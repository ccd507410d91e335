"""Odd values, and what every answer to one must be."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import orjson

from domain.ids import new_id
from tests.api.graphql.conftest import Client

ODD: list[Any] = [
    0, -1, 1, 2**31 - 1, 2**31, -(2**31), 2**63, -(2**63) - 1, 10**30, 1.5, 1e308, -0.0, "", " ", "x", "x" * 70_000, "a\0b", "\u202e+1", "\u200b", "紅色＋１",
    "__proto__", "constructor", "'; drop table member; --", "' or '1'='1", "${7*7}", "{{7*7}}", "../../etc/passwd", "%s%n", "%00", "\r\nX: y", "\u0085",
    "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "2026-02-29T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01",
    "2026-01-01T00:00:00", "1e5", "NaN", "Infinity", "-0", "1" * 400, "0x10", "٣", True, False, None, [], [[]], [None], {}, {"a": 1}, ["x"] * 200,
    "order_AAAAAAAAAAAAAAAAAAAAAA", "order_" + "A" * 21 + "B", "member_AAAAAAAAAAAAAAAAAAAAAA", "_" * 29,
]  # fmt: skip
CODES = {"BAD_REQUEST", "QUERY_TOO_COMPLEX", "FORBIDDEN", "THROTTLED"}
SQL = ("select ", "insert ", "asyncpg", "Traceback", "postgres", "psycopg", "site-packages", "syntax error at")


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of every value inside, the branches too."""
    if path:
        yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from places(child, (*path, key))


def replaced(variables: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """The variables with another value at this path."""
    found = copy.deepcopy(variables)
    target: Any = found
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    return found


def filled(value: Any, ids: dict[str, str]) -> Any:
    """The variables with ids in place of their names."""
    text = json.dumps(value)
    for name, key in ids.items():
        text = text.replace(f"<{name}>", key)
    return json.loads(text)


async def odd_values_are_answered(client: Client, query: str, variables: dict[str, Any]) -> int:
    """Every odd value in every place gets a typed answer; answers how many were asked."""
    asked = 0
    for path in places(variables):
        for value in ODD:
            given = replaced(variables, path, value)
            if given.get("key") == "k":
                given["key"] = str(new_id())
            body = json.dumps({"query": query, "variables": given}).encode()
            response = await client.http.post("/graphql", content=body, headers={**client.headers, "content-type": "application/json"})
            asked += 1
            where = (path, str(value)[:40], response.text[:300])
            assert response.status_code in (200, 400), where
            answer = orjson.loads(response.content)
            assert {error["extensions"]["code"] for error in answer.get("errors", ())} <= CODES, where
            assert not [word for word in SQL if word.lower() in response.text.lower()], where
            assert len(response.content) < 20_000, where
    return asked
