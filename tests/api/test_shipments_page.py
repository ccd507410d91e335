"""docs/api/shipments.md as it stands: every request, in its order; and its words are the program's."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from api.app import create_app
from domain import db as database
from domain.bootstrap import Services
from domain.clock import FixedClock
from domain.ids import public_id
from domain.shipping.rules import EXPECTED, MOST_ROWS, ImportOutcome, ReturnDecision, ShipmentState
from domain.shipping.table import COLUMNS
from tests import build
from tests.api.graphql.conftest import http, people, services, signed_in
from tests.api.live.test_pages import holds, steps
from tests.api.test_guide import at, run
from tests.parcels import an_order_to_send

PAGE = Path(__file__).parents[2] / "docs" / "api" / "shipments.md"
RULES = PAGE.parents[1] / "rules" / "shipping.md"
__all__ = ["http", "people", "services", "signed_in"]


async def test_every_request_of_the_page_works_as_it_stands(people, signed_in, services: Services, clock: FixedClock) -> None:
    red, white = (await build.a_product(people.shop, variants=("紅", "白"), on_hand=5)).variants
    order = await an_order_to_send(people.shop, [(red, 1), (white, 2)], buyer=people.buyer)
    tokens = {
        name: (await signed_in(who)).headers["authorization"].removeprefix("Bearer ")
        for name, who in (("BUYER", people.member), ("SELLER", people.owner))
    }
    known = {
        **tokens,
        "SHOP": public_id("shop", people.shop.id),
        "ORDER": public_id("order", order.id),
        "LINE": public_id("line", order.lines[0]),
        "NUMBER": order.number,
    }
    answers = []
    transport = httpx.ASGITransport(app=create_app(services))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        for step, _ in steps("shipments.md"):
            clock.at += timedelta(seconds=20)
            answer = await run(client, step, known)
            holds(step, answer)
            known |= {name: at(answer, path) for name, path in step.keep.items()}
            answers.append(answer)
    assert len(answers) == 12
    assert [row["outcome"] for row in answers[5]["shipmentsImport"]["rows"]] == ["UPDATED", "CREATED", "REFUSED"]
    assert answers[5]["shipmentsImport"]["rows"][2]["code"] == "NOT_FOUND"
    shown = answers[6]["me"]["shipments"]["nodes"]
    assert [(parcel["state"], parcel["carrier"], parcel["lastPickupDay"]) for parcel in shown] == [
        ("SHIPPED", "T_CAT", None), ("ARRIVED_AT_STORE", "SEVEN_ELEVEN", "2026-11-28"),
    ]  # fmt: skip
    assert answers[7]["me"]["orders"]["nodes"][0]["actions"] == ["MAKE_GIFT", "TRACK"]
    assert answers[10]["shop"]["shipments"]["totalCount"] == 1
    assert answers[11]["shipmentReturnSettle"] == {
        "shipment": {"returnDecision": "SHIP_AGAIN"}, "orders": [{"fulfilmentState": "PARTIAL"}], "userErrors": [],
    }  # fmt: skip
    assert await database.fetchval("select count(*) from notice where kind like 'SHIPMENT%'") == 5


def test_the_pages_name_what_there_is() -> None:
    page, rules = PAGE.read_text(), RULES.read_text()
    assert [column for column in COLUMNS if f"`{column}`" not in page] == []
    assert f"at most {MOST_ROWS} rows" in page
    assert [word for word in (*ReturnDecision, *ImportOutcome) if f"`{word}`" not in page] == []
    assert [state for state in ShipmentState if f"| `{state}` |" not in rules] == []
    assert set(EXPECTED) == set(ShipmentState)


@pytest.mark.parametrize("page", [PAGE, RULES], ids=["api", "rules"])
def test_the_pages_are_there(page: Path) -> None:
    assert page.stat().st_size > 3_000
