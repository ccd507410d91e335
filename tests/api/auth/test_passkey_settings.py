"""For whom passkeys are made, by the settings."""

from __future__ import annotations

from typing import Any

import pytest

from api.auth.identity.passkey import RelyingParty, relying_party
from domain.settings import MissingSetting, load
from tests.api.auth.conftest import SECRET_KEY


def party(environment: str = "production", **given: Any) -> RelyingParty:
    return relying_party(load(secret_key=SECRET_KEY, environment=environment, **given))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://api.example.com", RelyingParty("api.example.com", ("https://api.example.com",))),
        ("https://api.example.com:8443/x", RelyingParty("api.example.com", ("https://api.example.com:8443",))),
        ("http://127.0.0.1:8000", RelyingParty("localhost", ("http://localhost:8000",))),
        ("http://localhost", RelyingParty("localhost", ("http://localhost",))),
    ],
)
def test_without_settings_it_is_who_people_see(url: str, expected: RelyingParty) -> None:
    assert party(public_url=url) == expected


def test_pages_and_apps_of_the_domain() -> None:
    origins = "https://example.com, https://shop.example.com:444,android:apk-key-hash:abc"
    found = party(passkey_rp_id="example.com", passkey_origins=origins)
    assert found == RelyingParty("example.com", ("https://example.com", "https://shop.example.com:444", "android:apk-key-hash:abc"))
    assert party("development", passkey_origins="http://localhost:3000").origins == ("http://localhost:3000",)


@pytest.mark.parametrize(
    "origins",
    ["", "http://example.com", "https://example.org", "https://evilexample.com", "https://example.com/app", "https://example.com,",
     "https://a@example.com", "http://localhost:3000", "ios:bundle-id:x"],
)  # fmt: skip
def test_others_stop_the_start(origins: str) -> None:
    with pytest.raises(MissingSetting, match="PLUSONE_PASSKEY_ORIGINS"):
        party(passkey_rp_id="example.com", passkey_origins=origins)


@pytest.mark.parametrize("rp_id", ["Example.com", "https://example.com", "example.com:80", ""])
def test_a_domain_is_a_name(rp_id: str) -> None:
    with pytest.raises(MissingSetting, match="PLUSONE_PASSKEY_RP_ID"):
        party(passkey_rp_id=rp_id)
