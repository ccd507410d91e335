"""Stock of a shop and the two ways to change it."""

from __future__ import annotations

import strawberry

from api.schema.errors import StockUserError
from api.schema.paging import Connection
from api.schema.post import ProductVariant
from domain.stock.rules import AdjustReason, SellBeyond

strawberry.enum(AdjustReason, description="Why the goods on hand changed.")
strawberry.enum(SellBeyond, description="May more be sold than is there?")


@strawberry.type(description="Figures of one variant, in pieces: available = onHand + backorderLimit - held - committed.")
class StockLevel:
    variant: ProductVariant
    on_hand: int
    held: int = strawberry.field(description="In unpaid orders.")
    committed: int = strawberry.field(description="Paid, not yet handed over.")
    available: int
    backorder_limit: int
    sell_beyond: SellBeyond
    version: int


StockLevelConnection = Connection[StockLevel]


@strawberry.input(description="Narrows a list of stock levels; absent fields narrow nothing.")
class StockFilter:
    product_id: strawberry.ID | None = None
    sold_out: bool | None = None


@strawberry.input
class StockAdjustInput:
    variant_id: strawberry.ID
    delta: int = strawberry.field(description="Pieces added, or taken away when negative.")
    reason: AdjustReason


@strawberry.input
class StockSetInput:
    variant_id: strawberry.ID
    quantity: int = strawberry.field(description="Pieces on hand as counted.")
    change_from_quantity: int = strawberry.field(description="Pieces on hand that the counter saw before; otherwise VERSION_CONFLICT.")
    reason: AdjustReason = AdjustReason.COUNT


@strawberry.type
class StockAdjustPayload:
    stock_level: StockLevel | None
    user_errors: list[StockUserError]


@strawberry.type
class StockSetPayload:
    stock_level: StockLevel | None
    user_errors: list[StockUserError]
