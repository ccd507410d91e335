"""What the platforms' own linking of accounts brings into the inbox: people who ask an account for the way, and the platform's word about them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from domain.claims.ports import EventKind, SocialEvent, SourcePlatform
from domain.db import Tx
from domain.inbox.taken import InboxRow, Verdict
from domain.jobs import JobQueue
from domain.members import account_links
from domain.members.claim_codes import asks_for_link


async def answered(
    tx: Tx, read: Sequence[tuple[InboxRow, SocialEvent]], verdicts: list[Verdict], now: datetime, jobs: JobQueue
) -> list[tuple[InboxRow, SocialEvent]]:
    """The other events; these are dealt with here. Only LINE's accounts have such."""
    if all(row.source != "line" for row, _ in read):
        return list(read)
    left: list[tuple[InboxRow, SocialEvent]] = []
    for row, event in read:
        if event.kind in (EventKind.ACCOUNT_LINKED, EventKind.ACCOUNT_NOT_LINKED):
            ok = event.kind is EventKind.ACCOUNT_LINKED
            await account_links.answered(tx, endpoint_id=row.endpoint_id, person=event.author_id, nonce=event.text, ok=ok, now=now)
        elif _asks(event):
            await account_links.ask(
                tx,
                endpoint_id=row.endpoint_id,
                provider=row.source,
                person=event.author_id,
                reply_token=event.reply_token,
                now=now,
                jobs=jobs,
            )
        else:
            left.append((row, event))
            continue
        verdicts.append(Verdict(row.id, "NOTED"))
    return left


def _asks(event: SocialEvent) -> bool:
    if event.kind is EventKind.FOLLOWED:
        return True
    alone = event.source is SourcePlatform.LINE_OA and event.kind is EventKind.ADD and bool(event.author_id)
    return alone and asks_for_link(event.text)
