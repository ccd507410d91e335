"""The id under which a page's messages know somebody who comments: told by the platform, in its answer to a private reply.

At Facebook a comment's `from.id` and Messenger's id of the person are two, and nothing else joins them. Where one of them has a member and the
other is nobody's, the member has both from then on: the platform itself said that they are one person at this page.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import asyncpg

from domain import db
from domain.audit.commands import Actor, record
from domain.db import Record
from domain.members.people import hand, lock_account, lock_buyers, note
from domain.members.rules import ERASED

WORKER = Actor("worker:replies")
MAX_ID_CHARS = 120


async def learn(reply_id: UUID, inbox_id: str, now: datetime) -> bool:
    """Keep what the answer to a private reply said of its reader; answers whether it was new. Told twice, it is known once.

    An id that the commenter has already, or that another commenter of the shop has, changes nothing.
    """
    if not 0 < len(inbox_id) <= MAX_ID_CHARS:
        return False
    found = await db.fetchrow(
        """select b.id, b.shop_id, b.provider, b.external_id, b.inbox_id, b.member_id, o.id as other_id, o.member_id as other_member
           from platform_reply r join social_comment c on c.id = r.comment_id join buyer b on b.id = c.buyer_id
           left join buyer o on o.shop_id = b.shop_id and o.provider = b.provider and o.external_id = $2
           where r.id = $1 and r.kind = 'PRIVATE'""",
        reply_id,
        inbox_id,
    )
    if found is None or found["inbox_id"] is not None or found["external_id"] == inbox_id or found["external_id"].startswith(ERASED):
        return False
    try:
        return await _keep(found, inbox_id, now)
    except asyncpg.UniqueViolationError:
        return False


async def _keep(found: Record, inbox_id: str, now: datetime) -> bool:
    both = [key for key in (found["id"], found["other_id"]) if key is not None]
    members = {key for key in (found["member_id"], found["other_member"]) if key is not None}
    async with db.transaction() as tx:
        living = [member for member in sorted(members) if await lock_account(tx, member)]
        held = {row["id"]: row for row in await lock_buyers(tx, [], both)}
        if not await tx.execute("update buyer set inbox_id = $2 where id = $1 and inbox_id is null", found["id"], inbox_id):
            return False
        owners = {row["member_id"] for row in held.values()} - {None}
        if len(held) == 2 and len(owners) == 1 and owners <= set(living):
            (member_id,) = owners
            entries = await hand(tx, both, member_id, actor=WORKER, now=now)
            await record(tx, WORKER, entries, now=now)
            await note(tx, [member_id], "NAMES_JOINED", actor=WORKER, now=now, detail={"provider": found["provider"]})
    return True
