"""ID tokens of Google, Apple, Facebook, Telegram and Firebase: the recorded vectors, and what a token must not get away with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from api.auth.identity.apple import Apple
from api.auth.identity.base import IdentityProvider, KeySource
from api.auth.identity.facebook import FacebookLimited
from api.auth.identity.firebase import Firebase
from api.auth.identity.google import Google
from api.auth.identity.key_sets import ES256, RS256, Reader, jwks, x509_map
from api.auth.identity.telegram import TelegramOidc
from tests.api.auth.minting import EC, RSA, Kept, by_hand, certificate, ec_jwk, es256, hs256, refused, rs256, rsa_jwk, vectors

RECORDED = vectors("oidc_rs256_vectors")
NONCE = "n1"
RS256_ALONE = jwks(RS256)


@dataclass(frozen=True)
class Case:
    """One provider: how its adapter is made, what its keys are read with, and the word its identities are kept under."""

    make: Callable[[str, KeySource], IdentityProvider]
    word: str
    read: Reader = RS256_ALONE


CASES = {
    "google": Case(lambda audience, keys: Google([audience, "another-client"], keys), "google"),
    "apple": Case(lambda audience, keys: Apple([audience], keys), "apple"),
    "facebook_limited_login": Case(FacebookLimited, "facebook_login"),
    "telegram_oidc": Case(TelegramOidc, "telegram", jwks(RS256, ES256)),
    "firebase_auth": Case(Firebase, "firebase"),
}
every_provider = pytest.mark.parametrize("name", list(CASES))


def recorded(name: str) -> dict[str, Any]:
    return RECORDED["providers"][name]


def at(name: str) -> datetime:
    return datetime.fromtimestamp(recorded(name)["now"], UTC)


def with_recorded_keys(name: str) -> IdentityProvider:
    return CASES[name].make(recorded(name)["audience"], Kept(CASES[name].read, RECORDED["jwks"]))


def with_own_keys(name: str, *jwk: dict[str, Any]) -> IdentityProvider:
    keys = Kept(CASES[name].read, {"keys": [*(jwk or (rsa_jwk(), ec_jwk()))]})
    return CASES[name].make(recorded(name)["audience"], keys)


def claims(name: str, **changes: Any) -> dict[str, Any]:
    return {key: value for key, value in (recorded(name)["claims"] | changes).items() if value != "absent"}


def token(name: str, header: dict[str, Any] | None = None, **changes: Any) -> str:
    return by_hand({"alg": "RS256", "kid": "own", "typ": "JWT"} | (header or {}), claims(name, **changes), rs256)


def test_every_recorded_provider_is_expected_here() -> None:
    assert set(RECORDED["providers"]) == set(CASES)
    told = [[vector["name"] for vector in provider["vectors"]] for provider in RECORDED["providers"].values()]
    assert sum(map(len, told)) == 34


@every_provider
async def test_of_the_recorded_tokens_the_good_one_alone_holds(name: str) -> None:
    provider = with_recorded_keys(name)
    held = [v["name"] for v in recorded(name)["vectors"] if not await refused(provider, v["token"], NONCE, at(name))]
    assert held == [v["name"] for v in recorded(name)["vectors"] if v["valid"]] == ["ok"]


@every_provider
async def test_the_good_token_proves_the_person(name: str) -> None:
    (good,) = [v["token"] for v in recorded(name)["vectors"] if v["valid"]]
    proven = await with_recorded_keys(name).verify(good, NONCE, at(name))
    said = recorded(name)["claims"]
    assert (proven.provider, proven.subject, proven.display_name) == (CASES[name].word, said["sub"], said.get("name", ""))
    assert proven.expires_at == datetime.fromtimestamp(said["exp"], UTC)
    assert proven.proof_hash == hashlib.sha256(good.rpartition(".")[0].encode()).hexdigest()


@every_provider
async def test_a_self_made_token_holds_as_the_control(name: str) -> None:
    assert not await refused(with_own_keys(name), token(name), NONCE, at(name))


NOW = recorded("google")["now"]
BAD_CLAIMS: dict[str, dict[str, Any]] = {
    "no exp": {"exp": "absent"},
    "exp text": {"exp": str(NOW + 3600)},
    "exp float": {"exp": NOW + 3600.5},
    "exp true": {"exp": True},
    "exp beyond dates": {"exp": 10**15},
    "exp huge": {"exp": 10**4000},
    "exp now": {"exp": NOW},
    "no iat": {"iat": "absent"},
    "iat older than ten minutes": {"iat": NOW - 601},
    "iat more than a minute ahead": {"iat": NOW + 61},
    "iat text": {"iat": str(NOW)},
    "no iss": {"iss": "absent"},
    "iss longer": {"iss": "https://accounts.google.com.evil.test"},
    "iss http": {"iss": "http://accounts.google.com"},
    "iss list": {"iss": ["https://accounts.google.com"]},
    "iss empty": {"iss": ""},
    "no aud": {"aud": "absent"},
    "aud of somebody else": {"aud": "someone-else"},
    "aud empty": {"aud": ""},
    "aud true": {"aud": True},
    "aud null": {"aud": None},
    "no sub": {"sub": "absent"},
    "sub number": {"sub": 7},
    "sub empty": {"sub": ""},
    "sub long": {"sub": "1" * 121},
    "sub NUL": {"sub": "1\0"},
    "sub surrogate": {"sub": "1\ud800"},
    "sub line break": {"sub": "1\n2"},
    "a claim of NUL": {"picture": "\0"},
}


@every_provider
@pytest.mark.parametrize("what", list(BAD_CLAIMS))
async def test_a_rightly_signed_token_with_a_wrong_claim_is_refused(name: str, what: str) -> None:
    assert await refused(with_own_keys(name), token(name, **BAD_CLAIMS[what]), NONCE, at(name))


@every_provider
async def test_an_audience_of_several_is_refused(name: str) -> None:
    ours = recorded(name)["claims"]["aud"]
    for audience in ([ours], [ours, "someone-else"], {"aud": ours}):
        assert await refused(with_own_keys(name), token(name, aud=audience), NONCE, at(name))


@pytest.mark.parametrize("name", [name for name in CASES if name != "firebase_auth"])  # whose tokens have none
@pytest.mark.parametrize("nonce", ["absent", None, "", "n2", "n11", ["n1"], {"n1": 1}, 1, True])
async def test_a_token_for_another_nonce_is_refused(name: str, nonce: Any) -> None:
    assert await refused(with_own_keys(name), token(name, nonce=nonce), NONCE, at(name))
    assert await refused(with_own_keys(name), token(name, nonce=""), "", at(name))


@every_provider
@pytest.mark.parametrize("seconds", [-600, 0, 60])
async def test_a_token_issued_within_the_last_ten_minutes_holds(name: str, seconds: int) -> None:
    assert not await refused(with_own_keys(name), token(name, iat=NOW + seconds), NONCE, at(name))


@every_provider
async def test_a_token_is_checked_at_the_given_time(name: str) -> None:
    provider, made = with_own_keys(name), token(name, exp=NOW + 300)
    assert not await refused(provider, made, NONCE, at(name) + timedelta(seconds=299))
    assert await refused(provider, made, NONCE, at(name) + timedelta(seconds=300))
    assert await refused(provider, made, NONCE, at(name) - timedelta(minutes=2))


@every_provider
@pytest.mark.parametrize(
    "alg", ["none", "None", "NONE", "nOnE", "", "HS256", "RS384", "RS512", "PS256", "ES384", "EdDSA", "rs256", None, ["RS256"], 1]
)
async def test_another_algorithm_is_refused(name: str, alg: Any) -> None:
    signed, _, signature = token(name, {"alg": alg}).rpartition(".")
    for tail in ("", signature):
        assert await refused(with_own_keys(name), f"{signed}.{tail}", NONCE, at(name))


@every_provider
async def test_a_public_key_is_no_secret(name: str) -> None:
    """HS256 keyed with whatever everybody knows of the public key, under each name of an algorithm."""
    public = RSA.public_key()
    known = [
        public.public_bytes(encoding, form)
        for encoding in (Encoding.PEM, Encoding.DER)
        for form in (PublicFormat.SubjectPublicKeyInfo, PublicFormat.PKCS1)
    ]
    known += [json.dumps(rsa_jwk()).encode(), rsa_jwk()["n"].encode(), certificate().encode(), b"", recorded(name)["audience"].encode()]
    for secret in known:
        for alg in ("HS256", "RS256"):
            assert await refused(with_own_keys(name), by_hand({"alg": alg, "kid": "own"}, claims(name), hs256(secret)), NONCE, at(name))


@every_provider
async def test_each_key_counts_for_its_own_algorithm_alone(name: str) -> None:
    by_ec = by_hand({"alg": "ES256", "kid": "own-ec"}, claims(name), es256)
    assert await refused(with_own_keys(name), by_ec, NONCE, at(name)) is (name != "telegram_oidc")
    for header, sign in (
        ({"alg": "ES256", "kid": "own"}, es256),
        ({"alg": "RS256", "kid": "own-ec"}, rs256),
        ({"alg": "ES256", "kid": "own"}, rs256),
    ):
        assert await refused(with_own_keys(name), by_hand(header, claims(name), sign), NONCE, at(name))


@every_provider
async def test_another_key_s_signature_is_refused(name: str) -> None:
    stranger = generate_rsa(public_exponent=65537, key_size=2048)
    assert await refused(with_own_keys(name, rsa_jwk(stranger)), token(name), NONCE, at(name))
    head, body, signature = token(name).split(".")
    _, other, _ = token(name, sub="1").split(".")
    assert await refused(with_own_keys(name), f"{head}.{other}.{signature}", NONCE, at(name))
    assert await refused(with_own_keys(name), f"{head}.{body}.{signature[:-8]}AAAAAAAA", NONCE, at(name))


@every_provider
@pytest.mark.parametrize("header", [{"crit": ["exp"]}, {"crit": []}, {"b64": False}])
async def test_headers_that_would_change_the_meaning_are_refused(name: str, header: dict[str, Any]) -> None:
    assert await refused(with_own_keys(name), token(name, header), NONCE, at(name))


@every_provider
async def test_a_key_that_the_token_brings_along_is_not_used(name: str) -> None:
    mine = {"jwk": rsa_jwk(), "jku": "https://evil.test/keys", "x5u": "https://evil.test/cert", "x5c": [certificate()]}
    stranger = rsa_jwk(generate_rsa(public_exponent=65537, key_size=2048))
    assert await refused(with_own_keys(name, stranger), token(name, mine), NONCE, at(name))


@every_provider
@pytest.mark.parametrize(
    "kid",
    [
        None,
        1,
        True,
        ["own"],
        {"kid": "own"},
        "",
        "Own",
        "own ",
        "../own",
        "own\0",
        "own\ud800",
        "k" * 3_000,
        "' or 1=1 --",
        "https://evil.test/keys",
    ],
)
async def test_the_key_id_is_looked_up_and_nothing_else(name: str, kid: Any) -> None:
    keys = Kept(CASES[name].read, {"keys": [rsa_jwk()]})
    provider = CASES[name].make(recorded(name)["audience"], keys)
    assert await refused(provider, token(name, {"kid": kid}), NONCE, at(name))
    assert all(isinstance(asked, str) for asked in keys.asked)


@every_provider
@pytest.mark.parametrize(
    "text", ["", ".", "..", "a.b", "a.b.c", "{}", "\ud800", "\0", "Ａ.Ｂ.Ｃ", "x" * 100_000, "eyJ9.eyJ9.", "W10.W10.AA"]
)
async def test_what_is_no_token_is_refused(name: str, text: str) -> None:
    assert await refused(with_own_keys(name), text, NONCE, at(name))


@pytest.mark.parametrize("audience", [7654321098, "7654321098"])
async def test_telegram_may_write_the_audience_as_a_number(audience: Any) -> None:
    assert not await refused(with_own_keys("telegram_oidc"), token("telegram_oidc", aud=audience), NONCE, at("telegram_oidc"))


@pytest.mark.parametrize("audience", [7654321099, 0, -7654321098, 10**4000, 7654321098.0, "07654321098", " 7654321098"])
async def test_another_number_is_another_audience(audience: Any) -> None:
    assert await refused(with_own_keys("telegram_oidc"), token("telegram_oidc", aud=audience), NONCE, at("telegram_oidc"))


@pytest.mark.parametrize("subject", ["0", "-1", "012", "xiaomei_lin", "5" * 20, "５"])
async def test_a_telegram_id_is_a_number(subject: str) -> None:
    assert await refused(with_own_keys("telegram_oidc"), token("telegram_oidc", sub=subject), NONCE, at("telegram_oidc"))


async def test_apple_may_be_given_the_hash_of_our_nonce() -> None:
    hashed = hashlib.sha256(NONCE.encode()).hexdigest()
    provider = with_own_keys("apple")
    assert not await refused(provider, token("apple", nonce=hashed), NONCE, at("apple"))
    for other in (hashed.upper(), hashlib.sha256(b"n2").hexdigest(), hashlib.sha512(NONCE.encode()).hexdigest()):
        assert await refused(provider, token("apple", nonce=other), NONCE, at("apple"))
    assert await refused(with_own_keys("google"), token("google", nonce=hashed), NONCE, at("google"))


@pytest.mark.parametrize("verified", [False, None, "true", "absent", 1])
async def test_google_s_unverified_mail_is_refused(verified: Any) -> None:
    assert await refused(with_own_keys("google"), token("google", email_verified=verified), NONCE, at("google"))
    assert not await refused(with_own_keys("google"), token("google", email="absent", email_verified=verified), NONCE, at("google"))


async def test_google_writes_its_name_in_two_ways_and_any_of_our_clients_will_do() -> None:
    provider = with_own_keys("google")
    assert not await refused(provider, token("google", iss="accounts.google.com"), NONCE, at("google"))
    assert not await refused(provider, token("google", aud="another-client"), NONCE, at("google"))


@pytest.mark.parametrize(
    "changes",
    [
        {"auth_time": "absent"},
        {"auth_time": NOW + 61},
        {"auth_time": "1"},
        {"auth_time": 0},
        {"firebase": "absent"},
        {"firebase": []},
        {"firebase": {}},
        {"firebase": {"sign_in_provider": "anonymous"}},
        {"firebase": {"sign_in_provider": "apple.com", "tenant": "amei-1"}},
        {"iss": "https://securetoken.google.com/another"},
        {"iss": "https://session.firebase.google.com/plusone-test"},
        {"aud": "another", "iss": "https://securetoken.google.com/another"},
    ],
)
async def test_firebase_tokens_that_prove_nobody_are_refused(changes: dict[str, Any]) -> None:
    assert await refused(with_own_keys("firebase_auth"), token("firebase_auth", **changes), NONCE, at("firebase_auth"))


async def test_firebase_keys_come_as_certificates() -> None:
    keys = Kept(x509_map, {"own": certificate(), "broken": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "no text": 1})
    assert set(keys.keys) == {"own"}
    assert not await refused(Firebase("plusone-test", keys), token("firebase_auth"), NONCE, at("firebase_auth"))


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"own": 1}', b'{"own": "x"}', b"\xff", b"[" * 60_000])
def test_what_is_no_map_of_certificates_is_none(body: bytes) -> None:
    assert x509_map(body) is None


@pytest.mark.parametrize(
    "jwk",
    [
        rsa_jwk(kty="oct", k="AAAA"),
        rsa_jwk(alg="HS256"),
        rsa_jwk(alg="PS256"),
        rsa_jwk(use="enc"),
        rsa_jwk(kid=1),
        rsa_jwk(d="AAAA"),
        rsa_jwk(crv="P-256"),
        rsa_jwk(generate_rsa(public_exponent=65537, key_size=1024)),
        ec_jwk(EC),
        "own",
        None,
    ],
)
def test_only_long_rsa_signature_keys_are_taken_for_rs256(jwk: Any) -> None:
    assert jwks(RS256)(json.dumps({"keys": [jwk]}).encode()) is None
    assert list(jwks(RS256)(json.dumps({"keys": [jwk, rsa_jwk(kid="good")]}).encode()) or {}) == ["good"]
