"""The claim policy: the shop's versioned rule by which comments become orders. Pure; a page for sellers is docs/rules/claims.md."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from domain.posts.errors import InvalidPolicy
from domain.values import Word


class Reading(StrEnum):
    """What orders: only the symbol; the symbol, with natural forms asked back; or natural forms too."""

    STRICT = "STRICT"
    CONFIRM = "CONFIRM"
    LENIENT = "LENIENT"


class NearMiss(StrEnum):
    """What follows when a comment is almost an order: the seller alone sees it, the buyer is asked privately, or told how to order."""

    SILENT = "SILENT"
    SUGGEST = "SUGGEST"
    REPLY_HELP = "REPLY_HELP"


class RepeatMode(StrEnum):
    """What a further comment of one buyer does: adds, sets anew, or nothing."""

    ADD = "ADD"
    REPLACE = "REPLACE"
    ONCE = "ONCE"


class Shortage(StrEnum):
    """What follows when there are fewer pieces than wished for."""

    REJECT_LINE = "REJECT_LINE"
    """The short item is not ordered, the others are."""
    PARTIAL = "PARTIAL"
    """What is left is ordered."""
    PARTIAL_WAITLIST = "PARTIAL_WAITLIST"
    """What is left is ordered, the rest waits in line."""
    REJECT_COMMENT = "REJECT_COMMENT"
    """Nothing of the comment is ordered."""


class OnEdit(StrEnum):
    """What an edit does to what the comment ordered before."""

    REPARSE_IF_OPEN = "REPARSE_IF_OPEN"
    FLAG = "FLAG"
    IGNORE = "IGNORE"


class OnDelete(StrEnum):
    """What deleting a comment does to what it ordered."""

    KEEP_AND_FLAG = "KEEP_AND_FLAG"
    RELEASE_IF_UNPAID = "RELEASE_IF_UNPAID"


class CancelUntil(StrEnum):
    """Until when a buyer takes unpaid pieces back by comment; paid ones always need a person of the shop."""

    PAYMENT = "PAYMENT"
    """Until they are paid, also after the post has closed."""
    CLOSE = "CLOSE"
    """Until they are paid or the post closes, whichever is first."""
    NEVER = "NEVER"


class PublicReply(StrEnum):
    """Whether comments are answered in public: groups only with EACH, pages unless NEVER."""

    NEVER = "NEVER"
    ONCE_PER_BUYER = "ONCE_PER_BUYER"
    EACH = "EACH"


class Proxy(StrEnum):
    """Whether a comment may order for another person (幫小美+1)."""

    OFF = "OFF"
    """Nothing is ordered; the writer is asked whether to take it on their own name."""
    ALLOW = "ALLOW"
    """It is ordered on the writer's account, and the line keeps the person's name."""


class Reminder(Word):
    """When the buyer of an unpaid order is reminded."""

    HALF = "HALF"
    """When half of the time to pay is over."""
    LAST_HOUR = "LAST_HOUR"
    """One hour before the time is over, if there were two hours at least."""


class IgnoredAuthor(StrEnum):
    """Whose comments are never read as orders."""

    PAGE = "PAGE"
    """The page, group or channel itself, and its anonymous admins."""
    STAFF = "STAFF"
    """People who work in the shop, by the identity that they have linked."""
    RESTRICTED = "RESTRICTED"
    """Buyers whom the shop restricted, until the restriction ends."""
    BOTS = "BOTS"
    """Programs, where the platform says so."""


@dataclass(frozen=True, slots=True)
class ClaimPolicy:
    """The shop's rule; a post may have one of its own."""

    reading: Reading = Reading.CONFIRM
    trigger_symbols: tuple[str, ...] = ("+",)
    trigger_words: tuple[str, ...] = ()
    fillers: tuple[str, ...] = ()
    on_near_miss: NearMiss = NearMiss.SUGGEST
    repeat_mode: RepeatMode = RepeatMode.ADD
    shortage: Shortage = Shortage.PARTIAL_WAITLIST
    on_edit: OnEdit = OnEdit.REPARSE_IF_OPEN
    on_delete: OnDelete = OnDelete.KEEP_AND_FLAG
    cancel_until: CancelUntil = CancelUntil.CLOSE
    max_per_line: int = 99
    """Most pieces of one variant that one comment may ask for."""
    per_buyer_max: int | None = None
    """Most pieces of one variant that one buyer may have in one post."""
    per_buyer_window_hours: int | None = None
    """With it, pieces of the variant that the buyer claimed in so many hours on the shop's other posts count too."""
    rate_limit_orders: int | None = None
    """Most ordering comments of one buyer within `rate_limit_hours`, over the whole shop."""
    rate_limit_hours: int = 24
    grace_seconds: int = 60
    """How late after closing a comment written in time may be delivered."""
    hold_minutes: int | None = None
    """How long pieces are held unpaid, from the comment on; None: the shop's time to pay, from the order's first comment on."""
    reminders: frozenset[Reminder] = frozenset(Reminder)
    ignore_authors: frozenset[IgnoredAuthor] = frozenset(IgnoredAuthor)
    public_reply: PublicReply = PublicReply.ONCE_PER_BUYER
    proxy: Proxy = Proxy.OFF

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> ClaimPolicy:
        """A policy from its stored form; unknown fields are left out, missing ones take the default.

        Raises:
            InvalidPolicy: a field has a value of another kind. Ranges are the business of `check`.
        """
        known = {f.name for f in fields(cls)}
        return cls(**{name: _read(name, value) for name, value in stored.items() if name in known})

    def stored(self) -> dict[str, Any]:
        """The form that `read` takes again."""
        return {f.name: _plain(getattr(self, f.name)) for f in fields(self)}


