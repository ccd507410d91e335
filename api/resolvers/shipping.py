"""Parcels: the buyer's list; sent and followed by staff."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import strawberry

from api.resolvers.base import Asked, GraphQLContext, Info, asked, attach, connection, counts, field, key_of, keys_of, question, selected
from api.resolvers.mutation import InvalidInput, effect, mutation, staff_of, text
from api.resolvers.order import staff_view
from api.schema.errors import ShipmentUserError
from api.schema.member import Buyer
from api.schema.shipping import (
    ShipmentConnection,
    ShipmentCreateInput,
    ShipmentCreatePayload,
    ShipmentFilter,
    ShipmentUpdateInput,
    ShipmentUpdatePayload,
)
from domain.orders.queries import order_of_shop
from domain.orders.shapes import Viewpoint
from domain.paging import Args, Row
from domain.paging.written import Screen
from domain.shipping import commands, screens
from domain.shipping.rules import LONGEST_ADDRESS, LONGEST_NAME, LONGEST_PLACE, ShipmentState
from domain.shops.rules import Permission

MOST_LINES = 100


def _narrowed(filter: ShipmentFilter | None) -> screens.ShipmentFilter:
    if filter is None:
        return screens.ShipmentFilter()
    shops = None if filter.shop_ids is None else tuple(sorted(keys_of(filter.shop_ids, "shop")))
    return screens.ShipmentFilter(filter.active, filter.state, shops)


def _shipments(context: GraphQLContext, args: Args, *, filter: ShipmentFilter | None = None, **page: Any) -> tuple[Asked, Screen]:
    narrowed = _narrowed(filter)
    found = question(context, "me.shipments", narrowed, **page)
    return found, screens.shipments_screen(context.require_viewer().member_id, args, page=found.page, narrowed=narrowed)


@strawberry.type
class BuyerShipments:
    """Fields of the signed-in buyer."""

    @field(ShipmentConnection, description="My parcels from all shops, newest first.", screen=_shipments)
    async def shipments(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        filter: ShipmentFilter | None = None,
    ) -> Row:
        viewer, narrowed, wanted = info.context.require_viewer(), _narrowed(filter), selected(info)
        question = asked(info, "me.shipments", narrowed, first=first, after=after, last=last, before=before)
        part = await screens.shipments_of_member(
            viewer.member_id, page=question.page, wanted=wanted["nodes"], viewpoint=Viewpoint(info.context.language), narrowed=narrowed,
            count=counts(wanted),
        )  # fmt: skip
        return connection(info, question, part, wanted)


attach(Buyer, BuyerShipments)


@strawberry.type
class ShipmentMutations:
    @mutation(ShipmentUserError, ShipmentCreatePayload, idempotent=True)
    async def shipment_create(self, info: Info, input: ShipmentCreateInput) -> Row:
        """Send goods of a paid order: they leave the shelf, and the buyer is told the carrier and the tracking number."""
        order_id = key_of(input.order_id, "order")
        shop_id, actor = await staff_of(info, "order", order_id, Permission.SHIP)
        store = commands.Store(
            text(input.store_code, "storeCode", 20), text(input.store_name, "storeName", LONGEST_PLACE),
            text(input.store_address, "storeAddress", LONGEST_ADDRESS),
        )  # fmt: skip
        carrier, number = (
            text(input.carrier, "carrier", LONGEST_NAME, shortest=1),
            text(input.tracking_number, "trackingNumber", LONGEST_NAME),
        )
        lines = None if input.lines is None else {key_of(line.line_id, "line"): line.quantity for line in input.lines[: MOST_LINES + 1]}
        if lines is not None and (len(lines) > MOST_LINES or len(lines) != len(input.lines or ())):
            raise InvalidInput("lines")

        async def act() -> Row:
            shipment_id = await commands.ship(
                order_id=order_id, shop_id=shop_id, parcel=commands.Parcel(carrier, number, store, lines),
                expected_version=input.expected_version, actor=actor, now=info.context.now(), jobs=info.context.services.jobs,
            )  # fmt: skip
            return {"shipment": str(shipment_id)}

        done = await effect(info, input, act)
        found: Row = {"shipment": await _shipment(info, UUID(done["shipment"]))}
        if "order" in selected(info):
            view = await staff_view(info, shop_id)
            found["order"] = await order_of_shop(shop_id, order_id, wanted=selected(info, "order"), viewpoint=view)
        return found

    @mutation(ShipmentUserError, ShipmentUpdatePayload, idempotent=True)
    async def shipment_update(self, info: Info, input: ShipmentUpdateInput) -> Row:
        """Tell where a parcel now is. Its buyer is told once of each state; delivered, its order is complete."""
        shipment_id, now = key_of(input.shipment_id, "shipment"), info.context.now()
        shop_id, actor = await staff_of(info, "shipment", shipment_id, Permission.SHIP)
        place, note = text(input.place, "place", LONGEST_PLACE), text(input.note, "note", 200)
        if input.at is not None and input.at > now:
            raise InvalidInput("at")
        if input.last_pickup_day is not None and input.state is not ShipmentState.ARRIVED_AT_STORE:
            raise InvalidInput("lastPickupDay")

        async def act() -> Row:
            step = commands.Step(input.state, input.at or now, place, note, input.last_pickup_day)
            await commands.follow(
                shipment_id=shipment_id, shop_id=shop_id, step=step, actor=actor, now=now, jobs=info.context.services.jobs
            )
            return {}

        await effect(info, input, act)
        return {"shipment": await _shipment(info, shipment_id)}


async def _shipment(info: Info, shipment_id: UUID) -> Row | None:
    """The parcel, for staff."""
    member_id = info.context.require_viewer().member_id
    wanted = selected(info, "shipment")
    found = await screens.visible_shipments([shipment_id], member_id, wanted=wanted, language=info.context.language)
    return found.get(shipment_id)
