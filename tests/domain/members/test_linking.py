"""The commenter becomes a member: what shops knew of them becomes theirs, once, in all shops, and nobody else's."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest

from domain import db as database
from domain.ids import new_id
from domain.members import commands, linking
from domain.members.commands import link_identity, sign_in
from domain.members.errors import SignInRefused
from domain.members.linking import link_buyers
from domain.members.ports import ProvenIdentity
from domain.orders.rules import OrderState, PaymentState
from tests.build import ABuyer, AnOrder, AShop, a_buyer, a_member, a_shop, a_variant, an_order
from tests.conftest import NOW
from tests.parcels import packed

LATER = NOW + timedelta(hours=1)
MEI = ProvenIdentity("facebook", "mei", "林小美")


async def go(proven: ProvenIdentity = MEI, now=NOW) -> UUID:
    async with database.transaction() as tx:
        return await sign_in(tx, proven, now)


async def order_of(shop: AShop, buyer: ABuyer, **given) -> AnOrder:
    return await an_order(shop, {await a_variant(shop): 1}, buyer=buyer, **given)


async def a_notice(buyer: ABuyer) -> UUID:
    notice_id = new_id()
    await database.execute(
        "insert into notice (id, shop_id, buyer_id, kind, data, dedupe_key, created_at) values ($1, $2, $3, 'ORDER_PLACED', '{}', $4, $5)",
        notice_id, buyer.shop_id, buyer.id, str(notice_id), NOW,
    )  # fmt: skip
    return notice_id


async def a_pickup(buyer: ABuyer) -> UUID:
    pickup_id = new_id()
    await database.execute(
        "insert into pickup (id, shop_id, buyer_id, code_id, state, issue_number, short_code, version, created_at) values ($1, $2, $3, $4, 'OPEN', 0, '', 1, $5)",
        pickup_id, buyer.shop_id, buyer.id, int.from_bytes(pickup_id.bytes[-7:], "big"), NOW,
    )  # fmt: skip
    return pickup_id


async def member_of(table: str, row_id: UUID) -> UUID | None:
    return await database.fetchval(f'select member_id from "{table}" where id = $1', row_id)


async def test_the_first_sign_in_makes_a_member_and_the_next_finds_it(db):
    member_id = await go()
    assert await go(now=LATER) == member_id
    row = await database.fetchrow(
        "select m.ver, m.display_name, i.provider, i.subject, i.created_at, i.last_seen_at from member m join identity i on i.member_id = m.id"
    )
    assert row is not None
    assert tuple(row) == (1, "林小美", "facebook", "mei", NOW, LATER)
    assert await database.fetchval("select count(*) from member") == 1


async def test_a_deleted_member_cannot_sign_in(db):
    await go()
    await database.execute("update member set deleted_at = $1", NOW)
    with pytest.raises(SignInRefused):
        await go(now=LATER)
    assert await database.fetchval("select last_seen_at from identity") == NOW


async def test_ten_first_sign_ins_at_once_make_one_member(db):
    assert len(set(await asyncio.gather(*(go() for _ in range(10))))) == 1
    assert await database.fetchval("select count(*) from member") == 1


async def test_without_the_turns_two_first_sign_ins_collide(db, monkeypatch):
    """The twin: both see no member, and one person's sign-in fails on the unique identity."""
    both_looked = asyncio.Barrier(2)
    real = commands._new_member

    async def no_turns(tx, proven):
        return None

    async def after_both(*given):
        await both_looked.wait()
        return await real(*given)

    monkeypatch.setattr(commands, "_one_at_a_time", no_turns)
    monkeypatch.setattr(commands, "_new_member", after_both)
    results = await asyncio.gather(go(), go(), return_exceptions=True)
    assert sorted(isinstance(result, UUID) for result in results) == [False, True]
    assert any(isinstance(result, asyncpg.UniqueViolationError) for result in results)


async def test_all_that_shops_knew_becomes_the_member_s(db):
    shops = [await a_shop(), await a_shop()]
    buyers = [await a_buyer(shop, provider="facebook", external_id="mei") for shop in shops]
    orders = [
        await order_of(shop, buyer, **state)
        for shop, buyer in zip(shops, buyers, strict=True)
        for state in ({}, {"state": OrderState.CANCELLED})
    ]
    paid = await order_of(shops[0], buyers[0], payment=PaymentState.PAID)
    parcel = await packed(paid)
    notices, pickups = [await a_notice(b) for b in buyers], [await a_pickup(b) for b in buyers]
    member_id = await go(now=LATER)
    for table, rows in (
        ("buyer", [b.id for b in buyers]),
        ("order", [o.id for o in [*orders, paid]]),
        ("notice", notices),
        ("pickup", pickups),
        ("shipment", [parcel]),
    ):
        assert [await member_of(table, row) for row in rows] == [member_id] * len(rows), table


