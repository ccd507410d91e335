"""Google ID tokens: Sign in with Google on Android, iOS and the web.

The audience is one of our client ids (on Android and iOS that of the server, which the app names). An address of mail is not used here;
a token whose address Google has not verified is refused all the same.

Source: https://developers.google.com/identity/gsi/web/guides/verify-google-id-token
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final

from api.auth.identity.base import KeySource, Oidc, ProvenIdentity, check_nonce
from api.auth.identity.key_sets import RS256
from domain.members.errors import SignInRefused

PROVIDER: Final = "google"
ISSUERS: Final = ("https://accounts.google.com", "accounts.google.com")
"""Google writes both."""


class Google:
    """ID tokens of Google accounts."""

    def __init__(self, client_ids: Collection[str], keys: KeySource) -> None:
        self._oidc = Oidc(PROVIDER, ISSUERS, frozenset(client_ids), (RS256,))
        self._keys = keys

    async def verify(self, id_token: str, nonce: str, now: datetime) -> ProvenIdentity:
        """Raises SignInRefused, or Unavailable when Google's keys cannot be had."""
        claims = await self._oidc.claims_by_kid(id_token, self._keys, now)
        check_nonce(claims, nonce)
        if "email" in claims and claims.get("email_verified") is not True:
            raise SignInRefused
        return self._oidc.person(claims, id_token, now)
