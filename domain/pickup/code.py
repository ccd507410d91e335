"""The pickup code: one signed, opaque bearer text of 129 characters, and the short code beside it. Pure.

`P1:` + base45 (RFC 9285) of 84 bytes, integers big-endian:

| bytes | field |
| --- | --- |
| 1 | version, 1 |
| 1 | number of the signing key |
| 4 | shop number, so that another shop's code is told apart without a network |
| 8 | the pickup's random id, never the order number |
| 2 | issue number: rises with every renewal |
| 4 | not after, Unix seconds |
| 64 | Ed25519 over `"pickup-v1\\0"` and the 20 bytes before |

Every character is in the QR alphanumeric set, so the symbol is version 6, level M, 41 x 41 modules. No address is inside: a plain camera
app must neither open a page nor send the code anywhere.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import segno
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from domain.pickup.errors import BadCode

PREFIX: Final = "P1:"
LENGTH: Final = 129
"""Characters of a code."""
VERSION: Final = 1
_LAYOUT: Final = struct.Struct(">BBI8sHI")
_SIGNED: Final = b"pickup-v1\0"
_BASE45: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
_VALUE45: Final = {character: value for value, character in enumerate(_BASE45)}

CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
SHORT_LENGTH: Final = 8
_READ_AS: Final = str.maketrans("ILO", "110", " -")


@dataclass(frozen=True, slots=True)
class CodeFacts:
    """What a code says. `code_id` is 8 bytes; `not_after` in whole seconds, UTC."""

    key_number: int
    shop_number: int
    code_id: bytes
    issue_number: int
    not_after: datetime


def base45(data: bytes) -> str:
    """RFC 9285: two bytes give three characters, a last single byte two; least significant first."""
    text = []
    for start in range(0, len(data), 2):
        pair = data[start : start + 2]
        number = int.from_bytes(pair, "big")
        for _ in range(len(pair) + 1):
            number, digit = divmod(number, 45)
            text.append(_BASE45[digit])
    return "".join(text)


def read_base45(text: str) -> bytes:
    """The bytes of a base45 text.

    Raises:
        ValueError: another character, a length no bytes give, or a group above what its bytes hold.
    """
    data = bytearray()
    for start in range(0, len(text), 3):
        group = text[start : start + 3]
        if len(group) == 1 or not _VALUE45.keys() >= set(group):
            raise ValueError("not base45")
        number = sum(_VALUE45[character] * 45**place for place, character in enumerate(group))
        if number >= 256 ** (len(group) - 1):
            raise ValueError("not base45")
        data += number.to_bytes(len(group) - 1, "big")
    return bytes(data)


def encode(facts: CodeFacts, private_key: Ed25519PrivateKey) -> str:
    """The code's text, 129 characters."""
    body = _LAYOUT.pack(VERSION, facts.key_number, facts.shop_number, facts.code_id, facts.issue_number, int(facts.not_after.timestamp()))
    return PREFIX + base45(body + private_key.sign(_SIGNED + body))


def decode(text: str, public_keys: Mapping[int, Ed25519PublicKey]) -> CodeFacts:
    """What a code says, once its signature is checked; whether it is still good is another question.

    Raises:
        BadCode: not a code that one of these keys signed.
    """
    if len(text) != LENGTH:
        raise BadCode("length")
    if not text.startswith(PREFIX):
        raise BadCode("prefix")
    try:
        raw = read_base45(text[len(PREFIX) :])
    except ValueError:
        raise BadCode("alphabet") from None
    body, signature = raw[: _LAYOUT.size], raw[_LAYOUT.size :]
    version, key_number, shop_number, code_id, issue_number, not_after = _LAYOUT.unpack(body)
    if version != VERSION:
        raise BadCode("version")
    key = public_keys.get(key_number)
    if key is None:
        raise BadCode("key")
    try:
        key.verify(signature, _SIGNED + body)
    except InvalidSignature:
        raise BadCode("signature") from None
    return CodeFacts(key_number, shop_number, code_id, issue_number, datetime.fromtimestamp(not_after, UTC))


def code_number(code_id: bytes) -> int:
    """The code's 8 bytes as the signed number that the table keeps."""
    return int.from_bytes(code_id, "big", signed=True)


def code_bytes(number: int) -> bytes:
    """The table's number as the 8 bytes inside the code."""
    return number.to_bytes(8, "big", signed=True)


PNG_SCALE: Final = 10
"""Pixels of a module: a picture of 490 x 490."""


def _symbol(text: str) -> segno.QRCode:
    """Version 6, level M without boost, 41 x 41 modules."""
    return segno.make_qr(text, version=6, error="m", mode="alphanumeric", boost_error=False)


def qr_png(text: str) -> bytes:
    """The code as a PNG image, black on white with its quiet zone of 4: for a message to somebody, or for paper."""
    out = io.BytesIO()
    _symbol(text).save(out, kind="png", border=4, scale=PNG_SCALE)
    return out.getvalue()


def qr_svg(text: str) -> str:
    """The code as an SVG image: version 6, level M without boost, 41 x 41 modules, quiet zone of 4, dark on white. Show it at least 35 mm wide."""
    symbol = _symbol(text)
    out = io.BytesIO()
    symbol.save(out, kind="svg", border=4, dark="#000", light="#fff", xmldecl=False, omitsize=True)
    return out.getvalue().decode()


def short_code(random_bytes: bytes) -> str:
    """Eight Crockford base32 characters of 5 random bytes, for a broken camera."""
    number = int.from_bytes(random_bytes, "big")
    return "".join(CROCKFORD[number >> shift & 31] for shift in range(35, -1, -5))


def read_short_code(text: str) -> str | None:
    """A short code as it was typed, in its one spelling: case, hyphens and spaces do not matter, I and L are 1, O is 0. None for other texts."""
    code = text.upper().translate(_READ_AS)
    return code if len(code) == SHORT_LENGTH and set(code) <= set(CROCKFORD) else None
