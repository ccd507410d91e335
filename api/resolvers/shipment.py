"""Parcels: a buyer's and a shop's lists, and all that staff do with them."""

from __future__ import annotations

import re
from typing import Any, Final
from uuid import UUID

import strawberry

from api.resolvers.base import (
    Asked,
    GraphQLContext,
    Info,
    attach,
    key_of,
    keys_of,
    question,
    selected,
)
from api.resolvers.lists import Listed, desk_list, member_list
from api.resolvers.mutation import InvalidInput, Outcome, describe, effect, mutation, staff_of, text
from api.resolvers.order import staff_view
from api.schema.errors import FALLBACK, FAMILIES, ShipmentUserError, message
from api.schema.member import Buyer
from api.schema.shipment import (
    ShipmentCancelInput,
    ShipmentCancelPayload,
    ShipmentConnection,
    ShipmentCreateInput,
    ShipmentCreatePayload,
    ShipmentFilter,
    ShipmentReturnSettleInput,
    ShipmentReturnSettlePayload,
    ShipmentsImportInput,
    ShipmentsImportPayload,
    ShipmentStoreInput,
    ShipmentUpdateInput,
    ShipmentUpdatePayload,
    ShopShipmentFilter,
)
from api.schema.shop import Shop
from domain.orders import queries
from domain.paging import Args, Row, Slice
from domain.paging.written import Screen
from domain.shipping import commands, importing, screens
from domain.shipping.chosen import Label
from domain.shipping.errors import BadParcel
from domain.shipping.rules import LONGEST_NOTE, MOST_LINES, Pieces, ReturnDecision, Said, Store
from domain.shipping.table import LONGEST, read_table
from domain.shops.rules import Permission
from domain.shops.screens import time_zone_of

NO_ORDER: Final = UUID(int=0)
CODES: Final = frozenset(FAMILIES["ShipmentErrorCode"])


def _narrowed(filter: ShipmentFilter | None) -> screens.ShipmentFilter:
    """The app's filter as the domain's; unknown shops and orders stand for nothing."""
    if filter is None:
        return screens.ShipmentFilter()
    shops = None if filter.shop_ids is None else tuple(sorted(keys_of(filter.shop_ids, "shop")))
    return screens.ShipmentFilter(filter.active, shops, _order(filter.order_id), filter.state)


def _order(value: str | None) -> UUID | None:
    return None if value is None else next(iter(keys_of([value], "order")), NO_ORDER)


def _shipments(context: GraphQLContext, args: Args, *, filter: ShipmentFilter | None = None, **page: Any) -> tuple[Asked, Screen]:
    narrowed = _narrowed(filter)
    found = question(context, "me.shipments", narrowed, **page)
    return found, screens.shipments_screen(context.require_viewer().member_id, args, page=found.page, narrowed=narrowed)


@strawberry.type
class BuyerShipments:
    """Fields of the signed-in buyer."""

    @member_list(ShipmentConnection, "My parcels of all shops, newest first.", screen=_shipments)
    async def shipments(self, listed: Listed, filter: ShipmentFilter | None = None) -> Slice:
        narrowed = _narrowed(filter)
        return await screens.shipments_of_member(listed.owner_id, **listed.page(narrowed), narrowed=narrowed)


@strawberry.type
class ShopShipments:
    """Fields of a shop's desk."""

    @desk_list(ShipmentConnection, Permission.VIEW_ORDERS, "Its parcels, newest first. For staff who may view orders; null for others.")
    async def shipments(self, listed: Listed, filter: ShopShipmentFilter | None = None) -> Slice:
        narrowed = screens.ShipmentFilter()
        if filter is not None:
            narrowed = screens.ShipmentFilter(filter.active, None, _order(filter.order_id), filter.state, filter.to_settle)
        return await screens.shipments_of_shop(listed.owner_id, **listed.page(narrowed), narrowed=narrowed)


attach(Buyer, BuyerShipments)
attach(Shop, ShopShipments)


