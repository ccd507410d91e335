"""What a shop decides about one of its buyers."""

from __future__ import annotations

from datetime import datetime

import strawberry

from api.schema.errors import BuyerUserError
from api.schema.order import ShopBuyer


@strawberry.input(description="A buyer whose comments shall make no orders for a while.")
class BuyerRestrictInput:
    buyer_id: strawberry.ID = strawberry.field(description="As on the buyer's orders.")
    until: datetime = strawberry.field(description="The end of the restriction; in the future, at most ten years ahead.")
    reason: str = strawberry.field(default="", description="For the shop; at most 200 characters. The buyer does not see it.")


@strawberry.input(description="A buyer whose comments shall be read again.")
class BuyerRestoreInput:
    buyer_id: strawberry.ID = strawberry.field(description="As on the buyer's orders.")


@strawberry.type
class BuyerRestrictPayload:
    buyer: ShopBuyer | None = strawberry.field(description="The buyer.")
    restricted_until: datetime | None = strawberry.field(description="The end of the restriction.")
    user_errors: list[BuyerUserError]


@strawberry.type
class BuyerRestorePayload:
    buyer: ShopBuyer | None = strawberry.field(description="The buyer.")
    user_errors: list[BuyerUserError]
