"""`docs/rules/delivery.md` from its first request to its last: a shop that offers, a buyer who chooses, reports and gives away."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from api.app import create_app
from api.auth.tokens import issue_access
from domain import db as database
from domain.bootstrap import Services
from domain.bootstrap import services as services_for
from domain.clock import FixedClock
from domain.ids import new_id, public_id
from domain.members import keys
from domain.members.standing import forget
from domain.settings import load
from plusone.invariants import check
from tests import build
from tests.books import books_agree
from tests.build import NOW
from tests.domain.payments.pictures import from_a_phone
from tests.serving import SECRET_KEY, running

PAGE = Path(__file__).parents[2] / "docs" / "rules" / "delivery.md"
BLOCK = re.compile(
    r"<!-- who=(?P<who>\w+); run=(?P<run>\w+)(?:; variables=(?P<variables>[\w,]+))? -->\n```graphql\n(?P<text>.*?)```", re.DOTALL
)
STEPS = {found["run"]: found for found in BLOCK.finditer(PAGE.read_text())}


@dataclass
class Stall:
    """A shop with an owner and a buyer behind one server."""

    services: Services
    http: httpx.AsyncClient
    order: build.AnOrder
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)

    async def sign_in(self, who: str, member: UUID) -> None:
        session = new_id()
        await database.execute(
            """insert into session (id, member_id, installation_id, created_at, last_used_at, idle_until, ends_at, ended_reason)
               values ($1, $2, 'test', $3, $3, $4, $4, '')""",
            session, member, NOW, NOW + timedelta(days=30),
        )  # fmt: skip
        token = await issue_access(member, session, 1, issuer=self.services.settings.public_url, now=NOW)
        self.headers[who] = {"authorization": f"Bearer {token.text}"}

    async def run(self, step: str) -> Any:
        """A request of the page, as it stands there."""
        found = STEPS[step]
        variables = {name: self.values[name] for name in (found["variables"] or "").split(",") if name}
        body = {"query": found["text"], "variables": variables}
        answer = (await self.http.post("/graphql", json=body, headers=self.headers.get(found["who"], {}))).json()
        assert "errors" not in answer, (step, answer)
        (value,) = answer["data"].values()
        assert (value or {}).get("userErrors", []) == [], (step, value)
        self.ran.append(step)
        return value


@pytest.fixture
async def stall(db: str, clock: FixedClock) -> AsyncIterator[Stall]:
    keys.forget()
    forget()
    services = services_for(load(_env_file=None, secret_key=SECRET_KEY, environment="development"), clock=clock)
    await keys.ensure_keys(services.vault, clock.now())
    shop, member = await build.a_shop(name="阿美團購"), await build.a_member()
    order = await build.an_order(shop, {await build.a_variant(shop): 2}, buyer=await build.a_buyer(shop, member_id=member))
    async with running(create_app(services)) as base, httpx.AsyncClient(base_url=base) as http:
        found = Stall(services, http, order)
        await found.sign_in("amei", await build.a_membership(shop))
        await found.sign_in("mei", member)
        found.values = {"shop": public_id("shop", shop.id), "order": public_id("order", order.id)}
        yield found


async def test_the_page_works_as_it_stands(stall: Stall) -> None:
    stall.values["offer"] = (await stall.run("meet"))["offer"]["id"]
    store = (await stall.run("store"))["offer"]["id"]
    assert (await stall.run("slot"))["slot"]["left"] == 40
    options = await stall.run("options")
    assert [o["kind"] for o in options["shop"]["deliveryOptions"]] == ["FACE_TO_FACE", "CONVENIENCE_STORE"]
    assert "CHOOSE_DELIVERY" in options["actions"]
    stall.values["offer"] = store
    chosen = (await stall.run("choose"))["order"]
    assert (chosen["deliveryMethod"], chosen["shippingFee"]["amount"], chosen["total"]["amount"]) == ("SHIP", "60", "1240")

    upload = (await stall.run("upload"))["upload"]
    sent = await stall.http.post(upload["path"], content=from_a_phone())
    assert (sent.status_code, sent.json()) == (201, {"id": upload["id"]})
    stall.values["slip"] = upload["id"]
    reported = (await stall.run("report"))["order"]
    assert (reported["paymentState"], reported["transfer"]["isAmountDue"]) == ("REPORTED", True)
    for who in ("mei", "amei"):
        assert (await stall.http.get(reported["transfer"]["slipPath"], headers=stall.headers[who])).headers["content-type"] == "image/jpeg"

    (waiting,) = (await stall.run("reported"))["orders"]["nodes"]
    stall.values["report"] = waiting["transfer"]["id"]
    refused = (await stall.run("refuse"))["order"]
    assert (refused["paymentState"], refused["transfer"]["reason"]) == ("FAILED", "帳上沒有這筆，請再看一次")
    assert (await stall.run("again"))["order"]["transfer"] == {"state": "OPEN", "isAmountDue": False}
    newest = await database.fetchval("select id from transfer_report where state = 'OPEN'")
    stall.values["report"] = public_id("transfer", newest)
    paid = (await stall.run("confirm"))["order"]
    assert (paid["paymentState"], paid["list"], paid["paid"]["amount"], paid["transfer"]["state"]) == (
        "PAID",
        "TO_SHIP",
        "1240",
        "CONFIRMED",
    )

    stall.values["token"] = (await stall.run("gift"))["link"]["token"]
    seen = await stall.run("seen")
    assert (seen["shopName"], seen["items"][0]["quantity"], seen["delivery"]["storeName"]) == ("阿美團購", 2, "鑫台北門市")
    assert stall.ran == list(STEPS)
    await books_agree()
    assert await check(NOW + timedelta(seconds=30)) == []
