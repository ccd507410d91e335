"""The published keys of receipts: for anybody, cacheable, old ones and the next one too, revoked ones never."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest

from api.app import create_app
from domain.bootstrap import Services
from domain.clock import FixedClock
from domain.members import keys
from domain.members.keys import kid_of
from domain.members.rules import KeyUse

PATH = "/.well-known/plusone-receipt-keys.json"


@pytest.fixture
async def client(services: Services) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(services)), base_url="http://plusone") as found:
        yield found


async def kids(client: httpx.AsyncClient) -> list[str]:
    return [key["kid"] for key in (await client.get(PATH)).json()["keys"]]


async def test_the_key_set_is_public_and_holds_receipt_keys_alone(client: httpx.AsyncClient, clock: FixedClock) -> None:
    answer = await client.get(PATH)
    own = await client.get("/.well-known/jwks.json")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.headers["cache-control"] == own.headers["cache-control"] == "public, max-age=300"
    (public,) = await keys.public_keys(KeyUse.RECEIPT, clock.now())
    (key,) = answer.json()["keys"]
    assert key == {"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": public.kid, "x": key["x"]}
    assert base64.urlsafe_b64decode(key["x"] + "=") == public.raw
    assert kid_of(public.raw) == key["kid"]
    assert [each["kid"] for each in own.json()["keys"]] != [key["kid"]]


async def test_old_keys_stay_for_ever_and_revoked_ones_go(client: httpx.AsyncClient, services: Services, clock: FixedClock) -> None:
    (first,) = await kids(client)
    second = await keys.rotate(KeyUse.RECEIPT, services.vault, clock.now())
    assert await kids(client) == [second.kid, first]
    clock.at += timedelta(days=3650)
    assert await kids(client) == [second.kid, first]
    await keys.revoke(first, services.vault, clock.now())
    assert await kids(client) == [second.kid]


async def test_it_is_only_read(client: httpx.AsyncClient) -> None:
    assert (await client.post(PATH)).status_code == 405
