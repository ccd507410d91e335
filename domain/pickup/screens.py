"""A member's pickups: what waits at which shop. Each is one statement."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from domain import db
from domain.orders.shapes import Viewpoint, as_seen, pickup_shape
from domain.orders.written import PICKUP_FIELDS
from domain.paging import Args, Listing, Page, Row, Slice, Wanted, fetch_page
from domain.paging.written import Screen
from domain.pickup.rules import PickupState
from domain.shops.rules import Permission
from domain.shops.screens import visible

PICKUPS = "pickup k join shop s on s.id = k.shop_id"


async def pickups_of_member(
    member_id: UUID, *, page: Page, wanted: Wanted, viewpoint: Viewpoint, state: PickupState | None = None, count: bool = False
) -> Slice:
    """A member's pickups over all shops, newest first."""
    args = Args()
    listing = _of_member(member_id, state, args)
    return await fetch_page(pickup_shape(wanted, viewpoint), listing, page, args, count=count)


def pickups_screen(member_id: UUID, args: Args, *, page: Page, state: PickupState | None) -> Screen:
    """The same, written as text."""
    return Screen(PICKUP_FIELDS, _of_member(member_id, state, args), page, args, steady=True)


def _of_member(member_id: UUID, state: PickupState | None, args: Args) -> Listing:
    where = f"k.member_id = {args.member(member_id)}"
    if state is not None:  # OPEN is written out, so that its partial index serves
        where += " and k.state = " + ("'OPEN'" if state is PickupState.OPEN else args(state.value))
    return Listing(PICKUPS, where, at="k.created_at", id="k.id", counted="pickup k")


async def visible_pickups(pickup_ids: Collection[UUID], member_id: UUID, *, wanted: Wanted, language: str) -> dict[UUID, Row]:
    """Pickups for their buyer, or for staff of the shop who may view orders; for anybody else they do not exist."""
    found = await visible(
        pickup_shape(wanted, Viewpoint(language)), PICKUPS, key="k.id", shop="k.shop_id", owner="k.member_id",
        permission=Permission.VIEW_ORDERS, ids=pickup_ids, member_id=member_id,
    )  # fmt: skip
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
