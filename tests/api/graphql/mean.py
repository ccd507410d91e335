"""A shop with every way of delivery and of payment, a buyer and an owner, all of whose acts go over HTTP; after each the books are looked at."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from domain import db as database
from domain.bootstrap import Services
from domain.ids import new_id, public_id
from domain.orders.commands import expire_due
from domain.payments.attempts import page, page_path
from domain.payments.ecpay import read_form, read_notice
from domain.payments.results import end_of, still_open, take
from domain.payments.transfers import lapse_due
from domain.posts.rules import DeliveryMethod
from plusone.error_page import takes_key
from plusone.invariants import check
from tests import build
from tests.api.graphql.conftest import As, Client
from tests.books import books_agree
from tests.domain.delivery.acts import Ways, a_shop_with_ways
from tests.domain.payments.online import MONEY, an_account
from tests.ecpay_server import notice

ORDER = """id number version state paymentState fulfilmentState deliveryMethod isGift actions undoUntil cancelRequestedAt shippingFee { amount }
  total { amount } paid { amount } amountDue { amount } delivery { storeCode offer { kind } } lines(first: 6) { nodes { id title quantity handedOver } }
  transfer { id state } pickup { id state } shipments { id state differences returnDecision } paymentAttempts { state surplus { reason } }"""
MINE = f"{{ me {{ orders(first: 8) {{ nodes {{ {ORDER} }} }} }} }}"
THEIRS = f"query ($id: ID!) {{ shop(id: $id) {{ orders(first: 8) {{ nodes {{ {ORDER} }} }} }} }}"
MORE = {
    "pickupPassIssue": "pickupPass { shortCode token }",
    "pickupScan": "preview { scanId }",
    "pickupConfirm": "handOver { pickupState left }",
    "paymentSessionCreate": "session { url }",
    "claimCreate": "order { id }",
    "shipmentCreate": "shipment { id carrier storeCode differences }",
    "ordersMerge": "order { id }",
}
"""What is asked of a payload beside its refusals."""
CHOICES = {
    "meet": {},
    "store": {"store": {"code": "131386", "name": "鑫台北門市"}, "recipient": {"name": "王媽媽", "phone": "0912345678"}},
    "home": {"recipient": {"name": "王媽媽", "phone": "+886 2 2345-6789", "address": "臺北市中山區南京東路一段 1 號"}},
}


@dataclass
class Stage:
    """The world of one story. `did` tells what was done so far, for whoever looks at a failure."""

    services: Services
    clock: Any
    signed_in: As
    ways: Ways
    owner_id: UUID
    member_id: UUID
    account_id: UUID
    posts: dict[str, UUID]
    variant: UUID
    buyer: Client
    owner: Client
    did: list[str] = field(default_factory=list)

    @property
    def shop(self) -> str:
        return public_id("shop", self.ways.shop.id)

    async def act(self, who: str, name: str, **given: Any) -> dict[str, Any]:
        """One mutation of the buyer or the owner; its payload. Whatever becomes of it, the books agree after it."""
        title = name[0].upper() + name[1:]
        key = "@idempotent(key: $key)" if takes_key(name) else ""
        declared = f"$input: {title}Input!{', $key: String!' if key else ''}"
        query = f"mutation ({declared}) {{ {name}(input: $input) {key} {{ {MORE.get(name, '')} userErrors {{ code field message }} }} }}"
        client: Client = getattr(self, who)
        self.clock.at += timedelta(seconds=5)  # what asking costs comes back with time
        answer = await client.ask(query, {"input": given, **({"key": str(new_id())} if key else {})})
        codes = (
            [error["code"] for error in answer.body["data"][name]["userErrors"]] if "errors" not in answer.body else answer.body["errors"]
        )
        self.did.append(f"{who} {name} {given} -> {codes or 'done'}")
        assert "errors" not in answer.body, self.story
        assert "REFUSED" not in codes, self.story
        await self.holds()
        payload: dict[str, Any] = answer.data[name]
        return payload

    async def done(self, who: str, name: str, **given: Any) -> dict[str, Any]:
        """The same, and it is not refused."""
        payload = await self.act(who, name, **given)
        assert payload["userErrors"] == [], self.story
        return payload

    async def refused(self, who: str, name: str, **given: Any) -> str:
        """The code of a refusal."""
        payload = await self.act(who, name, **given)
        assert payload["userErrors"], self.story
        code: str = payload["userErrors"][0]["code"]
        return code

    async def holds(self) -> None:
        """No invariant is broken, the books agree, and all money that came is an order's or somebody's to give back."""
        found = await check(self.clock.now() + timedelta(minutes=1))
        assert found == [], f"{found}\n{self.story}"
        await books_agree()
        assert await database.fetchval(MONEY), self.story

    @property
    def story(self) -> str:
        return "\n".join(self.did)

    async def orders(self, who: str = "buyer") -> list[dict[str, Any]]:
        """What the buyer or the owner sees, newest first."""
        if who == "buyer":
            found: list[dict[str, Any]] = (await self.buyer.get(MINE))["me"]["orders"]["nodes"]
        else:
            found = (await self.owner.get(THEIRS, {"id": self.shop}))["shop"]["orders"]["nodes"]
        return found

    async def order(self, order_id: str, who: str = "buyer") -> dict[str, Any]:
        return next(order for order in await self.orders(who) if order["id"] == order_id)

    async def wishes(self, pieces: int = 2, way: str = "PICKUP") -> str:
        """The buyer orders; answers the order."""
        made = await self.done(
            "buyer", "claimCreate", postId=public_id("post", self.posts[way]), variantId=public_id("variant", self.variant), quantity=pieces
        )
        order: str = made["order"]["id"]
        return order

    async def chooses(self, order: str, kind: str, store: str | None = None) -> dict[str, Any]:
        """The buyer chooses a way of delivery."""
        given: dict[str, Any] = {"orderId": order, "offerId": public_id("offer", getattr(self.ways, kind)), **CHOICES[kind]}
        if kind == "meet":
            given["slotId"] = public_id("slot", self.ways.slot)
        if store is not None:
            given["store"] = {"code": store, "name": "別家門市"}
        return await self.act("buyer", "orderDeliveryChoose", **given)

    async def attempt(self, order: str, *, open_page: bool = True) -> str:
        """The buyer begins to pay by card, and opens the page; answers the number at the provider."""
        await self.done("buyer", "paymentSessionCreate", orderId=order, method="CARD")
        row = await database.fetchrow("select id, trade_no from payment_attempt order by created_at desc, id desc limit 1")
        assert row is not None
        if open_page:
            await self.opens(row["id"])
        number: str = row["trade_no"]
        return number

    async def opens(self, attempt: UUID) -> None:
        vault = self.services.vault
        await page(token=page_path(attempt, vault)[5:], base_url="", ecpay_url=None, vault=vault, now=self.clock.now())
        self.did.append("the page is opened")

    async def provider_says(self, number: str, *, paid: bool = True) -> None:
        """The provider tells what became of an attempt."""
        amount = await database.fetchval("select amount_minor from payment_attempt where trade_no = $1", number)
        body = notice(number, str(amount), f"26{number[1:15]}", code="1" if paid else "10200058")
        await take(
            account_id=self.account_id, told=read_notice(read_form(body)), source="NOTICE", now=self.clock.now(), jobs=self.services.jobs
        )
        self.did.append(f"the provider says {'paid' if paid else 'failed'}")
        await self.holds()

    async def passes(self, time: timedelta) -> None:
        """Time goes by, and what is due falls due: deadlines, reports, attempts of which nothing was heard."""
        self.clock.at += time
        now, jobs = self.clock.now(), self.services.jobs
        for row in await database.fetch("select * from payment_attempt where state = 'PENDING' and ask_at <= $1 order by id", now):
            if now >= end_of(row):
                await still_open(attempt_id=row["id"], now=now)
        await lapse_due(now=now, limit=50, jobs=jobs)
        await expire_due(now=now, limit=50, jobs=jobs)
        self.buyer, self.owner = await self.signed_in(self.member_id), await self.signed_in(self.owner_id)
        self.did.append(f"{time} later")
        await self.holds()

    async def collects(self, pickup: str) -> dict[str, Any]:
        """The buyer shows the pass, and all that is left is handed over."""
        shown = (await self.done("buyer", "pickupPassIssue", pickupId=pickup))["pickupPass"]
        seen = await self.act("owner", "pickupScan", shopId=self.shop, token=shown["token"])
        if seen["userErrors"]:
            return seen
        return await self.act("owner", "pickupConfirm", shopId=self.shop, scanId=seen["preview"]["scanId"])


async def a_stage(services: Services, clock: Any, signed_in: As, *, on_hand: int = 9, capacity: int = 9) -> Stage:
    shop = await build.a_shop()
    product = await build.a_product(shop, on_hand=on_hand)
    posts = {
        way.value: (await build.a_post(shop, products=[product], delivery_method=way)).id
        for way in (DeliveryMethod.PICKUP, DeliveryMethod.SHIP)
    }
    owner, member = await build.a_membership(shop), await build.a_member()
    ways, account = await a_shop_with_ways(capacity, shop), await an_account(shop, services.vault)
    return Stage(
        services, clock, signed_in, ways, owner, member, account.id, posts, product.variants[0].id, await signed_in(member), await signed_in(owner)
    )  # fmt: skip
