"""Whether a notice is pushed, now or later, by itself or in a digest; what the member wishes decides. Pure.

The notice is in the inbox at once, whatever is decided here. In this order: what was read, or is not wanted, is not pushed. A deadline always is:
through a mute, through quiet hours, and when the day's pushes are used up. A muted shop is silent. Quiet hours wait until they end. What the
day has no more room for goes into the digest, and the last push of a day is kept for that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from domain.notices.rules import NoticeKind

MOST_PUSHES: Final = 100
"""That a member may wish for in a day."""
DAILY_PUSHES: Final = 20
DIGEST_AT: Final = time(20)
"""Where the member has not said anything else; by their clocks."""

K = NoticeKind


class NoticeTopic(StrEnum):
    """What notices are about."""

    ORDER = "ORDER"
    PAYMENT = "PAYMENT"
    SHIPMENT = "SHIPMENT"
    PICKUP = "PICKUP"
    ANNOUNCEMENT = "ANNOUNCEMENT"


_TOPICS: Final[Mapping[NoticeKind, NoticeTopic]] = {
    K.PAYMENT_RECEIVED: NoticeTopic.PAYMENT, K.PAYMENT_TO_RETURN: NoticeTopic.PAYMENT, K.PAYMENT_REMINDER: NoticeTopic.PAYMENT, K.PICKUP_READY: NoticeTopic.PICKUP,
    K.PICKED_UP: NoticeTopic.PICKUP, K.SHIPMENT_SENT: NoticeTopic.SHIPMENT, K.SHIPMENT_ARRIVED: NoticeTopic.SHIPMENT,
    K.SHIPMENT_LAST_DAY: NoticeTopic.SHIPMENT, K.SHIPMENT_DELIVERED: NoticeTopic.SHIPMENT, K.SHIPMENT_RETURNED: NoticeTopic.SHIPMENT,
    K.SHIPMENT_UPDATED: NoticeTopic.SHIPMENT, K.TRANSFER_REFUSED: NoticeTopic.PAYMENT, K.ANNOUNCEMENT: NoticeTopic.ANNOUNCEMENT,
}  # fmt: skip
TOPICS: Final[Mapping[NoticeKind, NoticeTopic]] = {kind: _TOPICS.get(kind, NoticeTopic.ORDER) for kind in NoticeKind}
DEADLINES: Final = frozenset({K.PAYMENT_REMINDER, K.SHIPMENT_LAST_DAY, K.WAITLIST_OFFERED})
"""Something is lost to whoever reads it too late."""
URGENT: Final = frozenset({K.PICKUP_READY, K.SHIPMENT_ARRIVED, K.SUGGESTION, K.ASK_BUYER, K.WAITLIST_FILLED, K.TRANSFER_REFUSED})
"""The buyer has something to do."""


def room(kind: NoticeKind, most: int) -> int:
    """How many pushes of a day of `most` may have gone before one of this kind: the urgent ones have all but the digest's place."""
    left = max(most - 1, 0)
    return left if kind in URGENT else left // 2 if kind is K.ANNOUNCEMENT else left * 3 // 4 + left % 2


@dataclass(frozen=True, slots=True)
class ShopWishes:
    """What a member wishes of one shop. `muted_until` None while `muted`: until they say otherwise."""

    muted: bool = False
    muted_until: datetime | None = None
    off: frozenset[NoticeKind] = frozenset()

    def silent(self, now: datetime) -> bool:
        """The shop is muted now."""
        return self.muted and (self.muted_until is None or now < self.muted_until)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a member wishes of their pushes; times are by the clocks of `zone`. Quiet hours from and until the same time are none."""

    zone: ZoneInfo
    quiet_from: time | None = None
    quiet_until: time | None = None
    daily_pushes: int = DAILY_PUSHES
    digest_at: time = DIGEST_AT
    off: frozenset[NoticeKind] = field(default_factory=frozenset)

    def quiet(self, now: datetime) -> bool:
        """It is quiet now."""
        start, end = self.quiet_from, self.quiet_until
        if start is None or end is None or start == end:
            return False
        clock = now.astimezone(self.zone).time()
        return start <= clock < end if start < end else clock >= start or clock < end

    def loud_at(self, now: datetime) -> datetime:
        """The first instant from now on (to the second) that is not quiet."""
        if not self.quiet(now) or self.quiet_until is None:
            return now
        quiet, loud = now.replace(microsecond=0), next_at(self.quiet_until, self.zone, now)
        while (seconds := (loud - quiet) // timedelta(seconds=1)) > 1:  # clocks that are put forward may jump over the end
            middle = quiet + timedelta(seconds=seconds // 2)
            quiet, loud = (middle, loud) if self.quiet(middle) else (quiet, middle)
        return loud

    def digest_due(self, now: datetime) -> datetime:
        """When what is put into the digest now is told."""
        return self.loud_at(next_at(self.digest_at, self.zone, now))

    def day(self, now: datetime) -> date:
        """The member's day, in which pushes are counted."""
        return now.astimezone(self.zone).date()


def next_at(clock: time, zone: ZoneInfo, now: datetime) -> datetime:
    """The next instant after now at which clocks there show this time; where they jump over it, as if they had not been put forward."""
    today = now.astimezone(zone).date()
    found = []
    for days in (-1, 0, 1, 2):
        for fold in (0, 1):
            at = datetime.combine(today + timedelta(days=days), clock.replace(fold=fold), zone).astimezone(UTC)
            if fold == 0 or at.astimezone(zone).time() == clock:
                found.append(at)
    return min(at for at in found if at > now)


class Way(StrEnum):
    """What becomes of a push."""

    SEND = "SEND"
    WAIT = "WAIT"
    DIGEST = "DIGEST"
    SILENT = "SILENT"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The way; for WAIT until when, for SILENT why."""

    way: Way
    until: datetime | None = None
    why: str = ""


SEND: Final = Verdict(Way.SEND)


def decide(kind: NoticeKind, *, read: bool, wishes: Wishes, shop: ShopWishes, spent: int, now: datetime) -> Verdict:
    """What becomes of a notice's push; `spent` pushes have gone to the member in their day."""
    if read:
        return Verdict(Way.SILENT, why="read already")
    if kind in wishes.off or kind in shop.off:
        return Verdict(Way.SILENT, why="not wanted")
    if kind in DEADLINES:
        return SEND
    if shop.silent(now):
        return Verdict(Way.SILENT, why="muted")
    if wishes.quiet(now):
        return Verdict(Way.WAIT, wishes.loud_at(now))
    if spent < room(kind, wishes.daily_pushes):
        return SEND
    if wishes.daily_pushes == 0:
        return Verdict(Way.SILENT, why="no pushes wanted")
    return Verdict(Way.DIGEST, wishes.digest_due(now))