@strawberry.type
class ShipmentMutations:
    @mutation(
        ShipmentUserError,
        ShipmentCreatePayload,
        "NOT_FOUND PERMISSION_DENIED INVALID_INPUT INVALID_TRANSITION OVER_LIMIT DIFFERENT_BUYERS DELIVERY_DIFFERS TRACKING_NUMBER_USED",
        idempotent=True,
    )
    async def shipment_create(self, info: Info, input: ShipmentCreateInput) -> Row:
        """Pack pieces of paid orders into a parcel. They are kept for it until it leaves (`shipmentUpdate`) or is cancelled."""
        if (input.lines is None) is (input.order_id is None) or (input.lines is not None and not 1 <= len(input.lines) <= MOST_LINES):
            raise InvalidInput("lines")
        order_id = None if input.order_id is None else key_of(input.order_id, "order")
        pieces = None if input.lines is None else [Pieces(key_of(line.line_id, "line"), line.quantity) for line in input.lines]
        kind, key = ("order", order_id) if pieces is None else ("line", pieces[0].order_line_id)
        assert key is not None
        shop_id, actor = await staff_of(info, kind, key, Permission.SHIP)
        name, number = input.carrier_name.strip(), input.tracking_number.strip()
        label = Label(input.carrier, name, number, _store(input.store))

        async def act() -> Row:
            made = await commands.create(
                shop_id=shop_id, pieces=pieces, order_id=order_id, label=label, actor=actor, now=info.context.now()
            )
            return {"shipment": str(made)}

        done = await effect(info, input, act)
        return await _after(info, shop_id, UUID(done["shipment"]))

    @mutation(
        ShipmentUserError,
        ShipmentUpdatePayload,
        "NOT_FOUND PERMISSION_DENIED INVALID_INPUT INVALID_TRANSITION INSUFFICIENT_STOCK DELIVERY_DIFFERS TRACKING_NUMBER_USED",
        idempotent=True,
    )
    async def shipment_update(self, info: Info, input: ShipmentUpdateInput) -> Row:
        """Tell where a parcel is, or change its label. What is older than what is known is kept and moves nothing; its buyer is told of each change."""
        parcel, now = key_of(input.shipment_id, "shipment"), info.context.now()
        shop_id, actor = await staff_of(info, "shipment", parcel, Permission.SHIP)
        labelled = any(
            x is not None for x in (input.carrier, input.carrier_name, input.tracking_number, input.store, input.last_pickup_day)
        )
        if input.state is None and (input.at is not None or input.note or not labelled):
            raise InvalidInput("state")
        said = None if input.state is None else Said(input.state, input.at or now, text(input.note, "note", LONGEST_NOTE))

        async def act() -> Row:
            if labelled:
                await commands.relabel(
                    shop_id=shop_id, shipment_id=parcel, carrier=input.carrier, carrier_name=_stripped(input.carrier_name),
                    tracking_number=_stripped(input.tracking_number), store=_store(input.store), last_pickup_day=input.last_pickup_day, actor=actor,
                    now=now,
                )  # fmt: skip
            if said is not None:
                await commands.hear(
                    shop_id=shop_id,
                    shipment_id=parcel,
                    said=said,
                    freely=input.correction,
                    actor=actor,
                    now=now,
                    jobs=info.context.services.jobs,
                )
            return {}

        await effect(info, input, act)
        return await _after(info, shop_id, parcel)

    @mutation(ShipmentUserError, ShipmentCancelPayload, "NOT_FOUND PERMISSION_DENIED INVALID_TRANSITION", idempotent=True)
    async def shipment_cancel(self, info: Info, input: ShipmentCancelInput) -> Row:
        """Unpack a parcel that the carrier does not have yet; its pieces are its orders' again."""
        parcel = key_of(input.shipment_id, "shipment")
        shop_id, actor = await staff_of(info, "shipment", parcel, Permission.SHIP)

        async def act() -> Row:
            await commands.cancel(shop_id=shop_id, shipment_id=parcel, actor=actor, now=info.context.now(), jobs=info.context.services.jobs)
            return {}

        await effect(info, input, act)
        return await _after(info, shop_id, parcel)

    @mutation(ShipmentUserError, ShipmentReturnSettlePayload, "NOT_FOUND PERMISSION_DENIED INVALID_TRANSITION", idempotent=True)
    async def shipment_return_settle(self, info: Info, input: ShipmentReturnSettleInput) -> Row:
        """Decide, once, what becomes of the pieces of a parcel that came back. Without it they are nowhere in the stock."""
        parcel = key_of(input.shipment_id, "shipment")
        shop_id, actor = await staff_of(info, "shipment", parcel, Permission.SHIP)
        if input.decision is not ReturnDecision.WRITE_OFF:
            await info.context.require(Permission.ADJUST_STOCK, shop_id)

        async def act() -> Row:
            await commands.settle_return(
                shop_id=shop_id,
                shipment_id=parcel,
                decision=input.decision,
                actor=actor,
                now=info.context.now(),
                jobs=info.context.services.jobs,
            )
            return {}

        await effect(info, input, act)
        return await _after(info, shop_id, parcel)

    @mutation(ShipmentUserError, ShipmentsImportPayload, "NOT_FOUND PERMISSION_DENIED INVALID_INPUT BAD_IMPORT", idempotent=True)
    async def shipments_import(self, info: Info, input: ShipmentsImportInput) -> Row:
        """Take a table of parcels, the seller's or a carrier's, row by row: a row that is refused says why and stops no other. It may be sent again."""
        shop_id, now = key_of(input.shop_id, "shop"), info.context.now()
        actor = await info.context.require(Permission.SHIP, shop_id)
        zone = await time_zone_of(shop_id) or "UTC"
        if len(input.csv) > LONGEST:
            raise InvalidInput("csv")

        async def act() -> Row:
            rows = await importing.take_rows(
                read_table(input.csv, time_zone=zone, now=now), shop_id=shop_id, describe=_refusal, actor=actor, now=now,
                jobs=info.context.services.jobs,
            )  # fmt: skip
            return {
                "rows": [
                    {
                        "line": row.line, "order_number": row.order_number, "outcome": row.outcome.value,
                        "shipment": None if row.shipment_id is None else str(row.shipment_id), "refusal": row.refusal,
                    }
                    for row in rows
                ]
            }  # fmt: skip

        done = await effect(info, input, act)
        return {"rows": await _rows(info, shop_id, done["rows"])}


