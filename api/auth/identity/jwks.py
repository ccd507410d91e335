"""A provider's public keys by `kid`: fetched from one fixed address, kept, and never fetched from anywhere a token says."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from api.auth.strict import Malformed, read_object
from domain.errors import Unavailable

TIMEOUT_SECONDS: Final = 3.0
LARGEST_BYTES: Final = 64 * 1024
FRESH = timedelta(seconds=300)
"""A set of keys is used so long without asking again."""
FORCED_EVERY = timedelta(seconds=30)
"""An unknown `kid` makes us ask again, and a failed fetch is repeated, at most so often."""
FIRST_EVERY = timedelta(seconds=5)
"""The same while no keys are known at all."""
KEPT = timedelta(hours=24)
"""When the provider cannot be reached, its last keys serve so long."""
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class JwksClient:
    """ES256 keys behind one address."""

    def __init__(self, url: str, *, allow_loopback_http: bool = False) -> None:
        """`https` only; plain `http` to this machine when `allow_loopback_http` (development).

        Raises:
            ValueError: another address.
        """
        parts = urlsplit(url)
        loopback = allow_loopback_http and parts.scheme == "http" and parts.hostname in LOOPBACK
        if not parts.hostname or (parts.scheme != "https" and not loopback):
            raise ValueError("the address of a provider's keys must begin with https://")
        self._url = url
        self._keys: dict[str, EllipticCurvePublicKey] = {}
        self._loaded_at: datetime | None = None
        self._tried_at: datetime | None = None
        self._lock = asyncio.Lock()

    async def key(self, kid: str, now: datetime) -> EllipticCurvePublicKey | None:
        """The key of this id; None when the provider has none.

        Raises:
            Unavailable: no keys are known and they cannot be fetched now.
        """
        if not self._needs_fetch(kid, now):
            return self._answer(kid, now)
        async with self._lock:
            if self._needs_fetch(kid, now):
                fetched = await self._fetch()
                # Noted afterwards: whoever comes meanwhile waits for this fetch.
                self._tried_at = now
                if fetched is not None:
                    self._keys, self._loaded_at = fetched, now
        return self._answer(kid, now)

    def _needs_fetch(self, kid: str, now: datetime) -> bool:
        known = kid in self._keys and self._loaded_at is not None and timedelta(0) <= now - self._loaded_at < FRESH
        pause = FIRST_EVERY if self._loaded_at is None else FORCED_EVERY
        recently_tried = self._tried_at is not None and abs(now - self._tried_at) < pause
        return not known and not recently_tried

    def _answer(self, kid: str, now: datetime) -> EllipticCurvePublicKey | None:
        if self._loaded_at is None or now - self._loaded_at > KEPT:
            raise Unavailable
        return self._keys.get(kid)

    async def _fetch(self) -> dict[str, EllipticCurvePublicKey] | None:
        """The provider's keys, or None when it does not answer well."""
        try:
            async with (
                asyncio.timeout(TIMEOUT_SECONDS),
                httpx.AsyncClient(timeout=TIMEOUT_SECONDS, follow_redirects=False, trust_env=False) as client,
                client.stream("GET", self._url, headers={"accept": "application/json"}) as response,
            ):
                if response.status_code != httpx.codes.OK:
                    return None
                body = b""
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > LARGEST_BYTES:
                        return None
        except (httpx.HTTPError, TimeoutError, OSError):
            return None
        return es256_keys(body)


def es256_keys(body: bytes) -> dict[str, EllipticCurvePublicKey] | None:
    """The P-256 signature keys of a JSON Web Key Set by kid; None when it holds none. Other keys are passed over."""
    try:
        listed = read_object(body).get("keys")
    except Malformed:
        return None
    found = {}
    for item in listed if isinstance(listed, list) else []:
        key = _es256_key(item)
        if key is not None:
            found[item["kid"]] = key
    return found or None


def _es256_key(item: Any) -> EllipticCurvePublicKey | None:
    if not isinstance(item, dict) or not isinstance(item.get("kid"), str) or item.get("kty") != "EC" or item.get("crv") != "P-256":
        return None
    if item.get("alg", "ES256") != "ES256" or item.get("use", "sig") != "sig" or "d" in item:
        return None
    try:
        key = jwt.PyJWK(item, algorithm="ES256").key
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        return None
    return key if isinstance(key, EllipticCurvePublicKey) else None
