"""Signing in with each provider over HTTP, its keys behind a real server: once, with our nonce, through rotations and outages."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from api.auth.identity.registry import providers_for
from api.auth.routes import routes
from domain import db as database
from domain.bootstrap import Services
from domain.bootstrap import services as services_for
from domain.clock import FixedClock
from domain.members import keys
from domain.settings import load
from plusone.logging import QUIET
from tests import build
from tests.api.auth.asking import NOTHING, assert_refused, counts, exchange, nonce_for
from tests.api.auth.conftest import SECRET_KEY, served
from tests.api.auth.minting import EC, RSA, certificate, ec_jwk, other_signature, rsa_jwk
from tests.api.auth.test_telegram import PUBLIC, by_key, mini_app, widget

BOT = "7654321098:AAH4x-Kd9vQm2Rt7pLw0Zc5Ny8Ub1Es6GfI"
IDS = {
    "line_login_channel_id": "1655000000",
    "google_client_ids": "web-client, ios-client",
    "apple_client_ids": "tw.plusone.member,tw.plusone.web",
    "facebook_app_id": "1234567890",
    "facebook_app_secret": "f8b0e5c1d2a34796815e0b9c7d6a5f43",
    "telegram_client_id": "7654321098",
    "telegram_bot_token": BOT,
    "firebase_auth_project_id": "plusone-test",
}


@dataclass
class Outside:
    """The providers' servers: their keys, which can be changed or taken away, and how often they were asked."""

    url: str = ""
    jwks: list[dict[str, Any]] = field(default_factory=lambda: [rsa_jwk(), ec_jwk()])
    away: bool = False
    asked: list[str] = field(default_factory=list)

    def _said(self, request: Request, body: Any) -> Response:
        self.asked.append(request.url.path)
        return Response(status_code=503) if self.away else JSONResponse(body)

    async def certs(self, request: Request) -> Response:
        return self._said(request, {"keys": self.jwks})

    async def certificates(self, request: Request) -> Response:
        return self._said(request, {"own": certificate()})

    async def debug_token(self, request: Request) -> Response:
        data = {"app_id": "1234567890", "type": "USER", "is_valid": True, "user_id": "10160123456789012", "expires_at": 1800432000}
        return self._said(request, {"data": data})

    async def me(self, request: Request) -> Response:
        return self._said(request, {"id": "10160123456789012", "name": "林小美"})

    def settings(self) -> dict[str, str]:
        names = ("line_login", "google", "apple", "facebook", "telegram")
        return {f"{name}_jwks_url": f"{self.url}/certs" for name in names} | {
            "firebase_auth_certificates_url": f"{self.url}/certificates",
            "facebook_graph_url": self.url,
        }


@pytest.fixture
async def outside() -> AsyncIterator[Outside]:
    answering = Outside()
    found = [Route(f"/{name}", getattr(answering, name)) for name in ("certs", "certificates", "debug_token", "me")]
    async with served(Starlette(routes=found)) as client:
        answering.url = str(client.base_url).rstrip("/")
        yield answering


def services_of(clock: FixedClock, **given: str) -> Services:
    return services_for(load(secret_key=SECRET_KEY, environment="development", public_url="https://plusone.test", **given), clock=clock)


@pytest.fixture
async def http(db: str, clock: FixedClock, outside: Outside) -> AsyncIterator[httpx.AsyncClient]:
    """The routes of sign-in with every provider."""
    keys.forget()
    services = services_of(clock, **IDS, **outside.settings())
    await keys.ensure_keys(services.vault, clock.now())
    async with served(Starlette(routes=list(routes(services)))) as client:
        yield client
    keys.forget()


def id_token(nonce: str, now: datetime, *, kid: str = "own", private: Any = RSA, algorithm: str = "RS256", **claims: Any) -> str:
    base = {"nonce": nonce, "iat": int(now.timestamp()), "exp": int(now.timestamp()) + 3600, "name": "林小美"}
    return jwt.encode(base | claims, private, algorithm=algorithm, headers={"kid": kid})


