"""A platform copied a post of ours: comments under the copy mean the same post, those that came before the copy too."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from domain.claims.loading import MENTIONS, spans
from domain.claims.ports import EventKind, SocialEvent
from domain.db import Record, Tx
from domain.ids import new_id
from domain.inbox.taken import InboxRow
from domain.shops.rules import SourcePlatform

TAKEN_UP_AGAIN = 0
"""Event id of a comment that is decided again though no event of this batch tells of it."""


async def link(tx: Tx, shop_id: UUID, channel_id: UUID, event: SocialEvent, *, now: datetime) -> bool:
    """Place the copy where the original stands; False when the original is no post of this shop, or the copy is known."""
    if event.links_to is None:
        return False
    placed = await tx.execute(
        """insert into post_placement (id, shop_id, post_id, channel_id, external_post_id, created_at)
           select $1, $2, p.post_id, $3, $4, $5 from post_placement p join channel c on c.id = p.channel_id
           where c.shop_id = $2 and c.external_id = $6 and p.external_post_id = $7
           on conflict (channel_id, external_post_id) do nothing""",
        new_id(),
        shop_id,
        channel_id,
        event.post_id,
        now,
        *event.links_to,
    )
    return placed > 0


async def waiting_for(tx: Tx, row: InboxRow, channel_id: UUID, event: SocialEvent) -> list[tuple[InboxRow, SocialEvent]]:
    """Comments under the copy that were stored before anybody knew of which post it was, as the events that they came by."""
    rows = await tx.fetch(
        f"""select c.external_id, c.platform, c.text, c.text_at, c.received_at, c.author_name, c.is_owner, b.external_id as author_id,
                  {MENTIONS} as mentions
           from social_comment c left join buyer b on b.id = c.buyer_id
           where c.channel_id = $1 and c.external_post_id = $2 and c.post_id is null and c.removed_at is null order by c.text_at, c.id""",
        channel_id,
        event.post_id,
    )
    return [(replace(row, id=TAKEN_UP_AGAIN, occurred_at=r["text_at"], received_at=r["received_at"]), _event(event, r)) for r in rows]


def _event(under: SocialEvent, row: Record) -> SocialEvent:
    return SocialEvent(
        EventKind.ADD,
        SourcePlatform(row["platform"]),
        channel_id=under.channel_id,
        comment_id=row["external_id"],
        post_id=under.post_id,
        author_id=row["author_id"] or "",
        author_name=row["author_name"],
        text=row["text"],
        mentions=spans(row["mentions"]),
        occurred_at=row["text_at"],
        is_owner=row["is_owner"],
    )
