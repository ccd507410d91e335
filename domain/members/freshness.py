"""How lately the person behind a session proved who they are.

What a thief with somebody's unlocked phone would go for (money given back, a file of all data, an account given up to another) asks for
it again: a session counts as fresh for a while after it began, and after its person proved one of their identities once more.

Who has set a second proof up (a passkey, an authenticator app) shows it as well, in the same while, and so does everybody who works in a shop that asks all of its
staff for one. A passkey is both at once: signing in, or confirming, with it makes the session fresh and is the second proof; a code of an app is the second proof alone.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from domain import db
from domain.db import Tx
from domain.members.errors import SecondProofNeeded, SecondProofUnset, SignInAgain, SignInRefused
from domain.members.ports import ProvenIdentity
from domain.members.rules import FRESH_ACT

PROVEN = "coalesce(confirmed_at, created_at)"
"""When the person of a session last proved who they are."""

ENROLLED = """(exists (select from passkey p where p.member_id = $2)
  or exists (select from authenticator a where a.member_id = $2 and a.confirmed_at is not null))"""
DEMANDED = """exists (select from membership w join shop h on h.id = w.shop_id
  where w.member_id = $2 and w.ended_at is null and h.staff_second_proof)"""
STATE = f"""select {PROVEN} as proven_at, second_proof_at, {ENROLLED} as enrolled, {DEMANDED} as demanded
  from session where id = $1 and member_id = $2 and ended_at is null"""


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


async def second_proof(tx: Tx, session_id: UUID, member_id: UUID, now: datetime, *, confirms: bool) -> None:
    """The person of this session showed a second proof; `confirms`: one that proves by itself who they are.

    Raises:
        SignInRefused: the session has ended, or is not this member's.
    """
    runs = await tx.execute(
        """update session set second_proof_at = $3, confirmed_at = case when $4 then $3 else confirmed_at end
           where id = $1 and member_id = $2 and ended_at is null""",
        session_id,
        member_id,
        now,
        confirms,
    )
    if not runs:
        raise SignInRefused


async def require(
    session_id: UUID, member_id: UUID, now: datetime, *, within: timedelta = FRESH_ACT, tx: Tx | None = None, enrolling: bool = False
) -> None:
    """Go on when the session is fresh, and has shown the second proof where one is asked for.

    `tx`: look within this transaction. `enrolling`: the act sets a second proof up, so that a shop's wish for one does not stand in its way.

    Raises:
        SignInAgain: its person proved who they are longer ago, or it has ended.
        SecondProofNeeded: the person has a second proof and did not show it so lately.
        SecondProofUnset: the person has none, and works in a shop that asks for one.
    """
    row = await (db.fetchrow if tx is None else tx.fetchrow)(STATE, session_id, member_id)
    if row is None:
        raise SignInAgain
    shown = row["second_proof_at"] is not None and row["second_proof_at"] >= now - within
    if row["enrolled"] and not shown:
        raise SecondProofNeeded
    if row["proven_at"] < now - within:
        raise SignInAgain
    if row["demanded"] and not row["enrolled"] and not enrolling:
        raise SecondProofUnset
