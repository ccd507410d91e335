"""A pass is lent to somebody else once, and taken back; one code covers all that a member may collect at a shop."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import asyncpg
import pytest

from domain import db as database
from domain.errors import NotFound
from domain.pickup import commands
from domain.pickup.code import decode, qr_png
from domain.pickup.issuing import IssuedPass
from domain.pickup.rules import LineQuantity
from tests.books import books_agree, everything
from tests.build import NOW, a_buyer, a_member
from tests.counter import KEYS, SIGNER, Counter, R, paid, refused

LATER = NOW + timedelta(hours=1)


async def lent(counter: Counter, to: str = "媽媽", now: object = NOW) -> IssuedPass:
    pickup_id = await database.fetchval("select id from pickup where state = 'OPEN' and member_id = $1", counter.member)
    return await commands.lend(member_id=counter.member, pickup_id=pickup_id, to=to, signer=SIGNER, now=now)  # type: ignore[arg-type]


async def taken_back(counter: Counter, pickup_id: object) -> None:
    assert await commands.revoke(member_id=counter.member, pickup_id=pickup_id, now=NOW) == pickup_id  # type: ignore[arg-type]


async def test_a_lent_code_is_good_and_the_owners_own_is_not(counter: Counter) -> None:
    own = await counter.issue()
    loan = await lent(counter)
    assert (loan.issue_number, loan.lent_to, decode(loan.token, KEYS).issue_number) == (2, "媽媽", 2)
    await refused(counter.scan(own.token), R.REVOKED)
    await refused(counter.scan(own.short_code), R.INVALID, changed=("audit_entry",))
    done = await counter.confirm((await counter.scan(loan.token)).scan_id)
    assert done.left == 0
    row = await database.fetchrow("select lent_issue, lent_to, lent_at, lent_used_at, state from pickup")
    assert tuple(row) == (2, "媽媽", NOW, NOW, "COLLECTED")  # type: ignore[arg-type]
    entries = await database.fetch("select action from audit_entry where action like 'pickup.%' and action <> 'pickup.refused' order by id")
    assert [entry["action"] for entry in entries] == ["pickup.issue", "pickup.lend", "pickup.hand_over"]
    await books_agree()


async def test_the_words_for_whom_it_is_lent_stay_out_of_the_audit(counter: Counter) -> None:
    await counter.issue()
    await lent(counter, "王小明 0912-345-678")
    assert await database.fetchval("select count(*) from audit_entry where detail::text like '%王%' or detail::text like '%0912%'") == 0


async def test_the_counter_shows_neither_name_nor_amount_to_who_comes_with_a_lent_code(counter: Counter) -> None:
    other = await paid(counter.shop, [(counter.red, 1)], counter.buyer)
    await database.execute("update \"order\" set payment_state = 'REFUNDED', paid_minor = 0, version = version + 1 where id = $1", other.id)
    own = await counter.scan((await counter.issue()).token)
    assert (own.buyer_name, own.due_minor, own.lent) == ("陳○美", 590, False)
    loan = await lent(counter)
    for shown in (loan.token, loan.short_code):
        preview = await counter.scan(shown)
        assert (preview.buyer_name, preview.due_minor, preview.lent) == ("", 0, True)
        assert len(preview.lines) == 2


async def test_a_lent_code_works_once_also_for_a_part(counter: Counter) -> None:
    await counter.issue()
    loan = await lent(counter)
    scan = await counter.scan(loan.token)
    part = await counter.confirm(scan.scan_id, [LineQuantity(counter.order.lines[0], 1)])
    assert (part.left, part.pickup_state.value) == (2, "OPEN")
    assert await counter.confirm(scan.scan_id) == part  # the same scan is the same hand-over
    for shown in (loan.token, loan.short_code):
        await refused(counter.scan(shown), R.ALREADY_USED, changed=("audit_entry",))
    again = await counter.issue(LATER)  # the rest is the owner's
    assert (await counter.confirm((await counter.scan(again.token)).scan_id)).left == 0
    await books_agree()


async def test_an_older_scan_of_a_lent_code_does_not_hand_over_a_second_time(counter: Counter) -> None:
    await counter.issue()
    loan = await lent(counter)
    first, second = await counter.scan(loan.token), await counter.scan(loan.token)
    await counter.confirm(first.scan_id, [LineQuantity(counter.order.lines[0], 1)])
    await refused(counter.confirm(second.scan_id), R.ALREADY_USED)


async def test_what_is_lent_is_neither_lent_nor_renewed_until_it_comes_back(counter: Counter) -> None:
    await counter.issue()
    loan = await lent(counter)
    assert await refused(lent(counter, "爸爸"), R.RULES, changed=()) == {"reason": "lent"}
    assert await refused(counter.issue(), R.RULES, changed=()) == {"reason": "lent"}
    await taken_back(counter, loan.pickup_id)
    for shown in (loan.token, loan.short_code):
        await refused(counter.scan(shown), R.REVOKED, changed=("audit_entry",))
    again = await lent(counter, "爸爸")
    assert (again.issue_number, (await counter.scan(again.token)).lent) == (3, True)
    await refused(counter.scan(loan.token), R.REVOKED)


async def test_a_loan_that_ran_out_binds_nobody(counter: Counter) -> None:
    await counter.issue()
    loan = await lent(counter)
    late = NOW + timedelta(days=3, seconds=1)
    await refused(counter.scan(loan.token, now=late), R.EXPIRED)
    assert (await counter.issue(late)).issue_number == 3


async def test_a_revoked_code_is_void_until_a_new_one_is_made(counter: Counter) -> None:
    issued = await counter.issue()
    scan = await counter.scan(issued.token)
    await taken_back(counter, issued.pickup_id)
    for shown in (issued.token, issued.short_code):
        await refused(counter.scan(shown), R.REVOKED, changed=("audit_entry",))
    await refused(counter.confirm(scan.scan_id), R.REVOKED)
    before = await everything()
    await taken_back(counter, issued.pickup_id)  # again: nothing more
    assert await everything() == before
    renewed = await counter.issue()
    assert (await counter.scan(renewed.token)).pickup_id == issued.pickup_id
    await refused(counter.scan(issued.token), R.REVOKED)
    entry = await database.fetchrow("select actor, detail::text from audit_entry where action = 'pickup.revoke'")
    assert tuple(entry) == (f"member:{counter.member}", '{"issue_number":1,"lent":false}')  # type: ignore[arg-type]


async def test_before_the_first_code_there_is_nothing_to_revoke(counter: Counter) -> None:
    pickup_id = await database.fetchval("select id from pickup")
    before = await everything()
    await taken_back(counter, pickup_id)
    assert await everything() == before


async def test_a_collected_pass_is_neither_lent_nor_revoked(counter: Counter) -> None:
    issued = await counter.issue()
    await counter.confirm((await counter.scan(issued.token)).scan_id)
    lend = commands.lend(member_id=counter.member, pickup_id=issued.pickup_id, to="", signer=SIGNER, now=NOW)
    await refused(lend, R.ALREADY_USED, changed=())
    await refused(commands.revoke(member_id=counter.member, pickup_id=issued.pickup_id, now=NOW), R.ALREADY_USED, changed=())


async def test_only_the_buyer_lends_and_revokes(counter: Counter) -> None:
    pickup_id = (await counter.issue()).pickup_id
    before = await everything()
    for member, which in ((await a_member(), pickup_id), (counter.member, uuid4())):
        with pytest.raises(NotFound):
            await commands.lend(member_id=member, pickup_id=which, to="", signer=SIGNER, now=NOW)
        with pytest.raises(NotFound):
            await commands.revoke(member_id=member, pickup_id=which, now=NOW)
    assert await everything() == before


# One code for all


async def two_names(counter: Counter) -> tuple[object, object]:
    """The member is known to the shop by a second name, which has a pass of its own; the ids of both passes."""
    first = await database.fetchval("select id from pickup")
    other = await a_buyer(counter.shop, member_id=counter.member, name="小美")
    await paid(counter.shop, [(counter.white, 1)], other)
    return first, await database.fetchval("select id from pickup where id <> $1", first)


async def test_one_code_covers_all_that_a_member_may_collect_at_a_shop(counter: Counter) -> None:
    first, second = await two_names(counter)
    old = await commands.issue(member_id=counter.member, pickup_id=second, shop_id=None, signer=SIGNER, now=NOW)  # type: ignore[arg-type]
    assert len(old.order_ids) == 2
    assert await database.fetchval("select state from pickup where id = $1", first) == "CANCELLED"
    done = await counter.confirm((await counter.scan(old.token)).scan_id)
    assert (done.left, len(done.order_ids), sum(line.quantity for line in done.lines)) == (0, 2, 4)
    await books_agree()


async def test_a_pass_that_went_up_into_another_stands_for_it(counter: Counter) -> None:
    first, second = await two_names(counter)
    issued = await commands.issue(member_id=counter.member, pickup_id=second, shop_id=None, signer=SIGNER, now=NOW)  # type: ignore[arg-type]
    again = await commands.issue(member_id=counter.member, pickup_id=first, shop_id=None, signer=SIGNER, now=NOW)  # type: ignore[arg-type]
    assert (again.pickup_id, again.issue_number, again.order_ids) == (issued.pickup_id, 2, issued.order_ids)


async def test_what_is_lent_stays_apart(counter: Counter) -> None:
    first, second = await two_names(counter)
    loan = await commands.lend(member_id=counter.member, pickup_id=first, to="", signer=SIGNER, now=NOW)  # type: ignore[arg-type]
    assert len(loan.order_ids) == 2  # lending gathers too
    third = await a_buyer(counter.shop, member_id=counter.member, name="阿美")
    await paid(counter.shop, [(counter.white, 1)], third)
    new = await database.fetchval("select id from pickup where buyer_id = $1", third.id)
    own = await commands.issue(member_id=counter.member, pickup_id=new, shop_id=None, signer=SIGNER, now=NOW)
    assert len(own.order_ids) == 1
    assert len((await counter.scan(loan.token)).order_ids) == 2
    assert second != first


async def test_others_passes_and_other_shops_are_not_gathered(counter: Counter) -> None:
    elsewhere = await Counter.open()
    await database.execute("update buyer set member_id = $1 where id = $2", counter.member, elsewhere.buyer.id)
    stranger = await a_buyer(counter.shop, member_id=await a_member())
    await paid(counter.shop, [(counter.white, 1)], stranger)
    assert len((await counter.issue()).order_ids) == 1
    assert await database.fetchval("select count(*) from pickup where state = 'OPEN'") == 3


async def test_the_picture_is_a_png_that_says_the_code(counter: Counter) -> None:
    issued = await counter.issue()
    picture = qr_png(issued.token)
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    assert (int.from_bytes(picture[16:20], "big"), int.from_bytes(picture[20:24], "big")) == (490, 490)
    assert issued.token.encode() not in picture
    assert picture == qr_png(issued.token)
    assert picture != qr_png((await counter.issue()).token)


@pytest.mark.parametrize("issue", [0, -1, 2])
async def test_what_was_lent_was_issued(counter: Counter, issue: int) -> None:
    await counter.issue()
    with pytest.raises(asyncpg.CheckViolationError, match="pickup_lent"):
        await database.execute("update pickup set lent_issue = $1", issue)
