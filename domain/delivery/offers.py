"""What a shop offers: ways of delivery at a price, and the slots of those face to face."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain import db
from domain.audit.commands import Actor, Entry, record
from domain.db import Tx
from domain.delivery.errors import InvalidDelivery, OfferOver, SlotFull, TooMany
from domain.delivery.rules import FARTHEST_SLOT, LONGEST_SLOT, MOST_CAPACITY, MOST_OFFERS, MOST_SLOTS, DeliveryKind, StoreChain
from domain.errors import NotFound
from domain.ids import new_id


@dataclass(frozen=True, slots=True)
class Offer:
    """A way of delivery: `place` for FACE_TO_FACE alone, `chain` for CONVENIENCE_STORE alone; the fee in minor units of the shop's currency."""

    kind: DeliveryKind
    name: str
    fee_minor: int = 0
    place: str = ""
    chain: StoreChain | None = None


async def add_offer(*, shop_id: UUID, offer: Offer, actor: Actor, now: datetime) -> UUID:
    """Offer another way of delivery; answers its id.

    Raises:
        InvalidDelivery: a field that cannot be, or does not belong to the kind.
        TooMany: MOST_OFFERS stand.
    """
    _check_offer(offer)
    async with db.transaction() as tx:
        await tx.fetchval("select 1 from shop where id = $1 for no key update", shop_id)
        if await tx.fetchval("select count(*) from delivery_offer where shop_id = $1 and withdrawn_at is null", shop_id) >= MOST_OFFERS:
            raise TooMany
        offer_id = new_id()
        await tx.execute(
            """insert into delivery_offer (id, shop_id, kind, name, place, chain, fee_minor, created_at) values ($1, $2, $3, $4, $5, $6, $7, $8)""",
            offer_id,
            shop_id,
            offer.kind.value,
            offer.name,
            offer.place,
            offer.chain.value if offer.chain else None,
            offer.fee_minor,
            now,
        )
        await tx.execute("update shop set offers_delivery = true where id = $1 and not offers_delivery", shop_id)
        detail = {"kind": offer.kind.value, "fee_minor": offer.fee_minor}
        await record(tx, actor, [Entry(shop_id, "delivery_offer.add", "delivery_offer", offer_id, detail)], now=now)
    return offer_id


def _check_offer(offer: Offer) -> None:
    if not 1 <= len(offer.name) <= 80:
        raise InvalidDelivery("name")
    if len(offer.place) > 200 or (offer.kind is DeliveryKind.FACE_TO_FACE) != bool(offer.place):
        raise InvalidDelivery("place")
    if (offer.kind is DeliveryKind.CONVENIENCE_STORE) != (offer.chain is not None):
        raise InvalidDelivery("chain")
    if not 0 <= offer.fee_minor <= 10**12:
        raise InvalidDelivery("fee")


async def withdraw_offer(*, shop_id: UUID, offer_id: UUID, actor: Actor, now: datetime) -> None:
    """Nobody may choose it from now on; orders that did keep it. Twice is once.

    Raises:
        NotFound: this shop has no such offer.
    """
    async with db.transaction() as tx:
        await tx.fetchval("select 1 from shop where id = $1 for no key update", shop_id)
        row = await tx.fetchrow(
            "select withdrawn_at from delivery_offer where id = $1 and shop_id = $2 for no key update", offer_id, shop_id
        )
        if row is None:
            raise NotFound
        if row["withdrawn_at"] is not None:
            return
        await tx.execute("update delivery_offer set withdrawn_at = $2 where id = $1", offer_id, now)
        await tx.execute(
            """update shop set offers_delivery = false where id = $1
               and not exists (select from delivery_offer f where f.shop_id = $1 and f.withdrawn_at is null)""",
            shop_id,
        )
        await record(tx, actor, [Entry(shop_id, "delivery_offer.withdraw", "delivery_offer", offer_id)], now=now)


