"""Orders without a comment, and places in waiting lists with their timed offers."""

from __future__ import annotations

from datetime import datetime

import strawberry

from api.schema.claim import Claim
from api.schema.errors import ClaimUserError
from api.schema.order import Order
from api.schema.paging import Connection
from api.schema.post import ProductVariant, SalesPost
from api.schema.shop import Shop


@strawberry.type(description="Pieces that became free, kept for one who waits until they say yes.")
class WaitlistOffer:
    id: strawberry.ID = strawberry.field(description="For the yes; good for nothing else.")
    quantity: int = strawberry.field(description="Pieces kept; a yes takes all of them. More than waited for never are.")
    offered_at: datetime = strawberry.field(description="Since when; anew when more pieces came.")
    accept_until: datetime = strawberry.field(description="A yes must come before this instant; then the next in line is asked.")


@strawberry.type(description="A place in the line for a variant that was sold out.")
class WaitlistPlace:
    id: strawberry.ID = strawberry.field(description="For giving it up; good for nothing else.")
    claim_id: strawberry.ID = strawberry.field(description="The claim that asked for the pieces.")
    variant: ProductVariant = strawberry.field(description="What is waited for.")
    title: str = strawberry.field(description="The product's title.")
    label: str = strawberry.field(description="The variant's label; empty where the product has only one.")
    post: SalesPost = strawberry.field(description="Under which post it was asked for.")
    shop: Shop = strawberry.field(description="Whose it is.")
    quantity: int = strawberry.field(description="Pieces waited for.")
    ahead: int = strawberry.field(description="Pieces that others wait for in front of this place.")
    queued_at: datetime = strawberry.field(description="The place in the line: when it was asked for.")
    offer: WaitlistOffer | None = strawberry.field(
        description="What may be taken now; null while there is nothing, or where the shop gives out at once."
    )


WaitlistConnection = Connection[WaitlistPlace]


@strawberry.input(description="An order without a comment.")
class ClaimCreateInput:
    post_id: strawberry.ID = strawberry.field(description="An open post.")
    variant_id: strawberry.ID = strawberry.field(description="A variant that it offers.")
    quantity: int = strawberry.field(description="1 to the post's most of one wish.")


@strawberry.input(description="A place to be given up.")
class WaitlistLeaveInput:
    place_id: strawberry.ID = strawberry.field(description="One of my own.")


@strawberry.input(description="A yes to an offer.")
class WaitlistOfferAcceptInput:
    offer_id: strawberry.ID = strawberry.field(description="Of one of my places.")


@strawberry.type(description="What became of an order without a comment.")
class ClaimCreatePayload:
    claim: Claim | None = strawberry.field(description="As a comment's: its outcome says what is ordered and what waits.")
    order: Order | None = strawberry.field(description="The order it is in; null when all its pieces wait.")
    user_errors: list[ClaimUserError]


@strawberry.type(description="What became of giving a place up.")
class WaitlistLeavePayload:
    claim: Claim | None = strawberry.field(description="The claim that waited, as it is now.")
    user_errors: list[ClaimUserError]


@strawberry.type(description="What became of a yes.")
class WaitlistOfferAcceptPayload:
    claim: Claim | None = strawberry.field(description="The claim that waited, as it is now.")
    order: Order | None = strawberry.field(description="The order that the pieces are in.")
    user_errors: list[ClaimUserError]
