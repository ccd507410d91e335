"""Identity tokens of Sign in with Apple.

The audience is a bundle id (apps) or a services id (web). Apple puts into the token what the app gave as its nonce: our nonce, or, as
Apple's own examples do, the SHA-256 of it in hexadecimal. The name is not in the token; the app learns it at the first sign-in only.

The app may send the authorization code too. It is traded for a refresh token of Apple's, kept only to be given back when the account is
deleted. The sign-in does not depend on it: the ID token has proven the person.

Source: https://developer.apple.com/documentation/signinwithapple/verifying-a-user
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from datetime import datetime
from typing import Final

import jwt

from api.auth.identity.base import KeySource, Oidc, ProvenIdentity, check_nonce
from api.auth.identity.key_sets import RS256
from domain.errors import Unavailable
from domain.members.errors import SignInRefused
from domain.members.ports import KeptGrant
from domain.providers.apple_tokens import AppleTokens

PROVIDER: Final = "apple"
ISSUER: Final = "https://appleid.apple.com"


class Apple:
    """Identity tokens of Apple accounts."""

    def __init__(self, client_ids: Collection[str], keys: KeySource, tokens: AppleTokens | None = None) -> None:
        """`tokens`: where codes are traded; without it they are passed over."""
        self._oidc = Oidc(PROVIDER, (ISSUER,), frozenset(client_ids), (RS256,))
        self._keys = keys
        self._tokens = tokens

    async def verify(self, id_token: str, nonce: str, now: datetime) -> ProvenIdentity:
        """Raises SignInRefused, or Unavailable when Apple's keys cannot be had."""
        claims = await self._oidc.claims_by_kid(id_token, self._keys, now)
        # A hash is no nonce of ours, so that taking both lets nobody in who only saw a token.
        check_nonce(claims, nonce, hashlib.sha256(nonce.encode()).hexdigest())
        return self._oidc.person(claims, id_token, now)

    async def trade(self, code: str, proven: ProvenIdentity, id_token: str, now: datetime) -> KeptGrant | None:
        """What is to be given back some day, when Apple says that the code is of the person whom this ID token has proven."""
        if self._tokens is None:
            return None
        client_id: str = jwt.decode(id_token, options={"verify_signature": False})["aud"]
        traded = await self._tokens.trade(code, client_id, now)
        if traded is None:
            return None
        try:
            claims = await self._oidc.claims_by_kid(traded.id_token, self._keys, now)
        except (SignInRefused, Unavailable):
            return None
        same = (claims["sub"], claims["aud"]) == (proven.subject, client_id)
        return KeptGrant(client_id, traded.refresh_token) if same else None
