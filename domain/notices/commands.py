"""Notices are rows written with their cause; the push to each device is a row and a job of the same transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from domain import db
from domain.db import Tx, jsonb
from domain.ids import new_ids
from domain.jobs import PUSH, JobQueue, lots
from domain.notices.rules import NoticeKind
from domain.values import value

NOBODY: Final[Mapping[UUID, UUID | None]] = MappingProxyType({})
USE_BY = timedelta(hours=2)
"""A push that could not be sent for so long is dropped; the notice stays in the inbox."""


@value
class NoticeDraft:
    """A notice to be. `dedupe_key` is unique in the shop: the same cause never makes two."""

    buyer_id: UUID
    kind: NoticeKind
    dedupe_key: str
    data: Mapping[str, Any]
    """Facts only (ids, numbers, amounts, titles); the app and `api/notifications/messages.py` make the words."""
    first: bool = False
    """Its cause began in this transaction: nobody can have told of it before."""


async def enqueue(
    tx: Tx, shop_id: UUID, drafts: Sequence[NoticeDraft], *, now: datetime, jobs: JobQueue, members: Mapping[UUID, UUID | None] = NOBODY
) -> int:
    """Write notices of one shop, a push row per device of the member, and the jobs; answers how many notices were new.

    `members`: whose the buyers are whom the caller holds; of others it is looked up.
    """
    if not drafts:
        return 0
    new = await _write(tx, shop_id, {d.dedupe_key: d for d in reversed(drafts)}, members, now)
    read_by = [(notice_id, member_id) for notice_id, member_id in new.items() if member_id is not None]
    devices: list[db.Record] = []
    if read_by:
        devices = await tx.fetch(
            """select n.id as notice_id, device.id as device_id from unnest($1::uuid[], $2::uuid[]) n(id, member_id)
               join device on device.member_id = n.member_id and device.revoked_at is null""",
            [notice_id for notice_id, _ in read_by],
            [member_id for _, member_id in read_by],
        )
    pushes = [(made, row["notice_id"], row["device_id"]) for made, row in zip(new_ids(len(devices)), devices, strict=True)]
    if pushes:
        await tx.execute(
            """insert into push_delivery (id, notice_id, device_id, state, tries, next_try_at, use_by, provider_id, last_error)
               select p.id, p.notice_id, p.device_id, 'PENDING', 0, $1, $2, '', ''
               from unnest($3::uuid[], $4::uuid[], $5::uuid[]) p(id, notice_id, device_id)""",
            now,
            now + USE_BY,
            [p[0] for p in pushes],
            [p[1] for p in pushes],
            [p[2] for p in pushes],
        )
        await jobs.enqueue(tx, PUSH, lots([str(p[0]) for p in pushes], "deliveries"))
    return len(new)


async def _write(
    tx: Tx, shop_id: UUID, drafts: Mapping[str, NoticeDraft], known: Mapping[UUID, UUID | None], now: datetime
) -> dict[UUID, UUID | None]:
    """Write those of the drafts whose keys are not there yet; answers their ids with the members who will read them.

    Whoever tells of a cause holds the row that it is about, so that a key hardly ever comes twice at one time; if one does, `copy_new` knows.
    """
    members = {key: known[d.buyer_id] for key, d in drafts.items() if d.first and d.buyer_id in known}
    asked = [(key, d.buyer_id) for key, d in drafts.items() if key not in members]
    if asked:
        rows = await tx.fetch(
            # Scalar sub-selects are looked up by key for each row, whatever the planner thinks of the tables.
            """select k.key, (select b.member_id from buyer b where b.id = k.buyer_id and b.shop_id = $1) as member_id
               from unnest($2::text[], $3::uuid[]) k(key, buyer_id)
               where (select true from notice n where n.shop_id = $1 and n.dedupe_key = k.key) is null""",
            shop_id,
            [key for key, _ in asked],
            [buyer_id for _, buyer_id in asked],
        )
        members.update((row["key"], row["member_id"]) for row in rows)
    unsaid = [(key, d) for key, d in reversed(list(drafts.items())) if key in members]
    new = [
        (made, shop_id, d.buyer_id, members[key], d.kind.value, jsonb(d.data), key, now)
        for made, (key, d) in zip(new_ids(len(unsaid)), unsaid, strict=True)
    ]
    if not asked:  # no key of these can be there
        await tx.copy("notice", NOTICE, new)
        return {row[0]: row[3] for row in new}
    written = await tx.copy_new("notice", NOTICE, new)
    return {row[0]: row[3] for row in written}


NOTICE = ("id", "shop_id", "buyer_id", "member_id", "kind", "data", "dedupe_key", "created_at")


async def mark_all_read(*, member_id: UUID, before: datetime, now: datetime) -> int:
    """Mark all of a member's notices up to an instant as read, and answer how many were unread."""
    return await db.execute(
        "update notice set read_at = $1 where member_id = $2 and created_at <= $3 and read_at is null", now, member_id, before
    )


async def mark_read(*, member_id: UUID, ids: Sequence[UUID], now: datetime) -> int:
    """Mark a member's own notices as read, and answer how many were unread; ids of others' notices change nothing."""
    if not ids:
        return 0
    return await db.execute(
        "update notice set read_at = $1 where member_id = $2 and id = any($3::uuid[]) and read_at is null", now, member_id, list(ids)
    )
