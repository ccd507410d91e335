"""Disputes through the API: one per order, written by both sides, closed by either; to everybody else there are none."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from domain import db as database
from domain.audit.commands import Actor
from domain.disputes.commands import send
from domain.disputes.rules import MOST_MESSAGES, MOST_PER_HOUR, DisputeReason, Side
from domain.ids import new_id, public_id
from domain.providers.pgqueuer_jobs import PgQueuerJobs
from plusone.invariants import check
from tests import build
from tests.api.graphql.conftest import People, pid
from tests.build import NOW, Role
from tests.sql_recorder import recorded

PARTS = "id reason state openedAt closedAt closedBy messages { side text at } order { number }"
OPEN = f"""mutation ($input: DisputeOpenInput!, $key: String!) {{ disputeOpen(input: $input) @idempotent(key: $key) {{
  dispute {{ {PARTS} }} userErrors {{ code field message }} }} }}"""
SEND = f"""mutation ($input: DisputeMessageSendInput!, $key: String!) {{ disputeMessageSend(input: $input) @idempotent(key: $key) {{
  dispute {{ {PARTS} }} userErrors {{ code field }} }} }}"""
CLOSE = f"""mutation ($input: DisputeCloseInput!) {{ disputeClose(input: $input) {{ dispute {{ {PARTS} }} userErrors {{ code }} }} }}"""
MINE = "query ($filter: DisputeFilter) { me { disputes(first: 5, filter: $filter) { totalCount nodes { id state messages { text } order { number shop { name } } } } } }"
DESK = "query ($id: ID!, $filter: DisputeFilter) { shop(id: $id) { disputes(first: 5, filter: $filter) { totalCount nodes { id state order { number } } } } }"


async def opened(client: Any, order: build.AnOrder, text: str = "少了一件", key: str | None = None) -> Any:
    given = {"orderId": pid("order", order.id), "reason": "WRONG_GOODS", "text": text}
    return (await client.get(OPEN, {"input": given, "key": key or str(new_id())}))["disputeOpen"]


async def written(client: Any, dispute: str, text: str = "請看照片") -> Any:
    return (await client.get(SEND, {"input": {"disputeId": dispute, "text": text}, "key": str(new_id())}))["disputeMessageSend"]


async def closed(client: Any, dispute: str) -> Any:
    return (await client.get(CLOSE, {"input": {"disputeId": dispute}}))["disputeClose"]


def codes(payload: Any) -> list[str]:
    assert payload["dispute"] is None
    return [error["code"] for error in payload["userErrors"]]


@pytest.fixture
async def order(people: People) -> build.AnOrder:
    variant = await build.a_variant(people.shop, on_hand=9)
    return await build.an_order(people.shop, [(variant, 1)], buyer=people.buyer)


async def kinds() -> list[str]:
    return [row["kind"] for row in await database.fetch("select kind from notice order by id")]


async def test_both_sides_talk_until_it_is_closed(signed_in, people: People, order) -> None:
    buyer, helper = await signed_in(people.member), await signed_in(people.helper)
    first = await opened(buyer, order, key="k")
    assert first["userErrors"] == []
    dispute = first["dispute"]
    assert (dispute["reason"], dispute["state"], dispute["openedAt"]) == ("WRONG_GOODS", "WAITS_FOR_SHOP", "2026-11-21T08:00:00Z")
    assert dispute["messages"] == [{"side": "BUYER", "text": "少了一件", "at": "2026-11-21T08:00:00Z"}]
    assert dispute["order"] == {"number": order.number}
    assert (await opened(buyer, order, key="k"))["dispute"]["id"] == dispute["id"]
    assert codes(await opened(buyer, order)) == ["ALREADY_OPEN"]
    answer = (await written(helper, dispute["id"], "馬上補寄"))["dispute"]
    assert answer["state"] == "WAITS_FOR_BUYER"
    assert [m["side"] for m in answer["messages"]] == ["BUYER", "SHOP"]
    assert await kinds() == ["DISPUTE_ANSWERED"]
    assert (await written(buyer, dispute["id"], "收到了"))["dispute"]["state"] == "WAITS_FOR_SHOP"
    ended = (await closed(helper, dispute["id"]))["dispute"]
    assert (ended["state"], ended["closedBy"], ended["closedAt"]) == ("CLOSED", "SHOP", "2026-11-21T08:00:00Z")
    assert await kinds() == ["DISPUTE_ANSWERED", "DISPUTE_CLOSED"]
    assert (await closed(buyer, dispute["id"]))["dispute"]["closedBy"] == "SHOP"
    assert codes(await written(buyer, dispute["id"])) == ["INVALID_TRANSITION"]
    again = await opened(buyer, order)
    assert again["dispute"]["id"] != dispute["id"]
    actions = await database.fetch(
        "select action, count(*) as n from audit_entry where object_type = 'dispute' group by action order by action"
    )
    assert [(row["action"], row["n"]) for row in actions] == [("dispute.close", 1), ("dispute.message", 2), ("dispute.open", 2)]
    assert await check(NOW) == []


async def test_words_stay_off_the_lock_screen_and_out_of_audit(signed_in, people: People, order) -> None:
    buyer, owner = await signed_in(people.member), await signed_in(people.owner)
    dispute = (await opened(buyer, order, "只有我知道的事"))["dispute"]["id"]
    await written(owner, dispute, "只有我知道的事")
    rows = await database.fetch(
        "select data::text as t from notice union all select detail::text from audit_entry union all select data::text from order_event"
    )
    assert rows
    assert not any("只有我知道的事" in row["t"] for row in rows)


async def test_lists_are_one_statement_each_and_narrowed(signed_in, people: People, order) -> None:
    buyer, owner = await signed_in(people.member), await signed_in(people.owner)
    dispute = (await opened(buyer, order))["dispute"]["id"]
    with recorded() as statements:
        mine = (await buyer.get(MINE))["me"]["disputes"]
    assert len(statements) == 1
    assert mine == {
        "totalCount": 1,
        "nodes": [{"id": dispute, "state": "WAITS_FOR_SHOP", "messages": [{"text": "少了一件"}], "order": {"number": order.number, "shop": {"name": "小鹿團購"}}}],
    }  # fmt: skip
    assert (await buyer.get(MINE, {"filter": {"state": "CLOSED"}}))["me"]["disputes"]["nodes"] == []
    assert len((await buyer.get(MINE, {"filter": {"state": "WAITS_FOR_SHOP"}}))["me"]["disputes"]["nodes"]) == 1
    shop = {"id": pid("shop", people.shop.id)}
    assert (await owner.get(DESK, shop))["shop"]["disputes"]["totalCount"] == 1
    assert (await owner.get(DESK, shop | {"filter": {"state": "WAITS_FOR_BUYER"}}))["shop"]["disputes"]["nodes"] == []
    node = await buyer.get("query ($id: ID!) { node(id: $id) { __typename ... on Dispute { reason } } }", {"id": dispute})
    assert node["node"] == {"__typename": "Dispute", "reason": "WRONG_GOODS"}


SEES = {"owner": True, "manager": True, "helper": True, "scanner": False, "other_owner": None, "stranger": None}


@pytest.mark.parametrize("who", SEES)
async def test_everybody_as_the_matrix_says(signed_in, people: People, order, who: str) -> None:
    dispute = (await opened(await signed_in(people.member), order))["dispute"]["id"]
    client = await signed_in(getattr(people, who))
    before = await database.fetch("select t::text from dispute t union all select t::text from dispute_message t order by 1")
    assert codes(await opened(client, order)) == ["NOT_FOUND"]
    node = (await client.get("query ($id: ID!) { node(id: $id) { id } }", {"id": dispute}))["node"]
    seen = await client.ask(DESK, {"id": pid("shop", people.shop.id)})
    if SEES[who]:
        assert node == {"id": dispute}
        assert seen.data["shop"]["disputes"]["totalCount"] == 1
        assert (await written(client, dispute))["userErrors"] == []
        assert (await closed(client, dispute))["dispute"]["state"] == "CLOSED"
        return
    code = "NOT_FOUND" if SEES[who] is None else "PERMISSION_DENIED"
    assert node is None
    assert codes(await written(client, dispute)) == codes(await closed(client, dispute)) == [code]
    if SEES[who] is None:
        missing = pid("dispute", new_id())
        assert codes(await written(client, missing)) == codes(await closed(client, missing)) == ["NOT_FOUND"]
        assert seen.data == {"shop": None}
    else:
        assert seen.codes == ["FORBIDDEN"]
    assert await database.fetch("select t::text from dispute t union all select t::text from dispute_message t order by 1") == before


async def test_nobody_signed_in_has_disputes(signed_in, people: People, order) -> None:
    client = await signed_in(None)
    given = {"orderId": pid("order", order.id), "reason": "OTHER", "text": "x"}
    assert (await client.ask(OPEN, {"input": given, "key": "k"})).codes == ["UNAUTHENTICATED"]
    assert (await client.ask(MINE)).codes == ["UNAUTHENTICATED"] or (await client.ask(MINE)).body["data"] == {"me": None}


@pytest.mark.parametrize("text", ["", "  \n ", "x" * 2001])
async def test_words_there_must_be_and_not_too_many(signed_in, people: People, order, text: str) -> None:
    client = await signed_in(people.member)
    answer = await opened(client, order, text)
    assert [(e["code"], e["field"]) for e in answer["userErrors"]] == [("INVALID_INPUT", ["input", "text"])]


async def test_neither_side_floods_the_other(signed_in, people: People, order) -> None:
    buyer = await signed_in(people.member)
    dispute = (await opened(buyer, order))["dispute"]["id"]
    key = await database.fetchval("select id from dispute")

    async def many(side: Side, count: int, at: Any) -> None:
        for _ in range(count):
            await send(
                dispute_id=key, side=side, member_id=people.member, shop_id=people.shop.id, text="x", now=at, actor=Actor("member:1"), jobs=PgQueuerJobs()
            )  # fmt: skip

    await many(Side.BUYER, MOST_PER_HOUR - 1, NOW)
    assert codes(await written(buyer, dispute)) == ["OVER_LIMIT"]
    await many(Side.SHOP, 1, NOW)
    missing = MOST_MESSAGES - MOST_PER_HOUR - 1
    await database.execute(
        """insert into dispute_message (id, shop_id, dispute_id, side, by_member_id, text, at)
           select gen_random_uuid(), $1, $2, 'SHOP', gen_random_uuid(), 'x', $3 from generate_series(1, $4)""",
        people.shop.id, key, NOW - timedelta(days=1), missing,
    )  # fmt: skip
    with pytest.raises(Exception, match="OVER_LIMIT"):
        await many(Side.BUYER, 1, NOW + timedelta(hours=2))


async def test_a_dispute_goes_with_its_order_to_another_account(signed_in, people: People, order) -> None:
    buyer, other = await signed_in(people.member), await signed_in(people.stranger)
    dispute = (await opened(buyer, order))["dispute"]["id"]
    await database.execute("update buyer set member_id = $1 where id = $2", people.stranger, people.buyer.id)
    await database.execute('update "order" set member_id = $1, version = version + 1', people.stranger)
    assert codes(await written(buyer, dispute)) == ["NOT_FOUND"]
    assert (await written(other, dispute))["userErrors"] == []
    assert (await other.get(MINE))["me"]["disputes"]["totalCount"] == 1
    assert (await buyer.get(MINE))["me"]["disputes"]["totalCount"] == 0


@pytest.mark.parametrize("role", list(Role))
def test_who_may_answer(role: Role) -> None:
    from domain.shops.rules import GRANTS, Permission

    assert (Permission.ANSWER_BUYERS in GRANTS[role]) is (role is not Role.SCANNER)


def test_the_reasons_are_all_described() -> None:
    assert {reason.value for reason in DisputeReason} == {"NOT_RECEIVED", "WRONG_GOODS", "DAMAGED", "WRONG_AMOUNT", "NOT_ORDERED", "OTHER"}
    assert public_id("dispute", new_id()).startswith("dispute_")
