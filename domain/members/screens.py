"""The member's own data for the app."""

from __future__ import annotations

from uuid import UUID

from domain import db
from domain.ids import public_id
from domain.paging import Row


async def member(member_id: UUID) -> Row | None:
    """The member; None once deleted."""
    row = await db.fetchrow("select display_name, locale from member where id = $1 and deleted_at is null", member_id)
    if row is None:
        return None
    return {"id": public_id("member", member_id), "display_name": row["display_name"], "locale": row["locale"]}