async def add_slot(
    *, shop_id: UUID, offer_id: UUID, starts_at: datetime, ends_at: datetime, capacity: int, actor: Actor, now: datetime
) -> UUID:
    """A time at the place of an offer, for so many orders; answers its id.

    Raises:
        NotFound: this shop has no such offer.
        InvalidDelivery: the offer is of another kind, a time that is past, turned round or too long, or no capacity.
        OfferOver: the offer was withdrawn.
        TooMany: MOST_SLOTS of the offer are to come.
    """
    _check_slot(starts_at, ends_at, capacity, now)
    async with db.transaction() as tx:
        await _check_room(tx, shop_id, offer_id, now)
        slot_id = new_id()
        await tx.execute(
            """insert into pickup_slot (id, shop_id, offer_id, starts_at, ends_at, capacity, taken, version, created_at)
               values ($1, $2, $3, $4, $5, $6, 0, 1, $7)""",
            slot_id,
            shop_id,
            offer_id,
            starts_at,
            ends_at,
            capacity,
            now,
        )
        detail = {"starts_at": starts_at.isoformat(), "capacity": capacity}
        await record(tx, actor, [Entry(shop_id, "pickup_slot.add", "pickup_slot", slot_id, detail)], now=now)
    return slot_id


def _check_slot(starts_at: datetime, ends_at: datetime, capacity: int, now: datetime) -> None:
    if not now <= starts_at <= now + FARTHEST_SLOT:
        raise InvalidDelivery("startsAt")
    if not starts_at < ends_at <= starts_at + LONGEST_SLOT:
        raise InvalidDelivery("endsAt")
    if not 1 <= capacity <= MOST_CAPACITY:
        raise InvalidDelivery("capacity")


async def _check_room(tx: Tx, shop_id: UUID, offer_id: UUID, now: datetime) -> None:
    """The locked offer may have one more slot."""
    offer = await tx.fetchrow(
        "select kind, withdrawn_at from delivery_offer where id = $1 and shop_id = $2 for no key update", offer_id, shop_id
    )
    if offer is None:
        raise NotFound
    if offer["kind"] != DeliveryKind.FACE_TO_FACE:
        raise InvalidDelivery("offerId")
    if offer["withdrawn_at"] is not None:
        raise OfferOver
    coming = await tx.fetchval("select count(*) from pickup_slot where offer_id = $1 and ends_at > $2 and closed_at is null", offer_id, now)
    if coming >= MOST_SLOTS:
        raise TooMany


async def change_slot(*, shop_id: UUID, slot_id: UUID, capacity: int | None, closed: bool | None, actor: Actor, now: datetime) -> None:
    """Let a slot take more or fewer orders, close it to new ones, or open it again; None leaves as it is. Orders that chose it keep it.

    Raises:
        NotFound: this shop has no such slot.
        InvalidDelivery: no capacity.
        SlotFull: more orders have chosen it than it would take.
    """
    if capacity is not None and not 1 <= capacity <= MOST_CAPACITY:
        raise InvalidDelivery("capacity")
    async with db.transaction() as tx:
        row = await _lock_slot(tx, shop_id, slot_id)
        most, closed_at = capacity or row["capacity"], row["closed_at"]
        if most < row["taken"]:
            raise SlotFull(slot_id)
        if closed is not None:
            closed_at = (closed_at or now) if closed else None
        if (most, closed_at) == (row["capacity"], row["closed_at"]):
            return
        await tx.execute(
            "update pickup_slot set capacity = $2, closed_at = $3, version = version + 1 where id = $1 and taken <= $2",
            slot_id,
            most,
            closed_at,
        )
        detail = {"capacity": most, "closed": closed_at is not None}
        await record(tx, actor, [Entry(shop_id, "pickup_slot.change", "pickup_slot", slot_id, detail)], now=now)


async def _lock_slot(tx: Tx, shop_id: UUID, slot_id: UUID) -> db.Record:
    row = await tx.fetchrow(
        "select capacity, taken, closed_at from pickup_slot where id = $1 and shop_id = $2 for no key update", slot_id, shop_id
    )
    if row is None:
        raise NotFound
    return row
