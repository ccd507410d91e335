"""Transfers as buyers report them, for tests."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from domain import db as database
from domain.audit.commands import Actor
from domain.bootstrap import Services
from domain.ids import new_id
from domain.payments import slips, transfers
from domain.payments.pictures import Picture
from domain.payments.transfers import Transfer
from domain.providers.pgqueuer_jobs import PgQueuerJobs
from tests.build import NOW, AnOrder, AShop, AVariant, a_buyer, a_member, a_variant, an_order
from tests.domain.payments.pictures import a_picture

JOBS = PgQueuerJobs()
OWNER_ID = UUID(int=1)
OWNER = Actor(f"member:{OWNER_ID}", "OWNER")


async def owned_order(shop: AShop, variant: AVariant | None = None, pieces: int = 1, **how: Any) -> tuple[UUID, AnOrder]:
    """A member and an order of theirs."""
    member = await a_member()
    buyer = await a_buyer(shop, member_id=member)
    return member, await an_order(shop, {variant or await a_variant(shop): pieces}, buyer=buyer, **how)


async def reported(
    member: UUID, order: AnOrder, *, five: str = "01234", amount: int | None = None, slip: UUID | None = None, now: datetime = NOW
) -> UUID:
    """The buyer reports what is due, a minute after sending it."""
    said = Transfer(five, now - timedelta(minutes=1), order.total_minor if amount is None else amount, slip)
    return await transfers.report(order_id=order.id, member_id=member, transfer=said, now=now)


async def confirmed(report: UUID, shop: AShop, *, amount: int | None = None, now: datetime = NOW) -> UUID:
    return await transfers.confirm(
        report_id=report, shop_id=shop.id, amount_minor=amount, actor=OWNER, by_member_id=OWNER_ID, now=now, jobs=JOBS
    )


async def refused(report: UUID, shop: AShop, *, reason: str = "", now: datetime = NOW) -> UUID:
    return await transfers.refuse(report_id=report, shop_id=shop.id, reason=reason, actor=OWNER, by_member_id=OWNER_ID, now=now, jobs=JOBS)


async def a_slip(services: Services | None, member: UUID, order: AnOrder, *, data: bytes = b"", now: datetime = NOW) -> UUID:
    """A picture of this order, kept without being drawn."""
    ticket = slips.Ticket(new_id(), member, order.id, now + timedelta(minutes=10))

    async def as_it_is(content: bytes) -> Picture:
        return Picture(content, 320, 200)

    return await slips.keep(ticket, data or a_picture(), now=now, draw=as_it_is)


async def stands(order: AnOrder) -> tuple[str, str, datetime | None]:
    """(state, payment, deadline) of an order."""
    row = await database.fetchrow('select state, payment_state, pay_by from "order" where id = $1', order.id)
    assert row is not None
    return row["state"], row["payment_state"], row["pay_by"]


async def reports(order: AnOrder) -> list[str]:
    """States of an order's reports, the oldest first."""
    rows = await database.fetch("select state from transfer_report where order_id = $1 order by reported_at, id", order.id)
    return [row["state"] for row in rows]
