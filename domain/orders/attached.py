"""What hangs on an order and ends with it: the report of a transfer, the place in a pickup slot, an attempt to pay that was not taken up.

The rooms that write these stand above this one, so both are ended here by plain statements, in the transaction that moves the order. Its
caller holds the orders. Slots are locked after orders and levels, in the order of their ids: who cancels frees the pieces first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from domain.db import Tx

LEAVE_SLOTS: Final = """
with left_behind as (
  update order_delivery d set slot_id = null from order_delivery b
  where d.order_id = any($1::uuid[]) and d.slot_id is not null and b.order_id = d.order_id returning b.slot_id),
places as (select slot_id, count(*)::int as orders from left_behind group by slot_id),
slots as (select s.id from pickup_slot s join places on places.slot_id = s.id order by s.id for no key update of s)
update pickup_slot s set taken = s.taken - places.orders, version = s.version + 1 from places, slots
where s.id = places.slot_id and slots.id = s.id"""

CHOSEN: Final = """(select row(d.offer_id, d.slot_id, d.store_code, d.store_name, d.recipient_name, d.recipient_phone, d.postal_code, d.address)::text
    from order_delivery d where d.order_id = {0}.id)"""
"""What was chosen for an order of this alias, as one text; null where nothing was."""
BEING_PAID: Final = """coalesce((select true from payment_attempt pa
    where pa.order_id = {0}.id and pa.state = 'PENDING' and pa.opened_at is not null and pa.ask_at is not null limit 1), false)"""
"""Money may be on its way for an order of this alias: a page of the provider was opened, and nobody has said yet that nothing comes of it."""


@dataclass(frozen=True, slots=True)
class Attached:
    """What hangs on an order: what was chosen for it as one text (None where nothing was), and whether it is a gift."""

    chosen: str | None
    is_gift: bool


async def attached_to(tx: Tx, order_ids: Sequence[UUID]) -> dict[UUID, Attached]:
    """What hangs on these orders, which the caller holds."""
    rows = await tx.fetch(
        f"""select o.id, {CHOSEN.format("o")} as chosen, exists (select from order_gift g where g.order_id = o.id) as is_gift
            from "order" o where o.id = any($1::uuid[])""",
        list(order_ids),
    )
    return {row["id"]: Attached(row["chosen"], row["is_gift"]) for row in rows}


async def hand_delivery_on(tx: Tx, order_ids: Sequence[UUID], *, source: UUID, to: UUID) -> None:
    """Of these orders, which become one, `to` has what was chosen for `source`, or nothing; places of the others in slots are free again."""
    left = [order_id for order_id in order_ids if order_id != source]
    await leave_slots(tx, left)
    if source != to:
        await tx.execute("delete from order_delivery where order_id = $1", to)
        await tx.execute("update order_delivery set order_id = $2 where order_id = $1", source, to)


async def hand_gift_on(tx: Tx, order_ids: Sequence[UUID], *, source: UUID, to: UUID) -> None:
    """Of these orders, which become one, `to` is the gift that `source` was; the links of the others are void."""
    if source != to:
        await tx.execute("delete from order_gift where order_id = $1", to)
        await tx.execute("update order_gift set order_id = $2 where order_id = $1", source, to)
    await tx.execute("update order_gift set token_hash = null where order_id = any($1::uuid[]) and order_id <> $2", list(order_ids), to)


async def end_reports(tx: Tx, order_ids: Sequence[UUID], *, now: datetime) -> None:
    """Reports of transfers that nobody answered are over: the orders were paid in another way, or are no more."""
    await tx.execute(
        "update transfer_report set state = 'OVER', answered_at = $2 where order_id = any($1::uuid[]) and state = 'OPEN'",
        list(order_ids),
        now,
    )


async def leave_slots(tx: Tx, order_ids: Sequence[UUID]) -> None:
    """Orders that are no more give their places in slots back; twice is once."""
    await tx.execute(LEAVE_SLOTS, list(order_ids))


async def end_unopened(tx: Tx, order_ids: Sequence[UUID], *, now: datetime) -> dict[UUID, str]:
    """End attempts to pay these orders whose page nobody opened: the provider cannot know of them. Answers which of the orders had one, and
    by which method. A page that opens at this moment is waited for, or finds its attempt ended."""
    rows = await tx.fetch(
        """update payment_attempt set state = 'EXPIRED', settled_at = $2, ask_at = null, hold_until = null
           where order_id = any($1::uuid[]) and state = 'PENDING' and opened_at is null returning order_id, method""",
        list(order_ids),
        now,
    )
    return {row["order_id"]: row["method"] for row in rows}


async def one_being_paid(tx: Tx, order_ids: Sequence[UUID]) -> UUID | None:
    """The first of these orders for which money may be on its way; None when there is none."""
    found: UUID | None = await tx.fetchval(
        f"""select o.id from "order" o where o.id = any($1::uuid[]) and {BEING_PAID.format("o")} order by o.id limit 1""", list(order_ids)
    )
    return found
