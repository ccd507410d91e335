"""A buyer gets a fresh code for their pass; older ones die; nobody else gets it."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from domain import db as database
from domain.errors import NotFound
from domain.pickup import commands
from domain.pickup.code import CodeFacts, decode
from tests.books import everything
from tests.build import NOW, a_buyer, a_member, a_shop, a_variant
from tests.counter import KEYS, SIGNER, Counter, R, paid, refused


async def test_a_pass_is_issued_with_a_code_that_says_it(counter: Counter) -> None:
    issued = await counter.issue()
    row = await database.fetchrow("select id, code_id, issue_number, short_code, not_after, version from pickup")
    assert row is not None
    assert (row["id"], row["issue_number"], row["short_code"], row["not_after"]) == (
        issued.pickup_id, 1, issued.short_code, NOW + timedelta(days=3),
    )  # fmt: skip
    facts = decode(issued.token, KEYS)
    code_id = row["code_id"].to_bytes(8, "big", signed=True)
    assert facts == CodeFacts(0, counter.shop.number, code_id, 1, NOW + timedelta(days=3))
    assert (issued.order_ids, issued.expires_at, len(issued.short_code)) == ((counter.order.id,), NOW + timedelta(days=3), 8)
    assert issued.token not in repr(issued)
    entry = await database.fetchrow("select actor, action, object_id, detail::text from audit_entry order by id desc limit 1")
    assert entry is not None
    assert tuple(entry) == (f"member:{counter.member}", "pickup.issue", issued.pickup_id, '{"issue_number":1}')


async def test_each_issue_kills_the_one_before(counter: Counter) -> None:
    first, second = await counter.issue(), await counter.issue(NOW + timedelta(hours=1))
    assert (first.issue_number, second.issue_number) == (1, 2)
    assert second.expires_at == NOW + timedelta(days=3, hours=1)
    await refused(counter.scan(first.token), R.REVOKED)
    await refused(counter.scan(first.short_code), R.INVALID)
    assert (await counter.scan(second.token)).pickup_id == first.pickup_id
    assert (await counter.scan(second.short_code)).pickup_id == first.pickup_id


async def test_only_the_buyer_gets_the_pass(counter: Counter) -> None:
    pickup_id = (await counter.issue()).pickup_id
    stranger = await a_member()
    before = await everything()
    for member, by_id, shop in (
        (stranger, pickup_id, None), (stranger, None, counter.shop.id), (counter.member, uuid4(), None),
        (counter.member, None, (await a_shop()).id), (counter.member, pickup_id, uuid4()), (counter.member, None, None),
    ):  # fmt: skip
        with pytest.raises(NotFound):
            await commands.issue(member_id=member, pickup_id=by_id, shop_id=shop, signer=SIGNER, now=NOW)
    assert await everything() == before
    again = await commands.issue(member_id=counter.member, pickup_id=pickup_id, shop_id=None, signer=SIGNER, now=NOW)
    assert (again.pickup_id, again.issue_number) == (pickup_id, 2)


async def test_a_member_who_linked_the_buyer_later_gets_the_pass(db: str) -> None:
    shop = await a_shop()
    buyer = await a_buyer(shop)
    await paid(shop, [(await a_variant(shop), 1)], buyer)
    member = await a_member()
    await database.execute("update buyer set member_id = $2 where id = $1", buyer.id, member)
    issued = await commands.issue(member_id=member, pickup_id=None, shop_id=shop.id, signer=SIGNER, now=NOW)
    assert await database.fetchval("select member_id from pickup where id = $1", issued.pickup_id) == member


async def test_a_pass_that_nothing_leaves_for_is_not_issued(counter: Counter) -> None:
    issued = await counter.issue()
    await database.execute("update \"order\" set payment_state = 'REFUNDED', version = version + 1")
    facts = await refused(counter.issue(), R.UNPAID, changed=())
    assert facts == {"due_minor": 0, "currency": "TWD"}
    await database.execute("update pickup set state = 'CANCELLED'")
    by_id = commands.issue(member_id=counter.member, pickup_id=issued.pickup_id, shop_id=None, signer=SIGNER, now=NOW)
    await refused(by_id, R.CANCELLED, changed=())


async def test_the_issue_number_has_an_end(counter: Counter) -> None:
    await database.execute("update pickup set issue_number = 65534")
    issued = await counter.issue()
    assert (issued.issue_number, decode(issued.token, KEYS).issue_number) == (65535, 65535)
    await refused(counter.issue(), R.RULES, changed=())
