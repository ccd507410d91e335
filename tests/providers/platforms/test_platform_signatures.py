"""Every published and recorded signature vector, and the handshakes."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.datastructures import Headers

from domain.claims.ports import EndpointSecret
from domain.providers.platforms import PLATFORMS
from domain.providers.platforms.wire import (
    facebook_wire,
    generic_wire,
    line_wire,
    sign_facebook,
    sign_generic,
    sign_line,
    sign_telegram,
    telegram_wire,
)

FIXTURES = Path(__file__).parents[2] / "fixtures"
NOW = datetime(2026, 11, 21, 8, 10, tzinfo=UTC)
ACCOUNT = "Uf1a2b3c4d5e6f708192a3b4c5d6e7f80"


def load(path: str) -> Any:
    return json.loads((FIXTURES / path).read_text("utf-8"))


def vectors(path: str) -> list[Any]:
    return [pytest.param(vector, id=vector["name"]) for vector in load(path)["vectors"]]


@pytest.mark.parametrize("vector", vectors("facebook/signature_vectors.json"))
def test_facebook_vector(vector: dict[str, Any]) -> None:
    body, secret = base64.b64decode(vector["body_base64"]), EndpointSecret(vector["app_secret"])
    headers = {"x-hub-signature-256": vector["x_hub_signature_256"]}
    assert PLATFORMS["facebook"].verify(headers, body, secret, now=NOW) is vector["valid"]
    if vector["valid"]:
        assert sign_facebook(body, vector["app_secret"])["x-hub-signature-256"] == vector["x_hub_signature_256"]


def test_facebook_does_not_accept_the_legacy_header() -> None:
    legacy = load("facebook/signature_vectors.json")["legacy_header"]["vector"]
    body, secret = legacy["body"].encode(), EndpointSecret(legacy["app_secret"])
    assert not PLATFORMS["facebook"].verify({"x-hub-signature": legacy["value"]}, body, secret, now=NOW)
    assert not PLATFORMS["facebook"].verify({"x-hub-signature-256": legacy["value"]}, body, secret, now=NOW)


@pytest.mark.parametrize("vector", vectors("line/signature_vectors.json"))
def test_line_vector(vector: dict[str, Any]) -> None:
    body, secret = base64.b64decode(vector["body_base64"]), EndpointSecret(vector["channel_secret"])
    headers = {"x-line-signature": vector["x_line_signature"]}
    assert PLATFORMS["line"].verify(headers, body, secret, now=NOW) is vector["valid"]
    if vector["valid"]:
        assert sign_line(body, vector["channel_secret"])["x-line-signature"] == vector["x_line_signature"]


@pytest.mark.parametrize("vector", vectors("instagram/signature_vectors.json"))
def test_instagram_vector(vector: dict[str, Any]) -> None:
    body, headers = base64.b64decode(vector["body_base64"]), {"x-hub-signature-256": vector["x_hub_signature_256"]}
    assert PLATFORMS["instagram"].verify(headers, body, EndpointSecret(vector["app_secret"]), now=NOW) is vector["valid"]


@pytest.mark.parametrize("case", load("telegram/webhook_handshake.json")["cases"])
def test_telegram_vector(case: dict[str, Any]) -> None:
    secret = EndpointSecret(load("telegram/webhook_handshake.json")["set_webhook"]["request"]["json"]["secret_token"])
    given = case["secret_header"]
    headers = {} if given is None else {"x-telegram-bot-api-secret-token": given}
    assert PLATFORMS["telegram"].verify(headers, b"{}", secret, now=NOW) is case["valid"]


@pytest.mark.parametrize("vector", vectors("generic/signature_vectors.json"))
def test_generic_vector(vector: dict[str, Any]) -> None:
    body, secret = base64.b64decode(vector["body_base64"]), EndpointSecret(vector["secret"])
    headers = {"x-plusone-timestamp": str(vector["timestamp"]), "x-plusone-signature": vector["signature"]}
    now = datetime.fromtimestamp(vector["now"], UTC)
    assert PLATFORMS["generic"].verify(headers, body, secret, now=now) is vector["valid"]
    if vector["valid"]:
        assert sign_generic(body, vector["secret"], vector["timestamp"])["x-plusone-signature"] == vector["signature"]


@pytest.mark.parametrize(("seconds", "accepted"), [(-301, False), (-300, True), (0, True), (300, True), (301, False)])
def test_generic_timestamp_may_be_off_by_five_minutes(seconds: int, accepted: bool) -> None:
    headers = sign_generic(b"{}", "s", int(NOW.timestamp()) + seconds)
    assert PLATFORMS["generic"].verify(headers, b"{}", EndpointSecret("s"), now=NOW) is accepted


def test_meta_sends_escaped_bytes() -> None:
    vector = load("facebook/signature_vectors.json")["vectors"][0]
    assert facebook_wire(load("facebook/feed_comment_add.json")) == vector["body_ascii"].encode("ascii")


def test_line_and_generic_send_utf8() -> None:
    assert line_wire(load("line/group_text.json")) == base64.b64decode(load("line/signature_vectors.json")["vectors"][2]["body_base64"])
    batch = {"batch_id": "01KAKX0Z5N8QW3R7T1V2X4Y6ZA", "items": [load("generic/ingest_comment.json")]}
    assert generic_wire(batch) == base64.b64decode(load("generic/signature_vectors.json")["vectors"][0]["body_base64"])


def signed(name: str, body: bytes) -> dict[str, str]:
    if name == "generic":
        return sign_generic(body, "secret", int(NOW.timestamp()))
    return {"facebook": sign_facebook, "instagram": sign_facebook, "line": sign_line, "telegram": sign_telegram}[name](body, "secret")


@pytest.mark.parametrize("name", PLATFORMS)
def test_signed_delivery_is_accepted_and_another_endpoints_is_not(name: str) -> None:
    body = telegram_wire({"events": []})
    assert PLATFORMS[name].verify(signed(name, body), body, EndpointSecret("secret"), now=NOW)
    assert not PLATFORMS[name].verify(signed(name, body), body, EndpointSecret("Secret"), now=NOW)
    assert not PLATFORMS[name].verify(signed(name, body), body, EndpointSecret(""), now=NOW)
    assert not PLATFORMS[name].verify({}, body, EndpointSecret("secret"), now=NOW)


@pytest.mark.parametrize("name", PLATFORMS)
def test_header_names_have_no_case_and_a_second_header_spoils_the_first(name: str) -> None:
    body = b"{}"
    pairs = list(signed(name, body).items())
    upper = Headers(raw=[(key.upper().encode(), value.encode()) for key, value in pairs])
    assert PLATFORMS[name].verify({key.title(): value for key, value in pairs}, body, EndpointSecret("secret"), now=NOW)
    assert PLATFORMS[name].verify(upper, body, EndpointSecret("secret"), now=NOW)
    for again in (pairs[-1][1], "other"):
        twice = Headers(raw=[*upper.raw, (pairs[-1][0].encode(), again.encode())])
        assert not PLATFORMS[name].verify(twice, body, EndpointSecret("secret"), now=NOW)


@pytest.mark.parametrize(
    ("destination", "body", "accepted"),
    [
        ("", {"events": []}, True),
        (ACCOUNT, {"destination": ACCOUNT, "events": []}, True),
        (ACCOUNT, {"destination": ACCOUNT.lower(), "events": []}, False),
        (ACCOUNT, {"destination": None, "events": []}, False),
        (ACCOUNT, {"destination": [ACCOUNT], "events": []}, False),
        (ACCOUNT, {"events": []}, False),
        (ACCOUNT, [], False),
    ],
)
def test_line_delivery_must_be_for_this_account(destination: str, body: Any, accepted: bool) -> None:
    wire = line_wire(body)
    secret = EndpointSecret("secret", destination=destination)
    assert PLATFORMS["line"].verify(sign_line(wire, "secret"), wire, secret, now=NOW) is accepted


def test_line_delivery_without_json_is_for_no_account() -> None:
    secret = EndpointSecret("secret", destination=ACCOUNT)
    assert not PLATFORMS["line"].verify(sign_line(b"{", "secret"), b"{", secret, now=NOW)


def test_facebook_handshake() -> None:
    case = load("facebook/handshake.json")
    secret = EndpointSecret("app secret", verify_token=case["configured_verify_token"])
    expected = case["expected"]
    assert PLATFORMS["facebook"].handshake(case["request"]["query"], secret) == (expected["status"], expected["body"])
    for refused in case["negative"]:
        assert PLATFORMS["facebook"].handshake(refused["query"], secret) == (refused["status"], "")


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"hub.verify_token": ""}, 400),
        ({"hub.challenge": ""}, 400),
        ({"hub.challenge": "1" * 201}, 400),
        ({"hub.verify_token": "符"}, 403),
        ({"hub.verify_token": "\udcff"}, 403),
        ({"hub.verify_token": "plusone-verify-2026 "}, 403),
        ({"hub.verify_token": "x" * 60_000}, 403),
        ({"hub.mode": "SUBSCRIBE"}, 403),
    ],
)
def test_facebook_handshake_with_a_strange_question(change: dict[str, str], status: int) -> None:
    query = {"hub.mode": "subscribe", "hub.challenge": "1", "hub.verify_token": "plusone-verify-2026", **change}
    assert PLATFORMS["facebook"].handshake(query, EndpointSecret("s", verify_token="plusone-verify-2026")) == (status, "")


def test_facebook_handshake_without_a_token_of_ours_admits_nobody() -> None:
    query = {"hub.mode": "subscribe", "hub.challenge": "1", "hub.verify_token": ""}
    assert PLATFORMS["facebook"].handshake(query, EndpointSecret("s")) == (400, "")
    assert PLATFORMS["facebook"].handshake({**query, "hub.verify_token": "x"}, EndpointSecret("s")) == (403, "")


@pytest.mark.parametrize("name", ["line", "telegram", "generic"])
def test_the_others_have_no_handshake(name: str) -> None:
    assert PLATFORMS[name].handshake({"hub.mode": "subscribe"}, EndpointSecret("s")) is None


def test_a_secret_is_not_shown() -> None:
    assert "verysecret" not in repr(EndpointSecret("verysecret", verify_token="verysecret"))
