"""What streams tell: orders, posts and passes as they now are."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import strawberry

from api.schema.order import Order
from api.schema.pickup import HandOver, Pickup
from api.schema.post import SalesPost


class OrderChangeKind(StrEnum):
    """See the descriptions."""

    CHANGED = "CHANGED"
    GONE = "GONE"


strawberry.enum(
    OrderChangeKind,
    description="CHANGED: placed or changed; `order` is how it stands. GONE: no longer mine. Treat unknown values as CHANGED.",
)


@strawberry.type(description="An order of mine that was placed or changed.")
class OrderChange:
    kind: OrderChangeKind
    order_id: strawberry.ID
    order: Order | None = strawberry.field(description="As it now stands: never older than an earlier message said. Null when GONE.")
    resume_from: str = strawberry.field(
        description="Pass it as `since` after a lost connection: what comes after this message, and nothing less."
    )


@strawberry.type(description="A post as it now stands.")
class SalesPostLive:
    at: datetime = strawberry.field(description="When it was read.")
    post: SalesPost


@strawberry.type(description="A pass as it now stands, with what left last.")
class PickupResult:
    pickup: Pickup
    last_hand_over: HandOver | None = strawberry.field(description="The newest hand-over of the pass; null while nothing has left.")
