"""Whether a shop asks all of its staff for a second proof where an act needs a fresh sign-in."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from domain import db
from domain.audit.commands import Actor, Entry, record
from domain.errors import NotFound


async def ask_of_staff(*, shop_id: UUID, required: bool, now: datetime, actor: Actor) -> bool:
    """Ask for it from now on, or no more; answers whether that is new. Who has set one up is asked for it whatever the shop says.

    Raises:
        NotFound: no such shop.
    """
    async with db.transaction() as tx:
        before = await tx.fetchval("select staff_second_proof from shop where id = $1 for no key update", shop_id)
        if before is None:
            raise NotFound
        if before == required:
            return False
        await tx.execute("update shop set staff_second_proof = $2 where id = $1", shop_id, required)
        await record(
            tx, actor, [Entry(shop_id, "SHOP_CHANGED", "shop", shop_id, {"fields": ["staff_second_proof"], "to": required})], now=now
        )
    return True
