"""ID tokens of Firebase Authentication.

They have no nonce: ours guards the attempt, and the token serves once. So the app asks Firebase for a fresh one (`getIdToken(true)`) each
time. Checked here and not by firebase-admin: its check blocks, and accepts unsigned tokens while FIREBASE_AUTH_EMULATOR_HOST is set.
Anonymous users and users of a tenant are refused: the first have proven nothing, the second have ids that are unique in the tenant only.

A token says nothing of what happened since it was made: whether its user was disabled or signed out everywhere Google is asked, with a service account.

Source: https://firebase.google.com/docs/auth/admin/verify-id-tokens#verify_id_tokens_using_a_third-party_jwt_library
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import jwt

from api.auth.identity.base import CLOCK_SKEW, KeySource, Oidc, ProvenIdentity
from api.auth.identity.firebase_users import FirebaseUsers
from api.auth.identity.key_sets import RS256
from domain.members.errors import SignInRefused

PROVIDER: Final = "firebase"
ISSUER: Final = "https://securetoken.google.com/"


class Firebase:
    """ID tokens of one Firebase project."""

    def __init__(self, project_id: str, keys: KeySource, users: FirebaseUsers | None = None) -> None:
        """`users`: whom `ask_standing` asks; without it nobody is."""
        self._oidc = Oidc(PROVIDER, (ISSUER + project_id,), frozenset({project_id}), (RS256,))
        self._keys = keys
        self._users = users

    async def verify(self, id_token: str, nonce: str, now: datetime) -> ProvenIdentity:  # noqa: ARG002
        """Raises SignInRefused, or Unavailable when Google's certificates cannot be had."""
        claims = await self._oidc.claims_by_kid(id_token, self._keys, now)
        signed_in, about = claims.get("auth_time"), claims.get("firebase")
        if type(signed_in) is not int or not 0 < signed_in <= now.timestamp() + CLOCK_SKEW.total_seconds():
            raise SignInRefused
        if not isinstance(about, dict) or about.get("sign_in_provider") in (None, "anonymous") or "tenant" in about:
            raise SignInRefused
        return self._oidc.person(claims, id_token, now)

    async def ask_standing(self, proven: ProvenIdentity, id_token: str) -> None:
        """Raises SignInRefused when the user is disabled, deleted, or was signed out since; Unavailable when Google does not answer."""
        if self._users is not None:
            await self._users.check(proven.subject, jwt.decode(id_token, options={"verify_signature": False})["auth_time"])
