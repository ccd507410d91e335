"""Telegram: OpenID Connect, the data of a Mini App, and the older Login Widget.

The last two are query strings that the app passes on as it got them (of the widget's object: `new URLSearchParams(user)`). A Mini App's are
checked with the bot's token (HMAC) or, where we do not have it, with Telegram's public key (Ed25519); which of them is fixed by the
settings. They have no nonce: ours guards the attempt, and the data serve once, however they are written. The id of a person is the same
everywhere in Telegram, so the person's comments in groups are found by it.

Sources: https://core.telegram.org/bots/telegram-login, https://core.telegram.org/bots/webapps#validating-data-received-via-the-mini-app,
https://core.telegram.org/widgets/login#checking-authorization
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import unquote_plus

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from api.auth.identity.base import CLOCK_SKEW, LONGEST, OLDEST, KeySource, Oidc, ProvenIdentity, check_fresh, check_nonce, proven
from api.auth.identity.key_sets import ES256, RS256
from api.auth.strict import Malformed, is_clean, read_object
from domain.members.errors import SignInRefused

PROVIDER: Final = "telegram"
OIDC: Final = "oidc"
MINI_APP: Final = "mini_app"
WIDGET: Final = "widget"
ISSUER: Final = "https://oauth.telegram.org"
BOT_TOKEN: Final = re.compile(r"([0-9]{1,20}):[\x21-\x7e]{1,128}")
USER_ID: Final = re.compile(r"[1-9][0-9]{0,18}")
SECONDS: Final = re.compile(r"[1-9][0-9]{0,11}")
HASH: Final = re.compile(r"[0-9a-f]{64}")
MOST_FIELDS: Final = 32


class TelegramOidc:
    """ID tokens; Telegram signs with RS256 or ES256, each key with its own."""

    def __init__(self, client_id: str, keys: KeySource) -> None:
        self._oidc = Oidc(PROVIDER, (ISSUER,), frozenset({client_id}), (RS256, ES256), number_audience=True)
        self._keys = keys

    async def verify(self, id_token: str, nonce: str, now: datetime) -> ProvenIdentity:
        """Raises SignInRefused, or Unavailable when Telegram's keys cannot be had."""
        claims = await self._oidc.claims_by_kid(id_token, self._keys, now)
        check_nonce(claims, nonce)
        person = self._oidc.person(claims, id_token, now)
        if USER_ID.fullmatch(person.subject) is None:
            raise SignInRefused
        return person


class TelegramMiniApp:
    """`Telegram.WebApp.initData`, by the bot's token."""

    def __init__(self, bot_token: str) -> None:
        """Raises ValueError for what is no bot token."""
        self._secret = hmac.digest(b"WebAppData", _checked_token(bot_token).encode(), hashlib.sha256)

    async def verify(self, id_token: str, nonce: str, now: datetime) -> ProvenIdentity:  # noqa: ARG002
        """Raises SignInRefused."""
        fields = _fields(id_token)
        # The signature for third parties is among what the hash is made of, when it is there.
        _check_hash(self._secret, fields)
        return _mini_app_person(fields, now)


class TelegramMiniAppByKey:
    """`Telegram.WebApp.initData`, by Telegram's public key and the bot's id."""

    def __init__(self, bot_id: str, public_key_hex: str) -> None:
        """Raises ValueError for what is no bot id or no key of 32 bytes."""
        if USER_ID.fullmatch(bot_id) is None:
            raise ValueError("the id of a bot has digits only")
        self._bot_id = bot_id
        self._key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key_hex))

    async def verify(self, id_token: str, nonce: str, now: datetime) -> ProvenIdentity:  # noqa: ARG002
        """Raises SignInRefused."""
        fields = _fields(id_token)
        message = f"{self._bot_id}:WebAppData\n{_lines(fields, without=('hash', 'signature'))}"
        try:
            signature = base64.b64decode(fields.get("signature", "").encode("ascii") + b"==", altchars=b"-_", validate=True)
            self._key.verify(signature, message.encode())
        except (InvalidSignature, ValueError, binascii.Error):
            raise SignInRefused from None
        return _mini_app_person(fields, now)


class TelegramWidget:
    """The fields that the Login Widget and `login_url` buttons give."""

    def __init__(self, bot_token: str) -> None:
        """Raises ValueError for what is no bot token."""
        self._secret = hashlib.sha256(_checked_token(bot_token).encode()).digest()

    async def verify(self, id_token: str, nonce: str, now: datetime) -> ProvenIdentity:  # noqa: ARG002
        """Raises SignInRefused."""
        fields = _fields(id_token)
        _check_hash(self._secret, fields)
        if USER_ID.fullmatch(fields.get("id", "")) is None:
            raise SignInRefused
        return _person(WIDGET, fields, fields["id"], fields, now)


def _checked_token(bot_token: str) -> str:
    if BOT_TOKEN.fullmatch(bot_token) is None:
        raise ValueError("a bot token is <bot id>:<secret>")
    return bot_token


def _fields(text: str) -> dict[str, str]:
    """The decoded fields of a query string, each once and without control characters: a line break would make two lines of one."""
    if len(text) > LONGEST or text.count("&") >= MOST_FIELDS:
        raise SignInRefused
    fields: dict[str, str] = {}
    for pair in text.split("&"):
        name, equals, value = pair.partition("=")
        try:
            name, value = unquote_plus(name, errors="strict"), unquote_plus(value, errors="strict")
        except UnicodeDecodeError:
            raise SignInRefused from None
        if not (name and equals and is_clean(name) and is_clean(value)) or "=" in name or name in fields:
            raise SignInRefused
        fields[name] = value
    return fields


def _lines(fields: Mapping[str, str], *, without: tuple[str, ...]) -> str:
    return "\n".join(f"{name}={value}" for name, value in sorted(fields.items()) if name not in without)


def _check_hash(secret: bytes, fields: Mapping[str, str]) -> None:
    given = fields.get("hash", "")
    if HASH.fullmatch(given) is None:
        raise SignInRefused
    right = hmac.new(secret, _lines(fields, without=("hash",)).encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(right.encode(), given.encode()):
        raise SignInRefused


def _mini_app_person(fields: Mapping[str, str], now: datetime) -> ProvenIdentity:
    try:
        user: dict[str, Any] = read_object(fields.get("user", "").encode())
    except Malformed:
        raise SignInRefused from None
    user_id = user.get("id")
    if type(user_id) is not int or not 0 < user_id < 2**63 or user.get("is_bot", False) is not False:
        raise SignInRefused
    return _person(MINI_APP, fields, str(user_id), user, now)


def _person(kind: str, fields: Mapping[str, str], user_id: str, names: Mapping[str, Any], now: datetime) -> ProvenIdentity:
    """The person, when `auth_date` is fresh. The proof is known by its fields in order, not by how the text wrote them."""
    if SECONDS.fullmatch(fields.get("auth_date", "")) is None:
        raise SignInRefused
    made = int(fields["auth_date"])
    check_fresh(made, now)
    name = " ".join(part for part in (names.get("first_name"), names.get("last_name")) if isinstance(part, str) and part)
    ends_at = datetime.fromtimestamp(made, UTC) + OLDEST + CLOCK_SKEW
    return proven(PROVIDER, user_id, name, ends_at, f"{kind}\n{_lines(fields, without=('hash', 'signature'))}")
