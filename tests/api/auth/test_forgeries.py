"""Attack A4: whatever is sent as an access token, the answer is "not signed in", and nothing else happens."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from api.auth.tokens import verify_access
from api.auth.viewer import Unauthenticated, Viewer
from domain.members import keys
from domain.members.rules import KeyUse
from tests.api.auth.conftest import session_row
from tests.api.auth.forgeries import Genuine, forgeries

ISSUER = "https://plusone.test"


@pytest.fixture
async def visits():
    """An address of this machine and the connections made to it."""
    made: list[object] = []

    async def visit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        made.append(writer.get_extra_info("peername"))
        writer.close()

    server = await asyncio.start_server(visit, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/keys", made


@pytest.fixture
async def genuine(services, signed_in, access_of, visits) -> Genuine:
    grant, other = await signed_in("U1"), await signed_in("U2", "phone-2")
    now = services.clock.now()
    access, pickup = await keys.active_key(KeyUse.ACCESS, now), await keys.active_key(KeyUse.PICKUP, now)
    return Genuine(
        await access_of(grant),
        access.private,
        pickup.private,
        pickup.kid,
        other.member_id,
        other.session_id,
        grant.refresh_token,
        visits[0],
    )


async def test_the_genuine_token_and_one_made_by_the_forger_s_own_hand_hold(genuine, clock):
    """The control: what the forgeries change is what makes them forgeries."""
    viewer = await verify_access(genuine.token, issuer=ISSUER, now=clock.now())
    assert isinstance(viewer, Viewer)
    assert await verify_access(genuine.rightly_signed(), issuer=ISSUER, now=clock.now()) == viewer
    assert await verify_access(genuine.with_claims(jti="another"), issuer=ISSUER, now=clock.now()) == viewer


async def test_every_forgery_is_unauthenticated_and_nothing_else(genuine, clock, visits):
    made = forgeries(genuine)
    assert len(made) >= 200
    answers = {}
    for name, token in made.items():
        try:
            answers[name] = str(await verify_access(token, issuer=ISSUER, now=clock.now()))
        except Unauthenticated:
            continue
        except Exception as error:
            answers[name] = repr(error)[:100]
    assert answers == {}
    assert visits[1] == []


async def test_every_forgery_gets_401_over_http_and_the_session_goes_on(genuine, http: httpx.AsyncClient, clock, visits):
    viewer = await verify_access(genuine.token, issuer=ISSUER, now=clock.now())
    # What HTTP cannot carry is left out; it also takes blanks around a value away.
    sendable = {n: t for n, t in forgeries(genuine).items() if t and t.isascii() and t.isprintable() and t == t.strip() and len(t) < 30_000}
    assert len(sendable) >= 190
    answers = {}
    for name, token in sendable.items():
        response = await http.post("/auth/sign-out-everywhere", headers={"authorization": f"Bearer {token}"})
        if (response.status_code, response.json()["error"]["code"]) != (401, "UNAUTHENTICATED"):
            answers[name] = response.status_code
    assert answers == {}
    assert visits[1] == []
    assert (await session_row(viewer.session_id))["ended_at"] is None
    assert await verify_access(genuine.token, issuer=ISSUER, now=clock.now()) == viewer


@pytest.mark.parametrize("scheme", ["Basic {}", "{}", "Bearer", "Bearer  {}", "bearer{}", "DPoP {}", "Bearer {} {}", "Bearer {},Bearer {}"])
async def test_another_scheme_is_not_a_way_in(genuine, http, scheme):
    response = await http.post("/auth/sign-out", headers={"authorization": scheme.replace("{}", genuine.token)})
    assert response.status_code == 401


async def test_two_authorization_headers_are_refused(genuine, http):
    pair = [("authorization", f"Bearer {genuine.token}"), ("authorization", f"Bearer {genuine.token}")]
    assert (await http.post("/auth/sign-out", headers=pair)).status_code == 401


async def test_a_token_elsewhere_than_in_the_header_is_nothing(genuine, http):
    assert (await http.post(f"/auth/sign-out?access_token={genuine.token}&token={genuine.token}")).status_code == 401
    cookie = {"cookie": f"access_token={genuine.token}; authorization=Bearer {genuine.token}"}
    assert (await http.post("/auth/sign-out", headers=cookie)).status_code == 401
    assert (await http.post("/auth/sign-out", data={"access_token": genuine.token})).status_code == 401
