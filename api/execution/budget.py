"""Buckets of points: every request spends what it asked for, gets back what it did not use, and is told what is left.

A request is decided in memory, without a statement. Once in SETTLE_SECONDS each process tells PostgreSQL in one statement what was spent, and
learns what others spent: so a bucket may be overspent by what the processes allow in that time, never for longer, and the debt is waited for.
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import logging
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from api.auth.viewer import Viewer
from api.execution.errors import AWAY, Code, RequestError
from domain.clock import Clock
from domain.operations import buckets
from domain.operations.rules import Kind, Size, size_of

log = logging.getLogger(__name__)

SETTLE_SECONDS: Final = 1.0
FORGET_EVERY: Final = 300
"""Settlements of a process between two looks for full rows."""
MOST_KNOWN: Final = 50_000
"""Buckets that a process keeps in mind; full ones are dropped first, about 0.3 KB each."""
REFUSED_POINTS: Final = 20
"""A document that is refused was read all the same, and may have taken a tenth of a second."""


class Throttled(RequestError):
    """A bucket is too empty for this request."""

    def __init__(self, wanted: int, left: int, size: Size) -> None:
        wait = max(1, math.ceil(size.seconds(wanted - left)))
        super().__init__(
            f"Too much at once: this costs {wanted} points, {max(left, 0)} of {size.maximum} are left. "
            f"Wait {wait} s, then send it again; ask for smaller pages or less often.",
            Code.THROTTLED,
        )
        self.facts = {"retryAfterSeconds": wait, "cost": {"requestedQueryCost": wanted, "throttleStatus": _status(left, size)}}


@dataclass(slots=True, eq=False)
class Bucket:
    """One bucket as this process knows it. `unsettled`: seconds spent that PostgreSQL has not been told."""

    size: Size
    full_at: float
    unsettled: float = 0.0

    def spend(self, points: int, now: float) -> None:
        """Take points out, or put them back when negative."""
        seconds = points / self.size.rate
        self.full_at = max(self.full_at, now) + seconds
        self.unsettled += seconds


class Bill:
    """What one request spends, of one bucket or more."""

    __slots__ = ("_buckets", "_budgets", "_now", "requested")

    def __init__(self, budgets: Budgets, bucket: Bucket, now: float) -> None:
        self.requested = 0
        self._budgets = budgets
        self._buckets = [bucket]
        self._now = now

    def open(self, points: int) -> None:
        """Spend what the operation may cost.

        Raises:
            Throttled: there is less in the bucket.
        """
        points = max(points, 1)
        self._take(self._buckets[0], points)
        self.requested = points

    def also(self, shop_id: UUID, scanner: UUID | None) -> None:
        """This is work for a shop: its bucket pays the same, or that of the scanner (its session) who does it.

        Raises:
            Throttled: there is less in that bucket.
        """
        kind, of = (Kind.SHOP, shop_id) if scanner is None else (Kind.SCANNER, scanner)
        bucket = self._budgets.bucket(kind, of.hex, self._now)
        if bucket not in self._buckets:
            self._take(bucket, self.requested)
            self._buckets.append(bucket)

    def refused(self) -> None:
        """The document was no good; reading it is paid for."""
        self._buckets[0].spend(REFUSED_POINTS, self._now)

    def close(self, actual: int) -> dict[str, Any]:
        """Give back what was not used; answers `extensions.cost`, with the emptiest of the buckets."""
        actual = max(actual, 1)
        for bucket in self._buckets:
            bucket.spend(actual - self.requested, self._now)
        least = min(self._buckets, key=lambda bucket: bucket.size.left(bucket.full_at, self._now))
        status = _status(least.size.left(least.full_at, self._now), least.size)
        return {"requestedQueryCost": self.requested, "actualQueryCost": actual, "throttleStatus": status}

    def _take(self, bucket: Bucket, points: int) -> None:
        left = bucket.size.left(bucket.full_at, self._now)
        if left < points:
            raise Throttled(points, left, bucket.size)
        bucket.spend(points, self._now)


class FreeBill:
    """Nobody counts: where the setting is 0."""

    __slots__ = ("requested",)

    def __init__(self) -> None:
        self.requested = 0

    def open(self, points: int) -> None:
        """Note what it may cost."""
        self.requested = max(points, 1)

    def also(self, shop_id: UUID, scanner: UUID | None) -> None:
        """Nothing."""

    def refused(self) -> None:
        """Nothing."""

    def close(self, actual: int) -> dict[str, Any]:
        """`extensions.cost` without a bucket."""
        return {"requestedQueryCost": self.requested, "actualQueryCost": max(actual, 1)}


class Budgets:
    """The buckets of one process. `member_rate`: points a second of a member; 0 counts nothing."""

    def __init__(self, clock: Clock, member_rate: int) -> None:
        self._clock = clock
        self._sizes = {kind: size_of(kind, member_rate) for kind in Kind} if member_rate else {}
        self._known: dict[str, Bucket] = {}
        self._settlements = 0
        self._loop: asyncio.Task[None] | None = None

    def bill(self, viewer: Viewer | None, address: str) -> Bill | FreeBill:
        """The bill of a request by this member, or by nobody from this address.

        Raises:
            Throttled: nothing is left in the bucket.
        """
        if not self._sizes:
            return FreeBill()
        now = self._clock.now().timestamp()
        bucket = self.bucket(Kind.ADDRESS, hashed(address), now) if viewer is None else self.bucket(Kind.MEMBER, viewer.member_id.hex, now)
        left = bucket.size.left(bucket.full_at, now)
        if left < 1:
            raise Throttled(1, left, bucket.size)
        return Bill(self, bucket, now)

    def bucket(self, kind: Kind, of: str, now: float) -> Bucket:
        """The bucket of this kind and owner; full where nothing is known of it."""
        key = f"{kind.value}:{of}"
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= MOST_KNOWN:
                self._make_room(now)
            found = self._known[key] = Bucket(self._sizes[kind], now)
        return found

    def _make_room(self, now: float) -> None:
        self._known = {key: bucket for key, bucket in self._known.items() if bucket.full_at > now or abs(bucket.unsettled) > 1e-6}
        if len(self._known) >= MOST_KNOWN:  # a flood: those who spent least lately are taken for full
            keep = sorted(self._known, key=lambda key: self._known[key].full_at)[MOST_KNOWN // 2 :]
            self._known = {key: self._known[key] for key in keep}

    async def settle(self) -> int:
        """Tell PostgreSQL what was spent, and learn what is left; answers how many buckets it were.

        While the database is away nothing is lost: the next settlement tells it all.
        """
        spent = {key: bucket.unsettled for key, bucket in self._known.items() if abs(bucket.unsettled) > 1e-6}
        if not spent:
            return 0
        for key in spent:
            self._known[key].unsettled = 0.0
        now = self._clock.now()
        try:
            found = await buckets.settle({key: timedelta(seconds=seconds) for key, seconds in spent.items()}, now)
        except BaseException:
            for key, seconds in spent.items():
                if key in self._known:
                    self._known[key].unsettled += seconds
            raise
        self._learn({key: instant.timestamp() for key, instant in found.items()}, now.timestamp())
        return len(spent)

    def _learn(self, found: Mapping[str, float], now: float) -> None:
        for key, full_at in found.items():
            if bucket := self._known.get(key):
                bucket.full_at = max(full_at, now) + bucket.unsettled

    def start(self) -> None:
        """Settle from now on, until `stop`."""
        if self._sizes and self._loop is None:
            self._loop = asyncio.create_task(self._settle_for_ever(), name="cost buckets")

    async def stop(self) -> None:
        """Settle once more, and no longer."""
        if self._loop is None:
            return
        self._loop.cancel()
        with suppress(asyncio.CancelledError):
            await self._loop
        self._loop = None
        with suppress(*AWAY):
            await self.settle()

    async def _settle_for_ever(self) -> None:
        while True:
            await asyncio.sleep(SETTLE_SECONDS)
            try:
                await self.settle()
                self._settlements += 1
                if self._settlements % FORGET_EVERY == 0:
                    self._make_room(self._clock.now().timestamp())
                    await buckets.forget_full(self._clock.now())
            except AWAY as error:
                log.warning("cost buckets are not settled", extra={"error": type(error).__name__})
            except Exception as error:
                log.error("settling cost buckets failed: %s", type(error).__name__)


def hashed(address: str) -> str:
    """An address of the network as buckets know it: a hash of it, of its /64 with IPv6."""
    if ":" in address:
        with suppress(ValueError):
            address = str(ipaddress.ip_network((address.partition("%")[0], 64), strict=False))
    return hashlib.sha256(address.encode()).hexdigest()[:32]


def _status(left: int, size: Size) -> dict[str, int]:
    return {"maximumAvailable": size.maximum, "currentlyAvailable": max(left, 0), "restoreRate": size.rate}
