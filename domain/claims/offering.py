"""What a buyer is offered when a comment was almost an order: the lines as written, or a choice. Pure.

The offer is a function of the stored recognition result alone, so that the notice, the screen and the tap speak of the same thing.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import reduce
from operator import or_
from typing import Any
from uuid import UUID

from domain.claims.recognition import Context, Op, Reason, Result
from domain.claims.recognition.context import ShopWord
from domain.claims.recognition.items import fits, one
from domain.claims.recognition.lists import pieces
from domain.claims.recognition.result import Trail, TrailKind

OFFERABLE = frozenset({Reason.MISSING_OPTION, Reason.AMBIGUOUS_OPTION, Reason.MISSING_ITEM, Reason.MISSING_QUANTITY})
"""Reasons for which the buyer can be offered a choice, if the candidates fit one screen."""
MOST_CANDIDATES = 12
FAR_TOO_MANY = 100
"""Candidates that are not even looked through: no word narrows them, and on a large post a bare +1 is frequent."""
LONGEST_QUANTITY = 6
"""Digits of a written quantity that is read at all."""
VERSION_CHARS = 16
TAG = "suggestion_"


class SuggestionMode(StrEnum):
    CONFIRM = "CONFIRM"
    """One tap takes all choices as they stand."""
    CHOOSE = "CHOOSE"
    """The buyer picks among the choices."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A variant on offer. `quantity` is what the comment said, 1 where it said nothing clear; None with REMOVE means all of it."""

    variant_id: UUID
    op: Op
    quantity: int | None


@dataclass(frozen=True, slots=True)
class Offer:
    mode: SuggestionMode
    choices: tuple[Choice, ...]


def offered(result: Mapping[str, Any]) -> Offer | None:
    """What this recognition result (contract, section 2) lets us offer; None when there is nothing to choose from.

    Words of change (取消, 改) without their item are no wish to buy: nothing is offered for them.
    """
    lines = result.get("lines") or ()
    if lines:
        return Offer(SuggestionMode.CONFIRM, tuple(Choice(UUID(x["variant"]), Op(x["op"]), x["qty"]) for x in lines))
    trail, candidates = result.get("trail") or (), result.get("candidates") or ()
    if result.get("reason") not in OFFERABLE or not 0 < len(candidates) <= MOST_CANDIDATES:
        return None
    if any(entry["kind"] == TrailKind.OP for entry in trail):
        return None
    quantity = _written({entry["value"] for entry in trail if entry["kind"] == TrailKind.QTY})
    return Offer(SuggestionMode.CHOOSE, tuple(Choice(UUID(variant), Op.ADD, quantity) for variant in candidates))


def _written(values: set[str]) -> int:
    """The one whole quantity of the comment, else 1."""
    if len(values) != 1:
        return 1
    (only,) = values
    return max(int(only), 1) if only.isascii() and only.isdecimal() and len(only) <= LONGEST_QUANTITY else 1


def fitting(choice: Choice, most: int) -> int | None:
    """The quantity as it is proposed: 1 where the comment's is more than one comment may ask for."""
    return choice.quantity if choice.quantity is None or choice.quantity <= most else 1


def most_of(context: Context, variant_id: UUID) -> int | None:
    """Most pieces of the variant in one comment; None when the post does not sell it now."""
    name = str(variant_id)
    if name not in context.variants:
        return None
    place = context.variants.index(name)
    return context.limits[place] if context.on_sale >> place & 1 else None


# --- candidates that the reader leaves open ----------------------------------------------------------------------------------


def with_candidates(result: Result, context: Context) -> Result:
    """The result with the variants that its item words leave possible, where the reader named none, and without those not on sale.

    The reader gives up at the first contradiction (紅白+1) or missing number (我要紅色); which variants are meant is clear all the same.
    """
    if result.reason not in OFFERABLE or len(result.candidates) > FAR_TOO_MANY:
        return result
    open_still = set(result.candidates)
    mask = _union([1 << place for place, name in enumerate(context.variants) if name in open_still]) if open_still else 0
    if not mask or result.reason is Reason.MISSING_QUANTITY:
        mask |= _named(context, result.trail)
    mask &= context.on_sale
    return replace(result, candidates=_names(context, mask)) if mask.bit_count() <= FAR_TOO_MANY else result


def _names(context: Context, mask: int) -> tuple[str, ...]:
    """The variants of a mask, in the post's order."""
    names = []
    while mask:
        lowest = mask & -mask
        names.append(context.variants[lowest.bit_length() - 1])
        mask ^= lowest
    return tuple(names)


def _named(context: Context, trail: Sequence[Trail]) -> int:
    """The variants that the comment's item words fit."""
    found = (context.words.get(entry.value) for entry in trail if entry.kind in (TrailKind.ITEM, TrailKind.IGNORED))
    words = [word for word in found if isinstance(word, ShopWord)]
    masks = [fits(context, piece) for piece in pieces(words)]
    mask = _union(masks) if words and all(map(one, masks)) else _together(context, words) or (_union(masks) if all(masks) else 0)
    if not one(mask) and mask & context.focus and not any(word.names_offer for word in words):
        mask &= context.focus
    return mask


def _together(context: Context, words: Sequence[ShopWord]) -> int:
    """One of the values of each option: 紅白L is 紅L or 白L. 0 when a word would be left without any variant."""
    groups: dict[str, int] = {}
    for word in words:
        slot = min(word.slots, key=lambda name: (name not in groups, name))
        groups[slot] = groups.get(slot, 0) | word.mask
    mask = (1 << len(context.variants)) - 1
    for group in groups.values():
        mask &= group
    return mask if all(mask & word.mask for word in words) else 0


def _union(masks: Sequence[int]) -> int:
    """A list of items, each with its own options: A1 B1M."""
    return reduce(or_, masks, 0)


# --- names -------------------------------------------------------------------------------------------------------------------


def version_of(text_hash: str) -> str:
    """Tells one text's suggestion from the next one's: the start of the hash that the claim keeps of its text."""
    return text_hash[:VERSION_CHARS].ljust(VERSION_CHARS, "0")


def version_of_text(text: str) -> str:
    """The version that a claim decided on this text will have."""
    return version_of(hashlib.sha256(text.encode("utf-8", "replace")).hexdigest())


def suggestion_id(claim_id: UUID, version: str) -> str:
    """Public and opaque, for instance `suggestion_AZqs…` (32 characters after the underscore): the claim and the version of its text."""
    return TAG + base64.urlsafe_b64encode(claim_id.bytes + bytes.fromhex(version)).decode()


def read_suggestion_id(text: str) -> tuple[UUID, str] | None:
    """The claim and version of a suggestion's id, or None for anything else (never raises)."""
    tail = text.removeprefix(TAG)
    if len(tail) != 32 or len(text) != len(TAG) + 32 or not tail.isascii():
        return None
    try:
        raw = base64.b64decode(tail.encode(), altchars=b"-_", validate=True)
    except ValueError:
        return None
    found = UUID(bytes=raw[:16]), raw[16:].hex()
    return found if suggestion_id(*found) == text else None
