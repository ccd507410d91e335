"""The access matrix over the whole schema: every query, mutation, subscription, list and kind of node has its row here or in `test_access`.

A field that is new to the schema fails `test_every_field_has_its_row` until somebody has said who may use it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from graphql import GraphQLObjectType, get_named_type

from api.graphql_app import schema
from api.resolvers.node import KINDS
from domain import db as database
from domain.claims.offering import suggestion_id, version_of_text
from domain.claims.planning import text_hash
from domain.claims.rules import ClaimOutcome
from domain.ids import new_id, public_id
from domain.shipping.rules import ShipmentState
from tests import books, build
from tests.api.graphql import test_access as matrix
from tests.api.graphql.conftest import People, pid
from tests.api.graphql.test_access import DENIED, EVERYBODY, FORBIDDEN, NOT_FOUND, NULL, SIGN_IN, YES, act, person, said
from tests.parcels import an_order_to_send, packed
from tests.parcels import said as said_of
from tests.sql_recorder import recorded

NONE = "none"
"""An empty list: these are the viewer's own, and there are none."""

Ask = Callable[[dict[str, str]], tuple[str, dict[str, Any]]]


def own(field: str) -> Ask:
    return lambda _: (f"{{ me {{ found: {field} {{ totalCount }} }} }}", {})


def mutation(name: str, **given: Any) -> Ask:
    title = name[0].upper() + name[1:]
    key = "@idempotent(key: $key)" if name == "suggestionAccept" or name.startswith("shipment") else ""
    query = (
        f"mutation ($input: {title}Input!{', $key: String!' if key else ''}) {{ {name}(input: $input) {key} {{ userErrors {{ code }} }} }}"
    )
    return act(query, **given)  # type: ignore[arg-type, return-value]


SIMULATE = "query ($input: ClaimPolicySimulateInput!) { found: claimPolicySimulate(input: $input) { comments } }"

ASK: dict[str, Ask] = {
    "my orders": own("orders"),
    "my unpaid": own("unpaid"),
    "my notifications": own("notifications"),
    "my pickups": own("pickups"),
    "my suggestions": own("suggestions"),
    "my shipments": own("shipments"),
    "order timeline": lambda t: (
        "query ($id: ID!) { found: node(id: $id) { ... on Order { timeline { totalCount } } } }",
        {"id": t["order"]},
    ),
    "order lines": lambda t: ("query ($id: ID!) { found: node(id: $id) { ... on Order { lines { totalCount } } } }", {"id": t["order"]}),
    "nodes": lambda t: ("query ($id: ID!) { nodes(ids: [$id]) { id } }", {"id": t["order"]}),
    "server time": lambda _: ("{ serverTime }", {}),
    "simulate": lambda t: (SIMULATE, {"input": {"postId": t["post"], "policy": {}}}),
    "accept": mutation("suggestionAccept", suggestionId=lambda t: t["suggestion"]),
    "dismiss": mutation("suggestionDismiss", suggestionId=lambda t: t["suggestion"]),
    "policy": mutation("claimPolicyUpdate", shopId=lambda t: t["shop"], policy={"maxPerLine": 7}),
    "restrict": mutation("buyerRestrict", buyerId=lambda t: t["buyer"], until="2026-12-01T00:00:00Z"),
    "restore": mutation("buyerRestore", buyerId=lambda t: t["buyer"]),
    "read notices": mutation("notificationsMarkRead", ids=lambda t: [t["notice"]]),
    "pack": mutation("shipmentCreate", lines=lambda t: [{"lineId": t["sendable"], "quantity": 1}], carrier="POST"),
    "tell parcel": mutation("shipmentUpdate", shipmentId=lambda t: t["shipment"], state="SHIPPED"),
    "cancel parcel": mutation("shipmentCancel", shipmentId=lambda t: t["shipment"]),
    "settle parcel": mutation("shipmentReturnSettle", shipmentId=lambda t: t["returned"], decision="RESTOCK"),
    "import parcels": mutation("shipmentsImport", shopId=lambda t: t["shop"], csv="order_number,carrier,tracking_number\n1,POST,2\n"),
    "device": mutation("deviceRegister", installationId="i", platform="WEB", target="t"),
}

