"""The buyer's suggestions through the API: listed in one statement, accepted once, dismissed for good, told from notices."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from domain import db as database
from domain.claims.offering import suggestion_id, version_of_text
from domain.claims.rules import Shortage
from domain.claims.suggestions import OPEN_FOR
from domain.clock import FixedClock
from domain.ids import new_id, public_id
from tests import build
from tests.build import NOW
from tests.domain.claims.acts import close
from tests.domain.claims.taps import a_fan, claim_of, standing
from tests.sql_recorder import recorded
from tests.wall import Wall, a_wall

LIST = """query ($first: Int, $after: String) { me { suggestions(first: $first, after: $after) { totalCount pageInfo { hasNextPage endCursor } nodes {
  id claimId reason mode acceptUntil createdAt comment { text writtenAt } post { id title } shop { id name }
  choices { variant { id label availability price { amount } product { title } } title label op quantity maxQuantity available
    unitPrice { amount currencyCode } } } } } }"""
IDS = "{ me { suggestions { nodes { id } } } }"
ACCEPT = """mutation ($input: SuggestionAcceptInput!, $key: String!) { suggestionAccept(input: $input) @idempotent(key: $key) {
  claim { id outcome reason } order { number list total { amount } lines { nodes { variantLabel quantity } } }
  userErrors { code field message retryable availableQuantity } } }"""
DISMISS = """mutation ($input: SuggestionDismissInput!) { suggestionDismiss(input: $input) {
  claim { outcome reason } userErrors { code field } } }"""
INBOX = """query ($unread: Boolean) { me { notifications(filter: {unread: $unread}) { unreadCount totalCount
  nodes { kind readAt expired } } } }"""


async def asked_of(wall: Wall, author: str, *texts: str) -> tuple[UUID, list[str]]:
    """A member whose comments became suggestions, and the ids of these."""
    member, ids = await a_fan(author), []
    for text in texts:
        comment = await wall.says(author, text)
        await wall.drain()
        assert (await wall.outcome(comment))[0] == "SUGGESTED"
        ids.append(suggestion_id(await claim_of(comment), version_of_text(text)))
    return member, ids


async def accept(client: Any, suggestion: str, lines: list[tuple[UUID, int]] | None = None, key: str | None = None) -> Any:
    given: dict[str, Any] = {"suggestionId": suggestion}
    if lines is not None:
        given["lines"] = [{"variantId": public_id("variant", v), "quantity": n} for v, n in lines]
    return (await client.get(ACCEPT, {"input": given, "key": key or str(new_id())}))["suggestionAccept"]


async def dismiss(client: Any, suggestion: str) -> Any:
    return (await client.get(DISMISS, {"input": {"suggestionId": suggestion}}))["suggestionDismiss"]


def codes(payload: Any) -> list[str]:
    """Codes of a payload without objects."""
    assert (payload["claim"], payload.get("order")) == (None, None)
    return [error["code"] for error in payload["userErrors"]]


async def listed(client: Any) -> list[str]:
    return [node["id"] for node in (await client.get(IDS))["me"]["suggestions"]["nodes"]]


# --- the list ---------------------------------------------------------------------------------------------------------------------


async def test_a_suggestion_shows_what_is_offered_as_it_is_now(services, signed_in) -> None:
    wall = await a_wall(variants=("紅", "白"), on_hand=(3, 0), max_per_line=5)
    member, (chosen, sure) = await asked_of(wall, "小美", "紅白+2", "紅x3")
    client = await signed_in(member)
    red, white = wall.product.variants
    nodes = (await client.get(LIST))["me"]["suggestions"]["nodes"]
    assert [node["id"] for node in nodes] == [sure, chosen]

    def choice(variant: Any, quantity: int, available: int) -> dict[str, Any]:
        price = {"amount": "590", "currencyCode": "TWD"}
        return {
            "variant": {
                "id": public_id("variant", variant.id), "label": variant.label, "availability": available, "price": {"amount": "590"},
                "product": {"title": "瓦片"},
            },
            "title": "瓦片", "label": variant.label, "op": "ADD", "quantity": quantity, "maxQuantity": 5, "available": available, "unitPrice": price,
        }  # fmt: skip

    assert nodes[0] | {"claimId": "", "comment": None, "createdAt": "", "acceptUntil": ""} == {
        "id": sure, "claimId": "", "reason": "NEEDS_CONFIRMATION", "mode": "CONFIRM", "acceptUntil": "", "createdAt": "", "comment": None,
        "post": {"id": public_id("post", wall.post_id), "title": "週五團"}, "shop": {"id": public_id("shop", wall.shop.id), "name": "小鹿團購"},
        "choices": [choice(red, 3, 3)],
    }  # fmt: skip
    assert nodes[1]["choices"] == [choice(red, 2, 3), choice(white, 2, 0)]
    assert (nodes[1]["mode"], nodes[1]["reason"], nodes[1]["comment"]["text"]) == ("CHOOSE", "AMBIGUOUS_OPTION", "紅白+2")
    assert (nodes[1]["createdAt"], nodes[1]["acceptUntil"]) == ("2026-11-21T08:00:00Z", "2026-11-22T08:00:00Z")


async def test_pages_hold_newest_first(services, signed_in) -> None:
    wall = await a_wall()
    member, ids = await asked_of(wall, "小美", "我要1個", "我要2個", "我要3個")
    client, newest = await signed_in(member), ids[::-1]
    first = (await client.get(LIST, {"first": 2}))["me"]["suggestions"]
    assert ([n["id"] for n in first["nodes"]], first["totalCount"], first["pageInfo"]["hasNextPage"]) == (newest[:2], 3, True)
    rest = (await client.get(LIST, {"first": 2, "after": first["pageInfo"]["endCursor"]}))["me"]["suggestions"]
    assert ([n["id"] for n in rest["nodes"]], rest["pageInfo"]["hasNextPage"]) == (newest[2:], False)


@pytest.mark.parametrize("comments", [0, 1, 4])
async def test_the_screen_is_one_statement(services, signed_in, comments: int) -> None:
    wall = await a_wall(variants=("紅", "白"))
    member, _ = await asked_of(wall, "小美", *[f"紅白+{n + 1}" for n in range(comments)])
    client = await signed_in(member)
    with recorded() as sql:
        await client.get(LIST)
    assert len(sql) == 1
    with recorded() as sql:
        await client.get(IDS)
    assert [word for word in ("variant v", "stock_level", "policy") if word in sql[0]] == []


async def test_they_span_shops_and_are_only_mine(services, signed_in) -> None:
    first = await a_wall()
    member, ids = await asked_of(first, "小美", "我要1個")
    await asked_of(first, "阿明", "我要1個")
    other = await build.a_shop(name="別家")
    product = await build.a_product(other)
    post = await build.a_post(other, products=[product])
    buyer = await build.a_buyer(other, member_id=member)
    claim = await build.a_claim(other, buyer=buyer, text="x")
    await database.execute(
        "update claim set outcome = 'SUGGESTED', reason = 'MISSING_QUANTITY', post_id = $2, result = $3::jsonb, text_hash = $4 where id = $1",
        claim, post.id, database.jsonb({"reason": "MISSING_QUANTITY", "candidates": [str(product.variants[0].id)], "lines": [], "trail": []}),
        "ab" * 32,
    )  # fmt: skip
    client = await signed_in(member)
    assert sorted(await listed(client)) == sorted([*ids, suggestion_id(claim, "ab" * 8)])


@pytest.mark.parametrize(
    "end",
    [
        "update sales_post set state = 'CLOSED'",
        "update sales_post set closes_at = '2026-11-21T07:59:59Z'",
        "update sales_post set opens_at = '2026-11-21T08:00:01Z'",
        "update claim set decided_at = '2026-11-20T07:59:59Z'",
        "update claim set review = 'RESOLVED'",
        "update claim set outcome = 'ORDERED'",
        "update social_comment set removed_at = '2026-11-21T08:00:00Z'",
    ],
)
async def test_what_is_over_is_not_listed_and_its_notice_asks_no_more(services, signed_in, end: str) -> None:
    member, ids = await asked_of(await a_wall(), "小美", "我要1個")
    client = await signed_in(member)
    assert await listed(client) == ids
    inbox = (await client.get(INBOX))["me"]["notifications"]
    assert (inbox["unreadCount"], inbox["nodes"]) == (1, [{"kind": "SUGGESTION", "readAt": None, "expired": False}])
    await database.execute(end)
    assert await listed(client) == []
    inbox = (await client.get(INBOX))["me"]["notifications"]
    assert (inbox["unreadCount"], inbox["nodes"]) == (0, [{"kind": "SUGGESTION", "readAt": None, "expired": True}])
    assert (await client.get(INBOX, {"unread": True}))["me"]["notifications"]["totalCount"] == 0
    assert (await client.get(INBOX, {"unread": False}))["me"]["notifications"]["totalCount"] == 1


async def test_the_closing_instant_still_counts(services, signed_in, clock: FixedClock) -> None:
    wall = await a_wall(closes_at=NOW + timedelta(hours=1))
    member, ids = await asked_of(wall, "小美", "我要1個")
    clock.at = NOW + timedelta(hours=1)
    assert await listed(await signed_in(member)) == ids
    clock.at = NOW + timedelta(hours=1, seconds=1)
    assert await listed(await signed_in(member)) == []


async def test_without_a_closing_time_the_list_and_the_tap_end_at_the_same_instant(services, signed_in, clock: FixedClock) -> None:
    member, (first, second) = await asked_of(await a_wall(), "小美", "我要1個", "我要2個")
    clock.at = NOW + OPEN_FOR
    client = await signed_in(member)
    assert await listed(client) == [second, first]
    assert (await accept(client, first))["userErrors"] == []
    clock.at += timedelta(microseconds=1)
    assert await listed(client) == []
    assert codes(await accept(client, second)) == ["ITEM_CLOSED"]


async def test_an_edited_comment_has_one_suggestion_and_one_open_notice(services, signed_in) -> None:
    wall = await a_wall(variants=("紅", "白"))
    member = await a_fan("小美")
    comment = await wall.says("小美", "紅1個", at=NOW)
    await wall.drain()
    client = await signed_in(member)
    (old,) = await listed(client)
    await wall.says("小美", "白2個", comment=comment, verb="edited", at=NOW + timedelta(seconds=9))
    await wall.drain()
    (new,) = await listed(client)
    assert new != old
    inbox = (await client.get(INBOX))["me"]["notifications"]
    assert (inbox["unreadCount"], sorted(n["expired"] for n in inbox["nodes"])) == (1, [False, True])
    before = await standing()
    assert codes(await accept(client, old)) == ["NOT_EDITABLE"]
    assert codes(await dismiss(client, old)) == ["NOT_EDITABLE"]
    assert await standing() == before
    assert (await accept(client, new))["userErrors"] == []
    assert await wall.pieces("小美") == {"白": 2}


async def test_marking_a_notice_read_leaves_the_suggestion(services, signed_in) -> None:
    member, ids = await asked_of(await a_wall(), "小美", "我要1個")
    client = await signed_in(member)
    notice = public_id("notice", await database.fetchval("select id from notice"))
    read = """mutation ($input: NotificationsMarkReadInput!) { notificationsMarkRead(input: $input) { unreadCount
      notifications { expired } userErrors { code } } }"""
    data = await client.get(read, {"input": {"ids": [notice]}})
    assert data["notificationsMarkRead"] == {"unreadCount": 0, "notifications": [{"expired": False}], "userErrors": []}
    assert await listed(client) == ids


# --- yes and no ---------------------------------------------------------------------------------------------------------------------


async def test_a_yes_answers_claim_and_order(services, signed_in) -> None:
    wall = await a_wall(variants=("紅", "白"))
    member, (suggestion,) = await asked_of(wall, "小美", "紅1個 白2個")
    client = await signed_in(member)
    payload = await accept(client, suggestion)
    assert payload["userErrors"] == []
    assert (payload["claim"]["outcome"], payload["claim"]["reason"]) == ("ORDERED", "ACCEPTED")
    assert (payload["order"]["list"], payload["order"]["total"]) == ("TO_PAY", {"amount": "1770"})
    lines = payload["order"]["lines"]["nodes"]
    assert sorted((line["variantLabel"], line["quantity"]) for line in lines) == [("白", 2), ("紅", 1)]
    assert await listed(client) == []
    inbox = (await client.get(INBOX))["me"]["notifications"]
    assert [(n["kind"], n["readAt"] is not None) for n in inbox["nodes"]] == [("ORDER_PLACED", False), ("SUGGESTION", True)]


async def test_the_same_key_is_one_order_and_one_answer(services, signed_in) -> None:
    wall = await a_wall()
    member, (suggestion,) = await asked_of(wall, "小美", "我要2個")
    client = await signed_in(member)
    answers = await asyncio.gather(*(accept(client, suggestion, key="one tap") for _ in range(4)))
    assert [a == answers[0] for a in answers] == [True] * 4
    assert answers[0]["userErrors"] == []
    assert await wall.level() == (10, 2, 0)
    payload = await accept(client, suggestion, key="another device")
    assert codes(payload) == ["NOT_EDITABLE"]
    assert payload["userErrors"][0]["retryable"] is False


async def test_two_devices_at_once_are_one_order(services, signed_in) -> None:
    wall = await a_wall()
    member, (suggestion,) = await asked_of(wall, "小美", "我要2個")
    clients = [await signed_in(member) for _ in range(4)]
    answers = await asyncio.gather(*(accept(client, suggestion) for client in clients))
    assert sorted([e["code"] for e in a["userErrors"]] for a in answers) == [[], *[["NOT_EDITABLE"]] * 3]
    assert await wall.level() == (10, 2, 0)


async def test_pieces_that_wait_have_no_order_yet(services, signed_in) -> None:
    wall = await a_wall(on_hand=0)
    member, (suggestion,) = await asked_of(wall, "小美", "我要2個")
    payload = await accept(await signed_in(member), suggestion)
    assert (payload["claim"]["outcome"], payload["order"], payload["userErrors"]) == ("WAITLISTED", None, [])
    assert await wall.waiting() == [("小美", 2)]


async def test_refusals_have_their_codes_and_change_nothing(services, signed_in) -> None:
    wall = await a_wall(variants=("紅", "白"), on_hand=(1, 9), shortage=Shortage.REJECT_LINE, max_per_line=5, per_buyer_max=4)
    member, (choice, sure) = await asked_of(wall, "小美", "紅白+1", "紅x2")
    client = await signed_in(member)
    red, white = (v.id for v in wall.product.variants)
    before = await standing()

    async def refusal(suggestion: str, lines: list[tuple[UUID, int]] | None = None) -> tuple[str, Any, Any]:
        payload = await accept(client, suggestion, lines)
        (code,) = codes(payload)
        return code, payload["userErrors"][0]["field"], payload["userErrors"][0]["availableQuantity"]

    assert await refusal(sure) == ("INSUFFICIENT_STOCK", None, 1)
    assert await refusal(choice, [(white, 6)]) == ("OVER_LIMIT", None, None)
    assert await refusal(choice, [(white, 5)]) == ("OVER_LIMIT", None, None)
    for lines in (None, [], [(white, 0)], [(white, -1)], [(new_id(), 1)], [(white, 1)] * 51):
        assert await refusal(choice, lines) == ("INVALID_INPUT", ["input", "lines"], None)
    for name in ("nonsense", public_id("claim", new_id()), suggestion_id(new_id(), "ab" * 8), suggestion_id(UUID(int=0), "00" * 8)):
        assert await refusal(name) == ("NOT_FOUND", None, None)
    assert await standing() == before
    await close(wall.post_id)
    assert await refusal(choice, [(red, 1)]) == ("ITEM_CLOSED", None, None)
    await database.execute("update sales_post set state = 'OPEN', version = version + 1")
    await database.execute("update buyer set restricted_until = '2030-01-01T00:00Z'")
    assert await refusal(choice, [(red, 1)]) == ("BUYER_RESTRICTED", None, None)
    assert await standing() == before


async def test_a_yes_needs_a_key(services, signed_in) -> None:
    wall = await a_wall()
    member, (suggestion,) = await asked_of(wall, "小美", "我要2個")
    client = await signed_in(member)
    query = ACCEPT.replace(", $key: String!", "").replace(" @idempotent(key: $key)", "")
    payload = (await client.get(query, {"input": {"suggestionId": suggestion}}))["suggestionAccept"]
    assert codes(payload) == ["IDEMPOTENCY_KEY_MISSING"]
    assert await wall.level() == (10, 0, 0)


async def test_a_no_may_be_said_twice_and_stays(services, signed_in) -> None:
    wall = await a_wall()
    member, (suggestion,) = await asked_of(wall, "小美", "我要2個")
    client = await signed_in(member)
    for _ in range(2):
        payload = await dismiss(client, suggestion)
        assert payload == {"claim": {"outcome": "IGNORED", "reason": "DISMISSED"}, "userErrors": []}
    assert await listed(client) == []
    assert codes(await accept(client, suggestion)) == ["NOT_EDITABLE"]
    assert await wall.level() == (10, 0, 0)


# --- whose --------------------------------------------------------------------------------------------------------------------------


async def test_a_stranger_and_the_shop_s_owner_find_nothing_and_nobody_must_sign_in(services, signed_in) -> None:
    wall = await a_wall()
    _, (suggestion,) = await asked_of(wall, "小美", "我要2個")
    before = await standing()
    for member in (await build.a_member(), await build.a_membership(wall.shop)):
        client = await signed_in(member)
        assert await listed(client) == []
        assert codes(await accept(client, suggestion)) == ["NOT_FOUND"]
        assert codes(await dismiss(client, suggestion)) == ["NOT_FOUND"]
    nobody = await signed_in(None)
    variables = {"input": {"suggestionId": suggestion}, "key": "k"}
    assert [(await nobody.ask(q, variables)).codes for q in (ACCEPT, DISMISS, IDS)] == [["UNAUTHENTICATED"]] * 3
    assert await standing() == before


async def test_another_s_takes_the_same_statements_as_a_missing_one(services, signed_in) -> None:
    wall = await a_wall()
    _, (theirs,) = await asked_of(wall, "小美", "我要2個")
    client = await signed_in(await build.a_member())
    taken: list[list[str]] = []
    for name in (theirs, suggestion_id(new_id(), "ab" * 8)):
        with recorded() as sql:
            await accept(client, name)
            await dismiss(client, name)
        taken.append([re.sub(r"savepoint_\w+", "savepoint", each) for each in sql])
    assert taken[0] == taken[1]
