"""How long pictures of transfers stay, and that a member's file and the end of an account know them."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest

from domain import db as database
from domain.members import deletion
from domain.members.errors import OpenOrders
from domain.members.rules import DELETION_WAIT
from domain.upkeep.commands import forget_old
from domain.upkeep.rules import Keep
from plusone.invariants import check
from tests.build import NOW, a_shop
from tests.domain.members.test_export import file_of
from tests.domain.members.test_merging import a_merge
from tests.domain.payments.pictures import a_picture
from tests.domain.payments.transfers import JOBS, a_slip, confirmed, owned_order, refused, reported

DAY, SECOND = timedelta(days=1), timedelta(seconds=1)


async def gone(after: timedelta) -> dict[str, int]:
    found = await forget_old(Keep(), now=NOW + after)
    return {kind: count for kind, count in found.items() if count and "slip" in kind}


async def test_pictures_that_nobody_reported_go_after_a_day(db: str) -> None:
    member, order = await owned_order(await a_shop())
    await a_slip(None, member, order)
    assert await gone(DAY) == {}
    assert await gone(DAY + SECOND) == {"loose_slips": 1}
    assert await gone(DAY + SECOND) == {}


async def test_reported_pictures_go_ninety_days_after_the_answer_and_the_report_stays(db: str) -> None:
    shop = await a_shop()
    for answer in (confirmed, refused):
        member, order = await owned_order(shop)
        report = await reported(member, order, slip=await a_slip(None, member, order))
        await answer(report, shop, now=NOW + DAY)
    member, order = await owned_order(shop)
    await reported(member, order, slip=await a_slip(None, member, order))
    assert await gone(91 * DAY) == {}
    assert await gone(91 * DAY + SECOND) == {"slips": 2}
    assert await database.fetch("select state, slip_id is null as bare from transfer_report order by state") == [
        ("CONFIRMED", True),
        ("OPEN", False),
        ("REFUSED", True),
    ]
    assert await forget_old(Keep(slips=0), now=NOW + 9999 * DAY) is not None
    assert await database.fetchval("select count(*) from transfer_slip") == 1


async def test_the_members_file_holds_reports_and_pictures_and_nobody_elses(db: str) -> None:
    shop = await a_shop()
    member, order = await owned_order(shop)
    other, theirs = await owned_order(shop)
    picture = a_picture(size=(64, 64))
    await reported(member, order, five="00042", slip=await a_slip(None, member, order, data=picture))
    await reported(other, theirs, five="99999", slip=await a_slip(None, other, theirs))
    found, pieces = await file_of(member)
    (transfer,), (slip,) = found["transfers"], found["slips"]
    assert (transfer["number"], transfer["state"], transfer["lastFive"], transfer["amount"]) == (order.number, "OPEN", "00042", "590")
    assert base64.b64decode(slip["jpegBase64"]) == picture
    assert b"99999" not in b"".join(pieces)


async def test_a_merged_account_takes_its_pictures_along(db: str) -> None:
    shop = await a_shop()
    member, _ = await owned_order(shop)
    other, order = await owned_order(await a_shop())
    await a_slip(None, other, order)
    await a_merge(member, other)
    found, _ = await file_of(member)
    assert len(found["slips"]) == 1


async def test_a_deleted_member_leaves_neither_pictures_nor_digits(db: str) -> None:
    shop = await a_shop()
    member, order = await owned_order(shop, pay_by=NOW + 30 * DAY)
    await refused(await reported(member, order, slip=await a_slip(None, member, order)), shop)
    other, theirs = await owned_order(shop)
    await reported(other, theirs, slip=await a_slip(None, other, theirs))
    await deletion.request(member_id=member, now=NOW)
    assert await deletion.run_due(NOW + DELETION_WAIT, JOBS) == 1
    assert await database.fetchval("select last_five || state from transfer_report where order_id = $1", order.id) == "REFUSED"
    assert await database.fetchval("select array_agg(order_id) from transfer_slip") == [theirs.id]
    assert await database.fetchval("select last_five from transfer_report where order_id = $1", theirs.id) == "01234"
    assert await check(NOW + SECOND) == []


async def test_an_account_with_a_transfer_underway_is_not_deleted(db: str) -> None:
    member, order = await owned_order(await a_shop())
    await reported(member, order)
    with pytest.raises(OpenOrders):
        await deletion.request(member_id=member, now=NOW)
