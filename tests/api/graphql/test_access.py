"""Who may see and do what: one table over everybody and everything owned. A denied answer is the very answer of a thing that is not there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from domain import db as database
from domain.ids import new_id, public_id
from domain.notices.commands import NoticeDraft, enqueue
from domain.notices.rules import NoticeKind
from tests import books, build
from tests.api.graphql import test_mutations as mutations
from tests.api.graphql.conftest import People, pid
from tests.parcels import an_order_to_send, packed
from tests.sql_recorder import recorded

EVERYBODY = ("member", "stranger", "owner", "manager", "helper", "scanner", "ended", "other_owner", None)

YES, NULL, NOT_FOUND, DENIED, FORBIDDEN, SIGN_IN = "yes", "null", "NOT_FOUND", "PERMISSION_DENIED", "FORBIDDEN", "UNAUTHENTICATED"


@dataclass(slots=True)
class Things:
    """Public ids of one of each."""

    order: str
    line: str
    variant: str
    post: str
    comment: str
    claim: str
    notice: str
    pickup: str
    shop: str
    member: str
    shipment: str


def nowhere(things: Things) -> Things:
    """Ids of the same kinds that nothing has."""
    return Things(**{name: public_id(name, new_id()) for name in Things.__dataclass_fields__})


def node(tag: str) -> Callable[[Things], tuple[str, dict[str, Any]]]:
    return lambda t: ("query ($id: ID!) { found: node(id: $id) { id } }", {"id": getattr(t, tag)})


def desk(field: str) -> Callable[[Things], tuple[str, dict[str, Any]]]:
    return lambda t: (f"query ($id: ID!) {{ shop(id: $id) {{ {field} {{ found: totalCount }} }} }}", {"id": t.shop})


def act(query: str, **given: Any) -> Callable[[Things], tuple[str, dict[str, Any]]]:
    def ask(t: Things) -> tuple[str, dict[str, Any]]:
        filled = {name: value(t) if callable(value) else value for name, value in given.items()}
        return query, {"input": filled, "key": str(new_id())} if "$key" in query else {"input": filled}

    return ask


LEND = "mutation ($input: PickupPassDelegateInput!) { pickupPassDelegate(input: $input) { pickupPass { token delegatedTo } userErrors { code } } }"
REVOKE = "mutation ($input: PickupPassRevokeInput!) { pickupPassRevoke(input: $input) { pickup { state } userErrors { code } } }"

ASK: dict[str, Callable[[Things], tuple[str, dict[str, Any]]]] = {
    **{f"node {tag}": node(tag) for tag in ("order", "line", "comment", "claim", "notice", "pickup", "member", "post", "variant", "shop", "shipment")},
    "shop": lambda t: ("query ($id: ID!) { found: shop(id: $id) { name } }", {"id": t.shop}),
    "shop orders": desk("orders"),
    "shop stock": desk("stock"),
    "shop comments": desk("comments"),
    "shop shipments": desk("shipments"),
    "sales post": lambda t: ("query ($id: ID!) { found: salesPost(id: $id) { title } }", {"id": t.post}),
    "me": lambda _: ("{ found: me { id } }", {}),
    "mark paid": act(mutations.MARK_PAID, orderId=lambda t: t.order, method="CASH", reference="r"),
    "cancel": act(mutations.CANCEL, orderId=lambda t: t.order),
    "adjust": act(mutations.ADJUST, variantId=lambda t: t.variant, delta=1, reason="RECEIPT"),
    "set": act(mutations.SET, variantId=lambda t: t.variant, quantity=5, changeFromQuantity=5),
    "resolve": act(mutations.RESOLVE, commentId=lambda t: t.comment, action="DISMISS"),
    "issue pass": act(mutations.ISSUE, pickupId=lambda t: t.pickup),
    "lend pass": act(LEND, pickupId=lambda t: t.pickup, to="媽媽"),
    "revoke pass": act(REVOKE, pickupId=lambda t: t.pickup),
    "scan": act(mutations.SCAN, shopId=lambda t: t.shop, token="ABCD2345"),
    "confirm": act(mutations.CONFIRM, shopId=lambda t: t.shop, scanId="nonsense"),
}

#            member     stranger   owner      manager    helper     scanner    ended      other      nobody
TABLE = {
    "node order":    (YES,       NULL,      YES,       YES,       YES,       NULL,      NULL,      NULL,      SIGN_IN),
    "node line":     (YES,       NULL,      YES,       YES,       YES,       NULL,      NULL,      NULL,      SIGN_IN),
    "node comment":  (YES,       NULL,      YES,       YES,       YES,       NULL,      NULL,      NULL,      SIGN_IN),
    "node claim":    (YES,       NULL,      YES,       YES,       YES,       NULL,      NULL,      NULL,      SIGN_IN),
    "node notice":   (YES,       NULL,      NULL,      NULL,      NULL,      NULL,      NULL,      NULL,      SIGN_IN),
    "node pickup":   (YES,       NULL,      YES,       YES,       YES,       NULL,      NULL,      NULL,      SIGN_IN),
    "node shipment": (YES,       NULL,      YES,       YES,       YES,       NULL,      NULL,      NULL,      SIGN_IN),
    "node member":   (YES,       NULL,      NULL,      NULL,      NULL,      NULL,      NULL,      NULL,      SIGN_IN),
    "node post":     (YES,       YES,       YES,       YES,       YES,       YES,       YES,       YES,       YES),
    "node variant":  (YES,       YES,       YES,       YES,       YES,       YES,       YES,       YES,       YES),
    "node shop":     (YES,       YES,       YES,       YES,       YES,       YES,       YES,       YES,       YES),
    "sales post":    (YES,       YES,       YES,       YES,       YES,       YES,       YES,       YES,       YES),
    "me":            (YES,       YES,       YES,       YES,       YES,       YES,       YES,       YES,       SIGN_IN),
    "shop":          (NULL,      NULL,      YES,       YES,       YES,       YES,       NULL,      NULL,      SIGN_IN),
    "shop orders":   (NULL,      NULL,      YES,       YES,       YES,       FORBIDDEN, NULL,      NULL,      SIGN_IN),
    "shop stock":    (NULL,      NULL,      YES,       YES,       YES,       FORBIDDEN, NULL,      NULL,      SIGN_IN),
    "shop comments": (NULL,      NULL,      YES,       YES,       YES,       FORBIDDEN, NULL,      NULL,      SIGN_IN),
    "shop shipments":(NULL,      NULL,      YES,       YES,       YES,       FORBIDDEN, NULL,      NULL,      SIGN_IN),
    "mark paid":     (NOT_FOUND, NOT_FOUND, YES,       YES,       DENIED,    DENIED,    NOT_FOUND, NOT_FOUND, SIGN_IN),
    "cancel":        (NOT_FOUND, NOT_FOUND, YES,       YES,       YES,       DENIED,    NOT_FOUND, NOT_FOUND, SIGN_IN),
    "adjust":        (NOT_FOUND, NOT_FOUND, YES,       YES,       YES,       DENIED,    NOT_FOUND, NOT_FOUND, SIGN_IN),
    "set":           (NOT_FOUND, NOT_FOUND, YES,       YES,       YES,       DENIED,    NOT_FOUND, NOT_FOUND, SIGN_IN),
    "resolve":       (NOT_FOUND, NOT_FOUND, YES,       YES,       YES,       DENIED,    NOT_FOUND, NOT_FOUND, SIGN_IN),
    "issue pass":    (YES,       NOT_FOUND, NOT_FOUND, NOT_FOUND, NOT_FOUND, NOT_FOUND, NOT_FOUND, NOT_FOUND, SIGN_IN),
    "lend pass":     (YES,       NOT_FOUND, NOT_FOUND, NOT_FOUND, NOT_FOUND, NOT_FOUND, NOT_FOUND, NOT_FOUND, SIGN_IN),
    "revoke pass":   (YES,       NOT_FOUND, NOT_FOUND, NOT_FOUND, NOT_FOUND, NOT_FOUND, NOT_FOUND, NOT_FOUND, SIGN_IN),
    "scan":          (NOT_FOUND, NOT_FOUND, "PICKUP_REFUSED", "PICKUP_REFUSED", "PICKUP_REFUSED", "PICKUP_REFUSED", NOT_FOUND, NOT_FOUND, SIGN_IN),
    "confirm":       (NOT_FOUND, NOT_FOUND, "PICKUP_REFUSED", "PICKUP_REFUSED", "PICKUP_REFUSED", "PICKUP_REFUSED", NOT_FOUND, NOT_FOUND, SIGN_IN),
}  # fmt: skip
READS = [what for what in TABLE if what.startswith(("node", "s", "me")) and what not in ("set", "scan")]
MAY = [(what, who) for what, row in TABLE.items() if what not in READS for who, cell in zip(EVERYBODY, row, strict=True) if cell == YES]


async def one_of_each(people: People, services: Any) -> Things:
    channel = await build.a_channel(people.shop)
    scarf = await build.a_product(people.shop, on_hand=5)
    post = await build.a_post(people.shop, products=[scarf], channel=channel)
    order = await build.an_order(people.shop, {scarf.variants[0]: 1}, buyer=people.buyer, post=post)
    ready = {"payment": build.PaymentState.PAID, "fulfilment": build.FulfilmentState.READY_FOR_PICKUP}
    paid = await build.an_order(people.shop, {scarf.variants[0]: 1}, buyer=people.buyer, **ready)
    claim = await build.a_claim(people.shop, channel=channel, buyer=people.buyer)
    comment = await database.fetchval("select comment_id from claim where id = $1", claim)
    async with database.transaction() as tx:
        draft = NoticeDraft(people.buyer.id, NoticeKind.ANNOUNCEMENT, "k", {"title": "t", "body": "b"})
        await enqueue(tx, people.shop.id, [draft], now=build.NOW, jobs=services.jobs)
    notice = await database.fetchval("select id from notice")
    pickup = new_id()
    await database.execute(
        """insert into pickup (id, shop_id, buyer_id, member_id, code_id, state, issue_number, short_code, version, created_at)
           values ($1, $2, $3, $4, 77, 'OPEN', 0, '', 1, $5)""",
        pickup, people.shop.id, people.buyer.id, people.member, build.NOW,
    )  # fmt: skip
    await database.execute("insert into pickup_order (order_id, shop_id, pickup_id) values ($1, $2, $3)", paid.id, people.shop.id, pickup)
    sent = await an_order_to_send(people.shop, [(scarf.variants[0], 1)], buyer=people.buyer)
    parcel = await packed(sent)
    return Things(
        pid("order", order.id), pid("line", order.lines[0]), pid("variant", scarf.variants[0].id), pid("post", post.id),
        pid("comment", comment), pid("claim", claim), pid("notice", notice), pid("pickup", pickup), pid("shop", people.shop.id),
        pid("member", people.member), pid("shipment", parcel),
    )  # fmt: skip


async def person(people: People, who: str | None) -> Any:
    if who == "ended":
        member = await build.a_membership(people.shop, role=build.Role.OWNER)
        await database.execute("update membership set ended_at = $2 where member_id = $1", member, build.NOW)
        return member
    return getattr(people, who) if who else None


def said(body: dict[str, Any]) -> str:
    """The kind of an answer."""
    if "errors" in body:
        return str(body["errors"][0]["extensions"]["code"])
    (value,) = body["data"].values()
    if isinstance(value, dict) and "userErrors" in value:
        return str(value["userErrors"][0]["code"]) if value["userErrors"] else YES
    return NULL if value is None else YES


@pytest.mark.parametrize("what", TABLE)
async def test_everybody_gets_the_answer_of_the_matrix_and_a_refusal_changes_nothing(people, services, signed_in, what) -> None:
    things = await one_of_each(people, services)
    before = None if what in READS else await books.everything(but=("audit_entry",))
    for who, expected in zip(EVERYBODY, TABLE[what], strict=True):
        if expected == YES and what not in READS:
            continue
        client = await signed_in(await person(people, who))
        answer = await client.ask(*ASK[what](things))
        assert said(answer.body) == expected, who
        if expected in (NULL, NOT_FOUND):
            missed = await client.ask(*ASK[what](nowhere(things)))
            assert (missed.response.status_code, missed.body) == (answer.response.status_code, answer.body), who
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
    with recorded() as denied:
        await client.ask(*ASK[what](things))
    with recorded() as missing:
        await client.ask(*ASK[what](nowhere(things)))
    assert denied == missing


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


SEEN = """query ($shop: ID!, $order: ID!, $line: ID!, $comment: ID!, $claim: ID!, $pickup: ID!) {
  shop(id: $shop) { orders(first: 5) { nodes { lines { nodes { claim { outcome comment { text } } } } } }
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
    await database.execute("update order_line set claim_id = (select id from claim) where id = $1", line)
    await database.execute("update social_comment set text = 'written here'")
    variables = {
        "shop": things.shop, "order": pid("order", order), "line": pid("line", line), "comment": things.comment, "claim": things.claim,
        "pickup": things.pickup,
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
    data = await client.get("query ($id: ID!) { node(id: $id) { ... on Order { number actions } } }", {"id": things.order})
    assert data["node"]["actions"] == ["PAY", "CANCEL"]
