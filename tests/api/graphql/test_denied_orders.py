"""Staff who may act on orders and not view them: every mutation whose answer can hold an order does its work for them and shows none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final

import pytest
from graphql import GraphQLObjectType, get_named_type, is_leaf_type, is_required_argument

from api.graphql_app import schema
from domain import db as database
from domain.ids import new_id
from domain.orders import requests
from domain.payments import transfers
from domain.shipping.rules import ShipmentState
from tests import build
from tests.api.graphql.conftest import As, People, pid
from tests.api.graphql.test_mutations import a_comment_to_review
from tests.api.graphql.test_relay import A_DISPUTE, A_SURPLUS
from tests.parcels import an_order_to_send, packed, said

Input = dict[str, Any]
ROOTS: Final = {"Shop", "Buyer"}
"""Their lists are asked and refused by themselves, wherever one meets them."""
ECHOES: Final = {"ShipmentImportRow", "PickupLine"}
"""Their `orderNumber` is no look at an order: as the row of the table has it; at the counter, of what is to be handed over there."""


def shown(type_: GraphQLObjectType, above: tuple[str, ...] = ()) -> str:
    """A selection of the numbers of all orders below this type; empty where there are none."""
    if type_.name == "Order":
        return "number"
    parts = []
    for name, field in type_.fields.items():
        below = get_named_type(field.type)
        if any(is_required_argument(argument) for argument in field.args.values()):
            continue
        if name == "orderNumber" and type_.name not in ECHOES and is_leaf_type(below):
            parts.append(name)
        elif isinstance(below, GraphQLObjectType) and below.name not in {*above, *ROOTS}:
            inner = shown(below, (*above, type_.name))
            parts += [f"{name} {{ {inner} }}"] if inner else []
    return " ".join(parts)


def mutations() -> Iterator[tuple[str, str, bool]]:
    """Those that can answer an order: the name, what to select, and whether it takes a key."""
    assert schema._schema.mutation_type is not None
    for name, field in schema._schema.mutation_type.fields.items():
        selection = shown(get_named_type(field.type))
        if selection:
            extensions = field.extensions["strawberry-definition"].extensions
            yield name, selection, any(getattr(each, "idempotent", False) for each in extensions)


FOUND: Final = {name: (selection, keyed) for name, selection, keyed in mutations()}
OF_THE_BUYER: Final = {
    "paymentSessionCreate", "paymentReport", "disputeOpen", "suggestionAccept", "suggestionDismiss", "claimCreate", "claimUndo",
    "waitlistOfferAccept", "waitlistLeave", "orderLineQuantityReduce", "orderCancelRequest", "ordersMerge", "orderShipLater", "orderShipNow",
    "orderDeliveryChoose", "giftLinkCreate", "giftLinkRevoke", "pickupPassIssue", "pickupPassDelegate", "pickupPassRevoke",
}  # fmt: skip
"""Done by an order's buyer alone; the matrices hold that."""


async def an_order(people: People, **how: Any) -> build.AnOrder:
    return await build.an_order(people.shop, {await build.a_variant(people.shop): 2}, buyer=people.buyer, **how)


async def unpaid(people: People) -> Input:
    return {"orderId": pid("order", (await an_order(people)).id)}


async def asked_to_cancel(people: People) -> Input:
    order = await an_order(people)
    await requests.request(order_id=order.id, reason="", member_id=people.member, now=build.NOW)
    return {"orderId": pid("order", order.id), "accept": False}


async def reported(people: People) -> Input:
    order = await an_order(people)
    transfer = transfers.Transfer("00001", build.NOW, order.total_minor)
    key = await transfers.report(order_id=order.id, member_id=people.member, transfer=transfer, now=build.NOW)
    return {"reportId": pid("transfer", key)}


async def a_surplus(people: People) -> Input:
    await database.execute(A_SURPLUS, people.shop.id, (await an_order(people)).id, "T1", build.NOW)
    return {"attemptId": pid("attempt", await database.fetchval("select id from payment_attempt")), "note": "退回"}


async def a_dispute(people: People) -> Input:
    key, order = new_id(), await an_order(people)
    await database.execute(A_DISPUTE.replace("gen_random_uuid()", "$5"), people.shop.id, order.id, people.buyer.id, build.NOW, key)
    return {"disputeId": pid("dispute", key)}


