"""LINE Login ID tokens.

Native apps and LIFF send ES256, signed with LINE's keys (JWKS, by `kid`); web login sends HS256, keyed with the channel secret. Which of
the two is asked for is the request's channel, a fixed adapter here; the token's own `alg` never chooses.

Source: https://developers.line.biz/en/docs/line-login/verify-id-token/
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from api.auth.identity.base import KeySource, Oidc, ProvenIdentity, check_nonce, header_of
from api.auth.identity.key_sets import ES256
from domain.members.errors import SignInRefused

PROVIDER: Final = "line"
NATIVE: Final = "native"
WEB: Final = "web"
ISSUER: Final = "https://access.line.me"
HS256: Final = "HS256"
SHORTEST_SECRET: Final = 32


class LineNative:
    """Tokens of the LINE SDKs and LIFF."""

    def __init__(self, channel_id: str, keys: KeySource) -> None:
        self._oidc = Oidc(PROVIDER, (ISSUER,), frozenset({channel_id}), (ES256,))
        self._keys = keys

    async def verify(self, id_token: str, nonce: str, now: datetime) -> ProvenIdentity:
        """Raises SignInRefused, or Unavailable when LINE's keys cannot be had."""
        claims = await self._oidc.claims_by_kid(id_token, self._keys, now)
        check_nonce(claims, nonce)
        return self._oidc.person(claims, id_token, now)


class LineWeb:
    """Tokens of LINE Login on the web."""

    def __init__(self, channel_id: str, channel_secret: str) -> None:
        """Raises ValueError for a secret that is too short to key HS256 (LINE's have 32 characters)."""
        if len(channel_secret.encode()) < SHORTEST_SECRET:
            raise ValueError("a LINE channel secret has 32 characters")
        self._oidc = Oidc(PROVIDER, (ISSUER,), frozenset({channel_id}), (HS256,))
        self._secret = channel_secret

    async def verify(self, id_token: str, nonce: str, now: datetime) -> ProvenIdentity:
        """Raises SignInRefused."""
        if header_of(id_token).get("alg") != HS256:
            raise SignInRefused
        claims = self._oidc.claims(id_token, self._secret, HS256)
        check_nonce(claims, nonce)
        return self._oidc.person(claims, id_token, now)
