"""From a commenter to a member on the real path: signed deliveries on a port, the drain, replies and bots over HTTP, and the app's requests."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx
import pytest

from api.app import create_app
from domain import db as database
from domain.bootstrap import Services
from domain.bootstrap import services as services_for
from domain.claims.ports import OutgoingReply, ReplyRefused, SentReply
from domain.clock import FixedClock
from domain.ids import new_id, public_id
from domain.jobs import ACCOUNT_LINK
from domain.members import deletion, keys, opening
from domain.members.inbox_ids import learn
from domain.members.link_addresses import Opens, token
from domain.members.rules import COMMENT_LINK_LIFE, DELETION_WAIT, LINK_TOKEN_LIFE, LINKS_ASKED, NONCE_ANSWERED_WITHIN
from domain.members.standing import forget
from domain.posts.commands import place_post
from domain.providers.line_bot import LineBot
from domain.providers.platforms.fake import FakePlatformServer, HttpReplySender
from domain.providers.platforms.wire import facebook_wire, line_wire, sign_facebook, sign_line, utf8_wire
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


@pytest.fixture
async def street(db: str, clock: FixedClock) -> AsyncIterator[Street]:
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


# --- codes in chats -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sample", "name"),
    [
        ("facebook/messenger_referral_claim_code", ("facebook", PSID)),
        ("facebook/messenger_postback_referral", ("facebook", PSID)),
        ("facebook/messenger_optin", ("facebook", PSID)),
        ("facebook/messenger_text", ("facebook", PSID)),
        ("instagram/dm_referral_claim_code", ("instagram", IGSID)),
        ("instagram/dm_text", ("instagram", IGSID)),
    ],
)
async def test_a_code_in_a_chat_asks_and_links_at_this_page_alone(street: Street, sample: str, name: tuple[str, str]) -> None:
    await street.sign_in("mei")
    await street.message(sample, await street.code("mei"))
    (question,) = await street.confirm_all("mei")
    assert (question["provider"], question["shopNames"]) == (name[0], ["阿美團購"])
    assert await names_of_members() == [(*name, "阿美團購")]
    assert await database.fetchval("select count(*) from social_comment") == 0
    assert await database.fetchval("select count(*) from inbox_event where state <> 'DECIDED' or outcome <> 'NOTED'") == 0
    assert await standing() == []


async def test_an_instagram_commenter_becomes_a_member_by_the_chat(street: Street) -> None:
    """The id of a comment and of a message are one at Instagram."""
    payload = recorded_body("instagram/comment_add")
    payload["entry"][0]["changes"][0]["value"]["text"] = "紅色+1"
    await street.deliver("instagram", payload)
    await street.sign_in("mei")
    assert await street.orders("mei") == 0
    await street.message("instagram/dm_referral_claim_code", await street.code("mei"))
    await street.confirm_all("mei")
    assert (await street.orders("mei"), await standing()) == (1, [])


async def test_a_wrong_code_and_the_pages_own_words_are_silent(street: Street) -> None:
    await street.sign_in("mei")
    code = await street.code("mei")
    await street.message("facebook/messenger_referral_claim_code", "claim_00000000")
    echo = recorded_body("facebook/messenger_echo")
    echo["entry"][0]["messaging"][0]["message"]["text"] = code
    await street.deliver("facebook", echo)
    elsewhere = recorded_body("facebook/messenger_referral_claim_code")
    elsewhere["entry"][0]["id"] = "555"  # a page that nobody has bound
    elsewhere["entry"][0]["messaging"][0]["referral"]["ref"] = code
    await street.deliver("facebook", elsewhere)
    assert await street.confirm_all("mei") == []
    assert await names_of_members() == []


async def test_addresses_carry_the_code_into_the_shops_chats(street: Street) -> None:
    await street.sign_in("mei")
    found = (await street.ask("mei", ADDRESSES, shop=street.shop))["code"]
    code = found["text"]
    assert [(a["provider"], a["url"]) for a in found["addresses"]] == [
        ("facebook", f"https://m.me/{PAGE}?ref={code}"),
        ("instagram", f"https://ig.me/m/amei.groupbuy?ref={code}"),
        ("telegram", f"https://t.me/amei_bot?start={code}"),
    ]
    assert (await street.ask("mei", START))["code"]["addresses"] == []
    await database.execute("update channel set contact = ''")
    assert [a["provider"] for a in (await street.ask("mei", ADDRESSES, shop=street.shop))["code"]["addresses"]] == ["facebook"]
    codes = await database.fetchval("select count(*) from claim_code")
    for unknown in ("shop_AAAAAAAAAAAAAAAAAAAAAA", "x"):
        assert await street.refused("mei", ADDRESSES, shop=unknown) == "NOT_FOUND"
    assert await database.fetchval("select count(*) from claim_code") == codes


# --- links in private replies -----------------------------------------------------------------------------------------------------


async def test_the_link_of_a_private_reply_makes_its_reader_the_commenter(street: Street, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    street.platform.recipients[MEI] = PSID
    await street.comment("紅色+1")
    await street.comment("白色+1")  # one private reply for each post
    (reply,) = await street.send_replies()
    assert all("#" not in other["text"] and APP not in other["text"] for other in street.platform.replies if other is not reply)
    address = reply["text"].rpartition(" ")[2]
    assert address.startswith(f"{APP}#")
    text = address.partition("#")[2]
    assert text == token(Opens.COMMENT, UUID(reply["reply_id"]), street.services.vault)

    await street.sign_in("mei", "eve")
    opened = await street.ask("mei", OPEN, text=text)
    assert (opened["url"], opened["userErrors"]) == (None, [])
    question = opened["link"]
    assert (question["provider"], question["name"], question["shopNames"]) == ("facebook", "林小美", ["阿美團購"])
    assert (await street.ask("mei", OPEN, text=text))["link"]["id"] == question["id"]  # a lost answer
    assert await street.refused("eve", OPEN, text=text) == "LINK_OVER"
    assert await street.refused("eve", CONFIRM, link=question["id"]) == "NOT_FOUND"
    assert (await street.orders("mei"), await street.orders("eve")) == (0, 0)
    assert (await street.ask("mei", CONFIRM, link=question["id"]))["names"] == [{"provider": "facebook", "name": "林小美"}]
    assert (await street.orders("mei"), await street.orders("eve")) == (1, 0)
    for who in ("mei", "eve"):
        assert await street.refused(who, OPEN, text=text) == "LINK_OVER"
    assert (await books("BUYER_LINKED"), await books("COMMENT_LINK_OPENED"), await books("NAME_CONFIRMED")) == (1, 1, 1)
    # Messenger knows her by the answer to the reply: a code from there asks nothing any more.
    assert await database.fetchval("select inbox_id from buyer where external_id = $1", MEI) == PSID
    await street.message("facebook/messenger_referral_claim_code", await street.code("eve"))
    assert await street.confirm_all("eve") == []
    # A member is not invited again, and nothing of the link is anywhere but on its way.
    await street.comment("白色+1")
    assert len(await street.send_replies()) == 1
    assert text not in caplog.text
    for table in ("platform_reply", "claim_code", "member_event", "audit_entry", "social_comment"):
        assert await database.fetchval(f"select count(*) from {table} t where strpos(t::text, $1) > 0", text) == 0
    assert await standing() == []


async def test_the_same_reply_sent_again_carries_the_same_link(street: Street) -> None:
    street.platform.fail_next(2, 503, take_first=True)
    await street.comment("紅色+1")
    await street.send_replies()
    street.clock.at += timedelta(minutes=1)
    (reply,) = await street.send_replies()
    assert street.platform.attempts >= 3
    await street.sign_in("mei")
    assert (await street.ask("mei", OPEN, text=reply["text"].partition("#")[2]))["userErrors"] == []


async def test_what_a_platform_quotes_of_a_reply_is_kept_without_its_link(street: Street) -> None:
    seen: list[str] = []

    class Quoting:
        async def send(self, reply: OutgoingReply) -> SentReply:
            seen.append(reply.text)
            raise ReplyRefused(f"400 not this: {reply.text[-60:]}")

    await street.comment("紅色+1")
    await Replies(Quoting(), street.services).sweep()
    secret = next(text for text in seen if "#" in text).partition("#")[2]
    (kept,) = [row["last_error"] for row in await database.fetch("select last_error from platform_reply where kind = 'PRIVATE'")]
    assert "400 not this" in kept
    assert secret not in kept


async def test_a_link_ends_and_a_page_that_wants_none_sends_none(street: Street) -> None:
    await street.comment("紅色+1")
    (reply,) = await street.send_replies()
    text = reply["text"].partition("#")[2]
    await database.execute("update channel set private_links = false")
    await street.comment("紅色+1", author="6841177305512208")
    assert len(await street.send_replies()) == 1
    street.clock.at += COMMENT_LINK_LIFE
    await street.sign_in("mei")
    assert await street.refused("mei", OPEN, text=text) == "LINK_OVER"
    assert await database.fetchval("select count(*) from claim_code") == 0


async def opened_by_many(street: Street) -> list[int]:
    """One link, opened by four members at once: the questions that each of them has then."""
    people = ("mei", "eve", "ann", "bob")
    await street.comment("紅色+1")
    (reply,) = await street.send_replies()
    await street.sign_in(*people)
    await asyncio.gather(*(street.ask(who, OPEN, text=reply["text"].partition("#")[2]) for who in people))
    return sorted([len((await street.ask(who, LINKS))["me"]["identityLinks"]) for who in people])


async def test_a_link_opened_by_many_at_once_asks_one(street: Street) -> None:
    assert await opened_by_many(street) == [0, 0, 0, 1]


async def test_twin_without_the_mark_of_the_reply_asks_them_all(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "_mark", lambda _: new_id().hex)
    assert await opened_by_many(street) == [1, 1, 1, 1]


async def test_guesses_count_and_too_many_are_not_looked_at(street: Street) -> None:
    await street.comment("紅色+1")
    (reply,) = await street.send_replies()
    text = reply["text"].partition("#")[2]
    public = await database.fetchval("select id from platform_reply where kind = 'PUBLIC'")
    await street.sign_in("mei", "eve")
    forged = [text[:-4] + "AAA=", text[1:], "", "x", "é", "A" * 44, token(Opens.COMMENT, public, street.services.vault)]
    told = [await street.refused("eve", OPEN, text=each) for each in forged]
    assert set(told) == {"LINK_OVER", "INVALID_INPUT"}
    for _ in range(12 - len(forged)):
        answer = await street.http.post(
            "/graphql", json={"query": OPEN, "variables": {"text": "x"}}, headers={"authorization": f"Bearer {street.tokens['eve']}"}
        )
    assert answer.json()["errors"][0]["extensions"]["code"] == "THROTTLED"
    assert (await street.ask("mei", OPEN, text=text))["link"] is not None
    assert await database.fetchval("select count(*) from claim_code") == 1


async def test_a_name_that_was_given_up_is_not_taken_by_its_old_link(street: Street) -> None:
    await street.comment("紅色+1")
    (reply,) = await street.send_replies()
    text = reply["text"].partition("#")[2]
    await street.sign_in("mei", "eve")
    await street.ask("mei", CONFIRM, link=(await street.ask("mei", OPEN, text=text))["link"]["id"])
    name = (await street.ask("mei", "{ me { names { id } } }"))["me"]["names"][0]["id"]
    await street.ask("mei", STEPS["unlink"]["text"], name=name)
    assert await street.orders("mei") == 0
    for who in ("eve", "mei"):
        assert await street.refused(who, OPEN, text=text) == "LINK_OVER"


async def test_public_replies_never_carry_a_link_and_without_an_address_none_is_sent(street: Street) -> None:
    await street.comment("紅色+1")
    await database.execute("update platform_reply set text = text || ' {link}' where kind = 'PUBLIC'")
    private = await street.send_replies()
    assert len(private) == len(street.platform.replies) == 1
    await street.comment("紅色+1", author="6841177305512208")
    bare = services_for(load(_env_file=None, secret_key=SECRET_KEY, reply_base_url=street.platform.url), clock=street.clock)
    await Replies(street.sender, bare).sweep()
    assert len([reply for reply in street.platform.replies if reply["kind"] == "PRIVATE"]) == 1
    rows = await database.fetch("select kind, last_error from platform_reply where state = 'DROPPED' order by kind desc")
    assert [tuple(row.values()) for row in rows] == [
        ("PUBLIC", "a public reply carries no link"),
        ("PRIVATE", "PLUSONE_APP_LINK_URL is not set"),
    ]


# --- the page's two ids of one person ------------------------------------------------------------------------------------------------


async def test_messengers_id_brings_the_commenter_where_the_platform_says_they_are_one(street: Street) -> None:
    """Linked in Messenger first; the answer to the private reply joins the comments' name, with its order."""
    await street.sign_in("mei")
    await street.message("facebook/messenger_referral_claim_code", await street.code("mei"))
    await street.confirm_all("mei")
    street.platform.recipients[MEI] = PSID
    await street.comment("紅色+1")
    assert await street.orders("mei") == 0
    assert len(await street.send_replies()) == 1
    assert await names_of_members() == [("facebook", PSID, "阿美團購"), ("facebook", MEI, "阿美團購")]
    assert (await street.orders("mei"), await books("NAMES_JOINED"), await standing()) == (1, 1, [])


