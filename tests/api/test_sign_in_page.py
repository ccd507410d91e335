"""Every request of `docs/api/sign-in.md`, in its order, with every provider on; the answers that it shows are the ones that come."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from starlette.applications import Starlette

from api.auth.plain import LARGEST_BODY_BYTES
from api.auth.routes import routes
from domain import db as database
from domain.clock import FixedClock
from domain.members import keys, rules
from domain.settings import Settings
from tests.api.auth.conftest import served
from tests.api.auth.test_sign_in_with_providers import IDS, Outside, made, outside, services_of
from tests.api.pages import fits

__all__ = ["outside"]
PAGE = Path(__file__).parents[2] / "docs" / "api" / "sign-in.md"
BLOCK = re.compile(
    r"(?:<!-- (?P<note>[^\n]*?) -->\n)?```sh\n(?P<text>curl .*?)```\n(?:<!-- answer -->\n```json\n(?P<answer>.*?)```)?", re.DOTALL
)
CURL = re.compile(r"curl -s \$API(?P<path>\S+)(?P<rest>.*?)(?:-d '(?P<body>.*?)')?\s*$", re.DOTALL)
LINE_SECRET = "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
WAYS = {
    "GOOGLE_TOKEN": ("google", ""),
    "GOOGLE_TOKEN_AGAIN": ("google", ""),
    "APPLE_TOKEN": ("apple", ""),
    "LINE_TOKEN": ("line", "native"),
    "FACEBOOK_TOKEN": ("facebook", "limited"),
    "FACEBOOK_ACCESS_TOKEN": ("facebook", "classic"),
    "TELEGRAM_TOKEN": ("telegram", "oidc"),
    "INIT_DATA": ("telegram", "mini_app"),
    "WIDGET_FIELDS": ("telegram", "widget"),
    "FIREBASE_TOKEN": ("firebase", ""),
}
"""What the page calls a provider's token, and how it is made."""


@dataclass(slots=True)
class Step:
    """One request of the page and what its note says: whose nonce comes first, which values are kept, what the answer is."""

    path: str
    rest: str
    body: str | None
    nonce: str = ""
    keep: dict[str, str] = field(default_factory=dict)
    status: int = 200
    answer: str = ""
    device: str = ""


def steps(page: Path = PAGE) -> Iterator[Step]:
    for found in BLOCK.finditer(page.read_text()):
        curl = CURL.search(found["text"])
        assert curl is not None, found["text"]
        step = Step(curl["path"], curl["rest"], curl["body"], answer=found["answer"] or "")
        for part in filter(None, (found["note"] or "").split(";")):
            name, _, value = part.strip().partition(": ")
            match name:
                case "nonce":
                    step.nonce = value
                case "keep":
                    step.keep = dict(pair.strip().split(" = ") for pair in value.split(","))
                case "device":
                    step.device = value
                case "nothing":
                    step.status = 204
                case "refused":
                    step.status = int(value)
                case _:
                    assert (name, value) == ("as", "ACCESS")
        yield step


@pytest.fixture
async def http(db: str, clock: FixedClock, outside: Outside) -> AsyncIterator[httpx.AsyncClient]:
    keys.forget()
    services = services_of(clock, **IDS, line_login_channel_secret=LINE_SECRET, **outside.settings())
    await keys.ensure_keys(services.vault, clock.now())
    async with served(Starlette(routes=list(routes(services)))) as client:
        yield client
    keys.forget()


def token_named(name: str, nonce: str, clock: FixedClock) -> str:
    if name == "LINE_WEB_TOKEN":
        now = int(clock.now().timestamp())
        claims = {"iss": "https://access.line.me", "aud": "1655000000", "sub": "Uweb", "nonce": nonce, "iat": now, "exp": now + 3600}
        return jwt.encode(claims, LINE_SECRET, algorithm="HS256")
    return made(*WAYS[name], nonce, clock.now())


def filled(text: str, known: Mapping[str, str]) -> str:
    return re.sub(r"\$([A-Z_]+)", lambda found: known[found[1]], text)


def at(answer: Any, path: str) -> Any:
    for key in path.split("."):
        answer = answer[int(key)] if isinstance(answer, list) else answer[key]
    return answer


async def test_every_request_of_the_page_works_as_it_stands(http: httpx.AsyncClient, clock: FixedClock) -> None:
    todo = list(steps())
    assert len(todo) == 17
    known: dict[str, str] = {}
    used = set()
    for step in todo:
        if step.nonce:
            known["NONCE"] = (await http.post("/auth/nonce", json={"provider": step.nonce})).json()["nonce"]
        for name in re.findall(r"\$([A-Z_]+)", step.body or ""):
            if name not in known:
                used.add(name)
                known[name] = token_named(name, known["NONCE"], clock)
        body = filled(step.body or "", known)
        headers = {"authorization": f"Bearer {known['ACCESS']}"} if "$ACCESS" in step.rest else {}
        answer = await (http.post(step.path, json=json.loads(body), headers=headers) if step.body else http.get(step.path, headers=headers))
        assert answer.status_code == step.status, (step, answer.text)
        assert not step.answer or fits(json.loads(step.answer), answer.json()), (step, answer.text)
        known |= {name: at(answer.json(), path) for name, path in step.keep.items()}
    assert len([step for step in todo if step.answer]) == 7
    assert used == {*WAYS, "LINE_WEB_TOKEN"}
    found = [tuple(row) for row in await database.fetch("select provider, subject from identity order by provider, subject")]
    assert [provider for provider, _ in found] == ["apple", "facebook_login", "firebase", "google", "line", "line", "telegram"]


def test_the_page_names_what_is() -> None:
    text = PAGE.read_text()
    for name in IDS:
        assert f"`PLUSONE_{name.upper()}`" in text
        assert name in Settings.model_fields
    assert f"{LARGEST_BODY_BYTES // 1024} KB" in text
    assert f"`{rules.AlertKind.REUSED}`" in text
    assert f"`{rules.AlertKind.NEW_DEVICE}`" in text
    days = [limit.days for limit in rules.refresh_limits(staff=False)]
    assert f"{days[0]} days of rest and at the latest after {days[1]} days" in text
    idle, life = rules.refresh_limits(staff=True)
    assert f"after {idle.seconds // 3600} hours and {life.days} days" in text
    assert f"a sign-in of the last {rules.FRESH_ACT.seconds // 60} minutes" in text
    assert f"asks for one of the last {rules.FRESH_SIGN_IN.seconds // 60}" in text


def test_the_example_settings_hold_every_setting_of_sign_in() -> None:
    example = (PAGE.parents[2] / ".env.example").read_text()
    named = [
        name
        for name in Settings.model_fields
        if name.startswith(("google_", "apple_", "facebook_", "telegram_", "firebase_auth_", "line_login_", "passkey_"))
    ]
    assert len(named) == 25
    assert [name for name in named if f"PLUSONE_{name.upper()}=" not in example] == []
