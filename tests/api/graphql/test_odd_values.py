"""Every argument of the API with every odd value: a typed answer, never a crash, never SQL in a text, and nothing changed by a refusal."""

from __future__ import annotations

from typing import Any

import pytest

from domain import db as database
from tests import build
from tests.api.graphql import test_mutations as mutations
from tests.api.graphql.conftest import pid
from tests.api.graphql.odd import ODD, filled, odd_values_are_answered

LISTS = "first: $first, after: $after, last: $last, before: $before"
LIST_VARIABLES = "$first: Int, $after: String, $last: Int, $before: String"
PAGE = {"first": 5, "after": None, "last": None, "before": None}

QUERIES: dict[str, tuple[str, dict[str, Any]]] = {
    "node": ("query ($id: ID!) { node(id: $id) { id } }", {"id": "order_AAAAAAAAAAAAAAAAAAAAAA"}),
    "nodes": ("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": ["order_AAAAAAAAAAAAAAAAAAAAAA"]}),
    "salesPost": ("query ($id: ID!) { salesPost(id: $id) { id } }", {"id": "post_AAAAAAAAAAAAAAAAAAAAAA"}),
    "shop": ("query ($id: ID, $handle: String) { shop(id: $id, handle: $handle) { id } }", {"id": "<shop>", "handle": None}),
    "orders": (
        f"query ({LIST_VARIABLES}, $filter: OrderFilter) {{ me {{ orders({LISTS}, filter: $filter) {{ totalCount nodes {{ id }} }} }} }}",
        {**PAGE, "filter": {"shopIds": ["<shop>"], "state": "OPEN", "paymentState": "PAID", "since": "2026-01-01T00:00:00Z"}},
    ),
    "unpaid": (f"query ({LIST_VARIABLES}) {{ me {{ unpaid({LISTS}) {{ totalCount nodes {{ id }} }} }} }}", PAGE),
    "notifications": (
        f"query ({LIST_VARIABLES}, $filter: NotificationFilter) {{ me {{ notifications({LISTS}, filter: $filter) {{ nodes {{ id }} }} }} }}",
        {**PAGE, "filter": {"unread": True}},
    ),
    "pickups": (
        f"query ({LIST_VARIABLES}, $filter: PickupFilter) {{ me {{ pickups({LISTS}, filter: $filter) {{ nodes {{ id }} }} }} }}",
        {**PAGE, "filter": {"state": "OPEN"}},
    ),
    "shop orders": (
        f"""query ($id: ID!, $list: OrderList, {LIST_VARIABLES}, $filter: OrderFilter) {{
          shop(id: $id) {{ orders(list: $list, {LISTS}, filter: $filter) {{ nodes {{ id }} }} }} }}""",
        {"id": "<shop>", "list": "TO_PAY", **PAGE, "filter": {"since": "2026-01-01T00:00:00Z"}},
    ),
    "stock": (
        f"query ($id: ID!, {LIST_VARIABLES}, $filter: StockFilter) {{ shop(id: $id) {{ stock({LISTS}, filter: $filter) {{ nodes {{ onHand }} }} }} }}",
        {"id": "<shop>", **PAGE, "filter": {"productId": "product_AAAAAAAAAAAAAAAAAAAAAA", "soldOut": True}},
    ),
    "comments": (
        f"query ($id: ID!, {LIST_VARIABLES}, $filter: CommentFilter) {{ shop(id: $id) {{ comments({LISTS}, filter: $filter) {{ nodes {{ id }} }} }} }}",
        {"id": "<shop>", **PAGE, "filter": {"outcome": "ORDERED", "review": "OPEN", "platform": "LINE_OA", "postId": "post_AAAAAAAAAAAAAAAAAAAAAA"}},
    ),
    "lines": (
        f"query ($id: ID!, {LIST_VARIABLES}) {{ node(id: $id) {{ ... on Order {{ lines({LISTS}) {{ nodes {{ id }} }} }} }} }}",
        {"id": "<order>", **PAGE},
    ),
    "timeline": (
        f"query ($id: ID!, {LIST_VARIABLES}) {{ node(id: $id) {{ ... on Order {{ timeline({LISTS}) {{ nodes {{ at }} }} }} }} }}",
        {"id": "<order>", **PAGE},
    ),
    "orderMarkPaid": (
        mutations.MARK_PAID,
        {"key": "k", "input": {"orderId": "<order>", "method": "CASH", "reference": "r", "amount": "1", "expectedVersion": 5}},
    ),
    "orderCancel": (mutations.CANCEL, {"key": "k", "input": {"orderId": "<foreign order>", "reason": "r"}}),
    "stockAdjust": (mutations.ADJUST, {"key": "k", "input": {"variantId": "<foreign variant>", "delta": 1, "reason": "COUNT"}}),
    "stockSet": (mutations.SET, {"key": "k", "input": {"variantId": "<variant>", "quantity": 1, "changeFromQuantity": 9, "reason": "COUNT"}}),
    "commentResolve": (
        mutations.RESOLVE,
        {"input": {"commentId": "comment_AAAAAAAAAAAAAAAAAAAAAA", "action": "MAKE_ORDER", "lines": [{"variantId": "<variant>", "quantity": 1}], "note": "n"}},
    ),
    "pickupPassIssue": (mutations.ISSUE, {"input": {"pickupId": "pickup_AAAAAAAAAAAAAAAAAAAAAA"}}),
    "pickupScan": (mutations.SCAN, {"input": {"shopId": "<shop>", "token": "P1:ABC", "deviceId": "d"}}),
    "pickupConfirm": (
        mutations.CONFIRM,
        {
            "key": "k",
            "input": {
                "shopId": "<shop>", "scanId": "s", "lines": [{"lineId": "line_AAAAAAAAAAAAAAAAAAAAAA", "quantity": 1}],
                "collected": {"amount": "1", "currencyCode": "TWD"}, "deviceId": "d",
            },
        },
    ),
    "notificationsMarkRead": (
        "mutation ($input: NotificationsMarkReadInput!) { notificationsMarkRead(input: $input) { unreadCount userErrors { code } } }",
        {"input": {"ids": ["notice_AAAAAAAAAAAAAAAAAAAAAA"]}},
    ),
    "deviceRegister": (
        "mutation ($input: DeviceRegisterInput!) { deviceRegister(input: $input) { device { id } userErrors { code } } }",
        {"input": {"installationId": "i", "platform": "WEB", "targetKind": "TOKEN", "target": "t", "locale": "zh-TW"}},
    ),
    "identityLinkStart": (
        "mutation ($input: IdentityLinkStartInput!) { identityLinkStart(input: $input) { code { text } userErrors { code } } }",
        {"input": {"way": "CLAIM_CODE", "shopId": "shop_AAAAAAAAAAAAAAAAAAAAAA"}},
    ),
    "identityLinkOpen": (
        "mutation ($input: IdentityLinkOpenInput!) { identityLinkOpen(input: $input) { url userErrors { code } } }",
        {"input": {"text": "x"}},
    ),
    "identityLinkConfirm": (
        "mutation ($input: IdentityLinkConfirmInput!) { identityLinkConfirm(input: $input) { names { id } userErrors { code } } }",
        {"input": {"linkId": "link_AAAAAAAAAAAAAAAAAAAAAA", "accept": True}},
    ),
    "identityUnlink": (
        "mutation ($input: IdentityUnlinkInput!) { identityUnlink(input: $input) { names { id } userErrors { code } } }",
        {"input": {"id": "identity_AAAAAAAAAAAAAAAAAAAAAA"}},
    ),
    "membersMerge": (
        "mutation ($input: MembersMergeInput!) { membersMerge(input: $input) { merged userErrors { code } } }",
        {"input": {"code": "claim_00000000000000000000"}},
    ),
    "membersMergeUndo": (
        "mutation ($input: MembersMergeUndoInput!) { membersMergeUndo(input: $input) { merge { id } userErrors { code } } }",
        {"input": {"mergeId": "merge_AAAAAAAAAAAAAAAAAAAAAA"}},
    ),
    "dataExportRequest": (
        "mutation ($input: DataExportRequestInput!) { dataExportRequest(input: $input) { export { id } userErrors { code } } }",
        {"input": {"format": "JSON"}},
    ),
    "accountDeleteRequest": (
        "mutation ($input: AccountDeleteRequestInput!) { accountDeleteRequest(input: $input) { deletion { id } userErrors { code } } }",
        {"input": {"understood": True}},
    ),
    "accountDeleteCancel": (
        "mutation ($input: AccountDeleteCancelInput!) { accountDeleteCancel(input: $input) { deletion { id } userErrors { code } } }",
        {"input": {"deletionId": "deletion_AAAAAAAAAAAAAAAAAAAAAA"}},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", QUERIES)
async def test_every_odd_value_gets_a_typed_answer(people, signed_in, name) -> None:
    variant, foreign = await build.a_variant(people.shop), await build.a_variant(people.other_shop)
    order = await build.an_order(people.shop, {variant: 1}, buyer=people.buyer)
    other = await build.an_order(people.other_shop, {foreign: 1})
    ids = {
        "shop": pid("shop", people.shop.id), "order": pid("order", order.id), "foreign order": pid("order", other.id),
        "variant": pid("variant", variant.id), "foreign variant": pid("variant", foreign.id),
    }  # fmt: skip
    query, template = QUERIES[name]
    variables = filled(template, ids)
    client = await signed_in(people.owner)
    assert await odd_values_are_answered(client, query, variables) >= len(ODD)
    assert await database.fetchval('select state from "order" where id = $1', other.id) == "OPEN"


@pytest.mark.parametrize("text", ['"\\ud800"', '"\\udc00x"', '"x\\ud83d"'])
async def test_lone_surrogates_in_variables_are_a_typed_error(http, text) -> None:
    body = b'{"query": "query ($id: ID!) { node(id: $id) { id } }", "variables": {"id": ' + text.encode() + b"}}"
    response = await http.post("/graphql", content=body, headers={"content-type": "application/json"})
    assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (400, "BAD_REQUEST")


@pytest.mark.parametrize(
    "literal",
    ['"\\ud800"', '"\\u0000"', '"""a\\u0000"""', '"\\u{110000}"', "99999999999999999999999", "-1", "1.5", "$x", "null", "[]", "{}", "TRUE"],
)
async def test_odd_literals_in_the_document_are_typed_too(http, literal) -> None:
    for query in (
        f"{{ node(id: {literal}) {{ id }} }}",
        f"{{ nodes(ids: [{literal}]) {{ id }} }}",
        f"{{ me {{ orders(first: {literal}) {{ nodes {{ id }} }} }} }}",
    ):
        response = await http.post("/graphql", json={"query": query})
        assert response.status_code == 200
        assert {error["extensions"]["code"] for error in response.json().get("errors", ())} <= {"BAD_REQUEST", "UNAUTHENTICATED"}


async def test_a_number_with_thousands_of_digits_is_a_typed_error(http) -> None:
    for query in (f"{{ me {{ orders(first: {'9' * 9000}) {{ nodes {{ id }} }} }} }}", f"{{ node(id: {'9' * 9000}) {{ id }} }}"):
        response = await http.post("/graphql", json={"query": query})
        assert {error["extensions"]["code"] for error in response.json().get("errors", ())} <= {"BAD_REQUEST"}
    body = b'{"query": "query ($n: Int) { me { orders(first: $n) { nodes { id } } } }", "variables": {"n": ' + b"9" * 5000 + b"}}"
    response = await http.post("/graphql", content=body, headers={"content-type": "application/json"})
    assert {error["extensions"]["code"] for error in response.json()["errors"]} == {"BAD_REQUEST"}
