"""Orders for those who watch them."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from domain import db
from domain.orders.queries import ORDERS
from domain.orders.shapes import Viewpoint, order_shape
from domain.paging import Row, Wanted


async def orders_of_member(member_id: UUID, order_ids: Collection[UUID], *, wanted: Wanted, viewpoint: Viewpoint) -> dict[UUID, Row]:
    """Those of these orders that are the member's own, as they now stand; one statement."""
    order = order_shape(wanted, viewpoint)
    sql = f"select {order.select} from {ORDERS} where o.member_id = $1 and o.id = any($2::uuid[])"
    return {row[0]: order.read(row) for row in await db.fetch(sql, member_id, list(order_ids))}
