"""Every CHECK and key of the tables for linking, and the key of a pass to its slot, broken on purpose."""

from __future__ import annotations

import asyncpg
import pytest

from domain import db as database
from domain.ids import new_id
from tests.build import NOW, a_buyer, a_member, a_shop, a_variant, an_endpoint
from tests.counter import paid

OPENED = """insert into account_link (id, endpoint_id, provider, external_id, state, reply_token, link_token_encrypted, tries, member_id, nonce_hash, asked_at,
    sent_at, opened_at) values ($1, $2, 'line', 'U1', 'OPENED', '', '', 0, $3, $4, $5, $5, $5)"""


async def refuses(kind: type[asyncpg.PostgresError], name: str, sql: str) -> None:
    with pytest.raises(kind) as raised:
        await database.execute(sql)
    assert raised.value.constraint_name == name


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("update account_link set member_id = null", "account_link_opened"),
        ("update account_link set nonce_hash = null", "account_link_opened"),
        ("update account_link set opened_at = null", "account_link_opened"),
        ("update account_link set state = 'ASKED'", "account_link_state"),
        ("update account_link set state = 'SENT'", "account_link_state"),
        ("update account_link set sent_at = null", "account_link_state"),
        ("update account_link set done_at = asked_at", "account_link_state"),
        ("update account_link set state = 'LINKED'", "account_link_state"),
        ("update account_link set state = 'FAILED'", "account_link_state"),
    ],
)
async def test_a_state_has_what_belongs_to_it(db: str, sql: str, name: str) -> None:
    await database.execute(OPENED, new_id(), await an_endpoint(), await a_member(), "1" * 64, NOW)
    await refuses(asyncpg.CheckViolationError, name, sql)


@pytest.mark.parametrize("column", ["endpoint_id", "member_id"])
async def test_a_way_leads_from_an_account_of_a_shop_to_a_member(db: str, column: str) -> None:
    await database.execute(OPENED, new_id(), await an_endpoint(), await a_member(), "1" * 64, NOW)
    await refuses(asyncpg.ForeignKeyViolationError, f"account_link_{column}", f"update account_link set {column} = gen_random_uuid()")


async def test_a_nonce_is_one_ways_alone(db: str) -> None:
    endpoint, member = await an_endpoint(), await a_member()
    await database.execute(OPENED, new_id(), endpoint, member, "1" * 64, NOW)
    with pytest.raises(asyncpg.UniqueViolationError):
        await database.execute(OPENED, new_id(), endpoint, member, "1" * 64, NOW)


async def test_an_id_of_a_pages_messages_belongs_to_one_commenter_of_a_shop(db: str) -> None:
    shop, other = await a_shop(), await a_shop()
    for where in (shop, shop, other):
        await a_buyer(where)
    await database.execute("update buyer set inbox_id = '77' where shop_id = $1", other.id)
    await refuses(asyncpg.UniqueViolationError, "buyer_of_inbox", f"update buyer set inbox_id = '77' where shop_id = '{shop.id}'")


async def test_a_pass_is_for_a_slot_of_its_shop(db: str) -> None:
    shop = await a_shop()
    await paid(shop, [(await a_variant(shop, on_hand=3), 1)], await a_buyer(shop))
    await refuses(asyncpg.ForeignKeyViolationError, "pickup_slot_id", "update pickup set slot_id = gen_random_uuid()")
