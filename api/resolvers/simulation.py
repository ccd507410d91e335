"""The rule simulator: what another policy would have made of the same comments."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

import strawberry
from strawberry.utils.str_converters import to_camel_case

from api.execution.errors import RequestError
from api.resolvers.base import Info, field, key_of
from api.resolvers.mutation import NOWHERE
from api.schema.policy import policy_from_input
from api.schema.simulation import MOST_DIFFERENCES, ClaimPolicySimulateInput, ClaimPolicySimulation
from domain.claims.pasted import UnusablePaste
from domain.claims.simulation import Decided, Difference, Figures, Simulation, shop_of_post, simulate
from domain.errors import NotFound
from domain.ids import public_id
from domain.paging import Row
from domain.paging.shape import money
from domain.posts.errors import InvalidPolicy
from domain.posts.queries import VariantFacts
from domain.posts.screens import rule_sentence
from domain.shops.rules import Permission

NEEDED = (Permission.CHANGE_CLAIM_RULES, Permission.VIEW_COMMENTS)


@strawberry.type
class SimulationQuery:
    @field(
        ClaimPolicySimulation | None,
        description=(
            "What another policy would have made of a post's comments, or of pasted ones. "
            "For staff who may change the rules and view comments; null for others and for a post that is not there."
        ),
    )
    async def claim_policy_simulate(self, info: Info, input: ClaimPolicySimulateInput) -> Row | None:
        info.context.require_viewer()
        if not 0 < input.limit <= MOST_DIFFERENCES or input.offset < 0:
            raise RequestError(f"limit must be 1 to {MOST_DIFFERENCES}, and offset not below 0")
        try:
            post_id = key_of(input.post_id, "post")
            shop_id = await shop_of_post(post_id) or NOWHERE
            for permission in NEEDED:
                await info.context.require(permission, shop_id)
            found = await simulate(
                shop_id=shop_id, post_id=post_id, candidate=lambda base: policy_from_input(base, input.policy), pasted=input.comments,
                stock=input.stock, now=info.context.now(),
            )  # fmt: skip
        except NotFound:
            return None
        except UnusablePaste as error:
            raise RequestError(f"comments: {error}") from None
        except InvalidPolicy as error:
            raise RequestError(f"policy: {to_camel_case(error.field)} cannot be this") from None
        return _shown(found, info.context.language, slice(input.offset, input.offset + input.limit))


def _shown(found: Simulation, language: str, page: slice) -> Row:
    return {
        "sentence": rule_sentence(found.policy.stored(), language),
        "comments": found.comments,
        "left_out": found.left_out,
        "before": _figures(found.before, found.currency),
        "after": _figures(found.after, found.currency),
        "same_as_recorded": found.same_as_recorded,
        "differences_total": len(found.differences),
        "differences": [_difference(each, found.variants) for each in found.differences[page]],
    }


def _figures(figures: Figures, currency: str) -> Row:
    return {
        "outcomes": [{"outcome": outcome.value, "comments": n} for outcome, n in figures.outcomes.items()],
        "orders": figures.orders,
        "pieces": figures.pieces,
        "waiting": figures.waiting,
        "revenue": money(figures.revenue_minor, currency),
        "suggestions": figures.suggestions,
        "questions": figures.questions,
    }


def _difference(each: Difference, variants: Mapping[UUID, VariantFacts]) -> Row:
    return {
        "comment_id": None if each.comment_id is None else public_id("comment", each.comment_id),
        "text": each.text,
        "author": each.author,
        "written_at": each.written_at,
        "before": _decision(each.before, variants),
        "after": _decision(each.after, variants),
    }


def _decision(decided: Decided, variants: Mapping[UUID, VariantFacts]) -> Row:
    held, waiting = dict(decided.lines), dict(decided.waiting)
    return {
        "outcome": decided.outcome.value,
        "reason": decided.reason or None,
        "lines": [
            {
                "variant_id": public_id("variant", key),
                "title": variants[key].title,
                "label": variants[key].label,
                "quantity": held.get(key, 0),
                "waiting": waiting.get(key, 0),
            }
            for key in variants
            if key in held or key in waiting
        ],
    }
