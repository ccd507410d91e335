"""Tokens of our own making for tests of the providers: keys, key sets, and JWTs put together by hand."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from api.auth.identity.base import IdentityProvider
from api.auth.identity.key_sets import ProviderKey, Reader
from domain.members.errors import SignInRefused

FIXTURES = Path(__file__).parents[2] / "fixtures" / "auth"
RSA = generate_rsa(public_exponent=65537, key_size=2048)
EC = generate_private_key(SECP256R1())


def vectors(name: str) -> Any:
    return json.loads((FIXTURES / f"{name}.json").read_text("utf-8"))


def rsa_jwk(private: RSAPrivateKey = RSA, **changes: Any) -> dict[str, Any]:
    return json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(private.public_key())) | {"kid": "own", "alg": "RS256", "use": "sig"} | changes


def ec_jwk(private: EllipticCurvePrivateKey = EC, **changes: Any) -> dict[str, Any]:
    return json.loads(jwt.algorithms.ECAlgorithm.to_jwk(private.public_key())) | {"kid": "own-ec", "alg": "ES256", "use": "sig"} | changes


def certificate(private: RSAPrivateKey = RSA) -> str:
    """A self-signed certificate in PEM, as Google publishes them for Firebase."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "securetoken.system.gserviceaccount.com")])
    made = datetime(2026, 11, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(private.public_key()).serial_number(1)
    return (
        builder.not_valid_before(made)
        .not_valid_after(made + timedelta(days=30))
        .sign(private, SHA256())
        .public_bytes(Encoding.PEM)
        .decode()
    )


class Kept:
    """The keys of a published body that is at hand; notes what was asked for."""

    def __init__(self, read: Reader, body: Any) -> None:
        self.keys = read(json.dumps(body).encode()) or {}
        self.asked: list[str] = []

    async def key(self, kid: str, now: datetime) -> ProviderKey | None:
        self.asked.append(kid)
        return self.keys.get(kid)


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def by_hand(header: dict[str, Any], claims: dict[str, Any], sign: Callable[[bytes], bytes]) -> str:
    """A JWT whatever it says: PyJWT refuses to make some of these."""
    signed = ".".join(b64(json.dumps(part).encode()) for part in (header, claims))
    return f"{signed}.{b64(sign(signed.encode()))}"


def rs256(message: bytes) -> bytes:
    return jwt.algorithms.get_default_algorithms()["RS256"].sign(message, RSA)


def es256(message: bytes) -> bytes:
    return jwt.algorithms.get_default_algorithms()["ES256"].sign(message, EC)


def hs256(secret: bytes) -> Callable[[bytes], bytes]:
    return lambda message: hmac.new(secret, message, hashlib.sha256).digest()


P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def other_signature(token: str) -> str:
    """The same ES256 token with the other signature that holds: (r, n - s)."""
    signed, _, text = token.rpartition(".")
    raw = base64.urlsafe_b64decode(text + "==")
    return f"{signed}.{b64(raw[:32] + (P256_ORDER - int.from_bytes(raw[32:], 'big')).to_bytes(32, 'big'))}"


async def refused(provider: IdentityProvider, token: str, nonce: str, at: datetime) -> bool:
    try:
        await provider.verify(token, nonce, at)
    except SignInRefused:
        return True
    return False
