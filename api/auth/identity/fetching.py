"""Asking a provider of identities: over HTTPS, and for JSON."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from domain.providers.asking import TIMEOUT_SECONDS, ask

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
    return await ask("GET", url, params=params, headers={"accept": "application/json"}, timeout_seconds=timeout_seconds)
