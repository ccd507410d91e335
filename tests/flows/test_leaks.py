"""Whatever people say and whoever they are is in the columns meant for it, and nowhere else: no log line, metric, job or other column.

One evening with marked names, words, numbers and secrets goes through a real server: signed and forged deliveries, sign-ins right and wrong,
a delivery that no worker can read, an order with a recipient, a gift, a dispute, pushes, refused and broken requests. Then the logs (at DEBUG,
as in production), the metrics and every column of every table are searched for the marks.
"""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import pytest
import structlog

from api.app import create_app
from api.notifications.fcm import FcmGateway
from api.notifications.service_account import self_made
from domain import db as database
from domain.bootstrap import Services
from domain.bootstrap import services as services_for
from domain.clock import FixedClock
from domain.db import Tx
from domain.ids import new_id, public_id
from domain.inbox.drain import Cursor, drain_one
from domain.inbox.rules import NARROWING, TRIES_BEFORE_PARKING
from domain.inbox.taken import InboxRow, Verdict
from domain.members import keys
from domain.members.standing import forget
from domain.posts.commands import place_post
from domain.providers.platforms.wire import facebook_wire, sign_facebook
from domain.settings import load
from domain.shops import queries as shops
from domain.shops.rules import Role, SourcePlatform
from plusone import logging as plusone_logging
from plusone.demo.fcm_server import Answer, FakeFcm
from tests import build
from tests.build import NOW
from tests.serving import SECRET_KEY, running
from tests.workers.outbox_rows import push_all
from workers.ingest import drain_all
from workers.outbox import Pushes

MARKS: Final = {
    "name": "漏名小美", "comment": "漏言這件好美", "poison": "漏毒讀不了", "recipient": "漏收王媽媽", "phone": "0987612345", "address": "漏址中山路", "subject": "leaksubject77",
    "target": "leaktarget77", "secret": "leaksecret77", "sender": "漏贈小明", "wish": "漏賀生日快樂", "words": "漏訴少了一件", "reason": "漏因買太多", "odd": "漏怪0911222333",
}  # fmt: skip
KEPT: Final = {
    "name": {"social_comment.author_name", "buyer.name", "inbox_event.payload"},
    "comment": {"social_comment.text", "inbox_event.payload"},
    "poison": {"inbox_event.payload"},
    "recipient": {"order_delivery.recipient_name"},
    "phone": {"order_delivery.recipient_phone"},
    "address": {"order_delivery.address"},
    "subject": {"identity.subject", "buyer.external_id", "inbox_event.payload"},
    "target": {"device.target"},
    "sender": {"order_gift.sender"},
    "wish": {"order_gift.message"},
    "words": {"dispute_message.text"},
    "reason": {'"order".cancel_reason'},
}
"""Mark: columns that are meant for it. A column that is new here is a decision: docs/operate/retention.md says how long it stays."""
CHOOSE = """mutation ($input: OrderDeliveryChooseInput!, $key: String!) { done: orderDeliveryChoose(input: $input) @idempotent(key: $key) {
  order { recipient { name } } userErrors { code field } } }"""
LINK = "mutation ($input: GiftLinkCreateInput!) { done: giftLinkCreate(input: $input) { link { token } userErrors { code field } } }"
OPEN = """mutation ($input: DisputeOpenInput!, $key: String!) { done: disputeOpen(input: $input) @idempotent(key: $key) {
  dispute { id } userErrors { code field } } }"""
ASK = """mutation ($input: OrderCancelRequestInput!, $key: String!) { done: orderCancelRequest(input: $input) @idempotent(key: $key) {
  order { id } userErrors { code field } } }"""