async def test_a_code_from_messenger_brings_the_commenter_whose_id_it_is(street: Street) -> None:
    street.platform.recipients[MEI] = PSID
    await street.comment("紅色+1")
    await street.send_replies()
    await street.sign_in("mei")
    await street.message("facebook/messenger_referral_claim_code", await street.code("mei"))
    await street.confirm_all("mei")
    assert await names_of_members() == [("facebook", MEI, "阿美團購")]
    assert (await street.orders("mei"), await standing()) == (1, [])


async def test_the_twin_that_is_not_told_the_id_links_the_chat_alone(street: Street) -> None:
    await street.comment("紅色+1")
    await street.send_replies()
    await street.sign_in("mei")
    await street.message("facebook/messenger_referral_claim_code", await street.code("mei"))
    await street.confirm_all("mei")
    assert (await names_of_members(), await street.orders("mei")) == ([("facebook", PSID, "阿美團購")], 0)


async def test_two_members_ids_are_never_poured_together(street: Street) -> None:
    street.platform.recipients[MEI] = PSID
    await street.sign_in("mei", "eve")
    await street.message("facebook/messenger_referral_claim_code", await street.code("eve"))
    await street.confirm_all("eve")
    await street.comment("紅色+1")
    code = await street.code("mei")
    await street.comment(code)
    await street.confirm_all("mei")
    await database.execute("update buyer set member_id = null where external_id = $1", MEI)  # for the reply to be sent at all
    await database.execute("update platform_reply set state = 'PENDING', sent_at = null where kind = 'PRIVATE'")
    before = await database.fetchval("select member_id from buyer where external_id = $1", PSID)
    await database.execute("update buyer set member_id = (select id from member where id <> $2) where external_id = $1", MEI, before)
    reply = await database.fetchval("select id from platform_reply where kind = 'PRIVATE'")
    assert await learn(reply, PSID, NOW) is True
    assert await database.fetchval("select count(distinct member_id) from buyer where external_id in ($1, $2)", MEI, PSID) == 2
    assert await learn(reply, PSID, NOW) is False
    assert await learn(reply, "x" * 121, NOW) is False


