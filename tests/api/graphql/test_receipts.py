"""Why is this my order: matched words and the signed receipt, through GraphQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest

from api.auth.viewer import Viewer
from api.execution.errors import Code
from api.resolvers import receipt as receipts
from api.resolvers.base import GraphQLContext
from api.schema.receipt import MatchedKind
from domain import db as database
from domain.bootstrap import Services
from domain.claims.proof import check
from domain.claims.receipts import receipt_keys
from domain.claims.recognition import TrailKind
from domain.ids import new_id, public_id
from domain.members import keys
from domain.members.linking import link_buyers
from domain.members.rules import KeyUse
from domain.shops.rules import Role
from tests import build
from tests.api.graphql import test_mutations as mutations
from tests.api.graphql.conftest import pid
from tests.build import NOW
from tests.sql_recorder import recorded
from tests.wall import Wall, a_wall

RECEIPT = "receipt { document signature kid algorithm issuedAt }"
WHY = f"""claim {{ id outcome reason comment {{ text writtenAt }} rule {{ version sentence }}
  matched {{ kind text start end value }} {RECEIPT} }}"""
LINES = f"lines {{ nodes {{ id {WHY} }} }}"
ORDERS = f"{{ me {{ orders(first: 5) {{ nodes {{ number {LINES} }} }} }} }}"
NODE = f"query ($id: ID!) {{ node(id: $id) {{ id ... on Order {{ {LINES} }} ... on OrderLine {{ {WHY} }} ... on Claim {{ matched {{ text }} {RECEIPT} }} }} }}"
DESK = f"""query ($shop: ID!) {{ shop(id: $shop) {{ orders(first: 5) {{ nodes {{ lines(first: 5) {{ nodes {{ {WHY} }} }} }} }} }} }}"""
COMMENTS = f"query ($shop: ID!) {{ shop(id: $shop) {{ comments(first: 20) {{ nodes {{ text claim {{ outcome {RECEIPT} }} }} }} }} }}"


@pytest.fixture
async def wall(services: Services) -> AsyncIterator[Wall]:
    """A post in a shop whose keys have been read, so that what is counted is the screen alone."""
    found = await a_wall(variants=("紅", "白"), on_hand=500)
    await keys.active_key(KeyUse.RECEIPT, NOW)
    yield found
    assert receipts._open == {}


async def linked(author: str) -> Any:
    member = await build.a_member()
    async with database.transaction() as tx:
        await link_buyers(tx, member, "facebook", author, NOW)
    return member


def claims_in(answer: Any) -> list[dict[str, Any]]:
    """Every claim of an answer that has a receipt or none."""
    if isinstance(answer, dict):
        own = [answer] if "receipt" in answer else []
        return own + [found for child in answer.values() for found in claims_in(child)]
    return [found for child in answer for found in claims_in(child)] if isinstance(answer, list) else []


async def proven(receipt: dict[str, Any]) -> dict[str, Any]:
    assert receipt["algorithm"] == "EdDSA"
    found = check(receipt["document"].encode(), receipt["signature"], receipt["kid"], await receipt_keys())
    assert found["issuedAt"] == receipt["issuedAt"] == "2026-11-21T08:00:00Z"
    return found


def test_matched_kinds_are_the_recogniser_s() -> None:
    assert [kind.name for kind in MatchedKind] == [kind.value for kind in TrailKind]


async def test_the_buyer_asks_why(wall: Wall, signed_in: Any) -> None:
    comment = await wall.says("小美", "📦紅+2")
    await wall.drain()
    client = await signed_in(await linked("小美"))
    with recorded() as sql:
        data = await client.get(ORDERS)
    assert len(sql) == 2
    (order,) = data["me"]["orders"]["nodes"]
    (line,) = order["lines"]["nodes"]
    claim = line["claim"]
    assert (claim["outcome"], claim["reason"], claim["rule"]["version"]) == ("ORDERED", None, 1)
    assert claim["comment"] == {"text": "📦紅+2", "writtenAt": "2026-11-21T08:00:00Z"}
    assert [(each["kind"], each["text"], each["start"], each["end"]) for each in claim["matched"]] == [
        ("ITEM", "紅", 1, 2),
        ("QTY", "+2", 2, 4),
    ]
    assert claim["matched"][1]["value"] == "2"
    document = await proven(claim["receipt"])
    assert document["matched"] == claim["matched"]
    assert document["claim"]["id"] == claim["id"]
    assert (document["comment"]["id"], document["orders"][0]["number"]) == (comment, order["number"])
    assert document["orders"][0]["lines"][0]["id"] == line["id"]


async def test_all_receipts_of_an_answer_are_one_statement(wall: Wall, signed_in: Any) -> None:
    """Orders with one line, with many, and a paid one between them: they come to their receipts at different depths of waiting."""
    for n in range(5):
        for _ in range(1 + n % 3):
            await wall.says(f"b{n}", "紅+1 白+1")
    await wall.drain()
    owner = await build.a_membership(wall.shop)
    client = await signed_in(owner)
    with recorded() as sql:
        data = await client.get(DESK, {"shop": pid("shop", wall.shop.id)})
    assert len(sql) == 3
    found = claims_in(data)
    assert len(found) == sum(min(2 * (1 + n % 3), 5) for n in range(5))
    documents = [await proven(claim["receipt"]) for claim in found]
    assert [document["claim"]["id"] for document in documents] == [claim["id"] for claim in found]
    # both lines of a comment have the same receipt
    assert len({claim["receipt"]["document"] for claim in found}) == len({claim["id"] for claim in found})


async def test_comments_that_made_no_line_have_no_receipt(wall: Wall, signed_in: Any) -> None:
    for text in ("紅+1", "還有嗎？", "好漂亮", "紅+1？"):
        await wall.says("小美", text)
    await wall.drain()
    client = await signed_in(await build.a_membership(wall.shop))
    with recorded() as sql:
        data = await client.get(COMMENTS, {"shop": pid("shop", wall.shop.id)})
    assert len(sql) == 3
    found = {node["text"]: node["claim"]["receipt"] is not None for node in data["shop"]["comments"]["nodes"]}
    assert found == {"紅+1": True, "還有嗎？": False, "好漂亮": False, "紅+1？": False}


async def test_a_claim_of_nothing_is_without_words(services: Services, signed_in: Any) -> None:
    shop = await build.a_shop()
    claim = await build.a_claim(shop)
    client = await signed_in(await build.a_membership(shop))
    data = await client.get(NODE, {"id": pid("claim", claim)})
    assert data["node"] == {"id": pid("claim", claim), "matched": [], "receipt": None}


@pytest.mark.parametrize(
    ("who", "order", "words"),
    [("buyer", True, True), ("owner", True, True), ("helper", True, True), ("no comments", True, False)]
    + [(who, False, False) for who in ("scanner", "other buyer", "other owner", "stranger")],
)
async def test_who_sees_why(wall: Wall, signed_in: Any, who: str, order: bool, words: bool) -> None:
    await wall.says("小美", "紅+1")
    await wall.says("阿珠", "白+1")
    await wall.drain()
    people = {
        "buyer": lambda: linked("小美"),
        "other buyer": lambda: linked("阿珠"),
        "owner": lambda: build.a_membership(wall.shop),
        "helper": lambda: build.a_membership(wall.shop, role=Role.HELPER),
        "scanner": lambda: build.a_membership(wall.shop, role=Role.SCANNER),
        "no comments": lambda: build.a_membership(wall.shop, denied=("VIEW_COMMENTS",)),
        "stranger": build.a_member,
    }
    member = await build.a_membership(await build.a_shop(name="別家")) if who == "other owner" else await people[who]()
    client = await signed_in(member)
    row = await database.fetchrow(
        """select o.id as "order", l.id as line, k.id as claim from "order" o join order_line l on l.order_id = o.id join claim k on k.id = l.claim_id
           join buyer b on b.id = o.buyer_id where b.external_id = '小美'"""
    )
    assert row is not None
    found = (await client.get(NODE, {"id": pid("order", row["order"])}))["node"]
    assert (found is not None) is order
    line = (await client.get(NODE, {"id": pid("line", row["line"])}))["node"]
    assert (line is not None) is order
    for claim in [*claims_in(found), *claims_in(line)]:
        assert (claim["receipt"] is not None, bool(claim["matched"]), claim["comment"] is not None) == (words, words, words)
    assert len(claims_in([found, line])) == (2 if order else 0)
    claim = (await client.get(NODE, {"id": pid("claim", row["claim"])}))["node"]
    assert (claim is not None) is words
    if words:
        assert (await proven(claim["receipt"]))["orders"][0]["id"] == public_id("order", row["order"])


async def test_nobody_is_shown_nothing(wall: Wall, http: httpx.AsyncClient, signed_in: Any) -> None:
    await wall.says("小美", "紅+1")
    await wall.drain()
    client = await signed_in(None)
    claim = await database.fetchval("select id from claim")
    assert (await client.ask(NODE, {"id": pid("claim", claim)})).codes == [Code.UNAUTHENTICATED]


async def test_too_many_receipts_at_once_are_refused(wall: Wall, signed_in: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receipts, "MOST_AT_ONCE", 3)
    for n in range(4):
        await wall.says(f"b{n}", "紅+1")
    await wall.drain()
    client = await signed_in(await build.a_membership(wall.shop))
    with recorded() as sql:
        answer = await client.ask(COMMENTS, {"shop": pid("shop", wall.shop.id)})
    assert len(sql) == 2
    assert answer.codes == [Code.BAD_REQUEST] * 4
    nodes = answer.body["data"]["shop"]["comments"]["nodes"]
    assert [(node["text"], node["claim"]["outcome"], node["claim"]["receipt"]) for node in nodes] == [("紅+1", "ORDERED", None)] * 4
    assert (await client.ask(COMMENTS.replace("20", "3"), {"shop": pid("shop", wall.shop.id)})).codes == []


async def test_a_receipt_under_two_names_is_signed_once(wall: Wall, signed_in: Any) -> None:
    await wall.says("小美", "紅+1")
    await wall.drain()
    client = await signed_in(await linked("小美"))
    with recorded() as sql:
        data = await client.get(
            "{ me { orders { nodes { lines { nodes { claim { a: receipt { document } b: receipt { signature } } } } } } } }"
        )
    assert len(sql) == 2
    (claim,) = [line["claim"] for line in data["me"]["orders"]["nodes"][0]["lines"]["nodes"]]
    key = (await receipt_keys())[(await keys.active_key(KeyUse.RECEIPT, NOW)).kid]
    assert check(claim["a"]["document"].encode(), claim["b"]["signature"], key.kid, {key.kid: key})


async def test_a_change_answers_with_its_receipt(wall: Wall, signed_in: Any) -> None:
    await wall.says("小美", "紅+1")
    await wall.drain()
    client = await signed_in(await build.a_membership(wall.shop))
    order = await database.fetchval('select id from "order"')
    query = mutations.CANCEL.replace("order {", f"order {{ {LINES} ", 1)
    answer = await client.get(query, {"input": {"orderId": pid("order", order)}, "key": "k-1234567890"})
    (claim,) = claims_in(answer)
    assert [each["kind"] for each in (await proven(claim["receipt"]))["orders"][0]["changes"]][-1] == "CANCELLED"


async def test_the_document_is_text_of_the_very_bytes(wall: Wall, signed_in: Any) -> None:
    await wall.says("小美", '紅+1 "謝謝" \\ / <b> \u202e 📦')
    await wall.drain()
    client = await signed_in(await linked("小美"))
    (claim,) = claims_in(await client.get(ORDERS))
    document = await proven(claim["receipt"])
    assert document["comment"]["text"] == '紅+1 "謝謝" \\ / <b> \u202e 📦'
    assert orjson.dumps(document, option=orjson.OPT_SORT_KEYS).decode() == claim["receipt"]["document"]


async def test_who_goes_away_hurts_nobody(wall: Wall, services: Services) -> None:
    for _ in range(2):
        await wall.says("小美", "紅+1")
    await wall.drain()
    member = await linked("小美")
    first, second = [row["id"] for row in await database.fetch("select id from claim order by id")]
    context = GraphQLContext(services, Viewer(member, new_id()))
    gone, stays = receipts._batch_of(context).ask(first), receipts._batch_of(context).ask(second)
    gone.cancel()
    found = await stays
    assert found is not None
    assert (await proven({**found, "issuedAt": "2026-11-21T08:00:00Z"}))["claim"]["id"] == public_id("claim", second)


async def test_a_database_that_is_away_takes_the_receipts_alone(wall: Wall, signed_in: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    await wall.says("小美", "紅+1 白+1")
    await wall.drain()
    client = await signed_in(await linked("小美"))

    async def away(*_: object, **__: object) -> None:
        raise database.DatabaseAway

    monkeypatch.setattr(receipts, "receipts_of", away)
    answer = await client.ask(ORDERS)
    assert (answer.response.status_code, answer.codes) == (503, [Code.UNAVAILABLE] * 2)
    found = claims_in(answer.body["data"])
    assert [(claim["outcome"], claim["receipt"]) for claim in found] == [("ORDERED", None)] * 2
