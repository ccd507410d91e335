"""A buyer chooses how an order is delivered: a slot face to face, a convenience store, or home; what it costs more is part of what is owed.

Locks: the order, then the slots that are left and taken, in the order of their ids, then the passes of these slots.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from domain import db
from domain.audit.commands import Actor, Entry, record
from domain.db import Record, Tx
from domain.delivery.errors import FeeFixed, InvalidDelivery, OfferOver, OtherOrderOpen, SlotFull
from domain.delivery.rules import METHOD, PHONE, STORE_CODE, STORE_PHONE, DeliveryKind, StoreChain
from domain.errors import NotFound
from domain.orders.commands import LockedOrder, add_events, end_attempts, lock_own_order
from domain.orders.errors import InvalidTransition, VersionConflict
from domain.orders.readiness import follow_slot
from domain.orders.rules import AMOUNT_OPEN, OrderState, PaymentState, may_choose_delivery
from domain.posts.rules import DeliveryMethod


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who gets the goods; texts of the buyer. Nothing of it is in notices, timeline, audit or logs."""

    name: str = field(default="", repr=False)
    phone: str = field(default="", repr=False)
    postal_code: str = field(default="", repr=False)
    address: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the shop's offers, with what its kind needs."""

    offer_id: UUID
    slot_id: UUID | None = None
    store_code: str = ""
    store_name: str = ""
    recipient: Recipient = Recipient()


async def choose(*, order_id: UUID, member_id: UUID, choice: Choice, expected_version: int | None, now: datetime) -> None:
    """Choose how one's own order is delivered, or choose anew. The same choice again changes nothing.

    Raises:
        NotFound: the member has no such order, the order's shop no such offer, or the offer no such slot.
        VersionConflict: the order is another than the one that was looked at.
        InvalidTransition: the order is past choosing.
        OfferOver: the offer was withdrawn, or the slot is closed or past.
        InvalidDelivery: what the kind needs is missing or cannot be, or something is given that it does not need.
        FeeFixed: money is underway or here, and this way would cost another amount or be of another method.
        PaymentUnderWay: an online payment of the amount may still succeed, and this way would change it.
        OtherOrderOpen: another unpaid order of the buyer goes this way already.
        SlotFull: the slot takes no more orders.
    """
    actor = Actor(f"member:{member_id}", "buyer")
    async with db.transaction() as tx:
        order = await lock_own_order(tx, order_id, member_id)
        if expected_version is not None and expected_version != order.version:
            raise VersionConflict(order.id, expected_version, order.version)
        if not may_choose_delivery(order.state, order.payment_state, order.fulfilment_state):
            raise _not_now(order)
        offer = await tx.fetchrow("select * from delivery_offer where id = $1 and shop_id = $2", choice.offer_id, order.shop_id)
        if offer is None:
            raise NotFound
        kind = DeliveryKind(offer["kind"])
        _check(choice, kind, StoreChain(offer["chain"]) if offer["chain"] else None)
        before = await tx.fetchrow("select * from order_delivery where order_id = $1", order.id)
        if before is not None and _same(before, choice):
            return
        if offer["withdrawn_at"] is not None and (before is None or before["offer_id"] != choice.offer_id):
            raise OfferOver
        await _take_slot(tx, before["slot_id"] if before is not None else None, choice, now)
        await _write(tx, order, choice, now)
        await _price(tx, order, METHOD[kind], offer["fee_minor"], actor, now)
        await follow_slot(tx, order, actor=actor, now=now)
        facts = {"kind": kind.value, "feeMinor": offer["fee_minor"], "slotId": str(choice.slot_id) if choice.slot_id else None}
        await add_events(tx, "DELIVERY_CHOSEN", [order], {order.id: facts}, actor=actor, now=now)
        detail = {"number": order.number, "kind": kind.value, "fee_minor": offer["fee_minor"]}
        await record(tx, actor, [Entry(order.shop_id, "order.choose_delivery", "order", order.id, detail)], now=now)


def _not_now(order: LockedOrder) -> InvalidTransition:
    if order.state is not OrderState.OPEN:
        return InvalidTransition(order.id, "state", order.state.value, "DELIVERY_CHOSEN")
    if order.payment_state in (
        PaymentState.REFUNDED,
        PaymentState.PARTIALLY_REFUNDED,
        PaymentState.EXPIRED,
        PaymentState.COLLECT_ON_DELIVERY,
    ):
        return InvalidTransition(order.id, "payment", order.payment_state.value, "DELIVERY_CHOSEN")
    return InvalidTransition(order.id, "fulfilment", order.fulfilment_state.value, "DELIVERY_CHOSEN")


