"""Passkeys over HTTP: everything that must not get in."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from domain import db as database
from domain.members import passkeys
from domain.members.rules import CHALLENGE_LIFE
from tests.api.auth.asking import assert_refused, counts, nonce_for, signed_in
from tests.api.auth.device import HONEST, ORIGIN, PRESENT, VERIFIED, Device, Lie, b64, flipped
from tests.api.auth.passkey_acts import book, confirm, enter, keep, kept, made, options
from tests.conftest import NOW

SECOND = timedelta(seconds=1)

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
