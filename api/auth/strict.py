"""Reading JSON and JWTs that strangers made: one meaning or none.

JSON here has no duplicate keys, no NaN, no lone surrogates, no NUL and a bounded depth; any other text raises `Malformed` and nothing else.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Any, Final, NoReturn

JWT: Final = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
DEEPEST: Final = 32


class Malformed(ValueError):
    """Not what it claims to be. The message holds nothing of the text."""


def read_json(raw: bytes) -> Any:
    """The value of a UTF-8 JSON text.

    Raises:
        Malformed: anything else.
    """
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Malformed("not JSON") from None
    _check(value, DEEPEST)
    return value


def read_object(raw: bytes) -> dict[str, Any]:
    """As `read_json`, for a text that must be an object."""
    value = read_json(raw)
    if not isinstance(value, dict):
        raise Malformed("not a JSON object")
    return value


def read_unverified(token: str, *, longest: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of a compact JWT of at most `longest` characters. Nothing of them is proven.

    Raises:
        Malformed: not a JWT, or its parts are not strict JSON objects.
    """
    if len(token) > longest:
        raise Malformed("token too long")
    parts = JWT.fullmatch(token)
    if parts is None:
        raise Malformed("not a JWT")
    return read_object(_decoded(parts[1])), read_object(_decoded(parts[2]))


def is_clean(text: str) -> bool:
    """True when PostgreSQL and a log line take the text as it is: no control characters, no lone surrogates."""
    return not any(ord(c) < 32 or ord(c) == 127 or 0xD800 <= ord(c) <= 0xDFFF for c in text)


def _decoded(part: str) -> bytes:
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        raise Malformed("not base64url") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Malformed("a key occurs twice")
    return found


def _no_constant(_: str) -> NoReturn:
    raise Malformed("NaN and Infinity are not JSON")


def _check(value: Any, depth: int) -> None:
    if depth == 0:
        raise Malformed("too deep")
    match value:
        case str():
            _check_text(value)
        case dict():
            for key, item in value.items():
                _check_text(key)
                _check(item, depth - 1)
        case list():
            for item in value:
                _check(item, depth - 1)


def _check_text(text: str) -> None:
    if any(c == "\0" or 0xD800 <= ord(c) <= 0xDFFF for c in text):
        raise Malformed("a text holds NUL or a lone surrogate")
