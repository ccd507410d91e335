"""Attack A2 and the matrix of roles: nobody gets more than they were given, and a shop always has an owner."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from api.auth.permissions import rights_in
from domain import db as database
from domain.errors import NotFound, PermissionDenied
from domain.ids import new_id
from domain.shops import staff
from domain.shops.commands import add_membership, deny, end_membership
from domain.shops.errors import AlreadyStaff, LastOwner
from domain.shops.rules import GRANTS, Permission, Role, may
from domain.shops.staff import may_manage, permissions_of
from tests.build import AShop, a_member, a_membership, a_shop
from tests.conftest import NOW

P, R = Permission, Role
LATER = NOW + timedelta(hours=1)

MATRIX: dict[Permission, str] = {
    #                      owner manager helper scanner
    P.VIEW_ORDERS:        "yes   yes     yes    no",
    P.VIEW_STOCK:         "yes   yes     yes    no",
    P.VIEW_COMMENTS:      "yes   yes     yes    no",
    P.CANCEL_ORDER:       "yes   yes     yes    no",
    P.MARK_PAID:          "yes   yes     no     no",
    P.ADJUST_STOCK:       "yes   yes     yes    no",
    P.RESOLVE_COMMENTS:   "yes   yes     yes    no",
    P.CHANGE_CLAIM_RULES: "yes   yes     no     no",
    P.RESTRICT_BUYERS:    "yes   yes     no     no",
    P.SCAN_AND_HAND_OVER: "yes   yes     yes    yes",
    P.ANSWER_BUYERS:      "yes   yes     yes    no",
    P.SHIP:               "yes   yes     no     no",
    P.ANNOUNCE:           "yes   yes     no     no",
    P.MANAGE_DELIVERY:    "yes   yes     no     no",
}  # fmt: skip
CELLS = [(permission, role, answer == "yes") for permission, row in MATRIX.items() for role, answer in zip(Role, row.split(), strict=True)]


def test_the_matrix_has_every_permission_and_role():
    assert set(MATRIX) == set(Permission)
    assert set(GRANTS) == set(Role) == {role for _, role, _ in CELLS}
    assert len(CELLS) == len(Permission) * len(Role)


@pytest.mark.parametrize(("permission", "role", "granted"), CELLS)
def test_a_role_grants_what_the_matrix_says(permission, role, granted):
    assert may(permission, role, ()) is granted
    assert may(permission, role, set(Permission) - {permission}) is granted
    # Deny wins, whatever the role.
    assert may(permission, role, {permission}) is False
    assert may(permission, role, {permission.value}) is False
    assert may(permission, role, set(Permission)) is False


@pytest.mark.parametrize(("permission", "role", "granted"), CELLS)
async def test_the_same_cells_through_the_database(db, permission, role, granted):
    shop = await a_shop()
    member = await a_membership(shop, role=role)
    denied = await a_membership(shop, role=role, denied=[permission.value])
    rights = await rights_in(shop.id, member)
    if granted:
        rights.require(permission)
    else:
        with pytest.raises(PermissionDenied):
            rights.require(permission)
    with pytest.raises(PermissionDenied):
        (await rights_in(shop.id, denied)).require(permission)


async def test_rights_belong_to_one_shop(db):
    shop, other = await a_shop(), await a_shop()
    owner = await a_membership(shop)
    for shop_id, member in ((other.id, owner), (new_id(), owner), (shop.id, new_id())):
        with pytest.raises(NotFound):
            await rights_in(shop_id, member)


def test_who_manages_whom():
    expected = {
        R.OWNER: {R.OWNER, R.MANAGER, R.HELPER, R.SCANNER},
        R.MANAGER: {R.HELPER, R.SCANNER},
        R.HELPER: set(),
        R.SCANNER: set(),
    }
    assert {manager: {other for other in Role if may_manage(manager, other)} for manager in Role} == expected


async def take_on(shop: AShop, role: Role, by: UUID, member: UUID | None = None, **given: Any) -> UUID:
    who = member or await a_member()
    await add_membership(shop_id=shop.id, member_id=who, role=role, invited_by=by, now=NOW, **given)
    return who


async def state() -> list[tuple[Any, ...]]:
    rows = await database.fetch("select member_id, role, denied, ended_at from membership order by id")
    return [tuple(row) for row in rows]


async def audit() -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await database.fetch("select action, actor, role, detail from audit_entry order by id")]


@pytest.mark.parametrize("inviter", list(Role))
@pytest.mark.parametrize("role", list(Role))
async def test_a_role_is_given_only_by_those_above_it(db, inviter, role):
    shop = await a_shop()
    by = await a_membership(shop, role=inviter)
    before = await state()
    if may_manage(inviter, role):
        taken = await take_on(shop, role, by)
        assert (await rights_in(shop.id, taken)).role is role
    else:
        with pytest.raises(PermissionDenied):
            await take_on(shop, role, by)
        assert await state() == before
        assert await audit() == []


async def test_taking_on_leaves_its_audit(db):
    shop = await a_shop()
    owner = await a_membership(shop)
    helper = await take_on(shop, R.HELPER, owner, denied=[P.ADJUST_STOCK], request_id="r-1")
    ((action, actor, role, detail),) = await audit()
    assert (action, actor, role) == ("MEMBERSHIP_ADDED", f"member:{owner}", "OWNER")
    assert database.from_jsonb(detail) == {"member": str(helper), "role": "HELPER", "denied": ["ADJUST_STOCK"]}
    assert await database.fetchval("select request_id from audit_entry") == "r-1"
    assert await database.fetchval("select invited_by from membership where member_id = $1", helper) == owner


async def test_no_one_grants_what_they_lack(db):
    shop = await a_shop()
    manager = await a_membership(shop, role=R.MANAGER, denied=["CANCEL_ORDER"])
    with pytest.raises(PermissionDenied):
        await take_on(shop, R.HELPER, manager)
    helper = await take_on(shop, R.HELPER, manager, denied=[P.CANCEL_ORDER])
    assert P.CANCEL_ORDER not in permissions_of(R.HELPER, (await rights_in(shop.id, helper)).denied)
    await take_on(shop, R.SCANNER, manager)


async def test_strangers_take_nobody_on(db):
    shop, other = await a_shop(), await a_shop()
    stranger = await a_membership(other)
    left = await a_membership(shop)
    await a_membership(shop)
    await end_membership(shop_id=shop.id, member_id=left, by=left, now=NOW)
    for by in (stranger, left, new_id()):
        with pytest.raises(NotFound):
            await take_on(shop, R.SCANNER, by)
    with pytest.raises(NotFound):
        await take_on(AShop(new_id(), 1, "x", "TWD"), R.SCANNER, stranger)


async def test_a_person_is_staff_once(db):
    shop = await a_shop()
    owner = await a_membership(shop)
    person = await take_on(shop, R.SCANNER, owner)
    for role in Role:
        with pytest.raises(AlreadyStaff):
            await take_on(shop, role, owner, person)
    with pytest.raises(AlreadyStaff):
        await take_on(shop, R.OWNER, owner, owner)
    with pytest.raises(NotFound):
        await take_on(shop, R.SCANNER, owner, new_id())
    assert len(await state()) == 2


async def test_ten_invitations_of_one_person_at_once_are_one(db):
    shop = await a_shop()
    owner, person = await a_membership(shop), await a_member()
    results = await asyncio.gather(*(take_on(shop, R.HELPER, owner, person) for _ in range(10)), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["AlreadyStaff"] * 9 + ["UUID"]


async def test_who_left_can_come_back(db):
    shop = await a_shop()
    owner = await a_membership(shop)
    person = await take_on(shop, R.MANAGER, owner)
    await end_membership(shop_id=shop.id, member_id=person, by=owner, now=LATER)
    await take_on(shop, R.SCANNER, owner, person)
    assert (await rights_in(shop.id, person)).role is R.SCANNER
    assert len(await state()) == 3


async def test_letting_go_ends_the_rights_and_the_tokens_at_once(db):
    shop = await a_shop()
    owner = await a_membership(shop)
    helper = await take_on(shop, R.HELPER, owner)
    await end_membership(shop_id=shop.id, member_id=helper, by=owner, now=LATER)
    with pytest.raises(NotFound):
        await rights_in(shop.id, helper)
    assert await database.fetchval("select ended_at from membership where member_id = $1", helper) == LATER
    assert await database.fetchval("select ver from member where id = $1", helper) == 2
    assert await database.fetchval("select ver from member where id = $1", owner) == 1
    action, actor, role, detail = (await audit())[-1]
    assert (action, actor, role, database.from_jsonb(detail)) == (
        "MEMBERSHIP_ENDED", f"member:{owner}", "OWNER", {"member": str(helper), "role": "HELPER"},
    )  # fmt: skip
    with pytest.raises(NotFound):
        await end_membership(shop_id=shop.id, member_id=helper, by=owner, now=LATER)


@pytest.mark.parametrize("actor", list(Role))
@pytest.mark.parametrize("person", list(Role))
async def test_letting_go_and_denying_follow_the_ranks(db, actor, person):
    shop = await a_shop()
    await a_membership(shop)
    by, other = await a_membership(shop, role=actor), await a_membership(shop, role=person)
    before = await state()
    if may_manage(actor, person):
        await deny(shop_id=shop.id, member_id=other, permissions=[P.VIEW_ORDERS], by=by, now=NOW)
        assert (await rights_in(shop.id, other)).denied == {"VIEW_ORDERS"}
        await end_membership(shop_id=shop.id, member_id=other, by=by, now=NOW)
        assert len(await audit()) == 2
    else:
        with pytest.raises(PermissionDenied):
            await deny(shop_id=shop.id, member_id=other, permissions=[P.VIEW_ORDERS], by=by, now=NOW)
        with pytest.raises(PermissionDenied):
            await end_membership(shop_id=shop.id, member_id=other, by=by, now=NOW)
        assert await state() == before
        assert await audit() == []


@pytest.mark.parametrize("role", list(Role))
async def test_anybody_may_leave_but_nobody_edits_their_own_rights(db, role):
    shop = await a_shop()
    await a_membership(shop)
    person = await a_membership(shop, role=role, denied=["VIEW_ORDERS"])
    for permissions in ([], [P.VIEW_ORDERS], [P.VIEW_ORDERS, P.VIEW_STOCK]):
        with pytest.raises(PermissionDenied):
            await deny(shop_id=shop.id, member_id=person, permissions=permissions, by=person, now=NOW)
    await end_membership(shop_id=shop.id, member_id=person, by=person, now=NOW)
    with pytest.raises(NotFound):
        await rights_in(shop.id, person)


async def test_a_denial_is_replaced_and_recorded(db):
    shop = await a_shop()
    owner = await a_membership(shop)
    helper = await a_membership(shop, role=R.HELPER, denied=["VIEW_STOCK"])
    await deny(shop_id=shop.id, member_id=helper, permissions=[P.VIEW_ORDERS, P.CANCEL_ORDER], by=owner, now=NOW)
    assert (await rights_in(shop.id, helper)).denied == {"CANCEL_ORDER", "VIEW_ORDERS"}
    ((action, _, _, detail),) = await audit()
    assert (action, database.from_jsonb(detail)) == (
        "MEMBERSHIP_DENIED", {"member": str(helper), "from": ["VIEW_STOCK"], "to": ["CANCEL_ORDER", "VIEW_ORDERS"]},
    )  # fmt: skip
    await deny(shop_id=shop.id, member_id=helper, permissions=[], by=owner, now=NOW)
    assert (await rights_in(shop.id, helper)).denied == frozenset()


async def test_nobody_gives_back_what_they_lack_themselves(db):
    shop = await a_shop()
    await a_membership(shop)
    manager = await a_membership(shop, role=R.MANAGER, denied=["VIEW_STOCK"])
    helper = await a_membership(shop, role=R.HELPER, denied=["VIEW_STOCK", "VIEW_ORDERS"])
    with pytest.raises(PermissionDenied):
        await deny(shop_id=shop.id, member_id=helper, permissions=[P.VIEW_ORDERS], by=manager, now=NOW)
    await deny(shop_id=shop.id, member_id=helper, permissions=[P.VIEW_STOCK], by=manager, now=NOW)
    assert (await rights_in(shop.id, helper)).denied == {"VIEW_STOCK"}


async def test_the_last_owner_cannot_leave(db):
    shop = await a_shop()
    owner = await a_membership(shop)
    await a_membership(shop, role=R.MANAGER)
    before = await state()
    with pytest.raises(LastOwner):
        await end_membership(shop_id=shop.id, member_id=owner, by=owner, now=NOW)
    assert await state() == before
    assert await database.fetchval("select ver from member where id = $1", owner) == 1
    second = await take_on(shop, R.OWNER, owner)
    await end_membership(shop_id=shop.id, member_id=owner, by=second, now=NOW)
    with pytest.raises(LastOwner):
        await end_membership(shop_id=shop.id, member_id=second, by=second, now=NOW)


async def owners_left(shop: AShop) -> int:
    return await database.fetchval("select count(*) from membership where shop_id = $1 and role = 'OWNER' and ended_at is null", shop.id)


async def test_of_eight_owners_who_leave_at_once_one_stays(db):
    shop = await a_shop()
    owners = [await a_membership(shop) for _ in range(8)]
    results = await asyncio.gather(
        *(end_membership(shop_id=shop.id, member_id=who, by=who, now=NOW) for who in owners), return_exceptions=True
    )
    assert [type(result).__name__ for result in results if result] == ["LastOwner"]
    assert await owners_left(shop) == 1


async def test_without_the_lock_both_last_owners_leave(db, monkeypatch):
    """The twin: each sees the other still there."""
    shop = await a_shop()
    owners = [await a_membership(shop) for _ in range(2)]
    both_looked = asyncio.Barrier(2)
    real = staff._lock_staff

    async def no_lock(tx, shop_id):
        return None

    async def after_both(tx, shop_id):
        found = await real(tx, shop_id)
        await both_looked.wait()
        return found

    monkeypatch.setattr(staff, "_lock_shop", no_lock)
    monkeypatch.setattr(staff, "_lock_staff", after_both)
    await asyncio.gather(*(end_membership(shop_id=shop.id, member_id=who, by=who, now=NOW) for who in owners))
    assert await owners_left(shop) == 0
