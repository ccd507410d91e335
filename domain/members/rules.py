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


ACCESS_TOKEN_LIFE = timedelta(minutes=10)
REFRESH_IDLE = timedelta(days=30)
REFRESH_LIFE = timedelta(days=180)
LOST_ANSWER_GRACE = timedelta(seconds=30)
"""A phone that lost the answer may send the old refresh token again this long, while the successor is unused."""
NONCE_LIFE = timedelta(minutes=10)
