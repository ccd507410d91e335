"""Which providers are on, by their settings; a wrong setting is told by its name alone."""

from __future__ import annotations

import pytest

from api.auth.identity.registry import providers_for
from domain.settings import MissingSetting, load
from tests.api.auth.conftest import SECRET_KEY

OFF = {
    "google_client_ids": "google",
    "apple_client_ids": "apple",
    "facebook_app_id": "facebook",
    "telegram_client_id": "telegram",
    "telegram_bot_id": "telegram",
    "firebase_auth_project_id": "firebase",
}


@pytest.mark.parametrize("name", list(OFF))
def test_a_provider_is_off_until_its_id_is_set(name: str) -> None:
    def on(**given: str) -> set[str]:
        return {provider for provider, _ in providers_for(load(secret_key=SECRET_KEY, environment="production", **given))}

    assert on() == on(**{name: ""}) == set()
    assert on(**{name: "1234567890"}) == {OFF[name]}


def test_the_classic_login_needs_the_secret() -> None:
    given = {"secret_key": SECRET_KEY, "environment": "production", "facebook_app_id": "1234567890"}
    assert list(providers_for(load(**given))) == [("facebook", "limited")]
    assert list(providers_for(load(**given, facebook_app_secret=""))) == [("facebook", "limited")]
    assert list(providers_for(load(**given, facebook_app_secret="x" * 32))) == [("facebook", "limited"), ("facebook", "classic")]


@pytest.mark.parametrize(
    ("name", "value", "more"),
    [
        ("google_client_ids", "a,,b", {}),
        ("apple_client_ids", ",", {}),
        ("google_jwks_url", "http://127.0.0.1/certs", {"google_client_ids": "a"}),
        ("apple_jwks_url", "file:///etc/passwd", {"apple_client_ids": "a"}),
        ("facebook_jwks_url", "http://www.facebook.com/keys", {"facebook_app_id": "1"}),
        ("facebook_graph_url", "http://graph.facebook.com", {"facebook_app_id": "1", "facebook_app_secret": "x" * 32}),
        ("telegram_jwks_url", "oauth.telegram.org", {"telegram_client_id": "1"}),
        ("telegram_bot_token", "secret-but-no-token", {}),
        ("telegram_bot_id", "@plusone_bot", {}),
        ("telegram_public_key", "abcdef", {"telegram_bot_id": "1"}),
        ("firebase_auth_certificates_url", "http://www.googleapis.com/x509", {"firebase_auth_project_id": "p"}),
    ],
)
def test_a_wrong_setting_stops_the_start_with_its_name_and_without_its_value(name: str, value: str, more: dict[str, str]) -> None:
    with pytest.raises(MissingSetting, match=f"PLUSONE_{name.upper()}") as raised:
        providers_for(load(**{"secret_key": SECRET_KEY, "environment": "production", name: value} | more))
    assert value not in str(raised.value)
