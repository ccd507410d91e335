"""A member's parcels over all shops: where each is, and by when it must be fetched. Each is one statement."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from domain.orders.shapes import Viewpoint, as_seen, shipment_shape
from domain.orders.written import SHIPMENT_FIELDS
from domain.paging import Args, Listing, Page, Row, Slice, Wanted, fetch_page
from domain.paging.written import Screen
from domain.shipping.rules import ACTIVE, ShipmentState
from domain.shops.rules import Permission
from domain.shops.screens import visible

SHIPMENTS = 'shipment h join "order" o on o.id = h.order_id join shop s on s.id = h.shop_id'
ON_THE_WAY = "h.state in ('" + "','".join(sorted(ACTIVE)) + "')"


@dataclass(frozen=True, slots=True)
class ShipmentFilter:
    """What a list of parcels is narrowed to; empty fields narrow nothing."""

    active: bool | None = None
    """On their way or to be fetched, or only the others."""
    state: ShipmentState | None = None
    shop_ids: Collection[UUID] | None = None

    def where(self, args: Args) -> str:
        """SQL, starting with ` and` when it says anything."""
        parts = [
            "" if self.active is None else ON_THE_WAY if self.active else f"not {ON_THE_WAY}",
            f"h.state = {args(self.state.value)}" if self.state is not None else "",
            f"h.shop_id = any({args(list(self.shop_ids))}::uuid[])" if self.shop_ids is not None else "",
        ]
        return "".join(f" and {part}" for part in parts if part)


async def shipments_of_member(
    member_id: UUID, *, page: Page, wanted: Wanted, viewpoint: Viewpoint, narrowed: ShipmentFilter, count: bool = False
) -> Slice:
    """A member's parcels, newest first."""
    args = Args()
    listing = _of_member(member_id, narrowed, args)
    return await fetch_page(shipment_shape(wanted, viewpoint), listing, page, args, count=count)


def shipments_screen(member_id: UUID, args: Args, *, page: Page, narrowed: ShipmentFilter) -> Screen:
    """The same, written as text."""
    return Screen(SHIPMENT_FIELDS, _of_member(member_id, narrowed, args), page, args)


def _of_member(member_id: UUID, narrowed: ShipmentFilter, args: Args) -> Listing:
    where = f"h.member_id = {args(member_id)}" + narrowed.where(args)
    return Listing(SHIPMENTS, where, at="h.created_at", id="h.id", counted="shipment h")


async def visible_shipments(shipment_ids: Collection[UUID], member_id: UUID, *, wanted: Wanted, language: str) -> dict[UUID, Row]:
    """Parcels for their buyer, or for staff of the shop who may view orders; for anybody else they do not exist."""
    found = await visible(
        shipment_shape(wanted, Viewpoint(language)), SHIPMENTS, key="h.id", shop="h.shop_id", owner="h.member_id",
        permission=Permission.VIEW_ORDERS, ids=shipment_ids, member_id=member_id,
    )  # fmt: skip
    return {seen.key: as_seen(seen, language) for seen in found}
