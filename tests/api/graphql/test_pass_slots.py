"""Passes of slots through the API: what the buyer and the counter see of the slot, and the code of another one."""

from __future__ import annotations

from datetime import timedelta

from domain import db as database
from tests import build
from tests.api.graphql.conftest import pid
from tests.api.graphql.test_mutations import do, refused
from tests.counter import pay
from tests.domain.delivery.acts import TOMORROW, a_shop_with_ways, a_slot, chosen

ISSUE = """mutation ($input: PickupPassIssueInput!) { pickupPassIssue(input: $input) {
  pickupPass { token slot { id startsAt endsAt place } coversOrders { number } } userErrors { code } } }"""
SCAN = """mutation ($input: PickupScanInput!) { pickupScan(input: $input) {
  preview { slot { id startsAt endsAt place } lines { orderNumber } } userErrors { code refusal message rightSlot { id startsAt endsAt place } } } }"""
PASSES = "{ me { pickups(first: 10, filter: {state: OPEN}) { nodes { id slot { id startsAt endsAt place } orders { id } } } } }"
NODE = "query ($id: ID!) { node(id: $id) { ... on Pickup { slot { id place } orders { id pickup { slot { startsAt } } } } } }"


async def test_each_slot_s_pass_says_when_and_where(people, signed_in) -> None:
    ways = await a_shop_with_ways(9, people.shop)
    later = await a_slot(ways.shop, ways.meet, starts_at=TOMORROW + timedelta(hours=3))
    variant = await build.a_variant(people.shop, on_hand=9)
    orders = []
    for choice in (None, ways.at_slot(), ways.at_slot(later)):
        order = await build.an_order(people.shop, {variant: 1}, buyer=people.buyer)
        if choice is not None:
            await chosen(people.member, order, choice)
        await pay(order)
        orders.append(order)
    buyer, staff = await signed_in(people.member), await signed_in(people.scanner)
    slots = [
        None,
        {"id": pid("slot", ways.slot), "startsAt": "2026-11-22T08:00:00Z", "endsAt": "2026-11-22T10:00:00Z", "place": "中山站 2 號出口"},
        {"id": pid("slot", later), "startsAt": "2026-11-22T11:00:00Z", "endsAt": "2026-11-22T13:00:00Z", "place": "中山站 2 號出口"},
    ]
    found = (await buyer.ask(PASSES)).data["me"]["pickups"]["nodes"]
    by_order = {node["orders"][0]["id"]: node for node in found}
    assert [(by_order[pid("order", order.id)]["slot"], len(found)) for order in orders] == [(slot, 3) for slot in slots]

    pickup = by_order[pid("order", orders[1].id)]["id"]
    node = (await buyer.ask(NODE, {"id": pickup})).data["node"]
    assert node == {
        "slot": {"id": slots[1]["id"], "place": slots[1]["place"]},
        "orders": [{"id": pid("order", orders[1].id), "pickup": {"slot": {"startsAt": slots[1]["startsAt"]}}}],
    }
    shown = (await do(buyer, ISSUE, {"pickupId": pickup}))["pickupPass"]
    assert (shown["slot"], len(shown["coversOrders"])) == (slots[1], 1)

    shop = pid("shop", people.shop.id)
    for given in ({}, {"slotId": slots[1]["id"]}):
        seen = await do(staff, SCAN, {"shopId": shop, "token": shown["token"], **given})
        assert (seen["userErrors"], seen["preview"]["slot"], len(seen["preview"]["lines"])) == ([], slots[1], 1)
    wrong = await do(staff, SCAN, {"shopId": shop, "token": shown["token"], "slotId": slots[2]["id"]})
    assert refused(wrong) == ["PICKUP_REFUSED"]
    (error,) = wrong["userErrors"]
    assert (error["refusal"], error["rightSlot"]) == ("WRONG_SLOT", slots[1])
    elsewhere = await a_shop_with_ways()
    for slot in (pid("slot", elsewhere.slot), pid("shop", people.shop.id)):
        unknown = await do(staff, SCAN, {"shopId": shop, "token": shown["token"], "slotId": slot})
        assert (refused(unknown), unknown["userErrors"][0]["rightSlot"]) == (["NOT_FOUND"], None)
    assert await database.fetchval("select count(*) from hand_over") == 0
