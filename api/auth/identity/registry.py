"""Which providers these settings offer."""

from __future__ import annotations

from api.auth.identity import dev, line
from api.auth.identity.base import IdentityProvider, Providers
from api.auth.identity.jwks import JwksClient
from domain.settings import MissingSetting, Settings


def providers_for(settings: Settings) -> Providers:
    """The adapters by (provider, channel); no I/O.

    Raises:
        MissingSetting: a setting of a provider cannot be; the message names it and never its value.
    """
    found: dict[tuple[str, str], IdentityProvider] = {}
    if settings.line_login_channel_id:
        found[(line.PROVIDER, line.NATIVE)] = _line_native(settings, settings.line_login_channel_id)
        if settings.line_login_channel_secret is not None:
            found[(line.PROVIDER, line.WEB)] = _line_web(
                settings.line_login_channel_id, settings.line_login_channel_secret.get_secret_value()
            )
    if settings.is_development:
        found[(dev.PROVIDER, "")] = dev.DevIdentity()
    return found


def _line_native(settings: Settings, channel_id: str) -> line.LineNative:
    try:
        return line.LineNative(channel_id, JwksClient(settings.line_login_jwks_url, allow_loopback_http=settings.is_development))
    except ValueError as error:
        raise MissingSetting(f"PLUSONE_LINE_LOGIN_JWKS_URL: {error}") from None


def _line_web(channel_id: str, secret: str) -> line.LineWeb:
    try:
        return line.LineWeb(channel_id, secret)
    except ValueError as error:
        raise MissingSetting(f"PLUSONE_LINE_LOGIN_CHANNEL_SECRET: {error}") from None
