"""Every invariant finds what breaks it: each is broken on purpose, with the guards of the tables out of the way, and rolled back."""

from __future__ import annotations

from datetime import timedelta

import asyncpg
import pytest

from domain import db as database
from domain.shipping.rules import ReturnDecision, ShipmentState
from plusone.invariants import INVARIANTS, check
from tests.build import NOW, AnOrder, a_device, a_member, a_membership
from tests.domain.claims.acts import expire, first_order, pay
from tests.parcels import packed, said, settled
from tests.wall import Wall, a_wall

LATER = NOW + timedelta(days=2)
BREAKS = {
    "I1": [
        "update stock_level set on_hand = held + committed - 1, backorder_limit = 0",
        "update stock_level set held = -1",
        "update stock_level set committed = -1",
    ],
    "I2a": ["update stock_level set on_hand = on_hand + 1", "delete from stock_movement where kind = 'HELD'"],
    "I2b": [
        "update order_line set quantity = quantity + 1",
        """update "order" set state = 'OPEN', version = version + 1 where state = 'CANCELLED'""",
    ],
    "I2c": ["update stock_level set waiting = waiting + 1"],
    "I3": ["update inbox_event set state = 'PENDING' where id = (select min(id) from inbox_event)"],
    "I4": [
        """insert into claim select gen_random_uuid(), shop_id, comment_id, post_id, buyer_id, outcome, reason, intent, result, text_hash, rules_version,
             policy_version_id, order_id, review, resolved_by, resolution, decided_at from claim limit 1""",
        """update order_line set claim_id = (select claim_id from order_line where claim_id is not null limit 1),
             order_id = (select order_id from order_line limit 1)""",
        "update social_comment set external_id = 'same'",
    ],
    "I5": [
        """insert into idempotency_key (id, actor_id, key, request_hash, created_at)
           select gen_random_uuid(), (select id from member limit 1), 'k', 'h', now() from generate_series(1, 2)"""
    ],
    "I6a": [
        "update order_line set unit_price_minor = unit_price_minor + 1",
        'update "order" set total_minor = total_minor + 1, version = version + 1',
    ],
    "I6b": ["delete from payment", "update payment set amount_minor = amount_minor - 1"],
    "I7": [
        "update payment set currency = 'USD'",
        """update "order" set paid_minor = 1, version = version + 1 where payment_state = 'PAID'""",
    ],
    "I8": [
        """update "order" set state = 'COMPLETED', version = version + 1""",
        """update "order" set state = 'CANCELLED', version = version + 1 where payment_state = 'PAID'""",
    ],
    "I9": [
        "delete from audit_entry where object_type = 'claim'",
        "delete from audit_entry where action = 'order.mark_paid'",
        "delete from audit_entry where object_type = 'shipment'",
        """insert into hand_over (id, shop_id, pickup_id, issue_number, by_member_id, device, collected_minor, conflict, at)
           select gen_random_uuid(), shop_id, id, 1, gen_random_uuid(), '', 0, false, now() from pickup limit 1""",
    ],
    "I10": [
        """insert into push_delivery select gen_random_uuid(), notice_id, device_id, state, tries, next_try_at, use_by, provider_id, last_error
           from push_delivery limit 1""",
        "update notice set member_id = gen_random_uuid()",
    ],
    "I11": [
        "update order_line set shop_id = gen_random_uuid()",
        "update claim set shop_id = gen_random_uuid()",
        'update "order" set shop_id = gen_random_uuid(), version = version + 1',
        'update "order" set member_id = null, version = version + 1',
        "update shipment set member_id = gen_random_uuid()",
        "update shipment set shop_id = gen_random_uuid()",
        "update shipment_line set shop_id = gen_random_uuid()",
        'update shipment_line set order_id = (select id from "order" o where o.id <> order_id limit 1)',
    ],
    "I12": [
        """insert into stock_movement (shop_id, variant_id, kind, on_hand_delta, held_delta, committed_delta, order_line_id, actor, reason, at)
               select shop_id, variant_id, 'RELEASED', 0, -1, 0, order_line_id, actor, '', at from stock_movement where kind = 'HELD' limit 1"""
    ],
    "I13": ["update order_line set handed_over = 1", "update order_line set handed_over = quantity + 1"],
    "I17": [
        "update order_line set packed = packed + 1 where packed > 0",
        "update order_line set shipped = shipped - 1 where shipped > 0",
        "update order_line set handed_over = quantity where packed > 0",
        "update shipment_line set quantity = quantity + 1",
        "update shipment set state = 'CANCELLED' where state = 'PREPARING'",
        "update shipment set return_decision = 'SHIP_AGAIN' where return_decision is not null",
    ],
    "I18": [
        "delete from stock_movement where kind = 'SHIPPED'",
        "delete from stock_movement where kind = 'RETURNED'",
        """insert into stock_movement (shop_id, variant_id, kind, on_hand_delta, held_delta, committed_delta, order_line_id, actor, reason, at)
             select shop_id, variant_id, kind, on_hand_delta, 0, committed_delta, order_line_id, actor, '', at from stock_movement where kind = 'SHIPPED' limit 1""",
        "update shipment set return_decision = null, settled_at = null where return_decision is not null",
        "update shipment set left_at = now(), state = 'SHIPPED' where left_at is null",
    ],
    "I19": [
        "update shipment set state = 'DELIVERED' where state = 'SHIPPED'",
        "update shipment set state_at = state_at + interval '1 hour' where left_at is not null",
        "delete from shipment_event",
        """insert into shipment_event (shop_id, shipment_id, state, at, note, actor, recorded_at)
             select shop_id, id, 'SHIPPED', now(), '', '', now() from shipment where state = 'PREPARING'""",
    ],
    "I14": [
        "update push_delivery set state = 'PENDING', next_try_at = next_try_at - interval '1 day'",
        "update platform_reply set state = 'PENDING'",
    ],
    "I15": [
        """with m as (update member set deleted_at = now(), display_name = '' where id = (select id from member limit 1) returning id)
           insert into identity select gen_random_uuid(), id, 'line', 'gone', now(), now() from m""",
        """with m as (update member set deleted_at = now(), display_name = '' where id = (select id from member limit 1) returning id)
           insert into session select gen_random_uuid(), id, 'i', now(), now(), now(), now(), null, '' from m""",
        "update member set deleted_at = now(), display_name = 'somebody' where id = (select id from member limit 1)",
        """insert into member_merge (id, keeper_id, absorbed_id, merged_at, undo_until, moved)
           select gen_random_uuid(), k, a, now(), now(), '{}' from (values
             ('00000000-0000-0000-0000-000000000001'::uuid, '00000000-0000-0000-0000-000000000002'::uuid),
             ('00000000-0000-0000-0000-000000000002', '00000000-0000-0000-0000-000000000001')) v(k, a)""",
    ],
    "I16": [
        "update payment set method = 'ONLINE'",
        """with a as (insert into payment_account (id, shop_id, provider, slug, merchant_id, hash_key_encrypted, hash_iv_encrypted, live, created_at)
             select gen_random_uuid(), id, 'ECPAY', 's', '1', '', '', false, now() from shop limit 1 returning id, shop_id)
           insert into payment_attempt (id, shop_id, order_id, account_id, member_id, trade_no, method, amount_minor, currency, state, provider_no, code,
             bank, number, received_minor, surplus_minor, return_note, asked, created_at, page_until)
           select gen_random_uuid(), a.shop_id, (select id from "order" limit 1), a.id, gen_random_uuid(), 'T', 'CARD', 5, 'TWD', 'PAID', '', '', '', '',
             5, 0, '', 0, now(), now() from a""",
    ],
    "I20": [
        """update "order" set payment_state = 'REPORTED', version = version + 1 where payment_state = 'UNPAID'""",
        """insert into transfer_report (id, shop_id, order_id, state, last_five, paid_at, amount_minor, currency, reason, reported_at, answer_by)
           select gen_random_uuid(), shop_id, id, 'OPEN', '12345', now(), 1, currency, '', now(), now() from "order" where payment_state = 'PAID'""",
    ],
    "I21": [
        """insert into pickup_slot (id, shop_id, offer_id, starts_at, ends_at, capacity, taken, version, created_at)
           select gen_random_uuid(), id, gen_random_uuid(), now(), now() + interval '1 hour', 5, 1, 1, now() from shop""",
        """with slot as (insert into pickup_slot (id, shop_id, offer_id, starts_at, ends_at, capacity, taken, version, created_at)
             select gen_random_uuid(), id, gen_random_uuid(), now(), now() + interval '1 hour', 5, 1, 1, now() from shop limit 1 returning id)
           insert into order_delivery (order_id, shop_id, offer_id, slot_id, chosen_at)
             select o.id, o.shop_id, gen_random_uuid(), slot.id, now() from "order" o, slot where o.state = 'CANCELLED'""",
    ],
    "I22": [
        "update pickup set slot_id = gen_random_uuid() where state = 'OPEN'",
        """with slot as (insert into pickup_slot (id, shop_id, offer_id, starts_at, ends_at, capacity, taken, version, created_at)
             select gen_random_uuid(), id, gen_random_uuid(), now(), now() + interval '1 hour', 5, 1, 1, now() from shop limit 1 returning id)
           insert into order_delivery (order_id, shop_id, offer_id, slot_id, chosen_at)
             select o.id, o.shop_id, gen_random_uuid(), slot.id, now() from pickup_order po join "order" o on o.id = po.order_id, slot
             where o.state = 'OPEN' limit 1""",
    ],
}


