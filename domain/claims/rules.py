"""Claim policy and outcomes: what follows from a comment once it is read. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from domain.posts.policy import CancelUntil as CancelUntil
from domain.posts.policy import ClaimPolicy as ClaimPolicy
from domain.posts.policy import IgnoredAuthor as IgnoredAuthor
from domain.posts.policy import NearMiss as NearMiss
from domain.posts.policy import OnDelete as OnDelete
from domain.posts.policy import OnEdit as OnEdit
from domain.posts.policy import Proxy as Proxy
from domain.posts.policy import PublicReply as PublicReply
from domain.posts.policy import Reading as Reading
from domain.posts.policy import Reminder as Reminder
from domain.posts.policy import RepeatMode as RepeatMode
from domain.posts.policy import Shortage as Shortage
from domain.posts.policy import check as check
from domain.values import Word


class ClaimOutcome(Word):
    ORDERED = "ORDERED"
    PARTIAL = "PARTIAL"
    WAITLISTED = "WAITLISTED"
    SUGGESTED = "SUGGESTED"
    CANCELLED = "CANCELLED"
    DUPLICATE = "DUPLICATE"
    REJECTED = "REJECTED"
    NEEDS_REVIEW = "NEEDS_REVIEW"
    IGNORED = "IGNORED"


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


class OfferState(StrEnum):
    """Life of a timed offer to one who waits."""

    OPEN = "OPEN"
    ACCEPTED = "ACCEPTED"
    PASSED = "PASSED"
    """Nobody said yes in time."""
    ENDED = "ENDED"
    """Its place ended in another way: left, filled, or its order was gone."""


LONGEST_NAME = 60
"""Characters of a beneficiary that a line keeps."""


def person(span: Sequence[int] | None, text: str) -> str:
    """The person that a comment names, by the span that the reader gives (code points): on one line, without the sign of a mention."""
    return " ".join(text[span[0] : span[1]].split()).lstrip("@＠").strip()[:LONGEST_NAME] if span else ""
