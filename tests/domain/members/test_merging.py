"""Two accounts become one by somebody signed in to both, and two again within 7 days; names keep what is theirs."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import pytest

from domain import db as database
from domain.audit.commands import Actor
from domain.errors import NotFound
from domain.ids import new_id
from domain.members import claim_codes, linking_names, merging, people_screens
from domain.members.alerts import raise_alert
from domain.members.commands import sign_in
from domain.members.errors import (
    DeletionUnderway,
    LinkOver,
    SameProvider,
    SignInAgain,
    SignInRefused,
    StaffRights,
    TooManyGuesses,
    UndoOver,
)
from domain.members.merging import Asking
from domain.members.ports import ProvenIdentity
from domain.members.rules import FRESH_SIGN_IN, UNDO_MERGE, AlertKind, CodeKind
from domain.orders.rules import OrderState
from domain.payments.commands import mark_paid
from domain.payments.rules import PaymentMethod
from domain.posts.rules import DeliveryMethod
from plusone.invariants import check
from tests import build
from tests.build import NOW, ABuyer, AnOrder, AShop, a_buyer, a_device, a_member, a_membership, a_shop, a_variant, an_order
from tests.domain.members.test_linking import a_notice, a_pickup, member_of
from tests.domain.members.test_names import a_session, an_identity, link
from tests.wall import wall_services

LATER = NOW + timedelta(minutes=5)
NEXT_DAY = NOW + timedelta(days=1)


async def a_merge(keeper: UUID, other: UUID, now: datetime = LATER) -> UUID:
    """`other` becomes part of `keeper`."""
    code = await claim_codes.start(member_id=keeper, kind=CodeKind.MERGE, now=now)
    return await merging.merge(Asking(other, await a_session(other, now), "192.0.2.1"), code.text, now)


async def tables() -> dict[str, list[tuple]]:
    """What a merge moves, as it stands: equal before it and after its undoing."""
    found = {}
    for name, sql in {
        "identity": "select id, member_id from identity order by id",
        "buyer": "select id, member_id, external_id, name from buyer order by id",
        "order": 'select id, member_id, buyer_id, state, payment_state, total_minor, paid_minor from "order" order by id',
        "notice": "select id, member_id, buyer_id, read_at from notice order by id",
        "pickup": "select id, member_id, buyer_id, state from pickup order by id",
        "waitlist_entry": "select id, buyer_id, quantity, state, queued_at from waitlist_entry order by id",
        "device": "select id, member_id, revoked_at from device order by id",
        "stock_level": "select variant_id, on_hand, held, committed, waiting from stock_level order by variant_id",
    }.items():
        found[name] = [tuple(row) for row in await database.fetch(sql)]
    return found


async def paid(order: AnOrder, shop: AShop) -> None:
    await mark_paid(
        order_id=order.id, shop_id=shop.id, method=PaymentMethod.CASH, reference="r", amount_minor=None, expected_version=None,
        actor=Actor("member:staff", "OWNER"), by_member_id=new_id(), now=NOW, jobs=wall_services().jobs,
    )  # fmt: skip


async def two_people() -> tuple[UUID, UUID, ABuyer, ABuyer]:
    """Two accounts with a name each at one shop, an open order, a paid one, a notice and a pickup each; the second has a phone."""
    shop, keeper, other = await a_shop(), await a_member(display_name="小美"), await a_member(display_name="美美")
    await an_identity(keeper, "google", "g1")
    await an_identity(other, "line", "U1")
    first = await a_buyer(shop, provider="facebook", external_id="mei", member_id=keeper)
    second = await a_buyer(shop, provider="line", external_id="U1", member_id=other)
    variant = await a_variant(shop, on_hand=20)
    for buyer in (first, second):
        await an_order(shop, {variant: 2}, buyer=buyer)
        await paid(await an_order(shop, {variant: 1}, buyer=buyer, method=DeliveryMethod.SHIP), shop)
        notice, pickup = await a_notice(buyer), await a_pickup(buyer)
        member = await member_of("buyer", buyer.id)
        await database.execute("update notice set member_id = $2 where id = $1", notice, member)
        await database.execute("update pickup set member_id = $2 where id = $1", pickup, member)
    await a_device(other)
    return keeper, other, first, second


async def a_grant(member: UUID, subject: str) -> None:
    await database.execute(
        """insert into provider_grant (id, member_id, provider, subject, client_id, token_encrypted, created_at)
           values ($1, $2, 'apple', $3, 'app', 'sealed', $4)""",
        new_id(), member, subject, NOW,
    )  # fmt: skip


async def test_what_a_provider_wants_back_and_unsent_alerts_follow_the_account(db: str) -> None:
    keeper, other = await a_member(), await a_member()
    mine = await an_identity(keeper, "google", "g1")
    await an_identity(other, "apple", "a1")
    await a_grant(other, "a1")
    async with database.transaction() as tx:
        await raise_alert(tx, AlertKind.REUSED, member_id=other, session_id=await a_session(other), installation_id="i", now=NOW)
    merge_id = await a_merge(keeper, other)
    assert [await database.fetchval(f"select member_id from {table}") for table in ("provider_grant", "sign_in_alert")] == [keeper, keeper]
    await merging.undo(merge_id=merge_id, member_id=keeper, now=NEXT_DAY)
    assert [await database.fetchval(f"select member_id from {table}") for table in ("provider_grant", "sign_in_alert")] == [other, other]
    assert await member_of("identity", mine) == keeper


async def test_what_the_other_account_had_is_this_ones_and_both_books_know(db: str) -> None:
    keeper, other, *_ = await two_people()
    merge_id = await a_merge(keeper, other)
    assert await database.fetchval("select count(*) from buyer where member_id = $1", keeper) == 2
    for table in ("order", "notice", "pickup", "device", "identity"):
        assert await database.fetchval(f'select count(*) from "{table}" where member_id is distinct from $1', keeper) == 0, table
    async with database.transaction() as tx:
        assert await sign_in(tx, ProvenIdentity("line", "U1"), LATER) == keeper
    assert await database.fetchval("select count(*) from session where member_id = $1 and ended_at is null", other) == 0
    assert await database.fetchval("select ver from member where id = $1", other) == 2
    audit = [r["action"] for r in await database.fetch("select action from audit_entry where actor = $1 order by id", f"member:{other}")]
    assert audit == ["BUYER_LINKED", "ORDER_MEMBER_LINKED", "ORDER_MEMBER_LINKED", "BUYER_MERGED"]
    book = await database.fetch("select member_id, action from member_event where action = 'MERGED' order by member_id")
    assert [row["member_id"] for row in book] == sorted([keeper, other])
    (shown,) = await people_screens.merges(keeper, LATER)
    assert (shown["merged_at"], shown["undo_until"], shown["undone_at"], shown["can_undo"]) == (LATER, LATER + UNDO_MERGE, None, True)
    assert await people_screens.merges(other, LATER) == []
    assert await check(LATER) == []
    assert merge_id is not None


async def test_two_open_orders_at_one_shop_stay_two_each_with_its_name(db: str) -> None:
    keeper, other, first, second = await two_people()
    before = await database.fetch(
        "select id, buyer_id, total_minor from \"order\" where state = 'OPEN' and payment_state = 'UNPAID' order by id"
    )
    await a_merge(keeper, other)
    after = await database.fetch(
        "select id, buyer_id, total_minor from \"order\" where state = 'OPEN' and payment_state = 'UNPAID' and member_id = $1 order by id",
        keeper,
    )
    assert [tuple(r) for r in after] == [tuple(r) for r in before]
    assert {r["buyer_id"] for r in after} == {first.id, second.id}


async def test_undoing_restores_exactly(db: str) -> None:
    keeper, other, *_ = await two_people()
    before = await tables()
    merge_id = await a_merge(keeper, other)
    assert await tables() != before
    await merging.undo(merge_id=merge_id, member_id=keeper, now=NEXT_DAY)
    assert await tables() == before
    async with database.transaction() as tx:
        assert await sign_in(tx, ProvenIdentity("line", "U1"), NEXT_DAY) == other
    assert await check(NEXT_DAY) == []
    with pytest.raises(UndoOver):
        await merging.undo(merge_id=merge_id, member_id=keeper, now=NEXT_DAY)


async def test_what_came_afterwards_stays_where_it_belongs(db: str) -> None:
    """Orders of a returning name return, also those made since; a name linked since, an identity added since, what was given up since stay."""
    keeper, other, first, second = await two_people()
    merge_id = await a_merge(keeper, other)
    shop = build.AShop(first.shop_id, 0, "", "TWD")
    new_shop = await a_shop()
    of_second = await an_order(shop, {await a_variant(shop): 1}, buyer=second, state=OrderState.CANCELLED)
    await database.execute('update "order" set member_id = $2, version = version + 1 where id = $1', of_second.id, keeper)
    met_since = await a_buyer(new_shop, provider="line", external_id="U1", member_id=keeper, now=LATER + timedelta(hours=1))
    await link(keeper, [new_shop], "other-name", "facebook", LATER + timedelta(hours=1))
    await an_identity(keeper, "apple", "a1")
    since = await a_session(keeper, LATER + timedelta(hours=1))
    old = await a_session(keeper, NOW)
    phone = await a_device(keeper, now=LATER + timedelta(hours=1))
    await merging.undo(merge_id=merge_id, member_id=keeper, now=NEXT_DAY)
    assert await member_of("order", of_second.id) == other
    assert [await member_of("buyer", b.id) for b in (first, second, met_since)] == [keeper, other, other]
    assert await database.fetchval("select member_id from buyer where external_id = 'other-name'") == keeper
    assert await database.fetchval("select member_id from identity where provider = 'apple'") == keeper
    assert await database.fetchval("select array_agg(id) from session where ended_reason = 'MERGE_UNDONE'") == [since]
    assert await database.fetchval("select ended_at from session where id = $1", old) is None
    assert await database.fetchval("select revoked_at from device where id = $1", phone) == NEXT_DAY
    assert await check(NEXT_DAY) == []


async def test_a_name_given_up_after_the_merge_does_not_come_back(db: str) -> None:
    keeper, other, _, second = await two_people()
    merge_id = await a_merge(keeper, other)
    identity = await database.fetchval("select id from identity where provider = 'line'")
    await linking_names.unlink_identity(member_id=keeper, identity_id=identity, session_id=new_id(), now=LATER)
    await merging.undo(merge_id=merge_id, member_id=keeper, now=NEXT_DAY)
    assert await member_of("buyer", second.id) is None
    assert await database.fetchval("select count(*) from identity where member_id = $1", other) == 0


async def test_after_seven_days_it_is_for_good_and_only_the_keeper_may_undo(db: str) -> None:
    keeper, other, *_ = await two_people()
    merge_id = await a_merge(keeper, other)
    for who in (other, await a_member()):
        with pytest.raises(NotFound):
            await merging.undo(merge_id=merge_id, member_id=who, now=NEXT_DAY)
    with pytest.raises(UndoOver):
        await merging.undo(merge_id=merge_id, member_id=keeper, now=LATER + UNDO_MERGE)
    await merging.undo(merge_id=merge_id, member_id=keeper, now=LATER + UNDO_MERGE - timedelta(seconds=1))


async def test_merges_are_undone_from_the_last_one_back(db: str) -> None:
    keeper, other, *_ = await two_people()
    third = await a_member()
    before = await tables()
    first_merge = await a_merge(keeper, other)
    second_merge = await a_merge(third, keeper, LATER + timedelta(minutes=1))
    with pytest.raises(UndoOver):
        await merging.undo(merge_id=first_merge, member_id=keeper, now=NEXT_DAY)
    await merging.undo(merge_id=second_merge, member_id=third, now=NEXT_DAY)
    await merging.undo(merge_id=first_merge, member_id=keeper, now=NEXT_DAY)
    assert await tables() == before


async def refused(error: type[Exception], keeper: UUID, other: UUID, **given) -> None:
    before = await tables()
    with pytest.raises(error):
        await a_merge(keeper, other, **given)
    assert await tables() == before
    assert await database.fetchval("select count(*) from member_merge") == 0


async def test_two_accounts_of_one_provider_are_never_one(db: str) -> None:
    keeper, other, *_ = await two_people()
    await an_identity(keeper, "line", "U2")
    await refused(SameProvider, keeper, other)


async def test_two_line_names_at_one_shop_are_two_accounts_however_they_were_linked(db: str) -> None:
    keeper, other, first, _ = await two_people()
    await a_buyer(build.AShop(first.shop_id, 0, "", "TWD"), provider="line", external_id="U9", member_id=keeper)
    await refused(SameProvider, keeper, other)


async def test_staff_never_become_part_of_another_account(db: str) -> None:
    keeper, other, *_ = await two_people()
    await a_membership(await a_shop(), other)
    await refused(StaffRights, keeper, other)


@pytest.mark.parametrize("whose", [0, 1])
async def test_an_account_about_to_be_deleted_is_left_alone(db: str, whose: int) -> None:
    people = (await two_people())[:2]
    await database.execute(
        "insert into account_deletion (id, member_id, requested_at, due_at, names) values (gen_random_uuid(), $1, $2, $3, '[]')",
        people[whose], NOW, NEXT_DAY,
    )  # fmt: skip
    await refused(DeletionUnderway, *people)


async def test_the_same_address_or_name_of_two_accounts_joins_nobody(db: str) -> None:
    """Nothing but a code from the one, handed in by the other, makes two accounts one."""
    await two_people()
    async with database.transaction() as tx:
        third = await sign_in(tx, ProvenIdentity("firebase", "f1", "小美"), LATER)
    assert await database.fetchval("select count(*) from member") == 3
    assert await database.fetchval("select count(*) from buyer where member_id = $1", third) == 0


async def test_a_code_is_good_once_for_another_account_freshly_signed_in_and_for_15_minutes(db: str) -> None:
    keeper, other, *_ = await two_people()
    code = await claim_codes.start(member_id=keeper, kind=CodeKind.MERGE, now=NOW)
    stale = Asking(other, await a_session(other, NOW - FRESH_SIGN_IN - timedelta(seconds=1)))
    with pytest.raises(SignInAgain):
        await merging.merge(stale, code.text, NOW)
    with pytest.raises(SignInAgain):
        await merging.merge(Asking(other, new_id()), code.text, NOW)
    fresh, own = Asking(other, await a_session(other)), Asking(keeper, await a_session(keeper))
    for asking, text, now in (
        (own, code.text, NOW), (fresh, "claim_" + "0" * 20, NOW), (fresh, "", NOW), (fresh, "'; --", NOW), (fresh, code.text, code.expires_at),
    ):  # fmt: skip
        asking = Asking(asking.member_id, await a_session(asking.member_id, now)) if now != NOW else asking
        with pytest.raises(LinkOver):
            await merging.merge(asking, text, now)
    name_code = await claim_codes.start(member_id=await a_member(), kind=CodeKind.NAME, now=NOW)
    with pytest.raises(LinkOver):
        await merging.merge(fresh, name_code.text, NOW)
    await merging.merge(fresh, code.code.lower(), NOW)
    with pytest.raises(LinkOver):
        third = await a_member()
        await merging.merge(Asking(third, await a_session(third)), code.text, NOW)


async def test_codes_of_other_accounts_cannot_be_guessed_without_end(db: str) -> None:
    keeper, other, *_ = await two_people()
    code = await claim_codes.start(member_id=keeper, kind=CodeKind.MERGE, now=NOW)
    asking = Asking(other, await a_session(other), "192.0.2.9")
    for n in range(10):
        with pytest.raises(LinkOver):
            await merging.merge(asking, f"claim_{n:020d}", NOW)
    with pytest.raises(TooManyGuesses):
        await merging.merge(asking, code.text, NOW)
    assert await database.fetchval("select count(*) from member_merge") == 0


async def test_the_absorbed_account_is_not_signed_in_to_by_an_old_refresh(db: str) -> None:
    keeper, other, *_ = await two_people()
    session = await a_session(other, NOW)
    await a_merge(keeper, other)
    assert await database.fetchval("select ended_reason from session where id = $1", session) == "MERGED"
    with pytest.raises(SignInAgain):
        await merging.merge(Asking(other, session), "claim_x", LATER)


async def test_a_deleted_account_takes_part_in_nothing(db: str) -> None:
    keeper, other, *_ = await two_people()
    code = await claim_codes.start(member_id=keeper, kind=CodeKind.MERGE, now=NOW)
    await database.execute("update member set deleted_at = $2 where id = $1", keeper, NOW)
    with pytest.raises(LinkOver):
        await merging.merge(Asking(other, await a_session(other)), code.text, NOW)
    with pytest.raises(SignInRefused):
        await claim_codes.start(member_id=keeper, kind=CodeKind.MERGE, now=NOW)