#                      member     stranger   owner      manager    helper     scanner    ended      other      nobody
TABLE: dict[str, tuple[str, ...]] = {
    "my orders":        (YES,       NONE,      NONE,      NONE,      NONE,      NONE,      NONE,      NONE,      SIGN_IN),
    "my unpaid":        (YES,       NONE,      NONE,      NONE,      NONE,      NONE,      NONE,      NONE,      SIGN_IN),
    "my notifications": (YES,       NONE,      NONE,      NONE,      NONE,      NONE,      NONE,      NONE,      SIGN_IN),
    "my pickups":       (YES,       NONE,      NONE,      NONE,      NONE,      NONE,      NONE,      NONE,      SIGN_IN),
    "my shipments":     (YES,       NONE,      NONE,      NONE,      NONE,      NONE,      NONE,      NONE,      SIGN_IN),
    "my suggestions":   (YES,       NONE,      NONE,      NONE,      NONE,      NONE,      NONE,      NONE,      SIGN_IN),
    "order lines":      (YES,       NULL,      YES,       YES,       YES,       NULL,      NULL,      NULL,      SIGN_IN),
    "order timeline":   (YES,       NULL,      YES,       YES,       YES,       NULL,      NULL,      NULL,      SIGN_IN),
    "node shipment":    (YES,       NULL,      YES,       YES,       YES,       NULL,      NULL,      NULL,      SIGN_IN),
    "nodes":            (YES,       NULL,      YES,       YES,       YES,       NULL,      NULL,      NULL,      SIGN_IN),
    "server time":      (YES,       YES,       YES,       YES,       YES,       YES,       YES,       YES,       YES),
    "simulate":         (NULL,      NULL,      YES,       YES,       FORBIDDEN, FORBIDDEN, NULL,      NULL,      SIGN_IN),
    "accept":           (YES,       NOT_FOUND, NOT_FOUND, NOT_FOUND, NOT_FOUND, NOT_FOUND, NOT_FOUND, NOT_FOUND, SIGN_IN),
    "dismiss":          (YES,       NOT_FOUND, NOT_FOUND, NOT_FOUND, NOT_FOUND, NOT_FOUND, NOT_FOUND, NOT_FOUND, SIGN_IN),
    "policy":           (NOT_FOUND, NOT_FOUND, YES,       YES,       DENIED,    DENIED,    NOT_FOUND, NOT_FOUND, SIGN_IN),
    "restrict":         (NOT_FOUND, NOT_FOUND, YES,       YES,       DENIED,    DENIED,    NOT_FOUND, NOT_FOUND, SIGN_IN),
    "restore":          (NOT_FOUND, NOT_FOUND, YES,       YES,       DENIED,    DENIED,    NOT_FOUND, NOT_FOUND, SIGN_IN),
    "pack":             (NOT_FOUND, NOT_FOUND, YES,       YES,       DENIED,    DENIED,    NOT_FOUND, NOT_FOUND, SIGN_IN),
    "tell parcel":      (NOT_FOUND, NOT_FOUND, YES,       YES,       DENIED,    DENIED,    NOT_FOUND, NOT_FOUND, SIGN_IN),
    "cancel parcel":    (NOT_FOUND, NOT_FOUND, YES,       YES,       DENIED,    DENIED,    NOT_FOUND, NOT_FOUND, SIGN_IN),
    "settle parcel":    (NOT_FOUND, NOT_FOUND, YES,       YES,       DENIED,    DENIED,    NOT_FOUND, NOT_FOUND, SIGN_IN),
    "import parcels":   (NOT_FOUND, NOT_FOUND, YES,       YES,       DENIED,    DENIED,    NOT_FOUND, NOT_FOUND, SIGN_IN),
    "read notices":     (YES,       YES,       YES,       YES,       YES,       YES,       YES,       YES,       SIGN_IN),
    "device":           (YES,       YES,       YES,       YES,       YES,       YES,       YES,       YES,       SIGN_IN),
}  # fmt: skip
READS = [
    what
    for what in TABLE
    if what.startswith("my ") or what in ("order lines", "order timeline", "node shipment", "nodes", "server time", "simulate")
]
OWN = {"read notices", "device"}
"""Everybody may, for themselves alone: `test_marking_anothers_notice_changes_nothing` and tests/domain/members hold what they change."""

