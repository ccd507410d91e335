"""The slot of a pass, as buyers and the counter see it."""

from __future__ import annotations

from datetime import datetime

import strawberry


@strawberry.type(description="The slot of a pass: when and where its orders are handed over.")
class PassSlot:
    id: strawberry.ID = strawberry.field(description="The slot's id.")
    starts_at: datetime = strawberry.field(description="From when.")
    ends_at: datetime = strawberry.field(description="Until when.")
    place: str | None = strawberry.field(description="Where; null where the shop names no place.")