async def test_nothing_of_a_deleted_members_chats_stays(street: Street) -> None:
    await street.sign_in("mei")
    street.platform.recipients[MEI] = PSID
    await street.comment("紅色+1")
    await street.send_replies()
    await street.message("facebook/messenger_text", await street.code("mei"))
    await street.confirm_all("mei")
    nonce = await gone_on(street, "mei", await a_line_address(street))
    await street.line_says("line/account_link_ok", link={"nonce": nonce})
    await street.line_says("line/follow", source={"userId": "U91eeaf62d9012345678901234567890a"})
    member = await database.fetchval("select id from member")
    await database.execute('update "order" set pay_by = $1, version = version + 1', NOW + timedelta(days=1))
    await deletion.request(member_id=member, now=NOW)
    assert await deletion.run_due(NOW + DELETION_WAIT, street.services.jobs) == 1
    await deletion.erase_again(NOW + DELETION_WAIT)
    for table in (
        "buyer",
        "inbox_event",
        "account_link",
        "account_deletion",
        "claim_code",
        "audit_entry",
        "platform_reply",
        "social_comment",
    ):
        for secret in (PSID, MEI, LINE_MEI, nonce):
            assert await database.fetchval(f"select count(*) from {table} t where strpos(t::text, $1) > 0", secret) == 0, (table, secret)
    assert await database.fetchval("select count(*) from account_link") == 1  # another person's


