"""Orders that are sent, and their parcels, for tests."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from domain.audit.commands import Actor
from domain.orders.rules import FulfilmentState, PaymentState
from domain.posts.rules import DeliveryMethod
from domain.shipping.commands import Parcel
from domain.shipping.commands import ship as send
from tests import build

PACKER = Actor("member:packer", "OWNER")
PARCEL = Parcel("黑貓宅急便", "8842-1190")


async def an_order_to_send(shop: build.AShop, lines: Any = None, *, buyer: build.ABuyer | None = None, **given: Any) -> build.AnOrder:
    """A paid order of goods that lie on the shelf and are sent."""
    wanted = lines if lines is not None else {await build.a_variant(shop, on_hand=10): 2}
    usual = {"payment": PaymentState.PAID, "fulfilment": FulfilmentState.UNFULFILLED, "method": DeliveryMethod.SHIP}
    return await build.an_order(shop, wanted, buyer=buyer, **{**usual, **given})


async def ship(order: build.AnOrder, parcel: Parcel = PARCEL, *, jobs: Any, now: Any = build.NOW) -> UUID:
    """Send it; answers the shipment's id."""
    return await send(order_id=order.id, shop_id=order.shop_id, parcel=parcel, expected_version=None, actor=PACKER, now=now, jobs=jobs)
