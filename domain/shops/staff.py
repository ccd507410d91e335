"""Who works in a shop, and with which rights.

Every command locks the shop first, so that two owners who leave at once cannot both go.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple
from uuid import UUID

from domain import db
from domain.audit.commands import Actor, Entry, record
from domain.db import Tx, from_jsonb, jsonb
from domain.errors import NotFound, PermissionDenied
from domain.ids import new_id
from domain.shops.errors import AlreadyStaff, LastOwner
from domain.shops.rules import GRANTS, Permission, Role, may

RANK: Mapping[Role, int] = MappingProxyType({Role.OWNER: 3, Role.MANAGER: 2, Role.HELPER: 1, Role.SCANNER: 0})


class Staff(NamedTuple):
    """An active membership."""

    id: UUID
    member_id: UUID
    role: Role
    denied: frozenset[str]


def may_manage(manager: Role, other: Role) -> bool:
    """Owners manage everybody, managers whoever is below them, others nobody."""
    return manager is Role.OWNER or (manager is Role.MANAGER and RANK[other] < RANK[manager])


def permissions_of(role: Role, denied: Collection[str]) -> frozenset[Permission]:
    """What a membership may do."""
    return frozenset(permission for permission in GRANTS[role] if may(permission, role, denied))


async def add_membership(
    *,
    shop_id: UUID,
    member_id: UUID,
    role: Role,
    invited_by: UUID,
    now: datetime,
    denied: Collection[Permission] = (),
    request_id: str = "",
    actor: Actor | None = None,
) -> UUID:
    """Take a person on; answers the membership's id. `actor` is who acts in the inviter's name, when it is not the inviter.

    Raises:
        NotFound: `invited_by` does not work in this shop, or there is no such person.
        PermissionDenied: the role is not below the inviter's, or holds what the inviter lacks.
        AlreadyStaff: the person works there already.
    """
    async with db.transaction() as tx:
        staff = await _lock_staff(tx, shop_id)
        inviter = _find(staff, invited_by)
        if not may_manage(inviter.role, role):
            raise PermissionDenied
        _grants_no_more(inviter, permissions_of(role, denied))
        if member_id in staff:
            raise AlreadyStaff
        if await tx.fetchval("select 1 from member where id = $1 and deleted_at is null", member_id) is None:
            raise NotFound
        membership_id = new_id()
        await tx.execute(
            """insert into membership (id, shop_id, member_id, role, denied, invited_by, created_at)
               values ($1, $2, $3, $4, $5::jsonb, $6, $7)""",
            membership_id,
            shop_id,
            member_id,
            role.value,
            jsonb(sorted(denied)),
            invited_by,
            now,
        )
        detail = {"member": str(member_id), "role": role.value, "denied": sorted(denied)}
        entry = Entry(shop_id, "MEMBERSHIP_ADDED", "membership", membership_id, detail)
        await record(tx, actor or _actor(inviter, request_id), [entry], now=now)
        return membership_id


async def end_membership(*, shop_id: UUID, member_id: UUID, by: UUID, now: datetime, request_id: str = "") -> None:
    """A person leaves (`by` is the person) or is let go. The person's access tokens die, so that no open screen goes on.

    Raises:
        NotFound: one of the two does not work in this shop.
        PermissionDenied: `by` may not manage the person.
        LastOwner: nobody would own the shop.
    """
    async with db.transaction() as tx:
        staff = await _lock_staff(tx, shop_id)
        actor, leaving = _find(staff, by), _find(staff, member_id)
        if actor.id != leaving.id and not may_manage(actor.role, leaving.role):
            raise PermissionDenied
        if leaving.role is Role.OWNER and sum(person.role is Role.OWNER for person in staff.values()) == 1:
            raise LastOwner
        await tx.execute("update membership set ended_at = $2 where id = $1", leaving.id, now)
        await tx.execute("update member set ver = ver + 1 where id = $1", member_id)
        detail = {"member": str(member_id), "role": leaving.role.value}
        entry = Entry(shop_id, "MEMBERSHIP_ENDED", "membership", leaving.id, detail)
        await record(tx, _actor(actor, request_id), [entry], now=now)


async def deny(
    *, shop_id: UUID, member_id: UUID, permissions: Collection[Permission], by: UUID, now: datetime, request_id: str = ""
) -> None:
    """Set what is denied to a person of this shop; the earlier list is replaced, an empty one denies nothing.

    Raises:
        NotFound: one of the two does not work in this shop.
        PermissionDenied: `by` may not manage the person, is the person, or would give back what it lacks itself.
    """
    async with db.transaction() as tx:
        staff = await _lock_staff(tx, shop_id)
        actor, person = _find(staff, by), _find(staff, member_id)
        if actor.id == person.id or not may_manage(actor.role, person.role):
            raise PermissionDenied
        _grants_no_more(actor, permissions_of(person.role, permissions) - permissions_of(person.role, person.denied))
        await tx.execute("update membership set denied = $2::jsonb where id = $1", person.id, jsonb(sorted(permissions)))
        detail = {"member": str(member_id), "from": sorted(person.denied), "to": sorted(permissions)}
        entry = Entry(shop_id, "MEMBERSHIP_DENIED", "membership", person.id, detail)
        await record(tx, _actor(actor, request_id), [entry], now=now)


async def _lock_staff(tx: Tx, shop_id: UUID) -> dict[UUID, Staff]:
    """The shop's active staff by member; the shop is locked, and the list is read after that."""
    await _lock_shop(tx, shop_id)
    rows = await tx.fetch("select id, member_id, role, denied from membership where shop_id = $1 and ended_at is null order by id", shop_id)
    return {r["member_id"]: Staff(r["id"], r["member_id"], Role(r["role"]), frozenset(from_jsonb(r["denied"]))) for r in rows}


async def _lock_shop(tx: Tx, shop_id: UUID) -> None:
    """Not FOR UPDATE: that would hold up every order of the shop."""
    await tx.execute("select 1 from shop where id = $1 for no key update", shop_id)


def _find(staff: Mapping[UUID, Staff], member_id: UUID) -> Staff:
    if member_id not in staff:
        raise NotFound
    return staff[member_id]


def _grants_no_more(granter: Staff, wanted: frozenset[Permission]) -> None:
    """No one grants more than they hold."""
    if not wanted <= permissions_of(granter.role, granter.denied):
        raise PermissionDenied


def _actor(person: Staff, request_id: str) -> Actor:
    return Actor(f"member:{person.member_id}", person.role.value, request_id)
