"""What a shop decides about one of its buyers."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from domain import db
from domain.audit.commands import Actor, Entry, record
from domain.errors import NotFound
from domain.ids import public_id
from domain.paging import Row

MOST_REASON = 200


async def restrict(*, buyer_id: UUID, shop_id: UUID, until: datetime, reason: str, actor: Actor, now: datetime) -> None:
    """Take no orders from this buyer's comments until then; orders that stand are untouched. Told to nobody.

    `reason` is the shop's own note, which may hold personal data: it is kept with the buyer and not in the audit.

    Raises:
        NotFound: this shop has no such buyer.
    """
    await _set(
        buyer_id, shop_id, until, reason, Entry(shop_id, "buyer.restrict", "buyer", buyer_id, {"until": until.isoformat()}), actor, now
    )


async def restore(*, buyer_id: UUID, shop_id: UUID, actor: Actor, now: datetime) -> None:
    """Read this buyer's comments again; without a restriction nothing changes.

    Raises:
        NotFound: this shop has no such buyer.
    """
    await _set(buyer_id, shop_id, None, "", Entry(shop_id, "buyer.restore", "buyer", buyer_id), actor, now)


async def _set(buyer_id: UUID, shop_id: UUID, until: datetime | None, reason: str, entry: Entry, actor: Actor, now: datetime) -> None:
    async with db.transaction() as tx:
        row = await tx.fetchrow(
            "select restricted_until, restricted_reason from buyer where id = $1 and shop_id = $2 for no key update", buyer_id, shop_id
        )
        if row is None:
            raise NotFound
        if (row["restricted_until"], row["restricted_reason"]) == (until, reason[:MOST_REASON]):
            return
        await tx.execute(
            "update buyer set restricted_until = $2, restricted_reason = $3 where id = $1", buyer_id, until, reason[:MOST_REASON]
        )
        await record(tx, actor, [entry], now=now)


async def buyer_of_shop(shop_id: UUID, buyer_id: UUID) -> Row | None:
    """A buyer as the shop knows them, with the end of a restriction."""
    row = await db.fetchrow("select id, name, provider, restricted_until from buyer where shop_id = $1 and id = $2", shop_id, buyer_id)
    if row is None:
        return None
    return {
        "id": public_id("buyer", row["id"]),
        "name": row["name"],
        "provider": row["provider"],
        "restricted_until": row["restricted_until"],
    }
