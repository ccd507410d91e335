"""The data loaders of the ordinary way: models by the keys of many orders at once, a statement or two each."""

from __future__ import annotations

from collections import defaultdict
from uuid import UUID

from domain.orders.models import OrderLine as LineRow
from domain.pickup.models import Pickup as PickupRow
from domain.pickup.models import PickupOrder as PickupOrderRow
from domain.shipping.models import Shipment as ParcelRow
from domain.shipping.models import ShipmentLine as ParcelLineRow


async def load_lines(wanted: list[UUID]) -> list[list[LineRow]]:
    """Lines by order."""
    found: dict[UUID, list[LineRow]] = defaultdict(list)
    for row in await LineRow.filter(order_id__in=wanted).order_by("created_at", "id"):
        found[row.order_id].append(row)
    return [found[key] for key in wanted]


async def load_parcels(wanted: list[UUID]) -> list[list[ParcelRow]]:
    """Parcels by order."""
    lies_in: dict[UUID, set[UUID]] = defaultdict(set)
    for line in await ParcelLineRow.filter(order_id__in=wanted):
        lies_in[line.order_id].add(line.shipment_id)
    rows = await ParcelRow.filter(id__in={key for keys in lies_in.values() for key in keys}).order_by("created_at", "id")
    return [[row for row in rows if row.id in lies_in[key]] for key in wanted]


async def load_passes(wanted: list[UUID]) -> list[PickupRow | None]:
    """The pickup of each order."""
    of = {row.order_id: row.pickup_id for row in await PickupOrderRow.filter(order_id__in=wanted)}
    found = {row.id: row for row in await PickupRow.filter(id__in=set(of.values()))}
    return [found.get(of[key]) if key in of else None for key in wanted]
