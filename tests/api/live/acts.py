"""What happens in a shop while somebody watches."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import httpx

from domain import db as database
from domain.audit.commands import Actor
from domain.notices.commands import NoticeDraft, enqueue
from domain.notices.rules import NoticeKind
from domain.payments.commands import mark_paid
from domain.payments.rules import PaymentMethod
from domain.providers.pgqueuer_jobs import PgQueuerJobs
from tests import build
from tests.api.live.wire import PATIENCE

JOBS = PgQueuerJobs()
CLERK = Actor("member:x", "OWNER")

ORDERS = "subscription ($since: String) { myOrders(since: $since) { kind orderId resumeFrom order { number version state } } }"
NOTICES = "subscription ($since: String) { myNotifications(since: $since) { id kind title resumeFrom } }"
POST = """subscription ($id: ID!) { salesPostUpdated(id: $id) { at post { id state closesAt items { availability variants { id availability } } } } }"""
PASS = "subscription ($id: ID!) { pickupPassUsed(id: $id) { pickup { id state } lastHandOver { id left lines { quantity } } } }"
HOME = "{ me { liveCursor orders { nodes { id version } } notifications { nodes { id resumeFrom } } } }"


async def ask(base: str, token: str | None, query: str, variables: dict[str, Any] | None = None) -> Any:
    """The data of an answer over HTTP."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    async with httpx.AsyncClient(base_url=base, trust_env=False, timeout=PATIENCE) as http:
        body = (await http.post("/graphql", json={"query": query, "variables": variables or {}}, headers=headers)).json()
    assert "errors" not in body, body
    return body["data"]


async def cursor(base: str, token: str) -> str:
    """Where the member's streams are now."""
    found: str = (await ask(base, token, "{ me { liveCursor } }"))["me"]["liveCursor"]
    return found


async def pay(order: build.AnOrder) -> None:
    await mark_paid(
        order_id=order.id, shop_id=order.shop_id, method=PaymentMethod.CASH, reference="櫃台", amount_minor=None, expected_version=None,
        actor=CLERK, by_member_id=UUID(int=7), now=build.NOW, jobs=JOBS,
    )  # fmt: skip


async def touch(order: build.AnOrder, times: int = 1) -> None:
    """The order changes, and nothing of it that anybody sees but its version."""
    for _ in range(times):
        await database.execute('update "order" set version = version + 1 where id = $1', order.id)


async def announce(buyer: build.ABuyer, key: str) -> None:
    async with database.transaction() as tx:
        draft = NoticeDraft(buyer.id, NoticeKind.ANNOUNCEMENT, key, {"shopName": "小鹿團購", "title": key, "body": "b"})
        await enqueue(tx, buyer.shop_id, [draft], now=build.NOW, jobs=JOBS)


async def until(question: Callable[[], Awaitable[Any]]) -> Any:
    """The first answer that is true."""
    async with asyncio.timeout(PATIENCE):
        while True:
            if found := await question():
                return found
            await asyncio.sleep(0.01)


async def ears() -> list[int]:
    """Backends that listen for us on this database."""
    rows = await database.fetch(
        """select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
           and (query ilike 'listen%plusone_live%' or (application_name = '' and query = 'select 1'))"""
    )
    return [row["pid"] for row in rows]