async def test_a_linked_order_has_a_new_version_an_event_and_an_audit_entry(db):
    shop = await a_shop()
    buyer = await a_buyer(shop, provider="facebook", external_id="mei")
    order = await order_of(shop, buyer)
    member_id = await go(now=LATER)
    row = await database.fetchrow('select version, updated_at, state, payment_state, total_minor from "order"')
    assert row is not None
    assert tuple(row) == (2, LATER, "OPEN", "UNPAID", order.total_minor)
    events = await database.fetch("select shop_id, order_id, kind, actor, at from order_event")
    assert [tuple(event) for event in events] == [(shop.id, order.id, "MEMBER_LINKED", f"member:{member_id}", LATER)]
    entries = await database.fetch("select shop_id, action, object_type, object_id, actor, at from audit_entry order by action")
    assert [tuple(entry) for entry in entries] == [
        (shop.id, "BUYER_LINKED", "buyer", buyer.id, f"member:{member_id}", LATER),
        (shop.id, "ORDER_MEMBER_LINKED", "order", order.id, f"member:{member_id}", LATER),
    ]


async def test_the_second_sign_in_changes_nothing(db):
    shop = await a_shop()
    await order_of(shop, await a_buyer(shop, provider="facebook", external_id="mei"))
    await go()

    async def everything() -> list[str]:
        return [
            str([tuple(r) for r in await database.fetch(f'select * from "{t}"')]) for t in ("order", "buyer", "order_event", "audit_entry")
        ]

    before = await everything()
    await go(now=LATER)
    assert await everything() == before


@pytest.mark.parametrize(("provider", "external_id"), [("line", "mei"), ("facebook", "mei2"), ("facebook", "MEI"), ("generic", "mei")])
async def test_another_commenter_stays_another(db, provider, external_id):
    shop = await a_shop()
    buyer = await a_buyer(shop, provider=provider, external_id=external_id)
    order = await order_of(shop, buyer)
    await go()
    assert await member_of("buyer", buyer.id) is None
    assert await member_of("order", order.id) is None
    assert await database.fetchval("select count(*) from audit_entry") == 0


async def test_a_buyer_that_is_another_member_s_stays_theirs(db):
    shop, owner = await a_shop(), await a_member()
    buyer = await a_buyer(shop, provider="facebook", external_id="mei", member_id=owner)
    order = await order_of(shop, buyer)
    member_id = await go()
    assert member_id != owner
    assert await member_of("buyer", buyer.id) == await member_of("order", order.id) == owner


async def test_an_order_written_between_two_links_follows_with_the_next(db):
    shop = await a_shop()
    buyer = await a_buyer(shop, provider="facebook", external_id="mei")
    member_id = await go()
    stray = await order_of(shop, buyer)
    assert await member_of("order", stray.id) is None
    await go(now=LATER)
    assert await member_of("order", stray.id) == member_id


async def test_a_link_waits_for_an_order_that_is_just_being_written(db):
    """The order is in a transaction that locked its buyer before the sign-in came and ends after it."""
    shop = await a_shop()
    buyer = await a_buyer(shop, provider="facebook", external_id="mei")
    written, may_commit = asyncio.Event(), asyncio.Event()

    async def write() -> UUID:
        async with database.transaction() as tx:
            order_id = new_id()
            await tx.execute("select 1 from buyer where id = $1 for no key update", buyer.id)
            await tx.execute(
                """insert into "order" (id, shop_id, number, buyer_id, state, payment_state, fulfilment_state, delivery_method, currency,
                     flagged, version, created_at, updated_at, subtotal_minor, shipping_minor, discount_minor, total_minor, paid_minor)
                   values ($1, $2, 'x-1', $3, 'OPEN', 'UNPAID', 'UNFULFILLED', 'PICKUP', 'TWD', false, 1, $4, $4, 0, 0, 0, 0, 0)""",
                order_id, shop.id, buyer.id, NOW,
            )  # fmt: skip
            written.set()
            await may_commit.wait()
        return order_id

    async def link() -> UUID:
        await written.wait()
        return await go(now=LATER)

    async def commit_when_the_link_waits() -> None:
        await written.wait()
        while not await database.fetchval("select exists (select 1 from pg_locks where not granted)"):  # noqa: ASYNC110  polls the server
            await asyncio.sleep(0.01)
        may_commit.set()

    order_id, member_id, _ = await asyncio.gather(write(), link(), commit_when_the_link_waits())
    assert await member_of("order", order_id) == member_id


