"""The access matrix is over the whole schema: every query, mutation, subscription, list and kind of node has its row.

A field that is new to the schema fails `test_every_field_has_its_row` until somebody has said who may use it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from graphql import GraphQLObjectType, get_named_type, is_leaf_type

from api.graphql_app import schema
from api.resolvers.node import KINDS
from tests.api.graphql.matrix import ASK, EVERYBODY, TABLE

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
    "Buyer.waitlist": "my waitlist",
    "Shop.orders": "shop orders",
    "Shop.stock": "shop stock",
    "Shop.comments": "shop comments",
    "Shop.shipments": "shop shipments",
    "Order.lines": "order lines",
    "Order.timeline": "order timeline",
    "Mutation.notificationPreferencesUpdate": "wishes",
    "Mutation.shopMute": "mute",
    "Mutation.memberUpdate": "speak",
    "Mutation.announcementCreate": "announce",
}
"""Every field of the roots and every list below: its row in the matrix."""
PERSONS = "tests/api/graphql/test_people_access.py::test_only_the_member_may_and_a_refusal_changes_nothing"
ANYBODYS = "tests/api/graphql/test_people_access.py::test_what_needs_no_object_needs_a_member"
MONEYS = "tests/api/graphql/test_payments.py::test_only_the_buyer_begins_and_to_others_the_order_is_not_there"
DISPUTES = "tests/api/graphql/test_disputes.py::test_everybody_as_the_matrix_says"
SURPLUSES = "tests/api/graphql/test_payments.py::test_to_anybody_else_a_surplus_is_not_there"
ACTING = "tests/api/graphql/test_acting_access.py::test_everybody_gets_the_answer_of_the_matrix"
STREAMS = "tests/api/live/test_access.py::test_everybody_sees_what_the_matrix_says"
DELIVERIES = (
    "Query.gift", "Mutation.paymentReport", "Mutation.slipUploadStart", "Mutation.transferConfirm", "Mutation.transferRefuse",
    "Mutation.orderDeliveryChoose", "Mutation.giftLinkCreate", "Mutation.giftLinkRevoke", "Mutation.deliveryOfferCreate",
    "Mutation.deliveryOfferWithdraw", "Mutation.pickupSlotCreate", "Mutation.pickupSlotUpdate",
)  # fmt: skip
ELSEWHERE: dict[str, str] = {
    **dict.fromkeys(
        (f"Mutation.{name}" for name in ("identityLinkConfirm", "identityUnlink", "membersMergeUndo", "accountDeleteCancel")), PERSONS
    ),
    **dict.fromkeys(
        (
            f"Mutation.{name}"
            for name in ("identityLinkStart", "identityLinkOpen", "dataExportRequest", "membersMerge", "accountDeleteRequest")
        ),
        ANYBODYS,
    ),
    **dict.fromkeys(
        (
            f"Mutation.{name}"
            for name in (
                "claimCreate",
                "waitlistOfferAccept",
                "waitlistLeave",
                "claimUndo",
                "orderLineQuantityReduce",
                "orderCancelRequest",
                "orderCancelAnswer",
                "ordersMerge",
                "orderShipLater",
                "orderShipNow",
                "shopTimesUpdate",
            )
        ),
        ACTING,
    ),
    "Mutation.paymentSessionCreate": MONEYS,
    **dict.fromkeys(
        DELIVERIES, "tests/api/graphql/test_delivery_access.py::test_everybody_gets_the_answer_of_the_matrix_and_a_refusal_changes_nothing"
    ),
    "Mutation.paymentReturnRecord": SURPLUSES,
    "Shop.paymentSurpluses": SURPLUSES,
    **dict.fromkeys(
        ("Mutation.disputeOpen", "Mutation.disputeMessageSend", "Mutation.disputeClose", "Buyer.disputes", "Shop.disputes"), DISPUTES
    ),
    **dict.fromkeys((f"Subscription.{name}" for name in ("myOrders", "myNotifications", "salesPostUpdated", "pickupPassUsed")), STREAMS),
}
"""Fields whose own test goes over everybody in another way (a subscription, say): field, and `tests/path.py::test_name`."""
LISTS_OF_MINE = "tests/api/graphql/test_people_access.py::test_lists_hold_ones_own_alone_and_take_one_statement_each"
OF_AN_ORDER = "tests/api/graphql/test_access.py::test_everybody_gets_the_answer_of_the_matrix_and_a_refusal_changes_nothing"
"""What hangs on an order is seen by whoever sees the order: the row `node order`."""
INSIDE: dict[str, str] = {
    **dict.fromkeys(
        (f"Buyer.{name}" for name in ("accountLinks", "deletion", "identities", "names", "identityLinks", "merges")), LISTS_OF_MINE
    ),
    "Buyer.notificationPreferences": "tests/api/graphql/test_inbox.py::test_preferences_are_what_holds_without_a_word_and_change_one_by_one",
    "Shop.deliveryOptions": "tests/api/graphql/test_delivery.py::test_staff_offer_and_everybody_sees_it_in_one_statement",
    **dict.fromkeys(
        (f"Order.{name}" for name in ("shop", "buyer", "paymentAttempts", "payments", "shipments", "pickup", "delivery", "gift")),
        OF_AN_ORDER,
    ),
    "Order.recipient": "tests/api/graphql/test_delivery.py::test_a_choice_is_priced_and_seen_by_its_buyer_and_staff",
    "Order.transfer": "tests/api/graphql/test_transfers.py::test_a_report_is_seen_by_its_buyer_and_by_who_may_take_money",
}
"""Objects and lists without pages on a member, a shop and an order: each has said whose it is, with the test that holds it."""
NODES = {
    "claim": "node claim", "comment": "node comment", "line": "node line", "member": "node member", "notice": "node notice", "order": "node order",
    "pickup": "node pickup", "post": "node post", "shipment": "node shipment", "shop": "node shop", "variant": "node variant",
}  # fmt: skip
NODES_ELSEWHERE = {"dispute": DISPUTES}
"""Kinds whose own test goes over everybody."""


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
    assert sorted(fields_of_the_schema() - ROWS.keys() - ELSEWHERE.keys()) == []
    assert sorted((ROWS.keys() | ELSEWHERE.keys()) - fields_of_the_schema()) == []
    assert sorted(set(ROWS.values()) - TABLE.keys()) == []
    assert all(len(row) == len(EVERYBODY) for row in TABLE.values())
    assert ASK.keys() == TABLE.keys()


def test_every_object_on_a_member_a_shop_and_an_order_says_whose_it_is() -> None:
    types: dict[str, Any] = schema._schema.type_map
    found = {
        f"{name}.{field}"
        for name in ("Buyer", "Shop", "Order")
        for field, definition in types[name].fields.items()
        if not is_leaf_type(get_named_type(definition.type)) and get_named_type(definition.type).name != "Money"
    }
    assert sorted(found - fields_of_the_schema() - INSIDE.keys()) == []
    assert sorted(INSIDE.keys() - found) == []


def test_every_kind_of_node_has_its_row() -> None:
    assert KINDS.keys() == NODES.keys() | NODES_ELSEWHERE.keys()
    assert sorted(set(NODES.values()) - TABLE.keys()) == []


def test_what_is_said_to_be_elsewhere_is_there() -> None:
    root = Path(__file__).parents[3]
    for place in [*ELSEWHERE.values(), *INSIDE.values()]:
        path, _, name = place.partition("::")
        assert f"def {name}(" in (root / path).read_text(), place
