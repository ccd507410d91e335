"""Apple's token endpoints: trade the code of a sign-in, and revoke what it gave when the account is deleted.

We show who we are with a short JWT, signed (ES256) with the key that Apple gave our team for Sign in with Apple.

Sources: https://developer.apple.com/documentation/signinwithapplerestapi/generate_and_validate_tokens,
https://developer.apple.com/documentation/signinwithapplerestapi/revoke_tokens; read 2026-11-22
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, TypeGuard
from urllib.parse import urlsplit

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from domain.providers.asking import ask
from domain.settings import MissingSetting, Settings

AUDIENCE: Final = "https://appleid.apple.com"
SECRET_LIFE = timedelta(minutes=5)
LONGEST_TOKEN: Final = 4096


@dataclass(frozen=True, slots=True)
class Traded:
    """What a code was worth."""

    refresh_token: str = field(repr=False)
    id_token: str = field(repr=False)
    """Says once more who the person is."""


class AppleTokens:
    """The endpoints, for one team."""

    def __init__(self, team_id: str, key_id: str, private_key: EllipticCurvePrivateKey, base_url: str) -> None:
        self._team_id = team_id
        self._key_id = key_id
        self._private_key = private_key
        self._base_url = base_url.rstrip("/")

    async def trade(self, code: str, client_id: str, now: datetime) -> Traded | None:
        """None when Apple takes the code for none of ours, or does not answer."""
        answer = await self._post("/auth/token", client_id, {"grant_type": "authorization_code", "code": code}, now)
        if answer is None or answer[0] != HTTPStatus.OK:
            return None
        try:
            found: Any = orjson.loads(answer[1])
        except ValueError:
            return None
        if not isinstance(found, dict):
            return None
        refresh_token, id_token = found.get("refresh_token"), found.get("id_token")
        return Traded(refresh_token, id_token) if _is_token(refresh_token) and _is_token(id_token) else None

    async def revoke(self, refresh_token: str, client_id: str, now: datetime) -> bool:
        """True when Apple has it; also for one that was revoked before."""
        form = {"token": refresh_token, "token_type_hint": "refresh_token"}
        answer = await self._post("/auth/revoke", client_id, form, now)
        return answer is not None and answer[0] == HTTPStatus.OK

    async def _post(self, path: str, client_id: str, form: Mapping[str, str], now: datetime) -> tuple[int, bytes] | None:
        claims = {
            "iss": self._team_id,
            "iat": int(now.timestamp()),
            "exp": int((now + SECRET_LIFE).timestamp()),
            "aud": AUDIENCE,
            "sub": client_id,
        }
        secret = jwt.encode(claims, self._private_key, algorithm="ES256", headers={"kid": self._key_id})
        data = {"client_id": client_id, "client_secret": secret, **form}
        return await ask("POST", self._base_url + path, form=data)


def _is_token(text: object) -> TypeGuard[str]:
    return isinstance(text, str) and 1 <= len(text) <= LONGEST_TOKEN and text.isascii()


def tokens_of(settings: Settings) -> AppleTokens | None:
    """For these settings; None when they name no key.

    Raises:
        MissingSetting: one of the three is missing, or the file holds no key; the message shows nothing of it.
    """
    team, key_id, path = settings.apple_team_id, settings.apple_key_id, settings.apple_private_key
    if not team and not key_id and path is None:
        return None
    if not team or not key_id or path is None:
        raise MissingSetting("PLUSONE_APPLE_TEAM_ID, PLUSONE_APPLE_KEY_ID and PLUSONE_APPLE_PRIVATE_KEY go together")
    parts = urlsplit(settings.apple_tokens_url)
    if parts.scheme != "https" and not (settings.is_development and parts.hostname in ("127.0.0.1", "localhost")):
        raise MissingSetting("PLUSONE_APPLE_TOKENS_URL: the address must begin with https://")
    return AppleTokens(team, key_id, _private_key(path), settings.apple_tokens_url)


def _private_key(path: Path) -> EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise MissingSetting(f"PLUSONE_APPLE_PRIVATE_KEY: not a readable key file ({type(error).__name__})") from None
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
        raise MissingSetting("PLUSONE_APPLE_PRIVATE_KEY: not the kind of key that Apple gives (P-256)")
    return key