def made(provider: str, channel: str, nonce: str, now: datetime, **claims: Any) -> str:
    """What this provider's app would send for this nonce."""
    seconds = int(now.timestamp())
    firebase = {"sign_in_provider": "apple.com"}
    match provider, channel:
        case "line", _:
            base: dict[str, Any] = {"iss": "https://access.line.me", "aud": "1655000000", "sub": "U206d25c2"}
            return id_token(nonce, now, **({"kid": "own-ec", "private": EC, "algorithm": "ES256"} | base | claims))
        case "google", _:
            base = {"iss": "https://accounts.google.com", "aud": "ios-client", "sub": "110169484474386276334"}
        case "apple", _:
            base = {"iss": "https://appleid.apple.com", "aud": "tw.plusone.web", "sub": "001234.a1b2.0512"}
        case "facebook", "limited":
            base = {"iss": "https://www.facebook.com", "aud": "1234567890", "sub": "10160123456789012"}
        case "facebook", _:
            return "EAAB0page0token0for0tests0only"
        case "telegram", "oidc":
            base = {"iss": "https://oauth.telegram.org", "aud": "7654321098", "sub": "512345678"}
        case "telegram", "mini_app":
            return mini_app(auth_date=str(seconds))
        case "telegram", _:
            return widget(auth_date=str(seconds))
        case _:
            base = {"iss": "https://securetoken.google.com/plusone-test", "aud": "plusone-test", "sub": "uid-8fJ2"}
            base |= {"auth_time": seconds, "firebase": firebase}
    return id_token(nonce, now, **(base | claims))


WAYS = {
    ("line", "native"): ("line", "U206d25c2"),
    ("google", ""): ("google", "110169484474386276334"),
    ("apple", ""): ("apple", "001234.a1b2.0512"),
    ("facebook", "limited"): ("facebook_login", "10160123456789012"),
    ("facebook", "classic"): ("facebook_login", "10160123456789012"),
    ("telegram", "oidc"): ("telegram", "512345678"),
    ("telegram", "mini_app"): ("telegram", "512345678"),
    ("telegram", "widget"): ("telegram", "512345678"),
    ("firebase", ""): ("firebase", "uid-8fJ2"),
}
every_way = pytest.mark.parametrize("way", list(WAYS), ids=lambda way: " ".join(filter(None, way)))


def asked_for(way: tuple[str, str]) -> dict[str, str]:
    return {"provider": way[0]} | ({"channel": way[1]} if way[1] else {})


async def test_every_provider_is_tried_here(outside: Outside) -> None:
    assert set(providers_for(load(secret_key=SECRET_KEY, environment="development", **IDS, **outside.settings()))) == {*WAYS, ("dev", "")}


@every_way
async def test_the_token_of_an_attempt_signs_in_once(http: httpx.AsyncClient, clock: FixedClock, way: tuple[str, str]) -> None:
    nonce = await nonce_for(http, way[0])
    token = made(*way, nonce, clock.now())
    answer = await exchange(http, token, nonce=nonce, **asked_for(way))
    assert answer.status_code == 200, answer.text
    row = await database.fetchrow("select provider, subject from identity")
    assert row is not None
    assert tuple(row) == WAYS[way]
    before = await counts()
    assert before == NOTHING | {name: 1 for name in NOTHING if name != "device"}
    for again in (nonce, await nonce_for(http, way[0])):
        assert_refused(await exchange(http, token, nonce=again, **asked_for(way)), 401, "UNAUTHENTICATED")
    assert await counts() == before


@every_way
async def test_a_used_token_is_refused_by_its_own_row_too(http: httpx.AsyncClient, clock: FixedClock, way: tuple[str, str]) -> None:
    nonce = await nonce_for(http, way[0])
    token = made(*way, nonce, clock.now())
    assert (await exchange(http, token, nonce=nonce, **asked_for(way))).status_code == 200
    await database.execute("delete from login_attempt")
    assert_refused(await exchange(http, token, nonce=nonce, **asked_for(way)), 401, "UNAUTHENTICATED")


@every_way
async def test_a_used_nonce_is_refused_with_a_fresh_token(http: httpx.AsyncClient, clock: FixedClock, way: tuple[str, str]) -> None:
    nonce = await nonce_for(http, way[0])
    assert (await exchange(http, made(*way, nonce, clock.now()), nonce=nonce, **asked_for(way))).status_code == 200
    await database.execute("delete from seen_token")
    clock.at += timedelta(seconds=5)
    assert_refused(await exchange(http, made(*way, nonce, clock.now()), nonce=nonce, **asked_for(way)), 401, "UNAUTHENTICATED")


