"""A street of people and one shop with its accounts, for tests of linking: signed deliveries on a port, replies and bots over HTTP, and the app."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from api.app import create_app
from domain import db as database
from domain.bootstrap import Services
from domain.bootstrap import services as services_for
from domain.clock import FixedClock
from domain.ids import public_id
from domain.jobs import ACCOUNT_LINK
from domain.members import keys
from domain.members.standing import forget
from domain.posts.commands import place_post
from domain.providers.line_bot import LineBot
from domain.providers.platforms.fake import FakePlatformServer, HttpReplySender
from domain.providers.platforms.wire import facebook_wire, line_wire, sign_facebook, sign_line
from domain.settings import load
from domain.shops import queries as shops
from domain.shops.rules import SourcePlatform
from plusone.invariants import check
from tests import build
from tests.build import NOW
from tests.flows.test_people import STEPS
from tests.line_server import FakeLine
from tests.serving import SECRET_KEY, running
from tests.workers.outbox_rows import job_payloads
from workers.account_links import AccountLinks
from workers.ingest import drain_all
from workers.outbox import Replies

FIXTURES = Path(__file__).parents[1] / "fixtures"
SECRET = "sesame-opens-the-door"
PAGE, ACCOUNT = "104561234567890", "17841405726653026"
POST = f"{PAGE}_122156789012345678"
MEI, PSID, IGSID, LINE_MEI = "7392015648120394", "5102938475610293", "6841100000000000", "U206d25c2ea6bd87c17655609a1c37cb8"
APP = "https://app.example.com/link"
OPEN = STEPS["open"]["text"].replace("identityLinkOpen(", "found: identityLinkOpen(")
CONFIRM = "mutation ($link: ID!) { found: identityLinkConfirm(input: {linkId: $link}) { names { provider name } userErrors { code } } }"
START = "mutation { found: identityLinkStart(input: {}) { code { text addresses { url } } userErrors { code } } }"
LINKS = "{ me { identityLinks { id provider name shopNames } } }"
ACCOUNTS = STEPS["accounts"]["text"]
ADDRESSES = STEPS["addresses"]["text"].replace("identityLinkStart(", "found: identityLinkStart(")
ORDERS = "{ me { orders(first: 9) { totalCount } } }"


def recorded_body(sample: str) -> Any:
    return json.loads((FIXTURES / f"{sample}.json").read_text("utf-8"))


@dataclass
class Street:
    """One shop on a page, an Instagram account, a LINE account and a Telegram group; a neighbour's page is of the same app."""

    services: Services
    clock: FixedClock
    http: httpx.AsyncClient
    platform: FakePlatformServer
    sender: HttpReplySender
    line: FakeLine
    bot: AccountLinks
    shop: str
    tokens: dict[str, str]
    serial: int = 0

    async def sign_in(self, *people: str) -> None:
        for who in people:
            nonce = (await self.http.post("/auth/nonce", json={"provider": "dev"})).json()["nonce"]
            body = {"provider": "dev", "idToken": f"dev:member:{who}", "nonce": nonce, "installationId": f"phone-of-{who}"}
            self.tokens[who] = (await self.http.post("/auth/exchange", json=body)).json()["accessToken"]

    async def ask(self, who: str, query: str, **variables: Any) -> Any:
        headers = {"authorization": f"Bearer {self.tokens[who]}"}
        answer = (await self.http.post("/graphql", json={"query": query, "variables": variables}, headers=headers)).json()
        assert "errors" not in answer, answer
        return answer["data"].get("found", answer["data"])

    async def refused(self, who: str, query: str, **variables: Any) -> str:
        """The one code of a refusal."""
        (error,) = (await self.ask(who, query, **variables))["userErrors"]
        return str(error["code"])

    async def deliver(self, source: str, payload: Any) -> None:
        body = facebook_wire(payload) if source != "line" else line_wire(payload)
        headers = sign_line(body, SECRET) if source == "line" else sign_facebook(body, SECRET)
        answer = await self.http.post(f"/webhooks/{source}/app", content=body, headers=headers)
        assert answer.status_code == 200, answer.text
        await drain_all(self.services)

    async def comment(self, text: str, author: str = MEI) -> None:
        """The recorded comment of a Page with another text and author."""
        self.serial += 1
        payload = recorded_body("facebook/feed_comment_add")
        value = payload["entry"][0]["changes"][0]["value"]
        value |= {"message": text, "comment_id": f"122156789012345678_{self.serial}", "from": {"id": author, "name": "林小美"}}
        await self.deliver("facebook", payload)

    async def message(self, sample: str, code: str) -> None:
        """A recorded message with this code in place of its own words."""
        payload = recorded_body(sample)
        text = json.dumps(payload).replace("claim_7K3QX9", code)
        payload = json.loads(text)
        item = payload["entry"][0]["messaging"][0]
        if "text" in item.get("message", {}):
            item["message"] |= {"text": code, "mid": f"m_{self.serial}{code}"}
        await self.deliver(sample.split("/")[0], payload)

    async def line_says(self, sample: str, **changes: Any) -> None:
        self.serial += 1
        payload = recorded_body(sample)
        event = payload["events"][0]
        event["webhookEventId"] = f"01H{self.serial:023d}"
        for key, value in changes.items():
            event[key] = {**event[key], **value} if isinstance(value, dict) else value
        await self.deliver("line", payload)

    async def send_replies(self) -> list[dict[str, Any]]:
        """All replies on their way out; answers the private ones that ever arrived."""
        await Replies(self.sender, self.services).sweep()
        return [reply for reply in self.platform.replies if reply["kind"] == "PRIVATE"]

    async def run_bot(self) -> None:
        for links in await job_payloads(ACCOUNT_LINK, "links"):
            await self.bot.handle({"links": links})

    async def orders(self, who: str) -> int:
        return int((await self.ask(who, ORDERS))["me"]["orders"]["totalCount"])

    async def code(self, who: str) -> str:
        return str((await self.ask(who, START))["code"]["text"])

    async def confirm_all(self, who: str) -> list[dict[str, Any]]:
        """Say yes to every question; answers them."""
        asked = (await self.ask(who, LINKS))["me"]["identityLinks"]
        for question in asked:
            assert (await self.ask(who, CONFIRM, link=question["id"]))["userErrors"] == []
        return asked  # type: ignore[no-any-return]


