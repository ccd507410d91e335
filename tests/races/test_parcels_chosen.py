"""A buyer chooses another store while the parcel is packed: the parcel goes to the store that stands, or the choice is refused. The twin looks at
the order without its lock."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest

from domain import db as database
from domain.db import Tx
from domain.delivery import choosing
from domain.errors import NotFound
from domain.orders.commands import COLUMNS, LockedOrder, as_locked
from domain.orders.errors import InvalidTransition
from domain.paging import Wanted
from domain.shipping.chosen import Label
from domain.shipping.screens import shipment_of_shop
from tests.build import AnOrder, a_buyer, a_member
from tests.domain.delivery.acts import Ways, a_shop_with_ways, chosen
from tests.domain.shipping.test_chosen import a_choice
from tests.parcels import all_agrees, packed

ROUNDS = 8


async def an_order_to_a_store(ways: Ways) -> tuple[UUID, AnOrder]:
    member = await a_member()
    return member, await a_choice(ways, ways.at_store(), await a_buyer(ways.shop, member_id=member))


async def stores(order: AnOrder, parcel: UUID) -> tuple[str, str, list[str]]:
    """Of the parcel, of the choice, and what the parcel's screen says of it."""
    row = await shipment_of_shop(order.shop_id, parcel, wanted=Wanted.of("differences"))
    assert row is not None
    return (
        row["store_code"],
        await database.fetchval("select store_code from order_delivery where order_id = $1", order.id),
        row["differences"],
    )


async def test_a_parcel_goes_where_the_choice_that_stands_says(db: str) -> None:
    ways, ends = await a_shop_with_ways(), set()
    for turn in range(ROUNDS):
        member, order = await an_order_to_a_store(ways)
        race: list[Any] = [packed(order, label=Label()), chosen(member, order, ways.at_store("999999"))]
        answers = await asyncio.gather(*(race if turn % 2 else race[::-1]), return_exceptions=True)
        parcel, choice = answers if turn % 2 else answers[::-1]
        assert isinstance(parcel, UUID)
        assert choice is None or isinstance(choice, InvalidTransition)
        ends.add((choice is None, *(await stores(order, parcel))[:2]))
        assert (await stores(order, parcel))[2] == []
    assert ends <= {(True, "999999", "999999"), (False, "131386", "131386")}
    await all_agrees()


async def test_twin_a_choice_without_the_orders_lock_comes_after_the_label(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ways = await a_shop_with_ways()
    member, order = await an_order_to_a_store(ways)
    looked, go_on = asyncio.Event(), asyncio.Event()

    async def unlocked(tx: Tx, order_id: UUID, member_id: UUID) -> LockedOrder:
        row = await tx.fetchrow(f'select {COLUMNS} from "order" o where o.id = $1 and o.member_id = $2', order_id, member_id)
        if row is None:
            raise NotFound
        looked.set()
        await go_on.wait()
        return as_locked(row)

    monkeypatch.setattr(choosing, "lock_own_order", unlocked)
    choice = asyncio.create_task(chosen(member, order, ways.at_store("999999")))
    await looked.wait()
    parcel = await packed(order, label=Label())
    go_on.set()
    await choice
    assert await stores(order, parcel) == ("131386", "999999", ["STORE"])
