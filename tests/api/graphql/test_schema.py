"""The schema as it is committed, and the codes of every refusal there is."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from graphql import GraphQLInputObjectType, GraphQLObjectType, get_named_type

import domain
from api.graphql_app import schema
from api.resolvers.node import KINDS
from api.schema.errors import FALLBACK, FAMILIES, MESSAGES, REFUSALS, message
from domain.errors import DomainError
from domain.money import DIGITS
from domain.pickup.rules import PickupRefusal

COMMITTED = Path(__file__).parents[3] / "api" / "schema" / "schema.graphql"

ELSEWHERE = {
    "TOO_MANY_GUESSES": "THROTTLED, a top-level error",
    "AUTHENTICATOR_KEPT": "answered by /auth",
    "TOO_MANY_PASSKEYS": "answered by /auth",
    "NO_SIGNING_KEY": "UNAVAILABLE, a top-level error",
    "UNAVAILABLE": "a top-level error",
    "SLIP_REFUSED": "answered by /uploads/slips",
    "TICKET_OVER": "answered by /uploads/slips",
    "BAD_CODE": "becomes PICKUP_REFUSED in the pickup room",
    "INVALID_SHOP": "the set-up of a shop has no mutation yet",
}
"""Codes that reach no payload, and why."""


def test_the_committed_schema_is_the_schema() -> None:
    assert COMMITTED.read_text() == schema.as_str() + "\n"


def test_the_module_prints_the_schema() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "api.graphql_app"], capture_output=True, text=True, check=True, cwd=COMMITTED.parents[2]
    )
    assert printed.stdout == COMMITTED.read_text()


def refusals() -> Iterator[type[DomainError]]:
    """Every refusal of the domain, found by importing all of it."""
    for module in pkgutil.walk_packages(domain.__path__, "domain."):
        if module.name.rpartition(".")[2] in ("errors", "commands") or module.name == "domain.errors":
            importlib.import_module(module.name)
    found = [DomainError]
    while found:
        cls = found.pop()
        found += [each for each in cls.__subclasses__() if each not in found]
        if cls.__module__.startswith(("domain.", "api.")):
            yield cls


def test_every_refusal_of_the_domain_has_a_public_code() -> None:
    public = {code for codes in FAMILIES.values() for code in codes}
    codes = {cls.code for cls in refusals()}
    assert len(codes) > 15
    assert sorted(codes - public - ELSEWHERE.keys()) == []
    assert sorted(ELSEWHERE.keys() - codes) == []


def test_every_code_is_a_refusal_of_something_and_has_words() -> None:
    public = {code for codes in FAMILIES.values() for code in codes}
    assert sorted(public - {cls.code for cls in refusals()}) == []
    assert sorted(public ^ MESSAGES.keys()) == []
    for code in public:
        assert message(code, "zh-TW") != message(code, "en")
    assert set(REFUSALS) == set(PickupRefusal)
    assert message("A_CODE_OF_TOMORROW", "en") == message(FALLBACK, "en")


@pytest.mark.parametrize("name", FAMILIES)
def test_each_family_is_an_enum_of_its_codes(name) -> None:
    assert list(schema._schema.type_map[name].values) == list(FAMILIES[name])  # type: ignore[attr-defined]


def test_every_mutation_has_one_input_and_one_payload_with_user_errors() -> None:
    mutation = schema._schema.mutation_type
    assert mutation is not None
    assert set(mutation.fields) == {
        "orderMarkPaid", "orderCancel", "paymentSessionCreate", "paymentReturnRecord", "disputeOpen", "disputeMessageSend", "disputeClose", "stockAdjust", "stockSet", "commentResolve", "claimPolicyUpdate", "buyerRestrict", "buyerRestore", "pickupPassIssue", "pickupPassDelegate", "pickupPassRevoke", "pickupScan", "pickupConfirm",
        "suggestionAccept", "suggestionDismiss", "notificationsMarkRead", "deviceRegister", "notificationPreferencesUpdate", "memberUpdate", "shopMute", "announcementCreate",
        "identityLinkStart", "identityLinkOpen", "identityLinkConfirm", "identityUnlink", "membersMerge", "membersMergeUndo",
        "dataExportRequest", "accountDeleteRequest", "accountDeleteCancel",
        "shipmentCreate", "shipmentUpdate", "shipmentCancel", "shipmentReturnSettle", "shipmentsImport",
        "claimCreate", "waitlistOfferAccept", "waitlistLeave", "claimUndo", "orderLineQuantityReduce", "orderCancelRequest", "orderCancelAnswer",
        "ordersMerge", "orderShipLater", "orderShipNow", "shopTimesUpdate",
        "slipUploadStart", "paymentReport", "transferConfirm", "transferRefuse", "orderDeliveryChoose", "deliveryOfferCreate", "deliveryOfferWithdraw",
        "pickupSlotCreate", "pickupSlotUpdate", "giftLinkCreate", "giftLinkRevoke",
    }  # fmt: skip
    for name, field in mutation.fields.items():
        title = name[0].upper() + name[1:]
        assert {arg: str(argument.type) for arg, argument in field.args.items()} == {"input": f"{title}Input!"}
        payload = get_named_type(field.type)
        assert isinstance(payload, GraphQLObjectType)
        assert payload.name == f"{title}Payload"
        assert str(payload.fields["userErrors"].type).endswith("UserError!]!")
        others = [str(other.type) for key, other in payload.fields.items() if key != "userErrors"]
        assert others
        assert not any(other.endswith("!") for other in others)


def test_every_list_is_a_relay_connection() -> None:
    connections = [t for t in schema._schema.type_map.values() if isinstance(t, GraphQLObjectType) and t.name.endswith("Connection")]
    assert len(connections) == 14
    for connection in connections:
        assert {"nodes", "edges", "pageInfo", "totalCount", "totalCountIsExact"} <= set(connection.fields)


def test_every_node_type_can_be_found_by_its_id() -> None:
    nodes = {t.name for t in schema._schema.get_possible_types(schema._schema.type_map["Node"])}  # type: ignore[arg-type]
    assert nodes == {name for name, _ in KINDS.values()}


def test_leaves_and_children_are_plain_so_that_a_plan_can_copy_them() -> None:
    """Only roots of lists have resolvers; everything else is read from the row."""
    with_resolver = {
        f"{t.name}.{name}"
        for t in schema._schema.type_map.values()
        if isinstance(t, GraphQLObjectType) and t.name not in ("Query", "Mutation", "Subscription") and not t.name.startswith("__")
        for name, field in t.fields.items()
        if not getattr(field.resolve, "_is_default", False)
    }
    assert with_resolver == {
        "Buyer.orders", "Buyer.unpaid", "Buyer.notifications", "Buyer.pickups", "Buyer.suggestions", "Buyer.shipments", "Buyer.notificationPreferences", "Claim.receipt", "Order.lines", "Order.timeline", "Shop.orders", "Shop.stock", "Shop.comments", "Shop.paymentSurpluses", "Buyer.disputes", "Shop.disputes", "Shop.shipments",
        "Buyer.identities", "Buyer.names", "Buyer.identityLinks", "Buyer.accountLinks", "Buyer.merges", "Buyer.deletion", "Buyer.waitlist", "Shop.deliveryOptions",
    }  # fmt: skip
    assert all(t.is_type_of is None for t in schema._schema.type_map.values() if isinstance(t, GraphQLObjectType))


def test_no_amount_is_a_float_and_currencies_are_ours() -> None:
    used = {
        get_named_type(f.type).name
        for t in schema._schema.type_map.values()
        if isinstance(t, GraphQLObjectType | GraphQLInputObjectType)
        for f in t.fields.values()
    }
    assert "Float" not in used
    assert set(schema._schema.type_map["CurrencyCode"].values) == set(DIGITS)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        (
            "Order",
            "id number version shop createdAt updatedAt state paymentState fulfilmentState list lines subtotal shippingFee discount total amountDue payBy actions payments shipments pickup timeline",
        ),
        ("OrderLine", "id variant quantity unitPrice total claim source"),
        ("Claim", "id outcome reason comment rule matched receipt"),
        ("SocialComment", "id platform text writtenAt receivedAt revisions removedAt author post"),
        ("StockLevel", "variant onHand held committed available version"),
        ("PickupPass", "token expiresAt coversOrders"),
        ("PageInfo", "hasNextPage hasPreviousPage startCursor endCursor"),
        ("Money", "amount currencyCode"),
        ("OrderUserError", "code field message conflictingVersion retryable"),
        ("Query", "node nodes me shop salesPost serverTime"),
    ],
)
def test_types_have_the_agreed_names(name: str, fields: str) -> None:
    type_ = schema._schema.type_map[name]
    assert isinstance(type_, GraphQLObjectType)
    assert [field for field in fields.split() if field not in type_.fields] == []
