"""What the screens cost without GraphQL: Starlette endpoints written by hand for these screens alone, with nothing to spare.

`/json/<screen>` is one statement whose answer PostgreSQL writes as JSON; `/rows/<screen>` is one statement with row arrays, written by orjson.
Who asks is checked as the API does it, by the same function: the access token's signature (kept once proven), its times, its session (read at most
every 30 s). Nothing is limited, counted or logged. `python -m benchmarks.hand_written`.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from api.auth.bearer import viewer_of
from api.auth.viewer import Unauthenticated
from api.notifications.messages import push_text
from benchmarks import hand_written_sql as sql
from domain import bootstrap, db, settings
from domain.members import keys
from plusone import processes

CONNECTIONS: Final = 10
SERVER: Final[Mapping[str, str]] = {"timezone": "UTC", "jit": "off", "application_name": "plusone-bench"}
JSON: Final = "application/json"
PAGE: Final = 20

Pool = Any
Answer = Callable[[Pool, UUID], Awaitable[Any]]


def _amount(minor: int, currency: str) -> dict[str, Any]:
    return {"amount": minor, "currencyCode": currency}


def _page(rows: list[Any], last: str) -> dict[str, Any]:
    """`rows` may hold one more than the page."""
    kept = rows[:PAGE]
    return {"hasNextPage": len(rows) > PAGE, "hasPreviousPage": False, "endCursor": str(kept[-1][last]) if kept else None}


async def home(pool: Pool, member: UUID) -> Any:
    """The newest twenty orders with their lines, and the open passes."""
    rows = await pool.fetch(sql.HOME_ROWS, member)
    orders = [row for row in rows if row["id"] is not None]
    passes = rows[0]["passes"]
    return {
        "orders": {"nodes": [_order(row) for row in orders[:PAGE]], "pageInfo": _page(orders, "id")},
        "pickups": {
            "nodes": [
                {"id": k[0], "state": k[1], "codeExpiresAt": k[2], "shop": {"id": k[3], "name": k[4], "pickupPlace": k[5]}} for k in passes
            ]
        },
    }


def _order(row: Any) -> dict[str, Any]:
    currency = row["currency"]
    return {
        "id": row["id"],
        "number": row["number"],
        "createdAt": row["created_at"],
        "state": row["state"],
        "paymentState": row["payment_state"],
        "fulfilmentState": row["fulfilment_state"],
        "deliveryMethod": row["delivery_method"],
        "payBy": row["pay_by"],
        "shipments": [{"id": h[0], "state": h[1], "carrier": h[2], "trackingNumber": h[3], "lastPickupDay": h[4]} for h in row["parcels"]],
        "pickup": None if row["pass"] is None else {"id": row["pass"][0], "state": row["pass"][1], "codeExpiresAt": row["pass"][2]},
        "shop": {"id": row["shop_id"], "name": row["shop_name"], "currency": row["shop_currency"], "pickupPlace": row["pickup_place"]},
        "total": _amount(row["total_minor"], currency),
        "amountDue": _amount(max(row["total_minor"] - row["paid_minor"], 0), currency),
        "lines": {
            "totalCount": len(row["lines"]),
            "nodes": [
                {
                    "id": line[0],
                    "title": line[1],
                    "variantLabel": line[2],
                    "quantity": line[3],
                    "handedOver": line[4],
                    "unitPrice": _amount(line[5], currency),
                }
                for line in row["lines"][:5]
            ],
        },
    }


async def unpaid(pool: Pool, member: UUID) -> Any:
    """What is owed: per currency, per shop, and the orders with the nearest deadlines."""
    rows = await pool.fetch(sql.UNPAID_ROWS, member)
    orders = [row for row in rows if row["id"] is not None]
    first = rows[0]
    return {
        "unpaid": {
            "totals": [_amount(due, currency) for currency, due in first["totals"]],
            "byShop": [
                {"shop": {"id": s[4], "name": s[5]}, "amountDue": _amount(s[0], s[3]), "orderCount": s[1], "payBy": s[2]}
                for s in first["by_shop"]
            ],
            "nodes": [
                {
                    "id": row["id"],
                    "number": row["number"],
                    "payBy": row["pay_by"],
                    "amountDue": _amount(max(row["total_minor"] - row["paid_minor"], 0), row["currency"]),
                    "shop": {"id": row["shop_id"], "name": row["shop_name"]},
                }
                for row in orders[:PAGE]
            ],
            "pageInfo": _page(orders, "id"),
        }
    }


async def notices(pool: Pool, member: UUID) -> Any:
    """The newest twenty notices in words, and how many are unread."""
    rows = await pool.fetch(sql.NOTICES_ROWS, member)
    found = [row for row in rows if row["id"] is not None]
    nodes = []
    for row in found[:PAGE]:
        words = push_text(row["kind"], orjson.loads(row["data"]), "zh-TW")
        nodes.append(
            {
                "id": row["id"],
                "kind": row["kind"],
                "title": words.title,
                "body": words.body,
                "deepLink": words.deep_link,
                "createdAt": row["created_at"],
                "readAt": row["read_at"],
                "shop": {"id": row["shop_id"], "name": row["shop_name"]},
            }
        )
    return {"notifications": {"unreadCount": rows[0]["unread"], "nodes": nodes, "pageInfo": _page(found, "id")}}


SCREENS: Final[Mapping[str, tuple[str, Answer]]] = {
    "home": (sql.HOME_JSON, home), "unpaid": (sql.UNPAID_JSON, unpaid), "notices": (sql.NOTICES_JSON, notices)
}  # fmt: skip


class App:
    """The endpoints over one pool."""

    def __init__(self, read: settings.Settings, dsn: str) -> None:
        self._settings = read
        self._services = bootstrap.services(read)
        self._dsn = dsn
        self._pool: Pool = None

    def starlette(self) -> Starlette:
        """The app; its pool lives with it."""
        routes = [Route("/health/ready", self._ready)]
        for name, (statement, answer) in SCREENS.items():
            routes += [Route(f"/json/{name}", self._by_postgresql(statement)), Route(f"/rows/{name}", self._by_orjson(answer))]
        return Starlette(routes=routes, lifespan=self._lifespan)

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        await bootstrap.connect(self._settings, self._dsn, application_name="plusone-bench")  # for keys and sessions
        keys.sign_with(self._services.vault)
        async with asyncpg.create_pool(
            **db.credentials(self._dsn), min_size=CONNECTIONS, max_size=CONNECTIONS, reset=_keep, server_settings=dict(SERVER)
        ) as self._pool:
            self._turn = asyncio.Semaphore(CONNECTIONS)
            yield
        await db.close()

    async def _ready(self, _: Request) -> Response:
        return PlainTextResponse("ready")

    async def _member(self, request: Request) -> UUID:
        viewer = await viewer_of(request.headers, self._services)
        if viewer is None:
            raise Unauthenticated
        return viewer.member_id

    def _by_postgresql(self, statement: str) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            member_id = await self._member(request)
            async with self._turn:
                text = await self._pool.fetchval(statement, member_id)
            return Response(text, media_type=JSON)

        return answer

    def _by_orjson(self, screen: Answer) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            member_id = await self._member(request)
            async with self._turn:
                found = await screen(self._pool, member_id)
            return Response(orjson.dumps(found, default=str), media_type=JSON)  # asyncpg has a UUID of its own

        return answer


async def _keep(_: asyncpg.Connection[Any]) -> None:
    """As the program's own pool does: nothing to reset."""


def main() -> int:
    """Serve on PLUSONE_PORT over DATABASE_URL until SIGTERM."""
    app = App(settings.load(), os.environ["DATABASE_URL"]).starlette()
    with processes.listen("127.0.0.1", int(os.environ["PLUSONE_PORT"]), "PLUSONE_PORT") as listening:

        async def serve() -> None:
            await processes.serve_http(app, listening, processes.stop_on_signals())

        processes.run(serve)
    return 0


if __name__ == "__main__":
    sys.exit(main())
