"""Access tokens: what is in them, how long they hold, and what ends them early."""

from __future__ import annotations

from datetime import timedelta

import httpx
import jwt
import pytest
from starlette.datastructures import Headers

from api.auth import tokens
from api.auth.bearer import viewer_of
from api.auth.tokens import verify_access
from api.auth.viewer import Unauthenticated, Viewer
from domain import db as database
from domain.members import keys, sessions
from domain.members.rules import KeyUse
from domain.members.standing import forget
from domain.settings import load
from domain.vault import Vault
from tests.api.auth.conftest import SECRET_KEY

ISSUER = "https://plusone.test"


async def holds(token: str, now) -> bool:
    try:
        await verify_access(token, issuer=ISSUER, now=now)
    except Unauthenticated:
        return False
    return True


async def test_a_token_names_ids_and_nothing_else(services, signed_in, access_of, clock):
    grant = await signed_in()
    token = await access_of(grant)
    key = await keys.active_key(KeyUse.ACCESS, clock.now())
    assert jwt.get_unverified_header(token) == {"alg": "EdDSA", "typ": "at+jwt", "kid": key.kid}
    claims = jwt.decode(token, options={"verify_signature": False})
    assert len(claims.pop("jti")) == 36
    assert claims == {
        "iss": ISSUER,
        "aud": "plusone-app",
        "sub": str(grant.member_id),
        "sid": str(grant.session_id),
        "iat": int(clock.now().timestamp()),
        "exp": int(clock.now().timestamp()) + 600,
        "ver": 1,
    }
    assert len(token) < 700


async def test_a_token_holds_for_ten_minutes(services, signed_in, access_of, clock):
    token = await access_of(await signed_in())
    for seconds, expected in ((-60, True), (-61, False), (0, True), (599, True), (600, False)):
        assert await holds(token, clock.now() + timedelta(seconds=seconds)) is expected, seconds


async def test_another_issuer_s_token_is_not_ours(services, signed_in, access_of, clock):
    token = await access_of(await signed_in())
    with pytest.raises(Unauthenticated):
        await verify_access(token, issuer="https://other.test", now=clock.now())


async def test_headers_without_authorization_are_nobody(services, signed_in, access_of):
    grant = await signed_in()
    assert await viewer_of(Headers({}), services) is None
    token = await access_of(grant)
    assert await viewer_of(Headers({"Authorization": f"Bearer {token}"}), services) == Viewer(grant.member_id, grant.session_id)
    assert await viewer_of(Headers({"Authorization": f"bearer {token}"}), services) == Viewer(grant.member_id, grant.session_id)
    with pytest.raises(Unauthenticated):
        await viewer_of(Headers({"Authorization": ""}), services)


async def test_sign_out_ends_the_token_at_once_in_this_process(services, signed_in, access_of, clock):
    grant, other = await signed_in(), await signed_in(installation="phone-2")
    token, other_token = await access_of(grant), await access_of(other)
    assert await holds(token, clock.now())
    await sessions.end(grant.session_id, clock.now())
    assert not await holds(token, clock.now())
    assert await holds(other_token, clock.now())


async def test_signing_out_everywhere_ends_every_token_of_the_member_only(services, signed_in, access_of, clock):
    mine = [await access_of(await signed_in(installation=f"phone-{n}")) for n in range(3)]
    theirs = await access_of(await signed_in("U2"))
    assert [await holds(token, clock.now()) for token in [*mine, theirs]] == [True] * 4
    member_id = (await verify_access(mine[0], issuer=ISSUER, now=clock.now())).member_id
    await sessions.end_all(member_id, clock.now())
    assert [await holds(token, clock.now()) for token in [*mine, theirs]] == [False, False, False, True]


@pytest.mark.parametrize(
    "change",
    [
        "update member set ver = ver + 1",
        "update member set deleted_at = now()",
        "update session set ended_at = now(), ended_reason = 'SIGN_OUT'",
        "update session set ends_at = created_at",
    ],
)
async def test_a_change_in_another_process_is_seen_within_thirty_seconds(services, signed_in, access_of, clock, change):
    token = await access_of(await signed_in())
    assert await holds(token, clock.now())
    await database.execute(change)
    assert await holds(token, clock.now() + timedelta(seconds=29))
    assert not await holds(token, clock.now() + timedelta(seconds=30))


