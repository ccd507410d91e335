"""Every request of `docs/api/guide.md`, in its order, against a shop like the demo's; every answer is the one that is shown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.app import create_app
from api.execution import limits
from api.execution.errors import Code
from domain import db as database
from domain.bootstrap import Services
from domain.bootstrap import services as services_for
from domain.claims.planning import text_hash
from domain.claims.rules import ClaimOutcome
from domain.clock import FixedClock
from domain.ids import new_id
from domain.members import keys
from domain.members.standing import forget
from domain.notices.commands import NoticeDraft, enqueue
from domain.notices.rules import NoticeKind
from domain.settings import load
from domain.shops.rules import Role
from tests import build
from tests.api.pages import BLOCK, fits

GUIDE = Path(__file__).parents[2] / "docs" / "api" / "guide.md"
CURL = re.compile(r"curl -s \$API(?P<path>\S+)(?P<rest>.*?)-d '(?P<body>.*?)'\s*$", re.DOTALL)


@dataclass(slots=True)
class Step:
    """One request of the guide: who asks, what, which values of the answer later steps use, and the answer that is shown."""

    kind: str
    text: str
    who: str = "nobody"
    keep: dict[str, str] = field(default_factory=dict)
    variables: str = "{}"
    answer: str = ""


def steps() -> Iterator[Step]:
    """The guide's requests in order; JSON blocks belong to the request before them."""
    waiting: Step | None = None
    for found in BLOCK.finditer(GUIDE.read_text()):
        if found["kind"] == "json":
            assert waiting is not None
            setattr(waiting, "answer" if found["note"] == "answer" else "variables", found["text"])
            continue
        if waiting is not None:
            yield waiting
        waiting = Step(found["kind"], found["text"])
        for part in (found["note"] or "").split(";"):
            name, _, value = part.strip().partition(": ")
            if name == "as":
                waiting.who = value
            elif name == "keep":
                waiting.keep = dict(pair.strip().split(" = ") for pair in value.split(","))
    assert waiting is not None
    yield waiting


@pytest.fixture
async def services(db: str, clock: FixedClock) -> Services:
    """Development services with signing keys."""
    keys.forget()
    forget()
    found = services_for(load(secret_key="a root secret that is used by tests only, 48 chars", environment="development"), clock=clock)
    await keys.ensure_keys(found.vault, clock.now())
    return found


@pytest.fixture
async def shop(services: Services) -> build.AShop:
    """The shop of the guide: its owner, a buyer with an unpaid order and a notice, and a comment that waits for a person."""
    shop = await build.a_shop(name="阿美團購", handle="amei")
    owner = await build.a_membership(shop, role=Role.OWNER)
    await database.execute(
        "insert into identity (id, member_id, provider, subject, created_at, last_seen_at) values ($1, $2, 'member', 'amei-owner', $3, $3)",
        new_id(), owner, build.NOW,
    )  # fmt: skip
    channel = await build.a_channel(shop)
    scarf = await build.a_product(shop, variants=("紅", "白"))
    post = await build.a_post(shop, products=[scarf], channel=channel)
    buyer = await build.a_buyer(shop, name="林小美", external_id="6422486936918497")
    await build.an_order(shop, {scarf.variants[0]: 2}, buyer=buyer, post=post)
    claim = await build.a_claim(shop, channel=channel, buyer=buyer, text="還有嗎")
    await database.execute("update claim set review = 'OPEN', outcome = 'NEEDS_REVIEW' where id = $1", claim)
    red, white = (str(variant.id) for variant in scarf.variants)
    await _suggested(shop, channel, buyer, post, "紅色隨便挑", {"reason": "MISSING_OPTION", "lines": [], "candidates": [red], "trail": []})
    await _suggested(
        shop, channel, buyer, post, "紅白+1", {"reason": "AMBIGUOUS_OPTION", "lines": [], "candidates": [red, white], "trail": []}
    )
    line = {"variant": white, "op": "ADD", "qty": 1}
    await _suggested(
        shop, channel, buyer, post, "白色1條", {"reason": "NEEDS_CONFIRMATION", "lines": [line], "candidates": [white], "trail": []}
    )
    async with database.transaction() as tx:
        draft = NoticeDraft(buyer.id, NoticeKind.ANNOUNCEMENT, "k", {"shopName": "阿美團購", "title": "週五開團", "body": "晚上八點"})
        await enqueue(tx, shop.id, [draft], now=build.NOW, jobs=services.jobs)
    return shop


