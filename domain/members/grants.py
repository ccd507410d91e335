"""What providers want back when a member's account is deleted, or this way to sign in is given up: kept sealed, given back by a worker."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from domain import db
from domain.ids import new_id
from domain.members.ports import KeptGrant, ProvenIdentity
from domain.vault import SealBroken, Vault

AGAIN = timedelta(hours=6)
"""Between tries to give one back; none is given up."""
DELETED_WITHIN = timedelta(days=30)
"""Members who were deleted longer ago have been seen."""


@dataclass(frozen=True, slots=True)
class DueGrant:
    """A deleted member's grant, leased to us. `token` is None when it was sealed with a key that is no more."""

    id: UUID
    client_id: str
    token: str | None = field(repr=False)


async def keep(member_id: UUID, proven: ProvenIdentity, grant: KeptGrant, vault: Vault, now: datetime) -> None:
    """Keep the newest grant of this identity and app."""
    await db.execute(
        """insert into provider_grant (id, member_id, provider, subject, client_id, token_encrypted, created_at)
           values ($1, $2, $3, $4, $5, $6, $7)
           on conflict (provider, subject, client_id) do update set
             member_id = excluded.member_id, token_encrypted = excluded.token_encrypted, created_at = excluded.created_at, give_back_at = null""",
        new_id(),
        member_id,
        proven.provider,
        proven.subject,
        grant.client_id,
        vault.seal(grant.token),
        now,
    )


async def note_deleted(now: datetime) -> int:
    """Grants of members who were deleted lately are due; answers how many are new."""
    return await db.execute(
        """update provider_grant g set give_back_at = $1 from member m
           where m.deleted_at > $2 and g.member_id = m.id and g.give_back_at is null""",
        now,
        now - DELETED_WITHIN,
    )


async def claim_due(provider: str, vault: Vault, now: datetime, *, limit: int = 50) -> list[DueGrant]:
    """Lease grants that are due, until AGAIN."""
    rows = await db.fetch(
        """with due as materialized (
             select id from provider_grant where provider = $1 and give_back_at <= $2
             order by give_back_at, id limit $4 for update skip locked)
           update provider_grant g set give_back_at = $3 from due where g.id = due.id returning g.id, g.client_id, g.token_encrypted""",
        provider,
        now,
        now + AGAIN,
        limit,
    )
    return [DueGrant(row["id"], row["client_id"], _opened(row["token_encrypted"], vault)) for row in rows]


async def given_back(grant_id: UUID) -> None:
    """The provider has it: nothing of it stays."""
    await db.execute("delete from provider_grant where id = $1", grant_id)


def _opened(sealed: str, vault: Vault) -> str | None:
    try:
        return vault.open(sealed).decode()
    except SealBroken:
        return None
