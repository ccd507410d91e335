"""LINE Login: the recorded vectors, and what a token must not get away with."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from api.auth.identity.key_sets import ES256, jwks
from api.auth.identity.line import LineNative, LineWeb
from domain.members.errors import SignInRefused
from domain.members.ports import ProvenIdentity

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[2] / "fixtures/auth/line_id_token_vectors.json").read_text("utf-8"))
AT = datetime.fromtimestamp(VECTORS["now"], UTC)
NONCE = VECTORS["expected_nonce"]
CHANNEL = VECTORS["audience"]
SECRET = VECTORS["channel_secret_for_hs256"]
TOKENS = {vector["name"]: vector["token"] for vector in VECTORS["vectors"]}
READ = jwks(ES256)
PRIVATE = generate_private_key(SECP256R1())


class Kept:
    """The keys of a set that is at hand; notes what was asked for."""

    def __init__(self, jwks: dict[str, Any]) -> None:
        self.keys = READ(json.dumps(jwks).encode()) or {}
        self.asked: list[str] = []

    async def key(self, kid: str, now: datetime):
        self.asked.append(kid)
        return self.keys.get(kid)


def own_jwk(**changes: Any) -> dict[str, Any]:
    return json.loads(jwt.algorithms.ECAlgorithm.to_jwk(PRIVATE.public_key())) | {"kid": "own", "alg": "ES256", "use": "sig"} | changes


def native(jwks: dict[str, Any] | None = None) -> LineNative:
    return LineNative(CHANNEL, Kept(jwks or VECTORS["jwks"]))  # type: ignore[arg-type]


def web() -> LineWeb:
    return LineWeb(CHANNEL, SECRET)


def claims(**changes: Any) -> dict[str, Any]:
    base = {
        "iss": "https://access.line.me",
        "sub": "U206d25c2ea6bd87c17655609a1c37cb8",
        "aud": CHANNEL,
        "exp": VECTORS["now"] + 3600,
        "iat": VECTORS["now"],
        "nonce": NONCE,
        "name": "林小美",
    }
    return {name: value for name, value in (base | changes).items() if value != "absent"}


def web_token(*, secret: str = SECRET, headers: dict[str, Any] | None = None, **changes: Any) -> str:
    return jwt.encode(claims(**changes), secret, algorithm="HS256", headers=headers)


def native_token(*, headers: dict[str, Any] | None = None, **changes: Any) -> str:
    return jwt.encode(claims(**changes), PRIVATE, algorithm="ES256", headers={"kid": "own"} | (headers or {}))


async def refused(provider: LineWeb | LineNative, token: str, nonce: str = NONCE, at: datetime = AT) -> bool:
    try:
        await provider.verify(token, nonce, at)
    except SignInRefused:
        return True
    return False


EXPECTED = {
    "web_login_hs256": ("web",),
    "liff_es256": ("native",),
    "wrong_audience": (),
    "wrong_issuer": (),
    "expired": (),
    "nonce_mismatch": (),
    "alg_none": (),
    "hs256_keyed_with_channel_id": (),
}


def test_every_recorded_vector_is_expected_here():
    assert set(EXPECTED) == set(TOKENS)
    assert {vector["name"] for vector in VECTORS["vectors"] if vector["valid"]} == {name for name, kinds in EXPECTED.items() if kinds}


@pytest.mark.parametrize("name", list(EXPECTED))
async def test_a_recorded_token_holds_on_its_own_channel_only(name):
    holds = [kind for kind, provider in (("web", web()), ("native", native())) if not await refused(provider, TOKENS[name])]
    assert holds == list(EXPECTED[name])


@pytest.mark.parametrize(("name", "provider"), [("web_login_hs256", web()), ("liff_es256", native())])
async def test_a_good_token_proves_the_person(name, provider):
    proven = await provider.verify(TOKENS[name], NONCE, AT)
    recorded = jwt.decode(TOKENS[name], options={"verify_signature": False})
    assert proven == ProvenIdentity(
        "line",
        "U206d25c2ea6bd87c17655609a1c37cb8",
        recorded.get("name", ""),
        datetime.fromtimestamp(recorded["exp"], UTC),
        hashlib.sha256(TOKENS[name].rpartition(".")[0].encode()).hexdigest(),
    )


async def test_self_made_tokens_hold_as_the_control():
    own = native({"keys": [own_jwk()]})
    assert not await refused(web(), web_token())
    assert not await refused(own, native_token())
    assert not await refused(own, native_token(name="absent"))


BAD_CLAIMS: dict[str, dict[str, Any]] = {
    "no exp": {"exp": "absent"},
    "exp text": {"exp": str(VECTORS["now"] + 3600)},
    "exp float": {"exp": VECTORS["now"] + 3600.5},
    "exp beyond dates": {"exp": 10**15},
    "exp huge": {"exp": 10**4000},
    "exp now": {"exp": VECTORS["now"]},
    "no iat": {"iat": "absent"},
    "iat older than ten minutes": {"iat": VECTORS["now"] - 601},
    "iat more than a minute ahead": {"iat": VECTORS["now"] + 61},
    "iat text": {"iat": str(VECTORS["now"])},
    "iat true": {"iat": True},
    "no nonce": {"nonce": "absent"},
    "nonce null": {"nonce": None},
    "nonce list": {"nonce": [NONCE]},
    "nonce longer": {"nonce": NONCE + "x"},
    "no iss": {"iss": "absent"},
    "iss http": {"iss": "http://access.line.me"},
    "iss slash": {"iss": "https://access.line.me/"},
    "iss list": {"iss": ["https://access.line.me"]},
    "no aud": {"aud": "absent"},
    "aud list": {"aud": [CHANNEL]},
    "aud list of two": {"aud": [CHANNEL, "1655999999"]},
    "aud number": {"aud": int(CHANNEL)},
    "no sub": {"sub": "absent"},
    "sub number": {"sub": 7},
    "sub empty": {"sub": ""},
    "sub long": {"sub": "U" * 121},
    "sub NUL": {"sub": "U1\0"},
    "sub surrogate": {"sub": "U1\ud800"},
    "sub line break": {"sub": "U1\nU2"},
    "a claim of NUL": {"picture": "\0"},
}


@pytest.mark.parametrize("name", list(BAD_CLAIMS))
async def test_a_rightly_signed_token_with_a_wrong_claim_is_refused(name):
    # PyJWT will not sign an issuer or subject that is no text, so the parts are put together by hand.
    def made(header: dict[str, Any], sign) -> str:
        parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, claims(**BAD_CLAIMS[name]))]
        signature = sign(".".join(parts).encode())
        return ".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=").decode()])

    assert await refused(web(), made({"alg": "HS256"}, lambda m: hmac.new(SECRET.encode(), m, hashlib.sha256).digest()))
    es256 = jwt.algorithms.get_default_algorithms()["ES256"]
    assert await refused(native({"keys": [own_jwk()]}), made({"alg": "ES256", "kid": "own"}, lambda m: es256.sign(m, PRIVATE)))


@pytest.mark.parametrize("seconds", [-600, -599, 0, 60])
async def test_a_token_issued_within_the_last_ten_minutes_holds(seconds):
    assert not await refused(web(), web_token(iat=VECTORS["now"] + seconds))


async def test_the_channel_chooses_and_never_the_header():
    """HS256 keyed with what everybody knows of the public key, sent to the ES256 channel, and the other way round."""
    public = PRIVATE.public_key()
    own = native({"keys": [own_jwk()]})
    for secret in (
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        json.dumps(own_jwk()).encode(),
        b"",
        CHANNEL.encode(),
        SECRET.encode(),
    ):
        for alg in ("HS256", "ES256"):
            head = base64.urlsafe_b64encode(json.dumps({"alg": alg, "kid": "own"}).encode()).rstrip(b"=").decode()
            body = base64.urlsafe_b64encode(json.dumps(claims()).encode()).rstrip(b"=").decode()
            mac = base64.urlsafe_b64encode(hmac.new(secret, f"{head}.{body}".encode(), hashlib.sha256).digest()).rstrip(b"=").decode()
            assert await refused(own, f"{head}.{body}.{mac}")
    assert await refused(web(), native_token())
    assert await refused(own, web_token())


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "", "HS384", "HS512", "ES384", "RS256", "hs256", None, ["HS256"], 1])
async def test_another_algorithm_is_refused_on_both_channels(alg):
    head = base64.urlsafe_b64encode(json.dumps({"alg": alg, "kid": "line-test-kid-1"}).encode()).rstrip(b"=").decode()
    body = TOKENS["web_login_hs256"].split(".")[1]
    for tail in ("", TOKENS["web_login_hs256"].split(".")[2]):
        assert await refused(web(), f"{head}.{body}.{tail}")
        assert await refused(native(), f"{head}.{body}.{tail}")


@pytest.mark.parametrize("headers", [{"crit": ["exp"]}, {"crit": []}])
async def test_headers_that_would_change_the_meaning_are_refused(headers):
    assert await refused(web(), web_token(headers=headers))
    assert await refused(native({"keys": [own_jwk()]}), native_token(headers=headers))


@pytest.mark.parametrize(
    "kid", [None, 1, ["own"], {"kid": "own"}, "", "../own", "own\0", "own\ud800", "k" * 3_000, "https://evil.test/keys"]
)
async def test_the_key_id_is_looked_up_and_nothing_else(kid):
    keys = Kept({"keys": [own_jwk()]})
    head = base64.urlsafe_b64encode(json.dumps({"alg": "ES256", "kid": kid}).encode()).rstrip(b"=").decode()
    _, body, signature = native_token().split(".")
    assert await refused(LineNative(CHANNEL, keys), f"{head}.{body}.{signature}")  # type: ignore[arg-type]
    assert all(isinstance(asked, str) for asked in keys.asked)


@pytest.mark.parametrize(
    "token", ["", ".", "..", "a.b", "a.b.c", "{}", "\ud800", "\0", "Ａ.Ｂ.Ｃ", "x" * 100_000, "eyJ9.eyJ9.", "W10.W10.AA"]
)
async def test_what_is_no_token_is_refused(token):
    assert await refused(web(), token)
    assert await refused(native(), token)


async def test_an_empty_nonce_matches_nothing():
    assert await refused(web(), web_token(nonce=""), nonce="")
    assert await refused(web(), web_token(nonce="absent"), nonce="")


async def test_the_name_is_made_harmless():
    proven = await web().verify(web_token(name="王\n小\x1b[31m明" + "長" * 200), NONCE, AT)
    assert proven.display_name == "王小[31m明" + "長" * 113
    assert (await web().verify(web_token(name=["x"]), NONCE, AT)).display_name == ""


async def test_a_token_is_checked_at_the_given_time():
    assert not await refused(web(), web_token(), at=AT + timedelta(minutes=10))
    assert await refused(web(), web_token(), at=AT + timedelta(minutes=10, seconds=1))
    assert await refused(web(), web_token(), at=AT - timedelta(minutes=2))


def test_a_secret_that_cannot_be_a_channel_secret_stops_the_start():
    with pytest.raises(ValueError, match="32 characters"):
        LineWeb(CHANNEL, "short")


@pytest.mark.parametrize(
    "jwk",
    [
        own_jwk(kty="oct", k="AAAA"),
        own_jwk(crv="P-384"),
        own_jwk(alg="HS256"),
        own_jwk(use="enc"),
        own_jwk(kid=1),
        own_jwk(x="AAAA"),
        own_jwk(d="AAAA"),
        "own",
        None,
    ],
)
def test_only_p_256_signature_keys_are_taken(jwk):
    assert READ(json.dumps({"keys": [jwk]}).encode()) is None
    assert list(READ(json.dumps({"keys": [jwk, own_jwk(kid="good")]}).encode()) or {}) == ["good"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"keys":{}}', b'{"keys":[]}', b"\xff", b"[" * 60_000, b'{"keys":1,"keys":[]}'])
def test_what_is_no_key_set_is_none(body):
    assert READ(body) is None
