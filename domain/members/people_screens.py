"""What a member sees of their own names, identities, questions, merges and deletion; each list is one statement."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from domain import db
from domain.ids import public_id
from domain.members.rules import CONFIRM_WITHIN
from domain.paging import Row

MOST: Final = 200
DAYS: Final = timedelta(days=30)
"""Merges are shown so long after they were made."""


async def identities(member_id: UUID) -> list[Row]:
    """Ways to sign in, the oldest first."""
    rows = await db.fetch(
        "select id, provider, created_at, last_seen_at from identity where member_id = $1 order by created_at, id limit $2", member_id, MOST
    )
    return [{**dict(row), "id": public_id("identity", row["id"])} for row in rows]


async def names(member_id: UUID, buyer_id: UUID | None = None) -> list[Row]:
    """Names at shops, or one of them, the oldest first."""
    rows = await db.fetch(
        """select b.id, b.shop_id, s.name as shop_name, b.provider, b.name, b.created_at,
                  b.provider = 'member' or exists (
                    select from identity i where i.member_id = b.member_id and i.provider = b.provider and i.subject = b.external_id) as by_sign_in
           from buyer b join shop s on s.id = b.shop_id
           where b.member_id = $1 and ($3::uuid is null or b.id = $3) order by b.created_at, b.id limit $2""",
        member_id, MOST, buyer_id,
    )  # fmt: skip
    return [
        {
            "id": public_id("buyer", row["id"]), "shop_id": public_id("shop", row["shop_id"]), "shop_name": row["shop_name"], "provider": row["provider"],
            "name": row["name"], "by_sign_in": row["by_sign_in"], "met_at": row["created_at"],
        }
        for row in rows
    ]  # fmt: skip


async def links(member_id: UUID, now: datetime, link_id: UUID | None = None) -> list[Row]:
    """Names that wrote a code of the member and wait for the answer, the newest first; with `link_id` that one, answered or not."""
    rows = await db.fetch(
        """select c.id, c.provider, c.name, c.seen_at, c.answered_at, c.accepted,
                  array(select s.name from shop s where s.id in (select jsonb_array_elements_text(c.shops)::uuid) order by s.name) as shops
           from claim_code c where c.member_id = $1 and c.kind = 'NAME' and c.seen_at is not null
             and case when $4::uuid is null then c.answered_at is null and c.seen_at >= $3 else c.id = $4 end
           order by c.seen_at desc, c.id limit $2""",
        member_id, MOST, now - CONFIRM_WITHIN, link_id,
    )  # fmt: skip
    return [
        {
            "id": public_id("link", row["id"]), "provider": row["provider"], "name": row["name"], "shop_names": list(row["shops"]),
            "seen_at": row["seen_at"], "answer_by": row["seen_at"] + CONFIRM_WITHIN,
            "accepted": row["accepted"] if row["answered_at"] is not None else None,
        }
        for row in rows
    ]  # fmt: skip


async def merges(member_id: UUID, now: datetime, merge_id: UUID | None = None) -> list[Row]:
    """Accounts that became part of this one lately, the newest first."""
    rows = await db.fetch(
        """select id, merged_at, undo_until, undone_at from member_merge
           where keeper_id = $1 and ($4::uuid is null and merged_at > $3 or id = $4) order by merged_at desc, id limit $2""",
        member_id, MOST, now - DAYS, merge_id,
    )  # fmt: skip
    return [
        {
            "id": public_id("merge", row["id"]), "merged_at": row["merged_at"], "undo_until": row["undo_until"], "undone_at": row["undone_at"],
            "can_undo": row["undone_at"] is None and now < row["undo_until"],
        }
        for row in rows
    ]  # fmt: skip


async def deletion(member_id: UUID, deletion_id: UUID | None = None) -> Row | None:
    """The deletion that was asked for and not called off; with `deletion_id` that one."""
    row = await db.fetchrow(
        """select id, requested_at, due_at, cancelled_at from account_deletion
           where member_id = $1 and ($2::uuid is null and cancelled_at is null or id = $2)""",
        member_id,
        deletion_id,
    )
    return None if row is None else {**dict(row), "id": public_id("deletion", row["id"])}
