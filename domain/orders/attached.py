"""What hangs on an order and ends with it: the report of a transfer, the place in a pickup slot.

The rooms that write these stand above this one, so both are ended here by plain statements, in the transaction that moves the order. Its
caller holds the orders. Slots are locked after orders and levels, in the order of their ids: who cancels frees the pieces first.
"""

from __future__ import annotations

from collections.abc import Sequence
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
NO_GIFT: Final = "(select g.order_id from order_gift g where g.order_id = {0}.id) is null"
"""An order of this alias is no gift; a value, so that it is looked up by the order's key also within a list."""
OF_A_KIND: Final = f"""select count(distinct coalesce({CHOSEN.format("o")}, '')) < 2
    and bool_and({NO_GIFT.format("o")})
  from "order" o where o.id = any($1::uuid[])"""


async def may_be_one(tx: Tx, order_ids: Sequence[UUID]) -> bool:
    """Whether these orders go to the same place in the same way, as they were chosen or not chosen, and none is a gift. Held by the caller."""
    found: bool = await tx.fetchval(OF_A_KIND, list(order_ids))
    return found


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
