"""What the providers have in common: their registry key, and the checks of an OpenID Connect ID token."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from api.auth.identity.key_sets import ProviderKey
from api.auth.strict import Malformed, is_clean, read_unverified
from domain.members.errors import SignInRefused
from domain.members.ports import IdentityProvider, ProvenIdentity

__all__ = ["IdentityProvider", "KeySource", "Oidc", "ProvenIdentity", "Providers"]

Providers = Mapping[tuple[str, str], IdentityProvider]
"""By (provider, channel kind), both as the request names them; the first channel of a provider is its default."""

OLDEST = timedelta(minutes=10)
CLOCK_SKEW = timedelta(seconds=60)
LONGEST: Final = 8192
LONGEST_SUBJECT: Final = 120
LAST_SECOND: Final = 253_402_300_799
"""Of the year 9999: what `datetime` can hold."""
OPTIONS: Final[Any] = {
    "require": ["iss", "aud", "sub", "iat", "exp"],
    "enforce_minimum_key_length": True,
    # The audience is compared in `_audience_holds`; times with the caller's `now` in `person`.
    "verify_aud": False,
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
}


class KeySource(Protocol):
    """Where an adapter finds a provider's keys; `JwksClient` is the one."""

    async def key(self, kid: str, now: datetime) -> ProviderKey | None: ...


@dataclass(frozen=True, slots=True)
class Oidc:
    """What an ID token of one provider must say, besides its signature."""

    provider: str
    """The word that the identity is kept under."""
    issuers: tuple[str, ...]
    audiences: frozenset[str]
    """Our client ids there."""
    algorithms: tuple[str, ...]
    number_audience: bool = False
    """The provider may write the audience as a number."""

    async def claims_by_kid(self, id_token: str, keys: KeySource, now: datetime) -> dict[str, Any]:
        """Claims under the provider's key that the token names; that key alone says which algorithm counts.

        Raises:
            SignInRefused: the token does not hold.
            Unavailable: the provider's keys cannot be had.
        """
        header = header_of(id_token)
        kid = header.get("kid")
        if header.get("alg") not in self.algorithms or not isinstance(kid, str):
            raise SignInRefused
        key = await keys.key(kid, now)
        if key is None or key.algorithm != header["alg"]:
            raise SignInRefused
        return self.claims(id_token, key.key, key.algorithm)

    def claims(self, id_token: str, key: EllipticCurvePublicKey | RSAPublicKey | str, algorithm: str) -> dict[str, Any]:
        """Claims whose signature, issuer and audience hold under this one algorithm.

        Raises:
            SignInRefused: they do not.
        """
        try:
            claims: dict[str, Any] = jwt.decode(id_token, key=key, algorithms=[algorithm], issuer=self.issuers, options=OPTIONS)
        except (jwt.PyJWTError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
            raise SignInRefused from None
        if not self._audience_holds(claims["aud"]):
            raise SignInRefused
        return claims

    def person(self, claims: Mapping[str, Any], id_token: str, now: datetime) -> ProvenIdentity:
        """The person, when the times hold: not over, issued at most 10 min ago and at most 60 s ahead.

        Raises:
            SignInRefused: they do not, or `sub` is no id.
        """
        issued, expires = claims["iat"], claims["exp"]
        check_fresh(issued, now)
        if type(expires) is not int or not now.timestamp() < expires <= LAST_SECOND:
            raise SignInRefused
        ends_at = datetime.fromtimestamp(expires, UTC)
        # Without the signature: that may be written in more than one way, what is signed may not.
        signed = id_token.rpartition(".")[0]
        return proven(self.provider, claims["sub"], claims.get("name", ""), ends_at, signed)

    def _audience_holds(self, audience: object) -> bool:
        if self.number_audience and type(audience) is int:
            return 0 <= audience < 10**20 and str(audience) in self.audiences
        return isinstance(audience, str) and audience in self.audiences


def header_of(id_token: str) -> dict[str, Any]:
    """The header of a compact JWT that has no header that would change its meaning. Nothing of it is proven.

    Raises:
        SignInRefused: there is none.
    """
    try:
        header, _ = read_unverified(id_token, longest=LONGEST)
    except Malformed:
        raise SignInRefused from None
    if "crit" in header or "b64" in header:
        raise SignInRefused
    return header


def check_nonce(claims: Mapping[str, Any], *allowed: str) -> None:
    """Raises SignInRefused unless the token was made for one of these."""
    found = claims.get("nonce")
    if not isinstance(found, str) or not found or found not in allowed:
        raise SignInRefused


def check_fresh(issued: object, now: datetime) -> None:
    """Raises SignInRefused unless these Unix seconds are at most 10 min ago and at most 60 s ahead."""
    if type(issued) is not int:
        raise SignInRefused
    seconds = now.timestamp()
    if not seconds - OLDEST.total_seconds() <= issued <= seconds + CLOCK_SKEW.total_seconds():
        raise SignInRefused


def proven(provider: str, subject: object, name: object, expires_at: datetime, used_once: str) -> ProvenIdentity:
    """The person; `used_once` is what this proof may be recognised by, written in one way only.

    Raises:
        SignInRefused: the subject is no id.
    """
    if not isinstance(subject, str) or not 1 <= len(subject) <= LONGEST_SUBJECT or not is_clean(subject):
        raise SignInRefused
    display_name = "".join(c for c in name if is_clean(c))[:120] if isinstance(name, str) else ""
    return ProvenIdentity(provider, subject, display_name, expires_at, hashlib.sha256(used_once.encode()).hexdigest())
