"""Apple's token endpoints, over HTTP: what we send, and what every answer means."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from domain.providers.apple_tokens import AppleTokens, Traded, tokens_of
from domain.settings import MissingSetting, Settings, load
from tests.serving import SECRET_KEY, free_port, running

AT = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
KEY = generate_private_key(SECP256R1())
APP = "tw.plusone.member"
GOOD = {"access_token": "a", "token_type": "Bearer", "expires_in": 3600, "refresh_token": "r.1", "id_token": "x.y.z"}


@dataclass
class Apple:
    """Answers as told and notes the forms."""

    url: str = ""
    answer: Response = field(default_factory=lambda: JSONResponse(GOOD))
    forms: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    async def take(self, request: Request) -> Response:
        self.forms.append((request.url.path, dict(parse_qsl((await request.body()).decode()))))
        return self.answer


@pytest.fixture
async def apple() -> AsyncIterator[Apple]:
    answering = Apple()
    async with running(Starlette(routes=[Route("/auth/{what}", answering.take, methods=["POST"])])) as url:
        answering.url = url
        yield answering


def tokens(apple: Apple) -> AppleTokens:
    return AppleTokens("TEAM123456", "KEY1234567", KEY, apple.url)


async def test_a_code_is_traded_with_a_secret_of_five_minutes(apple: Apple) -> None:
    assert await tokens(apple).trade("c.0.abc", APP, AT) == Traded("r.1", "x.y.z")
    ((path, form),) = apple.forms
    assert (path, form["grant_type"], form["code"], form["client_id"]) == ("/auth/token", "authorization_code", "c.0.abc", APP)
    secret, seconds = form["client_secret"], int(AT.timestamp())
    assert jwt.get_unverified_header(secret) == {"alg": "ES256", "kid": "KEY1234567", "typ": "JWT"}
    unchecked = {"verify_exp": False, "verify_iat": False}
    said = jwt.decode(secret, KEY.public_key(), algorithms=["ES256"], audience="https://appleid.apple.com", options=unchecked)
    assert said == {"iss": "TEAM123456", "iat": seconds, "exp": seconds + 300, "aud": "https://appleid.apple.com", "sub": APP}


async def test_a_token_is_revoked(apple: Apple) -> None:
    apple.answer = Response()
    assert await tokens(apple).revoke("r.1", APP, AT)
    ((path, form),) = apple.forms
    assert (path, form["token"], form["token_type_hint"], form["client_id"]) == ("/auth/revoke", "r.1", "refresh_token", APP)


@pytest.mark.parametrize(
    "answer",
    [
        JSONResponse({"error": "invalid_grant"}, 400),
        JSONResponse({"error": "invalid_client"}, 401),
        JSONResponse(GOOD, 503),
        RedirectResponse("/auth/token", 302),
        Response(b" " * 70_000),
    ],
)
async def test_any_other_answer_is_no(apple: Apple, answer: Response) -> None:
    apple.answer = answer
    assert await tokens(apple).trade("c", APP, AT) is None
    assert not await tokens(apple).revoke("r", APP, AT)


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        {**GOOD, "refresh_token": None},
        {**GOOD, "id_token": 1},
        {**GOOD, "refresh_token": ""},
        {**GOOD, "refresh_token": "r" * 5_000},
    ],
)
async def test_an_answer_without_both_tokens_is_none(apple: Apple, said: Any) -> None:
    apple.answer = JSONResponse(said) if isinstance(said, dict) else Response(said)
    assert await tokens(apple).trade("c", APP, AT) is None


async def test_nobody_answers() -> None:
    gone = AppleTokens("T", "K", KEY, f"http://127.0.0.1:{free_port()}")
    assert await gone.trade("c", APP, AT) is None
    assert not await gone.revoke("r", APP, AT)


def test_nothing_secret_is_shown() -> None:
    assert "secret-token" not in repr(Traded("secret-token", "secret-token"))


def pem(key: Any) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def settings(**given: Any) -> Settings:
    return load(**{"secret_key": SECRET_KEY, "environment": "production", "_env_file": None, **given})


def test_the_three_settings_go_together(tmp_path: Path) -> None:
    file = tmp_path / "apple.p8"
    file.write_bytes(pem(KEY))
    whole: dict[str, Any] = {"apple_team_id": "TEAM123456", "apple_key_id": "KEY1234567", "apple_private_key": file}
    assert tokens_of(settings()) is None
    assert tokens_of(settings(**whole)) is not None
    for name in whole:
        with pytest.raises(MissingSetting, match="go together"):
            tokens_of(settings(**{key: value for key, value in whole.items() if key != name}))
    with pytest.raises(MissingSetting, match="PLUSONE_APPLE_TOKENS_URL"):
        tokens_of(settings(**whole, apple_tokens_url="http://127.0.0.1:1"))


@pytest.mark.parametrize(
    "content", [None, b"", b"no key", pem(generate_rsa(public_exponent=65537, key_size=2048)), pem(generate_private_key(SECP384R1()))]
)
def test_a_file_that_holds_no_key_of_apple_s_stops_the_start(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "apple.p8"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(MissingSetting, match="PLUSONE_APPLE_PRIVATE_KEY"):
        tokens_of(settings(apple_team_id="T", apple_key_id="K", apple_private_key=file))
