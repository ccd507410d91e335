"""Firebase and people who work in a shop: Google is asked whether they may still sign in. firebase-admin's real client, real HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from api.auth.identity.firebase import Firebase
from api.auth.identity.firebase_users import EMULATOR, FirebaseUsers
from api.auth.identity.registry import providers_for
from api.auth.routes import routes
from api.notifications.service_account import self_made
from domain import db as database
from domain.bootstrap import Services
from domain.clock import FixedClock
from domain.errors import Unavailable
from domain.members import keys
from domain.members.errors import SignInRefused
from domain.settings import MissingSetting, load
from tests import build
from tests.api.auth.asking import assert_refused, bearer, counts, exchange, nonce_for
from tests.api.auth.conftest import SECRET_KEY, served
from tests.api.auth.minting import certificate
from tests.api.auth.test_sign_in_with_providers import made, services_of

UID = "uid-8fJ2"


@dataclass
class Google:
    """Google's servers: certificates, access tokens, and `accounts:lookup`, whose answer can be told."""

    url: str = ""
    user: dict[str, Any] | None = field(default_factory=dict)
    """What it says of whoever is asked about, beside the id; None: there is no such user."""
    status: int = 200
    silent: bool = False
    access: str = "ya29.of-tests"
    """The access token that it gives out and takes."""
    asked: list[tuple[str, Any]] = field(default_factory=list)
    """Project and body of each question."""
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def certificates(self, _: Request) -> Response:
        return JSONResponse({"own": certificate()})

    async def token(self, _: Request) -> Response:
        return JSONResponse({"access_token": self.access, "expires_in": 3599, "token_type": "Bearer"})

    async def lookup(self, request: Request) -> Response:
        body = await request.json()
        self.asked.append((request.path_params["project"], body))
        if self.silent:
            await self.over.wait()
        if request.headers.get("authorization") != f"Bearer {self.access}":
            return JSONResponse({"error": {"code": 401, "message": "no access token"}}, 401)
        if self.status != 200:
            return JSONResponse({"error": {"code": self.status, "message": f"PERMISSION_DENIED : about {body['localId'][0]}"}}, self.status)
        about = {"kind": "identitytoolkit#GetAccountInfoResponse"}
        return JSONResponse(about if self.user is None else about | {"users": [{"localId": body["localId"][0]} | self.user]})


@pytest.fixture
async def google() -> AsyncIterator[Google]:
    answering = Google()
    found = [
        Route("/certificates", answering.certificates),
        Route("/token", answering.token, methods=["POST"]),
        Route("/v1/projects/{project}/accounts:lookup", answering.lookup, methods=["POST"]),
        Route("/identitytoolkit.googleapis.com/v1/projects/{project}/accounts:lookup", answering.lookup, methods=["POST"]),
    ]
    async with served(Starlette(routes=found)) as client:
        answering.url = str(client.base_url).rstrip("/")
        yield answering
        answering.over.set()


@pytest.fixture
def account(google: Google, tmp_path: Path) -> Path:
    file = tmp_path / "firebase.json"
    file.write_text(json.dumps(self_made(google.url)))
    return file


def services_with(google: Google, clock: FixedClock, **given: Any) -> Services:
    return services_of(
        clock,
        firebase_auth_project_id="plusone-test",
        firebase_auth_certificates_url=f"{google.url}/certificates",
        firebase_auth_users_url=f"{google.url}/v1",
        **given,
    )


@pytest.fixture
async def services(db: str, clock: FixedClock, google: Google, account: Path) -> Services:
    keys.forget()
    found = services_with(google, clock, firebase_credentials=str(account))
    await keys.ensure_keys(found.vault, clock.now())
    return found


@pytest.fixture
async def http(services: Services) -> AsyncIterator[httpx.AsyncClient]:
    async with served(Starlette(routes=list(routes(services)))) as client:
        yield client


async def staff(uid: str = UID) -> None:
    """Somebody who works in a shop has this identity of Firebase."""
    member = await build.a_membership(await build.a_shop())
    await an_identity(member, uid)