@pytest.fixture
async def wall(db: str) -> Wall:
    """One paid order of a member with a pickup, one unpaid, one that ran out, one with parcels of every kind, all by comments."""
    wall = await a_wall()
    member = await a_member()
    await a_device(member)
    await a_membership(wall.shop)
    await database.execute(
        "insert into identity (id, member_id, provider, subject, created_at, last_seen_at) values (gen_random_uuid(), $1, 'facebook', '甲', $2, $2)",
        member,
        NOW,
    )
    await wall.says("甲", "+2")
    await wall.drain()
    await pay(wall)
    await wall.says("丙", "+1")
    await wall.drain()
    await expire(wall)
    await wall.says("乙", "+1")
    await wall.drain()
    assert await first_order() is not None
    await _parcels(wall)
    assert await check(NOW + timedelta(seconds=59)) == []
    return wall


async def _parcels(wall: Wall) -> None:
    """One that is being packed, one on its way, and one that came back onto the shelf."""
    await wall.says("丁", "+3")
    await wall.drain()
    row = await database.fetchrow(
        """select o.id, o.buyer_id, o.number, o.total_minor, l.id as line from "order" o join buyer b on b.id = o.buyer_id
           join order_line l on l.order_id = o.id where b.external_id = '丁'"""
    )
    assert row is not None
    await pay(wall, row["id"])
    order = AnOrder(row["id"], wall.shop.id, row["buyer_id"], row["number"], row["total_minor"], [row["line"]])
    parcels = [await packed(order, {0: 1}) for _ in range(3)]
    await said(order, parcels[1], ShipmentState.SHIPPED)
    for minute, state in enumerate((ShipmentState.SHIPPED, ShipmentState.RETURNED)):
        await said(order, parcels[2], state, at=NOW + timedelta(seconds=minute))
    await settled(order, parcels[2], ReturnDecision.RESTOCK)


