"""Comparing signatures: always bytes, always in constant time, never an exception.

`hmac.compare_digest` raises TypeError on a text with a character above 127, so that one odd header would be an error 500.
Headers are taken as they come: servers strip the blanks around a value, and nothing here forgives more.

Source: Python 3.11 manual, "hmac: Keyed-Hashing for Message Authentication" (read 2026-11).
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping


def single_header(headers: Mapping[str, str], name: str) -> str | None:
    """The header's value; None when it is absent, or given twice (in any case): two signatures are none."""
    values = [value for key, value in headers.items() if key.lower() == name]
    return values[0] if len(values) == 1 else None


def hmac_sha256(secret: str, message: bytes) -> bytes:
    """HMAC-SHA256 keyed by the secret's UTF-8 bytes."""
    return hmac.digest(_as_bytes(secret), message, "sha256")


def same(given: str | None, expected: str) -> bool:
    """True when a non-empty expected value was given exactly."""
    if given is None or not expected:
        return False
    return hmac.compare_digest(_as_bytes(given), _as_bytes(expected))


def _as_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