async def _suggested(
    shop: build.AShop, channel: build.AChannel, buyer: build.ABuyer, post: build.APost, text: str, result: dict[str, Any]
) -> None:
    """A comment of the buyer's that was almost an order."""
    claim = await build.a_claim(shop, channel=channel, buyer=buyer, text=text, outcome=ClaimOutcome.SUGGESTED)
    await database.execute(
        "update claim set post_id = $2, reason = $3, intent = 'AMBIGUOUS', result = $4::jsonb, text_hash = $5 where id = $1",
        claim, post.id, result["reason"], database.jsonb(result), text_hash(text),
    )  # fmt: skip


def filled(text: str, known: dict[str, Any]) -> str:
    """The text with `$NAME` replaced by what an earlier answer held."""
    return re.sub(r"\$([A-Z_]+)", lambda found: str(known[found[1]]), text)


def at(answer: Any, path: str) -> Any:
    """The value at a dotted path."""
    for key in path.split("."):
        answer = answer[int(key)] if isinstance(answer, list) else answer[key]
    return answer


def user_errors(value: Any) -> list[Any]:
    """All `userErrors` anywhere in an answer."""
    if isinstance(value, dict):
        return [*value.get("userErrors", []), *(error for child in value.values() for error in user_errors(child))]
    return [error for child in value for error in user_errors(child)] if isinstance(value, list) else []


async def run(http: httpx.AsyncClient, step: Step, known: dict[str, Any]) -> Any:
    """The answer of one step: its JSON, or its `data` for GraphQL."""
    headers = {"authorization": f"Bearer {known[step.who]}"} if step.who != "nobody" else {}
    if step.kind == "graphql":
        body = {"query": step.text, "variables": json.loads(filled(step.variables, known))}
        response = await http.post("/graphql", json=body, headers=headers)
    else:
        found = CURL.search(step.text)
        assert found is not None, step.text
        assert ("$" + step.who in found["rest"]) is (step.who != "nobody")
        response = await http.post(found["path"], json=json.loads(filled(found["body"], known)), headers=headers)
    assert response.status_code == 200, (step.text, response.text)
    answer = response.json()
    assert "errors" not in answer, (step.text, answer)
    assert user_errors(answer) == [], step.text
    return answer.get("data", answer)


async def test_every_request_of_the_guide_works_as_it_stands(shop, services) -> None:
    todo = [step for step in steps() if not step.text.startswith("API=")]
    assert [[step.kind for step in todo].count(kind) for kind in ("sh", "graphql")] == [6, 21]
    known: dict[str, Any] = {}
    transport = httpx.ASGITransport(app=create_app(services))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as http:
        for step in todo:
            answer = await run(http, step, known)
            assert fits(json.loads(step.answer), answer), json.dumps(answer, ensure_ascii=False, indent=2)
            known |= {name: at(answer, path) for name, path in step.keep.items()}
    assert await database.fetchval("select state from pickup") == "COLLECTED"
    assert [row["state"] for row in await database.fetch('select state from "order"')] == ["COMPLETED"]
    assert await database.fetchval("select sum(quantity) from order_line") == 2 + 1 + 2
    assert sorted(row["reason"] for row in await database.fetch("select reason from claim where buyer_id is not null")) == [
        "",
        "ACCEPTED",
        "ACCEPTED",
        "DISMISSED",
    ]
    assert await database.fetchval("select count(*) from claim where review = 'OPEN'") == 0
    assert await database.fetchval("select count(*) from notice where read_at is not null") == 1


def test_the_guide_names_the_limits_and_codes_that_are() -> None:
    text = GUIDE.read_text()
    assert f"{limits.MAX_COST:,} points" in text
    assert f"{limits.MAX_DEPTH} fields deep" in text
    assert f"{limits.MAX_CHARACTERS:,} characters" in text
    assert f"{limits.MAX_ALIASES} aliases" in text
    assert [code for code in Code if f"`{code}`" not in text] == []
