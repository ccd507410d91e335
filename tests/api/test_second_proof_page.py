"""Every request of `docs/api/second-proof.md`, in its order; the answers that it shows are the ones that come."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pyotp
import pytest
from starlette.applications import Starlette

from api.auth.authenticators import routes as authenticator_routes
from api.auth.passkeys import LONGEST_NAME
from api.auth.passkeys import routes as passkey_routes
from api.auth.routes import routes
from domain.bootstrap import Services
from domain.clock import FixedClock
from domain.members import passkeys, rules
from tests.api.auth.asking import signed_in
from tests.api.auth.conftest import served, services
from tests.api.auth.device import Device
from tests.api.pages import fits
from tests.api.test_sign_in_page import at, filled, steps

__all__ = ["services"]
PAGE = Path(__file__).parents[2] / "docs" / "api" / "second-proof.md"


@pytest.fixture
async def http(services: Services) -> AsyncIterator[httpx.AsyncClient]:
    async with served(Starlette(routes=[*routes(services), *passkey_routes(services), *authenticator_routes(services)])) as client:
        yield client


async def test_every_request_of_the_page_works_as_it_stands(http: httpx.AsyncClient, clock: FixedClock) -> None:
    todo = list(steps(PAGE))
    assert len(todo) == 13
    known = {"ACCESS": (await signed_in(http))["accessToken"]}
    device = Device()
    for step in todo:
        if "$CODE" in (step.body or ""):
            known["CODE"] = pyotp.TOTP(known["SECRET"]).at(clock.now())
        headers = {"authorization": f"Bearer {known['ACCESS']}"} if "$ACCESS" in step.rest else {}
        if step.body:
            answer = await http.post(step.path, json=json.loads(filled(step.body, known)), headers=headers)
        else:
            answer = await http.request("POST" if "-X POST" in step.rest else "GET", step.path, headers=headers)
        assert answer.status_code == step.status, (step, answer.text)
        assert not step.answer or fits(json.loads(step.answer), answer.json()), (step, answer.text)
        if step.device:
            made = getattr(device, step.device)(answer.json()["publicKey"])
            known["CREATED" if step.device == "create" else "SIGNED"] = json.dumps(made)
        known |= {name: at(answer.json(), path) for name, path in step.keep.items()}
    assert len([step for step in todo if step.answer]) == 10


def test_the_page_names_what_is() -> None:
    text = PAGE.read_text()
    assert f"for {rules.CHALLENGE_LIFE.seconds // 60} minutes" in text
    assert f"a sign-in of the last {rules.FRESH_ACT.seconds // 60} minutes" in text
    assert f"{passkeys.MOST} passkeys at most" in text
    assert f"1 to {LONGEST_NAME} characters" in text
    for name in ("PLUSONE_PASSKEY_RP_ID", "PLUSONE_PASSKEY_ORIGINS"):
        assert f"`{name}`" in text
