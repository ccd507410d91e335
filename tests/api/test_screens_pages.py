"""docs/api/orders.md, inbox.md and disputes.md: every request with its variables, and the answer as it is shown."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from typing import Any

import pytest

from domain.ids import public_id
from domain.notices.pushing import DAILY_PUSHES, DEADLINES
from domain.orders.carriers import Carrier
from domain.shipping.chosen import Label
from domain.shipping.rules import ShipmentState, Store
from tests import build
from tests.api.graphql import conftest
from tests.api.pages import DOCS, fits, requests
from tests.api.test_guide import at, filled
from tests.parcels import an_order_to_send, packed, said

http, people, services, signed_in = conftest.http, conftest.people, conftest.services, conftest.signed_in
LABEL = Label(Carrier.SEVEN_ELEVEN, tracking_number="F1234", store=Store("991182", "台大門市", "台北市羅斯福路", date(2026, 11, 28)))


async def a_world(people: Any) -> dict[str, str]:
    """An unpaid order, one in a convenience store, one to be sent, and what was told of them."""
    await build.an_order(people.shop, {await build.a_variant(people.shop): 2}, buyer=people.buyer)
    sent = await an_order_to_send(people.shop, buyer=people.buyer, created_at=build.NOW - timedelta(days=2))
    parcel = await packed(sent, label=LABEL, now=build.NOW - timedelta(days=1))
    await said(sent, parcel, ShipmentState.SHIPPED, at=build.NOW - timedelta(days=1), now=build.NOW - timedelta(days=1))
    await said(sent, parcel, ShipmentState.ARRIVED_AT_STORE)
    return {"SHOP": public_id("shop", people.shop.id)}


@pytest.mark.parametrize("page", ["orders.md", "inbox.md", "disputes.md"])
async def test_every_request_of_the_page_is_answered_as_shown(people, services, signed_in, page) -> None:
    known: dict[str, Any] = await a_world(people)
    clients = {"BUYER": await signed_in(people.member), "SELLER": await signed_in(people.owner)}
    seen = 0
    for request in requests(page):
        said = (await clients[request.who].ask(request.text, json.loads(filled(request.variables, known)))).data
        assert fits(json.loads(request.answer), said), json.dumps(said, ensure_ascii=False, indent=2)
        known |= {name: at(said, path) for name, path in request.kept.items()}
        seen += 1
    assert seen == {"orders.md": 2, "inbox.md": 6, "disputes.md": 5}[page]


def test_what_the_page_says_of_pushes_is_so() -> None:
    text = (DOCS / "inbox.md").read_text()
    assert {kind.value for kind in DEADLINES} == set(
        re.findall(r"`(\w+)`", next(line for line in text.splitlines() if "a deadline:" in line))
    )
    assert f"`dailyPushes` ({DAILY_PUSHES})" in text
