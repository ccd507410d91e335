"""Notices are rows written with their cause; the push to each device is a row and a job of the same transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from domain import db
from domain.db import Tx, jsonb
from domain.ids import new_ids
from domain.jobs import PUSH, JobQueue, lots
from domain.notices.rules import NoticeKind
from domain.values import value

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


async def enqueue(tx: Tx, shop_id: UUID, drafts: Sequence[NoticeDraft], *, now: datetime, jobs: JobQueue) -> int:
    """Write notices of one shop, a push row per device of the member, and the jobs; answers how many notices were new."""
    if not drafts:
        return 0
    rows = await tx.fetch(
        """with new as (
             insert into notice (id, shop_id, buyer_id, member_id, kind, data, dedupe_key, created_at)
             select d.id, $1, d.buyer_id, (select b.member_id from buyer b where b.id = d.buyer_id and b.shop_id = $1), d.kind, d.data::jsonb,
                    d.dedupe_key, $2
             from unnest($3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[]) d(id, buyer_id, kind, data, dedupe_key)
             on conflict (shop_id, dedupe_key) do nothing
             returning id, member_id)
           select new.id as notice_id, device.id as device_id from new
           left join device on device.member_id = new.member_id and device.revoked_at is null""",
        shop_id,
        now,
        new_ids(len(drafts)),
        [d.buyer_id for d in drafts],
        [d.kind for d in drafts],
        [jsonb(d.data) for d in drafts],
        [d.dedupe_key for d in drafts],
    )
    reached = [(row["notice_id"], row["device_id"]) for row in rows if row["device_id"] is not None]
    pushes = [(made, *pair) for made, pair in zip(new_ids(len(reached)), reached, strict=True)]
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
    return len({row["notice_id"] for row in rows})


async def mark_read(*, member_id: UUID, ids: Sequence[UUID], now: datetime) -> int:
    """Mark a member's own notices as read, and answer how many were unread; ids of others' notices change nothing."""
    if not ids:
        return 0
    return await db.execute(
        "update notice set read_at = $1 where member_id = $2 and id = any($3::uuid[]) and read_at is null", now, member_id, list(ids)
    )
