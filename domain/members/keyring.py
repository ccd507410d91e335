"""All signing keys with what each is doing now: for the person who looks after the deployment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from domain import db
from domain.members.rules import KeyUse

RENEWED_EVERY = timedelta(days=90)
"""A key that has signed longer than this should have a successor."""


class KeyState(StrEnum):
    """What a key is doing."""

    NEXT = "next"
    """Published, so that others have it before it signs."""
    SIGNS = "signs"
    HONOURED = "honoured"
    """Signs no longer; what it signed still counts."""
    ENDED = "ended"
    REVOKED = "revoked"
    """Dropped before its time: nothing that it signed counts."""


@dataclass(frozen=True, slots=True)
class KeyOnRing:
    """One key. Its private half is not here."""

    kid: str
    use: KeyUse
    number: int
    not_before: datetime
    not_after: datetime
    revoked_at: datetime | None
    state: KeyState

    def is_old(self, now: datetime) -> bool:
        """True when it signs and should be renewed. Keys of receipts count for ever, and are renewed like others."""
        return self.state is KeyState.SIGNS and now - self.not_before > RENEWED_EVERY


async def keyring(now: datetime) -> list[KeyOnRing]:
    """Every key there ever was, by use and newest first."""
    rows = await db.fetch(
        "select kid, use, number, not_before, not_after, revoked_at from signing_key order by use, not_before desc, number desc"
    )
    signing: set[KeyUse] = set()
    found = []
    for row in rows:
        use = KeyUse(row["use"])
        state = _state(row, now, signs_already=use in signing)
        if state is KeyState.SIGNS:
            signing.add(use)
        found.append(KeyOnRing(row["kid"], use, row["number"], row["not_before"], row["not_after"], row["revoked_at"], state))
    return found


def _state(row: db.Record, now: datetime, *, signs_already: bool) -> KeyState:
    """The newest that has begun signs, as in `keys.active_key`."""
    if row["revoked_at"] is not None:
        return KeyState.REVOKED
    if now >= row["not_after"]:
        return KeyState.ENDED
    if now < row["not_before"]:
        return KeyState.NEXT
    return KeyState.HONOURED if signs_already else KeyState.SIGNS
