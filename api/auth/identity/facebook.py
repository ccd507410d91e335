"""Facebook Login: the ID token of Limited Login (iOS), or the classic access token.

A classic token says nothing by itself: Facebook is asked whose it is (`debug_token`) and whether it was made for our app, then for the
name (`/me`). It has no nonce: ours guards the attempt, and the token serves once.

The id is the person's in our app. It is not the id under which the person comments on a page, which is why the identity is kept under a
word of its own and meets no buyer by itself.

Sources: https://developers.facebook.com/docs/facebook-login/limited-login/token/validating,
https://developers.facebook.com/docs/facebook-login/guides/access-tokens/debugging
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

from api.auth.identity.base import LAST_SECOND, KeySource, Oidc, ProvenIdentity, check_fresh, check_nonce, proven
from api.auth.identity.fetching import checked_address, fetch
from api.auth.identity.key_sets import RS256
from api.auth.strict import Malformed, read_object
from domain.errors import Unavailable
from domain.members.errors import SignInRefused

log = logging.getLogger(__name__)

PROVIDER: Final = "facebook"
LIMITED: Final = "limited"
CLASSIC: Final = "classic"
IDENTITY: Final = "facebook_login"
ISSUER: Final = "https://www.facebook.com"
TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{16,1024}")
USER_ID: Final = re.compile(r"[0-9]{1,32}")
NOT_VALID: Final = frozenset({100, 190})
"""Facebook's codes for a token that is none, or none any more; every other error is its own or ours."""


class FacebookLimited:
    """ID tokens of Limited Login."""

    def __init__(self, app_id: str, keys: KeySource) -> None:
        self._oidc = Oidc(IDENTITY, (ISSUER,), frozenset({app_id}), (RS256,))
        self._keys = keys

    async def verify(self, id_token: str, nonce: str, now: datetime) -> ProvenIdentity:
        """Raises SignInRefused, or Unavailable when Facebook's keys cannot be had."""
        claims = await self._oidc.claims_by_kid(id_token, self._keys, now)
        check_nonce(claims, nonce)
        return self._oidc.person(claims, id_token, now)


class FacebookClassic:
    """Access tokens of the classic login."""

    def __init__(self, app_id: str, app_secret: str, graph_url: str, *, allow_loopback_http: bool = False) -> None:
        """`graph_url` with its version, such as https://graph.facebook.com/v26.0.

        Raises:
            ValueError: an address that must not be.
        """
        self._app_id = app_id
        self._secret = app_secret
        self._graph = checked_address(graph_url, allow_loopback_http=allow_loopback_http).rstrip("/")

    async def verify(self, id_token: str, nonce: str, now: datetime) -> ProvenIdentity:  # noqa: ARG002
        """Raises SignInRefused, or Unavailable when Facebook does not answer."""
        if TOKEN.fullmatch(id_token) is None:
            raise SignInRefused
        app_token = f"{self._app_id}|{self._secret}"
        found = (await self._ask("debug_token", {"input_token": id_token, "access_token": app_token})).get("data")
        user_id, ends_at = self._person(found, now)
        proof = hmac.new(self._secret.encode(), id_token.encode(), hashlib.sha256).hexdigest()
        me = await self._ask("me", {"fields": "id,name", "access_token": id_token, "appsecret_proof": proof})
        if me.get("id") != user_id:
            raise SignInRefused
        return proven(IDENTITY, user_id, me.get("name", ""), ends_at, id_token)

    def _person(self, data: Any, now: datetime) -> tuple[str, datetime]:
        """Whose token it is and when it ends, when it is a person's, valid, and made for our app."""
        if not isinstance(data, dict) or data.get("is_valid") is not True or data.get("type") != "USER":
            raise SignInRefused
        user_id, expires = data.get("user_id"), data.get("expires_at")
        if data.get("app_id") != self._app_id or not isinstance(user_id, str) or USER_ID.fullmatch(user_id) is None:
            raise SignInRefused
        if type(expires) is not int or not now.timestamp() < expires <= LAST_SECOND:
            raise SignInRefused
        if "issued_at" in data:
            check_fresh(data["issued_at"], now)
        return user_id, datetime.fromtimestamp(expires, UTC)

    async def _ask(self, path: str, params: Mapping[str, str]) -> dict[str, Any]:
        answer = await fetch(f"{self._graph}/{path}", params)
        if answer is None:
            raise Unavailable
        status, body = answer
        try:
            found = read_object(body)
        except Malformed:
            raise Unavailable from None
        if status == HTTPStatus.OK:
            return found
        error = found.get("error")
        code = error.get("code") if isinstance(error, dict) else None
        if status < 500 and code in NOT_VALID:
            raise SignInRefused
        log.warning("facebook does not answer %s", path, extra={"status": status, "code": code if isinstance(code, int) else 0})
        raise Unavailable