@every_way
async def test_a_nonce_of_another_provider_does_not_serve(http: httpx.AsyncClient, clock: FixedClock, way: tuple[str, str]) -> None:
    nonce = await nonce_for(http, "dev")
    assert_refused(await exchange(http, made(*way, nonce, clock.now()), nonce=nonce, **asked_for(way)), 401, "UNAUTHENTICATED")
    assert await counts() == NOTHING


async def test_two_at_once_with_one_token_are_one_sign_in(http: httpx.AsyncClient, clock: FixedClock) -> None:
    for way in (("firebase", ""), ("telegram", "mini_app")):
        token = made(*way, "", clock.now())
        nonces = [await nonce_for(http, way[0]) for _ in range(5)]
        answers = await asyncio.gather(*(exchange(http, token, nonce=nonce, installationId=nonce, **asked_for(way)) for nonce in nonces))
        assert sorted(answer.status_code for answer in answers) == [200] + [401] * 4


async def test_the_other_signature_of_a_used_token_makes_no_new_token(http: httpx.AsyncClient, clock: FixedClock) -> None:
    """An ECDSA signature has a twin that verifies as well, and base64url has spare bits: neither is another token."""
    nonce = await nonce_for(http, "line")
    token = made("line", "native", nonce, clock.now())
    twin = other_signature(token)
    assert twin != token
    assert (await exchange(http, token, nonce=nonce, provider="line")).status_code == 200
    await database.execute("delete from login_attempt")
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    spare = token[:-1] + letters[letters.index(token[-1]) ^ 1]
    for again in (token, twin, spare):
        assert_refused(await exchange(http, again, nonce=nonce, provider="line"), 401, "UNAUTHENTICATED")
    await database.execute("delete from seen_token")
    assert (await exchange(http, twin, nonce=nonce, provider="line")).status_code == 200, "the control: the twin does verify"


async def test_mini_app_data_written_in_another_way_are_the_same_data(http: httpx.AsyncClient, clock: FixedClock) -> None:
    data = made("telegram", "mini_app", "", clock.now())
    assert (await exchange(http, data, provider="telegram", channel="mini_app")).status_code == 200
    other = "&".join(f"{name}={quote(value)}" for name, value in reversed(parse_qsl(data)))
    assert other != data
    assert_refused(await exchange(http, other, provider="telegram", channel="mini_app"), 401, "UNAUTHENTICATED")


async def test_without_the_bot_s_token_telegram_s_key_is_asked(db: str, clock: FixedClock) -> None:
    keys.forget()
    services = services_of(clock, telegram_bot_id="7654321098", telegram_public_key=PUBLIC)
    async with served(Starlette(routes=list(routes(services)))) as client:
        data = by_key(auth_date=str(int(clock.now().timestamp())))
        assert (await exchange(client, data, provider="telegram")).status_code == 200
        assert_refused(
            await exchange(client, mini_app(auth_date=str(int(clock.now().timestamp()))), provider="telegram"), 401, "UNAUTHENTICATED"
        )
        assert_refused(await exchange(client, data, provider="telegram", channel="widget", nonce="A" * 56), 400, "BAD_REQUEST")
    keys.forget()


async def test_the_channel_chooses_the_check_and_never_the_token(http: httpx.AsyncClient, clock: FixedClock) -> None:
    before = await counts()
    for way in WAYS:
        for other in WAYS:
            if way[0] != other[0] or way == other:
                continue
            nonce = await nonce_for(http, way[0])
            answer = await exchange(http, made(*way, nonce, clock.now()), nonce=nonce, installationId=f"{way}-{other}", **asked_for(other))
            # A classic token says nothing: Facebook is asked, and the other channels' texts are none of its tokens.
            assert_refused(answer, 401, "UNAUTHENTICATED")
    assert await counts() == before


async def test_a_new_key_is_found_and_a_withdrawn_one_is_gone(http: httpx.AsyncClient, clock: FixedClock, outside: Outside) -> None:
    async def google(kid: str, private: Any) -> int:
        nonce = await nonce_for(http, "google")
        token = made("google", "", nonce, clock.now(), kid=kid, private=private, sub=kid)
        return (await exchange(http, token, nonce=nonce, provider="google", installationId=nonce)).status_code

    assert await google("own", RSA) == 200
    second = generate_rsa(public_exponent=65537, key_size=2048)
    outside.jwks = [rsa_jwk(), rsa_jwk(second, kid="second")]
    clock.at += timedelta(seconds=31)
    assert await google("second", second) == 200
    assert await google("own", second) == 401
    outside.jwks = [rsa_jwk(second, kid="second")]
    assert await google("own", RSA) == 200
    clock.at += timedelta(seconds=300)
    assert await google("own", RSA) == 401
    assert outside.asked == ["/certs"] * 3


