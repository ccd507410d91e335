"""Disputes as the buyer and the shop see them; each list is one statement. Alias `d`; of its order `o`, of the shop `s`."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from domain import db
from domain.disputes.rules import MOST_MESSAGES, DisputeState
from domain.ids import public_id
from domain.orders.shapes import Viewpoint, as_seen, order_shape
from domain.paging import Args, Listing, Page, Row, Shape, Slice, Wanted, fetch_page, shape
from domain.paging.shape import Read
from domain.shops.rules import Permission
from domain.shops.screens import visible

DISPUTES: Final = 'dispute d join "order" o on o.id = d.order_id join shop s on s.id = d.shop_id'
OF_BUYER: Final = f"buyer b join {DISPUTES.replace('dispute d', 'dispute d on d.buyer_id = b.id', 1)}"
"""A member is few buyers and has many orders."""
COLUMNS: Final = ("d.id", "d.reason", "d.state", "d.opened_at", "d.written_at", "d.closed_at", "d.closed_by")
MESSAGES: Final = f"""array(select row(m.id, m.side, m.text, m.at) from dispute_message m where m.dispute_id = d.id
    order by m.at, m.id limit {MOST_MESSAGES})"""


def _dispute(row: Any) -> Row:
    return {
        "id": public_id("dispute", row[0]),
        "reason": row[1],
        "state": row[2],
        "opened_at": row[3],
        "written_at": row[4],
        "closed_at": row[5],
        "closed_by": row[6],
    }


def _messages(rows: Any) -> list[Row]:
    return [{"id": public_id("message", key), "side": side, "text": text, "at": at} for key, side, text, at in rows]


@lru_cache(maxsize=64)
def dispute_shape(wanted: Wanted, viewpoint: Viewpoint) -> Shape:
    """A dispute; aliases of DISPUTES. Branches: order, messages."""
    branches: list[tuple[str, str, Read]] = []
    if "order" in wanted:
        order = order_shape(wanted["order"], viewpoint)
        branches.append(("order", order.row, order.read))
    if "messages" in wanted:
        branches.append(("messages", MESSAGES, _messages))
    return shape(COLUMNS, _dispute, branches)


async def disputes_of_buyer(
    member_id: UUID, *, page: Page, wanted: Wanted, viewpoint: Viewpoint, state: DisputeState | None = None, count: bool = False
) -> Slice:
    """A member's disputes at all shops, the last written first."""
    args = Args(member_id)
    where = "b.member_id = $1" + (f" and d.state = {args(state.value)}" if state else "")
    listing = Listing(OF_BUYER, where, at="d.written_at", id="d.id")
    return await fetch_page(dispute_shape(wanted, viewpoint), listing, page, args, count=count)


async def disputes_of_shop(
    shop_id: UUID, *, page: Page, wanted: Wanted, viewpoint: Viewpoint, state: DisputeState | None = None, count: bool = False
) -> Slice:
    """A shop's disputes, the last written first."""
    args = Args(shop_id)
    where = "d.shop_id = $1" + (f" and d.state = {args(state.value)}" if state else "")
    listing = Listing(DISPUTES, where, at="d.written_at", id="d.id", counted="dispute d")
    return await fetch_page(dispute_shape(wanted, viewpoint), listing, page, args, count=count)


async def visible_disputes(ids: Collection[UUID], member_id: UUID, *, wanted: Wanted, language: str) -> dict[UUID, Row]:
    """Disputes for their buyer, or for staff of the shop who may answer buyers and view orders; for anybody else they do not exist."""
    found = await visible(
        dispute_shape(wanted, Viewpoint(language)), DISPUTES, key="d.id", shop="d.shop_id", owner="o.member_id",
        permission=Permission.ANSWER_BUYERS, ids=ids, member_id=member_id,
    )  # fmt: skip
    return {seen.key: as_seen(seen, language) for seen in found if seen.is_buyer or Permission.VIEW_ORDERS in seen.granted}


async def is_buyer(dispute_id: UUID, member_id: UUID) -> bool:
    """True when the dispute is about an order of this member."""
    sql = 'select true from dispute d join "order" o on o.id = d.order_id where d.id = $1 and o.member_id = $2'
    return await db.fetchval(sql, dispute_id, member_id) is True
