"""The claim policy as an input: one optional field per field of `domain.posts.policy.ClaimPolicy`, made from it so that none is forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from enum import StrEnum
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Final, get_args, get_origin, get_type_hints

import strawberry

from api.schema.errors import PolicyUserError
from api.schema.post import ClaimRuleVersion
from domain.posts.policy import ClaimPolicy

DESCRIPTIONS: Final[Mapping[str, str]] = {
    "reading": "How strictly a comment must be written to be an order.",
    "trigger_symbols": 'Symbols that bind a quantity, such as "+"; the first is the one that the rule sentence shows.',
    "trigger_words": "The shop's own words that stand for the symbol.",
    "fillers": "The shop's own words that mean nothing in a comment.",
    "on_near_miss": "What follows from a comment that is nearly an order.",
    "repeat_mode": "What a second order of the same buyer for the same variant means.",
    "shortage": "What follows when fewer pieces are left than a comment asks for.",
    "on_edit": "What follows when a comment that ordered is edited.",
    "on_delete": "What follows when a comment that ordered is deleted.",
    "cancel_until": "How long a buyer may cancel by comment.",
    "max_per_line": "Most pieces of one variant that one comment may ask for.",
    "per_buyer_max": "Most pieces of one variant that one buyer may hold; null for no limit.",
    "per_buyer_window_hours": "With it, pieces claimed within so many hours on the shop's other posts count too; null counts this post alone.",
    "rate_limit_orders": "Most comments of one buyer that order within `rateLimitHours`; null for no limit.",
    "rate_limit_hours": "See `rateLimitOrders`.",
    "grace_seconds": "How late after closing a comment may be delivered that was written in time.",
    "hold_minutes": "How long an order holds its pieces unpaid; null for the shop's own time to pay.",
    "reminders": "When an unpaid order's buyer is reminded.",
    "ignore_authors": "Whose comments never order.",
    "public_reply": "Which orders are answered in public.",
    "proxy": "What follows from an order for somebody else, such as 幫小美+1.",
}
"""Of every field of the policy."""
NAMES: Final[Mapping[str, str]] = {"Reading": "ClaimReading", "Shortage": "ShortageMode", "Proxy": "ProxyMode"}
"""Public names of enums whose own name says too little outside of their room."""
VALUES: Final[Mapping[str, Mapping[str, str]]] = {
    "Reading": {
        "STRICT": "Only the symbol with item and quantity orders; everything else is silent.",
        "CONFIRM": "Only the symbol orders; natural forms are asked back.",
        "LENIENT": "Natural forms order too.",
    },
    "NearMiss": {
        "SILENT": "Nothing is said; it waits for the shop.",
        "SUGGEST": "The buyer is asked privately; one tap orders.",
        "REPLY_HELP": "A public answer says how to order.",
    },
    "RepeatMode": {
        "ADD": "It adds to what the buyer has.",
        "REPLACE": "It replaces what the buyer has.",
        "ONCE": "It is not taken again.",
    },
    "Shortage": {
        "REJECT_LINE": "The short item is not ordered, the others are.",
        "PARTIAL": "The buyer gets what is left.",
        "PARTIAL_WAITLIST": "The buyer gets what is left and waits for the rest.",
        "REJECT_COMMENT": "Nothing of the comment is ordered.",
    },
    "OnEdit": {
        "REPARSE_IF_OPEN": "The unpaid order follows the new text.",
        "FLAG": "The order stays; the shop looks.",
        "IGNORE": "The order stays.",
    },
    "OnDelete": {
        "KEEP_AND_FLAG": "The order stays; the buyer is asked and the shop looks.",
        "RELEASE_IF_UNPAID": "An unpaid order is given back.",
    },
    "CancelUntil": {
        "PAYMENT": "Until the order is paid, also after the post has closed.",
        "CLOSE": "Until the order is paid or the post closes, whichever is first.",
        "NEVER": "Not by comment; the shop decides.",
    },
    "PublicReply": {
        "NEVER": "None.",
        "ONCE_PER_BUYER": "The first of each buyer, on pages.",
        "EACH": "Each, in groups too.",
    },
    "Proxy": {
        "OFF": "Nothing is ordered; the writer is asked whether to take it on their own name.",
        "ALLOW": "It is ordered on the writer's account, and the line keeps the person's name.",
    },
    "Reminder": {
        "HALF": "When half of the time to pay is over.",
        "LAST_HOUR": "One hour before the time is over.",
    },
    "IgnoredAuthor": {
        "PAGE": "The page, group or channel itself.",
        "STAFF": "People who work in the shop.",
        "RESTRICTED": "Buyers whom the shop restricted.",
        "BOTS": "Programs, where the platform says so.",
    },
}
"""Descriptions of the enums' values."""