async def test_made_up_key_ids_make_no_storm(http: httpx.AsyncClient, clock: FixedClock, outside: Outside) -> None:
    async def guess(n: int) -> int:
        token = made("apple", "", "n", clock.now(), kid=f"kid-{n}")
        return (await exchange(http, token, provider="apple", installationId=f"phone-{n}")).status_code

    assert set(await asyncio.gather(*(guess(n) for n in range(60)))) == {401}
    assert outside.asked == ["/certs"]
    clock.at += timedelta(seconds=30)
    assert set(await asyncio.gather(*(guess(n) for n in range(60, 80)))) == {401}
    assert outside.asked == ["/certs"] * 2


async def test_while_a_provider_is_away_known_keys_serve_and_without_any_nobody_comes_in(
    http: httpx.AsyncClient, clock: FixedClock, outside: Outside
) -> None:
    async def sign_in(kid: str = "own") -> httpx.Response:
        nonce = await nonce_for(http, "google")
        return await exchange(http, made("google", "", nonce, clock.now(), kid=kid), nonce=nonce, provider="google", installationId=nonce)

    outside.away = True
    assert_refused(await sign_in(), 503, "UNAVAILABLE")
    assert await counts() == NOTHING
    assert await database.fetch("select 1 from guess_count where guesses <> 0") == []
    outside.away, clock.at = False, clock.at + timedelta(seconds=5)
    assert (await sign_in()).status_code == 200
    outside.away, clock.at = True, clock.at + timedelta(hours=23)
    assert (await sign_in()).status_code == 200
    assert_refused(await sign_in("new"), 401, "UNAUTHENTICATED")
    clock.at += timedelta(hours=2)
    assert_refused(await sign_in(), 503, "UNAVAILABLE")


async def test_who_signs_in_with_telegram_finds_the_orders_of_their_comments(http: httpx.AsyncClient, clock: FixedClock) -> None:
    shop = await build.a_shop()
    for provider in ("telegram", "facebook"):
        for external_id in ("512345678", "10160123456789012"):
            await build.a_buyer(shop, provider=provider, external_id=external_id)
    for way in (("telegram", "oidc"), ("facebook", "limited")):
        nonce = await nonce_for(http, way[0])
        assert (await exchange(http, made(*way, nonce, clock.now()), nonce=nonce, **asked_for(way))).status_code == 200
    linked = await database.fetch("select provider, external_id from buyer where member_id is not null")
    # A Facebook page knows its commenters under other ids than the app does: equal digits say nothing.
    assert [tuple(row) for row in linked] == [("telegram", "512345678")]


async def test_no_log_line_shows_who_signs_in_or_with_what(
    http: httpx.AsyncClient, clock: FixedClock, outside: Outside, caplog: pytest.LogCaptureFixture
) -> None:
    """With the levels that `plusone.logging` sets; right and refused sign-ins, and a provider in trouble."""
    said: list[str] = []
    with contextlib.ExitStack() as stack:
        stack.enter_context(caplog.at_level(logging.DEBUG))
        for name in QUIET:
            stack.enter_context(caplog.at_level(logging.WARNING, name))
        for way, (_, subject) in WAYS.items():
            nonce = await nonce_for(http, way[0])
            token = made(*way, nonce, clock.now())
            said += [token, nonce, subject]
            for n in range(2):
                answer = await exchange(http, token, nonce=nonce, installationId="secret-installation", **asked_for(way))
                assert answer.status_code == (401 if n else 200)
        outside.away = True
        nonce = await nonce_for(http, "facebook")
        token = made("facebook", "classic", nonce, clock.now())
        assert_refused(await exchange(http, token, nonce=nonce, provider="facebook", channel="classic"), 503, "UNAVAILABLE")
    told = " ".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    hidden = [
        *said,
        "secret-installation",
        "林小美",
        "小美",
        *(value for name, value in IDS.items() if "secret" in name or "token" in name),
    ]
    assert [text for text in hidden if text in told] == []
