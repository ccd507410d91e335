"""What members wish of their pushes: by kind, by shop, by hour, and how many in a day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any, Final
from uuid import UUID

from domain import db
from domain.db import from_jsonb, jsonb
from domain.errors import NotFound
from domain.notices.pushing import DAILY_PUSHES, DIGEST_AT
from domain.notices.rules import NoticeKind
from domain.paging import SHOP, Row

NEW: Final = """insert into notice_settings (member_id, time_zone, daily_pushes, digest_at, off, spent, updated_at)
  values ($1, '', 20, 1200, '[]', 0, $2) on conflict do nothing"""


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From and until a time by the member's clocks."""

    start: time
    end: time


@dataclass(frozen=True, slots=True)
class Wish:
    """What a member changes; what is None stays. `quiet` False ends quiet hours. `kinds`: whether each is pushed."""

    time_zone: str | None = None
    quiet: QuietHours | bool | None = None
    daily_pushes: int | None = None
    digest_at: time | None = None
    kinds: Mapping[NoticeKind, bool] | None = None


def minutes_of(clock: time) -> int:
    """Minutes after midnight."""
    return clock.hour * 60 + clock.minute


async def wish(*, member_id: UUID, wanted: Wish, now: datetime) -> None:
    """Change what the member wishes for all shops."""
    async with db.transaction() as tx:
        await tx.execute(NEW, member_id, now)
        row = await tx.fetchrow("select off from notice_settings where member_id = $1 for update", member_id)
        assert row is not None
        keeps_quiet = wanted.quiet is None
        quiet = wanted.quiet if isinstance(wanted.quiet, QuietHours) else None
        await tx.execute(
            """update notice_settings set time_zone = coalesce($2, time_zone), daily_pushes = coalesce($3, daily_pushes),
                 digest_at = coalesce($4, digest_at), quiet_from = case when $5 then quiet_from else $6::smallint end,
                 quiet_until = case when $5 then quiet_until else $7::smallint end, off = $8::jsonb, updated_at = $9 where member_id = $1""",
            member_id, wanted.time_zone, wanted.daily_pushes, None if wanted.digest_at is None else minutes_of(wanted.digest_at), keeps_quiet,
            quiet and minutes_of(quiet.start), quiet and minutes_of(quiet.end), jsonb(changed(from_jsonb(row["off"]), wanted.kinds or {})), now,
        )  # fmt: skip


def changed(off: list[str], kinds: Mapping[NoticeKind, bool]) -> list[str]:
    """The kinds that are not pushed, after this change. Pure."""
    return sorted({*off, *(kind.value for kind, push in kinds.items() if not push)} - {kind.value for kind, push in kinds.items() if push})


async def wish_of_shop(
    *, member_id: UUID, shop_id: UUID, muted: bool | None = None, until: datetime | None = None, kinds: Mapping[NoticeKind, bool] | None = None,
    now: datetime,
) -> None:  # fmt: skip
    """Mute a shop (`until` None: for good) or not, and say which kinds of it are pushed; what is None stays.

    Raises:
        NotFound: there is no such shop.
    """
    async with db.transaction() as tx:
        if await tx.fetchval("select 1 from shop where id = $1", shop_id) is None:
            raise NotFound
        await tx.execute(
            """insert into shop_notice_settings (member_id, shop_id, muted, off, updated_at) values ($1, $2, false, '[]', $3)
               on conflict (member_id, shop_id) do nothing""",
            member_id,
            shop_id,
            now,
        )
        row = await tx.fetchrow(
            "select id, muted, muted_until, off from shop_notice_settings where member_id = $1 and shop_id = $2 for update",
            member_id,
            shop_id,
        )
        assert row is not None
        mute = (row["muted"], row["muted_until"]) if muted is None else (muted, until if muted else None)
        await tx.execute(
            "update shop_notice_settings set muted = $2, muted_until = $3, off = $4::jsonb, updated_at = $5 where id = $1",
            row["id"],
            *mute,
            jsonb(changed(from_jsonb(row["off"]), kinds or {})),
            now,
        )


_SETTINGS: Final = f"""
select w.time_zone, w.quiet_from, w.quiet_until, w.daily_pushes, w.digest_at, w.off,
  array(select row(b.muted and (b.muted_until is null or b.muted_until > $2), b.muted_until, b.off, {SHOP.row}) from shop_notice_settings b
        join shop s on s.id = b.shop_id where b.member_id = $1 order by b.shop_id limit 500) as shops
from (select $1::uuid as id) me left join notice_settings w on w.member_id = me.id"""


async def settings_of(member_id: UUID, *, now: datetime) -> Row:
    """What the member wishes, with what holds where they said nothing; one statement."""
    row = await db.fetchrow(_SETTINGS, member_id, now)
    assert row is not None
    known = row["daily_pushes"] is not None
    quiet = known and row["quiet_from"] is not None and row["quiet_until"] is not None
    return {
        "time_zone": (row["time_zone"] or None) if known else None,
        "quiet_from": _clock(row["quiet_from"]) if quiet else None,
        "quiet_until": _clock(row["quiet_until"]) if quiet else None,
        "daily_pushes": row["daily_pushes"] if known else DAILY_PUSHES,
        "digest_at": _clock(row["digest_at"] if known else minutes_of(DIGEST_AT)),
        "kinds": _kinds(from_jsonb(row["off"]) if known else []),
        "shops": [
            {"shop": SHOP.read(shop), "muted": muted, "muted_until": until if muted else None, "kinds": _kinds(from_jsonb(off))}
            for muted, until, off, shop in row["shops"]
        ],
    }


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _kinds(off: Any) -> list[Row]:
    return [{"kind": kind.value, "push": kind.value not in off} for kind in NoticeKind]
