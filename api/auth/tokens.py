"""Our access tokens: JWTs signed with EdDSA, good for ten minutes, holding ids only.

Header: `alg: EdDSA`, `typ: at+jwt`, `kid`. Claims: iss, aud, sub (member id), sid (session id), jti, iat, exp, ver. Rights are not in
it: they are read per request. PyJWT checks the signature, issuer and audience; everything that it lets pass is checked here, with the
caller's `now`.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import jwt

from api.auth.strict import Malformed, read_unverified
from api.auth.viewer import Unauthenticated, Viewer
from domain.members import keys
from domain.members.keys import PublicKey
from domain.members.rules import ACCESS_TOKEN_LIFE, KeyUse
from domain.members.standing import Standing, known, standing_of

AUDIENCE: Final = "plusone-app"
TYPE: Final = "at+jwt"
ALGORITHM: Final = "EdDSA"
LONGEST: Final = 4096
MOST_PROVEN: Final = 5_000
CLOCK_SKEW = timedelta(seconds=60)
"""A token may be issued so far in the future by our clock: another process's clock may be ahead. Its end is exact."""
LIFE_SECONDS: Final = int(ACCESS_TOKEN_LIFE.total_seconds())
SKEW_SECONDS: Final = CLOCK_SKEW.total_seconds()
HEADER_KEYS = frozenset({"alg", "typ", "kid"})
CLAIMS: Final = ("iss", "aud", "sub", "sid", "jti", "iat", "exp", "ver")
OPTIONS: Final[Any] = {
    "require": list(CLAIMS),
    "strict_aud": True,
    "enforce_minimum_key_length": True,
    # PyJWT would ask the machine's clock; `verify_access` asks the caller's.
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
    """A token whose signature, issuer and audience hold under one of the keys `under`; its claims have our types."""

    kid: str
    issuer: str
    under: tuple[PublicKey, ...]
    viewer: Viewer
    ver: int
    issued: int
    expires: int


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
    public = await keys.public_keys(KeyUse.ACCESS, now)
    proven = _checked(token, issuer, public, now)
    viewer = proven.viewer
    return _standing(proven, known(viewer.session_id, now) or await standing_of(viewer.session_id, now), now)


def verify_at_once(token: str, *, issuer: str, now: datetime) -> Viewer | None:
    """The same where all of it is in memory; None where something has to be read."""
    public = keys.known_keys(KeyUse.ACCESS, now)
    if public is None:
        return None
    proven = _checked(token, issuer, public, now)
    standing = known(proven.viewer.session_id, now)
    return None if standing is None else _standing(proven, standing, now)


def _checked(token: str, issuer: str, public: tuple[PublicKey, ...], now: datetime) -> _Proven:
    """The token, proven and of this time."""
    proven = _proven.get(token)
    if proven is None or proven.issuer != issuer or proven.under is not public:
        proven = _again(token, proven, issuer, public)
    # Compared as whole numbers: 10**4000 is an int too, but no date and no float.
    seconds, issued, expires = now.timestamp(), proven.issued, proven.expires
    if not seconds < expires <= issued + LIFE_SECONDS or issued > seconds + SKEW_SECONDS:
        raise Unauthenticated
    return proven


def _standing(proven: _Proven, standing: Standing | None, now: datetime) -> Viewer:
    """The member, while the session stands."""
    viewer = proven.viewer
    if (
        standing is None
        or standing.ended
        or now >= standing.ends_at
        or standing.member_id != viewer.member_id
        or standing.ver != proven.ver
    ):
        raise Unauthenticated
    return Viewer(viewer.member_id, viewer.session_id, standing.locale) if standing.locale else viewer


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


def _again(token: str, proven: _Proven | None, issuer: str, public: tuple[PublicKey, ...]) -> _Proven:
    """The token proven under these keys, and kept: a phone sends the same one for ten minutes. What was proven holds as long as its key does."""
    if proven is not None and proven.issuer == issuer and any(key.kid == proven.kid for key in public):
        found = replace(proven, under=public)
    else:
        found = _read(*_prove(token, issuer, public), issuer, public)
    if len(_proven) >= MOST_PROVEN:
        _proven.clear()
    _proven[token] = found
    return found


def _read(kid: str, claims: dict[str, Any], issuer: str, public: tuple[PublicKey, ...]) -> _Proven:
    ver, issued, expires = claims["ver"], claims["iat"], claims["exp"]
    viewer = Viewer(_uuid(claims["sub"]), _uuid(claims["sid"]))
    if any(type(number) is not int for number in (ver, issued, expires)) or not isinstance(claims["jti"], str):
        raise Unauthenticated
    return _Proven(kid, issuer, public, viewer, ver, issued, expires)


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


def _uuid(value: object) -> UUID:
    """The UUID in its one way of writing."""
    if not isinstance(value, str):
        raise Unauthenticated
    try:
        found = UUID(value)
    except ValueError:
        raise Unauthenticated from None
    if str(found) != value:
        raise Unauthenticated
    return found
