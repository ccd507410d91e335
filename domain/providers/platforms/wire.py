"""Deliveries as the platforms send them: bodies in their very bytes, and their signatures. For tests and for the demo.

Sources: Meta for Developers, "Webhooks from Meta: Getting Started" (escaped body); LINE Developers, "Verify webhook signature";
Telegram, "Bot API: setWebhook" (read 2026-11).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from domain.providers.platforms.signatures import hmac_sha256

_JSON = {"content-type": "application/json"}


def facebook_wire(payload: Mapping[str, Any]) -> bytes:
    """Compact JSON, everything beyond ASCII as lower-case `\\uXXXX`, slashes escaped."""
    return json.dumps(payload, separators=(",", ":")).replace("/", "\\/").encode("ascii")


def utf8_wire(payload: Mapping[str, Any]) -> bytes:
    """Compact JSON in UTF-8."""
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()


line_wire = telegram_wire = generic_wire = utf8_wire


def sign_facebook(body: bytes, secret: str) -> dict[str, str]:
    """Headers of Meta's delivery; the secret is the app secret."""
    return {**_JSON, "x-hub-signature-256": f"sha256={hmac_sha256(secret, body).hex()}"}


def sign_line(body: bytes, secret: str) -> dict[str, str]:
    """Headers of LINE's delivery; the secret is the channel secret."""
    return {**_JSON, "x-line-signature": base64.b64encode(hmac_sha256(secret, body)).decode("ascii")}


def sign_telegram(body: bytes, secret: str) -> dict[str, str]:  # noqa: ARG001 -- same shape as its neighbours
    """Headers of Telegram's delivery. The body is not signed: the secret token itself is sent."""
    return {**_JSON, "x-telegram-bot-api-secret-token": secret}


def sign_generic(body: bytes, secret: str, timestamp: int) -> dict[str, str]:
    """Headers of a collector's delivery; `timestamp` in Unix seconds."""
    signature = hmac_sha256(secret, f"{timestamp}.".encode("ascii") + body).hex()
    return {**_JSON, "x-plusone-timestamp": str(timestamp), "x-plusone-signature": f"sha256={signature}"}
