"""Points: what an answer really cost, whose bucket pays, and what happens when it is empty."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from api.execution import budget
from api.execution.documents import Documents
from api.execution.kept import Plans
from api.execution.rows import SchemaRows
from api.graphql_app import Endpoint, graphql_app, schema
from domain import db as database
from domain.bootstrap import Services
from domain.bootstrap import services as services_for
from domain.db import DatabaseAway
from domain.members import keys
from domain.members.standing import forget
from domain.settings import load
from tests.api.graphql import test_budgets as screens
from tests.api.graphql.conftest import SECRET_KEY, Client, pid
from tests.sql_recorder import recorded

HUNDRED = "{ me { orders(first: 99) { nodes { id } } } }"
"""Asks for 100 points; without orders it costs 1."""


@pytest.fixture
async def services(db: str, clock: Any) -> Services:
    """Production services that count points as they do without a setting."""
    keys.forget()
    forget()
    settings = load(secret_key=SECRET_KEY, environment="production", public_url="https://plusone.test", points_per_second=100)
    found = services_for(settings, clock=clock)
    await keys.ensure_keys(found.vault, clock.now())
    return found


@pytest.fixture
def endpoint(services: Services) -> Endpoint:
    return graphql_app(services)


@pytest.fixture
async def http(endpoint: Endpoint) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=endpoint)
    async with httpx.AsyncClient(transport=transport, base_url="https://plusone.test") as client:
        yield client


async def another_process(services: Services, client: Client) -> tuple[Endpoint, Client]:
    """The same member at a second process."""
    other = graphql_app(services)
    http = httpx.AsyncClient(transport=httpx.ASGITransport(app=other), base_url="https://plusone.test")
    twin = Client(http)
    twin.headers = client.headers
    return other, twin


def cost(answer: Any) -> dict[str, Any]:
    found: dict[str, Any] = answer.body["extensions"]["cost"]
    return found


def left(answer: Any) -> int:
    return int(cost(answer)["throttleStatus"]["currentlyAvailable"])


@pytest.mark.parametrize(
    ("query", "data", "points"),
    [
        ("{ serverTime }", {"serverTime": ""}, 0),
        ("{ me { id } }", {"me": {"id": ""}}, 1),
        ("{ me { id } }", {"me": None}, 0),
        ("{ me { id } }", None, 0),
        ("{ me { orders { nodes { id shop { id } } } } }", {"me": {"orders": {"nodes": [{"id": "", "shop": {"id": ""}}] * 3}}}, 1 + 3 * 2),
        ("{ me { orders { edges { node { id shop { id } total { amount } } } } } }", {"me": {"orders": {"edges": [{"node": {"id": "", "shop": {}, "total": {}}}] * 3}}}, 1 + 3 * 2),
        ("{ me { a: orders { nodes { b: shop { id } } pageInfo { hasNextPage } } } }", {"me": {"a": {"nodes": [{"b": {}}], "pageInfo": {}}}}, 3),
        ("{ me { orders { nodes { lines { nodes { claim { id comment { id } } } } } } } }",
         {"me": {"orders": {"nodes": [{"lines": {"nodes": [{"claim": None}, {"claim": {"id": "", "comment": None}}, {"claim": {"id": "", "comment": {}}}]}}, {"lines": {"nodes": []}}]}}},
         1 + 1 + (1 + 2 + 3) + 1),
        ("query ($a: Boolean!) { me { orders @include(if: $a) { nodes { id } } } }", {"me": {}}, 1),
        ("query ($a: Boolean!) { me { ... @include(if: $a) { orders { nodes { id } } } } }", {"me": {}}, 1),
        ("query ($a: Boolean!) { me { ...f @skip(if: $a) } } fragment f on Buyer { orders { nodes { id } } }", {"me": {}}, 1),
        ("query ($a: Boolean!) { me { ...f @skip(if: $a) } } fragment f on Buyer { orders { nodes { id } } }", {"me": {"orders": {"nodes": [{}]}}}, 2),
        ("{ me { ...f ...g } } fragment f on Buyer { orders { nodes { id } } } fragment g on Buyer { ...f }", {"me": {"orders": {"nodes": [{}, {}]}}}, 5),
        ('{ node(id: "x") { id ... on Order { lines { nodes { id } } } ... on SalesPost { items { id } } } }', {"node": {"id": "", "lines": {"nodes": [{}, {}]}}}, 3),
        ('{ nodes(ids: ["a", "b"]) { id } }', {"nodes": [None, {"id": ""}]}, 1),
        ('{ salesPost(id: "x") { items { variants { id } } } }', {"salesPost": {"items": [{"variants": [{}] * 7}, {"variants": []}]}}, 1 + 2 + 7),
        ('mutation { orderCancel(input: {orderId: "x"}) { order { id shop { id } } userErrors { code } } }', {"orderCancel": {"order": None, "userErrors": [{}]}}, 10 + 1 + 1),
        ("query ($a: Boolean!) { serverTime me @skip(if: $a) { id } }", {"serverTime": ""}, 0),
        ("mutation ($a: Boolean!) { notificationsMarkRead(input: {ids: []}) @skip(if: $a) { unreadCount } }", {}, 0),
    ],
)  # fmt: skip
def test_the_answer_is_counted_as_the_document_was_priced(query: str, data: Any, points: int) -> None:
    prepared = Documents(schema._schema, introspection=False, rows=SchemaRows()).get(query)
    assert prepared.errors == []
    (definition,) = prepared.operations.values()
    assert prepared.actual_cost(schema._schema, definition, data) == points
    assert prepared.actual_cost(schema._schema, definition, data) == points


@pytest.mark.parametrize(
    "query", [screens.HOME, screens.UNPAID, screens.NOTICES, screens.PICKUPS], ids=["home", "unpaid", "notices", "pickups"]
)
async def test_a_screen_never_costs_more_than_it_asked_for_and_is_one_statement(people, signed_in, query) -> None:
    await screens.furnished(people, 6)
    client = await signed_in(people.member)
    with recorded() as sql:
        answer = await client.ask(query)
    told = cost(answer)
    assert 1 <= told["actualQueryCost"] <= told["requestedQueryCost"]
    assert len(sql) == 1


async def test_what_was_not_used_comes_back(people, signed_in) -> None:
    client = await signed_in(people.member)  # asks the time: 1 point
    answer = await client.ask(HUNDRED)
    assert cost(answer) == {
        "requestedQueryCost": 100,
        "actualQueryCost": 1,
        "throttleStatus": {"maximumAvailable": 2000, "currentlyAvailable": 2000 - 1 - 1, "restoreRate": 100},
    }


async def test_time_fills_the_bucket_and_never_beyond_its_size(people, signed_in, clock) -> None:
    client = await signed_in(people.member)
    for _ in range(150):
        answer = await client.ask("{ me { id } }")
    assert left(answer) == 2000 - 151
    clock.at += timedelta(seconds=1)
    assert left(await client.ask("{ me { id } }")) == 2000 - 151 + 100 - 1
    clock.at += timedelta(minutes=5)
    assert left(await client.ask("{ me { id } }")) == 1999


async def emptied(client: Client, down_to: int = 0) -> None:
    """Spend by documents that are refused."""
    for _ in range((1999 - down_to) // budget.REFUSED_POINTS):
        await client.ask("{ nothing }")


@pytest.mark.parametrize("accept", ["application/json", "application/graphql-response+json"])
async def test_an_empty_bucket_answers_429_with_what_to_do(people, signed_in, clock, accept) -> None:
    client = await signed_in(people.member)
    await emptied(client, down_to=50)
    with recorded() as sql:
        answer = await client.ask(HUNDRED, accept=accept)
    assert sql == []
    assert (answer.response.status_code, answer.codes) == (429, ["THROTTLED"])
    assert answer.response.headers["retry-after"] == "1"
    (error,) = answer.body["errors"]
    assert error["message"].startswith("Too much at once: this costs 100 points, 59 of 2000 are left. Wait 1 s, then send it again")
    assert error["extensions"] == {
        "code": "THROTTLED",
        "retryAfterSeconds": 1,
        "cost": {"requestedQueryCost": 100, "throttleStatus": {"maximumAvailable": 2000, "currentlyAvailable": 59, "restoreRate": 100}},
    }
    assert "data" not in answer.body
    clock.at += timedelta(seconds=1)
    assert (await client.ask(HUNDRED)).response.status_code == 200


async def test_who_sends_bad_documents_is_throttled_before_they_are_read(people, signed_in, monkeypatch) -> None:
    client = await signed_in(people.member)
    await emptied(client)
    for _ in range(19):
        await client.ask("{ serverTime }")
    read: list[str] = []
    monkeypatch.setattr(Documents, "get", lambda _, text: read.append(text))
    assert (await client.ask("{ nothing }")).codes == ["THROTTLED"]
    assert read == []


async def test_nobody_pays_by_address_and_members_never_pay_for_each_other(people, signed_in) -> None:
    member, stranger, nobody = await signed_in(people.member), await signed_in(people.stranger), await signed_in(None)
    await emptied(member)
    assert (await member.ask(HUNDRED)).codes == ["THROTTLED"]
    assert left(await stranger.ask("{ me { id } }")) == 1998
    told = cost(await nobody.ask("{ serverTime }"))["throttleStatus"]
    assert (
        told == {"maximumAvailable": 20_000, "currentlyAvailable": 20_000 - 1 - 1, "restoreRate": 1_000}
        or told["maximumAvailable"] == 20_000
    )


def test_addresses_are_kept_as_hashes_and_ipv6_by_network() -> None:
    one, two, three = (budget.hashed(text) for text in ("2001:db8:1:2::1", "2001:db8:1:2:ffff::2", "2001:db8:1:3::1"))
    assert one == two != three
    assert len(budget.hashed("192.0.2.1")) == 32
    assert budget.hashed("192.0.2.1") != budget.hashed("192.0.2.2")
    assert budget.hashed("") == budget.hashed("")


async def test_staff_work_is_paid_by_the_shop_too(people, signed_in, endpoint) -> None:
    desk = "query ($shop: ID!) { shop(id: $shop) { orders(first: 99) { totalCount nodes { id } } } }"
    owner, manager = await signed_in(people.owner), await signed_in(people.manager)
    for client in (owner, manager):
        answer = await client.ask(desk, {"shop": pid("shop", people.shop.id)})
        assert cost(answer)["requestedQueryCost"] == 100
    shop = endpoint.budgets._known[f"shop:{people.shop.id.hex}"]
    now = endpoint._services.clock.now().timestamp()
    assert shop.size.left(shop.full_at, now) == 10_000 - 2
    shop.spend(9_950, now)
    refused = await owner.ask(desk, {"shop": pid("shop", people.shop.id)})
    assert (refused.response.status_code, refused.codes, refused.response.headers["retry-after"]) == (200, ["THROTTLED"], "1")
    assert refused.body["data"] == {"shop": {"orders": None}}
    assert (await owner.ask("{ me { id } }")).codes == []  # what is the member's own goes on


async def test_a_scanner_has_a_bucket_of_its_own(people, signed_in, endpoint) -> None:
    scan = "mutation ($input: PickupScanInput!) { pickupScan(input: $input) { preview { scanId } userErrors { code } } }"
    given = {"input": {"shopId": pid("shop", people.shop.id), "token": "ABCD2345"}}
    now = endpoint._services.clock.now().timestamp()
    endpoint.budgets.bucket(budget.Kind.SHOP, people.shop.id.hex, now).spend(10_000, now)
    clerk, other = await signed_in(people.scanner), await signed_in(people.scanner)
    for client in (clerk, other):
        assert (await client.ask(scan, given)).data["pickupScan"]["userErrors"] == [{"code": "PICKUP_REFUSED"}]
    scanners = [bucket for key, bucket in endpoint.budgets._known.items() if key.startswith("scanner:")]
    assert [bucket.size.left(bucket.full_at, now) for bucket in scanners] == [2000 - 12, 2000 - 12]
    assert (await (await signed_in(people.owner)).ask(scan, given)).codes == ["THROTTLED"]


async def test_processes_tell_each_other_what_was_spent_in_one_statement(people, signed_in, services, endpoint) -> None:
    client = await signed_in(people.member)
    other, twin = await another_process(services, client)
    await emptied(client)
    assert left(await twin.ask("{ me { id } }")) == 1999  # knows nothing of it yet
    with recorded() as sql:
        assert await endpoint.budgets.settle() == 1
        assert await other.budgets.settle() == 1
    assert len(sql) == 2
    assert (await twin.ask(HUNDRED)).codes == ["THROTTLED"]
    assert await endpoint.budgets.settle() == 0


async def test_more_processes_overspend_by_one_settlement_and_the_debt_is_waited_for(people, signed_in, services, endpoint, clock) -> None:
    client = await signed_in(people.member)
    other, twin = await another_process(services, client)
    for one in (client, twin):
        await emptied(one)
    await endpoint.budgets.settle()
    await other.budgets.settle()
    clock.at += timedelta(seconds=19)
    assert (await twin.ask("{ me { id } }")).codes == ["THROTTLED"]
    clock.at += timedelta(seconds=2)
    assert (await twin.ask("{ me { id } }")).codes == []


async def test_what_could_not_be_settled_is_settled_later(people, signed_in, endpoint, monkeypatch) -> None:
    client = await signed_in(people.member)
    await emptied(client, down_to=1000)

    async def away(*_: object) -> dict[str, Any]:
        raise database.DatabaseAway

    with monkeypatch.context() as patch:
        patch.setattr(budget.buckets, "settle", away)
        with pytest.raises(database.DatabaseAway):
            await endpoint.budgets.settle()
    assert (await client.ask(HUNDRED)).codes == []
    await endpoint.budgets.settle()
    row = await database.fetchval(
        "select extract(epoch from full_at - $2)::float8 from cost_bucket where key = $1",
        f"member:{people.member.hex}",
        endpoint._services.clock.now(),
    )
    assert row == pytest.approx((1 + 980 + 1) / 100)


async def test_a_running_process_settles_by_itself(people, signed_in, endpoint, monkeypatch) -> None:
    monkeypatch.setattr(budget, "SETTLE_SECONDS", 0.01)
    client = await signed_in(people.member)
    endpoint.budgets.start()
    try:
        async with asyncio.timeout(30):
            while not await database.fetchval("select count(*) from cost_bucket"):  # noqa: ASYNC110  another task writes it
                await asyncio.sleep(0.01)
    finally:
        await endpoint.budgets.stop()
    await client.ask("{ me { id } }")
    endpoint.budgets.start()
    await endpoint.budgets.stop()  # what was spent last is settled at the end
    seconds = await database.fetchval(
        "select extract(epoch from full_at - $2)::float8 from cost_bucket where key = $1",
        f"member:{people.member.hex}",
        endpoint._services.clock.now(),
    )
    assert seconds == pytest.approx(0.02)


async def test_a_flood_of_members_is_bounded_and_full_buckets_go_first(endpoint, monkeypatch) -> None:
    monkeypatch.setattr(budget, "MOST_KNOWN", 10)
    budgets = endpoint.budgets
    for n in range(9):
        budgets.bucket(budget.Kind.MEMBER, f"full{n}", 1_000.0)
    budgets.bucket(budget.Kind.MEMBER, "spent", 1_000.0).spend(500, 1_000.0)
    budgets.bucket(budget.Kind.MEMBER, "new", 1_000.0)
    assert set(budgets._known) == {"member:spent", "member:new"}
    for n in range(100):
        budgets.bucket(budget.Kind.MEMBER, f"m{n}", 1_000.0).spend(1, 1_000.0)
    assert len(budgets._known) <= 10
    assert "member:spent" in budgets._known


async def test_zero_points_a_second_counts_nothing(db, clock) -> None:
    found = services_for(load(secret_key=SECRET_KEY, environment="production", points_per_second=0), clock=clock)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=graphql_app(found)), base_url="https://plusone.test") as http:
        answer = (await http.post("/graphql", json={"query": "{ serverTime }"})).json()
    assert answer["extensions"] == {"cost": {"requestedQueryCost": 1, "actualQueryCost": 1}}


@pytest.mark.parametrize("failure", [DatabaseAway("for now"), RuntimeError("ours")])
async def test_a_request_that_fails_is_not_paid_for(people, signed_in, monkeypatch, failure) -> None:
    """What comes out of the plans themselves, past all fields: nobody answered for 100 points."""
    client = await signed_in(people.member)

    async def fails(*_: Any) -> Any:
        raise failure

    with monkeypatch.context() as broken:
        broken.setattr(Plans, "answer", fails)
        answer = await client.ask(HUNDRED)
    assert answer.codes == ["UNAVAILABLE" if isinstance(failure, DatabaseAway) else "INTERNAL"]
    assert left(await client.ask("{ me { id } }")) == 2000 - 3
