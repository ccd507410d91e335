"""Sign-in over HTTP: the way in, the ways out, and what every route says to what it did not ask for."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from api.auth.plain import LARGEST_BODY_BYTES
from api.auth.routes import routes
from domain import db as database
from domain.bootstrap import services as services_for
from domain.clock import FixedClock
from domain.errors import Unavailable
from domain.ids import read_public_id
from domain.members import keys
from domain.members.ports import ProvenIdentity
from domain.settings import load
from tests.api.auth.conftest import SECRET_KEY, served

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[2] / "fixtures/auth/line_id_token_vectors.json").read_text("utf-8"))
CHANNEL, SECRET = VECTORS["audience"], VECTORS["channel_secret_for_hs256"]


async def nonce_for(http: httpx.AsyncClient, provider: str = "dev") -> str:
    response = await http.post("/auth/nonce", json={"provider": provider})
    assert response.status_code == 200
    return response.json()["nonce"]


async def exchange(http: httpx.AsyncClient, token: str = "dev:line:U1", **changes: Any) -> httpx.Response:
    body: dict[str, Any] = {"provider": "dev", "idToken": token, "installationId": "phone-1"} | changes
    if "nonce" not in body:
        body["nonce"] = await nonce_for(http, body["provider"])
    return await http.post("/auth/exchange", json=body)


async def signed_in(http: httpx.AsyncClient, token: str = "dev:line:U1", **changes: Any) -> dict[str, Any]:
    response = await exchange(http, token, **changes)
    assert response.status_code == 200, response.text
    return response.json()


def bearer(tokens: dict[str, Any]) -> dict[str, str]:
    return {"authorization": f"Bearer {tokens['accessToken']}"}


async def refresh(http: httpx.AsyncClient, token: str, installation: str = "phone-1") -> httpx.Response:
    return await http.post("/auth/refresh", json={"refreshToken": token, "installationId": installation})


def assert_refused(response: httpx.Response, status: int, code: str) -> None:
    assert (response.status_code, response.json()["error"]["code"]) == (status, code), response.text
    assert set(response.json()) == {"error"}
    assert set(response.json()["error"]) == {"code", "message"}
    assert response.headers["cache-control"] == "no-store"


async def counts() -> dict[str, int]:
    tables = ("member", "identity", "session", "refresh_token", "device", "login_attempt", "seen_token")
    return {table: await database.fetchval(f"select count(*) from {table}") for table in tables}


NOTHING = dict.fromkeys(("member", "identity", "session", "refresh_token", "device", "login_attempt", "seen_token"), 0)


async def test_the_way_in(http, clock):
    response = await exchange(http, "dev:facebook:1234")
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    body = response.json()
    assert set(body) == {"accessToken", "expiresAt", "refreshToken", "member"}
    assert body["expiresAt"] == "2026-11-21T08:10:00Z"
    tag, member_id = read_public_id(body["member"]["id"]) or ("", None)
    assert tag == "member"
    assert await counts() == NOTHING | {name: 1 for name in NOTHING if name != "device"}
    row = await database.fetchrow("select provider, subject, member_id from identity")
    assert row is not None
    assert tuple(row) == ("facebook", "1234", member_id)


async def test_the_same_identity_is_the_same_member_and_another_is_another(http):
    first, again, other = [await signed_in(http, f"dev:line:{who}") for who in ("U1", "U1", "U2")]
    assert first["member"] == again["member"] != other["member"]
    assert first["refreshToken"] != again["refreshToken"]
    # The same subject at another provider is another person.
    assert (await signed_in(http, "dev:facebook:U1"))["member"] not in (first["member"], other["member"])


async def test_the_device_comes_with_the_sign_in_and_leaves_with_the_sign_out(http):
    device = {"platform": "ANDROID", "targetKind": "TOKEN", "target": "fcm-token-1", "locale": "ja-JP"}
    tokens = await signed_in(http, device=device)
    row = await database.fetchrow("select platform, target_kind, target, locale, installation_id, revoked_at from device")
    assert row is not None
    assert tuple(row) == ("ANDROID", "TOKEN", "fcm-token-1", "ja-JP", "phone-1", None)
    assert (await http.post("/auth/sign-out", headers=bearer(tokens))).status_code == 204
    assert await database.fetchval("select revoked_at is not null from device")


async def test_sign_out_ends_the_family_and_the_access_token(http):
    tokens, other = await signed_in(http), await signed_in(http, installationId="phone-2")
    assert (await http.post("/auth/sign-out", headers=bearer(tokens))).status_code == 204
    assert_refused(await http.post("/auth/sign-out", headers=bearer(tokens)), 401, "UNAUTHENTICATED")
    assert_refused(await refresh(http, tokens["refreshToken"]), 401, "UNAUTHENTICATED")
    assert (await refresh(http, other["refreshToken"], "phone-2")).status_code == 200


async def test_signing_out_everywhere_ends_all_families(http):
    tokens, other = await signed_in(http), await signed_in(http, installationId="phone-2")
    assert (await http.post("/auth/sign-out-everywhere", headers=bearer(tokens))).status_code == 204
    assert_refused(await http.post("/auth/sign-out", headers=bearer(other)), 401, "UNAUTHENTICATED")
    for token, installation in ((tokens, "phone-1"), (other, "phone-2")):
        assert_refused(await refresh(http, token["refreshToken"], installation), 401, "UNAUTHENTICATED")
    assert (await refresh(http, (await signed_in(http))["refreshToken"])).status_code == 200


async def test_nobody_cannot_sign_out(http):
    for path in ("/auth/sign-out", "/auth/sign-out-everywhere"):
        response = await http.post(path)
        assert_refused(response, 401, "UNAUTHENTICATED")
        assert response.headers["www-authenticate"] == "Bearer"


async def test_refresh_rotates_repeats_a_lost_answer_and_ends_on_reuse(http, clock: FixedClock):
    tokens = await signed_in(http)
    first = (await refresh(http, tokens["refreshToken"])).json()
    clock.at += timedelta(seconds=30)
    again = (await refresh(http, tokens["refreshToken"])).json()
    assert first["refreshToken"] == again["refreshToken"] != tokens["refreshToken"]
    assert first["member"] == tokens["member"]
    clock.at += timedelta(seconds=1)
    assert_refused(await refresh(http, tokens["refreshToken"]), 401, "UNAUTHENTICATED")
    assert_refused(await refresh(http, first["refreshToken"]), 401, "UNAUTHENTICATED")
    assert_refused(await http.post("/auth/sign-out", headers=bearer(first)), 401, "UNAUTHENTICATED")


async def test_every_refused_proof_gets_the_same_answer(http, clock):
    """Nobody learns whether the token, the session, the installation or the member was wrong."""
    tokens = await signed_in(http)
    ended = await signed_in(http, "dev:line:U2", installationId="phone-2")
    await http.post("/auth/sign-out", headers=bearer(ended))
    answers = [
        await refresh(http, "A" * 43),
        await refresh(http, "not a token"),
        await refresh(http, tokens["refreshToken"], "phone-9"),
        await refresh(http, ended["refreshToken"], "phone-2"),
        await exchange(http, "dev:line"),
        await exchange(http, nonce="A" * 56),
        await refresh(http, tokens["accessToken"][:64]),
    ]
    assert {(a.status_code, a.text, a.headers["content-type"]) for a in answers} == {(401, answers[0].text, "application/json")}


async def test_a_nonce_is_used_once(http):
    nonce = await nonce_for(http)
    assert (await exchange(http, nonce=nonce)).status_code == 200
    before = await counts()
    assert_refused(await exchange(http, "dev:line:U2", nonce=nonce, installationId="phone-2"), 401, "UNAUTHENTICATED")
    assert await counts() == before


async def test_a_nonce_used_by_ten_at_once_lets_one_in(http):
    nonce = await nonce_for(http)
    answers = await asyncio.gather(*(exchange(http, f"dev:line:U{n}", nonce=nonce, installationId=f"phone-{n}") for n in range(10)))
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 9
    assert (await counts())["member"] == 1


async def test_without_the_mark_of_use_all_ten_get_in(http, monkeypatch):
    """The twin: what keeps nine of them out is the row of the used nonce."""

    async def no_mark(*_: object) -> None:
        return None

    monkeypatch.setattr("domain.members.attempts.use_up", no_mark)
    nonce = await nonce_for(http)
    answers = await asyncio.gather(*(exchange(http, f"dev:line:U{n}", nonce=nonce, installationId=f"phone-{n}") for n in range(10)))
    assert [answer.status_code for answer in answers] == [200] * 10


async def test_a_nonce_is_over_after_ten_minutes(http, clock):
    nonce = await nonce_for(http)
    clock.at += timedelta(minutes=10)
    assert_refused(await exchange(http, nonce=nonce), 401, "UNAUTHENTICATED")
    clock.at -= timedelta(seconds=1)
    assert (await exchange(http, nonce=nonce)).status_code == 200


async def test_nonces_write_nothing(http):
    await asyncio.gather(*(nonce_for(http) for _ in range(20)))
    assert await counts() == NOTHING


async def test_a_made_up_or_changed_nonce_is_refused(http):
    nonce = await nonce_for(http)
    for n, bad in enumerate(["x", "A" * 56, nonce[:-1] + ("A" if nonce[-1] != "A" else "B"), "B" + nonce[1:], nonce + "AAAA", nonce + " "]):
        assert_refused(await exchange(http, nonce=bad, installationId=f"phone-{n}"), 401, "UNAUTHENTICATED")
    assert await counts() == NOTHING


# LINE


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


# Guessing


async def test_ten_wrong_guesses_of_an_installation_are_the_most(http, clock):
    for _ in range(10):
        assert_refused(await refresh(http, "A" * 43), 401, "UNAUTHENTICATED")
    answer = await refresh(http, "A" * 43)
    assert_refused(answer, 429, "TOO_MANY_REQUESTS")
    assert answer.headers["retry-after"] == "600"
    assert_refused(await exchange(http), 429, "TOO_MANY_REQUESTS")
    assert (await exchange(http, installationId="phone-2")).status_code == 200
    clock.at += timedelta(minutes=10)
    assert (await exchange(http)).status_code == 200


async def test_a_hundred_wrong_guesses_of_an_address_are_the_most(http, clock):
    tokens = await signed_in(http)
    for n in range(100):
        assert_refused(await refresh(http, "A" * 43, f"guess-{n}"), 401, "UNAUTHENTICATED")
    answer = await refresh(http, tokens["refreshToken"])
    assert_refused(answer, 429, "TOO_MANY_REQUESTS")
    assert answer.headers["retry-after"] == "3600"
    clock.at += timedelta(hours=1)
    assert (await refresh(http, tokens["refreshToken"])).status_code == 200


async def test_guesses_at_once_are_counted_before_they_are_looked_at(http):
    answers = await asyncio.gather(*(refresh(http, "A" * 43) for _ in range(40)))
    assert sorted(answer.status_code for answer in answers) == [401] * 10 + [429] * 30


async def test_right_ones_do_not_count(http):
    for n in range(105):
        assert (await exchange(http, f"dev:line:U{n % 3}")).status_code == 200
    assert await database.fetch("select 1 from guess_count where guesses <> 0") == []


async def test_who_guessed_is_not_readable(http):
    await refresh(http, "A" * 43, "secret-installation")
    scopes = [row["scope"] for row in await database.fetch("select scope from guess_count")]
    assert len(scopes) == 2
    assert not any("secret-installation" in scope or "127.0.0.1" in scope for scope in scopes)


# Bad input

ODD: list[Any] = [
    None,
    0,
    -1,
    2**63,
    10**400,
    1.5,
    True,
    "",
    "\0",
    "a\0b",
    "\ud800",
    "x" * 10_000,
    "\u202e",
    [],
    ["x"],
    {},
    {"x": 1},
    "'; --",
    "${7*7}",
    "../../x",
]
GOOD: dict[str, dict[str, Any]] = {
    "/auth/nonce": {"provider": "dev"},
    "/auth/exchange": {
        "provider": "dev",
        "channel": None,
        "idToken": "dev:line:U1",
        "nonce": "n",
        "installationId": "phone-1",
        "device": {"platform": "IOS", "targetKind": "FID", "target": "t", "locale": "zh-TW"},
    },
    "/auth/refresh": {"refreshToken": "A" * 43, "installationId": "phone-1"},
}


def variations() -> list[tuple[str, dict[str, Any]]]:
    found: list[tuple[str, dict[str, Any]]] = []
    for path, good in GOOD.items():
        for name in good:
            found += [(path, good | {name: odd}) for odd in ODD]
            found += [(path, {k: v for k, v in good.items() if k != name})]
        found += [(path, good | {"__proto__": {}}), (path, good | {"memberId": "x"}), (path, good | {"\ud800": 1}), (path, good | {"": 1})]
    exchange_body = GOOD["/auth/exchange"]
    for name in exchange_body["device"]:
        found += [("/auth/exchange", exchange_body | {"device": exchange_body["device"] | {name: odd}}) for odd in ODD]
    found.append(("/auth/exchange", exchange_body | {"device": exchange_body["device"] | {"memberId": "x"}}))
    return found


async def test_no_field_can_make_it_fail(http):
    """Every field replaced by twenty odd values, or missing, or joined by another: a plain refusal, and nothing is written."""
    tried = variations()
    assert len(tried) > 250
    wrong = []
    for n, (path, body) in enumerate(tried):
        if isinstance(body.get("installationId"), str) and body["installationId"] == "phone-1":
            body = body | {"installationId": f"phone-{n}"}
        if body.get("nonce") == "n":
            body = body | {"nonce": await nonce_for(http)}
        answer = await http.post(path, content=json.dumps(body), headers={"content-type": "application/json"})
        if answer.status_code not in (200, 400, 401):
            wrong.append((answer.status_code, path, str(body)[:200]))
        # Wrong guesses are what another test is about.
        await database.execute("delete from guess_count")
    assert wrong == []
    # Signed in were: those without or with another language, channel or device than is needed.
    subjects = {row["subject"] for row in await database.fetch("select subject from identity")}
    assert subjects == {"U1"}


BODIES: dict[str, bytes] = {
    "empty": b"",
    "not JSON": b"provider=dev",
    "NaN": b"NaN",
    "1e999": b'{"provider":1e999}',
    "5,000 digits": b'{"provider":' + b"9" * 5_000 + b"}",
    "deep": b'{"provider":' + b"[" * 8_000 + b"]" * 8_000 + b"}",
    "deep and open": b"[" * 16_000,
    "40 deep": b'{"provider":' + b"[" * 40 + b"]" * 40 + b"}",
    "list": b"[]",
    "text": b'"dev"',
    "null": b"null",
    "twice": b'{"provider":"dev","provider":"dev"}',
    "BOM": b'\xef\xbb\xbf{"provider":"dev"}',
    "UTF-16": '{"provider":"dev"}'.encode("utf-16"),
    "not UTF-8": b'{"provider":"\xff"}',
    "surrogate": b'{"provider":"\\ud800"}',
    "surrogate key": b'{"\\udc00":"dev"}',
    "NUL": b'{"provider":"\\u0000"}',
    "raw NUL": b'{"provider":"\x00"}',
    "cut": b'{"provider":"dev"',
    "more": b'{"provider":"dev"}{}',
    "single quotes": b"{'provider':'dev'}",
    "comment": b'{"provider":"dev"/**/}',
}


@pytest.mark.parametrize("path", list(GOOD))
async def test_no_body_can_make_it_fail(http, path):
    for name, body in BODIES.items():
        answer = await http.post(path, content=body, headers={"content-type": "application/json"})
        assert (name, answer.status_code) == (name, 400)
    for media_type in ("text/plain", "application/x-www-form-urlencoded", "application/json-patch+json", ""):
        answer = await http.post(path, content=b'{"provider":"dev"}', headers={"content-type": media_type})
        assert_refused(answer, 400, "BAD_REQUEST")
    assert await counts() == NOTHING


async def test_a_body_of_sixteen_kilobytes_is_the_longest(http):
    def body(size: int) -> bytes:
        return b'{"provider":"dev"' + b" " * (size - 18) + b"}"

    headers = {"content-type": "application/json; charset=utf-8"}
    assert (await http.post("/auth/nonce", content=body(LARGEST_BODY_BYTES), headers=headers)).status_code == 200
    assert_refused(await http.post("/auth/nonce", content=body(LARGEST_BODY_BYTES + 1), headers=headers), 413, "TOO_LARGE")

    async def chunks():
        for _ in range(100):
            yield b" " * 1_000

    assert_refused(await http.post("/auth/nonce", content=chunks(), headers=headers), 413, "TOO_LARGE")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
async def test_only_post_is_taken(http, method):
    for path in (*GOOD, "/auth/sign-out", "/auth/sign-out-everywhere"):
        assert (await http.request(method, path)).status_code == 405


async def test_no_message_repeats_what_was_sent(http):
    marked = "MARKED-秘密-12345"
    for body in (
        {"provider": marked},
        {marked: 1},
        {"provider": "dev", "idToken": marked, "nonce": marked, "installationId": marked},
        {"provider": "dev", "idToken": "x", "nonce": "x", "installationId": "x", "device": {"platform": marked, marked: marked}},
        {"refreshToken": marked, "installationId": marked},
    ):
        for path in GOOD:
            assert "MARKED" not in (await http.post(path, json=body)).text


async def test_while_the_database_is_away_the_answer_is_503(services, monkeypatch):
    async def away(*_: object) -> None:
        raise database.DatabaseAway("no connection")

    async with served(Starlette(routes=list(routes(services)))) as client:
        nonce = await nonce_for(client)
        monkeypatch.setattr(database, "fetchrow", away)
        answer = await exchange(client, nonce=nonce)
        assert_refused(answer, 503, "UNAVAILABLE")
        assert answer.headers["retry-after"] == "2"
