"""A provider's public keys by `kid`: fetched from one fixed address, kept, and never fetched from anywhere a token says.

One fetch at a time. What makes us ask is the age of the keys, or a `kid` that is not among them; the second at most every 30 seconds,
whoever invents ids. While the provider is away its last keys serve for a day; without any, nobody is let in.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final

from api.auth.identity.fetching import checked_address, fetch
from api.auth.identity.key_sets import ProviderKey, Reader
from domain.errors import Unavailable

TIMEOUT_SECONDS: Final = 3.0
FRESH = timedelta(seconds=300)
"""A set of keys is used so long without asking again."""
FORCED_EVERY = timedelta(seconds=30)
"""An unknown `kid` makes us ask again, and a failed fetch is repeated, at most so often."""
FIRST_EVERY = timedelta(seconds=5)
"""The same while no keys are known at all."""
KEPT = timedelta(hours=24)
"""When the provider cannot be reached, its last keys serve so long."""


class JwksClient:
    """The keys behind one address, as `read` understands what is published there."""

    def __init__(self, url: str, read: Reader, *, allow_loopback_http: bool = False) -> None:
        """`https` only; plain `http` to this machine when `allow_loopback_http` (development).

        Raises:
            ValueError: another address.
        """
        self._url = checked_address(url, allow_loopback_http=allow_loopback_http)
        self._read = read
        self._keys: dict[str, ProviderKey] = {}
        self._loaded_at: datetime | None = None
        self._tried_at: datetime | None = None
        self._lock = asyncio.Lock()

    async def key(self, kid: str, now: datetime) -> ProviderKey | None:
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

    def _answer(self, kid: str, now: datetime) -> ProviderKey | None:
        if self._loaded_at is None or now - self._loaded_at > KEPT:
            raise Unavailable
        return self._keys.get(kid)

    async def _fetch(self) -> dict[str, ProviderKey] | None:
        """The provider's keys, or None when it does not answer well."""
        answer = await fetch(self._url, timeout_seconds=TIMEOUT_SECONDS)
        return self._read(answer[1]) if answer is not None and answer[0] == HTTPStatus.OK else None
