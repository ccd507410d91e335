"""docs/api/acting.md, delivery.md and account.md over HTTP: every request in its order, and the answer as it is shown."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.app import create_app
from domain import db as database
from domain.clock import FixedClock
from domain.ids import public_id
from tests import build
from tests.api.graphql import conftest
from tests.api.graphql.test_acting_page import the_shop
from tests.api.pages import ANY, DOCS, Request, fits, requests
from tests.api.test_guide import at, filled
from tests.domain.delivery.acts import a_shop_with_ways
from tests.domain.payments.pictures import from_a_phone
from tests.flows import test_people
from tests.serving import running

http, people, services, signed_in, town = conftest.http, conftest.people, conftest.services, conftest.signed_in, test_people.town
CURL = re.compile(
    r'curl -s (-H "authorization: Bearer \$(?P<who>\w+)" )?(?P<file>--data-binary @slip.jpg )?"\$API\$(?P<path>\w+)"( -o \S+)?\n'
)
Then = Callable[[dict[str, Any]], Awaitable[None]]


async def said(client: httpx.AsyncClient, request: Request, known: dict[str, Any]) -> Any:
    """What is answered: the data of a GraphQL request, the JSON or the size of what a command fetches."""
    if request.kind == "graphql":
        headers = {"authorization": f"Bearer {known[request.who]}"} if request.who != "nobody" else {}
        body = {"query": request.text, "variables": json.loads(filled(request.variables, known))}
        answer = (await client.post("/graphql", json=body, headers=headers)).json()
        assert "errors" not in answer, (request.text, answer)
        return answer["data"]
    found = CURL.fullmatch(request.text)
    assert found is not None, request.text
    headers = {"authorization": f"Bearer {known[found['who']]}"} if found["who"] else {}
    content = from_a_phone() if found["file"] else None
    response = await client.request("POST" if content else "GET", known[found["path"]], content=content, headers=headers)
    assert response.status_code == (201 if content else 200), response.text
    return response.json() if content else len(response.content)


async def walk(page: str, client: httpx.AsyncClient, known: dict[str, Any], then: dict[str, Then]) -> AsyncIterator[tuple[Request, Any]]:
    """The page from its first request to its last; after an answer that gave a name, what happens outside of the app meanwhile."""
    for request in requests(page):
        answer = await said(client, request, known)
        known |= {name: at(answer, path) for name, path in request.kept.items()}
        yield request, answer
        for name in request.kept:
            if name in then:
                await then[name](known)


def tokens(clients: dict[str, conftest.Client]) -> dict[str, str]:
    return {who: client.headers["authorization"].removeprefix("Bearer ") for who, client in clients.items()}


async def acting(services: Any, signed_in: conftest.As) -> dict[str, Any]:
    """Two buyers with orders, who both wait for a blanket of which one has come."""
    members, ids = await the_shop(services)
    return ids | tokens({"BUYER": await signed_in(members["小美"]), "OTHER": await signed_in(members["阿國"])})


async def delivery(services: Any, signed_in: conftest.As) -> dict[str, Any]:
    """A shop with every way of delivery, and an unpaid order."""
    shop, member = await build.a_shop(name="阿美團購"), await build.a_member()
    await a_shop_with_ways(shop=shop)
    order = await build.an_order(shop, {await build.a_variant(shop): 2}, buyer=await build.a_buyer(shop, member_id=member))
    clients = {"BUYER": await signed_in(member), "SELLER": await signed_in(await build.a_membership(shop))}
    return tokens(clients) | {"ORDER": public_id("order", order.id)}


WORLDS = {"acting.md": (acting, 15), "delivery.md": (delivery, 15)}


@pytest.mark.parametrize("page", list(WORLDS))
async def test_every_request_of_the_page_is_answered_as_shown(services, signed_in, page) -> None:
    world, count = WORLDS[page]
    known = await world(services, signed_in)
    seen = 0
    async with running(create_app(services)) as base, httpx.AsyncClient(base_url=base) as client:
        async for request, answer in walk(page, client, known, {}):
            holds(request, answer)
            seen += 1
    assert seen == count


def holds(request: Request, answer: Any) -> None:
    """A file is there; anything else is as shown."""
    if request.kind == "sh" and not request.answer:
        assert answer > 500
    else:
        assert fits(json.loads(request.answer), answer), (request.text, json.dumps(answer, ensure_ascii=False, indent=2))


async def a_town(town: test_people.Town, clock: FixedClock) -> tuple[dict[str, Any], dict[str, Then]]:
    """A member whose comments on Facebook are not theirs yet, another account of the same person, and what is written meanwhile."""
    await town.line("U-mei", "紅色+1")
    await town.line("U-mimi", "白色+1")
    await town.facebook("mei-fb", "紅色+1")
    await town.sign_in("BUYER", "line:U-mei")
    await town.sign_in("OTHER", "member:mimi")
    clock.at += timedelta(seconds=30)  # parting two accounts ends the sessions that began with their merge or after it

    async def written(known: dict[str, Any]) -> None:
        await town.facebook("mei-fb", known["CODE"])

    return dict(town.tokens), {"CODE": written}


async def test_the_page_of_the_account_is_true(town: test_people.Town, clock: FixedClock) -> None:
    known, then = await a_town(town, clock)
    seen = 0
    async for request, answer in walk("account.md", town.http, known, then):
        holds(request, answer)
        seen += 1
    assert seen == 18
    assert await database.fetchval("select count(*) from member") == 2
    assert await test_people.standing() == []


@pytest.mark.parametrize("page", ["acting.md", "delivery.md", "account.md"])
def test_the_page_names_codes_that_its_mutations_have(page: str) -> None:
    """Each code of the page's table is one of a mutation that the page sends, or of the request; and each mutation has its line in errors.md."""
    text = (DOCS / page).read_text()
    table = text[text.index("## Refusals to expect") :]
    named = {code for row in re.findall(r"^\| (`[A-Z].*?) \|", table, re.MULTILINE) for code in re.findall(r"`([A-Z_]+)`", row)}
    errors = (DOCS / "errors.md").read_text()
    sent = {name for request in requests(page) for name in re.findall(r"(?:^  |\{ )(\w+)\(input", request.text, re.MULTILINE)}
    assert len(sent) > 5
    rows = [row for row in errors.splitlines() if row.startswith("| `") and row.split("`")[1] in sent]
    assert len(rows) == len(sent)
    assert named - {"THROTTLED"} <= {code for row in rows for code in re.findall(r"`([A-Z_]+)`", row)}
    assert Path(DOCS / page).name in (DOCS.parents[1] / "README.md").read_text()


@pytest.mark.parametrize("page", ["acting.md", "delivery.md", "account.md"])
def test_an_answer_that_is_another_does_not_fit(page: str) -> None:
    """The twin: each shown answer fits itself, and not with a field more, a field less, or one value changed."""
    for request in requests(page):
        if not request.answer:
            continue
        shown = json.loads(request.answer)
        assert fits(shown, json.loads(request.answer.replace("…", "anything")))
        assert not fits(shown, {**shown, "more": None})
        assert not fits(shown, {})
        for changed in others(shown):
            assert not fits(shown, changed), request.answer


def others(value: Any) -> Iterator[Any]:
    """The value with one leaf changed, for each of its leaves that is not left open."""
    if isinstance(value, dict):
        for key, child in value.items():
            yield from ({**value, key: changed} for changed in others(child))
    elif isinstance(value, list):
        for number, child in enumerate(value):
            yield from ([*value[:number], changed, *value[number + 1 :]] for changed in others(child))
        yield [*value, "one more"]
    elif not isinstance(value, str) or ANY not in value:
        yield f"not {value}"
