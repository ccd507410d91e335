"""Forged deliveries: none is accepted, none raises."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from time import process_time

import pytest
from starlette.datastructures import Headers

from domain.claims.ports import EndpointSecret
from domain.providers.platforms import PLATFORMS
from domain.providers.platforms.wire import facebook_wire, line_wire, sign_facebook, sign_generic, sign_line, sign_telegram, telegram_wire

FIXTURES = Path(__file__).parents[2] / "fixtures"
NOW = datetime(2026, 11, 21, 8, 10, tzinfo=UTC)
SECRET = "f8b0e5c1d2a34796815e0b9c7d6a5f43"
Forgery = tuple[Mapping[str, str], bytes, str]
"""Headers, body and the endpoint's own secret."""


def keyed(secret: str | bytes, message: bytes, algorithm: str = "sha256") -> bytes:
    return hmac.new(secret if isinstance(secret, bytes) else secret.encode(), message, algorithm).digest()


def flipped(message: bytes, place: int) -> bytes:
    return message[:place] + bytes([message[place] ^ 1]) + message[place + 1 :]


def with_key(body: bytes, right: bytes) -> dict[str, bytes]:
    """Digests made otherwise than they should be."""
    return {
        "other secret": keyed("0" * 32, body),
        "empty secret": keyed("", body),
        "secret in upper case": keyed(SECRET.upper(), body),
        "secret with a line end": keyed(SECRET + "\n", body),
        "secret as hex bytes": keyed(bytes.fromhex(SECRET), body),
        "secret cut": keyed(SECRET[:-1], body),
        "sha1": keyed(SECRET, body, "sha1"),
        "md5": keyed(SECRET, body, "md5"),
        "sha512": keyed(SECRET, body, "sha512"),
        "sha512 cut": keyed(SECRET, body, "sha512")[:32],
        "no key": hashlib.sha256(body).digest(),
        "secret before body": hashlib.sha256(SECRET.encode() + body).digest(),
        "secret after body": hashlib.sha256(body + SECRET.encode()).digest(),
        "key and message changed places": keyed(body, SECRET.encode()),
        "signed twice": keyed(SECRET, right),
        "of the empty body": keyed(SECRET, b""),
        "of the body with a line end": keyed(SECRET, body + b"\n"),
        "first bit": flipped(right, 0),
        "last bit": flipped(right, -1 + len(right)),
        "all zero": bytes(32),
    }


