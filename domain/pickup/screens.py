"""A member's pickups: what waits at which shop. Each is one statement."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import Any
from uuid import UUID

from domain import db
from domain.ids import public_id
from domain.orders.shapes import Viewpoint, as_seen, order_shape
from domain.orders.written import ORDER_FIELDS
from domain.paging import SHOP, Args, Listing, Page, Row, Shape, Slice, Wanted, fetch_page, shape
from domain.paging.shape import Read
from domain.paging.written import SHOP_FIELDS, Fields, Rows, Screen, Within, instant, public, word
from domain.pickup.rules import PickupState
from domain.shops.rules import Permission
from domain.shops.screens import visible

PICKUPS = "pickup k join shop s on s.id = k.shop_id"
ORDERS_OF_PICKUP = """select {row} from pickup_order po join "order" o on o.id = po.order_id join shop s on s.id = o.shop_id
    where po.pickup_id = k.id order by o.created_at, o.id limit 100"""
PICKUP_FIELDS = Fields(
    {
        "id": public("pickup", "k.id"), "state": word("k.state"), "code_expires_at": instant("k.not_after", nullable=True),
        "created_at": instant("k.created_at"), "shop": Within(SHOP_FIELDS), "orders": Rows(ORDER_FIELDS, ORDERS_OF_PICKUP),
    }
)  # fmt: skip
"""A pickup as text; aliases `k` and `s`."""

PICKUP = ("k.id", "k.state", "k.not_after", "k.created_at", "k.issue_number", "k.lent_issue", "k.lent_to", "k.lent_at", "k.lent_used_at")


def _pickup(row: Any) -> Row:
    return {
        "id": public_id("pickup", row[0]),
        "state": row[1],
        "code_expires_at": row[2],
        "created_at": row[3],
        "loan": None if row[5] is None else _loan(row),
    }


def _loan(row: Any) -> Row:
    """`is_active`: nobody has used it, and it is neither revoked nor replaced."""
    return {"to": row[6], "lent_at": row[7], "used_at": row[8], "is_active": row[4] == row[5] and row[8] is None and row[2] is not None}


@lru_cache(maxsize=128)
def _pickup_shape(wanted: Wanted, viewpoint: Viewpoint) -> Shape:
    """A pickup; aliases `k` and `s`. Branches: shop, orders."""
    branches: list[tuple[str, str, Read]] = [("shop", SHOP.row, SHOP.read)] if "shop" in wanted else []
    if "orders" in wanted:
        order = order_shape(wanted["orders"], viewpoint)
        branches.append(("orders", f"array({ORDERS_OF_PICKUP.format(row=order.row)})", order.read_all))
    return shape(PICKUP, _pickup, branches)


async def pickups_of_member(
    member_id: UUID, *, page: Page, wanted: Wanted, viewpoint: Viewpoint, state: PickupState | None = None, count: bool = False
) -> Slice:
    """A member's pickups over all shops, newest first."""
    args = Args()
    listing = _of_member(member_id, state, args)
    return await fetch_page(_pickup_shape(wanted, viewpoint), listing, page, args, count=count)


def pickups_screen(member_id: UUID, args: Args, *, page: Page, state: PickupState | None) -> Screen:
    """The same, written as text."""
    return Screen(PICKUP_FIELDS, _of_member(member_id, state, args), page, args)


def _of_member(member_id: UUID, state: PickupState | None, args: Args) -> Listing:
    where = f"k.member_id = {args(member_id)}"
    if state is not None:  # OPEN is written out, so that its partial index serves
        where += " and k.state = " + ("'OPEN'" if state is PickupState.OPEN else args(state.value))
    return Listing(PICKUPS, where, at="k.created_at", id="k.id", counted="pickup k")


async def visible_pickups(pickup_ids: Collection[UUID], member_id: UUID, *, wanted: Wanted, language: str) -> dict[UUID, Row]:
    """Pickups for their buyer, or for staff of the shop who may view orders; for anybody else they do not exist."""
    found = await visible(
        _pickup_shape(wanted, Viewpoint(language)), PICKUPS, key="k.id", shop="k.shop_id", owner="k.member_id",
        permission=Permission.VIEW_ORDERS, ids=pickup_ids, member_id=member_id,
    )  # fmt: skip
    for seen in found:
        if not seen.is_buyer and seen.row["loan"] is not None:
            seen.row["loan"]["to"] = None  # the buyer's own words
    return {seen.key: as_seen(seen, language) for seen in found}


async def last_hand_over(pickup_id: UUID) -> Row | None:
    """The newest hand-over of a pass: its id, instant, lines, and the pieces still to collect; None while there is none. One statement."""
    row = await db.fetchrow(
        """select h.id, h.at, p.state,
             array(select row(l.order_line_id, l.quantity) from hand_over_line l where l.hand_over_id = h.id order by l.id) as lines,
             (select coalesce(sum(l.quantity - l.handed_over - l.packed - l.shipped), 0)::int from pickup_order po
              join "order" o on o.id = po.order_id and o.state in ('OPEN','LOCKED') join order_line l on l.order_id = o.id
              where po.pickup_id = p.id) as left_pieces
           from hand_over h join pickup p on p.id = h.pickup_id where h.pickup_id = $1 order by h.at desc, h.id desc limit 1""",
        pickup_id,
    )
    return None if row is None else dict(row)
