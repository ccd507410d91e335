"""Stock levels of a shop's desk, and the two ways to change them."""

from __future__ import annotations

from uuid import UUID

import strawberry

from api.resolvers.base import Info, attach, granted, key_of, selected
from api.resolvers.lists import Listed, desk_list
from api.resolvers.mutation import InvalidInput, effect, mutation, staff_of
from api.schema.errors import StockUserError
from api.schema.shop import Shop
from api.schema.stock import StockAdjustInput, StockAdjustPayload, StockFilter, StockLevelConnection, StockSetInput, StockSetPayload
from domain.paging import Row, Slice
from domain.shops import screens
from domain.shops.rules import Permission
from domain.stock import commands


@strawberry.type
class ShopStock:
    """Fields of a shop's desk."""

    @desk_list(
        StockLevelConnection, Permission.VIEW_STOCK, "Stock levels, newest product first. For staff who may view them; null for others."
    )
    async def stock(self, listed: Listed, filter: StockFilter | None = None) -> Slice:
        product = key_of(filter.product_id, "product") if filter and filter.product_id else None
        sold_out = filter.sold_out if filter else None
        return await screens.levels_of_shop(listed.owner_id, **listed.page((product, sold_out)), product_id=product, sold_out=sold_out)


attach(Shop, ShopStock)


@strawberry.type
class StockMutations:
    @mutation(StockUserError, StockAdjustPayload, "NOT_FOUND PERMISSION_DENIED INSUFFICIENT_STOCK OVER_LIMIT", idempotent=True)
    async def stock_adjust(self, info: Info, input: StockAdjustInput) -> Row:
        """Add pieces to the goods on hand, or take some away."""
        variant_id = key_of(input.variant_id, "variant")
        shop_id, actor = await staff_of(info, "variant", variant_id, Permission.ADJUST_STOCK)

        async def act() -> Row:
            await commands.adjust(
                shop_id=shop_id, variant_id=variant_id, delta=input.delta, reason=input.reason, actor=actor, now=info.context.now(),
                jobs=info.context.services.jobs,
            )  # fmt: skip
            return {}

        await effect(info, input, act)
        return {"stock_level": await _level(info, shop_id, variant_id)}

    @mutation(
        StockUserError,
        StockSetPayload,
        "NOT_FOUND PERMISSION_DENIED INVALID_INPUT INSUFFICIENT_STOCK VERSION_CONFLICT OVER_LIMIT",
        idempotent=True,
    )
    async def stock_set(self, info: Info, input: StockSetInput) -> Row:
        """Set the goods on hand to what was counted, if they still are what the counter saw before."""
        variant_id = key_of(input.variant_id, "variant")
        shop_id, actor = await staff_of(info, "variant", variant_id, Permission.ADJUST_STOCK)
        for name, pieces in (("quantity", input.quantity), ("changeFromQuantity", input.change_from_quantity)):
            if pieces < 0:
                raise InvalidInput(name)

        async def act() -> Row:
            await commands.set_quantity(
                shop_id=shop_id, variant_id=variant_id, quantity=input.quantity, change_from_quantity=input.change_from_quantity,
                reason=input.reason, actor=actor, now=info.context.now(), jobs=info.context.services.jobs,
            )  # fmt: skip
            return {}

        await effect(info, input, act)
        return {"stock_level": await _level(info, shop_id, variant_id)}


async def _level(info: Info, shop_id: UUID, variant_id: UUID) -> Row | None:
    """The level as it is now; None for staff who may change stock and not view it."""
    if not await granted(info.context, shop_id, (Permission.VIEW_STOCK,)):
        return None
    return await screens.level_of_variant(shop_id, variant_id, wanted=selected(info, "stock_level"))
