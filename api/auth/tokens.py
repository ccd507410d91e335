"""Our access tokens: JWTs signed with EdDSA, good for ten minutes, holding ids only.

Header: `alg: EdDSA`, `typ: at+jwt`, `kid`. Claims: iss, aud, sub (member id), sid (session id), jti, iat, exp, ver. Rights are not in
it: they are read per request. PyJWT checks the signature, issuer and audience; everything that it lets pass is checked here, with the
caller's `now`.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final
from uuid import UUID, uuid4

import jwt

from api.auth.strict import Malformed, read_unverified
from api.auth.viewer import Unauthenticated, Viewer
from domain.members import keys
from domain.members.keys import PublicKey
from domain.members.rules import ACCESS_TOKEN_LIFE, KeyUse
from domain.members.standing import standing_of

AUDIENCE: Final = "plusone-app"
TYPE: Final = "at+jwt"
ALGORITHM: Final = "EdDSA"
LONGEST: Final = 4096
MOST_PROVEN: Final = 5_000
CLOCK_SKEW = timedelta(seconds=60)
"""A token may be issued so far in the future by our clock: another process's clock may be ahead. Its end is exact."""
HEADER_KEYS = frozenset({"alg", "typ", "kid"})
CLAIMS: Final = ("iss", "aud", "sub", "sid", "jti", "iat", "exp", "ver")
OPTIONS: Final[Any] = {
    "require": list(CLAIMS),
    "strict_aud": True,
    "enforce_minimum_key_length": True,
    # PyJWT would ask the machine's clock; `_check_times` asks the caller's.
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
}


@dataclass(frozen=True, slots=True)
class AccessToken:
    """The token as the app gets it."""

    text: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class _Proven:
    kid: str
    issuer: str
    claims: dict[str, Any]


_proven: dict[str, _Proven] = {}


async def issue_access(member_id: UUID, session_id: UUID, ver: int, *, issuer: str, now: datetime) -> AccessToken:
    """A token for one session; `issuer` is the settings' `public_url`.

    Raises:
        NoSigningKey: this process was not told its vault (`keys.sign_with`).
    """
    key = await keys.active_key(KeyUse.ACCESS, now)
    expires_at = now.replace(microsecond=0) + ACCESS_TOKEN_LIFE
    claims = {
        "iss": issuer,
        "aud": AUDIENCE,
        "sub": str(member_id),
        "sid": str(session_id),
        "jti": str(uuid4()),
        "iat": int(now.timestamp()),
        "exp": int(expires_at.timestamp()),
        "ver": ver,
    }
    return AccessToken(jwt.encode(claims, key.private, algorithm=ALGORITHM, headers={"typ": TYPE, "kid": key.kid}), expires_at)


async def verify_access(token: str, *, issuer: str, now: datetime) -> Viewer:
    """The member behind an access token.

    Raises:
        Unauthenticated: the token does not hold, whatever the cause; never another exception for what the text says.
    """
    claims = await _proven_claims(token, issuer, now)
    member_id, session_id, ver = _uuid(claims["sub"]), _uuid(claims["sid"]), claims["ver"]
    _check_times(claims, now)
    if type(ver) is not int or not isinstance(claims["jti"], str):
        raise Unauthenticated
    standing = await standing_of(session_id, now)
    if standing is None or standing.ended or now >= standing.ends_at or (standing.member_id, standing.ver) != (member_id, ver):
        raise Unauthenticated
    return Viewer(member_id, session_id, standing.locale)


def jwks(public: tuple[PublicKey, ...]) -> dict[str, Any]:
    """The public keys as a JSON Web Key Set (RFC 8037)."""
    return {
        "keys": [
            {
                "kty": "OKP",
                "crv": "Ed25519",
                "x": base64.urlsafe_b64encode(key.raw).rstrip(b"=").decode(),
                "kid": key.kid,
                "alg": ALGORITHM,
                "use": "sig",
            }
            for key in public
        ]
    }


async def _proven_claims(token: str, issuer: str, now: datetime) -> dict[str, Any]:
    """Claims whose signature, issuer and audience hold, with exactly our names.

    A phone sends the same token for ten minutes: what was proven once is kept, and holds as long as its key does.
    """
    public = await keys.public_keys(KeyUse.ACCESS, now)
    known = _proven.get(token)
    if known is not None and known.issuer == issuer and any(key.kid == known.kid for key in public):
        return known.claims
    kid, claims = _prove(token, issuer, public)
    if len(_proven) >= MOST_PROVEN:
        _proven.clear()
    _proven[token] = _Proven(kid, issuer, claims)
    return claims


def _prove(token: str, issuer: str, public: tuple[PublicKey, ...]) -> tuple[str, dict[str, Any]]:
    """The kid and the claims; raises Unauthenticated when the token does not hold under one of these keys."""
    try:
        header, claims = read_unverified(token, longest=LONGEST)
    except Malformed:
        raise Unauthenticated from None
    kid = header.get("kid")
    if header.keys() != HEADER_KEYS or header["alg"] != ALGORITHM or header["typ"] != TYPE or not isinstance(kid, str):
        raise Unauthenticated
    if claims.keys() != set(CLAIMS):
        raise Unauthenticated
    key = next((key for key in public if key.kid == kid), None)
    if key is None:
        raise Unauthenticated
    try:
        # UnicodeError, TypeError and the like are what PyJWT lets through for odd texts; a forged token is never our failure.
        return kid, jwt.decode(token, key=key.key, algorithms=[ALGORITHM], audience=AUDIENCE, issuer=issuer, options=OPTIONS)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        raise Unauthenticated from None


def _check_times(claims: dict[str, Any], now: datetime) -> None:
    issued, expires = claims["iat"], claims["exp"]
    if type(issued) is not int or type(expires) is not int:
        raise Unauthenticated
    # Compared as whole numbers: 10**4000 is an int too, but no date and no float.
    seconds = now.astimezone(UTC).timestamp()
    if not seconds < expires <= issued + int(ACCESS_TOKEN_LIFE.total_seconds()) or issued > seconds + CLOCK_SKEW.total_seconds():
        raise Unauthenticated


def _uuid(value: object) -> UUID:
    if not isinstance(value, str):
        raise Unauthenticated
    return _uuid_of(value)


@lru_cache(maxsize=2 * MOST_PROVEN)
def _uuid_of(value: str) -> UUID:
    """The UUID in its one way of writing; a phone sends the same two for months."""
    try:
        found = UUID(value)
    except ValueError:
        raise Unauthenticated from None
    if str(found) != value:
        raise Unauthenticated
    return found
