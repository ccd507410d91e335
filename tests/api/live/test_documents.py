"""Documents of subscriptions are held to the rules of all documents."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.api.live.acts import NOTICES, ORDERS, ask, cursor
from tests.api.live.conftest import Place
from tests.api.live.wire import wired

DEEP = "subscription { myOrders { order { " + "lines { nodes { claim { order { " * 3 + "id" + " } } } }" * 3 + " } } }"
DEAR = "subscription { myOrders { order { lines(first: 100) { nodes { id claim { comment { claim { order { lines(first: 100) { nodes { id variant { id } } } } } } } } } } } }"


@pytest.mark.parametrize(
    ("query", "codes"),
    [
        ("{ me { id } }", ["BAD_REQUEST"]),
        ("mutation { notificationsMarkRead(input: {ids: []}) { unreadCount } }", ["BAD_REQUEST"]),
        ("subscription { myOrders { kind } myNotifications { id } }", ["BAD_REQUEST"]),
        ("subscription { a: myOrders { kind } b: myOrders { kind } }", ["BAD_REQUEST"]),
        ("subscription { nothing }", ["BAD_REQUEST"]),
        ("subscription { myOrders(since: 7) { kind } }", ["BAD_REQUEST"]),
        ("subscription { myOrders { kind } } subscription", ["BAD_REQUEST"]),
        ("subscription { __schema { types { name } } }", ["BAD_REQUEST"]),
        ("", ["BAD_REQUEST"]),
        ("x" * 11_000, ["QUERY_TOO_COMPLEX"]),
        (DEEP, ["QUERY_TOO_COMPLEX"]),
        (DEAR, ["QUERY_TOO_COMPLEX"]),
        ("subscription { myOrders { " + " ".join(f"a{n}: kind" for n in range(31)) + " } }", ["QUERY_TOO_COMPLEX"]),
        ('subscription { myOrders(since: "\\u0000") { kind } }', ["BAD_REQUEST"]),
    ],
)
async def test_what_may_not_be_asked_is_refused(base: str, place: Place, query: str, codes: list[str]) -> None:
    async with wired(base, place.token) as wire:
        await wire.subscribe(query)
        assert sorted(set(await wire.refusal())) == codes
        await wire.subscribe(ORDERS)
        await wire.nothing_more()


@pytest.mark.parametrize("payload", [None, [], "x", {}, {"query": 7}, {"query": ORDERS, "variables": []}, {"query": ORDERS, "variables": {"since": "\0"}},
    {"query": ORDERS, "operationName": 7}, {"query": ORDERS, "operationName": "Other"}, {"query": ORDERS, "variables": {"since": 7}}])  # fmt: skip
async def test_what_is_no_operation_is_refused(base: str, place: Place, payload: Any) -> None:
    async with wired(base, place.token) as wire:
        await wire.say(type="subscribe", id="1", payload=payload)
        assert await wire.refusal() == ["BAD_REQUEST"]
        await wire.nothing_more()


async def test_one_of_several_operations_and_fragments_work(base: str, place: Place) -> None:
    from tests.api.live.acts import announce

    query = (
        NOTICES.replace("subscription (", "subscription Notices (")
        + " subscription Orders { myOrders { ...Change } } fragment Change on OrderChange { kind }"
    )
    async with wired(base, place.token) as wire:
        since = await cursor(base, place.token)
        await wire.say(type="subscribe", id="1", payload={"query": query, "operationName": "Notices", "variables": {"since": since}})
        await announce(place.buyer, "k")
        assert (await wire.data())["kind"] == "ANNOUNCEMENT"


async def test_a_subscription_is_not_answered_over_http(base: str, place: Place) -> None:
    async with httpx.AsyncClient(base_url=base, trust_env=False) as http:
        headers = {"authorization": f"Bearer {place.token}"}
        answer = (await http.post("/graphql", json={"query": "subscription { myOrders { kind } }"}, headers=headers)).json()
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_REQUEST"]
        got = await http.get("/graphql", params={"query": "subscription { myOrders { kind } }"}, headers=headers)
        assert got.status_code == 405


async def test_the_cursor_is_the_members_own(base: str, place: Place) -> None:
    both = await ask(base, place.token, "{ me { liveCursor displayName } }")
    assert len(both["me"]["liveCursor"]) < 200
    assert (await ask(base, None, "{ serverTime }"))["serverTime"]
