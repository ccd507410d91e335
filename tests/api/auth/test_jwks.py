"""A provider's keys over real HTTP: when they are fetched, when they are kept, and from where never."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from api.auth.identity.jwks import JwksClient
from api.auth.identity.key_sets import ES256, jwks
from api.auth.identity.registry import providers_for
from domain.errors import Unavailable
from domain.providers.asking import LARGEST_BYTES
from domain.settings import MissingSetting, load

READ = jwks(ES256)
AT = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
JWK = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(generate_private_key(SECP256R1()).public_key()))


def after(seconds: float) -> datetime:
    return AT + timedelta(seconds=seconds)


@dataclass
class KeyServer:
    """Answers with these keys, or as told, and counts."""

    url: str = ""
    kids: list[str] = field(default_factory=lambda: ["k1"])
    answer: bytes | None = None
    hang: bool = False
    asked: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            self.asked += 1
            if self.hang:
                await reader.read()
                return
            body = json.dumps({"keys": [JWK | {"kid": kid} for kid in self.kids]}).encode()
            writer.write(self.answer or b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s" % (len(body), body))
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def key_server(**given: Any):
    answering = KeyServer(**given)
    server = await asyncio.start_server(answering.serve, "127.0.0.1", 0)
    async with server:
        answering.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/certs"
        yield answering


@pytest.fixture
async def line():
    async with key_server() as answering:
        yield answering


def client(url: str) -> JwksClient:
    return JwksClient(url, READ, allow_loopback_http=True)


async def test_keys_are_fetched_once_and_kept_for_five_minutes(line):
    keys = client(line.url)
    for seconds in (0, 1, 299):
        assert await keys.key("k1", after(seconds)) is not None
    assert line.asked == 1
    assert await keys.key("k1", after(300)) is not None
    assert line.asked == 2


async def test_a_hundred_at_once_make_one_fetch(line):
    keys = client(line.url)
    found = await asyncio.gather(*(keys.key("k1", AT) for _ in range(100)))
    assert (len(found), None in found, line.asked) == (100, False, 1)


async def test_an_unknown_kid_asks_again_at_most_every_thirty_seconds(line):
    keys = client(line.url)
    await keys.key("k1", AT)
    for seconds in (1, 15, 29):
        assert await keys.key("k2", after(seconds)) is None
    assert line.asked == 1
    line.kids = ["k1", "k2"]
    assert await keys.key("k2", after(30)) is not None
    assert line.asked == 2
    assert await keys.key("nobody", after(31)) is None
    assert line.asked == 2


async def test_a_key_that_is_gone_at_the_provider_is_gone_here(line):
    keys = client(line.url)
    await keys.key("k1", AT)
    line.kids = ["k2"]
    assert await keys.key("k1", after(301)) is None


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        b'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"keys":1',
        b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n" + b" " * (LARGEST_BYTES + 1),
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n{}",
        b"nonsense\r\n\r\n",
    ],
    ids=["500", "no keys", "cut", "too large", "not gzip", "not HTTP"],
)
async def test_keys_are_kept_when_a_fetch_fails(line, answer):
    keys = client(line.url)
    await keys.key("k1", AT)
    line.answer = answer
    assert await keys.key("k1", after(400)) is not None
    assert await keys.key("k1", after(410)) is not None
    assert line.asked == 2
    with pytest.raises(Unavailable):
        await keys.key("k1", after(86_401))


async def test_without_any_keys_the_answer_is_unavailable_and_tried_again_soon(line):
    keys = client(line.url)
    line.answer = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"
    for seconds in (0, 1, 4):
        with pytest.raises(Unavailable):
            await keys.key("k1", after(seconds))
    assert line.asked == 1
    line.answer = None
    assert await keys.key("k1", after(5)) is not None


async def test_a_server_that_does_not_answer_is_given_up(line, monkeypatch):
    monkeypatch.setattr("api.auth.identity.jwks.TIMEOUT_SECONDS", 2.0)
    line.hang = True
    with pytest.raises(Unavailable):
        await client(line.url).key("k1", AT)
    assert line.asked == 1


async def test_nothing_listens():
    async with key_server() as gone:
        url = gone.url
    with pytest.raises(Unavailable):
        await client(url).key("k1", AT)


async def test_a_redirect_is_not_followed(line):
    async with key_server() as other:
        line.answer = b"HTTP/1.1 302 Found\r\nlocation: %s\r\ncontent-length: 0\r\n\r\n" % other.url.encode()
        with pytest.raises(Unavailable):
            await client(line.url).key("k1", AT)
        assert (line.asked, other.asked) == (1, 0)


@pytest.mark.parametrize(
    "url",
    [
        "http://api.line.me/certs",
        "http://127.0.0.1.evil.test/certs",
        "http://169.254.169.254/latest",
        "ftp://api.line.me/certs",
        "file:///etc/passwd",
        "https://",
        "",
        "api.line.me/certs",
        "http://user@10.0.0.1/certs",
    ],
)
def test_other_addresses_are_refused(url):
    with pytest.raises(ValueError, match="https://"):
        JwksClient(url, READ, allow_loopback_http=True)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/certs", "http://localhost/certs", "http://[::1]:1/certs"])
def test_plain_http_to_this_machine_is_for_development(url):
    JwksClient(url, READ, allow_loopback_http=True)
    with pytest.raises(ValueError, match="https://"):
        JwksClient(url, READ)
    JwksClient("https://api.line.me/oauth2/v2.1/certs", READ)


def settings(**given: Any):
    return load(secret_key="a root secret that is used by tests only, 48 chars", **given)


def test_the_development_provider_exists_in_development_only():
    assert set(providers_for(settings(environment="production"))) == set()
    assert set(providers_for(settings(environment="development"))) == {("dev", "")}
    line = {"line_login_channel_id": "1655000000"}
    assert set(providers_for(settings(environment="production", **line))) == {("line", "native")}
    line["line_login_channel_secret"] = "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
    assert list(providers_for(settings(environment="production", **line))) == [("line", "native"), ("line", "web")]


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"line_login_jwks_url": "http://127.0.0.1/certs"}, "PLUSONE_LINE_LOGIN_JWKS_URL"),
        ({"line_login_channel_secret": "very-short-secret"}, "PLUSONE_LINE_LOGIN_CHANNEL_SECRET"),
    ],
)
def test_a_wrong_setting_stops_the_start_with_its_name_and_without_its_value(given, named):
    with pytest.raises(MissingSetting, match=named) as raised:
        providers_for(settings(environment="production", line_login_channel_id="1655000000", **given))
    assert not any(value in str(raised.value) for value in given.values())
