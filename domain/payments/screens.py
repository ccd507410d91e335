"""The shop's list of money that has to go back."""

from __future__ import annotations

from functools import lru_cache
from typing import Final
from uuid import UUID

from domain.ids import public_id
from domain.orders.payment_shapes import ATTEMPT
from domain.orders.shapes import Viewpoint, order_shape
from domain.paging import Args, Listing, Page, Shape, Slice, Wanted, fetch_page, shape
from domain.paging.shape import Read

SURPLUSES: Final = 'payment_attempt t join "order" o on o.id = t.order_id join shop s on s.id = t.shop_id'


@lru_cache(maxsize=64)
def entry_shape(wanted: Wanted, viewpoint: Viewpoint) -> Shape:
    """A surplus; aliases of SURPLUSES. Branches: attempt, order."""
    branches: list[tuple[str, str, Read]] = []
    if "attempt" in wanted:
        branches.append(("attempt", ATTEMPT.row, ATTEMPT.read))
    if "order" in wanted:
        order = order_shape(wanted["order"], viewpoint)
        branches.append(("order", order.row, order.read))
    return shape(("t.id",), lambda row: {"id": public_id("attempt", row[0])}, branches)


async def surpluses_of_shop(shop_id: UUID, *, page: Page, wanted: Wanted, viewpoint: Viewpoint, count: bool = False) -> Slice:
    """Money of this shop that was not given back yet, oldest first; one statement."""
    args = Args(shop_id)
    where = "t.shop_id = $1 and t.surplus_minor > 0 and t.returned_at is null"
    listing = Listing(SURPLUSES, where, at="t.settled_at", id="t.id", newest_first=False, counted="payment_attempt t")
    return await fetch_page(entry_shape(wanted, viewpoint), listing, page, args, count=count)
