"""Signing in with LINE over HTTP, and with providers that are away or do not exist."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from api.auth.routes import routes
from domain import db as database
from domain.bootstrap import services as services_for
from domain.clock import FixedClock
from domain.errors import Unavailable
from domain.members import keys
from domain.members.ports import ProvenIdentity
from domain.settings import load
from tests.api.auth.asking import NOTHING, assert_refused, counts, exchange, nonce_for
from tests.api.auth.conftest import SECRET_KEY, served

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[2] / "fixtures/auth/line_id_token_vectors.json").read_text("utf-8"))
CHANNEL, SECRET = VECTORS["audience"], VECTORS["channel_secret_for_hs256"]


@pytest.fixture
async def line(db, tmp_path):
    """The routes with LINE Login on the web, at the time of the recorded tokens."""
    clock = FixedClock(datetime.fromtimestamp(VECTORS["now"], UTC))
    settings = load(secret_key=SECRET_KEY, environment="production", line_login_channel_id=CHANNEL, line_login_channel_secret=SECRET)
    services = services_for(settings, clock=clock)
    keys.forget()
    await keys.ensure_keys(services.vault, clock.now())
    async with served(Starlette(routes=list(routes(services)))) as client:
        yield client
    keys.forget()


def line_token(nonce: str, subject: str = "Uline1", **changes: Any) -> str:
    claims = {"iss": "https://access.line.me", "aud": CHANNEL, "sub": subject, "nonce": nonce, "name": "林小美"}
    return jwt.encode(claims | {"iat": VECTORS["now"], "exp": VECTORS["now"] + 3600} | changes, SECRET, algorithm="HS256")


async def test_a_line_token_for_our_nonce_signs_in_once(line):
    nonce = await nonce_for(line, "line")
    token = line_token(nonce)
    first = await exchange(line, token, provider="line", channel="web", nonce=nonce)
    assert first.status_code == 200, first.text
    assert await database.fetchval("select display_name from member") == "林小美"
    row = await database.fetchrow("select until from seen_token")
    assert row is not None
    assert row["until"] == datetime.fromtimestamp(VECTORS["now"] + 3600, UTC)
    before = await counts()
    for again in (nonce, await nonce_for(line, "line")):
        assert_refused(await exchange(line, token, provider="line", channel="web", nonce=again), 401, "UNAUTHENTICATED")
    assert await counts() == before


async def test_a_line_token_that_was_seen_is_refused_even_under_a_fresh_nonce_row(line):
    """The second guard alone: the nonce's row is gone, the token's is not."""
    nonce = await nonce_for(line, "line")
    token = line_token(nonce)
    assert (await exchange(line, token, provider="line", channel="web", nonce=nonce)).status_code == 200
    await database.execute("delete from login_attempt")
    assert_refused(await exchange(line, token, provider="line", channel="web", nonce=nonce), 401, "UNAUTHENTICATED")


async def test_a_recorded_token_is_not_for_a_nonce_of_ours(line):
    for vector in VECTORS["vectors"]:
        answer = await exchange(line, vector["token"], provider="line", channel="web", installationId=vector["name"])
        assert_refused(answer, 401, "UNAUTHENTICATED")
        answer = await exchange(
            line, vector["token"], provider="line", channel="web", nonce=VECTORS["expected_nonce"], installationId=vector["name"]
        )
        assert_refused(answer, 401, "UNAUTHENTICATED")
    assert await counts() == NOTHING


async def test_a_nonce_of_another_provider_does_not_serve(http, line):
    nonce = await nonce_for(http, "dev")
    assert_refused(await exchange(line, line_token(nonce), provider="line", channel="web", nonce=nonce), 401, "UNAUTHENTICATED")


async def test_the_dev_provider_does_not_exist_in_production(line):
    assert_refused(await line.post("/auth/nonce", json={"provider": "dev"}), 400, "BAD_REQUEST")
    assert_refused(await exchange(line, "dev:line:U1", provider="dev", nonce="A" * 56), 400, "BAD_REQUEST")
    assert_refused(await exchange(line, "dev:line:U1", provider="line", channel="web"), 401, "UNAUTHENTICATED")
    assert_refused(await exchange(line, "dev:line:U1", provider="line", channel="other"), 400, "BAD_REQUEST")


async def test_a_native_line_token_is_checked_with_the_keys_behind_the_address(db, clock):
    private = generate_private_key(SECP256R1())
    jwk = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(private.public_key())) | {"kid": "line-1"}
    asked = []

    async def certs(request: Request) -> Response:
        asked.append(request.url.path)
        return JSONResponse({"keys": [jwk]})

    async with served(Starlette(routes=[Route("/certs", certs)])) as line_server:
        settings = load(
            secret_key=SECRET_KEY,
            environment="development",
            line_login_channel_id=CHANNEL,
            line_login_jwks_url=f"{line_server.base_url}/certs",
        )
        services = services_for(settings, clock=clock)
        await keys.ensure_keys(services.vault, clock.now())
        async with served(Starlette(routes=list(routes(services)))) as client:
            now = int(clock.now().timestamp())
            for n, kid in enumerate(("line-1", "line-1", "unknown")):
                nonce = await nonce_for(client, "line")
                claims = {"iss": "https://access.line.me", "aud": CHANNEL, "sub": f"U{n}", "nonce": nonce, "iat": now, "exp": now + 3600}
                token = jwt.encode(claims, private, algorithm="ES256", headers={"kid": kid})
                answer = await exchange(client, token, provider="line", nonce=nonce)
                assert answer.status_code == (401 if kid == "unknown" else 200), answer.text
                # The web channel is not set up here: the field of the request cannot choose it.
                assert (await exchange(client, token, provider="line", channel="web", nonce=nonce)).status_code == 400
    assert asked == ["/certs"]
    assert [row["subject"] for row in await database.fetch("select subject from identity order by subject")] == ["U0", "U1"]


class Away:
    """A provider whose keys cannot be had."""

    async def verify(self, id_token: str, nonce: str, now: datetime) -> ProvenIdentity:
        raise Unavailable


async def test_a_provider_that_is_away_is_503_and_no_guess(services):
    async with served(Starlette(routes=list(routes(services, {("line", "native"): Away()})))) as client:
        for _ in range(12):
            answer = await exchange(client, provider="line")
            assert_refused(answer, 503, "UNAVAILABLE")
            assert int(answer.headers["retry-after"]) > 0
    assert await counts() == NOTHING
