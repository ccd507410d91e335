"""What Apple gives for the code of a sign-in is kept sealed, and given back when the member is deleted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from api.auth.routes import routes
from domain import db as database
from domain.bootstrap import Services
from domain.clock import FixedClock
from domain.members import grants, keys
from domain.providers.apple_tokens import AppleTokens
from domain.vault import Vault
from tests.api.auth.asking import exchange, nonce_for
from tests.api.auth.conftest import SECRET_KEY, served
from tests.api.auth.minting import EC, rsa_jwk
from tests.api.auth.test_sign_in_with_providers import made, services_of
from workers.grants import give_back

APP, OTHER_APP = "tw.plusone.member", "tw.plusone.web"


@dataclass
class Apple:
    """Apple: keys, codes and revocations."""

    clock: FixedClock
    url: str = ""
    claims: dict[str, Any] = field(default_factory=lambda: {"aud": APP})
    status: int = 200
    traded: list[str] = field(default_factory=list)
    revoked: list[tuple[str, str]] = field(default_factory=list)

    async def certs(self, _: Request) -> Response:
        return JSONResponse({"keys": [rsa_jwk()]})

    async def token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        self.traded.append(form["code"])
        body = {"refresh_token": f"r.{form['code']}", "id_token": made("apple", "", "", self.clock.now(), **self.claims)}
        return JSONResponse(body, self.status)

    async def revoke(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        self.revoked.append((form["token"], form["client_id"]))
        return Response(status_code=self.status)


@pytest.fixture
async def apple(clock: FixedClock) -> AsyncIterator[Apple]:
    answering = Apple(clock)
    found = [Route("/certs", answering.certs), Route("/auth/token", answering.token, methods=["POST"])]
    async with served(Starlette(routes=[*found, Route("/auth/revoke", answering.revoke, methods=["POST"])])) as client:
        answering.url = str(client.base_url).rstrip("/")
        yield answering


@pytest.fixture
async def services(db: str, clock: FixedClock, apple: Apple, tmp_path: Path) -> Services:
    file = tmp_path / "apple.p8"
    file.write_bytes(EC.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    keys.forget()
    return services_of(
        clock, apple_client_ids=f"{APP},{OTHER_APP}", apple_jwks_url=f"{apple.url}/certs", apple_team_id="TEAM123456",
        apple_key_id="KEY1234567", apple_private_key=str(file), apple_tokens_url=apple.url,
    )  # fmt: skip


@pytest.fixture
async def http(services: Services) -> AsyncIterator[httpx.AsyncClient]:
    async with served(Starlette(routes=list(routes(services)))) as client:
        yield client


async def sign_in(http: httpx.AsyncClient, clock: FixedClock, code: Any, **claims: Any) -> httpx.Response:
    nonce = await nonce_for(http, "apple")
    token = made("apple", "", nonce, clock.now(), **({"aud": APP} | claims))
    return await exchange(http, token, provider="apple", nonce=nonce, authorizationCode=code)


def revoker(apple: Apple) -> AppleTokens:
    return AppleTokens("TEAM123456", "KEY1234567", EC, apple.url)


async def kept() -> list[tuple[str, str]]:
    rows = await database.fetch("select client_id, token_encrypted from provider_grant order by client_id")
    return [(row["client_id"], Vault(SECRET_KEY).open(row["token_encrypted"]).decode()) for row in rows]


async def test_the_code_is_traded_and_what_it_gives_is_sealed(http: httpx.AsyncClient, clock: FixedClock, apple: Apple) -> None:
    assert (await sign_in(http, clock, "c.1")).status_code == 200
    assert (apple.traded, await kept()) == (["c.1"], [(APP, "r.c.1")])
    assert "r.c.1" not in str([dict(row) for row in await database.fetch("select * from provider_grant")])
    assert (await sign_in(http, clock, "c.2")).status_code == 200
    assert await kept() == [(APP, "r.c.2")]
    apple.claims = {"aud": OTHER_APP}
    assert (await sign_in(http, clock, "c.3", aud=OTHER_APP)).status_code == 200
    assert await kept() == [(APP, "r.c.2"), (OTHER_APP, "r.c.3")]


@pytest.mark.parametrize("code", [None, "absent"])
async def test_a_sign_in_without_a_code_asks_nothing(http: httpx.AsyncClient, clock: FixedClock, apple: Apple, code: str | None) -> None:
    nonce = await nonce_for(http, "apple")
    more = {} if code == "absent" else {"authorizationCode": None}
    assert (await exchange(http, made("apple", "", nonce, clock.now()), provider="apple", nonce=nonce, **more)).status_code == 200
    assert (apple.traded, await kept()) == ([], [])


@pytest.mark.parametrize("claims", [{"aud": APP, "sub": "somebody-else"}, {"aud": OTHER_APP}, {"aud": APP, "iss": "https://evil.test"}])
async def test_a_code_of_somebody_else_is_not_kept_and_the_sign_in_stands(
    http: httpx.AsyncClient, clock: FixedClock, apple: Apple, claims: dict[str, Any]
) -> None:
    apple.claims = claims
    assert (await sign_in(http, clock, "c.1")).status_code == 200
    assert (apple.traded, await kept()) == (["c.1"], [])


async def test_apple_s_trouble_does_not_stop_a_sign_in(http: httpx.AsyncClient, clock: FixedClock, apple: Apple) -> None:
    apple.status = 503
    assert (await sign_in(http, clock, "c.1")).status_code == 200
    assert await kept() == []


async def test_a_refused_sign_in_trades_nothing(http: httpx.AsyncClient, clock: FixedClock, apple: Apple) -> None:
    assert (await sign_in(http, clock, "c.1", aud="another")).status_code == 401
    for odd in ("", 1, "c" * 1025, "c\0"):
        assert (await sign_in(http, clock, odd)).status_code == 400
    assert apple.traded == []


async def test_other_providers_pass_a_code_over(services: Services, apple: Apple) -> None:
    async with served(Starlette(routes=list(routes(services)))) as client:
        assert (await exchange(client, "dev:line:U1", authorizationCode="c.1")).status_code == 200
    assert (apple.traded, await kept()) == ([], [])


async def test_a_deleted_member_is_given_back_once(http: httpx.AsyncClient, clock: FixedClock, apple: Apple, services: Services) -> None:
    assert (await sign_in(http, clock, "c.1")).status_code == 200
    assert (await sign_in(http, clock, "c.2", sub="stays")).status_code == 200
    apple.claims = {"aud": APP, "sub": "stays"}
    assert (await sign_in(http, clock, "c.3", sub="stays")).status_code == 200
    assert await give_back(revoker(apple), services) == 0
    await database.execute(
        "update member set deleted_at = $1 where id = (select member_id from identity where subject <> 'stays')", clock.now()
    )
    assert await give_back(revoker(apple), services) == 1
    assert (apple.revoked, await kept()) == ([("r.c.1", APP)], [(APP, "r.c.3")])
    assert await give_back(revoker(apple), services) == 0


async def test_what_apple_does_not_take_now_comes_again(
    http: httpx.AsyncClient, clock: FixedClock, apple: Apple, services: Services
) -> None:
    assert (await sign_in(http, clock, "c.1")).status_code == 200
    await database.execute("update member set deleted_at = $1", clock.now())
    apple.status = 503
    assert await give_back(revoker(apple), services) == 0
    apple.status = 200
    assert await give_back(revoker(apple), services) == 0, "leased"
    clock.at += timedelta(hours=6)
    assert await give_back(revoker(apple), services) == 1
    assert await kept() == []


async def test_two_workers_take_a_grant_once(http: httpx.AsyncClient, clock: FixedClock, apple: Apple, services: Services) -> None:
    assert (await sign_in(http, clock, "c.1")).status_code == 200
    await database.execute("update member set deleted_at = $1", clock.now())
    assert sum(await asyncio.gather(*(give_back(revoker(apple), services) for _ in range(4)))) == 1
    assert len(apple.revoked) == 1


async def test_without_apple_s_key_or_ours_nothing_is_lost(
    http: httpx.AsyncClient, clock: FixedClock, apple: Apple, services: Services
) -> None:
    assert (await sign_in(http, clock, "c.1")).status_code == 200
    await database.execute("update member set deleted_at = $1", clock.now())
    assert await give_back(None, services) == 0
    await grants.note_deleted(clock.now())
    (due,) = await grants.claim_due("apple", Vault("another root secret, longer than 32 characters"), clock.now())
    assert due.token is None
    assert await kept() == [(APP, "r.c.1")]
