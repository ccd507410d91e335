"""Claim policy and outcomes: what follows from a comment once it is read. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any


class ClaimOutcome(StrEnum):
    ORDERED = "ORDERED"
    PARTIAL = "PARTIAL"
    WAITLISTED = "WAITLISTED"
    SUGGESTED = "SUGGESTED"
    CANCELLED = "CANCELLED"
    DUPLICATE = "DUPLICATE"
    REJECTED = "REJECTED"
    NEEDS_REVIEW = "NEEDS_REVIEW"
    IGNORED = "IGNORED"


class Reading(StrEnum):
    STRICT = "STRICT"
    CONFIRM = "CONFIRM"
    LENIENT = "LENIENT"


class NearMiss(StrEnum):
    SILENT = "SILENT"
    SUGGEST = "SUGGEST"
    REPLY_HELP = "REPLY_HELP"


class RepeatMode(StrEnum):
    ADD = "ADD"
    REPLACE = "REPLACE"
    ONCE = "ONCE"


class Shortage(StrEnum):
    REJECT_LINE = "REJECT_LINE"
    PARTIAL = "PARTIAL"
    PARTIAL_WAITLIST = "PARTIAL_WAITLIST"
    REJECT_COMMENT = "REJECT_COMMENT"


class OnEdit(StrEnum):
    REPARSE_IF_OPEN = "REPARSE_IF_OPEN"
    FLAG = "FLAG"
    IGNORE = "IGNORE"


class OnDelete(StrEnum):
    KEEP_AND_FLAG = "KEEP_AND_FLAG"
    RELEASE_IF_UNPAID = "RELEASE_IF_UNPAID"


class CancelUntil(StrEnum):
    PAYMENT = "PAYMENT"
    CLOSE = "CLOSE"
    NEVER = "NEVER"


class PublicReply(StrEnum):
    NEVER = "NEVER"
    ONCE_PER_BUYER = "ONCE_PER_BUYER"
    EACH = "EACH"


class ReviewState(StrEnum):
    """Does a claim wait for a human?"""

    NONE = "NONE"
    OPEN = "OPEN"
    RESOLVED = "RESOLVED"


class WaitState(StrEnum):
    WAITING = "WAITING"
    FILLED = "FILLED"
    LEFT = "LEFT"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True)
class ClaimPolicy:
    """The shop's versioned rule (PRODUCT 2); every field may be overridden by a post."""

    reading: Reading = Reading.CONFIRM
    trigger_symbols: tuple[str, ...] = ("+",)
    trigger_words: tuple[str, ...] = ()
    fillers: tuple[str, ...] = ()
    on_near_miss: NearMiss = NearMiss.SUGGEST
    repeat_mode: RepeatMode = RepeatMode.ADD
    shortage: Shortage = Shortage.PARTIAL_WAITLIST
    on_edit: OnEdit = OnEdit.REPARSE_IF_OPEN
    on_delete: OnDelete = OnDelete.KEEP_AND_FLAG
    cancel_until: CancelUntil = CancelUntil.PAYMENT
    max_per_line: int = 99
    per_buyer_max: int | None = None
    """Most pieces of one variant that one buyer may hold in one post."""
    rate_limit_orders: int | None = None
    rate_limit_hours: int = 24
    grace_seconds: int = 60
    """How late after closing a comment written in time may be delivered."""
    public_reply: PublicReply = PublicReply.ONCE_PER_BUYER

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> ClaimPolicy:
        """A policy from its stored form; unknown fields are left out, missing ones take the default.

        Raises:
            ValueError: a field has a value it cannot have.
        """
        kinds = {f.name: type(f.default) for f in fields(cls)}
        found: dict[str, Any] = {}
        for name, value in stored.items():
            kind = kinds.get(name)
            if kind is not None:
                found[name] = tuple(value) if kind is tuple else kind(value) if issubclass(kind, StrEnum) else value
        return cls(**found)

    def stored(self) -> dict[str, Any]:
        """The form that `read` takes again."""
        return {f.name: list(v) if isinstance(v := getattr(self, f.name), tuple) else v for f in fields(self)}
