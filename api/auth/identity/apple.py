"""Identity tokens of Sign in with Apple.

The audience is a bundle id (apps) or a services id (web). Apple puts into the token what the app gave as its nonce: our nonce, or, as
Apple's own examples do, the SHA-256 of it in hexadecimal. The name is not in the token; the app learns it at the first sign-in only.

Source: https://developer.apple.com/documentation/signinwithapple/verifying-a-user
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from datetime import datetime
from typing import Final

from api.auth.identity.base import KeySource, Oidc, ProvenIdentity, check_nonce
from api.auth.identity.key_sets import RS256

PROVIDER: Final = "apple"
ISSUER: Final = "https://appleid.apple.com"


class Apple:
    """Identity tokens of Apple accounts."""

    def __init__(self, client_ids: Collection[str], keys: KeySource) -> None:
        self._oidc = Oidc(PROVIDER, (ISSUER,), frozenset(client_ids), (RS256,))
        self._keys = keys

    async def verify(self, id_token: str, nonce: str, now: datetime) -> ProvenIdentity:
        """Raises SignInRefused, or Unavailable when Apple's keys cannot be had."""
        claims = await self._oidc.claims_by_kid(id_token, self._keys, now)
        # A hash is no nonce of ours, so that taking both lets nobody in who only saw a token.
        check_nonce(claims, nonce, hashlib.sha256(nonce.encode()).hexdigest())
        return self._oidc.person(claims, id_token, now)
