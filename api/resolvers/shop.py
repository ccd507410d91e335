"""A shop's desk: found by its staff, with its orders by list."""

from __future__ import annotations

from typing import Annotated

import strawberry

from api.auth.permissions import Rights
from api.execution.errors import RequestError
from api.resolvers.base import Info, attach, field, key_of
from api.resolvers.lists import Listed, desk_list
from api.resolvers.order import narrowed_by, staff_view
from api.schema.order import OrderConnection, OrderFilter
from api.schema.shop import Shop
from domain.errors import NotFound
from domain.orders import queries
from domain.orders.rules import OrderList
from domain.paging import Row, Slice
from domain.shops import screens
from domain.shops.rules import Permission


@strawberry.type
class ShopQuery:
    @field(Shop | None, description="A shop by id or handle, for its staff; null for everybody else.")
    async def shop(self, info: Info, id: strawberry.ID | None = None, handle: str | None = None) -> Row | None:
        viewer = info.context.require_viewer()
        if (id is None) is (handle is None):
            raise RequestError("give either id or handle")
        try:
            shop_id = None if id is None else key_of(id, "shop")
        except NotFound:
            return None
        found = await screens.shop_of_staff(viewer.member_id, shop_id=shop_id, handle=handle)
        if found is None:
            return None
        info.context.know(found.shop["key"], Rights(found.role, found.denied))
        return found.shop


@strawberry.type
class ShopOrders:
    """Fields of a shop's desk."""

    @desk_list(
        OrderConnection, Permission.VIEW_ORDERS, "Its orders, newest first; by list or all. For staff who may view them; null for others."
    )
    async def orders(
        self,
        listed: Listed,
        in_list: Annotated[OrderList | None, strawberry.argument(name="list")] = None,
        filter: OrderFilter | None = None,
    ) -> Slice:
        narrowed = narrowed_by(filter)
        page, view = listed.page((in_list, narrowed)), await staff_view(listed.info, listed.owner_id)
        return await queries.orders_of_shop(listed.owner_id, **page, viewpoint=view, in_list=in_list, narrowed=narrowed)


attach(Shop, ShopOrders)
