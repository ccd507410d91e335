"""The buyer's suggestions: listed, accepted, dismissed."""

from __future__ import annotations

from uuid import UUID

import strawberry

from api.resolvers.base import Info, attach, key_of
from api.resolvers.claim import claim_with_order
from api.resolvers.lists import Listed, member_list
from api.resolvers.mutation import InvalidInput, effect, mutation
from api.schema.errors import SuggestionUserError
from api.schema.member import Buyer
from api.schema.suggestion import (
    SuggestionAcceptInput,
    SuggestionAcceptPayload,
    SuggestionConnection,
    SuggestionDismissInput,
    SuggestionDismissPayload,
)
from domain.claims import suggestions
from domain.claims.offering import read_suggestion_id
from domain.claims.suggestion_screens import open_suggestions
from domain.errors import NotFound
from domain.paging import Row, Slice

MOST_LINES = 50


@strawberry.type
class BuyerSuggestions:
    """Fields of the signed-in buyer."""

    @member_list(SuggestionConnection, "What my comments almost ordered and I may still say yes to, newest first.")
    async def suggestions(self, listed: Listed) -> Slice:
        context = listed.info.context
        return await open_suggestions(listed.owner_id, **listed.page(), language=context.language, now=context.now())


attach(Buyer, BuyerSuggestions)


def _named(suggestion_id: str) -> tuple[UUID, str]:
    """The claim and the version of its text that an id names."""
    found = read_suggestion_id(suggestion_id)
    if found is None:
        raise NotFound
    return found


@strawberry.type
class SuggestionMutations:
    @mutation(
        SuggestionUserError,
        SuggestionAcceptPayload,
        "NOT_FOUND INVALID_INPUT NOT_EDITABLE ITEM_CLOSED INSUFFICIENT_STOCK OVER_LIMIT BUYER_RESTRICTED",
        idempotent=True,
    )
    async def suggestion_accept(self, info: Info, input: SuggestionAcceptInput) -> Row:
        """Say yes to a suggestion of mine: it becomes an order as if the comment had said it plainly now."""
        claim_id, version = _named(input.suggestion_id)
        lines = None if input.lines is None else [(key_of(line.variant_id, "variant"), line.quantity) for line in input.lines]
        if lines is not None and not 0 < len(lines) <= MOST_LINES:
            raise InvalidInput("lines")

        async def act() -> Row:
            await suggestions.accept(
                claim_id=claim_id, member_id=info.context.require_viewer().member_id, lines=lines, version=version,
                now=info.context.now(), jobs=info.context.services.jobs,
            )  # fmt: skip
            return {}

        await effect(info, input, act)
        return await claim_with_order(info, claim_id)

    @mutation(SuggestionUserError, SuggestionDismissPayload, "NOT_FOUND NOT_EDITABLE")
    async def suggestion_dismiss(self, info: Info, input: SuggestionDismissInput) -> Row:
        """Say no to a suggestion of mine; it does not come back unless the comment becomes another text."""
        claim_id, version = _named(input.suggestion_id)
        member_id = info.context.require_viewer().member_id
        await suggestions.dismiss(claim_id=claim_id, member_id=member_id, version=version, now=info.context.now())
        return await claim_with_order(info, claim_id)
