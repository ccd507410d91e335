"""`docs/rules/people.md` from its first request to its last: a server on a port, signed deliveries, sign-ins, and two accounts of one person."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.app import create_app
from domain import db as database
from domain.bootstrap import Services
from domain.bootstrap import services as services_for
from domain.clock import FixedClock
from domain.members import deletion, keys
from domain.members.rules import DELETION_WAIT
from domain.members.standing import forget
from domain.posts.commands import place_post
from domain.providers.platforms.wire import facebook_wire, line_wire, sign_facebook, sign_line, sign_telegram, telegram_wire
from domain.settings import load
from domain.shops import queries as shops
from domain.shops.rules import SourcePlatform
from plusone.invariants import check
from tests import build
from tests.build import NOW
from tests.serving import SECRET_KEY, running
from workers.ingest import drain_all

PAGE = Path(__file__).parents[2] / "docs" / "rules" / "people.md"
BLOCK = re.compile(
    r"<!-- who=(?P<who>\w+); run=(?P<run>\w+)(?:; variables=(?P<variable>\w+))? -->\n```graphql\n(?P<text>.*?)```", re.DOTALL
)
SECRET = "sesame-opens-the-door"
STEPS = {found["run"]: found for found in BLOCK.finditer(PAGE.read_text())}


@dataclass
class Town:
    """One shop on Facebook, LINE and Telegram behind one server."""

    services: Services
    http: httpx.AsyncClient
    shop: build.AShop
    tokens: dict[str, str] = field(default_factory=dict)
    serial: int = 0

    async def sign_in(self, who: str, identity: str) -> None:
        nonce = (await self.http.post("/auth/nonce", json={"provider": "dev"})).json()["nonce"]
        body = {"provider": "dev", "idToken": f"dev:{identity}", "nonce": nonce, "installationId": f"phone-of-{who}"}
        answer = await self.http.post("/auth/exchange", json=body)
        assert answer.status_code == 200, answer.text
        self.tokens[who] = answer.json()["accessToken"]

    async def ask(self, who: str, query: str, variables: dict[str, Any] | None = None) -> Any:
        headers = {"authorization": f"Bearer {self.tokens[who]}"}
        answer = (await self.http.post("/graphql", json={"query": query, "variables": variables or {}}, headers=headers)).json()
        assert "errors" not in answer, answer
        return answer["data"]

    async def run(self, step: str, value: str | None = None, who: str | None = None) -> Any:
        """A request of the page, as it stands there."""
        found = STEPS[step]
        data = await self.ask(who or found["who"], found["text"], {found["variable"]: value} if found["variable"] else None)
        (answer,) = data.values()
        assert answer.get("userErrors", []) == [], (step, answer)
        return answer

    async def facebook(self, author: str, text: str) -> None:
        """A comment under the shop's post, signed, delivered and decided."""
        self.serial += 1
        value = {
            "item": "comment", "verb": "add", "comment_id": f"9_{self.serial}", "post_id": "111_9", "from": {"id": author, "name": f"{author} 小姐"},
            "message": text, "created_time": int(NOW.timestamp()) + self.serial, "parent_id": "111_9", "post": {"id": "111_9"},
        }  # fmt: skip
        body = facebook_wire(
            {"object": "page", "entry": [{"id": "111", "time": int(NOW.timestamp()), "changes": [{"field": "feed", "value": value}]}]}
        )
        await self._deliver("facebook", body, sign_facebook(body, SECRET))

    async def telegram(self, author: int, text: str, chat: int) -> None:
        self.serial += 1
        kind = "private" if chat == author else "supergroup"
        message = {
            "message_id": self.serial, "from": {"id": author, "is_bot": False, "first_name": "小美"}, "chat": {"id": chat, "type": kind},
            "date": int(NOW.timestamp()) + self.serial, "text": text,
        }  # fmt: skip
        body = telegram_wire({"update_id": self.serial, "message": message})
        await self._deliver("telegram", body, sign_telegram(body, SECRET))

    async def line(self, author: str, text: str) -> None:
        self.serial += 1
        event = {
            "type": "message", "mode": "active", "timestamp": int(NOW.timestamp() * 1000) + self.serial, "webhookEventId": f"01H{self.serial:023d}",
            "source": {"type": "group", "groupId": "C1", "userId": author}, "message": {"type": "text", "id": str(self.serial), "text": text},
        }  # fmt: skip
        body = line_wire({"destination": "U", "events": [event]})
        await self._deliver("line", body, sign_line(body, SECRET))

    async def _deliver(self, source: str, body: bytes, headers: dict[str, str]) -> None:
        answer = await self.http.post(f"/webhooks/{source}/app", content=body, headers=headers)
        assert answer.status_code == 200, answer.text
        await drain_all(self.services)


