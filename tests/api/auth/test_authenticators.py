"""The authenticator app over HTTP."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pyotp
import pytest

from domain import db as database
from domain.members.rules import FRESH_ACT
from tests.api.auth.asking import assert_refused, bearer, signed_in

STEP = timedelta(seconds=30)
Tokens = dict[str, Any]


async def post(http: httpx.AsyncClient, act: str, tokens: Tokens, **body: Any) -> httpx.Response:
    return await http.post(f"/auth/authenticator{act}", json=body, headers=bearer(tokens))


async def set_up(http: httpx.AsyncClient, tokens: Tokens, clock) -> tuple[pyotp.TOTP, list[str]]:
    begun = await post(http, "/begin", tokens)
    assert begun.status_code == 200, begun.text
    app = pyotp.TOTP(begun.json()["secret"])
    kept = await post(http, "", tokens, code=app.at(clock.now()))
    assert kept.status_code == 201, kept.text
    return app, kept.json()["recoveryCodes"]


async def shown(http: httpx.AsyncClient, tokens: Tokens) -> Any:
    return (await http.get("/auth/authenticator", headers=bearer(tokens))).json()["authenticator"]


async def proven_at() -> list[Any]:
    return [tuple(row) for row in await database.fetch("select second_proof_at, confirmed_at from session order by id")]


async def test_it_is_set_up_and_proves(http, clock) -> None:
    tokens = await signed_in(http)
    assert await shown(http, tokens) is None
    begun = (await post(http, "/begin", tokens)).json()
    assert set(begun) == {"secret", "uri", "qrCode"}
    assert begun["uri"] == f"otpauth://totp/plusone:plusone?secret={begun['secret']}&issuer=plusone"
    assert begun["qrCode"].startswith("<svg")
    app, codes = await set_up(http, tokens, clock)
    assert app.secret != begun["secret"]
    assert (await proven_at(), await shown(http, tokens)) == (
        [(clock.now(), None)],
        {"since": "2026-11-21T08:00:00Z", "recoveryCodesLeft": 10},
    )
    clock.at += STEP
    answer = await post(http, "/code", tokens, code=app.at(clock.now()))
    assert (answer.status_code, answer.json()) == (200, {"provenUntil": "2026-11-21T08:05:30Z"})
    assert answer.headers["cache-control"] == "no-store"
    clock.at += STEP
    assert (await post(http, "/code", tokens, code=codes[3])).status_code == 200
    assert (await proven_at(), (await shown(http, tokens))["recoveryCodesLeft"]) == ([(clock.now(), None)], 9)


async def test_a_replayed_a_wrong_and_anothers_code_prove_nothing(http, clock) -> None:
    tokens, other = await signed_in(http), await signed_in(http, "dev:line:U2", installationId="phone-2")
    app, _ = await set_up(http, tokens, clock)
    theirs, their_codes = await set_up(http, other, clock)
    clock.at += STEP
    right = app.at(clock.now())
    assert (await post(http, "/code", tokens, code=right)).status_code == 200
    before = await proven_at()
    clock.at += timedelta(seconds=1)
    for code in (right, theirs.at(clock.now()), their_codes[0], "000000" if right != "000000" else "111111", "x"):
        assert_refused(await post(http, "/code", tokens, code=code), 401, "UNAUTHENTICATED")
    assert await proven_at() == before
    assert (await shown(http, other))["recoveryCodesLeft"] == 10


async def test_guesses_are_counted_by_person_over_all_sessions(http, clock) -> None:
    tokens = await signed_in(http)
    app, codes = await set_up(http, tokens, clock)
    sessions = [tokens, *[await signed_in(http, installationId=f"phone-{n}") for n in range(2, 4)]]
    for n in range(10):
        assert_refused(await post(http, "/code", sessions[n % 3], code=f"WRONG-{n:05}"), 401, "UNAUTHENTICATED")
    clock.at += STEP
    for code in (app.at(clock.now()), codes[0]):
        assert_refused(await post(http, "/code", tokens, code=code), 429, "TOO_MANY_REQUESTS")


async def test_setting_up_and_giving_up_need_a_fresh_sign_in_and_the_app_itself(http, clock) -> None:
    tokens = await signed_in(http)
    clock.at += FRESH_ACT + timedelta(seconds=1)
    for act in ("/begin", ""):
        assert_refused(await post(http, act, tokens, **({} if act else {"code": "123456"})), 403, "SIGN_IN_AGAIN")
    tokens = await signed_in(http, installationId="phone-2")
    app, _ = await set_up(http, tokens, clock)
    assert_refused(await post(http, "/begin", tokens), 409, "AUTHENTICATOR_KEPT")
    third = await signed_in(http, installationId="phone-3")
    for act in ("/begin", "/remove"):
        assert_refused(await post(http, act, third), 403, "SECOND_PROOF_NEEDED")
    clock.at += STEP
    assert (await post(http, "/code", third, code=app.at(clock.now()))).status_code == 200
    assert (await post(http, "/remove", third)).status_code == 204
    assert_refused(await post(http, "/remove", third), 404, "NOT_FOUND")
    assert await shown(http, third) is None


async def test_a_code_is_no_sign_in(http, clock) -> None:
    """An old session stays old."""
    tokens = await signed_in(http)
    app, _ = await set_up(http, tokens, clock)
    clock.at += FRESH_ACT + timedelta(seconds=1)
    assert_refused(await post(http, "/remove", tokens), 403, "SECOND_PROOF_NEEDED")
    assert (await post(http, "/code", tokens, code=app.at(clock.now()))).status_code == 200
    assert_refused(await post(http, "/remove", tokens), 403, "SIGN_IN_AGAIN")


@pytest.mark.parametrize(
    "body", [{}, {"code": ""}, {"code": 123456}, {"code": "1" * 21}, {"code": "123456", "more": 1}, {"code": "12\n456"}]
)
async def test_odd_bodies(http, body: dict[str, Any]) -> None:
    tokens = await signed_in(http)
    for act in ("", "/code"):
        assert_refused(await post(http, act, tokens, **body), 400, "BAD_REQUEST")


@pytest.mark.parametrize("act", ["/begin", "", "/code", "/remove"])
async def test_who_is_not_signed_in_has_none(http, act: str) -> None:
    assert_refused(await http.post(f"/auth/authenticator{act}", json={"code": "123456"}), 401, "UNAUTHENTICATED")
    assert_refused(await http.get("/auth/authenticator"), 401, "UNAUTHENTICATED")
