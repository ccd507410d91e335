"""What an operator can do for a member who has lost every second proof.

There is no way back over the app, since a thief could take it as well: whoever runs the deployment makes sure by other means that the person is who they say.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain import db
from domain.audit.commands import Actor
from domain.db import Tx
from domain.errors import NotFound
from domain.members import sessions, standing
from domain.members.people import lock_account, note

COUNTED = """select (select count(*) from passkey where member_id = $1) as passkeys,
  (select count(*) from authenticator where member_id = $1 and confirmed_at is not null) as authenticators,
  (select count(*) from recovery_code where member_id = $1) as recovery_codes"""


@dataclass(frozen=True, slots=True)
class Proofs:
    """The second proofs of one member, counted."""

    passkeys: int
    authenticators: int
    """0 or 1: one that was confirmed."""
    recovery_codes: int
    """Used ones too."""

    def __bool__(self) -> bool:
        return bool(self.passkeys or self.authenticators or self.recovery_codes)


async def proofs_of(member_id: UUID) -> Proofs:
    """What `forget` would remove.

    Raises:
        NotFound: there is no such member, or the account is deleted or part of another one.
    """
    async with db.transaction() as tx:
        return await _locked(tx, member_id)


async def forget(*, member_id: UUID, actor: Actor, now: datetime) -> Proofs:
    """Remove passkeys, authenticator and recovery codes, sign the member out everywhere, and note it in the account's book; answers what was removed.

    Whoever has none is left alone, signed in as they are. A proof that is being set up meanwhile waits, and then finds its session ended.

    Raises:
        NotFound: as `proofs_of`.
    """
    async with db.transaction() as tx:
        found = await _locked(tx, member_id)
        if not found:
            return found
        for table in ("passkey", "authenticator", "recovery_code"):
            await tx.execute(f"delete from {table} where member_id = $1", member_id)
        await sessions.end_all(member_id, now)
        detail = {"passkeys": found.passkeys, "authenticators": found.authenticators, "recovery_codes": found.recovery_codes}
        await note(tx, [member_id], "PROOFS_FORGOTTEN", actor=actor, now=now, detail=detail)
    standing.forget_member(member_id)
    return found


async def _locked(tx: Tx, member_id: UUID) -> Proofs:
    if not await lock_account(tx, member_id):
        raise NotFound
    row = await tx.fetchrow(COUNTED, member_id)
    assert row is not None
    return Proofs(*row.values())
