"""The member's own data for the app."""

from __future__ import annotations

from uuid import UUID

from domain import db
from domain.ids import public_id
from domain.paging import Args, Row
from domain.paging.written import Fields, text

MEMBER_FIELDS = Fields({"display_name": text("m.display_name"), "locale": text("m.locale")})
"""A member as text; alias `m`."""


def written_member(member_id: UUID, args: Args) -> str:
    """The `from` part of the same; no row once deleted."""
    return f"from member m where m.id = {args.member(member_id)} and m.deleted_at is null"


async def member(member_id: UUID) -> Row | None:
    """The member; None once deleted."""
    row = await db.fetchrow("select display_name, locale from member where id = $1 and deleted_at is null", member_id)
    if row is None:
        return None
    return {"id": public_id("member", member_id), "display_name": row["display_name"], "locale": row["locale"]}