@pytest.fixture
async def town(db: str, clock: FixedClock) -> AsyncIterator[Town]:
    keys.forget()
    forget()
    shops.forget()
    services = services_for(load(_env_file=None, secret_key=SECRET_KEY, environment="development"), clock=clock)
    await keys.ensure_keys(services.vault, clock.now())
    shop = await build.a_shop(name="阿美團購")
    goods = await build.a_product(shop, variants=("紅色", "白色"), on_hand=5)
    post = await build.a_post(shop, products=[goods])
    for source, platform, external, place in (
        ("facebook", SourcePlatform.FACEBOOK_PAGE, "111", "111_9"), ("line", SourcePlatform.LINE_GROUP, "C1", ""),
        ("telegram", SourcePlatform.TELEGRAM, "-100", ""),
    ):  # fmt: skip
        endpoint = await build.an_endpoint(source=source, slug="app", secret_encrypted=services.vault.seal(SECRET))
        channel = await build.a_channel(shop, endpoint_id=endpoint, platform=platform, external_id=external)
        async with database.transaction() as tx:
            await place_post(tx, shop_id=shop.id, post_id=post.id, channel_id=channel.id, external_post_id=place, now=NOW)
    async with running(create_app(services)) as base, httpx.AsyncClient(base_url=base) as http:
        yield Town(services, http, shop)


async def standing() -> list[str]:
    return [violation.invariant for violation in await check(NOW + timedelta(seconds=50))]


async def a_name_is_linked_and_given_up(town: Town) -> None:
    code = (await town.run("start"))["code"]["text"]
    await town.facebook("mei-fb", f"{code} +5")
    (question,) = (await town.run("asked"))["identityLinks"]
    assert (question["provider"], question["name"], question["shopNames"]) == ("facebook", "mei-fb 小姐", ["阿美團購"])
    answer = await town.run("confirm", question["id"])
    assert answer["link"] == {"accepted": True}
    (name,) = answer["names"]
    assert (name["name"], name["bySignIn"]) == ("mei-fb 小姐", False)
    assert (await town.run("asked"))["identityLinks"] == []
    assert (await town.ask("mei", "{ me { orders(first: 5) { totalCount nodes { lines { nodes { quantity } } } } } }"))["me"]["orders"] == {
        "totalCount": 1,
        "nodes": [{"lines": {"nodes": [{"quantity": 1}]}}],
    }
    assert (await town.run("unlink", name["id"]))["names"] == []
    assert await standing() == []


async def two_accounts_become_one_and_part(town: Town) -> None:
    second = (await town.run("start"))["code"]["text"]
    await town.facebook("mei-fb", second)
    (question,) = (await town.run("asked"))["identityLinks"]
    await town.run("confirm", question["id"])
    account = (await town.run("accountCode"))["code"]["text"]
    assert (await town.run("merge", account))["merged"] is True
    refused = await town.http.post("/graphql", json={"query": "{ me { id } }"}, headers={"authorization": f"Bearer {town.tokens['mimi']}"})
    assert refused.status_code == 401
    me = await town.run("merged")
    assert (me["orders"]["totalCount"], len(me["names"]), sorted(i["provider"] for i in me["identities"])) == (2, 2, ["line", "member"])
    await town.sign_in("mimi", "line:U-mimi")
    assert (await town.run("merged", who="mimi")) == me
    await town.line("U-mimi", "紅色+1")
    await town.facebook("mei-fb", "白色+1")
    assert await standing() == []
    undone = await town.run("undo", me["merges"][0]["id"])
    assert undone["merge"] == {"undoneAt": "2026-11-21T08:00:00Z", "canUndo": False}
    await town.sign_in("mimi", "line:U-mimi")
    for who, lines in (("mei", [1, 1]), ("mimi", [1, 1])):
        await town.sign_in(who, "member:mei" if who == "mei" else "line:U-mimi")
        orders = (await town.ask(who, "{ me { orders(first: 5) { nodes { lines { nodes { quantity } } } } } }"))["me"]["orders"]["nodes"]
        assert [[line["quantity"] for line in order["lines"]["nodes"]] for order in orders] == [lines]
    assert await standing() == []


async def the_file_is_fetched_by_its_member_alone(town: Town) -> None:
    path = (await town.run("export"))["export"]["path"]
    found = await town.http.get(path, headers={"authorization": f"Bearer {town.tokens['mei']}"})
    assert (found.status_code, found.headers["content-type"], found.headers["cache-control"]) == (200, "application/json", "no-store")
    assert found.json()["format"] == "plusone-export/1"
    assert [line["variant"] for order in found.json()["orders"] for line in order["lines"]] == ["紅色", "白色"]
    assert "mimi" not in found.text
    for headers, status in (({"authorization": f"Bearer {town.tokens['mimi']}"}, 404), ({}, 401)):
        assert (await town.http.get(path, headers=headers)).status_code == status
    assert (await town.http.get("/exports/nonsense", headers={"authorization": f"Bearer {town.tokens['mei']}"})).status_code == 404


