"""Asking a provider over HTTP: one fixed address, bounded in time and size, no redirects, no proxy of the environment."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from functools import cache
from typing import Final

TIMEOUT_SECONDS: Final = 3.0
LARGEST_BYTES: Final = 64 * 1024


@cache
def trusted() -> ssl.SSLContext:
    """The world's certificates, read once per process: each reading keeps the loop busy for some fifty milliseconds."""
    import httpx

    return httpx.create_ssl_context(trust_env=False)


async def ask(
    method: str,
    url: str,
    *,
    params: Mapping[str, str] | None = None,
    form: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> tuple[int, bytes] | None:
    """Status and body of the answer; None when nobody answers in time, or too much."""
    import httpx  # with it come rich's and pygments' halves: a fifteenth of the start

    try:
        async with (
            asyncio.timeout(timeout_seconds),
            httpx.AsyncClient(verify=trusted(), timeout=timeout_seconds, follow_redirects=False, trust_env=False) as client,
            client.stream(method, url, params=params, data=form, headers=headers) as response,
        ):
            body = b""
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > LARGEST_BYTES:
                    return None
            return response.status_code, body
    except (httpx.HTTPError, TimeoutError, OSError):
        return None
