"""Claim codes in what people write: heard before anything is read as an order, and blanked, so that such a text never orders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

from domain.claims.ports import EventKind, SocialEvent
from domain.db import Tx
from domain.inbox.taken import InboxRow, Verdict
from domain.members.claim_codes import Spoken, code_in, hear

BLANKED: Final = "(claim code)"
"""What is kept of such a text; it names no goods and holds no sign of an order."""
WORDS: Final = frozenset({EventKind.ADD, EventKind.EDIT, EventKind.MESSAGE})
BOTS: Final = frozenset({"line", "telegram"})
"""An endpoint of these is one bot, whose people have one id at every shop. A Facebook app serves pages that each know a person by another one."""

Channels = Mapping[tuple[UUID, str], tuple[UUID, UUID, bool]]


async def heard(
    tx: Tx, read: Sequence[tuple[InboxRow, SocialEvent]], channels: Channels, verdicts: list[Verdict], now: datetime
) -> list[tuple[InboxRow, SocialEvent]]:
    """The events again, those with a claim code blanked.

    A code sent to a bot, where no shop has a channel, and all that is said in a page's own chat is dealt with here and left out.
    """
    left: list[tuple[InboxRow, SocialEvent]] = []
    spoken: list[Spoken] = []
    for row, event in read:
        code = code_in(event.text) if event.kind in WORDS else None
        if code is None:
            if event.kind is EventKind.MESSAGE:
                verdicts.append(Verdict(row.id, "NOTED"))
            else:
                left.append((row, event))
            continue
        found = channels.get((row.endpoint_id, event.channel_id))
        shops = (found[1],) if found is not None else await _shops_of_bot(tx, row.endpoint_id) if row.source in BOTS else ()
        if event.author_id and not event.is_owner and not event.is_bot and shops:
            spoken.append(Spoken(row.source, event.author_id, event.author_name, shops, code))
        if event.kind is EventKind.MESSAGE or (found is None and row.source in BOTS):
            verdicts.append(Verdict(row.id, "NOTED"))
        else:
            left.append((row, replace(event, text=BLANKED, mentions=None)))
    if spoken:
        await hear(tx, spoken, now)
    return left


async def _shops_of_bot(tx: Tx, endpoint_id: UUID) -> tuple[UUID, ...]:
    """Every shop that this bot serves."""
    rows = await tx.fetch("select distinct shop_id from channel where endpoint_id = $1 order by shop_id", endpoint_id)
    return tuple(row["shop_id"] for row in rows)
