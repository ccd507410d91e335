"""Passkeys over HTTP: making one, signing in, confirming, the list, and odd bodies. `test_passkeys_forged.py` has what must not get in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain import db as database
from domain.ids import public_id
from domain.members import passkeys
from domain.members.claim_codes import start
from domain.members.merging import Asking, merge, undo
from domain.members.rules import FRESH_ACT, CodeKind
from tests.api.auth.asking import assert_refused, bearer, counts, signed_in
from tests.api.auth.device import RP_ID, Device, Lie, b64, flipped
from tests.api.auth.passkey_acts import book, confirm, enter, keep, kept, made, options
from tests.conftest import NOW

SECOND = timedelta(seconds=1)


# --- the way in -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [None, Ed25519PrivateKey.generate], ids=["P-256", "Ed25519"])
async def test_a_passkey_is_made_and_signs_in(http, clock, key: Callable[[], Ed25519PrivateKey] | None) -> None:
    tokens = await signed_in(http)
    device = await made(http, tokens, Device() if key is None else Device(key=key()))
    assert await book() == ["PASSKEY_ADDED"]
    clock.at += timedelta(hours=1)
    response = await enter(http, device.sign(await options(http, "sign-in")))
    assert response.status_code == 200, response.text
    assert set(response.json()) == {"accessToken", "expiresAt", "refreshToken", "member"}
    assert response.json()["member"] == tokens["member"]
    assert await kept() == [(1, clock.now())]
    assert (await http.get("/auth/sessions", headers=bearer(response.json()))).status_code == 200
    row = await database.fetchrow("select second_proof_at, confirmed_at, created_at from session order by id desc limit 1")
    assert tuple(row) == (clock.now(), None, clock.now())


async def test_what_a_device_is_asked_for(http) -> None:
    tokens = await signed_in(http)
    await database.execute("update member set display_name = '林小美'")
    device = await made(http, tokens)
    asked = await options(http, "creation", tokens)
    assert (asked["rp"], asked["user"]["name"]) == ({"name": "plusone", "id": RP_ID}, "林小美")
    assert asked["authenticatorSelection"] == {"residentKey": "required", "requireResidentKey": True, "userVerification": "required"}
    assert [one["id"] for one in asked["excludeCredentials"]] == [b64(device.credential_id)]
    anybody = await options(http, "sign-in")
    assert (anybody["rpId"], anybody["allowCredentials"], anybody["userVerification"]) == (RP_ID, [], "required")
    mine = await options(http, "confirm", tokens)
    assert [one["id"] for one in mine["allowCredentials"]] == [b64(device.credential_id)]


async def test_asking_for_challenges_writes_nothing(http) -> None:
    tokens = await signed_in(http)
    before = await counts()
    for act in ("creation", "sign-in", "confirm"):
        await options(http, act, tokens)
    assert await counts() == before


async def test_a_phone_comes_along_with_the_sign_in(http) -> None:
    device = await made(http, await signed_in(http))
    phone = {"platform": "IOS", "targetKind": "TOKEN", "target": "t", "locale": "en"}
    assert (await enter(http, device.sign(await options(http, "sign-in")), device=phone)).status_code == 200
    assert await database.fetchval("select installation_id from device") == "phone-9"


async def test_a_device_that_does_not_count_signs_in_again_and_again(http) -> None:
    device = await made(http, await signed_in(http), Device(counts=False))
    for _ in range(3):
        assert (await enter(http, device.sign(await options(http, "sign-in")))).status_code == 200
    assert [count for count, _ in await kept()] == [0]


async def test_confirming_makes_an_old_session_fresh(http, clock) -> None:
    tokens = await signed_in(http)
    device = await made(http, tokens)
    clock.at += FRESH_ACT + SECOND
    response = await confirm(http, tokens, device.sign(await options(http, "confirm", tokens)))
    assert (response.status_code, response.json()) == (200, {"freshUntil": "2026-11-21T08:10:01Z"})
    row = await database.fetchrow("select second_proof_at, confirmed_at from session")
    assert tuple(row) == (clock.now(), clock.now())


async def test_a_device_need_not_say_whose_it_is_where_the_session_does(http) -> None:
    tokens = await signed_in(http)
    device = await made(http, tokens)
    assert (await confirm(http, tokens, device.sign(await options(http, "confirm", tokens), Lie(user=b"")))).status_code == 200


# --- the list ---------------------------------------------------------------------------------------------------------------


async def test_passkeys_are_listed_and_given_up(http, clock) -> None:
    tokens = await signed_in(http)
    device = await made(http, tokens, name="手機")
    clock.at += SECOND
    await made(http, tokens, name="Key ring")
    clock.at += SECOND
    assert (await confirm(http, tokens, device.sign(await options(http, "confirm", tokens)))).status_code == 200
    (phone, ring) = (await http.get("/auth/passkeys", headers=bearer(tokens))).json()["passkeys"]
    assert {**phone, "id": ""} == {"id": "", "name": "手機", "createdAt": "2026-11-21T08:00:00Z", "lastUsedAt": "2026-11-21T08:00:02Z"}
    assert (ring["name"], ring["lastUsedAt"]) == ("Key ring", None)
    other = await signed_in(http, "dev:line:U2", installationId="phone-2")
    assert (await http.get("/auth/passkeys", headers=bearer(other))).json() == {"passkeys": []}
    for who, key in ((other, phone["id"]), (tokens, public_id("session", database_id(phone["id"]))), (tokens, "x")):
        gone = await http.post("/auth/passkeys/remove", json={"passkeyId": key}, headers=bearer(who))
        assert_refused(gone, 404, "NOT_FOUND")
    assert (await http.post("/auth/passkeys/remove", json={"passkeyId": phone["id"]}, headers=bearer(tokens))).status_code == 204
    assert [one["name"] for one in (await http.get("/auth/passkeys", headers=bearer(tokens))).json()["passkeys"]] == ["Key ring"]
    assert_refused(await enter(http, device.sign(await options(http, "sign-in"))), 401, "UNAUTHENTICATED")
    assert await book() == ["PASSKEY_ADDED", "PASSKEY_ADDED", "PASSKEY_REMOVED"]


def database_id(text: str) -> Any:
    from domain.ids import read_public_id

    read = read_public_id(text)
    assert read is not None
    return read[1]


async def test_twenty_are_enough(http) -> None:
    tokens = await signed_in(http)
    for _ in range(passkeys.MOST):
        await made(http, tokens)
    asked = await options(http, "creation", tokens)
    assert_refused(await keep(http, tokens, Device().create(asked)), 409, "TOO_MANY_PASSKEYS")
    assert len(await kept()) == passkeys.MOST


async def test_setting_one_up_needs_a_fresh_sign_in_and_a_further_one_the_first(http, clock) -> None:
    tokens = await signed_in(http)
    clock.at += FRESH_ACT + SECOND
    assert_refused(await http.post("/auth/passkeys/creation-options", headers=bearer(tokens)), 403, "SIGN_IN_AGAIN")
    again = await signed_in(http, installationId="phone-2")
    device = await made(http, again)
    # A session that has signed in just now, but without the passkey.
    third = await signed_in(http, installationId="phone-3")
    assert_refused(await http.post("/auth/passkeys/creation-options", headers=bearer(third)), 403, "SECOND_PROOF_NEEDED")
    (row,) = (await http.get("/auth/passkeys", headers=bearer(third))).json()["passkeys"]
    gone = await http.post("/auth/passkeys/remove", json={"passkeyId": row["id"]}, headers=bearer(third))
    assert_refused(gone, 403, "SECOND_PROOF_NEEDED")
    assert (await confirm(http, third, device.sign(await options(http, "confirm", third)))).status_code == 200
    assert (await http.post("/auth/passkeys/remove", json={"passkeyId": row["id"]}, headers=bearer(third))).status_code == 204


# --- the account ------------------------------------------------------------------------------------------------------------


async def test_a_passkey_rests_while_its_account_is_part_of_another(http, clock) -> None:
    keeper, tokens = await signed_in(http), await signed_in(http, "dev:facebook:F1", installationId="phone-2")
    device = await made(http, tokens)
    keeper_id, member_id = (database_id(one["member"]["id"]) for one in (keeper, tokens))
    code = await start(member_id=keeper_id, kind=CodeKind.MERGE, now=NOW)
    session = await database.fetchval("select id from session where member_id = $1", member_id)
    merge_id = await merge(Asking(member_id, session), code.text, NOW)
    assert_refused(await enter(http, device.sign(await options(http, "sign-in"))), 401, "UNAUTHENTICATED")
    await undo(merge_id=merge_id, member_id=keeper_id, now=NOW)
    assert (await enter(http, device.sign(await options(http, "sign-in")))).json()["member"] == tokens["member"]


async def test_a_deleted_member_signs_in_no_more(http) -> None:
    device = await made(http, await signed_in(http))
    await database.execute("update member set deleted_at = $1", NOW)
    assert_refused(await enter(http, device.sign(await options(http, "sign-in"))), 401, "UNAUTHENTICATED")


@dataclass(slots=True)
class Odd:
    path: str
    body: Any
    status: int = 400


@pytest.mark.parametrize(
    "odd",
    [
        Odd("/auth/passkeys", {}), Odd("/auth/passkeys", {"name": "x"}), Odd("/auth/passkeys", {"name": "", "credential": {}}),
        Odd("/auth/passkeys", {"name": "x" * 61, "credential": {}}), Odd("/auth/passkeys", {"name": "a\nb", "credential": {}}),
        Odd("/auth/passkeys", {"name": "x", "credential": []}), Odd("/auth/passkeys", {"name": "x", "credential": {}, "more": 1}),
        Odd("/auth/passkeys", {"name": "x", "credential": {}}, 401), Odd("/auth/passkeys", {"name": "x", "credential": {"response": []}}, 401),
        Odd("/auth/passkeys/remove", {}), Odd("/auth/passkeys/sign-in", {"credential": {}}),
        Odd("/auth/passkeys/sign-in", {"credential": {}, "installationId": "i"}, 401),
        Odd("/auth/passkeys/sign-in", {"credential": {"id": 1, "response": {"userHandle": 1}}, "installationId": "i"}, 401),
        Odd("/auth/passkeys/sign-in", {"credential": {"response": {"clientDataJSON": b64(b"[]")}}, "installationId": "i"}, 401),
        Odd("/auth/passkeys/sign-in", {"credential": {"response": {"clientDataJSON": "é"}}, "installationId": "i"}, 401),
        Odd("/auth/passkeys/sign-in", {"credential": {"response": {"clientDataJSON": b64(b'{"challenge":"\\u00e9"}')}}, "installationId": "i"}, 401),
        Odd("/auth/passkeys/confirm", {"credential": None}), Odd("/auth/passkeys/confirm", {"credential": {}}, 401),
    ],
)  # fmt: skip
async def test_odd_bodies(http, odd: Odd) -> None:
    tokens = await signed_in(http)
    answer = await http.post(odd.path, json=odd.body, headers=bearer(tokens))
    assert_refused(answer, odd.status, "BAD_REQUEST" if odd.status == 400 else "UNAUTHENTICATED")


@pytest.mark.parametrize("change", [0, 1, 30, 36, 40, 55, 60, 90, 100, 130, 150, 180])
async def test_bytes_that_are_no_passkey_are_refused_or_kept_whole(http, change: int) -> None:
    """Nobody signs what a device says when it makes a passkey; but no byte of it makes anything but a no, or a passkey that signs in."""
    tokens = await signed_in(http)
    device = Device()
    credential = device.create(await options(http, "creation", tokens))
    credential["response"]["attestationObject"] = flipped(credential["response"]["attestationObject"], change)
    answer = await keep(http, tokens, credential)
    assert answer.status_code in (201, 401), answer.text
    assert len(await kept()) == (answer.status_code == 201)


@pytest.mark.parametrize("act", ["creation-options", "confirm-options", "confirm", "remove", ""])
async def test_who_is_not_signed_in_has_none(http, act: str) -> None:
    assert_refused(await http.post(f"/auth/passkeys/{act}".rstrip("/"), json={}), 401, "UNAUTHENTICATED")
    assert_refused(await http.get("/auth/passkeys"), 401, "UNAUTHENTICATED")


async def test_guesses_are_counted(http) -> None:
    device = await made(http, await signed_in(http))
    thief = Device(credential_id=device.credential_id, user=device.user)
    for _ in range(10):
        assert_refused(await enter(http, thief.sign(await options(http, "sign-in"))), 401, "UNAUTHENTICATED")
    assert_refused(await enter(http, device.sign(await options(http, "sign-in"))), 429, "TOO_MANY_REQUESTS")
