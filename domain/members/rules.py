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
