"""The member's inbox. Each is one statement."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from domain import db
from domain.ids import public_id
from domain.notices.pushing import TOPICS, NoticeTopic
from domain.notices.rules import NoticeKind
from domain.notices.suggestions import EXPIRED
from domain.paging import SHOP, Args, Listing, Page, Row, Shape, Slice, Wanted, fetch_page, same, shape
from domain.paging.shape import Read
from domain.paging.written import NOW, SHOP_FIELDS, Fields, Leaf, Rows, Screen, Within, flag, instant, public, text, whole, word

MOST_UNREAD = 1_000
NOTICES = "notice n join shop s on s.id = n.shop_id"
TOPIC = f"""case {" ".join(f"when n.kind in ({', '.join(repr(k.value) for k in NoticeKind if TOPICS[k] is topic)}) then '{topic.value}'" for topic in NoticeTopic)} end"""


@dataclass(frozen=True, slots=True)
class NoticeFilter:
    """What an inbox is narrowed to; empty fields narrow nothing."""

    unread: bool | None = None
    kinds: Collection[NoticeKind] | None = None
    shop_ids: Collection[UUID] | None = None
    since: datetime | None = None
    """Came at this instant or later."""

    def where(self, args: Args, now: str) -> str:
        """SQL, starting with ` and` when it says anything."""
        parts = [
            f"{'' if self.unread else 'not '}(n.read_at is null and not {EXPIRED.format(now=now)})" if self.unread is not None else "",
            f"n.kind = any({args([kind.value for kind in self.kinds])}::text[])" if self.kinds is not None else "",
            f"n.shop_id = any({args(list(self.shop_ids))}::uuid[])" if self.shop_ids is not None else "",
            f"n.created_at >= {args(self.since)}" if self.since is not None else "",
        ]
        return "".join(f" and {part}" for part in parts if part)


def _notice(row: Any) -> Row:
    return {
        "id": public_id("notice", row[0]),
        "kind": row[1],
        "created_at": row[2],
        "read_at": row[3],
        "data": db.from_jsonb(row[4]),
        "topic": TOPICS[NoticeKind(row[1])].value,
        "resume_from": None,
    }


@lru_cache(maxsize=64)
def _notice_shape(wanted: Wanted, now: str) -> Shape:
    """A notice; aliases `n` and `s`; `now` is a parameter. Branches: shop, expired. `data` are the facts, not yet words."""
    branches: list[tuple[str, str, Read]] = [("shop", SHOP.row, SHOP.read)] if "shop" in wanted else []
    if "expired" in wanted:
        branches.append(("expired", EXPIRED.format(now=now), same))
    return shape(("n.id", "n.kind", "n.created_at", "n.read_at", "n.data"), _notice, branches)


NOTICE_FIELDS = Fields(
    {
        "id": public("notice", "n.id"), "kind": word("n.kind"), "topic": word(TOPIC), "created_at": instant("n.created_at"),
        "read_at": instant("n.read_at", nullable=True), "shop": Within(SHOP_FIELDS), "expired": flag(EXPIRED.replace("{now}", NOW)),
        "resume_from": text("null::text", nullable=True),
    }
)  # fmt: skip
"""A notice as text, but for its words; aliases `n` and `s`."""
NOTICE_FACTS = ("n.kind", "n.data")
"""What its words are made of."""


async def notices_of_member(
    member_id: UUID,
    *,
    page: Page,
    wanted: Wanted,
    now: datetime,
    narrowed: NoticeFilter,
    count: bool = False,
    count_unread: bool = False,
) -> Slice:
    """A member's notices, newest first. With `count_unread`, `summary["unread_count"]` is the number of unread ones, at most 1,000.

    A question that can no longer be answered at `now` counts as read.
    """
    args = Args()
    member = args(member_id)
    at = f"{args(now)}::timestamptz" if narrowed.unread is not None or count_unread or "expired" in wanted else ""
    listing = _of_member(member, narrowed, args, at)
    summary = {"unread_count": f"({_unread(member, at)})"} if count_unread else {}
    return await fetch_page(_notice_shape(wanted, at), listing, page, args, count=count, summary=summary)


def notices_screen(member_id: UUID, args: Args, *, page: Page, narrowed: NoticeFilter, fields: Fields, now: datetime) -> Screen:
    """The same, written as text. `fields`: NOTICE_FIELDS and the words."""
    member = args.member(member_id)
    listing = _all_of(member) if narrowed == NoticeFilter() else _of_member(member, narrowed, args, NOW)
    return Screen(fields, listing, page, args, _written(member), now, steady=True)


@lru_cache(maxsize=64)
def _written(member: str) -> Mapping[str, Leaf | Rows]:
    return {"unread_count": whole(f"({_unread(member, NOW)})")}


@lru_cache(maxsize=64)
def _all_of(member: str) -> Listing:
    """What nearly every request asks for; `member` is a parameter."""
    return _of_member(member, NoticeFilter(), Args(), NOW)


def _of_member(member: str, narrowed: NoticeFilter, args: Args, now: str) -> Listing:
    return Listing(NOTICES, f"n.member_id = {member}{narrowed.where(args, now)}", at="n.created_at", id="n.id", counted="notice n")


def _unread(member: str, now: str) -> str:
    """The number of a member's unread notices, at most MOST_UNREAD. All of them are counted in their index alone; of the few questions among them,
    which have an index of their own, those that are over are looked for and taken off."""
    return f"""select (select count(*)::int from (select from notice u where u.member_id = {member} and u.read_at is null
        limit {MOST_UNREAD} + asked.over) unread) - asked.over
        from (select count(*)::int as over from notice n where n.member_id = {member} and n.read_at is null and n.kind = 'SUGGESTION'
          and {EXPIRED.format(now=now)}) asked"""


async def notices_by_id(member_id: UUID, notice_ids: Collection[UUID], *, wanted: Wanted, now: datetime) -> dict[UUID, Row]:
    """These notices of this member, newest first; others' are not there."""
    notice, timed = _notice_shape(wanted, "$3::timestamptz"), [now] if "expired" in wanted else []
    sql = f"select {notice.select} from {NOTICES} where n.member_id = $1 and n.id = any($2::uuid[]) order by n.created_at desc, n.id desc"
    return {row[0]: notice.read(row) for row in await db.fetch(sql, member_id, list(notice_ids), *timed)}


async def unread_of_member(member_id: UUID, *, now: datetime) -> int:
    """The number of unread notices, at most 1,000."""
    found: int = await db.fetchval(_unread("$1", "$2::timestamptz"), member_id, now)
    return found
