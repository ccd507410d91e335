"""What a shop knew of a commenter becomes the member's, once the person has proven to be that commenter."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from domain.audit.commands import Actor, Entry, record
from domain.db import Tx, jsonb


async def link_buyers(tx: Tx, member_id: UUID, provider: str, subject: str, now: datetime) -> int:
    """Give the member every buyer with this identity that has no member yet, in all shops; answers how many buyers were new.

    Orders, notices and pickups of all the member's buyers follow, also those that were written between two links.
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
    for table in ("notice", "pickup"):
        await tx.execute(
            f"""update {table} t set member_id = $1 from buyer b
                where b.member_id = $1 and t.shop_id = b.shop_id and t.buyer_id = b.id and t.member_id is null""",  # noqa: S608  two fixed names
            member_id,
        )
    return len(linked)


async def _lock(tx: Tx, member_id: UUID, provider: str, subject: str) -> None:
    """Orders before buyers, as everybody who writes an order does.

    FOR UPDATE on the buyers waits for orders that are just being inserted for them (their foreign key holds the row): none is missed.
    """
    theirs = "((b.provider = $1 and b.external_id = $2 and b.member_id is null) or b.member_id = $3)"
    await tx.execute(
        f"""select 1 from "order" o join buyer b on b.shop_id = o.shop_id and b.id = o.buyer_id
            where {theirs} and o.member_id is null order by o.id for update of o""",  # noqa: S608  one fixed condition
        provider,
        subject,
        member_id,
    )
    await tx.execute(f"select 1 from buyer b where {theirs} order by b.id for update", provider, subject, member_id)  # noqa: S608


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
           select s, o, 'MEMBER_LINKED', $3::jsonb, $4, $5 from unnest($1::uuid[], $2::uuid[]) e(s, o)""",
        [row["shop_id"] for row in orders],
        [row["id"] for row in orders],
        jsonb({}),
        actor.name,
        now,
    )
    return [Entry(row["shop_id"], "ORDER_MEMBER_LINKED", "order", row["id"], {"version": row["version"]}) for row in orders]
