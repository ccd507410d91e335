"""Who may see and do what: the matrix over everybody and everything. A denied answer is the very answer of a thing that is not there."""

from __future__ import annotations

import pytest

from domain import db as database
from domain.ids import new_id
from tests import books, build
from tests.api.graphql.conftest import pid
from tests.api.graphql.matrix import (
    ASK,
    NOT_FOUND,
    NULL,
    OWN,
    READS,
    TABLE,
    YES,
    everybody_is_answered,
    nowhere,
    one_of_each,
    person,
    said,
    takes_the_same_statements,
    who_may,
)
from tests.api.graphql.test_relay import A_DISPUTE, A_SURPLUS

MAY = who_may({what: row for what, row in TABLE.items() if what not in READS})


@pytest.mark.parametrize("what", TABLE)
async def test_everybody_gets_the_answer_of_the_matrix_and_a_refusal_changes_nothing(people, services, signed_in, what) -> None:
    things = await one_of_each(people, services)
    before = None if what in READS or what in OWN else await books.everything(but=("audit_entry",))
    await everybody_is_answered(
        TABLE[what], people, signed_in, lambda: ASK[what](things), lambda: ASK[what](nowhere(things)), but="" if before is None else YES
    )
    assert before is None or await books.everything(but=("audit_entry",)) == before


@pytest.mark.parametrize(("what", "who"), MAY, ids=[f"{what} by {who}" for what, who in MAY])
async def test_who_may_act_does(people, services, signed_in, what, who) -> None:
    things = await one_of_each(people, services)
    client = await signed_in(await person(people, who))
    assert said((await client.ask(*ASK[what](things))).body) == YES


@pytest.mark.parametrize("what", [name for name, row in TABLE.items() if row[1] in (NULL, NOT_FOUND)])
async def test_a_denied_answer_takes_the_same_statements_as_a_missing_one(people, services, signed_in, what) -> None:
    things = await one_of_each(people, services)
    client = await signed_in(people.stranger)
    await takes_the_same_statements(client, lambda: ASK[what](things), lambda: ASK[what](nowhere(things)))


async def test_marking_anothers_notice_changes_nothing(people, services, signed_in) -> None:
    things = await one_of_each(people, services)
    for who in ("stranger", "owner"):
        await (await signed_in(getattr(people, who))).ask(*ASK["read notices"](things))
    assert await database.fetchval("select count(*) from notice where read_at is not null") == 0
    await (await signed_in(people.member)).ask(*ASK["read notices"](things))
    assert await database.fetchval("select count(*) from notice where read_at is not null") == 1


async def test_a_shop_reached_through_an_order_keeps_its_lists(people, services, signed_in) -> None:
    await one_of_each(people, services)
    client = await signed_in(people.member)
    for field in ("orders", "stock", "comments"):
        answer = await client.ask(f"{{ me {{ orders {{ nodes {{ shop {{ name {field} {{ totalCount }} }} }} }} }} }}")
        assert set(answer.codes) == {"FORBIDDEN"}
        assert answer.body["data"] is None or "totalCount" not in str(answer.body["data"])


@pytest.mark.parametrize(
    "name", ["OrderMarkPaidInput", "OrderCancelInput", "StockAdjustInput", "CommentResolveInput", "DeviceRegisterInput"]
)
async def test_a_field_that_no_input_has_is_refused(signed_in, people, name) -> None:
    mutation = name[0].lower() + name.removesuffix("Input")[1:]
    client = await signed_in(people.owner)
    query = f"mutation ($input: {name}!) {{ {mutation}(input: $input) {{ userErrors {{ code }} }} }}"
    for field in ("shopId", "price", "status", "paid", "role", "createdAt", "memberId"):
        answer = await client.ask(query, {"input": {field: "x"}})
        assert set(answer.codes) == {"BAD_REQUEST"}
        assert any(field in error["message"] for error in answer.body["errors"])