async def an_identity(member: Any, uid: str) -> None:
    await database.execute(
        """insert into identity (id, member_id, provider, subject, created_at, last_seen_at)
           values (gen_random_uuid(), $1, 'firebase', $2, now(), now())""",
        member,
        uid,
    )


async def sign_in(http: httpx.AsyncClient, clock: FixedClock, *, ago: int = 0, **changes: Any) -> httpx.Response:
    """`ago`: seconds since the person signed in at Firebase, from which the token was made anew now."""
    token = made("firebase", "", "", clock.now(), auth_time=int(clock.now().timestamp()) - ago)
    return await exchange(http, token, provider="firebase", **changes)


def valid_since(clock: FixedClock, seconds: int) -> dict[str, Any]:
    return {"validSince": str(int(clock.now().timestamp()) + seconds)}


async def test_staff_who_may_are_asked_about_once_and_come_in(http: httpx.AsyncClient, clock: FixedClock, google: Google) -> None:
    await staff()
    google.user = {"disabled": False} | valid_since(clock, -60)
    assert (await sign_in(http, clock, ago=60)).status_code == 200
    assert google.asked == [("plusone-test", {"localId": [UID]})]


@pytest.mark.parametrize("case", ["disabled", "revoked a second later", "deleted"])
async def test_staff_who_may_not_any_more_are_refused_and_nothing_is_used_up(
    http: httpx.AsyncClient, clock: FixedClock, google: Google, case: str
) -> None:
    await staff()
    google.user = {"disabled": {"disabled": True}, "revoked a second later": valid_since(clock, -59), "deleted": None}[case]
    before = await counts()
    nonce = await nonce_for(http, "firebase")
    assert_refused(await sign_in(http, clock, ago=60, nonce=nonce), 401, "UNAUTHENTICATED")
    assert (await counts(), len(google.asked)) == (before, 1)
    google.user = {}
    assert (await sign_in(http, clock, ago=60, nonce=nonce)).status_code == 200, (
        "the control: the same token, once Google has nothing against it"
    )


async def test_buyers_and_who_works_there_no_more_are_never_asked_about(http: httpx.AsyncClient, clock: FixedClock, google: Google) -> None:
    google.user = {"disabled": True}
    assert (await sign_in(http, clock)).status_code == 200
    await database.execute("delete from seen_token")
    shop = await build.a_shop()
    member = await database.fetchval("select member_id from identity where subject = $1", UID)
    await build.a_membership(shop, member)
    assert_refused(await sign_in(http, clock), 401, "UNAUTHENTICATED")
    assert len(google.asked) == 1, "the control"
    await database.execute("update membership set ended_at = created_at where member_id = $1", member)
    assert (await sign_in(http, clock)).status_code == 200
    assert len(google.asked) == 1


async def test_a_fresh_sign_in_of_staff_is_asked_about_too(http: httpx.AsyncClient, clock: FixedClock, google: Google) -> None:
    await staff()
    tokens = (await sign_in(http, clock)).json()

    async def confirm() -> httpx.Response:
        body = {"provider": "firebase", "nonce": await nonce_for(http, "firebase")}
        token = made("firebase", "", "", clock.now(), auth_time=int(clock.now().timestamp()))
        return await http.post("/auth/confirm", json=body | {"idToken": token}, headers=bearer(tokens))

    clock.at += timedelta(minutes=6)
    google.user = {"disabled": True}
    assert_refused(await confirm(), 401, "UNAUTHENTICATED")
    assert await database.fetchval("select confirmed_at from session") is None
    google.user = {}
    assert (await confirm()).status_code == 200
    assert (await database.fetchval("select confirmed_at from session"), len(google.asked)) == (clock.now(), 3)


