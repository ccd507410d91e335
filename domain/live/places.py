"""Places in a member's changes: a snapshot of the database, carried by the app as an opaque, signed text.

A snapshot says exactly which transactions had ended when it was taken. What it did not see is what is new, whatever the order in which
transactions began, wrote and ended: nothing is missed and nothing waits for a slow transaction.

Text: base64url of MAC (14 bytes) + microseconds since 1970 (8 bytes) + the snapshot as PostgreSQL writes it (`xmin:xmax:running,…`).
"""

from __future__ import annotations

import base64
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from domain.live.rules import KEPT
from domain.vault import Vault

LONGEST: Final = 4_000
MOST_RUNNING: Final = 150
"""Transactions that a place names; with more it says less, and some changes come twice."""
_PURPOSE: Final = "live-place"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_SNAPSHOT: Final = re.compile(r"(\d{1,19}):(\d{1,19}):(\d{1,19}(?:,\d{1,19})*)?", re.ASCII)


class BadPlace(ValueError):
    """Not a place of this member's, or one that lies too far back: read the lists anew."""


@dataclass(frozen=True, slots=True)
class Place:
    """`snapshot` as pg_snapshot's text; `at` is when it was taken."""

    snapshot: str
    at: datetime

    @property
    def oldest(self) -> int:
        """No transaction below this one is unknown to the snapshot."""
        return int(self.snapshot.partition(":")[0])


def short(snapshot: str) -> str:
    """The snapshot without its list of running transactions where that is long: then it ends at the oldest of them."""
    first, _, running = snapshot.split(":")
    return snapshot if running.count(",") < MOST_RUNNING else f"{first}:{first}:"


def write(vault: Vault, member_id: UUID, place: Place) -> str:
    """The place as the app carries it."""
    body = ((place.at - _EPOCH) // _MICROSECOND).to_bytes(8, "big", signed=True) + short(place.snapshot).encode()
    return base64.urlsafe_b64encode(_mac(vault, member_id, body) + body).rstrip(b"=").decode()


def read(vault: Vault, member_id: UUID, text: str, *, now: datetime) -> Place:
    """The place of a text.

    Raises:
        BadPlace: altered, another member's, or older than what is kept.
    """
    if len(text) > LONGEST or not text.isascii():
        raise BadPlace
    try:
        raw = base64.b64decode(text.encode() + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise BadPlace from None
    mac, body = raw[:14], raw[14:]
    if not hmac.compare_digest(mac, _mac(vault, member_id, body)) or not _SNAPSHOT.fullmatch(body[8:].decode("ascii", "replace")):
        raise BadPlace
    at = _EPOCH + int.from_bytes(body[:8], "big", signed=True) * _MICROSECOND
    if at < now - KEPT:
        raise BadPlace
    return Place(body[8:].decode(), at)


def _mac(vault: Vault, member_id: UUID, body: bytes) -> bytes:
    return vault.mac(_PURPOSE, member_id.bytes + body)[:14]