async def test_a_clock_that_was_set_back_does_not_keep_the_cache(services, signed_in, access_of, clock):
    token = await access_of(await signed_in())
    assert await holds(token, clock.now() + timedelta(seconds=20))
    await database.execute("update member set ver = ver + 1")
    assert not await holds(token, clock.now())


async def test_a_deleted_key_s_tokens_die_and_the_next_key_signs(services, signed_in, access_of, clock):
    grant = await signed_in()
    old = await access_of(grant)
    key = await keys.active_key(KeyUse.ACCESS, clock.now())
    await keys.revoke(key.kid, services.vault, clock.now())
    assert not await holds(old, clock.now())
    assert await holds(await access_of(grant), clock.now())


async def test_tokens_outlive_a_rotation(services, signed_in, access_of, clock):
    grant = await signed_in()
    first = await keys.active_key(KeyUse.ACCESS, clock.now())
    await keys.rotate(KeyUse.ACCESS, services.vault, clock.now())
    clock.at += timedelta(hours=24) - timedelta(seconds=1)
    old = await access_of(grant)
    assert jwt.get_unverified_header(old)["kid"] == first.kid
    clock.at += timedelta(seconds=2)
    new = await access_of(grant)
    assert jwt.get_unverified_header(new)["kid"] != first.kid
    assert await holds(old, clock.now())
    assert await holds(new, clock.now())


async def test_the_statement_is_asked_once_for_many_requests(services, signed_in, access_of, clock, monkeypatch):
    token = await access_of(await signed_in())
    asked = []
    real = database.fetchrow

    async def counting(sql, *args):
        asked.append(sql)
        return await real(sql, *args)

    monkeypatch.setattr(database, "fetchrow", counting)
    forget()
    for _ in range(50):
        assert await holds(token, clock.now())
    assert len(asked) == 1


async def test_the_public_keys_are_published_with_the_next_one(services, http: httpx.AsyncClient, signed_in, access_of, clock):
    token = await access_of(await signed_in())
    first = await http.get("/.well-known/jwks.json")
    assert first.headers["cache-control"] == "public, max-age=300"
    assert [set(key) for key in first.json()["keys"]] == [{"kty", "crv", "x", "kid", "alg", "use"}]
    await keys.rotate(KeyUse.ACCESS, services.vault, clock.now())
    published = (await http.get("/.well-known/jwks.json")).json()
    assert len(published["keys"]) == 2
    # Another program checks our token with nothing but this address.
    known = jwt.PyJWKSet.from_dict(published)
    key = known[jwt.get_unverified_header(token)["kid"]]
    options = {"verify_exp": False, "verify_iat": False}
    assert jwt.decode(token, key, algorithms=["EdDSA"], audience="plusone-app", issuer=ISSUER, options=options)["ver"] == 1


async def test_a_signature_is_checked_once_and_everything_else_each_time(services, signed_in, access_of, clock, monkeypatch):
    token = await access_of(await signed_in())
    checked = []
    real = tokens._prove
    monkeypatch.setattr(tokens, "_prove", lambda *given: checked.append(given[0]) or real(*given))
    monkeypatch.setattr(tokens, "_proven", {})
    for _ in range(10):
        assert await holds(token, clock.now())
    assert checked == [token]
    # Proven once, it still ends with its time, its issuer and its key.
    assert not await holds(token, clock.now() + timedelta(minutes=10))
    with pytest.raises(Unauthenticated):
        await verify_access(token, issuer="https://other.test", now=clock.now())
    key = await keys.active_key(KeyUse.ACCESS, clock.now())
    await keys.revoke(key.kid, services.vault, clock.now())
    assert not await holds(token, clock.now())


async def test_forgeries_are_not_kept_and_the_kept_ones_have_a_limit(services, signed_in, access_of, clock, monkeypatch):
    monkeypatch.setattr(tokens, "_proven", {})
    monkeypatch.setattr(tokens, "MOST_PROVEN", 3)
    grant = await signed_in()
    for _ in range(10):
        assert await holds(await access_of(grant), clock.now())
        assert not await holds("e30.e30.AAAA", clock.now())
    assert 1 <= len(tokens._proven) <= 3


def test_secrets_are_in_no_repr(services):
    assert SECRET_KEY not in repr(services)
    assert SECRET_KEY not in repr(Vault(SECRET_KEY))
    assert SECRET_KEY not in repr(load(secret_key=SECRET_KEY))
