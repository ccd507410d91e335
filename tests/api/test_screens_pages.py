"""docs/api/orders.md, inbox.md and disputes.md: every request with its variables, and the answer as it is shown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from domain.ids import public_id
from domain.notices.pushing import DAILY_PUSHES, DEADLINES
from domain.orders.carriers import Carrier
from domain.shipping.chosen import Label
from domain.shipping.rules import ShipmentState, Store
from tests import build
from tests.api.graphql import conftest
from tests.api.test_guide import at, filled
from tests.parcels import an_order_to_send, packed, said

http, people, services, signed_in = conftest.http, conftest.people, conftest.services, conftest.signed_in
DOCS = Path(__file__).parents[2] / "docs" / "api"
BLOCK = re.compile(r"(?:<!-- (?P<note>.*?) -->\n)?```(?P<kind>\w+)\n(?P<text>.*?)```", re.DOTALL)
ANY = "…"
LABEL = Label(Carrier.SEVEN_ELEVEN, tracking_number="F1234", store=Store("991182", "台大門市", "台北市羅斯福路", date(2026, 11, 28)))


@dataclass(slots=True)
class Request:
    """One request of a page: the document, who asks, what later ones use of its answer, its variables, and the answer that is shown."""

    text: str
    who: str = "BUYER"
    keep: str = ""
    variables: str = "{}"
    answer: str = ""


def requests(page: str) -> Iterator[Request]:
    found: Request | None = None
    for block in BLOCK.finditer((DOCS / page).read_text()):
        if block["kind"] == "graphql":
            if found is not None:
                yield found
            found = Request(block["text"])
            for part in filter(None, (block["note"] or "").split("; ")):
                name, _, value = part.partition(": ")
                setattr(found, {"as": "who"}.get(name, name), value)
        else:
            assert found is not None
            setattr(found, block["note"], block["text"])
    assert found is not None
    yield found


def fits(shown: Any, said: Any) -> bool:
    """Whether what was said is what is shown; ANY stands for any text."""
    if isinstance(shown, dict) and isinstance(said, dict):
        return list(shown) == list(said) and all(fits(shown[key], said[key]) for key in shown)
    if isinstance(shown, list) and isinstance(said, list):
        return len(shown) == len(said) and all(map(fits, shown, said))
    if isinstance(shown, str) and isinstance(said, str) and ANY in shown:
        return re.fullmatch(".+".join(map(re.escape, shown.split(ANY))), said) is not None
    return type(shown) is type(said) and bool(shown == said)


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
        if request.keep:
            name, _, path = request.keep.partition(" = ")
            known[name] = at(said, path)
        seen += 1
    assert seen == {"orders.md": 2, "inbox.md": 6, "disputes.md": 5}[page]


def test_what_the_page_says_of_pushes_is_so() -> None:
    text = (DOCS / "inbox.md").read_text()
    assert {kind.value for kind in DEADLINES} == set(
        re.findall(r"`(\w+)`", next(line for line in text.splitlines() if "a deadline:" in line))
    )
    assert f"`dailyPushes` ({DAILY_PUSHES})" in text
