"""Parcels over HTTP: what is answered, refusals with their words and extras, keys that are sent again, and that each screen is one statement."""

from __future__ import annotations

from typing import Any

import pytest

from domain import db as database
from domain.shipping.rules import ShipmentState
from tests.api.graphql.conftest import pid
from tests.api.graphql.test_mutations import do, refused
from tests.parcels import all_agrees, an_order_to_send, packed, said

CREATE = """mutation ($input: ShipmentCreateInput!, $key: String!) { shipmentCreate(input: $input) @idempotent(key: $key) {
  shipment { id state carrier trackingNumber storeName lines { orderNumber quantity } }
  orders { number fulfilmentState }
  userErrors { code field message availableQuantity } } }"""
UPDATE = """mutation ($input: ShipmentUpdateInput!, $key: String!) { shipmentUpdate(input: $input) @idempotent(key: $key) {
  shipment { state lastPickupDay events { state note } } orders { fulfilmentState } userErrors { code field message } } }"""
IMPORT = """mutation ($input: ShipmentsImportInput!, $key: String!) { shipmentsImport(input: $input) @idempotent(key: $key) {
  rows { line outcome code field message shipment { trackingNumber } } userErrors { code field message } } }"""


async def test_a_key_sent_again_packs_nothing_again(people: Any, signed_in: Any) -> None:
    order = await an_order_to_send(people.shop, buyer=people.buyer)
    client = await signed_in(people.owner)
    given = {"orderId": pid("order", order.id), "carrier": "T_CAT", "trackingNumber": "903-1"}
    first = await do(client, CREATE, given, "k")
    assert first["userErrors"] == []
    assert first["orders"] == [{"number": order.number, "fulfilmentState": "LABELLED"}]
    assert await do(client, CREATE, given, "k") == first
    assert await database.fetchval("select count(*) from shipment") == 1
    await all_agrees()


@pytest.mark.parametrize(
    ("change", "code", "more"),
    [
        ({"lines": None}, "INVALID_INPUT", {}),
        ({"lines": []}, "INVALID_INPUT", {}),
        ({"quantity": 0}, "OVER_LIMIT", {"availableQuantity": 2}),
        ({"quantity": 3}, "OVER_LIMIT", {"availableQuantity": 2}),
        ({"lineId": "line_AAAAAAAAAAAAAAAAAAAAAA"}, "NOT_FOUND", {}),
        ({"trackingNumber": "no spaces"}, "INVALID_INPUT", {"field": ["input", "trackingNumber"]}),
        ({"carrier": "OTHER"}, "INVALID_INPUT", {"field": ["input", "carrierName"]}),
        ({"trackingNumber": "USED"}, "TRACKING_NUMBER_USED", {}),
    ],
)
async def test_what_cannot_be_packed_is_refused_and_changes_nothing(people: Any, signed_in: Any, change: Any, code: str, more: Any) -> None:
    client = await signed_in(people.owner)
    other = await an_order_to_send(people.shop, buyer=people.buyer)
    await do(client, CREATE, {"orderId": pid("order", other.id), "carrier": "T_CAT", "trackingNumber": "USED"})
    order = await an_order_to_send(people.shop, buyer=people.buyer)
    line = {"lineId": pid("line", order.lines[0]), "quantity": 1}
    line |= {name: value for name, value in change.items() if name in line}
    given = {"lines": [line], "carrier": "T_CAT", **{name: value for name, value in change.items() if name not in line}}
    payload = await do(client, CREATE, given)
    assert refused(payload) == [code]
    assert {name: payload["userErrors"][0][name] for name in more} == more
    assert payload["userErrors"][0]["message"]
    assert await database.fetchval("select count(*) from shipment") == 1
    assert await database.fetchval("select sum(packed) from order_line where order_id = $1", order.id) == 0


async def test_a_state_that_cannot_follow_is_refused_unless_it_corrects(people: Any, signed_in: Any) -> None:
    order = await an_order_to_send(people.shop, buyer=people.buyer)
    parcel = await packed(order)
    await said(order, parcel, ShipmentState.DELIVERED)
    client = await signed_in(people.manager)
    given = {"shipmentId": pid("shipment", parcel), "state": "SHIPPED", "at": "2030-01-01T00:00:00Z"}
    assert refused(await do(client, UPDATE, given)) in (["INVALID_TRANSITION"], ["INVALID_INPUT"])
    assert await database.fetchval("select state from shipment") == "DELIVERED"


async def test_refused_rows_speak_the_language_of_who_asks(people: Any, signed_in: Any) -> None:
    order = await an_order_to_send(people.shop, buyer=people.buyer)
    client = await signed_in(people.owner)
    table = f"order_number,carrier,tracking_number\n{order.number},T_CAT,A-1\nnone,POST,2\n"
    given = {"shopId": pid("shop", people.shop.id), "csv": table}
    payload = await do(client, IMPORT, given, **{"accept-language": "en"})
    assert [(row["line"], row["outcome"], row["code"]) for row in payload["rows"]] == [(2, "CREATED", None), (3, "REFUSED", "NOT_FOUND")]
    english = payload["rows"][1]["message"]
    again = await do(client, IMPORT, given, **{"accept-language": "zh-TW"})
    assert [row["outcome"] for row in again["rows"]] == ["UNCHANGED", "REFUSED"]
    assert english.isascii()
    assert not again["rows"][1]["message"].isascii()
    assert refused(await do(client, IMPORT, {**given, "csv": "nonsense"})) == ["BAD_IMPORT"]
