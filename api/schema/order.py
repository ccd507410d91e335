"""Orders, their lines, and the claims and comments they came from."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import strawberry

from api.schema.claim import Claim
from api.schema.errors import OrderUserError
from api.schema.paging import Connection, Edge, Node, PageInfo
from api.schema.payment import PaymentAttempt
from api.schema.post import ProductVariant, SalesPost
from api.schema.scalars import Money
from api.schema.shop import Shop
from domain.orders.rules import FulfilmentState, OrderAction, OrderList, OrderState, PaymentState
from domain.payments.rules import PaymentMethod
from domain.posts.rules import DeliveryMethod
from domain.shops.rules import SourcePlatform

strawberry.enum(OrderState, description="What the shop intends.")
strawberry.enum(PaymentState, description="Where the money is.")
strawberry.enum(FulfilmentState, description="Where the goods are.")
strawberry.enum(OrderList, description="The seller's lists; every order is in exactly one.")
strawberry.enum(OrderAction, description="What this viewer may do now.")
strawberry.enum(PaymentMethod)


@strawberry.type(description="Where an order line came from.")
class OrderSource:
    platform: SourcePlatform
    post: SalesPost | None


@strawberry.type(description="Pieces of one variant, at the price of the moment they were ordered.")
class OrderLine(Node):
    title: str
    variant_label: str
    variant: ProductVariant
    quantity: int = strawberry.field(description="Pieces still ordered; 0 once cancelled.")
    handed_over: int
    unit_price: Money
    total: Money
    beneficiary: str | None = strawberry.field(description="Whom it is for, as the comment named them; null for the buyer.")
    claim: Claim | None
    source: OrderSource


@strawberry.type(description="A buyer as one shop knows them.")
class ShopBuyer:
    id: strawberry.ID
    name: str
    provider: str


@strawberry.type(description="One buyer's order at one shop. Its lines are paged.")
class Order(Node):
    number: str
    version: int
    shop: Shop
    buyer: ShopBuyer
    created_at: datetime
    updated_at: datetime
    state: OrderState
    payment_state: PaymentState
    fulfilment_state: FulfilmentState
    in_list: OrderList = strawberry.field(name="list")
    delivery_method: DeliveryMethod
    subtotal: Money
    shipping_fee: Money
    discount: Money
    total: Money
    paid: Money
    amount_due: Money
    pay_by: datetime | None
    actions: list[OrderAction]
    pays_online: bool = strawberry.field(
        description="`paymentSessionCreate` takes this order: its shop has a payment provider, and something is owed."
    )
    payment_attempts: list[PaymentAttempt] = strawberry.field(description="Tries to pay it online, newest first; the last 20.")


@strawberry.type(description="What a buyer owes one shop.")
class UnpaidOfShop:
    shop: Shop
    amount_due: Money
    order_count: int
    pay_by: datetime | None = strawberry.field(description="The nearest deadline.")


@strawberry.type(description="Orders on which the buyer owes money, the nearest deadline first.")
class UnpaidConnection:
    nodes: list[Order]
    edges: list[Edge[Order]]
    page_info: PageInfo
    total_count: int | None
    total_count_is_exact: bool | None
    totals: list[Money] = strawberry.field(description="Everything owed, one amount per currency.")
    by_shop: list[UnpaidOfShop]


OrderConnection = Connection[Order]
OrderLineConnection = Connection[OrderLine]


@strawberry.input(description="Narrows a list of orders; absent fields narrow nothing.")
class OrderFilter:
    shop_ids: list[strawberry.ID] | None = None
    state: OrderState | None = None
    payment_state: PaymentState | None = None
    since: datetime | None = strawberry.field(default=None, description="Placed at this instant or later.")


@strawberry.input
class OrderMarkPaidInput:
    order_id: strawberry.ID
    method: PaymentMethod
    reference: str = strawberry.field(description="What the shop finds the money by; 1 to 120 characters.")
    amount: Decimal | None = strawberry.field(default=None, description="When given, it must be the amount due.")
    expected_version: int | None = strawberry.field(default=None, description="When given, the order must still be this version.")


@strawberry.input
class OrderCancelInput:
    order_id: strawberry.ID
    reason: str = strawberry.field(default="", description="Kept in the order's history; at most 200 characters.")


@strawberry.type
class OrderMarkPaidPayload:
    order: Order | None
    user_errors: list[OrderUserError]


@strawberry.type
class OrderCancelPayload:
    order: Order | None
    user_errors: list[OrderUserError]
