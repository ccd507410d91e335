"""Which providers these settings offer: one is off until its ids are set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from pydantic import SecretStr

from api.auth.identity import apple, dev, facebook, firebase, google, line, telegram
from api.auth.identity.base import IdentityProvider, Providers
from api.auth.identity.firebase_users import FirebaseUsers
from api.auth.identity.jwks import JwksClient
from api.auth.identity.key_sets import ES256, RS256, Reader, jwks, x509_map
from domain.providers.apple_tokens import tokens_of
from domain.settings import MissingSetting, Settings

T = TypeVar("T")
Found = Iterator[tuple[tuple[str, str], IdentityProvider]]


def providers_for(settings: Settings) -> Providers:
    """The adapters by (provider, channel), a provider's default channel first; nobody is asked anything.

    Raises:
        MissingSetting: a setting of a provider cannot be; the message names it and never its value.
    """
    found: dict[tuple[str, str], IdentityProvider] = {}
    for part in (_line, _google, _apple, _facebook, _telegram, _firebase):
        found.update(part(settings))
    if settings.is_development:
        found[(dev.PROVIDER, "")] = dev.DevIdentity()
    return found


def _line(settings: Settings) -> Found:
    channel, secret = settings.line_login_channel_id, settings.line_login_channel_secret
    if not channel:
        return
    keys = _keys(settings, "line_login_jwks_url", jwks(ES256))
    yield (line.PROVIDER, line.NATIVE), line.LineNative(channel, keys)
    if secret is not None:
        yield (line.PROVIDER, line.WEB), _named("line_login_channel_secret", lambda: line.LineWeb(channel, secret.get_secret_value()))


def _google(settings: Settings) -> Found:
    if settings.google_client_ids:
        ids = _names("google_client_ids", settings.google_client_ids)
        yield (google.PROVIDER, ""), google.Google(ids, _keys(settings, "google_jwks_url", jwks(RS256)))


def _apple(settings: Settings) -> Found:
    if settings.apple_client_ids:
        ids = _names("apple_client_ids", settings.apple_client_ids)
        yield (apple.PROVIDER, ""), apple.Apple(ids, _keys(settings, "apple_jwks_url", jwks(RS256)), tokens_of(settings))


def _facebook(settings: Settings) -> Found:
    app, secret = settings.facebook_app_id, _text(settings.facebook_app_secret)
    if not app:
        return
    yield (facebook.PROVIDER, facebook.LIMITED), facebook.FacebookLimited(app, _keys(settings, "facebook_jwks_url", jwks(RS256)))
    if secret:
        url, loopback = settings.facebook_graph_url, settings.is_development
        classic = _named("facebook_graph_url", lambda: facebook.FacebookClassic(app, secret, url, allow_loopback_http=loopback))
        yield (facebook.PROVIDER, facebook.CLASSIC), classic


def _telegram(settings: Settings) -> Found:
    client, token, bot = settings.telegram_client_id, _text(settings.telegram_bot_token), settings.telegram_bot_id
    if client:
        keys = _keys(settings, "telegram_jwks_url", jwks(RS256, ES256))
        yield (telegram.PROVIDER, telegram.OIDC), telegram.TelegramOidc(client, keys)
    if token:
        yield (telegram.PROVIDER, telegram.MINI_APP), _named("telegram_bot_token", lambda: telegram.TelegramMiniApp(token))
        yield (telegram.PROVIDER, telegram.WIDGET), telegram.TelegramWidget(token)
    elif bot:
        either = "telegram_bot_id, plusone_telegram_public_key"
        by_key = _named(either, lambda: telegram.TelegramMiniAppByKey(bot, settings.telegram_public_key))
        yield (telegram.PROVIDER, telegram.MINI_APP), by_key


def _firebase(settings: Settings) -> Found:
    project = settings.firebase_auth_project_id
    if project:
        keys = _keys(settings, "firebase_auth_certificates_url", x509_map)
        yield (firebase.PROVIDER, ""), firebase.Firebase(project, keys, _firebase_users(settings, project))


def _firebase_users(settings: Settings, project: str) -> FirebaseUsers | None:
    account, url = settings.firebase_credentials, settings.firebase_auth_users_url
    if account is None:
        return None
    return _named(
        "firebase_credentials, plusone_firebase_auth_users_url",
        lambda: FirebaseUsers(project, account, url, development=settings.is_development),
    )


def _text(secret: SecretStr | None) -> str:
    return "" if secret is None else secret.get_secret_value()


def _keys(settings: Settings, name: str, read: Reader) -> JwksClient:
    return _named(name, lambda: JwksClient(getattr(settings, name), read, allow_loopback_http=settings.is_development))


def _names(name: str, text: str) -> list[str]:
    """The ids of a list by commas."""
    found = [part.strip() for part in text.split(",")]
    if not all(found):
        raise MissingSetting(f"PLUSONE_{name.upper()}: an empty name between the commas")
    return found


def _named(name: str, make: Callable[[], T]) -> T:
    """What `make` makes; the ValueError of a setting with the setting's name."""
    try:
        return make()
    except ValueError as error:
        raise MissingSetting(f"PLUSONE_{name.upper()}: {error}") from None
