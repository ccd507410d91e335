"""Building the events of a delivery: keys, and what becomes of parts that nobody can read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import orjson

from domain.claims.ports import RawEvent, SocialEvent, Unreadable
from domain.providers.platforms.text import MAX_KEY_CHARS, clean, clean_text, whole

EXCERPT_BYTES = 2_000
"""How much of an unreadable body is kept for whoever looks into it."""
MAX_EVENTS_OF_DELIVERY = 5_000
"""Meta documents the largest number, 1,000 in one POST; a megabyte of `null` must not become 200,000 rows."""
UNREADABLE = "unreadable"


def digest(text: str) -> str:
    """SHA-256 of a text, in hex."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def content_digest(value: Any) -> str:
    """SHA-256 of a cleaned JSON value, whatever the order of its keys."""
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()


def fit(key: str) -> str:
    """The key itself, or its hash when it is longer than the column that holds it."""
    return key if len(key) <= MAX_KEY_CHARS else f"sha256:{digest(key)}"


def ident(value: Any) -> str:
    """An external id as text; empty when the value is none. Numbers are allowed: Telegram's ids are such."""
    if isinstance(value, str):
        # `is_plain`, here without a call: every event asks this of half a dozen ids.
        return value if value.isascii() and len(value) <= MAX_KEY_CHARS and "\0" not in value else fit(clean_text(value))
    number = whole(value)
    return "" if number is None else str(number)


def required(value: Any, what: str) -> str:
    """An external id that the event makes no sense without.

    Raises:
        Unreadable: there is none.
    """
    found = ident(value)
    if not found:
        raise Unreadable(f"{what} is missing or no id")
    return found


def text_or_empty(value: Any, what: str) -> str:
    """A comment's text; empty when the platform sends none (sticker, photo).

    Raises:
        Unreadable: it is there and no text.
    """
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Unreadable(f"{what} is not a text")
    return value


def raw_event(parse: Callable[[Mapping[str, Any]], SocialEvent], payload: Mapping[str, Any], *, key: str, lane: str) -> RawEvent:
    """One event under its key, or under the hash of its content when it cannot be read.

    A damaged copy must not take the key of its comment: the good copy that may follow would pass for a duplicate.
    """
    try:
        occurred_at = parse(payload).occurred_at
    except Unreadable:
        return RawEvent(f"{UNREADABLE}:{content_digest(payload)}", fit(lane), None, payload)
    return RawEvent(fit(key), fit(lane), occurred_at, payload)


def refuse_unreadable(payload: Mapping[str, Any]) -> None:
    """Raise the reason that `split` left in the payload.

    Raises:
        Unreadable: this is a part that could not be read.
    """
    reason = payload.get(UNREADABLE)
    if reason is not None:
        raise Unreadable(str(reason))


def at_most(events: Iterable[RawEvent], refusals: Refusals) -> list[RawEvent]:
    """The events of a delivery, or so many of them as no honest one exceeds, and one that says that there were more."""
    coming = iter(events)
    taken = list(islice(coming, MAX_EVENTS_OF_DELIVERY))
    if next(coming, None) is not None:
        taken.append(refusals.whole_body(f"more than {MAX_EVENTS_OF_DELIVERY} events"))
    return taken


@dataclass(slots=True)
class Refusals:
    """Makes the events that stand for the unreadable parts of one delivery, keyed by its body and their number in it."""

    platform: str
    body: bytes
    count: int = 0
    body_digest: str = ""

    def whole_body(self, reason: str) -> RawEvent:
        """The event that stands for a body of which nothing can be read."""
        excerpt = clean_text(self.body[:EXCERPT_BYTES].decode("utf-8", "replace"))
        return self._event({UNREADABLE: reason, "body_start": excerpt, "body_bytes": len(self.body)})

    def part(self, value: Any, reason: str) -> RawEvent:
        """The event that stands for one part; the others of its delivery are not touched by it."""
        return self._event({UNREADABLE: reason, "part": clean(value)})

    def _event(self, payload: Mapping[str, Any]) -> RawEvent:
        self.body_digest = self.body_digest or hashlib.sha256(self.body).hexdigest()
        key = f"{UNREADABLE}:{self.body_digest}:{self.count}"
        self.count += 1
        return RawEvent(key, f"{self.platform}:{UNREADABLE}", None, payload)