# --- LINE's linking of accounts ---------------------------------------------------------------------------------------------------------


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


async def test_line_links_the_account_of_another_provider(street: Street, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await street.line_says("line/group_text", message={"text": "紅色+1"})
    await street.sign_in("mei", "eve")
    text = await a_line_address(street)
    assert (street.line.calls, [way for way, _ in street.line.said]) == (["linkToken", "reply"], ["reply"])
    nonce = await gone_on(street, "mei", text)
    assert (await street.ask("mei", ACCOUNTS))["me"]["accountLinks"][0]["state"] == "OPENED"
    assert await street.refused("eve", OPEN, text=text) == "LINK_OVER"
    assert await names_of_members() == []
    await street.line_says("line/account_link_ok", link={"nonce": nonce})
    assert await names_of_members() == [("line", LINE_MEI, "阿美團購")]
    assert (await street.ask("mei", ACCOUNTS))["me"]["accountLinks"][0]["state"] == "LINKED"
    assert (await street.orders("mei"), await books("ACCOUNT_LINK_LINKED"), await books("BUYER_LINKED")) == (1, 1, 1)
    # Told again it is done once; what was secret is nowhere.
    await street.line_says("line/account_link_ok", link={"nonce": nonce})
    await street.line_says("line/account_link_failed", link={"nonce": nonce})
    assert (await books("ACCOUNT_LINK_LINKED"), await books("ACCOUNT_LINK_FAILED")) == (1, 0)
    assert await street.refused("mei", OPEN, text=text) == "LINK_OVER"
    row = await database.fetchval("select l::text from account_link l")
    assert all(secret not in row + caplog.text for secret in (nonce, text, street.line.tokens[0]))
    # Who is linked asks in vain, and the name can be given up.
    await street.line_says("line/user_text", message={"text": "連結帳號"})
    assert await database.fetchval("select count(*) from account_link") == 1
    name = (await street.ask("mei", "{ me { names { id } } }"))["me"]["names"][0]["id"]
    await street.ask("mei", STEPS["unlink"]["text"], name=name)
    assert (await street.orders("mei"), await standing()) == (0, [])


async def test_line_says_no(street: Street) -> None:
    await street.sign_in("mei")
    nonce = await gone_on(street, "mei", await a_line_address(street))
    await street.line_says("line/account_link_failed", link={"nonce": nonce})
    assert (await street.ask("mei", ACCOUNTS))["me"]["accountLinks"][0]["state"] == "FAILED"
    await street.line_says("line/account_link_ok", link={"nonce": nonce})
    assert (await names_of_members(), await books("ACCOUNT_LINK_FAILED")) == ([], 1)


async def test_a_nonce_is_for_one_person_one_account_and_an_hour(street: Street) -> None:
    await street.sign_in("mei")
    text = await a_line_address(street)
    first = await gone_on(street, "mei", text)
    nonce = await gone_on(street, "mei", text)
    await street.line_says("line/account_link_ok", link={"nonce": first})  # void since the second opening
    await street.line_says("line/account_link_ok", link={"nonce": nonce}, source={"userId": "U91eeaf62d9012345678901234567890a"})
    await street.line_says("line/account_link_ok")  # the recorded nonce, which is nobody's
    assert await names_of_members() == []
    street.clock.at += NONCE_ANSWERED_WITHIN
    await street.sign_in("mei")
    assert (await street.ask("mei", ACCOUNTS))["me"]["accountLinks"][0]["state"] == "FAILED"
    await street.line_says("line/account_link_ok", link={"nonce": nonce})
    assert await names_of_members() == []


async def test_a_member_with_another_line_name_at_the_shop_is_told(street: Street) -> None:
    await street.line_says("line/group_text", message={"text": "紅色+1"}, source={"userId": "Uother"})
    await street.sign_in("mei")
    member = await database.fetchval("select id from member")
    await database.execute("update buyer set member_id = $1 where external_id = 'Uother'", member)
    nonce = await gone_on(street, "mei", await a_line_address(street))
    await street.line_says("line/account_link_ok", link={"nonce": nonce})
    assert (await street.ask("mei", ACCOUNTS))["me"]["accountLinks"][0]["state"] == "FAILED"
    assert await names_of_members() == [("line", "Uother", "阿美團購")]
    detail = await database.fetchval("select detail->>'why' from member_event where action = 'ACCOUNT_LINK_FAILED'")
    assert detail == "SAME_PROVIDER"
    assert await database.fetchval("select count(*) from buyer") == 1


async def test_an_address_of_a_bot_ends_with_its_token(street: Street) -> None:
    await street.sign_in("mei")
    text = await a_line_address(street)
    street.clock.at += LINK_TOKEN_LIFE
    await street.sign_in("mei")
    assert await street.refused("mei", OPEN, text=text) == "LINK_OVER"
    await street.line_says("line/user_text", message={"text": "連結帳號"})
    await street.run_bot()
    assert len(street.line.tokens) == 2
    assert (await street.ask("mei", OPEN, text=street.line.said[-1][1].partition("#")[2]))["url"] is not None


async def test_an_account_without_access_token_or_asked_too_often_sends_nothing(street: Street) -> None:
    for _ in range(LINKS_ASKED + 2):
        await street.line_says("line/user_text", message={"text": "連結帳號"})
    assert await database.fetchval("select count(*) from account_link") == LINKS_ASKED
    await database.execute("delete from account_link")
    await database.execute("update webhook_endpoint set access_token_encrypted = ''")
    await street.line_says("line/follow")
    await street.line_says("line/user_text", message={"text": "連結帳號"})
    assert (await database.fetchval("select count(*) from account_link"), street.line.calls) == (0, [])
    assert await database.fetchval("select count(*) from inbox_event where state <> 'DECIDED'") == 0


async def test_a_bot_that_is_not_answered_tries_again_and_gives_up_in_the_end(street: Street) -> None:
    street.line.fail = {"linkToken": [500, 429], "reply": [400]}
    await street.line_says("line/follow")
    for _ in range(4):
        await street.bot.sweep()
        street.clock.at += timedelta(minutes=2)
    assert street.line.calls == ["linkToken", "linkToken", "linkToken", "push"]  # the reply token held for a minute
    assert street.line.to == [LINE_MEI]
    assert await database.fetchval("select state from account_link") == "SENT"
    await database.execute("delete from account_link")
    street.line.access_token = "another"
    await street.line_says("line/follow")
    await street.bot.sweep()
    assert await database.fetchval("select state from account_link") == "FAILED"
    await database.execute("delete from account_link")
    street.line.access_token, street.line.fail = "channel-access-token", {"linkToken": [500] * 9}
    await street.line_says("line/follow")
    for _ in range(8):
        await street.bot.sweep()
        street.clock.at += timedelta(minutes=2)
    assert (await database.fetchval("select state from account_link"), len(street.line.fail["linkToken"])) == ("FAILED", 5)


async def test_a_reply_token_that_is_over_becomes_a_push_once(street: Street) -> None:
    street.line.fail = {"reply": [400], "push": [500]}
    await street.line_says("line/follow")
    await street.bot.sweep()
    street.clock.at += timedelta(minutes=1)
    await street.bot.sweep()
    assert (street.line.calls, [way for way, _ in street.line.said]) == (["linkToken", "reply", "push", "linkToken", "push"], ["push"])


def test_the_wire_of_instagram_is_the_one_of_a_page() -> None:
    payload = recorded_body("instagram/comment_add")
    assert json.loads(facebook_wire(payload)) == json.loads(utf8_wire(payload))
