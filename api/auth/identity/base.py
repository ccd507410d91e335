"""What the providers have in common: their registry key, and the checks of an OpenID Connect ID token."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from api.auth.strict import is_clean
from domain.members.errors import SignInRefused
from domain.members.ports import IdentityProvider, ProvenIdentity

__all__ = ["IdentityProvider", "ProvenIdentity", "Providers", "decode_id_token", "identity_from"]

Providers = Mapping[tuple[str, str], IdentityProvider]
"""By (provider, channel kind), both as the request names them; the first channel of a provider is its default."""

OLDEST = timedelta(minutes=10)
CLOCK_SKEW = timedelta(seconds=60)
LONGEST: Final = 8192
OPTIONS: Final[Any] = {
    "require": ["iss", "aud", "sub", "iat", "exp"],
    "strict_aud": True,
    "enforce_minimum_key_length": True,
    # Times are compared with the caller's `now` below.
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
}


def decode_id_token(id_token: str, key: EllipticCurvePublicKey | str, algorithm: str, *, issuer: str, audience: str) -> dict[str, Any]:
    """Claims whose signature, issuer and audience hold under this one algorithm.

    Raises:
        SignInRefused: they do not.
    """
    try:
        return jwt.decode(id_token, key=key, algorithms=[algorithm], audience=audience, issuer=issuer, options=OPTIONS)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        raise SignInRefused from None


def identity_from(claims: Mapping[str, Any], id_token: str, *, provider: str, nonce: str, now: datetime) -> ProvenIdentity:
    """The person, when times and nonce hold: not over, issued at most 10 min ago and at most 60 s ahead, made for our nonce.

    Raises:
        SignInRefused: they do not, or `sub` is no id.
    """
    issued, expires, subject, name = claims["iat"], claims["exp"], claims["sub"], claims.get("name", "")
    seconds = now.timestamp()
    if type(issued) is not int or type(expires) is not int or not seconds < expires <= 253_402_300_799:
        raise SignInRefused
    if not seconds - OLDEST.total_seconds() <= issued <= seconds + CLOCK_SKEW.total_seconds():
        raise SignInRefused
    if not nonce or claims.get("nonce") != nonce:
        raise SignInRefused
    if not isinstance(subject, str) or not 1 <= len(subject) <= 120 or not is_clean(subject):
        raise SignInRefused
    display_name = "".join(c for c in name if is_clean(c))[:120] if isinstance(name, str) else ""
    proof_hash = hashlib.sha256(id_token.encode()).hexdigest()
    return ProvenIdentity(provider, subject, display_name, datetime.fromtimestamp(expires, UTC), proof_hash)