def written(value: str) -> dict[str, str]:
    """The right value written otherwise."""
    return {
        "empty": "",
        "blank": " ",
        "none": "none",
        "cut by one": value[:-1],
        "cut to half": value[: len(value) // 2],
        "one longer": value + "0",
        "doubled": value + value,
        "two in one": f"{value}, {value}",
        "blank before": " " + value,
        "blank after": value + " ",
        "line end": value + "\r\n",
        "NUL": value + "\x00",
        "beyond ASCII": value[:-1] + "\xe9",
        "full width": "".join(chr(ord(character) + 0xFEE0) for character in value),
        "lone surrogate": "\udcff" + value[1:],
        "60 KB": value + "a" * 60_000,
        "upper case": value.upper(),
        "in quotes": f'"{value}"',
    }


def other_bodies(body: bytes) -> dict[str, bytes]:
    """Bodies that the right signature does not cover."""
    return {
        "body with a blank": body + b" ",
        "body with a line end": body + b"\n",
        "body after a byte order mark": b"\xef\xbb\xbf" + body,
        "body cut": body[:-1],
        "body empty": b"",
        "body rewritten with blanks": json.dumps(json.loads(body)).encode(),
        "body rewritten in order of keys": json.dumps(json.loads(body), ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode(),
        "quantity changed": body.replace(b"+2", b"+9"),
        "bit of the body": flipped(body, 20),
    }


def meta_forgeries() -> dict[str, Forgery]:
    body = facebook_wire(json.loads((FIXTURES / "facebook/feed_comment_add.json").read_text("utf-8")))
    right = sign_facebook(body, SECRET)
    name, value = "x-hub-signature-256", right["x-hub-signature-256"]
    digest = keyed(SECRET, body)
    found: dict[str, Forgery] = {key: ({name: f"sha256={made.hex()}"}, body, SECRET) for key, made in with_key(body, digest).items()}
    found |= {key: ({name: text}, body, SECRET) for key, text in written(value).items()}
    found |= {key: (right, other, SECRET) for key, other in other_bodies(body).items()}
    found["body rewritten as UTF-8"] = (right, line_wire(json.loads(body)), SECRET)
    found["no header"] = ({}, body, SECRET)
    found["only the legacy header"] = ({"x-hub-signature": f"sha1={keyed(SECRET, body, 'sha1').hex()}"}, body, SECRET)
    found["right value in the legacy header"] = ({"x-hub-signature": value}, body, SECRET)
    found["sha1 with its name"] = ({name: f"sha1={keyed(SECRET, body, 'sha1').hex()}"}, body, SECRET)
    found["right digest called sha1"] = ({name: f"sha1={digest.hex()}"}, body, SECRET)
    found["no prefix"] = ({name: digest.hex()}, body, SECRET)
    found["prefix alone"] = ({name: "sha256="}, body, SECRET)
    found["prefix in upper case"] = ({name: f"SHA256={digest.hex()}"}, body, SECRET)
    found["digits in upper case"] = ({name: f"sha256={digest.hex().upper()}"}, body, SECRET)
    found["base64"] = ({name: f"sha256={base64.b64encode(digest).decode()}"}, body, SECRET)
    found["LINE's signature"] = (sign_line(body, SECRET), body, SECRET)
    found["LINE's value"] = ({name: sign_line(body, SECRET)["x-line-signature"]}, body, SECRET)
    found["two headers"] = (Headers(raw=[(name.encode(), value.encode())] * 2), body, SECRET)
    found["right after wrong header"] = (Headers(raw=[(name.encode(), b"x"), (name.encode(), value.encode())]), body, SECRET)
    found["endpoint without secret"] = (sign_facebook(body, ""), body, "")
    return found


def line_forgeries() -> dict[str, Forgery]:
    body = line_wire(json.loads((FIXTURES / "line/group_text.json").read_text("utf-8")))
    right = sign_line(body, SECRET)
    name, value = "x-line-signature", right["x-line-signature"]
    digest = keyed(SECRET, body)
    made_otherwise = with_key(body, digest).items()
    found: dict[str, Forgery] = {key: ({name: base64.b64encode(made).decode()}, body, SECRET) for key, made in made_otherwise}
    found |= {key: ({name: text}, body, SECRET) for key, text in written(value).items()}
    found |= {key: (right, other, SECRET) for key, other in other_bodies(body).items()}
    found["body rewritten as ASCII"] = (right, facebook_wire(json.loads(body)), SECRET)
    found["no header"] = ({}, body, SECRET)
    found["hex"] = ({name: digest.hex()}, body, SECRET)
    found["Meta's signature"] = (sign_facebook(body, SECRET), body, SECRET)
    found["Meta's value"] = ({name: sign_facebook(body, SECRET)["x-hub-signature-256"]}, body, SECRET)
    found["base64 for addresses"] = ({name: base64.urlsafe_b64encode(digest + b"\xff\xff\xff").decode()}, body, SECRET)
    found["base64 without padding"] = ({name: value.rstrip("=")}, body, SECRET)
    found["two headers"] = (Headers(raw=[(name.encode(), value.encode())] * 2), body, SECRET)
    found["endpoint without secret"] = (sign_line(body, ""), body, "")
    return found


def telegram_forgeries() -> dict[str, Forgery]:
    body = telegram_wire({"update_id": 1})
    name = "x-telegram-bot-api-secret-token"
    found: dict[str, Forgery] = {key: ({name: text}, body, "k7PzQ_2f-9sWnX4") for key, text in written("k7PzQ_2f-9sWnX4").items()}
    found["no header"] = ({}, body, "k7PzQ_2f-9sWnX4")
    found["two headers"] = (Headers(raw=[(name.encode(), b"k7PzQ_2f-9sWnX4")] * 2), body, "k7PzQ_2f-9sWnX4")
    found["endpoint without secret"] = (sign_telegram(body, ""), body, "")
    return found


def generic_forgeries() -> dict[str, Forgery]:
    body = line_wire({"batch_id": "1", "items": [{"text": "+2"}]})
    now = int(NOW.timestamp())
    right = sign_generic(body, SECRET, now)
    name, value = "x-plusone-signature", right["x-plusone-signature"]
    made_otherwise = with_key(f"{now}.".encode() + body, bytes.fromhex(value[7:])).items()
    found: dict[str, Forgery] = {key: ({**right, name: f"sha256={made.hex()}"}, body, SECRET) for key, made in made_otherwise}
    found |= {key: ({**right, name: text}, body, SECRET) for key, text in written(value).items()}
    found |= {
        f"time: {key}": ({**right, "x-plusone-timestamp": text}, body, SECRET)
        for key, text in written(str(now)).items()
        if text != str(now)
    }
    found |= {key: (right, other, SECRET) for key, other in other_bodies(body).items() if other != body}
    for key, other_time in {"one second later": f"{now + 1}", "negative": f"-{now}", "decimal": f"{now}.0", "exponent": "1e9"}.items():
        found[f"time {key}"] = ({**right, "x-plusone-timestamp": other_time}, body, SECRET)
    found["body signed without its time"] = (
        {**right, **sign_facebook(body, SECRET), name: f"sha256={keyed(SECRET, body).hex()}"},
        body,
        SECRET,
    )
    found["captured yesterday"] = (sign_generic(body, SECRET, now - 86_400), body, SECRET)
    found["no time"] = ({name: value}, body, SECRET)
    found["no signature"] = ({"x-plusone-timestamp": str(now)}, body, SECRET)
    found["endpoint without secret"] = (sign_generic(body, "", now), body, "")
    return found


FORGERIES = {"facebook": meta_forgeries(), "line": line_forgeries(), "telegram": telegram_forgeries(), "generic": generic_forgeries()}
CASES = [pytest.param(name, *forgery, id=f"{name}: {key}") for name, forgeries in FORGERIES.items() for key, forgery in forgeries.items()]


def test_there_are_enough_of_them() -> None:
    assert len(FORGERIES["facebook"]) >= 43
    assert len(FORGERIES["line"]) >= 38


@pytest.mark.parametrize(("name", "headers", "body", "secret"), CASES)
def test_forged_delivery_is_refused(name: str, headers: Mapping[str, str], body: bytes, secret: str) -> None:
    started = process_time()
    assert PLATFORMS[name].verify(headers, body, EndpointSecret(secret), now=NOW) is False
    assert process_time() - started < 2, "no forgery costs what grows faster than its length"


@pytest.mark.parametrize("name", ["facebook", "line"])
def test_every_single_bit_of_a_delivery_counts(name: str) -> None:
    body = b'{"entry":[],"events":[]}'
    headers = {"facebook": sign_facebook, "line": sign_line}[name](body, SECRET)
    header = next(key for key in headers if "signature" in key)
    platform, secret = PLATFORMS[name], EndpointSecret(SECRET)
    assert platform.verify(headers, body, secret, now=NOW)
    for place in range(len(body) * 8):
        changed = body[: place // 8] + bytes([body[place // 8] ^ (1 << place % 8)]) + body[place // 8 + 1 :]
        assert not platform.verify(headers, changed, secret, now=NOW)
    for place in range(len(headers[header])):
        for bit in range(7):
            signature = headers[header].encode()
            signature = signature[:place] + bytes([signature[place] ^ (1 << bit)]) + signature[place + 1 :]
            assert not platform.verify({header: signature.decode("latin-1")}, body, secret, now=NOW)
