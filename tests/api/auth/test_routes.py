"""Sign-in over HTTP: the way in and the ways out."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from domain import db as database
from domain.clock import FixedClock
from domain.ids import read_public_id
from tests.api.auth.asking import NOTHING, assert_refused, bearer, counts, exchange, nonce_for, refresh, signed_in


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


@pytest.mark.parametrize(
    ("header", "device", "of_member", "of_device"),
    [
        ("", None, "zh-TW", []),
        ("zh-Hant-HK,en;q=0.5", None, "zh-HK", []),
        ("ja", None, "en", []),
        ("zh-CN", "en-SG", "en-SG", ["en-SG"]),
        ("zh-CN", None, "zh-CN", []),
        ("zh-CN", "", "zh-CN", ["zh-CN"]),
    ],
)
async def test_a_new_member_speaks_the_language_of_the_first_sign_in(http, header, device, of_member, of_device):
    """`device`: its locale, "" for a device that names none."""
    given = {"platform": "ANDROID", "targetKind": "TOKEN", "target": "t"} | ({"locale": device} if device else {})
    http.headers["accept-language"] = header
    await signed_in(http, **({} if device is None else {"device": given}))
    http.headers["accept-language"] = "en"
    await signed_in(http)
    assert [row["locale"] for row in await database.fetch("select locale from member")] == [of_member]
    assert [row["locale"] for row in await database.fetch("select locale from device")] == of_device


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
