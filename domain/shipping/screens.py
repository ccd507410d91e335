"""Parcels of a member over all shops, and of a shop's desk. Each is one statement."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from domain import db
from domain.orders.shipments import SHIPMENT_FIELDS, UNDER_WAY, shipment_shape
from domain.paging import Args, Listing, Page, Row, Slice, Wanted, fetch_page
from domain.paging.written import Screen
from domain.shipping.rules import ShipmentState
from domain.shops.rules import Permission
from domain.shops.screens import visible

SHIPMENTS = "shipment sh join shop s on s.id = sh.shop_id"
OF_ORDER = (
    "unnest(array(select x.shipment_id from shipment_line x where x.order_id = {order})) mine(id) join shipment sh on sh.id = mine.id"
)
"""The few parcels of one order, found by it."""


@dataclass(frozen=True, slots=True)
class ShipmentFilter:
    """What a list of parcels is narrowed to; empty fields narrow nothing. `to_settle`: came back, and nothing was decided yet."""

    active: bool | None = None
    shop_ids: Collection[UUID] | None = None
    order_id: UUID | None = None
    state: ShipmentState | None = None
    to_settle: bool = False

    def listing(self, whose: str, args: Args) -> Listing:
        """The list of these. States are written out where a partial index knows them."""
        parts = [whose]
        if self.active is not None:
            parts.append(UNDER_WAY if self.active else f"not ({UNDER_WAY})")
        if self.shop_ids is not None:
            parts.append(f"sh.shop_id = any({args(list(self.shop_ids))}::uuid[])")
        if self.state is not None:
            parts.append(f"sh.state = {args(self.state.value)}")
        if self.to_settle:
            parts.append("sh.state = 'RETURNED' and sh.return_decision is null")
        source, counted = SHIPMENTS, "shipment sh"
        if self.order_id is not None:
            counted = OF_ORDER.format(order=args(self.order_id))
            source = f"{counted} join shop s on s.id = sh.shop_id"
        return Listing(source, " and ".join(parts), at="sh.created_at", id="sh.id", counted=counted)


async def shipments_of_member(member_id: UUID, *, page: Page, wanted: Wanted, narrowed: ShipmentFilter, count: bool = False) -> Slice:
    """A member's parcels over all shops, newest first."""
    args = Args()
    return await fetch_page(shipment_shape(wanted), _of_member(member_id, narrowed, args), page, args, count=count)


def shipments_screen(member_id: UUID, args: Args, *, page: Page, narrowed: ShipmentFilter) -> Screen:
    """The same, written as text."""
    return Screen(SHIPMENT_FIELDS, _of_member(member_id, narrowed, args), page, args, steady=True)


def _of_member(member_id: UUID, narrowed: ShipmentFilter, args: Args) -> Listing:
    return narrowed.listing(f"sh.member_id = {args.member(member_id)}", args)


async def shipments_of_shop(shop_id: UUID, *, page: Page, wanted: Wanted, narrowed: ShipmentFilter, count: bool = False) -> Slice:
    """A shop's parcels, newest first."""
    args = Args(shop_id)
    return await fetch_page(shipment_shape(wanted), narrowed.listing("sh.shop_id = $1", args), page, args, count=count)


async def shipment_of_shop(shop_id: UUID, shipment_id: UUID, *, wanted: Wanted) -> Row | None:
    """One parcel of this shop."""
    parcel = shipment_shape(wanted)
    row = await db.fetchrow(f"select {parcel.select} from {SHIPMENTS} where sh.shop_id = $1 and sh.id = $2", shop_id, shipment_id)
    return None if row is None else parcel.read(row)


async def orders_of_shipment(shop_id: UUID, shipment_id: UUID) -> list[UUID]:
    """The orders of which pieces lie in this parcel of the shop."""
    sql = "select distinct order_id from shipment_line where shop_id = $1 and shipment_id = $2"
    return [row["order_id"] for row in await db.fetch(sql, shop_id, shipment_id)]


async def shipments_by_id(shop_id: UUID, shipment_ids: Collection[UUID], *, wanted: Wanted) -> dict[UUID, Row]:
    """These parcels of this shop."""
    parcel = shipment_shape(wanted)
    sql = f"select {parcel.select} from {SHIPMENTS} where sh.shop_id = $1 and sh.id = any($2::uuid[])"
    return {row[0]: parcel.read(row) for row in await db.fetch(sql, shop_id, list(shipment_ids))}


async def visible_shipments(shipment_ids: Collection[UUID], member_id: UUID, *, wanted: Wanted, language: str) -> dict[UUID, Row]:  # noqa: ARG001
    """Parcels for their buyer, or for staff of the shop who may view orders; for anybody else they do not exist."""
    found = await visible(
        shipment_shape(wanted), SHIPMENTS, key="sh.id", shop="sh.shop_id", owner="sh.member_id", permission=Permission.VIEW_ORDERS,
        ids=shipment_ids, member_id=member_id,
    )  # fmt: skip
    return {seen.key: seen.row for seen in found}