def _plain(value: Any) -> Any:
    if isinstance(value, frozenset):
        return sorted(value)
    return list(value) if isinstance(value, tuple) else value


_ENUMS: Final[Mapping[str, type[StrEnum]]] = MappingProxyType(
    {f.name: type(f.default) for f in fields(ClaimPolicy) if isinstance(f.default, StrEnum)}
)
_SETS: Final[Mapping[str, type[StrEnum]]] = MappingProxyType({"reminders": Reminder, "ignore_authors": IgnoredAuthor})
_WORDS: Final = ("trigger_symbols", "trigger_words", "fillers")
RANGES: Final[Mapping[str, tuple[int, int]]] = MappingProxyType(
    {
        "max_per_line": (1, 9_999),
        "per_buyer_max": (1, 1_000_000),
        "per_buyer_window_hours": (1, 24 * 366),
        "rate_limit_orders": (1, 10_000),
        "rate_limit_hours": (1, 24 * 366),
        "grace_seconds": (0, 86_400),
        "hold_minutes": (1, 366 * 24 * 60),
    }
)
"""Least and most of every number."""
_OPTIONAL: Final = frozenset(f.name for f in fields(ClaimPolicy) if f.default is None)
MOST_SYMBOLS: Final = 8
MOST_WORDS: Final[Mapping[str, int]] = MappingProxyType({"trigger_words": 50, "fillers": 200})
LONGEST_WORD: Final = 40
NO_SYMBOL: Final = frozenset("?!,.;:、。()/~#@$%&…")
"""Signs with another meaning in a comment (contract, sections 4, 6 and 8): ends, pauses, masks and connectors. Dashes take back."""


def _read(name: str, value: Any) -> Any:
    if name in _ENUMS:
        return _member(name, _ENUMS[name], value)
    if name in _SETS or name in _WORDS:
        if isinstance(value, str) or not isinstance(value, Sequence | frozenset | set) or not all(isinstance(v, str) for v in value):
            raise InvalidPolicy(name)
        return frozenset(_member(name, _SETS[name], v) for v in value) if name in _SETS else tuple(map(str, value))
    if value is None and name in _OPTIONAL:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidPolicy(name)
    return value


def _member(name: str, kind: type[StrEnum], value: Any) -> StrEnum:
    try:
        return kind(value)
    except ValueError:
        raise InvalidPolicy(name) from None


def check(policy: ClaimPolicy) -> ClaimPolicy:
    """The same policy, when a shop can sell by it.

    Raises:
        InvalidPolicy: a number out of RANGES, a symbol that cannot carry a quantity, a word that is none, or two fields that contradict
            each other: the same word ordering and meaning nothing, or a window without the limit that it is for.
    """
    for name, (least, most) in RANGES.items():
        value = getattr(policy, name)
        if value is not None and not least <= value <= most:
            raise InvalidPolicy(name)
    if not 1 <= len(policy.trigger_symbols) <= MOST_SYMBOLS or not all(map(is_symbol, policy.trigger_symbols)):
        raise InvalidPolicy("trigger_symbols")
    for name, most in MOST_WORDS.items():
        words = getattr(policy, name)
        if len(words) > most or not all(map(is_word, words)):
            raise InvalidPolicy(name)
    for name in _WORDS:
        if len(set(_folded(getattr(policy, name)))) < len(getattr(policy, name)):
            raise InvalidPolicy(name)
    if not set(_folded(policy.trigger_words)).isdisjoint(_folded(policy.fillers)):
        raise InvalidPolicy("fillers")
    if policy.per_buyer_window_hours is not None and policy.per_buyer_max is None:
        raise InvalidPolicy("per_buyer_window_hours")
    return policy


def _folded(words: Sequence[str]) -> Iterator[str]:
    return (unicodedata.normalize("NFKC", word).casefold() for word in words)


def is_symbol(text: str) -> bool:
    """One punctuation mark or sign that means nothing else in a comment."""
    plain = unicodedata.normalize("NFKC", text)
    if len(text) != 1 or len(plain) != 1 or plain in NO_SYMBOL or text in NO_SYMBOL or text in "\u2212\u2796":
        return False
    kind = unicodedata.category(plain)
    return kind[0] in "PS" and kind != "Pd"


def is_word(text: str) -> bool:
    """A word on one line with a letter in it."""
    printable = all(unicodedata.category(c) not in {"Cc", "Cs"} for c in text)
    return 0 < len(text) <= LONGEST_WORD and text == text.strip() and printable and any(c.isalpha() for c in text)
