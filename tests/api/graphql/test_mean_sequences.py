"""Stories of buyers and shops who cross each other, over HTTP; after every act the invariants hold and the books agree (`mean.py`)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from domain import db as database
from domain.ids import public_id
from tests.api.graphql.mean import Stage, a_stage


@pytest.fixture
async def stage(services: Any, clock: Any, signed_in: Any) -> Stage:
    return await a_stage(services, clock, signed_in)


async def figures(stage: Stage) -> tuple[int, int, int]:
    """(on hand, held, committed)"""
    row = await database.fetchrow("select on_hand, held, committed from stock_level where variant_id = $1", stage.variant)
    assert row is not None
    return tuple(row)  # type: ignore[return-value]


async def line_of(stage: Stage, order: str) -> str:
    """The first line."""
    found: str = (await stage.order(order))["lines"]["nodes"][0]["id"]
    return found


def states(order: dict[str, Any]) -> tuple[str, str, str]:
    return order["state"], order["paymentState"], order["fulfilmentState"]


async def offered(stage: Stage, order: str) -> tuple[set[str], set[str]]:
    """To the buyer, to the shop."""
    return set((await stage.order(order))["actions"]), set((await stage.order(order, "owner"))["actions"])


async def test_undo_waits_for_the_payment_that_is_open_and_works_once_it_failed(stage: Stage) -> None:
    order = await stage.wishes()
    line, number = await line_of(stage, order), await stage.attempt(order)
    mine, theirs = await offered(stage, order)
    assert not {"UNDO", "REDUCE", "MERGE"} & mine
    assert "CANCEL" not in theirs
    assert await stage.refused("buyer", "claimUndo", lineId=line) == "PAYMENT_UNDER_WAY"
    assert await stage.refused("buyer", "orderLineQuantityReduce", lineId=line, quantity=0) == "PAYMENT_UNDER_WAY"
    assert await stage.refused("owner", "orderCancel", orderId=order) == "PAYMENT_UNDER_WAY"
    await stage.provider_says(number, paid=False)
    await stage.done("buyer", "claimUndo", lineId=line)
    assert (states(await stage.order(order))[0], await figures(stage)) == ("CANCELLED", (9, 0, 0))


async def test_a_smaller_order_is_paid_by_a_new_payment_and_given_back_at_its_buyers_request(stage: Stage) -> None:
    order = await stage.wishes(3)
    first = await stage.attempt(order, open_page=False)
    await stage.done("buyer", "orderLineQuantityReduce", lineId=await line_of(stage, order), quantity=2)
    assert [attempt["state"] for attempt in (await stage.order(order))["paymentAttempts"]] == ["EXPIRED"]
    await stage.provider_says(await stage.attempt(order))
    assert states(await stage.order(order)) == ("OPEN", "PAID", "READY_FOR_PICKUP")
    await stage.provider_says(first)
    assert (await stage.order(order))["paymentAttempts"][1]["surplus"] == {"reason": "ALREADY_PAID"}
    await stage.done("buyer", "orderCancelRequest", orderId=order)
    assert await stage.refused("owner", "orderCancelAnswer", orderId=order, accept=True) == "APPROVAL_REQUIRED"
    await stage.done("owner", "orderCancelAnswer", orderId=order, accept=True, refundReference="R1")
    assert states(await stage.order(order)) == ("CANCELLED", "REFUNDED", "UNFULFILLED")
    assert (await figures(stage), await offered(stage, order)) == ((9, 0, 0), (set(), set()))


async def test_the_shop_cancels_all_the_same_and_late_money_goes_back(stage: Stage) -> None:
    order = await stage.wishes()
    number = await stage.attempt(order)
    await stage.done("owner", "orderCancel", orderId=order, evenIfBeingPaid=True)
    await stage.provider_says(number)
    seen = await stage.order(order)
    assert (states(seen)[:2], seen["paid"]["amount"]) == (("CANCELLED", "UNPAID"), "0")
    assert seen["paymentAttempts"][0]["surplus"] == {"reason": "ORDER_CLOSED"}
    assert await figures(stage) == (9, 0, 0)


async def test_an_order_that_grew_is_paid_in_part_and_its_money_goes_back_only_by_a_request(stage: Stage) -> None:
    order = await stage.wishes(1)
    number = await stage.attempt(order)
    assert await stage.wishes(2) == order
    await stage.provider_says(number)
    seen = await stage.order(order)
    assert (seen["paymentState"], seen["amountDue"]["amount"]) == ("PARTIALLY_PAID", "1180")
    line = await line_of(stage, order)
    assert not {"UNDO", "REDUCE", "REPORT_TRANSFER", "MERGE"} & set(seen["actions"])
    assert "CANCEL" not in (await offered(stage, order))[1]
    assert await stage.refused("buyer", "claimUndo", lineId=line) == "INVALID_TRANSITION"
    assert await stage.refused("owner", "orderCancel", orderId=order) == "INVALID_TRANSITION"
    await stage.done("buyer", "orderCancelRequest", orderId=order)
    await stage.done("owner", "orderCancelAnswer", orderId=order, accept=True, refundReference="R1")
    assert states(await stage.order(order))[:2] == ("CANCELLED", "REFUNDED")
    assert await figures(stage) == (9, 0, 0)


async def test_the_rest_of_a_partly_paid_order_is_taken_by_hand_and_all_is_collected(stage: Stage) -> None:
    order = await stage.wishes(1)
    number = await stage.attempt(order)
    await stage.wishes(1)
    await stage.provider_says(number)
    await stage.done("owner", "orderMarkPaid", orderId=order, method="CASH", reference="櫃台", amount="590")
    seen = await stage.order(order)
    assert states(seen) == ("OPEN", "PAID", "READY_FOR_PICKUP")
    assert (await stage.collects(seen["pickup"]["id"]))["userErrors"] == []
    assert (states(await stage.order(order)), await figures(stage)) == (("COMPLETED", "PAID", "HANDED_OVER"), (7, 0, 0))
    assert await offered(stage, order) == (set(), set())


async def test_a_refused_transfer_a_smaller_order_and_a_parcel_that_comes_back(stage: Stage) -> None:
    order = await stage.wishes(3, "SHIP")
    assert (await stage.chooses(order, "store"))["userErrors"] == []
    said = {"orderId": order, "lastFiveDigits": "00917", "paidAt": stage.clock.now().isoformat()}
    await stage.done("buyer", "paymentReport", **said, amount="1830")
    assert await stage.refused("buyer", "orderLineQuantityReduce", lineId=await line_of(stage, order), quantity=1) == "INVALID_TRANSITION"
    assert (await stage.chooses(order, "home"))["userErrors"][0]["code"] == "AMOUNT_MISMATCH"
    assert (await stage.chooses(order, "store", "131390"))["userErrors"] == []
    await stage.done("owner", "transferRefuse", reportId=(await stage.order(order))["transfer"]["id"])
    await stage.done("buyer", "orderLineQuantityReduce", lineId=await line_of(stage, order), quantity=2)
    await stage.done("buyer", "paymentReport", **said, amount="1240")
    await stage.done("owner", "transferConfirm", reportId=(await stage.order(order))["transfer"]["id"])
    parcel = (await stage.done("owner", "shipmentCreate", orderId=order))["shipment"]
    assert (parcel["carrier"], parcel["storeCode"], parcel["differences"]) == ("SEVEN_ELEVEN", "131390", [])
    for state in ("SHIPPED", "ARRIVED_AT_STORE", "RETURNED"):
        await stage.done("owner", "shipmentUpdate", shipmentId=parcel["id"], state=state)
    assert states(await stage.order(order)) == ("OPEN", "PAID", "RETURNED")
    await stage.done("owner", "shipmentReturnSettle", shipmentId=parcel["id"], decision="RESTOCK")
    assert await figures(stage) == (9, 0, 0)
    assert not {"REQUEST_CANCEL", "CHOOSE_DELIVERY", "SHIP_LATER"} & (await offered(stage, order))[0]


async def test_a_request_meets_the_packing_table(stage: Stage) -> None:
    order = await stage.wishes(2, "SHIP")
    await stage.done("owner", "orderMarkPaid", orderId=order, method="CASH", reference="r")
    await stage.done("buyer", "orderCancelRequest", orderId=order)
    parcel = (await stage.done("owner", "shipmentCreate", orderId=order, carrier="T_CAT"))["shipment"]["id"]
    assert (await stage.order(order))["fulfilmentState"] == "LABELLED"
    # It is packed: only a no can be said, and must be, for the request stands.
    assert "ANSWER_CANCEL" in (await offered(stage, order))[1]
    assert await stage.refused("owner", "orderCancelAnswer", orderId=order, accept=True, refundReference="R1") == "INVALID_TRANSITION"
    await stage.done("owner", "orderCancelAnswer", orderId=order, accept=False)
    assert await stage.refused("buyer", "orderCancelRequest", orderId=order) == "INVALID_TRANSITION"
    await stage.done("owner", "shipmentCancel", shipmentId=parcel)
    await stage.done("buyer", "orderCancelRequest", orderId=order)
    await stage.done("owner", "orderCancelAnswer", orderId=order, accept=True, refundReference="R1")
    assert (states(await stage.order(order))[:2], await figures(stage)) == (("CANCELLED", "REFUNDED"), (9, 0, 0))


async def test_half_is_sent_half_is_lost_and_the_rest_is_sent_again(stage: Stage) -> None:
    order = await stage.wishes(3, "SHIP")
    await stage.done("owner", "orderMarkPaid", orderId=order, method="CASH", reference="r")
    line = await line_of(stage, order)
    first, second = [
        (await stage.done("owner", "shipmentCreate", lines=[{"lineId": line, "quantity": count}], carrier="POST"))["shipment"]["id"]
        for count in (1, 2)
    ]
    await stage.done("owner", "shipmentUpdate", shipmentId=first, state="DELIVERED")
    assert states(await stage.order(order)) == ("OPEN", "PAID", "PARTIAL")
    assert await stage.refused("buyer", "orderCancelRequest", orderId=order) == "INVALID_TRANSITION"
    assert (await stage.chooses(order, "home"))["userErrors"][0]["code"] == "INVALID_TRANSITION"
    await stage.done("owner", "shipmentUpdate", shipmentId=second, state="LOST")
    assert await stage.refused("owner", "shipmentReturnSettle", shipmentId=second, decision="SHIP_AGAIN") == "INVALID_TRANSITION"
    await stage.done("owner", "shipmentUpdate", shipmentId=second, state="RETURNED", correction=True)
    await stage.done("owner", "shipmentReturnSettle", shipmentId=second, decision="SHIP_AGAIN")
    again = (await stage.done("owner", "shipmentCreate", orderId=order, carrier="T_CAT"))["shipment"]["id"]
    await stage.done("owner", "shipmentUpdate", shipmentId=again, state="DELIVERED")
    assert (states(await stage.order(order)), await figures(stage)) == (("COMPLETED", "PAID", "DELIVERED"), (6, 0, 0))


async def test_orders_of_two_ways_one_a_gift_become_one_and_go_to_a_store(stage: Stage) -> None:
    meet, sent = await stage.wishes(1), await stage.wishes(2, "SHIP")
    await stage.chooses(meet, "meet")
    await stage.chooses(sent, "store")
    await stage.done("buyer", "giftLinkCreate", orderId=sent, sender="小美")
    both = [meet, sent]
    assert [order["id"] for order in await stage.orders() if "MERGE" in order["actions"]] == both[::-1]
    assert await stage.refused("buyer", "ordersMerge", orderIds=both) == "DELIVERY_DIFFERS"
    assert await stage.refused("buyer", "ordersMerge", orderIds=both, deliveryFrom=sent) == "GIFT_DIFFERS"
    number = await stage.attempt(meet)
    assert await stage.refused("buyer", "ordersMerge", orderIds=both, deliveryFrom=sent, giftFrom=sent) == "PAYMENT_UNDER_WAY"
    await stage.provider_says(number, paid=False)
    await stage.done("buyer", "ordersMerge", orderIds=both, deliveryFrom=sent, giftFrom=sent)
    seen = await stage.order(meet)
    assert (seen["deliveryMethod"], seen["isGift"], seen["delivery"]["storeCode"]) == ("SHIP", True, "131386")
    assert (seen["shippingFee"]["amount"], seen["total"]["amount"]) == ("60", "1830")
    assert await database.fetchval("select taken from pickup_slot") == 0
    await stage.provider_says(await stage.attempt(meet))
    parcel = (await stage.done("owner", "shipmentCreate", orderId=meet))["shipment"]
    assert (parcel["storeCode"], parcel["differences"]) == ("131386", [])
    assert await figures(stage) == (9, 0, 3)


async def test_the_deadline_waits_for_a_payment_and_money_after_it_goes_back(stage: Stage) -> None:
    order = await stage.wishes()
    pay_by = await database.fetchval('select pay_by from "order"')
    await stage.passes(pay_by - stage.clock.now() - timedelta(minutes=15))
    number = await stage.attempt(order)
    await stage.passes(timedelta(minutes=20))
    assert (await stage.order(order))["state"] == "OPEN"
    assert "CANCEL" not in (await offered(stage, order))[1]
    await stage.passes(timedelta(minutes=50))
    assert states(await stage.order(order))[:2] == ("CANCELLED", "EXPIRED")
    await stage.provider_says(number)
    assert (await stage.order(order))["paymentAttempts"][0]["surplus"] == {"reason": "ORDER_CLOSED"}
    anew = await stage.wishes()
    assert anew != order
    assert await figures(stage) == (9, 2, 0)


async def test_what_was_asked_for_cannot_be_merged_away(stage: Stage) -> None:
    meet, sent = await stage.wishes(1), await stage.wishes(1, "SHIP")
    await stage.done("buyer", "orderCancelRequest", orderId=sent)
    assert "MERGE" not in (await offered(stage, meet))[0] | (await offered(stage, sent))[0]
    assert await stage.refused("buyer", "ordersMerge", orderIds=[meet, sent], deliveryFrom=meet) == "NOT_EDITABLE"
    await stage.done("owner", "orderCancelAnswer", orderId=sent, accept=False)
    await stage.done("buyer", "ordersMerge", orderIds=[meet, sent], deliveryFrom=meet)
    assert await figures(stage) == (9, 2, 0)
    other = public_id("order", stage.owner_id)
    assert await stage.refused("buyer", "ordersMerge", orderIds=[meet, other]) == "NOT_FOUND"
    assert await stage.refused("buyer", "ordersMerge", orderIds=[meet, other], deliveryFrom=sent) == "INVALID_INPUT"