MINE = "{ me { orders(first: 5) { nodes { id } } } }"


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What this process logs, as in production but at DEBUG."""
    root, before = logging.getLogger(), logging.getLogger().handlers[:]
    level, stream = root.level, io.StringIO()
    plusone_logging.configure(load(_env_file=None, secret_key=SECRET_KEY, environment="production", log_level="DEBUG"), stream=stream)
    yield stream
    root.handlers[:], root.level = before, level
    structlog.reset_defaults()


@dataclass
class Evening:
    """A shop on Facebook, a server, and the people who use them."""

    services: Services
    http: httpx.AsyncClient
    shop: build.AShop
    secrets: dict[str, str] = field(default_factory=dict)
    """What this evening made that nobody but its owner may know."""
    serial: int = 0

    async def comment(self, text: str, *, signed_with: str = MARKS["secret"]) -> int:
        self.serial += 1
        value = {
            "item": "comment", "verb": "add", "comment_id": f"9_{self.serial}", "post_id": "111_9", "from": {"id": MARKS["subject"], "name": MARKS["name"]},
            "message": text, "created_time": int(NOW.timestamp()) + self.serial, "parent_id": "111_9", "post": {"id": "111_9"},
        }  # fmt: skip
        body = facebook_wire(
            {"object": "page", "entry": [{"id": "111", "time": int(NOW.timestamp()), "changes": [{"field": "feed", "value": value}]}]}
        )
        return (await self.http.post("/webhooks/facebook/app", content=body, headers=sign_facebook(body, signed_with))).status_code

    async def sign_in(self, who: str, token: str) -> dict[str, str]:
        nonce = (await self.http.post("/auth/nonce", json={"provider": "dev"})).json()["nonce"]
        device = {"platform": "ANDROID", "target": f"{MARKS['target']}-{who}", "targetKind": "TOKEN"}
        body = {"provider": "dev", "idToken": token, "nonce": nonce, "installationId": f"phone-of-{who}", "device": device}
        answer = (await self.http.post("/auth/exchange", json=body)).json()
        self.secrets |= {
            f"nonce of {who}": nonce,
            f"refresh token of {who}": answer["refreshToken"],
            f"access token of {who}": answer["accessToken"],
        }
        return {"authorization": f"Bearer {answer['accessToken']}"}

    async def ask(self, headers: dict[str, str], query: str, **given: Any) -> Any:
        variables = {"input": given, "key": str(new_id())} if given else {}
        answer = (await self.http.post("/graphql", json={"query": query, "variables": variables}, headers=headers)).json()
        assert "errors" not in answer, answer
        (value,) = answer["data"].values()
        assert value.get("userErrors", []) == [], value
        return value


@pytest.fixture
async def evening(db: str, clock: FixedClock, written: io.StringIO) -> AsyncIterator[Evening]:
    keys.forget()
    forget()
    shops.forget()
    services = services_for(load(_env_file=None, secret_key=SECRET_KEY, environment="development"), clock=clock)
    await keys.ensure_keys(services.vault, clock.now())
    shop = await build.a_shop()
    post = await build.a_post(shop, products=[await build.a_product(shop, variants=("紅色", "白色"), on_hand=9)])
    endpoint = await build.an_endpoint(source="facebook", slug="app", secret_encrypted=services.vault.seal(MARKS["secret"]))
    channel = await build.a_channel(shop, endpoint_id=endpoint, platform=SourcePlatform.FACEBOOK_PAGE, external_id="111")
    async with database.transaction() as tx:
        await place_post(tx, shop_id=shop.id, post_id=post.id, channel_id=channel.id, external_post_id="111_9", now=NOW)
    async with running(create_app(services)) as base, httpx.AsyncClient(base_url=base, trust_env=False) as http:
        yield Evening(services, http, shop)


async def parked(evening: Evening) -> None:
    """A comment whose reading fails with its own words in the error, until it is parked."""

    async def broken(_: Tx, rows: Sequence[InboxRow]) -> Sequence[Verdict]:
        raise ValueError(f"cannot read {rows[0].payload}")

    assert await evening.comment(MARKS["poison"]) == 200
    cursor = Cursor()
    for _ in range(len(NARROWING) + TRIES_BEFORE_PARKING):
        try:
            if await drain_one(cursor, broken, now=evening.services.clock.now) is None:
                break
        except ValueError:
            logging.getLogger("workers.ingest").warning("again", exc_info=True)
    assert await database.fetchval("select count(*) from inbox_event where state = 'PARKED'") == 1


async def acted(evening: Evening, buyer: dict[str, str], seller: dict[str, str]) -> None:
    """Everything in which a buyer's own words or another person's address go along."""
    offer = await evening.ask(
        seller,
        'mutation ($input: DeliveryOfferCreateInput!) { deliveryOfferCreate(input: $input) @idempotent(key: "offer") { offer { id } userErrors { code } } }',
        shopId=public_id("shop", evening.shop.id), kind="HOME", name="宅配", fee="100",
    )  # fmt: skip
    (order,) = (await evening.ask(buyer, MINE))["orders"]["nodes"]
    recipient = {"name": MARKS["recipient"], "phone": MARKS["phone"], "postalCode": "104", "address": MARKS["address"]}
    await evening.ask(buyer, CHOOSE, orderId=order["id"], offerId=offer["offer"]["id"], recipient=recipient)
    gift = await evening.ask(buyer, LINK, orderId=order["id"], sender=MARKS["sender"], message=MARKS["wish"])
    evening.secrets["gift link"] = gift["link"]["token"]
    assert (await evening.ask({}, '{ gift(token: "%s") { message } }' % gift["link"]["token"]))["message"] == MARKS["wish"]  # noqa: UP031
    await evening.ask(buyer, OPEN, orderId=order["id"], reason="OTHER", text=MARKS["words"])
    await evening.ask(buyer, ASK, orderId=order["id"], reason=MARKS["reason"])


async def refused(evening: Evening, buyer: dict[str, str]) -> None:
    """What is wrong is told to whoever sent it, if to anybody."""
    assert await evening.comment(MARKS["odd"], signed_with=MARKS["odd"]) == 401
    for headers in ({"authorization": f"Bearer {MARKS['subject']}"}, {"x-hub-signature-256": f"sha256={MARKS['subject']}"}):
        await evening.http.post("/webhooks/facebook/app", content=MARKS["odd"].encode(), headers=headers)
        await evening.http.post("/graphql", json={"query": "{ me { id } }"}, headers=headers)
    for body in (
        {"query": "{ me { %s } }" % MARKS["odd"]}, {"query": f'{{ salesPost(id: "{MARKS["odd"]}") {{ title }} }}'}, {"query": MARKS["odd"]},  # noqa: UP031
        {"query": "query ($f: OrderFilter) { me { orders(filter: $f) { nodes { id } } } }", "variables": {"f": {"text": MARKS["odd"], "x": MARKS["odd"]}}},
    ):  # fmt: skip
        await evening.http.post("/graphql", json=body, headers=buyer)
    passkeys = [f"/auth/passkeys{act}" for act in ("", "/sign-in", "/confirm", "/remove")] + [
        "/auth/authenticator",
        "/auth/authenticator/code",
    ]
    for path in ("/auth/exchange", "/auth/refresh", "/auth/confirm", "/auth/sessions/end", *passkeys):
        for body in ({MARKS["odd"]: 1}, {"provider": "dev", "idToken": MARKS["odd"], "nonce": MARKS["odd"], "installationId": "x"}):
            await evening.http.post(path, json=body, headers=buyer)
    await evening.http.post("/auth/refresh", json={"refreshToken": MARKS["subject"], "installationId": MARKS["target"]})
    for path in (
        f"/{MARKS['subject']}",
        f"/pay/{MARKS['subject']}",
        f"/slips/{MARKS['subject']}",
        f"/exports/{MARKS['subject']}?x={MARKS['subject']}",
    ):
        await evening.http.get(path, headers=buyer | {"user-agent": f"{MARKS['subject']}\r\nX".replace("\r\n", "%0d%0a")})


async def pushed(evening: Evening) -> None:
    """A push is refused, with words that repeat what was sent."""
    async with FakeFcm() as fcm:
        fcm.answers[MARKS["target"]] = Answer(400, "INVALID_ARGUMENT", message=f"{MARKS['target']} {MARKS['name']}", times=1)
        gateway = FcmGateway({**self_made("http://127.0.0.1:1"), "token_uri": f"{fcm.url}/token"}, base_url=fcm.url, production=False)
        try:
            await push_all(Pushes(gateway, evening.services))
        finally:
            await gateway.aclose()
        assert 400 in [status for _, status in fcm.attempts]


async def columns_with(marks: dict[str, str]) -> dict[str, set[str]]:
    """`table.column` of each mark, of every table and partition there is, jobs and archive too."""
    tables = await database.fetch(
        """select c.oid::regclass::text as name, array_agg(a.attname::text order by a.attnum) as columns from pg_class c
           join pg_namespace s on s.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
           where c.relkind = 'r' and s.nspname not in ('pg_catalog', 'information_schema', 'pg_toast') group by c.oid order by 1"""
    )
    found: dict[str, set[str]] = {}
    for table in tables:
        for row in await database.fetch(f"select to_jsonb(t) as row from {table['name']} t"):
            for column, value in database.from_jsonb(row["row"]).items():
                text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
                seen = bytes.fromhex(text[2:]).decode("utf-8", "replace") if text.startswith("\\x") else text
                for name, mark in marks.items():
                    if mark in seen:
                        found.setdefault(name, set()).add(f"{table['name']}.{column}")
    return found


async def test_marked_persons_words_and_secrets_stay_where_they_belong(evening: Evening, written: io.StringIO) -> None:
    for text in ("紅色+1", MARKS["comment"]):
        assert await evening.comment(text) == 200
    await drain_all(evening.services)
    buyer = await evening.sign_in("buyer", f"dev:facebook:{MARKS['subject']}")
    assert await evening.comment("白色+1") == 200  # who is signed in is told of it by a push
    await drain_all(evening.services)
    seller = await evening.sign_in("seller", "dev:member:seller")
    member = await database.fetchval("select member_id from identity where subject = 'seller'")
    await build.a_membership(evening.shop, member_id=member, role=Role.OWNER)
    await parked(evening)
    await acted(evening, buyer, seller)
    await refused(evening, buyer)
    await pushed(evening)
    await asyncio.sleep(0)
    metrics = (await evening.http.get("/metrics")).text
    marks = MARKS | evening.secrets
    logged = written.getvalue()
    assert logged.count("\n") > 20
    assert [json.loads(line) for line in logged.splitlines()]
    assert [name for name, mark in marks.items() if mark in logged or json.dumps(mark)[1:-1] in logged] == []
    assert [name for name, mark in marks.items() if mark in metrics] == []
    assert await columns_with(marks) == KEPT
