"""The same screens the ordinary way: strawberry types over Tortoise models, a data loader per relation, strawberry's own Starlette view.

Written as its documentation shows it, with the library's defaults. `python -m benchmarks.ordinary`.
"""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import strawberry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from strawberry.asgi import GraphQL
from strawberry.dataloader import DataLoader

from api.auth.bearer import viewer_of
from api.auth.viewer import Unauthenticated
from api.notifications.messages import push_text
from benchmarks.ordinary_loaders import load_lines, load_parcels, load_passes
from domain import bootstrap, db, settings
from domain.members import keys
from domain.notices.models import Notice as NoticeRow
from domain.notices.rules import NoticeKind
from domain.orders.models import Order as OrderRow
from domain.orders.models import OrderLine as LineRow
from domain.orders.rules import UNPAID_STATES, OrderState
from domain.pickup.models import Pickup as PickupRow
from domain.pickup.rules import PickupState
from domain.shipping.models import Shipment as ParcelRow
from domain.shops.models import Shop as ShopRow
from plusone import processes

PAGE: Final = 20
Info = strawberry.Info[dict[str, Any], None]


async def load_shops(wanted: list[UUID]) -> list[Shop]:
    """Shops by id."""
    found = {row.id: row for row in await ShopRow.filter(id__in=wanted)}
    return [
        Shop(id=strawberry.ID(str(key)), name=found[key].name, currency=found[key].currency, pickup_place=found[key].pickup_place)
        for key in wanted
    ]


@strawberry.type
class Money:
    amount: int
    currency_code: str


@strawberry.type
class Shop:
    id: strawberry.ID
    name: str
    currency: str
    pickup_place: str


@strawberry.type
class PageInfo:
    has_next_page: bool
    has_previous_page: bool
    end_cursor: str | None


@strawberry.type
class Line:
    id: strawberry.ID
    title: str
    variant_label: str
    quantity: int
    handed_over: int
    unit_price: Money


@strawberry.type
class Lines:
    total_count: int
    nodes: list[Line]


@strawberry.type
class OfShop:
    """Anything that belongs to a shop."""

    shop_id: strawberry.Private[UUID]

    @strawberry.field
    async def shop(self, info: Info) -> Shop:
        """Its shop."""
        found: Shop = await info.context["shops"].load(self.shop_id)
        return found


@strawberry.type
class Parcel:
    id: strawberry.ID
    state: str
    carrier: str
    tracking_number: str | None
    last_pickup_day: date | None


@strawberry.type
class Pass:
    id: strawberry.ID
    state: str
    code_expires_at: datetime | None


@strawberry.type
class Order(OfShop):
    key: strawberry.Private[UUID]
    id: strawberry.ID
    number: str
    created_at: datetime
    state: str
    payment_state: str
    fulfilment_state: str
    delivery_method: str
    pay_by: datetime | None
    total: Money
    amount_due: Money

    @strawberry.field
    async def lines(self, info: Info, first: int = 10) -> Lines:
        """Its lines, oldest first."""
        rows: list[LineRow] = await info.context["lines"].load(self.key)
        currency = self.total.currency_code
        return Lines(
            total_count=len(rows),
            nodes=[
                Line(
                    id=strawberry.ID(str(row.id)),
                    title=row.title,
                    variant_label=row.variant_label,
                    quantity=row.quantity,
                    handed_over=row.handed_over,
                    unit_price=Money(amount=row.unit_price_minor, currency_code=currency),
                )
                for row in rows[:first]
            ],
        )

    @strawberry.field
    async def shipments(self, info: Info) -> list[Parcel]:
        """Its parcels, oldest first."""
        rows: list[ParcelRow] = await info.context["parcels"].load(self.key)
        return [
            Parcel(
                id=strawberry.ID(str(row.id)),
                state=row.state.value,
                carrier=row.carrier.value,
                tracking_number=row.tracking_number or None,
                last_pickup_day=row.last_pickup_day,
            )
            for row in rows
        ]

    @strawberry.field
    async def pickup(self, info: Info) -> Pass | None:
        """Where it is collected with."""
        row: PickupRow | None = await info.context["passes"].load(self.key)
        return None if row is None else Pass(id=strawberry.ID(str(row.id)), state=row.state.value, code_expires_at=row.not_after)

    @classmethod
    def of(cls, row: OrderRow) -> Order:
        """An order from its row."""
        return cls(
            shop_id=row.shop_id,
            key=row.id,
            id=strawberry.ID(str(row.id)),
            number=row.number,
            created_at=row.created_at,
            state=row.state.value,
            payment_state=row.payment_state.value,
            fulfilment_state=row.fulfilment_state.value,
            delivery_method=row.delivery_method.value,
            pay_by=row.pay_by,
            total=Money(amount=row.total_minor, currency_code=row.currency),
            amount_due=Money(amount=max(row.total_minor - row.paid_minor, 0), currency_code=row.currency),
        )


@strawberry.type
class Pickup(OfShop):
    id: strawberry.ID
    state: str
    code_expires_at: datetime | None


@strawberry.type
class Notice(OfShop):
    id: strawberry.ID
    kind: str
    title: str
    body: str
    deep_link: str
    created_at: datetime
    read_at: datetime | None


@strawberry.type
class Owed(OfShop):
    amount_due: Money
    order_count: int
    pay_by: datetime | None


@strawberry.type
class Orders:
    nodes: list[Order]
    page_info: PageInfo


@strawberry.type
class Pickups:
    nodes: list[Pickup]


@strawberry.type
class Notices:
    unread_count: int
    nodes: list[Notice]
    page_info: PageInfo