async def test_a_members_other_shops_stay_apart(people, signed_in) -> None:
    """Staff of one shop is a plain buyer in another."""
    await build.a_membership(people.other_shop, people.member, role=build.Role.OWNER)
    order = await build.an_order(people.shop, {await build.a_variant(people.shop): 1})
    client = await signed_in(people.member)
    data = await client.get("query ($id: ID!) { node(id: $id) { id } }", {"id": pid("order", order.id)})
    assert data == {"node": None}


SEEN = """query ($shop: ID!, $order: ID!, $line: ID!, $comment: ID!, $claim: ID!, $pickup: ID!, $dispute: ID!) {
  dispute: node(id: $dispute) { ... on Dispute { order { number } } }
  shop(id: $shop) { disputes(first: 5) { nodes { order { number } } } paymentSurpluses(first: 5) { nodes { order { number } } }
                    shipments(first: 5) { nodes { lines { orderNumber } } }
                    orders(first: 5) { nodes { lines { nodes { claim { outcome comment { text } } } } } }
                    comments(first: 5) { nodes { text claim { outcome order { number } } } } }
  order: node(id: $order) { ... on Order { number lines { nodes { claim { outcome comment { text } } } } } }
  line: node(id: $line) { ... on OrderLine { claim { outcome comment { text } } } }
  pickup: node(id: $pickup) { ... on Pickup { orders { number } } }
  comment: node(id: $comment) { ... on SocialComment { text claim { outcome order { number } } } }
  claim: node(id: $claim) { ... on Claim { outcome comment { text } order { number } } } }"""


@pytest.mark.parametrize(
    ("denied", "texts", "numbers", "codes"),
    [
        ([], True, True, []),
        (["VIEW_ORDERS"], True, False, ["FORBIDDEN"]),
        (["VIEW_COMMENTS"], False, True, ["FORBIDDEN"]),
        (["VIEW_ORDERS", "VIEW_COMMENTS"], False, False, ["FORBIDDEN"]),
    ],
)
async def test_a_denied_permission_is_not_walked_around_by_another_path(people, services, signed_in, denied, texts, numbers, codes) -> None:
    things = await one_of_each(people, services)
    order, line = await database.fetchrow("select order_id, id from order_line order by created_at, id limit 1")
    await database.execute("update claim set order_id = $1", order)
    await database.execute("update order_line set claim_id = (select id from claim where outcome <> 'SUGGESTED') where id = $1", line)
    await database.execute("update social_comment set text = 'written here'")
    dispute = new_id()
    await database.execute(A_DISPUTE.replace("gen_random_uuid()", "$5"), people.shop.id, order, people.buyer.id, build.NOW, dispute)
    await database.execute(A_SURPLUS, people.shop.id, order, "T1", build.NOW)
    variables = {
        "shop": things["shop"], "order": pid("order", order), "line": pid("line", line), "comment": things["comment"], "claim": things["claim"],
        "pickup": things["pickup"], "dispute": pid("dispute", dispute),
    }  # fmt: skip
    member = await build.a_membership(people.shop, role=build.Role.MANAGER, denied=denied)
    client = await signed_in(member)
    answer = await client.ask(SEEN, variables)
    assert sorted(set(answer.codes)) == codes
    assert ("written here" in answer.response.text) is texts
    number = await database.fetchval('select number from "order" where id = $1', order)
    assert (number in answer.response.text) is numbers
    data = answer.body["data"]
    assert [data["shop"]["orders"] is None, data["shop"]["comments"] is None] == [not numbers, not texts]


async def test_staff_who_also_bought_see_their_own_in_full(people, services, signed_in) -> None:
    things = await one_of_each(people, services)
    await build.a_membership(people.shop, people.member, role=build.Role.HELPER, denied=["VIEW_ORDERS"])
    client = await signed_in(people.member)
    data = await client.get("query ($id: ID!) { node(id: $id) { ... on Order { number actions } } }", {"id": things["order"]})
    assert data["node"]["actions"] == ["PAY", "REPORT_TRANSFER", "MAKE_GIFT", "UNDO", "REDUCE", "REQUEST_CANCEL", "CANCEL"]