@pytest.mark.parametrize("status", [403, 500, 503])
async def test_an_answer_that_says_nothing_is_come_again_and_names_nobody(
    http: httpx.AsyncClient, clock: FixedClock, google: Google, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    await staff()
    google.status = status
    before = await counts()
    nonce = await nonce_for(http, "firebase")
    answer = await sign_in(http, clock, nonce=nonce)
    assert_refused(answer, 503, "UNAVAILABLE")
    assert answer.headers["retry-after"] == "2"
    assert (await counts(), len(google.asked)) == (before, 1), "it is asked once"
    told = [record.getMessage() for record in caplog.records if record.name == "api.auth.identity.firebase_users"]
    assert (len(told), str(status) in told[0], UID in caplog.text) == (1, True, False)
    google.status = 200
    assert (await sign_in(http, clock, nonce=nonce)).status_code == 200


async def test_a_silent_google_is_come_again_and_costs_no_guess(
    services: Services, clock: FixedClock, google: Google, account: Path
) -> None:
    await staff()
    providers = dict(providers_for(services.settings))
    firebase = providers[("firebase", "")]
    assert isinstance(firebase, Firebase)
    patient, firebase._users = (
        firebase._users,
        FirebaseUsers("plusone-test", account, f"{google.url}/v1", development=True, answer_seconds=0.5),
    )
    google.silent = True
    async with served(Starlette(routes=list(routes(services, providers)))) as http:
        nonce = await nonce_for(http, "firebase")
        assert_refused(await sign_in(http, clock, nonce=nonce), 503, "UNAVAILABLE")
        assert await database.fetchval("select coalesce(sum(guesses), 0) from guess_count") == 0
        google.silent, firebase._users = False, patient
        google.over.set()
        assert (await sign_in(http, clock, nonce=nonce)).status_code == 200


@pytest.fixture
def spoilt(account: Path) -> Path:
    account.write_text(json.dumps(json.loads(account.read_text()) | {"private_key": "none"}))
    return account


async def test_a_key_that_is_none_lets_no_staff_in(clock: FixedClock, google: Google, spoilt: Path) -> None:
    """Only the first question looks at the key itself."""
    with pytest.raises(Unavailable):
        await FirebaseUsers("p", spoilt, f"{google.url}/v1", development=True).check(UID, int(clock.now().timestamp()))
    assert google.asked == []


async def test_in_development_the_emulator_may_answer(
    clock: FixedClock, google: Google, account: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(EMULATOR, google.url.removeprefix("http://"))
    google.access = "owner"
    google.user = {"disabled": True}
    users = FirebaseUsers("plusone-test", account, development=True)
    with pytest.raises(SignInRefused):
        await users.check(UID, int(clock.now().timestamp()))
    assert google.asked == [("plusone-test", {"localId": [UID]})]


async def test_without_a_service_account_nobody_is_asked(db: str, clock: FixedClock, google: Google) -> None:
    keys.forget()
    services = services_with(google, clock)
    await keys.ensure_keys(services.vault, clock.now())
    await staff()
    google.user = {"disabled": True}
    async with served(Starlette(routes=list(routes(services)))) as http:
        assert (await sign_in(http, clock)).status_code == 200
    assert google.asked == []


def test_what_would_ask_nobody_or_somebody_else_stops_the_start(account: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"secret_key": SECRET_KEY, "environment": "production", "firebase_auth_project_id": "plusone-test"}
    assert ("firebase", "") in providers_for(load(**given, firebase_credentials=account))
    other = tmp_path / "hunter2.json"
    other.write_text('{"type": "authorized_user"}')
    plain = {"firebase_auth_users_url": "http://identitytoolkit.googleapis.com/v1"}
    for wrong in ({"firebase_credentials": tmp_path / "none"}, {"firebase_credentials": other}, {"firebase_credentials": account} | plain):
        with pytest.raises(MissingSetting, match="PLUSONE_FIREBASE_CREDENTIALS") as raised:
            providers_for(load(**given, **wrong))
        assert "hunter2" not in str(raised.value)
    monkeypatch.setenv(EMULATOR, "127.0.0.1:9099")
    with pytest.raises(MissingSetting, match=EMULATOR):
        providers_for(load(**given, firebase_credentials=account))
