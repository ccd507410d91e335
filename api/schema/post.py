"""Sales posts and what they offer."""

from __future__ import annotations

from datetime import datetime

import strawberry

from api.schema.paging import Node
from api.schema.scalars import Money
from api.schema.shop import Shop
from domain.posts.rules import DeliveryMethod, PostState

strawberry.enum(PostState)
strawberry.enum(DeliveryMethod, description="PICKUP: face to face, with a pass. SHIP: sent.")


@strawberry.type(description="What is sold, in one or more variants.")
class Product:
    id: strawberry.ID
    title: str


@strawberry.type(description="One kind of a product that has its own price and stock.")
class ProductVariant(Node):
    label: str
    code: str
    price: Money
    product: Product
    availability: int = strawberry.field(description="Pieces that may still be ordered.")


@strawberry.type(description="The rule by which comments become orders, as buyers read it.")
class ClaimRuleVersion:
    version: int = strawberry.field(description="Rises with every change; 0 is the default rule.")
    sentence: str
    effective_at: datetime | None


@strawberry.type(description="A product as one post offers it.")
class PostItem:
    id: strawberry.ID
    codes: list[str]
    on_sale: bool
    max_quantity: int | None
    product: Product
    variants: list[ProductVariant]
    availability: int = strawberry.field(description="Pieces of all variants that may still be ordered.")


@strawberry.type(description="A post that sells; its comments become orders.")
class SalesPost(Node):
    title: str
    state: PostState
    delivery_method: DeliveryMethod
    opens_at: datetime | None
    closes_at: datetime | None
    shop: Shop
    rule: ClaimRuleVersion
    items: list[PostItem]