async def a_message(people: People) -> Input:
    return {**await a_dispute(people), "text": "馬上補寄"}


async def a_comment(people: People) -> Input:
    comment, scarf = await a_comment_to_review(people, buyer=people.buyer)
    return {"commentId": comment, "action": "MAKE_ORDER", "lines": [{"variantId": pid("variant", scarf.variants[0].id), "quantity": 1}]}


async def to_send(people: People) -> Input:
    return {"orderId": pid("order", (await an_order_to_send(people.shop, buyer=people.buyer)).id), "carrier": "POST"}


async def a_table(people: People) -> Input:
    order = await an_order_to_send(people.shop, buyer=people.buyer)
    return {"shopId": pid("shop", people.shop.id), "csv": f"order_number,carrier,tracking_number\n{order.number},POST,2\n"}


async def a_parcel(people: People) -> Input:
    return {"shipmentId": pid("shipment", await packed(await an_order_to_send(people.shop, buyer=people.buyer)))}


async def a_sent_parcel(people: People) -> Input:
    return {**await a_parcel(people), "state": "SHIPPED"}


async def what_came_back(people: People) -> Input:
    order = await an_order_to_send(people.shop, buyer=people.buyer)
    parcel = await packed(order)
    await said(order, parcel, ShipmentState.RETURNED)
    return {"shipmentId": pid("shipment", parcel), "decision": "RESTOCK"}


def with_more(given: Callable[[People], Awaitable[Input]], **more: Any) -> Callable[[People], Awaitable[Input]]:
    async def filled(people: People) -> Input:
        return {**await given(people), **more}

    return filled


OF_STAFF: Final[dict[str, Callable[[People], Awaitable[Input]]]] = {
    "orderMarkPaid": with_more(unpaid, method="CASH", reference="r"),
    "orderCancel": unpaid,
    "orderCancelAnswer": asked_to_cancel,
    "transferConfirm": reported,
    "transferRefuse": reported,
    "paymentReturnRecord": a_surplus,
    "disputeMessageSend": a_message,
    "disputeClose": a_dispute,
    "commentResolve": a_comment,
    "shipmentCreate": to_send,
    "shipmentsImport": a_table,
    "shipmentUpdate": a_sent_parcel,
    "shipmentCancel": a_parcel,
    "shipmentReturnSettle": what_came_back,
}
"""Something to do for each, in the people's shop."""


def test_every_mutation_that_can_answer_an_order_is_asked() -> None:
    assert sorted(FOUND.keys() - OF_STAFF.keys() - OF_THE_BUYER) == []
    assert sorted((OF_STAFF.keys() | OF_THE_BUYER) - FOUND.keys()) == []
    assert FOUND["commentResolve"] == ("comment { claim { order { number } } }", False)
    assert FOUND["shipmentCreate"] == ("shipment { lines { orderNumber } } orders { number }", True)


async def numbers_seen(name: str, people: People, signed_in: As, denied: list[str]) -> list[str]:
    """Do it as a manager who is denied this, twice with the same key where it takes one; the numbers of orders in the answers."""
    selection, keyed = FOUND[name]
    title, key = name[0].upper() + name[1:], ' @idempotent(key: "k")' if keyed else ""
    query = f"mutation ($input: {title}Input!) {{ {name}(input: $input){key} {{ {selection} userErrors {{ code }} }} }}"
    client = await signed_in(await build.a_membership(people.shop, role=build.Role.MANAGER, denied=denied))
    given, seen = await OF_STAFF[name](people), ""
    for _ in range(2 if keyed else 1):
        answer = await client.ask(query, {"input": given})
        assert answer.data[name]["userErrors"] == []
        seen += answer.response.text
    numbers = [row["number"] for row in await database.fetch('select number from "order"')]
    assert numbers
    return [number for number in numbers if number in seen]


@pytest.mark.parametrize("name", OF_STAFF)
async def test_who_may_act_and_not_view_acts_and_sees_no_order(people, signed_in, name) -> None:
    assert await numbers_seen(name, people, signed_in, ["VIEW_ORDERS"]) == []


@pytest.mark.parametrize("name", OF_STAFF)
async def test_who_may_view_sees_the_order_in_the_same_answer(people, signed_in, name) -> None:
    assert len(await numbers_seen(name, people, signed_in, [])) == 1
