"""The scan's id, which the server signs instead of storing, and the count of short codes that were tried."""

from __future__ import annotations

import base64
import hmac
import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from domain import db
from domain.pickup.rules import SHORT_CODE_TRIES, SHORT_CODE_WINDOW
from domain.vault import Vault

_LAYOUT: Final = struct.Struct(">16s16s16sHI")
_MAC_BYTES: Final = 16
_PURPOSE: Final = "pickup-scan"


@dataclass(frozen=True, slots=True)
class Scan:
    """What a scan saw. `hand_over_id` becomes the key of the hand-over that is confirmed with it; `at` in whole seconds."""

    hand_over_id: UUID
    pickup_id: UUID
    scanner_id: UUID
    issue_number: int
    at: datetime


def _mac(body: bytes, shop_id: UUID, vault: Vault) -> bytes:
    return vault.mac(_PURPOSE, shop_id.bytes + body)[:_MAC_BYTES]


def sign_scan(scan: Scan, shop_id: UUID, vault: Vault) -> str:
    """The scan as opaque URL-safe text, good in this shop alone."""
    body = _LAYOUT.pack(scan.hand_over_id.bytes, scan.pickup_id.bytes, scan.scanner_id.bytes, scan.issue_number, int(scan.at.timestamp()))
    return base64.urlsafe_b64encode(body + _mac(body, shop_id, vault)).rstrip(b"=").decode()


def read_scan(text: str, shop_id: UUID, vault: Vault) -> Scan | None:
    """The scan of a text that `sign_scan` made for this shop; None for any other text (never raises)."""
    if len(text) > 200 or not text.isascii():
        return None
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return None
    body, mac = raw[: _LAYOUT.size], raw[_LAYOUT.size :]
    if len(body) != _LAYOUT.size or not hmac.compare_digest(mac, _mac(body, shop_id, vault)):
        return None
    hand_over, pickup, scanner, issue_number, at = _LAYOUT.unpack(body)
    return Scan(UUID(bytes=hand_over), UUID(bytes=pickup), UUID(bytes=scanner), issue_number, datetime.fromtimestamp(at, UTC))


async def count_short_code(shop_id: UUID, scanner_id: UUID, *, now: datetime) -> bool:
    """Count one try of a short code by this scanner in this shop; False once there were too many in the window."""
    guesses: int = await db.fetchval(
        """insert into guess_count (scope, window_started_at, guesses) values ($1, $2, 1)
           on conflict (scope) do update set
             guesses = case when guess_count.window_started_at > $3 and guess_count.window_started_at <= $2 then guess_count.guesses + 1 else 1 end,
             window_started_at =
               case when guess_count.window_started_at > $3 and guess_count.window_started_at <= $2 then guess_count.window_started_at else $2 end
           returning guesses""",
        f"pickup:{shop_id}:{scanner_id}",
        now,
        now - SHORT_CODE_WINDOW,
    )
    return guesses <= SHORT_CODE_TRIES
