"""Surplus money that a person of the shop gave back, outside of plusone."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from domain import db
from domain.audit.commands import Actor, Entry, record
from domain.errors import NotFound
from domain.payments.errors import AlreadyReturned


async def mark_returned(*, attempt_id: UUID, shop_id: UUID, note: str, actor: Actor, by_member_id: UUID, now: datetime) -> UUID:
    """Record that an attempt's surplus went back to the payer; answers the order. `note` (1 to 200 characters) says how.

    Raises:
        NotFound: this shop has no such attempt, or it has no surplus.
        AlreadyReturned: somebody did before.
    """
    async with db.transaction() as tx:
        row = await tx.fetchrow(
            "select order_id, surplus_minor, returned_at from payment_attempt where id = $1 and shop_id = $2 for update",
            attempt_id,
            shop_id,
        )
        if row is None or not row["surplus_minor"]:
            raise NotFound
        if row["returned_at"] is not None:
            raise AlreadyReturned(attempt_id)
        await tx.execute(
            "update payment_attempt set returned_at = $2, returned_by = $3, return_note = $4 where id = $1",
            attempt_id,
            now,
            by_member_id,
            note,
        )
        detail = {"attempt": str(attempt_id), "amount_minor": row["surplus_minor"]}
        await record(tx, actor, [Entry(shop_id, "payment.returned", "order", row["order_id"], detail)], now=now)
        order_id: UUID = row["order_id"]
        return order_id