@strawberry.type
class Unpaid:
    totals: list[Money]
    by_shop: list[Owed]
    nodes: list[Order]
    page_info: PageInfo


strawberry.enum(PickupState)


@strawberry.input
class PickupFilter:
    state: PickupState | None = None


def page_of(rows: list[Any]) -> PageInfo:
    """The page that up to PAGE + 1 rows make."""
    kept = rows[:PAGE]
    return PageInfo(has_next_page=len(rows) > PAGE, has_previous_page=False, end_cursor=str(kept[-1].id) if kept else None)


def owed_by_shop(rows: list[OrderRow]) -> list[Owed]:
    """What is owed to each shop, the nearest deadline first."""
    groups: dict[tuple[UUID, str], list[OrderRow]] = defaultdict(list)
    for row in rows:
        groups[row.shop_id, row.currency].append(row)
    found = []
    for (shop_id, currency), of_shop in groups.items():
        due = sum(row.total_minor - row.paid_minor for row in of_shop)
        deadline = min((row.pay_by for row in of_shop if row.pay_by), default=None)
        found.append(Owed(shop_id=shop_id, amount_due=Money(amount=due, currency_code=currency), order_count=len(of_shop), pay_by=deadline))
    return sorted(found, key=lambda one: (one.pay_by is None, one.pay_by, one.shop_id, one.amount_due.currency_code))[:100]


@strawberry.type
class Member:
    key: strawberry.Private[UUID]

    @strawberry.field
    async def orders(self, first: int) -> Orders:
        """My orders, newest first."""
        rows = await OrderRow.filter(member_id=self.key).order_by("-created_at", "-id").limit(first + 1)
        return Orders(nodes=[Order.of(row) for row in rows[:first]], page_info=page_of(rows))

    @strawberry.field
    async def pickups(self, first: int, filter: PickupFilter) -> Pickups:
        """My passes, newest first."""
        rows = await PickupRow.filter(member_id=self.key, state=filter.state).order_by("-created_at", "-id").limit(first)
        nodes = [
            Pickup(shop_id=row.shop_id, id=strawberry.ID(str(row.id)), state=row.state.value, code_expires_at=row.not_after) for row in rows
        ]
        return Pickups(nodes=nodes)

    @strawberry.field
    async def unpaid(self, first: int) -> Unpaid:
        """What I owe."""
        rows = await OrderRow.filter(member_id=self.key, state=OrderState.OPEN, payment_state__in=UNPAID_STATES).order_by("pay_by", "id")
        sums: dict[str, int] = defaultdict(int)
        for row in rows:
            sums[row.currency] += row.total_minor - row.paid_minor
        totals = [Money(amount=due, currency_code=currency) for currency, due in sorted(sums.items())]
        return Unpaid(totals=totals, by_shop=owed_by_shop(rows), nodes=[Order.of(row) for row in rows[:first]], page_info=page_of(rows))

    @strawberry.field
    async def notifications(self, first: int) -> Notices:
        """My inbox."""
        rows = await NoticeRow.filter(member_id=self.key).order_by("-created_at", "-id").limit(first + 1)
        unread = await NoticeRow.filter(member_id=self.key, read_at__isnull=True).count()
        return Notices(unread_count=unread, nodes=[_notice(row) for row in rows[:first]], page_info=page_of(rows))


def _notice(row: NoticeRow) -> Notice:
    words = push_text(NoticeKind(row.kind), row.data, "zh-TW")
    return Notice(
        shop_id=row.shop_id, id=strawberry.ID(str(row.id)), kind=row.kind.value, title=words.title, body=words.body, deep_link=words.deep_link,
        created_at=row.created_at, read_at=row.read_at,
    )  # fmt: skip


@strawberry.type
class Query:
    @strawberry.field
    async def me(self, info: Info) -> Member:
        """Who asks."""
        return Member(key=info.context["member"])


schema = strawberry.Schema(Query)


class Endpoint(GraphQL[dict[str, Any], None]):
    """Strawberry's view with loaders of its own for each request. Who asks is checked by the API's function, as in `hand_written`."""

    def __init__(self, services: bootstrap.Services) -> None:
        super().__init__(schema, graphql_ide=None)
        self._services = services

    async def get_context(self, request: Any, response: Any) -> dict[str, Any]:
        """What resolvers share."""
        viewer = await viewer_of(request.headers, self._services)
        if viewer is None:
            raise Unauthenticated
        return {
            "member": viewer.member_id,
            "request": request,
            "response": response,
            "shops": DataLoader(load_fn=load_shops),
            "lines": DataLoader(load_fn=load_lines),
            "parcels": DataLoader(load_fn=load_parcels),
            "passes": DataLoader(load_fn=load_passes),
        }


def app(read: settings.Settings, dsn: str) -> Starlette:
    """The app; its pool lives with it."""

    services = bootstrap.services(read)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await db.connect(dsn, bootstrap.MODEL_MODULES, size=10, application_name="plusone-bench")
        keys.sign_with(services.vault)
        try:
            yield
        finally:
            await db.close()

    async def ready(_: Request) -> Response:
        return PlainTextResponse("ready")

    return Starlette(routes=[Route("/health/ready", ready), Route("/graphql", Endpoint(services), methods=["POST"])], lifespan=lifespan)


def main() -> int:
    """Serve on PLUSONE_PORT over DATABASE_URL until SIGTERM."""
    made = app(settings.load(), os.environ["DATABASE_URL"])
    with processes.listen("127.0.0.1", int(os.environ["PLUSONE_PORT"]), "PLUSONE_PORT") as listening:

        async def serve() -> None:
            await processes.serve_http(made, listening, processes.stop_on_signals())

        processes.run(serve)
    return 0


if __name__ == "__main__":
    sys.exit(main())
