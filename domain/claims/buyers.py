"""Who wrote the comments of a batch: buyers found, locked, and made where they are new."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from domain.claims.desk import Desk
from domain.db import Tx
from domain.ids import new_ids


async def buyers_for(
    tx: Tx, desk: Desk, people: Mapping[tuple[str, str], str], known: Collection[UUID] = ()
) -> dict[tuple[str, str], UUID]:
    """Buyers by (provider, external id), created where new (linked to the member who owns that identity).

    They are locked together with the `known` ones, whose events name no author: all of them in one statement, in key order. Newcomers are
    written after that, so that a live's regulars cost no write; two lanes with the same newcomer wait for each other by its key. The desk
    learns who of them works in the shop, and whom the shop restricted.
    """
    keys = sorted(people)
    found = await _lock_buyers(tx, desk, keys, known)
    new = [key for key in keys if key not in found]
    if not new:
        return found
    found |= await _new_buyers(tx, desk, new, people)
    met = [key for key in new if key not in found]  # of another lane, which wrote them meanwhile
    return found | await _lock_buyers(tx, desk, met, ()) if met else found


BUYER = ("id", "shop_id", "provider", "external_id", "name", "member_id", "created_at")


async def _new_buyers(
    tx: Tx, desk: Desk, keys: Sequence[tuple[str, str]], names: Mapping[tuple[str, str], str]
) -> dict[tuple[str, str], UUID]:
    """Write buyers with these keys, which come in their order; answers those that nobody else has written meanwhile."""
    rows = await tx.fetch(
        """select i.provider, i.subject, i.member_id, exists (
             select from membership m where m.shop_id = $1 and m.member_id = i.member_id and m.ended_at is null) as staff
           from unnest($2::text[], $3::text[]) k(provider, subject)
           cross join lateral (select * from identity x where x.provider = k.provider and x.subject = k.subject offset 0) i""",
        desk.shop.id,
        [key[0] for key in keys],
        [key[1] for key in keys],
    )
    members = {(row["provider"], row["subject"]): (row["member_id"], row["staff"]) for row in rows}
    new = [
        (made, desk.shop.id, *key, names[key][:120], members[key][0] if key in members else None, desk.now)
        for made, key in zip(new_ids(len(keys)), keys, strict=True)
    ]
    written = await tx.copy_new("buyer", BUYER, new)
    desk.members.update((row[0], row[5]) for row in written)
    desk.staff.update(row[0] for row in written if (key := row[2:4]) in members and members[key][1])
    return {row[2:4]: row[0] for row in written}


async def _lock_buyers(tx: Tx, desk: Desk, keys: Sequence[tuple[str, str]], known: Collection[UUID]) -> dict[tuple[str, str], UUID]:
    rows = await tx.fetch(
        """select b.id, b.provider, b.external_id, b.member_id, b.restricted_until,
                  b.member_id is not null and exists (
                    select from membership m where m.shop_id = $1 and m.member_id = b.member_id and m.ended_at is null) as staff
           from buyer b
           where b.id = any(array(
             select found.id from unnest($2::text[], $3::text[]) k(provider, external_id)
             cross join lateral (
               select x.id from buyer x where x.shop_id = $1 and x.provider = k.provider and x.external_id = k.external_id limit 1) found
             union select unnest($4::uuid[])))
           order by b.id for no key update of b""",
        desk.shop.id,
        [key[0] for key in keys],
        [key[1] for key in keys],
        list(known),
    )
    desk.members.update((row["id"], row["member_id"]) for row in rows)
    desk.staff.update(row["id"] for row in rows if row["staff"])
    desk.restricted.update((row["id"], row["restricted_until"]) for row in rows if row["restricted_until"] is not None)
    return {(row["provider"], row["external_id"]): row["id"] for row in rows}
