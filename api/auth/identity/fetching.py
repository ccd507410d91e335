"""Asking a provider over HTTP: one fixed address, bounded in time and size, no redirects."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

TIMEOUT_SECONDS: Final = 3.0
LARGEST_BYTES: Final = 64 * 1024
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def checked_address(url: str, *, allow_loopback_http: bool) -> str:
    """The address: `https`, or plain `http` to this machine when `allow_loopback_http` (development).

    Raises:
        ValueError: another address.
    """
    parts = urlsplit(url)
    loopback = allow_loopback_http and parts.scheme == "http" and parts.hostname in LOOPBACK
    if not parts.hostname or (parts.scheme != "https" and not loopback):
        raise ValueError("the address must begin with https://")
    return url


async def fetch(url: str, params: Mapping[str, str] | None = None, *, timeout_seconds: float = TIMEOUT_SECONDS) -> tuple[int, bytes] | None:
    """Status and body of a GET; None when nobody answers in time, or too much."""
    import httpx  # with it come rich's and pygments' halves: a fifteenth of the start

    try:
        async with (
            asyncio.timeout(timeout_seconds),
            httpx.AsyncClient(timeout=timeout_seconds, follow_redirects=False, trust_env=False) as client,
            client.stream("GET", url, params=params, headers={"accept": "application/json"}) as response,
        ):
            body = b""
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > LARGEST_BYTES:
                    return None
            return response.status_code, body
    except (httpx.HTTPError, TimeoutError, OSError):
        return None
