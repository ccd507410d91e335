"""Every CHECK, key and trigger of the tables for buyers' acts, broken on purpose."""

from __future__ import annotations

import asyncpg
import pytest

from domain import db as database
from domain.ids import new_id
from tests.build import NOW
from tests.domain.claims.queueing import a_line, on_offer, restock

INSERT = """insert into waitlist_offer (id, shop_id, place_id, buyer_id, variant_id, quantity, state, offered_at, expires_at)
  select $1, shop_id, place_id, buyer_id, variant_id, 1, 'OPEN', offered_at, expires_at from waitlist_offer limit 1"""


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("update shop set undo_minutes = -1", "shop_undo"), ("update shop set undo_minutes = 10081", "shop_undo"),
        ("update shop set offer_minutes = 0", "shop_offer"), ("update shop set ship_later_days = 367", "shop_ship_later"),
        ("update waitlist_offer set quantity = 0", "waitlist_offer_quantity"),
        ("update waitlist_offer set expires_at = offered_at", "waitlist_offer_time"),
        ("update waitlist_offer set place_id = gen_random_uuid()", "waitlist_offer_place"),
    ],
)  # fmt: skip
async def test_a_guard_holds(db: str, sql: str, name: str) -> None:
    wall, _ = await a_line(("甲", 1))
    await restock(wall, 1)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError) as raised:
        await database.execute(sql)
    assert raised.value.constraint_name == name


async def test_a_place_has_one_open_offer(db: str) -> None:
    wall, _ = await a_line(("甲", 2))
    await restock(wall, 1)
    with pytest.raises(asyncpg.UniqueViolationError) as raised:
        await database.execute(INSERT, new_id())
    assert raised.value.constraint_name == "waitlist_offer_open"
    await database.execute("update waitlist_offer set state = 'PASSED'")
    await database.execute(INSERT, new_id())


async def test_an_offer_follows_its_place(db: str) -> None:
    wall, _ = await a_line(("甲", 3))
    await restock(wall, 3)
    await database.execute("update waitlist_entry set quantity = 2")
    assert await on_offer() == {"甲": 2}
    await database.execute("update waitlist_entry set quantity = 5")
    assert await on_offer() == {"甲": 2}
    await database.execute("update waitlist_entry set state = 'LEFT'")
    assert await on_offer("ENDED") == {"甲": 2}


async def test_a_request_is_over_with_its_order(db: str) -> None:
    await a_line(("甲", 3), on_hand=1)
    await database.execute("update \"order\" set cancel_requested_at = $1, cancel_reason = 'x', version = version + 1", NOW)
    assert await database.fetchval('select cancel_reason from "order"') == "x"
    await database.execute("update \"order\" set state = 'CANCELLED', version = version + 1")
    assert await database.fetchval("select cancel_requested_at is null and cancel_reason = '' from \"order\"")
