"""A forgotten member: who they were and what they wrote is gone from every table, the books stand, and there is no way back."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from domain import db as database
from domain.errors import NotFound
from domain.ids import new_id
from domain.inbox.bundles import parts_of
from domain.members import deletion, passkeys, people_screens
from domain.members.alerts import raise_alert
from domain.members.commands import sign_in
from domain.members.errors import OnlyOwner, OpenOrders
from domain.members.passkeys import NewPasskey
from domain.members.ports import ProvenIdentity
from domain.members.rules import DELETION_POSTPONED, DELETION_WAIT, ERASED, AlertKind
from domain.orders.carriers import Carrier
from domain.shipping.chosen import Label
from domain.shipping.rules import ShipmentState, Store
from domain.shops.rules import Role
from plusone.invariants import check
from tests import books
from tests.build import NOW, ABuyer, AnOrder, a_device, a_member, a_membership, a_shop
from tests.domain.claims import acts
from tests.domain.inbox.bundling import bundle_what_waits
from tests.domain.members.test_authenticators import an_authenticator
from tests.domain.members.test_linking import a_pickup
from tests.domain.members.test_merging import a_merge, paid, two_people
from tests.domain.members.test_names import a_session, an_identity, link
from tests.parcels import packed, said
from tests.wall import Wall, a_wall, wall_services

DUE = NOW + DELETION_WAIT
MARK = "mei-4711"
"""The id of the person at Facebook; the wall calls them `mei-4711 小姐`."""


async def a_life(*, on_hand: int = 1) -> tuple[Wall, UUID]:
    """A member who ordered, waits for more, wrote other things, and is signed in on a phone."""
    wall, member = await a_wall(on_hand=on_hand), await a_member(display_name=f"{MARK} 本人")
    await link(member, [wall.shop], MARK)
    await an_identity(member, "line", f"U-{MARK}")
    await a_device(member, target=f"token-{MARK}")
    await a_session(member)
    await wall.says(MARK, "+3")
    await wall.says(MARK, f"我是 {MARK}，電話 0912345678")
    await wall.says("bystander", "+1")
    await wall.drain()
    return wall, member


async def lent(to: str) -> None:
    """The person lent a code to somebody."""
    buyer = await database.fetchrow("select id, shop_id from buyer where external_id = $1", MARK)
    pickup = await a_pickup(ABuyer(buyer["id"], buyer["shop_id"], None))
    await database.execute("update pickup set issue_number = 1, lent_issue = 1, lent_to = $2, lent_at = $3 where id = $1", pickup, to, NOW)


async def gone(member: UUID, now=DUE) -> int:
    await deletion.request(member_id=member, now=now - DELETION_WAIT)
    done = await deletion.run_due(now, wall_services().jobs)
    await deletion.erase_again(now)
    return done


async def where_it_still_says(*marks: str) -> list[str]:
    """Tables of this database with one of these texts in a row."""
    names = await database.fetch(
        """select c.relname as name, c.oid::regclass::text as called from pg_class c
           where c.relkind = 'r' and c.relnamespace in ('public'::regnamespace, 'archive'::regnamespace)"""
    )
    return [
        row["name"]
        for row in names
        for mark in marks
        if await database.fetchval(f"select count(*) from {row['called']} t where t::text like $1", f"%{mark}%")
    ]


async def test_the_person_is_in_no_table_any_more_and_the_books_stand(db: str) -> None:
    wall, member = await a_life()
    said = await wall.says(MARK, f"{MARK} 在這", tags=[(0, 4)])
    edited = await wall.says(MARK, f"{MARK} 晚到")
    await wall.says(MARK, f"{MARK} 不來了", comment=edited, verb="edited")
    await wall.drain()
    assert await database.fetchval("select mentions is not null from social_comment where external_id = $1", said)
    await lent(MARK)
    async with database.transaction() as tx:
        await raise_alert(tx, AlertKind.NEW_DEVICE, member_id=member, session_id=new_id(), installation_id=f"phone of {MARK}", now=NOW)
        await passkeys.add(tx, member, NewPasskey(b"credential", b"key", 0), f"phone of {MARK}", NOW)
    await an_authenticator(member)
    assert {
        "buyer",
        "social_comment",
        "comment_revision",
        "inbox_event",
        "identity",
        "device",
        "member",
        "claim",
        "pickup",
        "sign_in_alert",
        "passkey",
    } <= set(await where_it_still_says(MARK, "0912345678"))
    money = await database.fetch('select id, number, total_minor, paid_minor, state from "order" order by id')
    assert await gone(member) == 1
    assert await where_it_still_says(MARK, "0912345678") == []
    assert await database.fetchval("select count(*) from social_comment where mentions is not null") == 0
    assert await database.fetchval("select (select count(*) from authenticator) + (select count(*) from recovery_code)") == 0
    assert await database.fetchval("select count(*) from live_change where member_id = $1", member) == 0
    assert await database.fetch('select id, number, total_minor, paid_minor, state from "order" order by id') == money
    await books.books_agree()
    assert await check(NOW + timedelta(seconds=30)) == []
    assert await database.fetchval("select count(*) from audit_entry where action = 'BUYER_ERASED'") == 1
    assert [r["action"] for r in await database.fetch("select action from member_event order by id")][-2:] == [
        "DELETION_REQUESTED",
        "DELETED",
    ]


async def test_where_parcels_went_is_forgotten_and_that_they_went_is_not(db: str) -> None:
    wall, member = await a_life(on_hand=9)
    row = await database.fetchrow(
        """select o.id, o.buyer_id, o.number, o.total_minor, l.id as line from "order" o join buyer b on b.id = o.buyer_id
           join order_line l on l.order_id = o.id where b.external_id = $1""",
        MARK,
    )
    await acts.pay(wall, row["id"])
    order = AnOrder(row["id"], wall.shop.id, row["buyer_id"], row["number"], row["total_minor"], [row["line"]])
    parcel = await packed(order, label=Label(Carrier.HI_LIFE, "", MARK, Store("2001", f"{MARK} 店", f"{MARK} 路")))
    await said(order, parcel, ShipmentState.SHIPPED, note=f"{MARK} 不在家")
    await said(order, parcel, ShipmentState.DELIVERED, at=NOW + timedelta(seconds=1))
    assert {"shipment", "shipment_event", "notice"} <= set(await where_it_still_says(MARK))
    assert await gone(member) == 1
    assert await where_it_still_says(MARK) == []
    left = await database.fetchrow("select state, carrier, tracking_number, left_at from shipment")
    assert tuple(left)[:3] == ("DELIVERED", "HI_LIFE", "")
    assert left["left_at"] is not None
    assert await database.fetchval("select sum(quantity) from shipment_line") == 3
    assert await check(NOW + timedelta(seconds=30)) == []


async def test_others_are_left_alone(db: str) -> None:
    wall, member = await a_life()
    await gone(member)
    assert await database.fetchval("select name from buyer where external_id = 'bystander'") == "bystander 小姐"
    assert await database.fetchval("select text from social_comment where author_name = 'bystander 小姐'") == "+1"
    assert await database.fetchval("select count(*) from inbox_event where payload::text like '%bystander%'") == 1
    assert await wall.waiting() == [("bystander", 1)]
    assert await database.fetchval("select waiting from stock_level") == 1


async def test_places_in_waiting_lists_are_given_up_and_the_next_one_is_served(db: str) -> None:
    wall, member = await a_life()
    assert [pieces for _, pieces in await wall.waiting()] == [2, 1]
    await gone(member)
    assert await wall.waiting() == [("bystander", 1)]
    (job,) = await books.queued("restocked")
    assert job == {"shop_id": str(wall.shop.id), "variants": [str(wall.product.variants[0].id)]}
    assert await check(NOW + timedelta(seconds=30)) == []


async def test_nothing_happens_before_the_wait_is_over_and_a_change_of_mind_ends_it(db: str) -> None:
    _, member = await a_life()
    first = await deletion.request(member_id=member, now=NOW)
    assert await deletion.request(member_id=member, now=NOW + timedelta(days=1)) == first
    assert await deletion.run_due(DUE - timedelta(seconds=1), wall_services().jobs) == 0
    shown = await people_screens.deletion(member)
    assert shown is not None
    assert (shown["requested_at"], shown["due_at"], shown["cancelled_at"]) == (NOW, DUE, None)
    await deletion.cancel(member_id=member, deletion_id=first, now=NOW)
    await deletion.cancel(member_id=member, deletion_id=first, now=NOW)
    assert await deletion.run_due(DUE + timedelta(days=9), wall_services().jobs) == 0
    assert await people_screens.deletion(member) is None
    assert await where_it_still_says(MARK) != []
    assert await deletion.request(member_id=member, now=NOW) != first


async def test_once_done_it_cannot_be_called_off_and_the_next_sign_in_is_a_stranger(db: str) -> None:
    _, member = await a_life()
    key = await deletion.request(member_id=member, now=NOW)
    assert await deletion.run_due(DUE, wall_services().jobs) == 1
    assert await deletion.run_due(DUE, wall_services().jobs) == 0
    with pytest.raises(NotFound):
        await deletion.cancel(member_id=member, deletion_id=key, now=DUE)
    with pytest.raises(NotFound):
        await deletion.request(member_id=member, now=DUE)
    async with database.transaction() as tx:
        stranger = await sign_in(tx, ProvenIdentity("line", f"U-{MARK}"), DUE)
    assert stranger != member
    assert await database.fetchval('select count(*) from "order" where member_id = $1', stranger) == 0


async def test_nobody_calls_off_anothers_deletion(db: str) -> None:
    _, member = await a_life()
    key = await deletion.request(member_id=member, now=NOW)
    with pytest.raises(NotFound):
        await deletion.cancel(member_id=await a_member(), deletion_id=key, now=NOW)
    assert await deletion.run_due(DUE, wall_services().jobs) == 1


async def test_orders_under_way_hold_it_back_at_the_request_and_at_the_end(db: str) -> None:
    keeper, *_ = await two_people()
    with pytest.raises(OpenOrders):
        await deletion.request(member_id=keeper, now=NOW)
    wall, member = await a_life()
    await deletion.request(member_id=member, now=NOW)
    order = await database.fetchval('select id from "order" where shop_id = $1', wall.shop.id)
    await paid(type("Paid", (), {"id": order})(), wall.shop)
    assert await deletion.run_due(DUE, wall_services().jobs) == 0
    assert await database.fetchval("select due_at from account_deletion where member_id = $1", member) == DUE + DELETION_POSTPONED
    assert await database.fetchval("select detail ->> 'why' from member_event where action = 'DELETION_POSTPONED'") == "OPEN_ORDERS"
    assert await database.fetchval("select deleted_at from member where id = $1", member) is None


async def test_the_only_owner_of_a_shop_stays_and_other_staff_leave_with_their_account(db: str) -> None:
    member, shop = await a_member(), await a_shop()
    await a_membership(shop, member, role=Role.OWNER)
    with pytest.raises(OnlyOwner):
        await deletion.request(member_id=member, now=NOW)
    await a_membership(shop, role=Role.OWNER)
    assert await gone(member) == 1
    assert await database.fetchval("select ended_at from membership where member_id = $1", member) == DUE


async def test_accounts_that_were_merged_into_it_go_too(db: str) -> None:
    _, member = await a_life()
    other = await a_member(display_name="also me")
    await an_identity(other, "google", "g-also-me")
    merge_id = await a_merge(member, other)
    assert await gone(member) == 1
    assert await where_it_still_says("also me", "g-also-me", MARK) == []
    assert await database.fetchval("select count(*) from member where deleted_at is not null") == 2
    assert merge_id is not None


async def test_an_edit_that_comes_later_is_erased_too_and_orders_nobody_can_find(db: str) -> None:
    wall, member = await a_life()
    comment = await database.fetchval("select external_id from social_comment where text like '我是%'")
    await gone(member)
    await wall.says(MARK, f"還是我 {MARK}", comment=comment, verb="edited")
    await wall.drain()
    assert "comment_revision" in await where_it_still_says("還是我")
    assert await deletion.erase_again(DUE + timedelta(hours=1)) == 1
    assert await database.fetchval("select count(*) from comment_revision where text like '還是我%'") == 0
    assert await deletion.erase_again(DUE + timedelta(hours=2)) == 0


async def test_who_writes_again_is_a_stranger_with_orders_of_their_own(db: str) -> None:
    wall, member = await a_life(on_hand=10)
    await gone(member)
    await wall.says(MARK, "+2")
    await wall.drain()
    rows = await database.fetch(
        "select external_id, member_id from buyer where external_id = $1 or external_id like $2", MARK, f"{ERASED}%"
    )
    assert sorted((r["external_id"].startswith(ERASED), r["member_id"]) for r in rows) == [(False, None), (True, member)]
    assert await wall.pieces(MARK) == {"": 2}
    assert await check(NOW + timedelta(seconds=30)) == []


async def test_a_name_that_a_delivery_was_just_writing_is_erased_by_the_next_run(db: str) -> None:
    wall, member = await a_life()
    await gone(member)
    await database.execute(
        "insert into buyer (id, shop_id, provider, external_id, name, member_id, created_at) values ($1, $2, 'line', 'U-late', 'late name', $3, $4)",
        new_id(), wall.shop.id, member, DUE,
    )  # fmt: skip
    assert await deletion.erase_again(DUE + timedelta(hours=1)) == 1
    assert await where_it_still_says("U-late", "late name") == []


async def test_of_a_big_inbox_only_the_persons_own_deliveries_are_touched(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deletion, "LOT", 5)
    wall, member = await a_life()
    for n in range(30):
        await wall.says(f"x{n}", "安安")
    await wall.drain()
    before = await database.fetchval("select count(*) from inbox_event where payload <> '{\"erased\": true}'")
    await gone(member)
    assert await database.fetchval("select count(*) from inbox_event where payload <> '{\"erased\": true}'") == before - 2
    assert await database.fetchval("select count(*) from account_deletion where names <> '[]'") == 0


@pytest.mark.parametrize("lot", [1, 500])
async def test_of_comments_that_share_a_row_only_the_persons_own_are_erased(db: str, monkeypatch: pytest.MonkeyPatch, lot: int) -> None:
    monkeypatch.setattr(deletion, "LOT", lot)
    wall, member = await a_life()
    at = NOW + timedelta(minutes=1)
    for n in range(6):
        await wall.says("bystander" if n % 2 else MARK, f"{'路過' if n % 2 else MARK} {n}", comment=f"12_{n}", at=at)
    await bundle_what_waits(wall.endpoint_id)
    await wall.says("bystander", "安安", at=NOW + timedelta(minutes=2))
    await wall.drain()
    assert await where_it_still_says(MARK) != []
    await gone(member)
    assert await where_it_still_says(MARK) == []
    (parts,) = [parts_of(row["parts"]) for row in await database.fetch("select parts from inbox_event where parts is not null")]
    assert [part.external_key.rpartition(":")[2] for part in parts] == [f"12_{n}" for n in range(6)]
    assert [part.payload if n % 2 == 0 else part.payload["value"]["message"] for n, part in enumerate(parts)] == [
        {"erased": True} if n % 2 == 0 else f"路過 {n}" for n in range(6)
    ]
    assert await check(NOW + timedelta(minutes=3)) == []
