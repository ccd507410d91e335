"""The member's inbox. Each is one statement."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import Any
from uuid import UUID

from domain import db
from domain.ids import public_id
from domain.paging import SHOP, Args, Listing, Page, Row, Shape, Slice, Wanted, fetch_page, shape
from domain.paging.shape import Read

NOTICES = "notice n join shop s on s.id = n.shop_id"


def _notice(row: Any) -> Row:
    return {
        "id": public_id("notice", row[0]),
        "kind": row[1],
        "created_at": row[2],
        "read_at": row[3],
        "data": db.from_jsonb(row[4]),
    }


@lru_cache(maxsize=64)
def _notice_shape(wanted: Wanted) -> Shape:
    """A notice; aliases `n` and `s`. Branch: shop. `data` are the facts, not yet words."""
    branches: list[tuple[str, str, Read]] = [("shop", SHOP.row, SHOP.read)] if "shop" in wanted else []
    return shape(("n.id", "n.kind", "n.created_at", "n.read_at", "n.data"), _notice, branches)


async def notices_of_member(
    member_id: UUID, *, page: Page, wanted: Wanted, unread: bool | None = None, count: bool = False, count_unread: bool = False
) -> Slice:
    """A member's notices, newest first. With `count_unread`, `summary["unread"]` is the number of unread ones, at most 1,000."""
    args = Args(member_id)
    where = "n.member_id = $1" + ("" if unread is None else f" and n.read_at is {'' if unread else 'not '}null")
    listing = Listing(NOTICES, where, at="n.created_at", id="n.id", counted="notice n")
    summary = (
        {"unread": "(select count(*)::int from (select from notice u where u.member_id = $1 and u.read_at is null limit 1000) unread)"}
        if count_unread
        else {}
    )
    return await fetch_page(_notice_shape(wanted), listing, page, args, count=count, summary=summary)


async def notices_by_id(member_id: UUID, notice_ids: Collection[UUID], *, wanted: Wanted) -> dict[UUID, Row]:
    """These notices of this member, newest first; others' are not there."""
    notice = _notice_shape(wanted)
    sql = f"select {notice.select} from {NOTICES} where n.member_id = $1 and n.id = any($2::uuid[]) order by n.created_at desc, n.id desc"
    return {row[0]: notice.read(row) for row in await db.fetch(sql, member_id, list(notice_ids))}


async def unread_of_member(member_id: UUID) -> int:
    """The number of unread notices, at most 1,000."""
    found: int = await db.fetchval(
        "select count(*)::int from (select from notice where member_id = $1 and read_at is null limit 1000) unread", member_id
    )
    return found