def _check(choice: Choice, kind: DeliveryKind, chain: StoreChain | None) -> None:
    who = choice.recipient
    if (choice.slot_id is not None) != (kind is DeliveryKind.FACE_TO_FACE):
        raise InvalidDelivery("slotId")
    if chain is None and (choice.store_code or choice.store_name):
        raise InvalidDelivery("store")
    if chain is not None and not STORE_CODE[chain].fullmatch(choice.store_code):
        raise InvalidDelivery("store.code")
    if chain is not None and not 1 <= len(choice.store_name) <= 80:
        raise InvalidDelivery("store.name")
    if kind is not DeliveryKind.HOME and (who.address or who.postal_code):
        raise InvalidDelivery("recipient.address")
    if kind is DeliveryKind.HOME and not 5 <= len(who.address) <= 200:
        raise InvalidDelivery("recipient.address")
    if len(who.postal_code) > 12:
        raise InvalidDelivery("recipient.postalCode")
    if len(who.name) > 60 or (kind is not DeliveryKind.FACE_TO_FACE and not who.name):
        raise InvalidDelivery("recipient.name")
    phone = STORE_PHONE if chain is not None else PHONE
    if (who.phone or kind is not DeliveryKind.FACE_TO_FACE) and not phone.fullmatch(who.phone):
        raise InvalidDelivery("recipient.phone")


def _same(before: Record, choice: Choice) -> bool:
    who = choice.recipient
    return (
        before["offer_id"], before["slot_id"], before["store_code"], before["store_name"], before["recipient_name"], before["recipient_phone"],
        before["postal_code"], before["address"],
    ) == (choice.offer_id, choice.slot_id, choice.store_code, choice.store_name, who.name, who.phone, who.postal_code, who.address)  # fmt: skip


LOCK_SLOTS: Final = "select id, offer_id from pickup_slot where id = any($1::uuid[]) order by id for no key update"
TAKE_SLOT: Final = """update pickup_slot set taken = taken + 1, version = version + 1
  where id = $1 and taken < capacity and closed_at is null and ends_at > $2"""


async def _take_slot(tx: Tx, old: UUID | None, choice: Choice, now: datetime) -> None:
    """Leave the old slot and take the new one; the same one is kept, also when it is full, closed or past."""
    if old == choice.slot_id:
        return
    wanted = [slot for slot in (old, choice.slot_id) if slot is not None]
    offers = {row["id"]: row["offer_id"] for row in await tx.fetch(LOCK_SLOTS, wanted)}
    if old is not None:
        await tx.execute("update pickup_slot set taken = taken - 1, version = version + 1 where id = $1", old)
    if choice.slot_id is None:
        return
    if offers.get(choice.slot_id) != choice.offer_id:
        raise NotFound
    if not await tx.execute(TAKE_SLOT, choice.slot_id, now):
        if await tx.fetchval("select closed_at is not null or ends_at <= $2 from pickup_slot where id = $1", choice.slot_id, now):
            raise OfferOver
        raise SlotFull(choice.slot_id)


async def _write(tx: Tx, order: LockedOrder, choice: Choice, now: datetime) -> None:
    who = choice.recipient
    await tx.execute(
        """insert into order_delivery (order_id, shop_id, offer_id, slot_id, store_code, store_name, recipient_name, recipient_phone, postal_code,
             address, chosen_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
           on conflict (order_id) do update set offer_id = excluded.offer_id, slot_id = excluded.slot_id, store_code = excluded.store_code,
             store_name = excluded.store_name, recipient_name = excluded.recipient_name, recipient_phone = excluded.recipient_phone,
             postal_code = excluded.postal_code, address = excluded.address, chosen_at = excluded.chosen_at""",
        order.id,
        order.shop_id,
        choice.offer_id,
        choice.slot_id,
        choice.store_code,
        choice.store_name,
        who.name,
        who.phone,
        who.postal_code,
        who.address,
        now,
    )


async def _price(tx: Tx, order: LockedOrder, method: DeliveryMethod, fee_minor: int, actor: Actor, now: datetime) -> None:
    """The order goes this way at this price: its total follows while it may, and its version rises in any case."""
    shipping = await tx.fetchval('select shipping_minor from "order" where id = $1', order.id)
    if order.payment_state not in AMOUNT_OPEN and (shipping != fee_minor or method is not order.delivery_method):
        raise FeeFixed(order.id)
    if shipping != fee_minor:
        await end_attempts(tx, [order], actor=actor, now=now)
    if method is not order.delivery_method and order.payment_state is PaymentState.UNPAID:
        other = await tx.fetchval(
            """select id from "order" where buyer_id = $1 and shop_id = $2 and delivery_method = $3 and state = 'OPEN' and payment_state = 'UNPAID'
               and id <> $4""",
            order.buyer_id,
            order.shop_id,
            method.value,
            order.id,
        )
        if other is not None:
            raise OtherOrderOpen(other)
    try:
        await tx.execute(
            """update "order" set delivery_method = $2, shipping_minor = $3, total_minor = subtotal_minor + $3 - discount_minor,
                 version = version + 1, updated_at = $4 where id = $1""",
            order.id,
            method.value,
            fee_minor,
            now,
        )
    except asyncpg.UniqueViolationError:  # a comment has just made one
        raise OtherOrderOpen(order.id) from None
