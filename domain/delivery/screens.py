"""What a shop offers, as everybody sees it."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from domain import db
from domain.delivery.rules import MOST_OFFERS, MOST_SLOTS
from domain.orders.attached_shapes import OFFER, SLOT
from domain.paging import Row, Shape, Wanted, shape


@lru_cache(maxsize=8)
def _shape(wanted: Wanted) -> Shape:
    branches: list[tuple[str, str, Any]] = []
    if "slots" in wanted:
        sql = f"""array(select {SLOT.row} from pickup_slot k where k.offer_id = f.id and k.ends_at > $2 and k.closed_at is null
            order by k.starts_at, k.id limit {MOST_SLOTS})"""
        branches.append(("slots", sql, SLOT.read_all))
    return shape(OFFER.columns, OFFER.read, branches)


async def offers_of_shop(shop_id: UUID, *, wanted: Wanted, now: datetime) -> list[Row]:
    """Its ways of delivery that stand, the oldest first; with the slots that are to come and open. One statement."""
    offer = _shape(wanted)
    of_slots = "slots" in wanted
    sql = f"""select {offer.select} from delivery_offer f join shop s on s.id = f.shop_id where f.shop_id = $1 and f.withdrawn_at is null
        order by f.created_at, f.id limit {MOST_OFFERS}"""
    return [offer.read(row) for row in await db.fetch(sql, shop_id, *([now] if of_slots else []))]


async def offer_by_id(offer_id: UUID, *, wanted: Wanted, now: datetime) -> Row | None:
    """One of them, also when it was withdrawn."""
    offer = _shape(wanted)
    of_slots = "slots" in wanted
    sql = f"select {offer.select} from delivery_offer f join shop s on s.id = f.shop_id where f.id = $1"
    row = await db.fetchrow(sql, offer_id, *([now] if of_slots else []))
    return None if row is None else offer.read(row)


async def slot_by_id(slot_id: UUID) -> Row | None:
    """A slot as everybody sees it."""
    row = await db.fetchrow(f"select {SLOT.select} from pickup_slot k where k.id = $1", slot_id)
    return None if row is None else SLOT.read(row)
