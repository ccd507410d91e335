"""What another claim policy would have made of the same comments."""

from __future__ import annotations

from datetime import datetime

import strawberry

from api.schema.policy import ClaimPolicyInput
from api.schema.scalars import Money
from domain.claims.rules import ClaimOutcome
from domain.claims.simulation import StockFrom

MOST_DIFFERENCES = 200
DEFAULT_DIFFERENCES = 50

strawberry.enum(StockFrom, name="SimulationStock", description="Which stock the comments begin with.")
for _value in StockFrom.__strawberry_definition__.values:  # type: ignore[attr-defined]
    _value.description = {
        "LEVEL": "The pieces before this post's comments; for pasted comments, the pieces that are left now.",
        "UNLIMITED": "More than anybody asks for.",
    }[_value.name]


@strawberry.input(description="Which comments, and the policy to try.")
class ClaimPolicySimulateInput:
    post_id: strawberry.ID = strawberry.field(description="The post whose words, prices, stock and comments are used.")
    policy: ClaimPolicyInput = strawberry.field(description="The policy to try, by what differs from the one in force for this post.")
    comments: str | None = strawberry.field(
        default=None,
        description=(
            "Comments to use instead of the post's own: one a line, as `text`, `name: text` or `HH:MM name text`. "
            "At most 5,000 of 2,000 characters; the request's own limit comes first."
        ),
    )
    stock: StockFrom = strawberry.field(default=StockFrom.LEVEL, description="Which stock the comments begin with.")
    offset: int = strawberry.field(default=0, description="How many differences to leave out at the beginning.")
    limit: int = strawberry.field(default=DEFAULT_DIFFERENCES, description="How many differences to answer; at most 200.")


@strawberry.type(description="How many comments had one outcome.")
class SimulatedOutcome:
    outcome: ClaimOutcome = strawberry.field(description="The outcome; those that no comment had are left out.")
    comments: int = strawberry.field(description="Comments with it.")


@strawberry.type(description="What all the comments come to under one policy.")
class SimulationFigures:
    outcomes: list[SimulatedOutcome] = strawberry.field(description="Comments by outcome.")
    orders: int = strawberry.field(description="Orders with at least one piece.")
    pieces: int = strawberry.field(description="Pieces on them.")
    waiting: int = strawberry.field(description="Pieces that buyers wait for.")
    revenue: Money = strawberry.field(description="What the pieces on the orders cost, before shipping and discounts.")
    suggestions: int = strawberry.field(description="Comments whose writers are asked to confirm or to choose.")
    questions: int = strawberry.field(description="Comments that ask something the shop should answer.")


@strawberry.type(description="Pieces of one variant that one comment has in the end.")
class SimulatedLine:
    variant_id: strawberry.ID = strawberry.field(description="The variant.")
    title: str = strawberry.field(description="The product's name.")
    label: str = strawberry.field(description="The variant's name; empty where there is only one.")
    quantity: int = strawberry.field(description="Pieces ordered.")
    waiting: int = strawberry.field(description="Pieces waited for.")


@strawberry.type(description="What became of one comment in the end.")
class SimulatedDecision:
    outcome: ClaimOutcome = strawberry.field(description="The outcome.")
    reason: str | None = strawberry.field(description="As `Claim.reason`.")
    lines: list[SimulatedLine] = strawberry.field(description="What it orders or waits for.")


@strawberry.type(description="A comment that comes out differently.")
class SimulatedDifference:
    comment_id: strawberry.ID | None = strawberry.field(description="The comment; null for a pasted one.")
    text: str | None = strawberry.field(description="Its text as it stands; null once the comment is removed.")
    author: str = strawberry.field(description="The writer's name, where one is known.")
    written_at: datetime = strawberry.field(description="When it was written, by the platform.")
    before: SimulatedDecision = strawberry.field(description="Under the policy in force.")
    after: SimulatedDecision = strawberry.field(description="Under the policy that is tried.")


@strawberry.type(description="The same comments under the policy in force and under another. Nothing was changed, and nobody was told.")
class ClaimPolicySimulation:
    sentence: str = strawberry.field(description="The policy that is tried, as buyers would read it.")
    comments: int = strawberry.field(description="Comments that were decided.")
    left_out: int = strawberry.field(
        description="Comments that could not be: their platform wants no text kept, or there are more than 5,000."
    )
    before: SimulationFigures = strawberry.field(description="Under the policy in force.")
    after: SimulationFigures = strawberry.field(description="Under the policy that is tried.")
    same_as_recorded: int | None = strawberry.field(
        description="Decisions under the policy in force that are exactly what was decided then; null for pasted comments and unlimited stock."
    )
    differences_total: int = strawberry.field(description="Comments that come out differently.")
    differences: list[SimulatedDifference] = strawberry.field(description="These comments in the order of their times, from `offset` on.")
