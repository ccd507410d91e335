"""How lately the person behind a session proved who they are.

What a thief with somebody's unlocked phone would go for (money given back, a file of all data, an account given up to another) asks for
it again: a session counts as fresh for a while after it began, and after its person proved one of their identities once more.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from domain import db
from domain.db import Tx
from domain.members.errors import SignInAgain, SignInRefused
from domain.members.ports import ProvenIdentity
from domain.members.rules import FRESH_ACT

PROVEN = "coalesce(confirmed_at, created_at)"
"""When the person of a session last proved who they are."""


async def confirm(tx: Tx, session_id: UUID, member_id: UUID, proven: ProvenIdentity, now: datetime) -> None:
    """The person of this session proved one of their identities again. The session lives no longer for it.

    Raises:
        SignInRefused: the identity is not this member's, or the session has ended.
    """
    own = await tx.execute(
        "update identity set last_seen_at = $4 where provider = $1 and subject = $2 and member_id = $3",
        proven.provider,
        proven.subject,
        member_id,
        now,
    )
    runs = await tx.execute(
        "update session set confirmed_at = $3 where id = $1 and member_id = $2 and ended_at is null", session_id, member_id, now
    )
    if not (own and runs):
        raise SignInRefused


async def require(session_id: UUID, member_id: UUID, now: datetime, *, within: timedelta = FRESH_ACT) -> None:
    """Go on when the session is fresh.

    Raises:
        SignInAgain: its person proved who they are longer ago, or it has ended.
    """
    proven_at = await db.fetchval(
        f"select {PROVEN} from session where id = $1 and member_id = $2 and ended_at is null", session_id, member_id
    )
    if proven_at is None or proven_at < now - within:
        raise SignInAgain
