"""A signed-in member opens an address: the link of a private reply asks whether its reader was the commenter, a bot's leads on to the platform."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from domain import db
from domain.audit.commands import Actor
from domain.db import Tx, jsonb
from domain.ids import new_id
from domain.members import account_links
from domain.members.errors import LinkOver
from domain.members.guesses import count, give_back, per_account, per_address
from domain.members.link_addresses import Opens, read
from domain.members.people import lock_account, note
from domain.members.rules import COMMENT_LINK_LIFE, CONFIRM_WITHIN, ERASED
from domain.vault import Vault


@dataclass(frozen=True, slots=True)
class Opened:
    """Where it leads: to a question for `linking_names.confirm`, or on to the platform."""

    link_id: UUID | None = None
    url: str | None = field(default=None, repr=False)


async def open_address(
    *, member_id: UUID, text: str, vault: Vault, now: datetime, client_address: str = "", request_id: str = ""
) -> Opened:
    """Use an address up. The same member may open it again while nothing came of it; what it leads to stays the same.

    Raises:
        TooManyGuesses: too many that led nowhere.
        LinkOver: used, too old, of somebody who has a member, or none of ours. One answer for every cause.
    """
    limits = [per_account("link-address", str(member_id)), per_address("link-address", client_address)]
    await count(limits, now)
    opens, key = read(text, vault)
    actor = Actor(f"member:{member_id}", request_id=request_id)
    async with db.transaction() as tx:
        if not await lock_account(tx, member_id):
            raise LinkOver
        if opens is Opens.COMMENT:
            opened = Opened(link_id=await _ask(tx, member_id, key, actor, now))
        else:
            opened = Opened(url=await account_links.go_on(tx, member_id, key, vault, actor, now))
    await give_back(limits)
    return opened


async def _ask(tx: Tx, member_id: UUID, reply_id: UUID, actor: Actor, now: datetime) -> UUID:
    """The question whether the reader of this private reply is the commenter; there is one for each reply, ever."""
    found = await tx.fetchrow(
        """select b.shop_id, b.provider, b.external_id, b.name from platform_reply r
           join social_comment c on c.id = r.comment_id join buyer b on b.id = c.buyer_id
           where r.id = $1 and r.kind = 'PRIVATE' and r.created_at > $2 and b.member_id is null and b.external_id not like $3 || '%'
             and not exists (select from identity i where i.provider = b.provider and i.subject = b.external_id)""",
        reply_id,
        now - COMMENT_LINK_LIFE,
        ERASED,
    )
    if found is None:
        raise LinkOver
    question, mark = new_id(), _mark(reply_id)
    made = await tx.execute(
        """insert into claim_code (id, kind, member_id, hash, created_at, expires_at, seen_at, provider, external_id, name, shops, accepted)
           values ($1, 'NAME', $2, $3, $4, $4, $4, $5, $6, $7, $8::jsonb, false) on conflict (hash) do nothing""",
        question, member_id, mark, now, found["provider"], found["external_id"], found["name"], jsonb([str(found["shop_id"])]),
    )  # fmt: skip
    if made:
        await note(tx, [member_id], "COMMENT_LINK_OPENED", actor=actor, now=now, detail={"provider": found["provider"]})
        return question
    mine: UUID | None = await tx.fetchval(
        "select id from claim_code where hash = $1 and member_id = $2 and answered_at is null and seen_at >= $3",
        mark,
        member_id,
        now - CONFIRM_WITHIN,
    )
    if mine is None:
        raise LinkOver
    return mine


def _mark(reply_id: UUID) -> str:
    """What makes a second question about one reply impossible: the column is unique."""
    return hashlib.sha256(f"comment-link:{reply_id}".encode()).hexdigest()
