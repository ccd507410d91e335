"""The demo as an app: signs people in and asks GraphQL over HTTP, as a phone, a back office or a scanner would."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

import httpx

from plusone.demo.people import identity_of


class AppRefused(Exception):
    """The API said no where the demo expected a yes; the message is its answer."""


ORDERS_TO_PAY: Final = """query ($shop: ID!, $first: Int!) {
  shop(id: $shop) { orders(list: TO_PAY, first: $first) { nodes { id number total { amount currencyCode } buyer { name provider } } } }
}"""
MARK_PAID: Final = """mutation ($input: OrderMarkPaidInput!, $key: String!) {
  orderMarkPaid(input: $input) @idempotent(key: $key) { order { number paymentState fulfilmentState list } userErrors { code message } }
}"""
PICKUPS: Final = "query { me { pickups(first: 5) { nodes { id state orders { number } } } } }"
ISSUE: Final = """mutation ($input: PickupPassIssueInput!) {
  pickupPassIssue(input: $input) { pickupPass { token shortCode coversOrders { number } } userErrors { code message } }
}"""
SCAN: Final = """mutation ($input: PickupScanInput!) {
  pickupScan(input: $input) { preview { scanId buyerName lines { title left } } userErrors { code refusal } }
}"""
CONFIRM: Final = """mutation ($input: PickupConfirmInput!, $key: String!) {
  pickupConfirm(input: $input) @idempotent(key: $key) { handOver { pickupState left lines { quantity } } userErrors { code refusal } }
}"""


@dataclass(frozen=True, slots=True)
class App:
    """One signed-in person."""

    client: httpx.AsyncClient
    token: str

    async def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """The data of one operation.

        Raises:
            AppRefused: it has errors.
        """
        headers = {"authorization": f"Bearer {self.token}", "accept": "application/graphql-response+json"}
        response = await self.client.post("/graphql", json={"query": query, "variables": variables}, headers=headers)
        answer = response.json()
        if response.status_code != httpx.codes.OK or answer.get("errors"):
            raise AppRefused(response.text[:500])
        data: dict[str, Any] = answer["data"]
        return data


async def sign_in(client: httpx.AsyncClient, provider: str, subject: str) -> App:
    """Sign somebody in by the development provider, as `provider:subject`.

    Raises:
        AppRefused: it does not let them in.
    """
    nonce = await client.post("/auth/nonce", json={"provider": "dev"})
    token = f"dev:{provider}:{subject}"
    body = {"provider": "dev", "idToken": token, "nonce": nonce.json().get("nonce", ""), "installationId": f"demo-{uuid4().hex}"}
    response = await client.post("/auth/exchange", json=body)
    if response.status_code != httpx.codes.OK:
        raise AppRefused(response.text[:500])
    return App(client, response.json()["accessToken"])


@dataclass(frozen=True, slots=True)
class Counter:
    """What happened at the counter, for the report."""

    order: str
    paid: tuple[str, str, str]
    """Payment, fulfilment and list of the order after the seller took the money."""
    covered: tuple[str, ...]
    handed_over: int
    left: int
    again: str
    """What the second scan was refused for."""


async def at_the_counter(seller: App, buyer: App, scanner: App, shop_id: str, name: str) -> Counter:
    """The seller takes one buyer's money, the buyer shows the code, the counter hands over once, and not twice."""
    found = (await seller.ask(ORDERS_TO_PAY, shop=shop_id, first=50))["shop"]["orders"]["nodes"]
    order = next(o for o in found if (o["buyer"]["name"], o["buyer"]["provider"]) == (name, identity_of(name, "facebook")[0]))
    wanted = {"orderId": order["id"], "method": "BANK_TRANSFER", "reference": "末五碼 12345"}
    paid = _done((await seller.ask(MARK_PAID, input=wanted, key=uuid4().hex))["orderMarkPaid"])["order"]
    pickups = (await buyer.ask(PICKUPS))["me"]["pickups"]["nodes"]
    pickup = next(p for p in pickups if order["number"] in [o["number"] for o in p["orders"]])
    shown = _done((await buyer.ask(ISSUE, input={"pickupId": pickup["id"]}))["pickupPassIssue"])["pickupPass"]
    scan = {"shopId": shop_id, "token": shown["token"], "deviceId": "counter-1"}
    preview = _done((await scanner.ask(SCAN, input=scan))["pickupScan"])["preview"]
    confirm = {"shopId": shop_id, "scanId": preview["scanId"], "deviceId": "counter-1"}
    over = _done((await scanner.ask(CONFIRM, input=confirm, key=uuid4().hex))["pickupConfirm"])["handOver"]
    again = (await scanner.ask(SCAN, input=scan))["pickupScan"]
    return Counter(
        order=order["number"],
        paid=(paid["paymentState"], paid["fulfilmentState"], paid["list"]),
        covered=tuple(o["number"] for o in shown["coversOrders"]),
        handed_over=sum(line["quantity"] for line in over["lines"]),
        left=over["left"],
        again=",".join(error["refusal"] or error["code"] for error in again["userErrors"]),
    )


def _done(payload: dict[str, Any]) -> dict[str, Any]:
    if payload["userErrors"]:
        raise AppRefused(str(payload["userErrors"]))
    return payload