@asynccontextmanager
async def a_street(clock: FixedClock) -> AsyncIterator[Street]:
    """A shop with a page, an Instagram account, a LINE account and a Telegram bot, all on ports; a database is connected."""
    keys.forget()
    forget()
    shops.forget()
    line = FakeLine()
    async with running(line.app()) as line_url, FakePlatformServer() as platform:
        settings = load(
            _env_file=None,
            secret_key=SECRET_KEY,
            environment="development",
            app_link_url=APP,
            line_api_url=line_url,
            reply_base_url=platform.url,
        )
        services = services_for(settings, clock=clock)
        await keys.ensure_keys(services.vault, clock.now())
        shop, neighbour = await build.a_shop(name="阿美團購"), await build.a_shop(name="鄰居")
        post = await build.a_post(shop, products=[await build.a_product(shop, variants=("紅色", "白色"), on_hand=9)])
        endpoints = {
            source: await build.an_endpoint(source=source, slug="app", secret_encrypted=services.vault.seal(SECRET))
            for source in ("facebook", "instagram", "line", "telegram")
        }
        await database.execute(
            "update webhook_endpoint set access_token_encrypted = $1 where source = 'line'", services.vault.seal(line.access_token)
        )
        await build.a_channel(neighbour, endpoint_id=endpoints["facebook"], external_id="999999")
        for source, platform_of, external, place, contact in (
            ("facebook", SourcePlatform.FACEBOOK_PAGE, PAGE, POST, ""),
            ("instagram", SourcePlatform.INSTAGRAM, ACCOUNT, "17918195224117851", "amei.groupbuy"),
            ("line", SourcePlatform.LINE_GROUP, "C4af498062901234567890abcdef012345", "", ""),
            ("telegram", SourcePlatform.TELEGRAM, "-100", "", "amei_bot"),
        ):
            channel = await build.a_channel(shop, endpoint_id=endpoints[source], platform=platform_of, external_id=external, name=source)
            await database.execute("update channel set contact = $2, private_links = $3 where id = $1", channel.id, contact, place != "")
            async with database.transaction() as tx:
                await place_post(tx, shop_id=shop.id, post_id=post.id, channel_id=channel.id, external_post_id=place, now=NOW)
        sender, bot = HttpReplySender(platform.url), AccountLinks(LineBot(line_url), services)
        async with running(create_app(services)) as base, httpx.AsyncClient(base_url=base) as http:
            yield Street(services, clock, http, platform, sender, line, bot, public_id("shop", shop.id), {})
        await sender.aclose()


async def names_of_members() -> list[tuple[str, str, str]]:
    """(provider, id, shop) of names that have a member."""
    rows = await database.fetch(
        """select b.provider, b.external_id, s.name from buyer b join shop s on s.id = b.shop_id where b.member_id is not null
           order by b.provider, b.external_id, s.name"""
    )
    return [tuple(row.values()) for row in rows]


async def books(action: str) -> int:
    """Entries of the shops' audit and of accounts' books with this action."""
    return int(
        await database.fetchval(
            "select (select count(*) from audit_entry where action = $1) + (select count(*) from member_event where action = $1)", action
        )
    )


async def standing() -> list[str]:
    return [violation.invariant for violation in await check(NOW + timedelta(seconds=50))]


async def a_line_address(street: Street) -> str:
    """Mei adds the account as a friend; answers what stands behind the # of the address that its bot sends her."""
    await street.line_says("line/follow")
    await street.run_bot()
    (_, said) = street.line.said[-1]
    assert f"{APP}#" in said
    return said.partition("#")[2]


async def gone_on(street: Street, who: str, text: str) -> str:
    """Open the address; answers the nonce with which LINE is gone to."""
    found = await street.ask(who, OPEN, text=text)
    assert (found["link"], found["userErrors"]) == (None, [])
    parts = urlsplit(found["url"])
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == "https://access.line.me/dialog/bot/accountLink"
    asked = parse_qs(parts.query)
    assert asked["linkToken"] == [street.line.tokens[-1]]
    (nonce,) = asked["nonce"]
    assert 10 <= len(nonce) <= 255
    return nonce
