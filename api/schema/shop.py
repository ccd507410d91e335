"""Shops as everybody sees them. The desk's lists (orders, stock, comments) join the type in `api/resolvers/shop.py`."""

from __future__ import annotations

import strawberry

from api.schema.paging import Node
from api.schema.scalars import CurrencyCode


@strawberry.type(description="A seller's shop. Its orders, stock and comments are for its staff.")
class Shop(Node):
    handle: str
    name: str
    currency: CurrencyCode
    time_zone: str = strawberry.field(description="IANA name, such as Asia/Taipei.")
    locale: str
    pickup_place: str