def registered(enum: type[StrEnum]) -> type[StrEnum]:
    """The enum as a type of the schema, its values described."""
    if getattr(enum, "__strawberry_definition__", None) is None:
        strawberry.enum(enum, name=NAMES.get(enum.__name__), description="Part of the claim policy.")
    for value in enum.__strawberry_definition__.values:  # type: ignore[attr-defined]
        value.description = value.description or VALUES.get(enum.__name__, {}).get(value.name)
    return enum


def _bare(hint: Any) -> Any:
    """`X` of `X | None`."""
    parts = [part for part in get_args(hint) if part is not NoneType]
    return parts[0] if get_origin(hint) is UnionType and len(parts) == 1 else hint


def _public(hint: Any) -> Any:
    """The type of the schema for a field of this type; collections become lists."""
    bare = _bare(hint)
    if get_origin(bare) in (tuple, frozenset):
        return list[_public(get_args(bare)[0])]  # type: ignore[misc]
    return registered(bare) if isinstance(bare, type) and issubclass(bare, StrEnum) else bare


_HINTS: Final = get_type_hints(ClaimPolicy)
_MAY_BE_NULL: Final = frozenset(name for name, hint in _HINTS.items() if NoneType in get_args(hint))

if TYPE_CHECKING:

    class ClaimPolicyInput:
        """One attribute per field of ClaimPolicy; `strawberry.UNSET` where the request names none."""

else:

    def _input() -> type:
        body: dict[str, Any] = {"__module__": __name__, "__annotations__": {}}
        for each in fields(ClaimPolicy):
            body["__annotations__"][each.name] = _public(_HINTS[each.name]) | None
            body[each.name] = strawberry.field(default=strawberry.UNSET, description=DESCRIPTIONS.get(each.name))
        what = "A claim policy by what differs: a field that is absent stays as it is in force. Null does too, where null is no value of its own."
        return strawberry.input(type("ClaimPolicyInput", (), body), description=what)

    ClaimPolicyInput = _input()


def policy_from_input(base: ClaimPolicy, given: ClaimPolicyInput) -> ClaimPolicy:
    """`base` with the fields that the input names. Values are of their type, and nothing more is known of them."""
    found: dict[str, Any] = {}
    for name, hint in _HINTS.items():
        value = getattr(given, name)
        if value is strawberry.UNSET or (value is None and name not in _MAY_BE_NULL):
            continue
        kind = get_origin(_bare(hint))
        found[name] = kind(value) if kind in (tuple, frozenset) and value is not None else value
    return replace(base, **found)


@strawberry.input(description="A change of the rule by which comments become orders.")
class ClaimPolicyUpdateInput:
    shop_id: strawberry.ID = strawberry.field(description="The shop whose rule it is.")
    post_id: strawberry.ID | None = strawberry.field(
        default=None, description="One post of the shop, which then has a rule of its own; null for all posts that have none."
    )
    policy: ClaimPolicyInput = strawberry.field(description="What is to be different from the rule in force.")


@strawberry.type
class ClaimPolicyUpdatePayload:
    rule: ClaimRuleVersion | None = strawberry.field(description="The rule now in force; its version rises only when something changed.")
    user_errors: list[PolicyUserError]
