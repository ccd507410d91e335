"""Comments and what became of them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from api.schema.errors import CommentUserError
from api.schema.paging import Connection, Node
from api.schema.post import ClaimRuleVersion, SalesPost
from api.schema.receipt import MatchedToken
from domain.claims.commands import ResolveAction
from domain.claims.rules import ClaimOutcome, ReviewState
from domain.shops.rules import SourcePlatform

if TYPE_CHECKING:
    from api.schema.order import Order

strawberry.enum(ClaimOutcome)
strawberry.enum(ReviewState, description="OPEN: waits for a person of the shop.")
strawberry.enum(SourcePlatform, description="Treat unknown values as other.")
strawberry.enum(ResolveAction, description="MAKE_ORDER: the comment meant these pieces. DISMISS: seen; nothing follows.")


@strawberry.type(description="Who wrote a comment, by the name shown on the platform.")
class SocialIdentity:
    name: str


@strawberry.type(description="An earlier or present text of a comment.")
class CommentRevision:
    kind: str = strawberry.field(description="ADD, EDIT, REMOVE, HIDE or UNHIDE.")
    text: str
    at: datetime


@strawberry.type(description="A comment as it now stands on its platform.")
class SocialComment(Node):
    platform: SourcePlatform
    text: str | None = strawberry.field(description="Null once the comment is removed.")
    written_at: datetime
    received_at: datetime
    removed_at: datetime | None
    permalink: str | None
    author: SocialIdentity
    post: SalesPost | None
    claim: Annotated[Claim, strawberry.lazy("api.schema.claim")] | None
    revisions: list[CommentRevision]


@strawberry.type(description="What one comment asked for and what became of it.")
class Claim(Node):
    outcome: ClaimOutcome
    reason: str | None
    review: ReviewState
    decided_at: datetime
    comment: SocialComment | None
    rule: ClaimRuleVersion | None
    matched: list[MatchedToken] = strawberry.field(
        description="What the comment was read as, in the order of the text; empty where its platform wants nothing kept of it."
    )
    order: Annotated[Order, strawberry.lazy("api.schema.order")] | None


SocialCommentConnection = Connection[SocialComment]


@strawberry.input(description="Narrows a list of comments; absent fields narrow nothing.")
class CommentFilter:
    outcome: ClaimOutcome | None = None
    review: ReviewState | None = None
    platform: SourcePlatform | None = None
    post_id: strawberry.ID | None = None


@strawberry.input
class CommentLineInput:
    variant_id: strawberry.ID
    quantity: int


@strawberry.input
class CommentResolveInput:
    comment_id: strawberry.ID
    action: ResolveAction
    lines: list[CommentLineInput] = strawberry.field(default_factory=list, description="For MAKE_ORDER; at most 50.")
    note: str = strawberry.field(default="", description="For the shop; at most 200 characters.")


@strawberry.type
class CommentResolvePayload:
    comment: SocialComment | None
    user_errors: list[CommentUserError]
