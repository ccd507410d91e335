"""What all acts on a person share: the order of locks, what follows a name to its member, and the account's own book.

Order of locks: advisory locks of identities (as sign-in takes them), members by id, then buyers by id, orders by id. A name (`buyer`) is the
only thing that changes hands; orders, notices, pickups, parcels and waiting places belong to the name and follow it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.audit.commands import Actor, Entry
from domain.db import Record, Tx, jsonb


async def lock_identities(tx: Tx, members: Collection[UUID]) -> None:
    """Sign-ins with any identity of these members wait, so that none reads a member that is about to change."""
    rows = await tx.fetch(
        "select provider, subject from identity where member_id = any($1::uuid[]) order by provider, subject", list(members)
    )
    for row in rows:
        await tx.execute("select pg_advisory_xact_lock(hashtextextended($1, 0))", f"identity:{row['provider']}:{row['subject']}")


async def lock_members(tx: Tx, members: Collection[UUID]) -> dict[UUID, Record]:
    """Members by id, locked in key order and not against references to them; those that were deleted are missing."""
    rows = await tx.fetch(
        "select id, deleted_at from member where id = any($1::uuid[]) and deleted_at is null order by id for no key update", list(members)
    )
    return {row["id"]: row for row in rows}


async def lock_account(tx: Tx, member_id: UUID) -> bool:
    """Lock one member who acts for themselves; False when the account was deleted or is part of another one."""
    absorbed = "select 1 from member_merge where absorbed_id = $1 and undone_at is null"
    return bool(await lock_members(tx, [member_id])) and await tx.fetchval(absorbed, member_id) is None


async def lock_buyers(tx: Tx, members: Collection[UUID], also: Collection[UUID] = ()) -> list[Record]:
    """All names of these members, and others by id, locked in key order: (id, shop_id, provider, external_id, inbox_id, member_id, created_at)."""
    return await tx.fetch(
        """select id, shop_id, provider, external_id, inbox_id, member_id, created_at from buyer
           where member_id = any($1::uuid[]) or id = any($2::uuid[]) order by id for no key update""",
        list(members),
        list(also),
    )


async def hand(tx: Tx, buyers: Collection[UUID], member_id: UUID | None, *, actor: Actor, now: datetime) -> list[Entry]:
    """Give these names (locked by the caller) to a member, or to nobody, and let what belongs to them follow; answers the audit entries."""
    rows = await tx.fetch(
        """update buyer set member_id = $2 where id = any($1::uuid[]) and member_id is distinct from $2 returning id, shop_id""",
        list(buyers),
        member_id,
    )
    action = "BUYER_UNLINKED" if member_id is None else "BUYER_LINKED"
    entries = [Entry(row["shop_id"], action, "buyer", row["id"]) for row in rows]
    return entries + await follow(tx, buyers, actor=actor, now=now)


async def follow(tx: Tx, buyers: Collection[UUID], *, actor: Actor, now: datetime) -> list[Entry]:
    """Orders, notices, pickups and parcels of these names get the member that the name has now; pushes to somebody else's device are dropped."""
    entries = await _orders_follow(tx, list(buyers), actor, now)
    for table in ("notice", "pickup", "shipment"):
        await tx.execute(
            f"""update {table} t set member_id = b.member_id from buyer b
                where b.id = any($1::uuid[]) and t.shop_id = b.shop_id and t.buyer_id = b.id and t.member_id is distinct from b.member_id""",
            list(buyers),
        )
    await tx.execute(
        """update push_delivery p set state = 'DROPPED', last_error = 'the name changed hands' from notice n, device d
           where n.buyer_id = any($1::uuid[]) and p.notice_id = n.id and p.state = 'PENDING' and d.id = p.device_id
             and d.member_id is distinct from n.member_id""",
        list(buyers),
    )
    return entries


async def _orders_follow(tx: Tx, buyers: list[UUID], actor: Actor, now: datetime) -> list[Entry]:
    orders = await tx.fetch(
        """with theirs as (
             select o.id, b.member_id from "order" o join buyer b on b.shop_id = o.shop_id and b.id = o.buyer_id
             where o.buyer_id = any($1::uuid[]) and o.member_id is distinct from b.member_id order by o.id for update of o)
           update "order" o set member_id = theirs.member_id, version = o.version + 1, updated_at = $2 from theirs where o.id = theirs.id
           returning o.id, o.shop_id, o.version, o.member_id""",
        buyers,
        now,
    )
    await tx.execute(
        """insert into order_event (shop_id, order_id, kind, data, actor, at)
           select s, o, k, '{}'::json, $4, $5 from unnest($1::uuid[], $2::uuid[], $3::text[]) e(s, o, k)""",
        [row["shop_id"] for row in orders],
        [row["id"] for row in orders],
        ["MEMBER_UNLINKED" if row["member_id"] is None else "MEMBER_LINKED" for row in orders],
        actor.name,
        now,
    )
    return [
        Entry(
            row["shop_id"],
            "ORDER_MEMBER_UNLINKED" if row["member_id"] is None else "ORDER_MEMBER_LINKED",
            "order",
            row["id"],
            {"version": row["version"]},
        )
        for row in orders
    ]


async def note(
    tx: Tx, members: Iterable[UUID], action: str, *, actor: Actor, now: datetime, detail: Mapping[str, Any] | None = None
) -> None:
    """Write an act into the account's book of each of these members. `detail` holds no personal data."""
    rows = [(member_id, now, actor.name, action, jsonb(detail or {}), actor.request_id) for member_id in members]
    await tx.copy("member_event", ("member_id", "at", "actor", "action", "detail", "request_id"), rows)


async def grants_follow(tx: Tx, identities: Collection[UUID]) -> None:
    """What providers want back one day belongs to the member whom these identities belong to now."""
    await tx.execute(
        """update provider_grant g set member_id = i.member_id from identity i
           where i.id = any($1::uuid[]) and g.provider = i.provider and g.subject = i.subject and g.member_id <> i.member_id""",
        list(identities),
    )


async def end_sessions(
    tx: Tx, member_id: UUID, reason: str, now: datetime, *, since: datetime | None = None, but: UUID | None = None
) -> list[UUID]:
    """End the member's sessions (all, or those begun at or after `since`), but one; answers their ids, for the cache of standings."""
    rows = await tx.fetch(
        """update session set ended_at = $2, ended_reason = $3 where id in (
             select id from session where member_id = $1 and ended_at is null and ($4::timestamptz is null or created_at >= $4)
               and id is distinct from $5 order by id for update) returning id""",
        member_id,
        now,
        reason,
        since,
        but,
    )
    return [row["id"] for row in rows]