ROWS = {
    "Query.node": "node order",
    "Query.nodes": "nodes",
    "Query.serverTime": "server time",
    "Query.me": "me",
    "Query.shop": "shop",
    "Query.salesPost": "sales post",
    "Query.claimPolicySimulate": "simulate",
    "Mutation.orderMarkPaid": "mark paid",
    "Mutation.orderCancel": "cancel",
    "Mutation.stockAdjust": "adjust",
    "Mutation.stockSet": "set",
    "Mutation.commentResolve": "resolve",
    "Mutation.suggestionAccept": "accept",
    "Mutation.suggestionDismiss": "dismiss",
    "Mutation.claimPolicyUpdate": "policy",
    "Mutation.buyerRestrict": "restrict",
    "Mutation.buyerRestore": "restore",
    "Mutation.pickupPassIssue": "issue pass",
    "Mutation.pickupPassDelegate": "lend pass",
    "Mutation.pickupPassRevoke": "revoke pass",
    "Mutation.pickupScan": "scan",
    "Mutation.pickupConfirm": "confirm",
    "Mutation.notificationsMarkRead": "read notices",
    "Mutation.deviceRegister": "device",
    "Mutation.shipmentCreate": "pack",
    "Mutation.shipmentUpdate": "tell parcel",
    "Mutation.shipmentCancel": "cancel parcel",
    "Mutation.shipmentReturnSettle": "settle parcel",
    "Mutation.shipmentsImport": "import parcels",
    "Buyer.orders": "my orders",
    "Buyer.unpaid": "my unpaid",
    "Buyer.notifications": "my notifications",
    "Buyer.pickups": "my pickups",
    "Buyer.suggestions": "my suggestions",
    "Buyer.shipments": "my shipments",
    "Shop.orders": "shop orders",
    "Shop.stock": "shop stock",
    "Shop.comments": "shop comments",
    "Shop.shipments": "shop shipments",
    "Order.lines": "order lines",
    "Order.timeline": "order timeline",
}
"""Every field of the roots and every list below: its row in a matrix."""
PERSONS = "tests/api/graphql/test_people_access.py::test_only_the_member_may_and_a_refusal_changes_nothing"
ANYBODYS = "tests/api/graphql/test_people_access.py::test_what_needs_no_object_needs_a_member"
MONEYS = "tests/api/graphql/test_payments.py::test_only_the_buyer_begins_and_to_others_the_order_is_not_there"
SURPLUSES = "tests/api/graphql/test_payments.py::test_to_anybody_else_a_surplus_is_not_there"
STREAMS = "tests/api/live/test_access.py::test_everybody_sees_what_the_matrix_says"
ELSEWHERE: dict[str, str] = {
    **dict.fromkeys(
        (f"Mutation.{name}" for name in ("identityLinkConfirm", "identityUnlink", "membersMergeUndo", "accountDeleteCancel")), PERSONS
    ),
    **dict.fromkeys(
        (f"Mutation.{name}" for name in ("identityLinkStart", "dataExportRequest", "membersMerge", "accountDeleteRequest")), ANYBODYS
    ),
    "Mutation.paymentSessionCreate": MONEYS,
    "Mutation.paymentReturnRecord": SURPLUSES,
    "Shop.paymentSurpluses": SURPLUSES,
    **dict.fromkeys((f"Subscription.{name}" for name in ("myOrders", "myNotifications", "salesPostUpdated", "pickupPassUsed")), STREAMS),
}
"""Fields whose own test goes over everybody in another way (a subscription, say): field, and `tests/path.py::test_name`."""
NODES = {
    "claim": "node claim", "comment": "node comment", "line": "node line", "member": "node member", "notice": "node notice", "order": "node order",
    "pickup": "node pickup", "post": "node post", "shipment": "node shipment", "shop": "node shop", "variant": "node variant",
}  # fmt: skip


def fields_of_the_schema() -> set[str]:
    """Fields of Query, Mutation and Subscription, and fields of objects that answer a connection."""
    roots = [schema._schema.query_type, schema._schema.mutation_type, schema._schema.subscription_type]
    found = {f"{root.name}.{name}" for root in roots if root is not None for name in root.fields}
    for type_ in schema._schema.type_map.values():
        if isinstance(type_, GraphQLObjectType):
            found |= {
                f"{type_.name}.{name}" for name, field in type_.fields.items() if get_named_type(field.type).name.endswith("Connection")
            }
    return found


def test_every_field_has_its_row() -> None:
    rows = matrix.TABLE.keys() | TABLE.keys()
    assert sorted(fields_of_the_schema() - ROWS.keys() - ELSEWHERE.keys()) == []
    assert sorted((ROWS.keys() | ELSEWHERE.keys()) - fields_of_the_schema()) == []
    assert sorted(set(ROWS.values()) - rows) == []
    assert all(len(row) == len(EVERYBODY) for row in [*matrix.TABLE.values(), *TABLE.values()])
    assert ASK.keys() == TABLE.keys()


