"""Limits and lifetimes of sign-in. Pure."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum


class KeyUse(StrEnum):
    """What a signing key signs; keys of one use never serve another."""

    ACCESS = "ACCESS"
    PICKUP = "PICKUP"
    RECEIPT = "RECEIPT"


class DevicePlatform(StrEnum):
    IOS = "IOS"
    ANDROID = "ANDROID"
    WEB = "WEB"


class PushTarget(StrEnum):
    """How FCM names an installation: the classic registration token, or the Firebase installation id."""

    TOKEN = "TOKEN"  # noqa: S105 - a kind, not a secret
    FID = "FID"


class AlertKind(StrEnum):
    """Why a member is told about their sign-in."""

    REUSED = "REUSED"
    """A refresh token was used again after its successor: somebody has a copy, so the session was ended."""
    NEW_DEVICE = "NEW_DEVICE"
    """Somebody signed in on an installation that the member never used, while others are signed in."""


ACCESS_TOKEN_LIFE = timedelta(minutes=10)
REFRESH_IDLE = timedelta(days=30)
REFRESH_LIFE = timedelta(days=180)
STAFF_REFRESH_IDLE = timedelta(hours=12)
"""Whoever works in a shop, in any role, has shorter sessions."""
STAFF_REFRESH_LIFE = timedelta(days=7)
LOST_ANSWER_GRACE = timedelta(seconds=30)
"""A phone that lost the answer may send the old refresh token again this long, while the successor is unused."""
NONCE_LIFE = timedelta(minutes=10)


def refresh_limits(*, staff: bool) -> tuple[timedelta, timedelta]:
    """How long a session may rest, and how long it may live."""
    return (STAFF_REFRESH_IDLE, STAFF_REFRESH_LIFE) if staff else (REFRESH_IDLE, REFRESH_LIFE)


class CodeKind(StrEnum):
    """What a claim code is for."""

    NAME = "NAME"
    """Written under a post or sent to the shop's bot: whoever wrote it is the member, once the member says so."""
    MERGE = "MERGE"
    """Handed from one signed-in account to another signed-in account of the same person."""


class LinkState(StrEnum):
    """How far a person of a platform and a member are on the way to each other, by the platform's own linking of accounts."""

    ASKED = "ASKED"
    """The person wrote to the account; the platform is to be asked for a token."""
    SENT = "SENT"
    """The person has an address that opens the app."""
    OPENED = "OPENED"
    """A signed-in member opened it and was sent on to the platform with a nonce."""
    LINKED = "LINKED"
    """The platform said that both are one."""
    FAILED = "FAILED"
    """The platform said no, could not be asked, or the name could not become this member's."""


CODE_LIFE = timedelta(minutes=15)
COMMENT_LINK_LIFE = timedelta(days=7)
"""An address in a private reply: as long as the platform lets a comment be answered."""
LINK_TOKEN_LIFE = timedelta(minutes=10)
"""From memory: LINE's link tokens."""
NONCE_ANSWERED_WITHIN = timedelta(hours=1)
"""From a nonce to the platform's word about it."""
LINKS_ASKED = 5
"""So many addresses one person may ask an account for in an hour."""
CONFIRM_WITHIN = timedelta(hours=24)
"""A name that wrote a code waits so long for the member's yes."""
WRONG_CODES = 5
WRONG_CODES_WINDOW = timedelta(hours=1)
"""So many wrong codes of one name are looked at; the rest of the window none is."""
FRESH_SIGN_IN = timedelta(minutes=10)
"""Whoever gives an account up to another one has signed in to it so lately."""
FRESH_ACT = timedelta(minutes=5)
"""So lately has the person signed in who gives money back or takes all data along."""
CHALLENGE_LIFE = timedelta(minutes=5)
"""What a passkey is to sign: long enough for a finger and a PIN."""
UNDO_MERGE = timedelta(days=7)
ONE_NAME_PER_SHOP = frozenset({"line", "telegram"})
"""Platforms whose ids name one account of one person: two of them in one shop are two accounts. Facebook's and Instagram's ids, and those of
other sources, differ between the places where one person writes, so a member may have several."""
DELETION_WAIT = timedelta(days=7)
DELETION_POSTPONED = timedelta(days=1)
EXPORT_LIFE = timedelta(hours=1)
ERASED = "erased:"
"""Before the random id that stands for a forgotten person's id at a platform."""
ERASE_AGAIN = timedelta(days=90)
"""So long after a deletion late edits and raced deliveries are looked for, as long as a delivery can be repeated."""
