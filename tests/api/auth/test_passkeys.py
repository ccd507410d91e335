"""Passkeys over HTTP: making one, signing in, confirming, and everything that must not get in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.applications import Starlette

from api.auth.passkeys import routes as passkey_routes
from api.auth.routes import routes
from domain import db as database
from domain.bootstrap import Services
from domain.ids import public_id
from domain.members import passkeys
from domain.members.claim_codes import start
from domain.members.merging import Asking, merge, undo
from domain.members.rules import CHALLENGE_LIFE, FRESH_ACT, CodeKind
from tests.api.auth.asking import assert_refused, bearer, counts, nonce_for, signed_in
from tests.api.auth.conftest import served
from tests.api.auth.device import HONEST, ORIGIN, PRESENT, RP_ID, VERIFIED, Device, Lie, b64, flipped
from tests.conftest import NOW

SECOND = timedelta(seconds=1)
Tokens = dict[str, Any]


@pytest.fixture
async def http(services: Services) -> AsyncIterator[httpx.AsyncClient]:
    """The routes of sign-in and of passkeys over HTTP."""
    async with served(Starlette(routes=[*routes(services), *passkey_routes(services)])) as client:
        yield client


async def options(http: httpx.AsyncClient, act: str, tokens: Tokens | None = None) -> dict[str, Any]:
    response = await http.post(f"/auth/passkeys/{act}-options", headers=bearer(tokens) if tokens else {})
    assert response.status_code == 200, response.text
    assert response.headers["cache-control"] == "no-store"
    assert set(response.json()) == {"publicKey", "expiresAt"}
    return response.json()["publicKey"]


async def keep(http: httpx.AsyncClient, tokens: Tokens, credential: Any, name: str = "My phone") -> httpx.Response:
    return await http.post("/auth/passkeys", json={"name": name, "credential": credential}, headers=bearer(tokens))


async def made(http: httpx.AsyncClient, tokens: Tokens, device: Device | None = None, name: str = "My phone") -> Device:
    device = device or Device()
    response = await keep(http, tokens, device.create(await options(http, "creation", tokens)), name)
    assert response.status_code == 201, response.text
    return device


async def enter(http: httpx.AsyncClient, credential: Any, **more: Any) -> httpx.Response:
    return await http.post("/auth/passkeys/sign-in", json={"credential": credential, "installationId": "phone-9"} | more)


async def confirm(http: httpx.AsyncClient, tokens: Tokens, credential: Any) -> httpx.Response:
    return await http.post("/auth/passkeys/confirm", json={"credential": credential}, headers=bearer(tokens))


async def kept() -> list[tuple[int, Any]]:
    return [tuple(row) for row in await database.fetch("select sign_count, last_used_at from passkey order by id")]


async def book() -> list[str]:
    return [row["action"] for row in await database.fetch("select action from member_event order by id")]


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


# --- what must not get in ---------------------------------------------------------------------------------------------------

LIES = {
    "another page": Lie(origin="https://plusone.test.evil.example"),
    "another port": Lie(origin=f"{ORIGIN}:8443"),
    "an app": Lie(origin="android:apk-key-hash:AAAA"),
    "another domain": Lie(rp_id="evil.example"),
    "nobody touched it": Lie(flags=VERIFIED),
    "nobody was verified": Lie(flags=PRESENT),
    "a frame of another page": Lie(more={"crossOrigin": True}),
    "another challenge": Lie(more={"challenge": b64(bytes(42))}),
    "no challenge": Lie(more={"challenge": None}),
    "an empty challenge": Lie(more={"challenge": ""}),
    "another act": Lie(kind="payment.get"),
}


@pytest.mark.parametrize("what", LIES)
async def test_a_passkey_that_was_made_wrong_is_not_kept(http, what: str) -> None:
    tokens = await signed_in(http)
    before = await counts()
    wrong = Device().create(await options(http, "creation", tokens), LIES[what])
    assert_refused(await keep(http, tokens, wrong), 401, "UNAUTHENTICATED")
    assert (await kept(), await counts(), await book()) == ([], before, [])


@pytest.mark.parametrize("fmt", ["tpm", "android-safetynet", "apple", "fido-u2f", "odd"])
async def test_certificates_of_makers_are_not_taken(http, fmt: str) -> None:
    tokens = await signed_in(http)
    wrong = Device().create(await options(http, "creation", tokens), Lie(fmt=fmt))
    assert_refused(await keep(http, tokens, wrong), 401, "UNAUTHENTICATED")
    assert await kept() == []


@pytest.mark.parametrize("what", [*LIES, "of nobody", "of another member"])
async def test_a_signature_over_something_else_signs_nobody_in(http, what: str) -> None:
    tokens = await signed_in(http)
    device = await made(http, tokens)
    other = await signed_in(http, "dev:line:U2", installationId="phone-2")
    lie = LIES.get(what) or Lie(user=b"" if what == "of nobody" else (await made(http, other)).user)
    table = await kept()
    before = await counts()
    assert_refused(await enter(http, device.sign(await options(http, "sign-in"), lie)), 401, "UNAUTHENTICATED")
    assert (await kept(), await counts()) == (table, before)
    if what != "of nobody":
        assert_refused(await confirm(http, tokens, device.sign(await options(http, "confirm", tokens), lie)), 401, "UNAUTHENTICATED")
        assert (await kept(), await counts()) == (table, before)


async def test_a_signature_under_another_key_is_none(http) -> None:
    device = await made(http, await signed_in(http))
    thief = Device(credential_id=device.credential_id, user=device.user, count=device.count)
    assert_refused(await enter(http, thief.sign(await options(http, "sign-in"))), 401, "UNAUTHENTICATED")
    unknown = Device(user=device.user)
    assert_refused(await enter(http, unknown.sign(await options(http, "sign-in"))), 401, "UNAUTHENTICATED")
    assert await kept() == [(0, None)]


@pytest.mark.parametrize("part", ["clientDataJSON", "authenticatorData", "signature", "userHandle"])
async def test_each_byte_of_a_signature_counts(http, clock, part: str) -> None:
    device = await made(http, await signed_in(http))
    asked = await options(http, "sign-in")
    credential = device.sign(asked)
    whole = credential["response"][part]
    before = await counts()
    for place in range(len(whole) * 3 // 4):
        credential["response"][part] = flipped(whole, place)
        assert_refused(await enter(http, credential, installationId=f"phone-{place}"), 401, "UNAUTHENTICATED")
        await database.execute("delete from guess_count")
    assert (await counts(), await kept()) == (before, [(0, None)])
    credential["response"][part] = whole
    assert (await enter(http, credential)).status_code == 200


async def test_a_challenge_is_good_once(http) -> None:
    tokens = await signed_in(http)
    asked = await options(http, "creation", tokens)
    device = Device()
    assert (await keep(http, tokens, device.create(asked))).status_code == 201
    assert_refused(await keep(http, tokens, Device().create(asked)), 401, "UNAUTHENTICATED")
    asked = await options(http, "sign-in")
    first = device.sign(asked)
    assert (await enter(http, first)).status_code == 200
    for again in (first, device.sign(asked)):
        assert_refused(await enter(http, again), 401, "UNAUTHENTICATED")
    assert (await kept())[0][0] == 1
    asked = await options(http, "confirm", tokens)
    assert (await confirm(http, tokens, device.sign(asked))).status_code == 200
    assert_refused(await confirm(http, tokens, device.sign(asked)), 401, "UNAUTHENTICATED")
    assert await database.fetchval("select count(*) from passkey") == 1


async def test_a_challenge_lives_five_minutes(http, clock) -> None:
    tokens = await signed_in(http)
    device = await made(http, tokens)
    asked = [await options(http, act, tokens) for act in ("creation", "sign-in", "confirm")]
    clock.at = NOW + CHALLENGE_LIFE
    assert_refused(await keep(http, tokens, Device().create(asked[0])), 401, "UNAUTHENTICATED")
    assert_refused(await enter(http, device.sign(asked[1])), 401, "UNAUTHENTICATED")
    assert_refused(await confirm(http, tokens, device.sign(asked[2])), 401, "UNAUTHENTICATED")
    clock.at -= SECOND
    assert (await enter(http, device.sign(asked[1]))).status_code == 200


async def test_a_challenge_is_good_for_its_own_act_and_session(http) -> None:
    tokens, other = await signed_in(http), await signed_in(http, installationId="phone-2")
    device = await made(http, tokens)
    asked = {act: await options(http, act, tokens) for act in ("creation", "sign-in", "confirm")}
    for act in ("sign-in", "confirm"):
        wrong = Device().create({**asked["creation"], "challenge": asked[act]["challenge"]})
        assert_refused(await keep(http, tokens, wrong), 401, "UNAUTHENTICATED")
    for act in ("creation", "confirm"):
        assert_refused(await enter(http, device.sign(asked[act])), 401, "UNAUTHENTICATED")
    for act in ("creation", "sign-in"):
        assert_refused(await confirm(http, tokens, device.sign(asked[act])), 401, "UNAUTHENTICATED")
    assert_refused(await confirm(http, other, device.sign(asked["confirm"])), 401, "UNAUTHENTICATED")
    assert await kept() == [(0, None)]
    assert (await confirm(http, other, device.sign(await options(http, "confirm", other)))).status_code == 200
    table = await kept()
    assert_refused(await keep(http, other, Device().create(asked["creation"])), 401, "UNAUTHENTICATED")
    nonce = {"challenge": await nonce_for(http)}
    assert_refused(await enter(http, device.sign(nonce)), 401, "UNAUTHENTICATED")
    assert await kept() == table


async def test_anothers_passkey_confirms_nothing_and_is_kept_once(http) -> None:
    tokens, other = await signed_in(http), await signed_in(http, "dev:line:U2", installationId="phone-2")
    device, theirs = await made(http, tokens), await made(http, other)
    asked = await options(http, "confirm", tokens)
    for lie in (HONEST, Lie(user=b""), Lie(user=device.user)):
        assert_refused(await confirm(http, tokens, theirs.sign(asked, lie)), 401, "UNAUTHENTICATED")
    assert_refused(await keep(http, other, device.copy().create(await options(http, "creation", other))), 401, "UNAUTHENTICATED")
    assert await kept() == [(0, None), (0, None)]


async def test_a_copy_is_refused_and_stands_in_the_book(http) -> None:
    tokens = await signed_in(http)
    device = await made(http, tokens)
    copy = device.copy()
    for _ in range(2):
        assert (await enter(http, device.sign(await options(http, "sign-in")))).status_code == 200
    sessions = (await counts())["session"]
    before = passkeys.COPIED._value.get()
    asked = await options(http, "sign-in")
    assert_refused(await enter(http, copy.sign(asked)), 401, "UNAUTHENTICATED")
    assert_refused(await enter(http, copy.sign(await options(http, "sign-in"))), 401, "UNAUTHENTICATED")
    assert (await book(), (await counts())["session"]) == (["PASSKEY_ADDED", "PASSKEY_COPIED", "PASSKEY_COPIED"], sessions)
    assert passkeys.COPIED._value.get() == before + 2
    assert [count for count, _ in await kept()] == [2]
    detail = await database.fetchval("select detail from member_event where action = 'PASSKEY_COPIED' order by id limit 1")
    assert {name: value for name, value in database.from_jsonb(detail).items() if name != "passkey"} == {"last": 2, "count": 1}
    # The challenge of a copy is used up too, and a device that stopped counting is a copy.
    assert_refused(await enter(http, device.sign(asked)), 401, "UNAUTHENTICATED")
    silent = Device(device.key, device.credential_id, device.user, 0, counts=False)
    assert_refused(await confirm(http, tokens, silent.sign(await options(http, "confirm", tokens))), 401, "UNAUTHENTICATED")
    assert (await book())[-1] == "PASSKEY_COPIED"


async def test_who_cannot_sign_cannot_make_a_passkey_look_copied(http) -> None:
    device = await made(http, await signed_in(http))
    assert (await enter(http, device.sign(await options(http, "sign-in")))).status_code == 200
    forged = Device(credential_id=device.credential_id, user=device.user).sign(await options(http, "sign-in"))
    assert_refused(await enter(http, forged), 401, "UNAUTHENTICATED")
    assert await book() == ["PASSKEY_ADDED"]


async def test_of_two_signatures_with_one_count_one_gets_in(http) -> None:
    """The original and its copy at once: the row says which was first."""
    device = await made(http, await signed_in(http))
    both = [one.sign(await options(http, "sign-in")) for one in (device, device.copy())]
    answers = await asyncio.gather(*(enter(http, one, installationId=f"phone-{n}") for n, one in enumerate(both)))
    assert sorted(answer.status_code for answer in answers) == [200, 401]
    assert await book() == ["PASSKEY_ADDED", "PASSKEY_COPIED"]


async def test_of_two_uses_of_one_signature_one_gets_in(http) -> None:
    device = await made(http, await signed_in(http), Device(counts=False))
    signed = device.sign(await options(http, "sign-in"))
    answers = await asyncio.gather(*(enter(http, signed, installationId=f"phone-{n}") for n in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]


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