async def a_deletion_waits_and_is_called_off(town: Town) -> None:
    waiting = (await town.run("delete"))["deletion"]
    assert (waiting["requestedAt"], waiting["dueAt"]) == ("2026-11-21T08:00:00Z", "2026-11-28T08:00:00Z")
    assert (await town.run("keep", waiting["id"]))["deletion"] == {"cancelledAt": "2026-11-21T08:00:00Z"}


async def test_the_page_works_as_it_stands(town: Town) -> None:
    await town.facebook("mei-fb", "紅色+1")
    await town.line("U-mimi", "白色+1")
    await town.sign_in("mei", "member:mei")
    await town.sign_in("mimi", "line:U-mimi")
    assert (await town.ask("mei", "{ me { orders(first: 5) { totalCount } } }"))["me"]["orders"]["totalCount"] == 0
    await a_name_is_linked_and_given_up(town)
    await two_accounts_become_one_and_part(town)
    await the_file_is_fetched_by_its_member_alone(town)
    await a_deletion_waits_and_is_called_off(town)
    assert list(STEPS) == [
        "start",
        "asked",
        "confirm",
        "addresses",
        "open",
        "accounts",
        "unlink",
        "accountCode",
        "merge",
        "merged",
        "undo",
        "export",
        "delete",
        "keep",
    ]


async def test_a_code_sent_to_the_bot_links_the_name_at_every_shop_of_the_bot(town: Town) -> None:
    await town.telegram(512345678, "紅色+1", -100)
    await town.sign_in("mei", "member:mei")
    code = (await town.run("start"))["code"]["text"]
    await town.telegram(512345678, f"/start {code}", 512345678)
    (question,) = (await town.run("asked"))["identityLinks"]
    await town.run("confirm", question["id"])
    assert (await town.ask("mei", "{ me { orders(first: 5) { totalCount } } }"))["me"]["orders"]["totalCount"] == 1
    assert await database.fetchval("select count(*) from inbox_event where state = 'PARKED'") == 0
    assert await standing() == []


async def test_a_copied_code_is_shown_to_its_owner_and_refused(town: Town) -> None:
    """A bystander writes the code first: the member sees who it was, says no, and nothing of either is linked."""
    await town.facebook("mallory", "紅色+2")
    await town.sign_in("mei", "member:mei")
    code = (await town.run("start"))["code"]["text"]
    await town.facebook("mallory", code)
    await town.facebook("mei-fb", code)
    (question,) = (await town.run("asked"))["identityLinks"]
    assert question["name"] == "mallory 小姐"
    no = "mutation ($link: ID!) { identityLinkConfirm(input: {linkId: $link, accept: false}) { link { accepted } names { id } userErrors { code } } }"
    assert (await town.ask("mei", no, {"link": question["id"]}))["identityLinkConfirm"] == {
        "link": {"accepted": False},
        "names": [],
        "userErrors": [],
    }
    again = (await town.ask("mei", STEPS["confirm"]["text"], {"link": question["id"]}))["identityLinkConfirm"]
    assert [error["code"] for error in again["userErrors"]] == ["LINK_OVER"]
    assert await database.fetchval("select count(*) from buyer where member_id is not null") == 0


async def test_who_hears_of_anothers_question_learns_nothing(town: Town) -> None:
    await town.sign_in("mei", "member:mei")
    await town.sign_in("eve", "member:eve")
    code = (await town.run("start"))["code"]["text"]
    await town.facebook("mei-fb", code)
    (question,) = (await town.run("asked"))["identityLinks"]
    for link in (question["id"], "link_AAAAAAAAAAAAAAAAAAAAAA", "order_AAAAAAAAAAAAAAAAAAAAAA", "x"):
        answer = (await town.ask("eve", STEPS["confirm"]["text"], {"link": link}))["identityLinkConfirm"]
        assert [error["code"] for error in answer["userErrors"]] == ["NOT_FOUND"]
    assert (await town.run("asked", who="eve"))["identityLinks"] == []
    assert len((await town.run("asked"))["identityLinks"]) == 1


async def test_an_account_that_is_gone_opens_nothing(town: Town) -> None:
    await town.facebook("mei-fb", "紅色+1")
    await town.sign_in("mei", "facebook:mei-fb")
    refused = await town.ask("mei", "mutation { accountDeleteRequest(input: {understood: false}) { userErrors { code field } } }")
    assert refused["accountDeleteRequest"]["userErrors"] == [{"code": "INVALID_INPUT", "field": ["input", "understood"]}]
    await town.run("delete")
    assert await deletion.run_due(NOW + DELETION_WAIT, town.services.jobs) == 1
    await deletion.erase_again(NOW + DELETION_WAIT)
    answer = await town.http.post("/graphql", json={"query": "{ me { id } }"}, headers={"authorization": f"Bearer {town.tokens['mei']}"})
    assert answer.status_code == 401
    await town.sign_in("mei", "facebook:mei-fb")
    me = (await town.ask("mei", "{ me { displayName deletion { id } names { id } orders(first: 5) { totalCount } } }"))["me"]
    assert me == {"displayName": "", "deletion": None, "names": [], "orders": {"totalCount": 0}}
    assert await standing() == []
