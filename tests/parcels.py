"""A packing table for tests: paid orders, parcels of them, and what is said about those."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from domain import db as database
from domain.audit.commands import Actor
from domain.db import Record
from domain.orders.carriers import Carrier
from domain.orders.rules import PaymentState
from domain.posts.rules import DeliveryMethod
from domain.providers.pgqueuer_jobs import PgQueuerJobs
from domain.shipping import commands
from domain.shipping.chosen import Label
from domain.shipping.commands import Heard
from domain.shipping.rules import Pieces, ReturnDecision, Said, ShipmentState
from plusone import invariants
from tests.books import books_agree
from tests.build import NOW, ABuyer, AnOrder, AShop, AVariant, a_variant, an_order

JOBS = PgQueuerJobs()
PACKER_ID = UUID(int=5)
PACKER = Actor(f"member:{PACKER_ID}", "OWNER")
S = ShipmentState


async def an_order_to_send(
    shop: AShop, lines: Sequence[tuple[AVariant, int]] | None = None, *, buyer: ABuyer | None = None, **more: Any
) -> AnOrder:
    """A paid order that is to be sent; of two pieces when nothing is said."""
    if lines is None:
        lines = [(await a_variant(shop, on_hand=10), 2)]
    return await an_order(shop, lines, buyer=buyer, payment=PaymentState.PAID, **{"method": DeliveryMethod.SHIP, **more})


async def packed(order: AnOrder, pieces: dict[int, int] | None = None, *, label: Label | None = None, now: datetime = NOW) -> UUID:
    """A parcel with pieces of the order's lines (by their place), or with all that is left."""
    wanted = None if pieces is None else [Pieces(order.lines[place], count) for place, count in pieces.items()]
    return await commands.create(
        shop_id=order.shop_id, pieces=wanted, order_id=order.id if wanted is None else None, label=label or Label(Carrier.T_CAT), actor=PACKER,
        now=now,
    )  # fmt: skip


async def said(
    order: AnOrder, parcel: UUID, state: S, *, at: datetime = NOW, note: str = "", freely: bool = True, now: datetime | None = None
) -> Heard:
    """Something is said about a parcel."""
    return await commands.hear(
        shop_id=order.shop_id,
        shipment_id=parcel,
        said=Said(state, at, note),
        freely=freely,
        actor=PACKER,
        now=now or max(at, NOW),
        jobs=JOBS,
    )


async def cancelled(order: AnOrder, parcel: UUID) -> None:
    await commands.cancel(shop_id=order.shop_id, shipment_id=parcel, actor=PACKER, now=NOW, jobs=JOBS)


async def settled(order: AnOrder, parcel: UUID, decision: ReturnDecision) -> None:
    await commands.settle_return(shop_id=order.shop_id, shipment_id=parcel, decision=decision, actor=PACKER, now=NOW, jobs=JOBS)


async def parcel_row(parcel: UUID) -> Record:
    row = await database.fetchrow("select * from shipment where id = $1", parcel)
    assert row is not None
    return row


async def state_of(order: AnOrder) -> tuple[str, str]:
    """(state, fulfilment state) of an order."""
    row = await database.fetchrow('select state, fulfilment_state from "order" where id = $1', order.id)
    assert row is not None
    return row["state"], row["fulfilment_state"]


async def line_of(order: AnOrder, place: int = 0) -> tuple[int, int, int, int]:
    """(ordered, handed over, packed, shipped) of a line."""
    row = await database.fetchrow("select quantity, handed_over, packed, shipped from order_line where id = $1", order.lines[place])
    assert row is not None
    return tuple(row)  # type: ignore[return-value]


async def notices(order: AnOrder) -> list[tuple[str, str]]:
    """(kind, state) of the notices about parcels of the order's buyer, oldest first."""
    rows = await database.fetch(
        "select kind, data from notice where buyer_id = $1 and kind like 'SHIPMENT%' order by created_at, id", order.buyer_id
    )
    return [(row["kind"], database.from_jsonb(row["data"])["state"]) for row in rows]


async def all_agrees(*, but: Sequence[str] = ("I6b", "I9")) -> None:
    """The books agree and no invariant is broken; orders of the builders have no payment row."""
    await books_agree()
    found = [violation for violation in await invariants.check(NOW + timedelta(seconds=30)) if violation.invariant not in but]
    assert found == []
