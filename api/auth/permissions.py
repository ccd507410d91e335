"""Rights of a member in a shop, read from the database per request; deny wins."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from domain import db
from domain.errors import NotFound, PermissionDenied
from domain.shops.rules import Permission, Role, may


@dataclass(frozen=True, slots=True)
class Rights:
    """One membership's role and what it is denied."""

    role: Role
    denied: frozenset[str]

    def require(self, permission: Permission) -> None:
        """Raises PermissionDenied unless the role grants it and it is not denied."""
        if not may(permission, self.role, self.denied):
            raise PermissionDenied


async def rights_in(shop_id: UUID, member_id: UUID) -> Rights:
    """The member's rights in this shop.

    Raises:
        NotFound: no active membership there.
    """
    row = await db.fetchrow(
        "select role, denied from membership where shop_id = $1 and member_id = $2 and ended_at is null", shop_id, member_id
    )
    if row is None:
        raise NotFound
    return Rights(Role(row["role"]), frozenset(db.from_jsonb(row["denied"])))
