"""Orders, their lines, and the claims and comments they came from."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import strawberry

from api.schema.claim import Claim
from api.schema.errors import OrderUserError
from api.schema.paging import Connection, Edge, Node, PageInfo
from api.schema.payment import PaymentAttempt
from api.schema.post import ProductVariant, SalesPost
from api.schema.scalars import CurrencyCode, Money
from api.schema.shop import Shop
from domain.orders.rules import FulfilmentState, OrderAction, OrderList, OrderState, PaymentState
from domain.orders.timeline import OrderEventBy, OrderEventKind
from domain.payments.rules import PaymentMethod
from domain.posts.rules import DeliveryMethod
from domain.shops.rules import SourcePlatform

strawberry.enum(OrderState, description="What the shop intends.")
strawberry.enum(PaymentState, description="Where the money is.")
strawberry.enum(FulfilmentState, description="Where the goods are.")
strawberry.enum(OrderList, description="The seller's lists; every order is in exactly one.")
strawberry.enum(OrderAction, description="What this viewer may do now.")
strawberry.enum(PaymentMethod)
strawberry.enum(OrderEventKind, description="What happened to an order. Treat unknown values as OTHER.")
strawberry.enum(OrderEventBy, description="Who did something to an order.")

if TYPE_CHECKING:
    from api.schema.pickup import Pickup
    from api.schema.shipment import Shipment


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


@strawberry.type(description="Money that the shop has received for an order.")
class OrderPayment:
    method: PaymentMethod
    amount: Money
    paid_at: datetime = strawberry.field(description="When the shop wrote it down.")


@strawberry.type(description="Pieces that an event was about.")
class OrderEventLine:
    title: str
    variant_label: str
    quantity: int = strawberry.field(description="Pieces that it was about.")


@strawberry.type(description="Something that happened to an order.")
class OrderEvent:
    kind: OrderEventKind
    title: str
    at: datetime = strawberry.field(description="When it happened.")
    by: OrderEventBy
    lines: list[OrderEventLine]


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
    undo_until: datetime | None = strawberry.field(description="Until then its newest line may be undone; null when nothing may.")
    ship_later_until: datetime | None = strawberry.field(
        description="Its buyer wants the parcel to wait for others until then; null when not."
    )
    cancel_requested_at: datetime | None = strawberry.field(
        description="Since when its buyer asks the shop to cancel it; null when nobody does."
    )
    cancel_reason: str | None = strawberry.field(description="The buyer's words to that; null without any.")
    pays_online: bool = strawberry.field(
        description="`paymentSessionCreate` takes this order: its shop has a payment provider, and something is owed."
    )
    payment_attempts: list[PaymentAttempt] = strawberry.field(description="Tries to pay it online, newest first; the last 20.")
    payments: list[OrderPayment] = strawberry.field(
        description="The receipt: what the shop has received for it, oldest first; at most 100."
    )
    shipments: list[Annotated[Shipment, strawberry.lazy("api.schema.shipment")]] = strawberry.field(
        description="Parcels with pieces of it, the first one first; at most 50."
    )
    pickup: Annotated[Pickup, strawberry.lazy("api.schema.pickup")] | None = strawberry.field(
        description="The pickup that it is collected with; null until it is ready, and for orders that are sent."
    )


@strawberry.type(description="The sums of a list of orders in one currency. Cancelled orders are left out.")
class OrderTotals:
    order_count: int = strawberry.field(description="Orders in these sums.")
    total: Money
    paid: Money
    amount_due: Money = strawberry.field(description="Still owed on open orders among them.")


@strawberry.type(description="My orders, newest first.")
class MyOrderConnection:
    nodes: list[Order]
    edges: list[Edge[Order]]
    page_info: PageInfo
    total_count: int | None
    total_count_is_exact: bool | None
    totals: list[OrderTotals] = strawberry.field(description="The sums of the whole list with this filter, one per currency.")


@strawberry.type(description="What a buyer owes one shop.")
class UnpaidOfShop:
    shop: Shop
    amount_due: Money
    order_count: int
    pay_by: datetime | None = strawberry.field(description="The nearest deadline.")


@strawberry.type(description="What a buyer owes by one instant in one currency.")
class UnpaidByDeadline:
    pay_by: datetime | None = strawberry.field(description="The deadline; null where there is none.")
    amount_due: Money
    order_count: int


@strawberry.type(description="A line of an order on which money is owed.")
class UnpaidLine:
    line_id: strawberry.ID = strawberry.field(description="The line's id, for `node`.")
    order_id: strawberry.ID = strawberry.field(description="The id of the order that is paid as a whole.")
    order_number: str
    title: str
    variant_label: str
    quantity: int
    total: Money
    pay_by: datetime | None
    shop: Shop


@strawberry.type(description="Orders on which the buyer owes money, the nearest deadline first.")
class UnpaidConnection:
    nodes: list[Order]
    edges: list[Edge[Order]]
    page_info: PageInfo
    total_count: int | None
    total_count_is_exact: bool | None
    totals: list[Money] = strawberry.field(description="Everything owed, one amount per currency.")
    by_shop: list[UnpaidOfShop]
    by_deadline: list[UnpaidByDeadline] = strawberry.field(
        description="The same by deadline and currency, the nearest first; at most 100. What has no deadline comes last."
    )
    lines: list[UnpaidLine] = strawberry.field(
        description="Lines of these orders, in the orders' order; at most 100. Cancelled pieces are left out."
    )


OrderConnection = Connection[Order]
OrderLineConnection = Connection[OrderLine]
OrderEventConnection = Connection[OrderEvent]


@strawberry.input(description="Narrows a list of orders; absent fields narrow nothing.")
class OrderFilter:
    shop_ids: list[strawberry.ID] | None = None
    state: OrderState | None = None
    payment_state: PaymentState | None = None
    since: datetime | None = strawberry.field(default=None, description="Placed at this instant or later.")
    fulfilment_state: FulfilmentState | None = None
    text: str | None = strawberry.field(
        default=None,
        description="A part of the number, the shop's name, a product or a variant, as the order names them; 1 to 60 characters.",
    )


@strawberry.input(description="Narrows what is owed; absent fields narrow nothing.")
class UnpaidFilter:
    shop_ids: list[strawberry.ID] | None = None
    currency: CurrencyCode | None = None
    due_before: datetime | None = strawberry.field(default=None, description="Only what is to be paid before this instant.")


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
    even_if_being_paid: bool = strawberry.field(
        default=False, description="True: also while an online payment may still succeed; what comes then has to go back."
    )


@strawberry.type
class OrderMarkPaidPayload:
    order: Order | None
    user_errors: list[OrderUserError]


@strawberry.type
class OrderCancelPayload:
    order: Order | None
    user_errors: list[OrderUserError]
