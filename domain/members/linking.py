"""What a shop knew of a commenter becomes the member's, once the person has proven to be that commenter."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from domain import db
from domain.audit.commands import Actor, Entry, record
from domain.db import Tx, jsonb


async def link_buyers(tx: Tx, member_id: UUID, provider: str, subject: str, now: datetime) -> int:
    """Give the member every buyer with this identity that has no member yet, in all shops; answers how many buyers were new.

    Orders, notices, pickups and parcels of all the member's buyers follow, also those that were written between two links.
    """
    await _lock(tx, member_id, provider, subject)
    linked = await tx.fetch(
        """update buyer set member_id = $3 where provider = $1 and external_id = $2 and member_id is null returning id, shop_id""",
        provider,
        subject,
        member_id,
    )
    actor = Actor(f"member:{member_id}")
    entries = [Entry(row["shop_id"], "BUYER_LINKED", "buyer", row["id"], {"provider": provider}) for row in linked]
    entries += await _take_orders(tx, member_id, actor, now)
    await record(tx, actor, entries, now=now)
    for table in ("notice", "pickup", "shipment"):
        await tx.execute(
            f"""update {table} t set member_id = $1 from buyer b
                where b.member_id = $1 and t.shop_id = b.shop_id and t.buyer_id = b.id and t.member_id is null""",
            member_id,
        )
    return len(linked)


async def link_missed(now: datetime, *, within: timedelta = timedelta(hours=1)) -> int:
    """Link buyers that were first written in the very moment their person first signed in, so that neither saw the other.

    For a schedule of the worker; looks at identities of the last `within` and answers how many buyers were linked.
    """
    rows = await db.fetch(
        """select distinct i.member_id, i.provider, i.subject from identity i
           join buyer b on b.provider = i.provider and b.external_id = i.subject and b.member_id is null
           where i.created_at > $1 order by i.member_id, i.provider, i.subject""",
        now - within,
    )
    linked = 0
    for row in rows:
        async with db.transaction() as tx:
            linked += await link_buyers(tx, row["member_id"], row["provider"], row["subject"], now)
    return linked


async def _lock(tx: Tx, member_id: UUID, provider: str, subject: str) -> None:
    """Buyers before orders, as everybody who makes orders does: one that is being made for these buyers is waited for."""
    await tx.execute(
        """select 1 from buyer where (provider = $1 and external_id = $2 and member_id is null) or member_id = $3
           order by id for no key update""",
        provider,
        subject,
        member_id,
    )


async def _take_orders(tx: Tx, member_id: UUID, actor: Actor, now: datetime) -> list[Entry]:
    """Set the member on orders of the member's buyers that lack it, with their events; answers the audit entries."""
    orders = await tx.fetch(
        """with mine as (
             select o.id from "order" o join buyer b on b.shop_id = o.shop_id and b.id = o.buyer_id
             where b.member_id = $1 and o.member_id is null order by o.id for update of o)
           update "order" o set member_id = $1, version = o.version + 1, updated_at = $2 from mine where o.id = mine.id
           returning o.id, o.shop_id, o.version""",
        member_id,
        now,
    )
    await tx.execute(
        """insert into order_event (shop_id, order_id, kind, data, actor, at)
           select s, o, 'MEMBER_LINKED', $3::json, $4, $5 from unnest($1::uuid[], $2::uuid[]) e(s, o)""",
        [row["shop_id"] for row in orders],
        [row["id"] for row in orders],
        jsonb({}),
        actor.name,
        now,
    )
    return [Entry(row["shop_id"], "ORDER_MEMBER_LINKED", "order", row["id"], {"version": row["version"]}) for row in orders]