async def test_without_the_lock_the_order_just_being_written_is_missed(db, monkeypatch):
    """The twin: the link goes by while the order is not committed, and the order has no member."""
    shop = await a_shop()
    buyer = await a_buyer(shop, provider="facebook", external_id="mei")
    await database.execute("update buyer set member_id = $2 where id = $1", buyer.id, member_id := await go())

    async def no_lock(*_: object) -> None:
        return None

    monkeypatch.setattr(linking, "_lock", no_lock)
    connection = await database.dedicated()
    try:
        async with connection.transaction():
            order_id = new_id()
            await connection.execute(
                """insert into "order" (id, shop_id, number, buyer_id, state, payment_state, fulfilment_state, delivery_method, currency,
                     flagged, version, created_at, updated_at, subtotal_minor, shipping_minor, discount_minor, total_minor, paid_minor)
                   values ($1, $2, 'x-1', $3, 'OPEN', 'UNPAID', 'UNFULFILLED', 'PICKUP', 'TWD', false, 1, $4, $4, 0, 0, 0, 0, 0)""",
                order_id, shop.id, buyer.id, NOW,
            )  # fmt: skip
            assert await go(now=LATER) == member_id
    finally:
        await connection.close()
    assert await member_of("order", order_id) is None


async def test_a_buyer_written_in_the_moment_of_the_first_sign_in_is_found_by_the_schedule(db):
    shop = await a_shop()
    member_id = await go()
    missed = await a_buyer(shop, provider="facebook", external_id="mei")
    order = await order_of(shop, missed)
    other = await a_buyer(shop, provider="facebook", external_id="somebody")
    assert await linking.link_missed(NOW + timedelta(minutes=59)) == 1
    assert await linking.link_missed(NOW + timedelta(minutes=59)) == 0
    assert await member_of("buyer", missed.id) == await member_of("order", order.id) == member_id
    assert await member_of("buyer", other.id) is None


async def test_a_second_identity_joins_the_member_and_its_buyers_follow(db):
    shop = await a_shop()
    buyer = await a_buyer(shop, provider="line", external_id="Umei")
    member_id = await go()
    async with database.transaction() as tx:
        await link_identity(tx, member_id, ProvenIdentity("line", "Umei"), LATER)
    assert await member_of("buyer", buyer.id) == member_id
    assert await go(ProvenIdentity("line", "Umei")) == member_id


async def test_two_members_are_never_joined(db):
    first, second = await go(), await go(ProvenIdentity("line", "Umei"))
    with pytest.raises(SignInRefused):
        async with database.transaction() as tx:
            await link_identity(tx, first, ProvenIdentity("line", "Umei"), LATER)
    rows = await database.fetch("select provider, member_id from identity order by provider")
    assert [tuple(row) for row in rows] == [("facebook", first), ("line", second)]


async def test_a_thousand_orders_are_linked_by_the_same_few_statements(db):
    shop = await a_shop()
    buyer = await a_buyer(shop, provider="facebook", external_id="mei")
    await database.execute(
        """insert into "order" (id, shop_id, number, buyer_id, state, payment_state, fulfilment_state, delivery_method, currency, flagged,
             version, created_at, updated_at, subtotal_minor, shipping_minor, discount_minor, total_minor, paid_minor)
           select gen_random_uuid(), $1, 'n-' || n, $2, 'COMPLETED', 'PAID', 'HANDED_OVER', 'PICKUP', 'TWD', false, 1, $3, $3, 0, 0, 0, 0, 0
           from generate_series(1, 1000) n""",
        shop.id, buyer.id, NOW,
    )  # fmt: skip
    member_id = await a_member()
    sent: list[str] = []

    async with database.transaction() as tx:
        tx.raw.add_query_logger(lambda record: sent.append(record.query))
        assert await link_buyers(tx, member_id, "facebook", "mei", LATER) == 1
    await asyncio.sleep(0)
    # And the audit's COPY, which asyncpg does not tell its loggers of.
    assert len([sql for sql in sent if not sql.startswith("COMMIT")]) == 7
    assert await database.fetchval('select count(*) from "order" where member_id = $1 and version = 2', member_id) == 1000
    assert await database.fetchval("select count(*) from audit_entry") == 1001
    assert await database.fetchval("select count(*) from order_event") == 1000
