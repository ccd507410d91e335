"""Settings: one frozen object, read once from the environment (and a `.env` file in development)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

# There are no plugins; looking for them reads what every installed package says of itself.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

PREFIX: Final = "PLUSONE_"
CUSTOMARY: Final[Mapping[str, str]] = {"database_url": "DATABASE_URL"}
"""Names by which a setting is known elsewhere; they go before ours."""
ENV_FILE: Final = Path(".env")


class Environment(StrEnum):
    DEVELOPMENT = "development"
    PRODUCTION = "production"


class MissingSetting(Exception):
    """The start stops here; the message names every setting that is missing or wrong, and never its value."""


class Settings(BaseModel):
    """Environment variables are `PLUSONE_<NAME>`, in either case; the database's may also be the customary `DATABASE_URL`.

    What is given goes before the environment, and that before the file. pydantic's own settings read no more than this and take a twentieth of a start.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", validate_default=True)

    if not TYPE_CHECKING:

        def __init__(self, _env_file: Path | None = ENV_FILE, **given: Any) -> None:
            super().__init__(**{**_of_file(_env_file), **_among(os.environ), **given})

    environment: Environment = Environment.PRODUCTION
    """`development` adds the dev sign-in and GraphiQL."""
    secret_key: SecretStr = Field(min_length=32)
    """Root of all keys kept in the database and of cursors; at least 32 characters. `openssl rand -base64 33` makes one."""
    database_url: str | None = None
    """PostgreSQL 15 or later. Without it the embedded one runs in `data_dir`."""
    data_dir: Path = Path(".data")
    pool_size: int = Field(default=10, ge=2, le=200)
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    public_url: str = "http://127.0.0.1:8000"
    """Issuer of our tokens and base of addresses shown to people."""
    app_link_url: str | None = Field(default=None, pattern=r"^https?://[^\s#]{1,150}$")
    """An address that the member app opens (universal link, app link). Addresses in private replies and from bots begin with it; without it none is sent."""
    open_operations: bool = False
    """Answer documents that nobody registered with `plusone operations add`; development always does."""
    points_per_second: int = Field(default=100, ge=0, le=1_000_000)
    """What requests of one member may cost in the long run; others' buckets follow it (docs/api/http.md). 0 counts nothing."""
    line_login_channel_id: str | None = None
    line_login_channel_secret: SecretStr | None = None
    """Set for web login (HS256); native login (ES256) needs only the id."""
    line_api_url: str = "https://api.line.me"
    """Where bots ask for link tokens and send addresses."""
    line_login_jwks_url: str = "https://api.line.me/oauth2/v2.1/certs"
    google_client_ids: str | None = None
    """Client ids of Sign in with Google, by commas: the audiences that we take. Each provider is off until its ids are set."""
    google_jwks_url: str = "https://www.googleapis.com/oauth2/v3/certs"
    apple_client_ids: str | None = None
    """Bundle ids and services ids of Sign in with Apple, by commas."""
    apple_jwks_url: str = "https://appleid.apple.com/auth/keys"
    apple_team_id: str | None = None
    """These three, together, let a deleted account be given back to Apple, as the App Store asks."""
    apple_key_id: str | None = None
    apple_private_key: Path | None = None
    """The .p8 file."""
    apple_tokens_url: str = "https://appleid.apple.com"
    facebook_app_id: str | None = None
    """Limited Login needs only the id; the classic login also the secret, because Facebook is asked about each token."""
    facebook_app_secret: SecretStr | None = None
    facebook_jwks_url: str = "https://www.facebook.com/.well-known/oauth/openid/jwks/"
    facebook_graph_url: str = "https://graph.facebook.com/v26.0"
    telegram_client_id: str | None = None
    """OpenID Connect, from BotFather."""
    telegram_jwks_url: str = "https://oauth.telegram.org/.well-known/jwks.json"
    telegram_bot_token: SecretStr | None = None
    """Mini App and Login Widget, by HMAC."""
    telegram_bot_id: str | None = None
    """Mini App without the bot's token, by Telegram's public key."""
    telegram_public_key: str = "e7bf03a2fa4602af4580703d88dda5bb59f32ed8b02a56c187fe7d34caed242d"
    """Ed25519 in hexadecimal; Telegram's test environment has another."""
    firebase_auth_project_id: str | None = None
    firebase_auth_certificates_url: str = "https://www.googleapis.com/robot/v1/metadata/x509/securetoken@system.gserviceaccount.com"
    firebase_auth_users_url: str = "https://identitytoolkit.googleapis.com/v1"
    """Where Google is asked, with `firebase_credentials`, whether a user who works in a shop was disabled or signed out since."""
    passkey_rp_id: str | None = Field(default=None, pattern=r"^[a-z0-9.-]{1,253}$")
    """The domain that passkeys are made for: for ever, another one makes them useless. Without it the host of `public_url`."""
    passkey_origins: str | None = None
    """Web addresses and Android apps that may ask for passkeys, by commas. Without it the origin of `public_url`."""
    firebase_credentials: Path | None = None
    """Service account file. Without it (and without `fcm_base_url`) notices stay in the inbox and no push is sent, and Firebase is not asked about staff."""
    fcm_base_url: str | None = None
    """An FCM-shaped server in place of Google's: demo and tests."""
    reply_base_url: str | None = None
    """A server that takes replies in place of the platforms': demo and tests."""
    ecpay_url: str | None = None
    """An ECPay-shaped server in place of ECPay's own: demo and tests, never production."""
    keep_events_days: int = Field(default=90, ge=0)
    """Decided deliveries of platforms, which hold what people wrote. For this and the next ones 0 means for ever; docs/operate/retention.md."""
    keep_parked_days: int = Field(default=365, ge=0)
    """Deliveries that wait for a person to replay them."""
    keep_revisions_days: int = Field(default=730, ge=0)
    """What a comment said before it was edited."""
    keep_read_notices_days: int = Field(default=180, ge=0)
    """From the moment a notice was read."""
    keep_unread_notices_days: int = Field(default=365, ge=0)
    keep_pushes_days: int = Field(default=30, ge=0)
    keep_replies_days: int = Field(default=180, ge=0)
    keep_movements_days: int = Field(default=400, ge=0)
    """In the ledger of stock itself; older ones are carried forward and lie in its archive."""
    keep_slips_days: int = Field(default=90, ge=0)
    """Pictures of bank transfers, from the answer to the report that they are in; those in no report a day."""
    log_level: str = "INFO"
    log_json: bool = True

    @model_validator(mode="after")
    def _no_stand_in_for_money(self) -> Settings:
        if self.ecpay_url is not None and self.environment is Environment.PRODUCTION:
            raise ValueError("PLUSONE_ECPAY_URL stands in for the payment provider: take it out in production")
        return self

    @property
    def is_development(self) -> bool:
        """True when development conveniences may exist."""
        return self.environment is Environment.DEVELOPMENT


def _among(variables: Mapping[str, str | None]) -> dict[str, str]:
    """Settings among these variables, by their fields' names."""
    known = {name.upper(): value for name, value in variables.items() if value is not None}
    found = {}
    for field in Settings.model_fields:
        for name in (CUSTOMARY.get(field, ""), f"{PREFIX}{field.upper()}"):
            if name in known:
                found[field] = known[name]
                break
    return found


def _of_file(path: Path | None) -> dict[str, str]:
    if path is None or not path.expanduser().is_file():
        return {}
    from dotenv import dotenv_values  # late: only development has the file

    return _among(dotenv_values(path.expanduser(), encoding="utf-8"))


def load(**overrides: object) -> Settings:
    """Read the settings.

    Raises:
        MissingSetting: something is missing or wrong; the message names it as an environment variable.
    """
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        lines = []
        for problem in error.errors(include_input=False, include_context=False, include_url=False):
            name = ".".join(str(part) for part in problem["loc"]).upper()
            name = CUSTOMARY.get(name.lower(), f"{PREFIX}{name}")
            lines.append(f"{name}: {problem['msg']}")
        raise MissingSetting("\n".join(sorted(lines))) from None
