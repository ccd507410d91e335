"""LINE Login ID tokens.

Native apps and LIFF send ES256, signed with LINE's keys (JWKS, by `kid`); web login sends HS256, keyed with the channel secret. Which of
the two is asked for is the request's channel, a fixed adapter here; the token's own `alg` never chooses.

Source: https://developers.line.biz/en/docs/line-login/verify-id-token/
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from api.auth.identity.base import LONGEST, ProvenIdentity, decode_id_token, identity_from
from api.auth.identity.jwks import JwksClient
from api.auth.strict import Malformed, read_unverified
from domain.members.errors import SignInRefused

PROVIDER: Final = "line"
NATIVE: Final = "native"
WEB: Final = "web"
ISSUER: Final = "https://access.line.me"
SHORTEST_SECRET: Final = 32


class LineNative:
    """Tokens of the LINE SDKs and LIFF."""

    def __init__(self, channel_id: str, keys: JwksClient) -> None:
        self._channel_id = channel_id
        self._keys = keys

    async def verify(self, id_token: str, nonce: str, now: datetime) -> ProvenIdentity:
        """Raises SignInRefused, or Unavailable when LINE's keys cannot be had."""
        kid = _header(id_token, "ES256").get("kid")
        if not isinstance(kid, str):
            raise SignInRefused
        key = await self._keys.key(kid, now)
        if key is None:
            raise SignInRefused
        return _person(id_token, key, "ES256", self._channel_id, nonce, now)


class LineWeb:
    """Tokens of LINE Login on the web."""

    def __init__(self, channel_id: str, channel_secret: str) -> None:
        """Raises ValueError for a secret that is too short to key HS256 (LINE's have 32 characters)."""
        if len(channel_secret.encode()) < SHORTEST_SECRET:
            raise ValueError("a LINE channel secret has 32 characters")
        self._channel_id = channel_id
        self._secret = channel_secret

    async def verify(self, id_token: str, nonce: str, now: datetime) -> ProvenIdentity:
        """Raises SignInRefused."""
        _header(id_token, "HS256")
        return _person(id_token, self._secret, "HS256", self._channel_id, nonce, now)


def _header(id_token: str, algorithm: str) -> dict[str, Any]:
    """The header of a token that claims this algorithm and has no header that would change its meaning."""
    try:
        header, _ = read_unverified(id_token, longest=LONGEST)
    except Malformed:
        raise SignInRefused from None
    if header.get("alg") != algorithm or "crit" in header or "b64" in header:
        raise SignInRefused
    return header


def _person(id_token: str, key: EllipticCurvePublicKey | str, algorithm: str, channel_id: str, nonce: str, now: datetime) -> ProvenIdentity:
    claims = decode_id_token(id_token, key, algorithm, issuer=ISSUER, audience=channel_id)
    return identity_from(claims, id_token, provider=PROVIDER, nonce=nonce, now=now)
