"""Suggestions: what a comment almost ordered, for its buyer to say yes or no to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final

import strawberry

from api.schema.claim import Claim, SocialComment
from api.schema.errors import SuggestionUserError
from api.schema.order import Order
from api.schema.paging import Connection
from api.schema.post import ProductVariant, SalesPost
from api.schema.scalars import Money
from api.schema.shop import Shop
from domain.claims.offering import SuggestionMode
from domain.claims.recognition import Op

CONFIRMED = "One tap takes all choices as they stand."
CHOSEN = "The buyer picks some of the choices, with quantities; a single one may be taken as it stands."
VALUES: Final[Mapping[type[StrEnum], Mapping[str, str]]] = {
    SuggestionMode: {"CONFIRM": CONFIRMED, "CHOOSE": CHOSEN},
    Op: {"ADD": "So many more.", "SET": "So many in all.", "REMOVE": "So many fewer, or all where there is no quantity."},
}
strawberry.enum(SuggestionMode, description="How a suggestion is answered.")
strawberry.enum(Op, name="SuggestionOp", description="What a yes does with the variant.")
for _enum, _described in VALUES.items():
    for _value in _enum.__strawberry_definition__.values:  # type: ignore[attr-defined]
        _value.description = _described[_value.name]


@strawberry.type(description="A variant that the comment may have meant, as it is now.")
class SuggestionChoice:
    variant: ProductVariant = strawberry.field(description="The variant itself.")
    title: str = strawberry.field(description="The product's title.")
    label: str = strawberry.field(description="The variant's label; empty where the product has only one.")
    op: Op = strawberry.field(description="What a yes does with it.")
    quantity: int | None = strawberry.field(description="As the comment says, else 1. Null with REMOVE: all of it.")
    max_quantity: int = strawberry.field(description="Most pieces that one yes may take.")
    unit_price: Money = strawberry.field(description="The price of one piece now.")
    available: int = strawberry.field(description="Pieces that may still be ordered; 0 when it is not on sale any more.")


@strawberry.type(description="A comment that was almost an order. It orders nothing until its buyer says yes.")
class Suggestion:
    id: strawberry.ID = strawberry.field(description="Another one once the comment has another text.")
    claim_id: strawberry.ID = strawberry.field(description="The claim that a yes turns into an order.")
    comment: SocialComment = strawberry.field(description="What was written.")
    post: SalesPost = strawberry.field(description="Under which post.")
    shop: Shop = strawberry.field(description="Whose post it is.")
    reason: str = strawberry.field(description="Why it was no order by itself, such as NEEDS_CONFIRMATION or MISSING_OPTION.")
    mode: SuggestionMode = strawberry.field(description="How it is answered.")
    choices: list[SuggestionChoice] = strawberry.field(description="What is offered.")
    accept_until: datetime = strawberry.field(description="The last instant for a yes: the post's closing, else a day after the decision.")
    created_at: datetime = strawberry.field(description="When the comment was decided.")


SuggestionConnection = Connection[Suggestion]


@strawberry.input(description="A variant of the suggestion's choices.")
class SuggestionLineInput:
    variant_id: strawberry.ID = strawberry.field(description="One of the choices' variants.")
    quantity: int = strawberry.field(description="1 to the choice's `maxQuantity`.")


@strawberry.input(description="A yes to a suggestion.")
class SuggestionAcceptInput:
    suggestion_id: strawberry.ID = strawberry.field(description="As the buyer saw it.")
    lines: list[SuggestionLineInput] | None = strawberry.field(
        default=None, description="What is picked of the choices, at most 50; absent: the choices as they stand."
    )


@strawberry.input(description="A no to a suggestion.")
class SuggestionDismissInput:
    suggestion_id: strawberry.ID = strawberry.field(description="As the buyer saw it.")


@strawberry.type(description="What became of a yes.")
class SuggestionAcceptPayload:
    claim: Claim | None = strawberry.field(description="The comment's claim as it is now.")
    order: Order | None = strawberry.field(description="The order it is in; null when all its pieces wait, or were given back.")
    user_errors: list[SuggestionUserError]


@strawberry.type(description="What became of a no.")
class SuggestionDismissPayload:
    claim: Claim | None = strawberry.field(description="The comment's claim as it is now.")
    user_errors: list[SuggestionUserError]