def test_every_kind_of_node_has_its_row() -> None:
    assert KINDS.keys() == NODES.keys()
    assert sorted(set(NODES.values()) - matrix.TABLE.keys() - TABLE.keys()) == []


def test_what_is_said_to_be_elsewhere_is_there() -> None:
    root = Path(__file__).parents[3]
    for place in ELSEWHERE.values():
        path, _, name = place.partition("::")
        assert f"def {name}(" in (root / path).read_text(), place


async def one_of_each(people: People, services: Any) -> dict[str, str]:
    """`test_access`'s things, and a suggestion of the member's."""
    things = await matrix.one_of_each(people, services)
    found = {name: getattr(things, name) for name in matrix.Things.__dataclass_fields__}
    post = await database.fetchval("select id from sales_post limit 1")
    variant = await database.fetchval("select id from variant limit 1")
    claim = await build.a_claim(people.shop, buyer=people.buyer, text="隨便", outcome=ClaimOutcome.SUGGESTED)
    result = {"reason": "MISSING_OPTION", "lines": [], "candidates": [str(variant)], "trail": []}
    await database.execute(
        "update claim set post_id = $2, reason = 'MISSING_OPTION', intent = 'AMBIGUOUS', result = $3::jsonb, text_hash = $4 where id = $1",
        claim, post, database.jsonb(result), text_hash("隨便"),
    )  # fmt: skip
    goods = await build.a_variant(people.shop, on_hand=2)
    came_back, waits = [await an_order_to_send(people.shop, [(goods, 1)], buyer=people.buyer) for _ in range(2)]
    returned = await packed(came_back)
    await said_of(came_back, returned, ShipmentState.RETURNED)
    found |= {"returned": pid("shipment", returned), "sendable": pid("line", waits.lines[0])}
    return {**found, "suggestion": suggestion_id(claim, version_of_text("隨便")), "buyer": pid("buyer", people.buyer.id)}


def nowhere(things: dict[str, str]) -> dict[str, str]:
    """Ids of the same kinds that nothing has."""
    tags = {"returned": "shipment", "sendable": "line"}
    ids = {name: public_id(tags.get(name, name), new_id()) for name in things if name != "suggestion"}
    return {**ids, "suggestion": suggestion_id(new_id(), version_of_text("隨便"))}


def kind_of(body: dict[str, Any]) -> str:
    """See `said`; a list of mine with nothing in it is NONE, one id of `nodes` stands for all."""
    if "errors" not in body:
        (value,) = body["data"].values()
        if isinstance(value, list):
            return NULL if value == [None] else YES
        if isinstance(value, dict) and isinstance(value.get("found"), dict):
            return YES if value["found"]["totalCount"] else NONE
    return said(body)


@pytest.mark.parametrize("what", TABLE)
async def test_everybody_gets_the_answer_of_the_matrix(people, services, signed_in, what) -> None:
    things = await one_of_each(people, services)
    before = None if what in READS or what in OWN else await books.everything(but=("audit_entry",))
    for who, expected in zip(EVERYBODY, TABLE[what], strict=True):
        if expected == YES and before is not None:
            continue
        client = await signed_in(await person(people, who))
        answer = await client.ask(*ASK[what](things))
        assert kind_of(answer.body) == expected, who
        if expected in (NULL, NOT_FOUND):
            missed = await client.ask(*ASK[what](nowhere(things)))
            assert (missed.response.status_code, missed.body) == (answer.response.status_code, answer.body), who
    assert before is None or await books.everything(but=("audit_entry",)) == before


MAY = [(what, who) for what, row in TABLE.items() if what not in READS for who, cell in zip(EVERYBODY, row, strict=True) if cell == YES]


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
    unnumbered = [[re.sub(r"savepoint_\w+", "savepoint", each) for each in sql] for sql in (denied, missing)]
    assert unnumbered[0] == unnumbered[1]


async def test_marking_anothers_notice_changes_nothing(people, services, signed_in) -> None:
    things = await one_of_each(people, services)
    for who in ("stranger", "owner"):
        await (await signed_in(getattr(people, who))).ask(*ASK["read notices"](things))
    assert await database.fetchval("select count(*) from notice where read_at is not null") == 0
    await (await signed_in(people.member)).ask(*ASK["read notices"](things))
    assert await database.fetchval("select count(*) from notice where read_at is not null") == 1