def _store(given: ShipmentStoreInput | None) -> Store | None:
    return None if given is None else Store(given.code.strip(), given.name.strip(), given.address.strip(), given.last_pickup_day)


def _stripped(value: str | None) -> str | None:
    return None if value is None else value.strip()


async def _after(info: Info, shop_id: UUID, parcel: UUID) -> Row:
    """The parcel as it now stands, and its orders where they were asked for. Nothing for staff who may pack and not view orders."""
    view = await staff_view(info, shop_id)
    if not view.may(Permission.VIEW_ORDERS):
        return {}
    found: Row = {"shipment": await screens.shipment_of_shop(shop_id, parcel, wanted=selected(info, "shipment"))}
    if "orders" in selected(info):
        ids = await screens.orders_of_shipment(shop_id, parcel)
        found["orders"] = await queries.orders_by_id(shop_id, ids, wanted=selected(info, "orders"), viewpoint=view)
    return found


def _refusal(error: Any) -> Outcome:
    """A row's refusal as it is kept: the code, the column, and how many pieces there are."""
    known = describe(error)
    column = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", error.field).replace(".", "_").lower() if isinstance(error, BadParcel) else None
    return {"code": known["code"] if known["code"] in CODES else FALLBACK, "field": column, "available": known.get("available_quantity")}


async def _rows(info: Info, shop_id: UUID, rows: list[Row]) -> list[Row]:
    """Rows as they are shown, with the parcels as they now stand."""
    ids = [UUID(row["shipment"]) for row in rows if row["shipment"]]
    parcels: dict[UUID, Row] = {}
    if "shipment" in selected(info, "rows") and (await staff_view(info, shop_id)).may(Permission.VIEW_ORDERS):
        parcels = await screens.shipments_by_id(shop_id, ids, wanted=selected(info, "rows", "shipment"))
    language, shown = info.context.language, list[Row]()
    for row in rows:
        refusal = row["refusal"] or {}
        code = refusal.get("code")
        shown.append(
            {
                "line": row["line"], "order_number": row["order_number"], "outcome": row["outcome"], "code": code, "field": refusal.get("field"),
                "shipment": parcels.get(UUID(row["shipment"])) if row["shipment"] else None,
                "message": message(code, language) if code else None, "available_quantity": refusal.get("available"),
            }
        )  # fmt: skip
    return shown
