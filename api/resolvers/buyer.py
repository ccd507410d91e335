"""Restricting a buyer, and taking it back."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Final

import strawberry

from api.resolvers.base import Info, key_of
from api.resolvers.mutation import InvalidInput, mutation, staff_of, text
from api.schema.buyer import BuyerRestoreInput, BuyerRestorePayload, BuyerRestrictInput, BuyerRestrictPayload
from api.schema.errors import BuyerUserError
from domain.orders import buyers
from domain.paging import Row
from domain.shops.rules import Permission

LONGEST: Final = timedelta(days=3653)


@strawberry.type
class BuyerMutations:
    @mutation(BuyerUserError, BuyerRestrictPayload, "NOT_FOUND PERMISSION_DENIED INVALID_INPUT")
    async def buyer_restrict(self, info: Info, input: BuyerRestrictInput) -> Row:
        """Take no orders from a buyer's comments until an instant, silently. Orders that stand are untouched."""
        buyer_id, reason = key_of(input.buyer_id, "buyer"), text(input.reason, "reason", buyers.MOST_REASON)
        shop_id, actor = await staff_of(info, "buyer", buyer_id, Permission.RESTRICT_BUYERS)
        now, until = info.context.now(), input.until.astimezone(UTC)
        if not now < until <= now + LONGEST:
            raise InvalidInput("until")
        await buyers.restrict(buyer_id=buyer_id, shop_id=shop_id, until=until, reason=reason, actor=actor, now=now)
        buyer = await buyers.buyer_of_shop(shop_id, buyer_id)
        return {"buyer": buyer, "restricted_until": buyer and buyer["restricted_until"]}

    @mutation(BuyerUserError, BuyerRestorePayload, "NOT_FOUND PERMISSION_DENIED")
    async def buyer_restore(self, info: Info, input: BuyerRestoreInput) -> Row:
        """Read a buyer's comments again, from now on."""
        buyer_id = key_of(input.buyer_id, "buyer")
        shop_id, actor = await staff_of(info, "buyer", buyer_id, Permission.RESTRICT_BUYERS)
        await buyers.restore(buyer_id=buyer_id, shop_id=shop_id, actor=actor, now=info.context.now())
        return {"buyer": await buyers.buyer_of_shop(shop_id, buyer_id)}