async def without_guards(connection: asyncpg.Connection) -> None:  # type: ignore[type-arg]
    """No triggers, foreign keys, CHECKs or unique keys, until the transaction is rolled back."""
    await connection.execute("set local session_replication_role = replica")
    for row in await connection.fetch(
        """select conrelid::regclass::text as name, conname from pg_constraint
           where connamespace = 'public'::regnamespace and contype in ('c', 'u')
             and conrelid::regclass::text in ('stock_level', '"order"', 'order_line', 'claim', 'social_comment', 'payment', 'push_delivery',
                                              'idempotency_key', 'hand_over', 'shipment', 'shipment_line')"""
    ):
        await connection.execute(f'alter table {row["name"]} drop constraint "{row["conname"]}" cascade')
    for row in await connection.fetch(
        """select i.indexrelid::regclass::text as name from pg_index i join pg_class c on c.oid = i.indrelid
           where i.indisunique and not i.indisprimary and c.relnamespace = 'public'::regnamespace
             and c.relname in ('order', 'order_line', 'claim', 'social_comment', 'push_delivery', 'idempotency_key', 'shipment', 'shipment_line')"""
    ):
        await connection.execute(f"drop index {row['name']}")


async def test_each_finds_what_breaks_it(wall: Wall, db: str) -> None:
    assert set(BREAKS) == {i.code for i in INVARIANTS}
    connection = await asyncpg.connect(db)
    unseen = []
    try:
        for invariant in INVARIANTS:
            args = (LATER,) if invariant.timed else ()
            for statement in BREAKS[invariant.code]:
                transaction = connection.transaction()
                await transaction.start()
                await without_guards(connection)
                changed = await connection.execute(statement)
                assert not changed.endswith(" 0"), (invariant.code, statement)
                if not await connection.fetch(invariant.sql, *args):
                    unseen.append((invariant.code, statement))
                await transaction.rollback()
    finally:
        await connection.close()
    assert unseen == []
    assert await check(NOW + timedelta(seconds=59)) == []


async def test_a_violation_names_its_invariant_and_rows(db: str) -> None:
    wall = await a_wall()
    await database.execute("update stock_level set on_hand = on_hand + 1")
    found = await check(NOW)
    assert [(v.invariant, len(v.rows)) for v in found] == [("I2a", 1)]
    assert found[0].rows[0]["variant_id"] == wall.product.variants[0].id
