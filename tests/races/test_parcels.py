"""Packers, clerks and carriers at the same instant; what must not happen happens in the twins, which lack the locks."""

from __future__ import annotations

import asyncio
import contextvars
import os
from collections.abc import AsyncIterator, Awaitable, Coroutine
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

import pytest

from domain import db as database
from domain.db import Tx
from domain.pickup.errors import PickupRefused
from domain.pickup.hand_over import HandOverResult
from domain.pickup.rules import PickupRefusal
from domain.shipping import commands, goods, parcels
from domain.shipping.commands import Heard
from domain.shipping.errors import InvalidMove, PiecesGone
from tests.books import books_agree, figures
from tests.build import NOW, a_shop, a_variant, an_order
from tests.conftest import empty
from tests.parcels import S, all_agrees, an_order_to_send, cancelled, line_of, notices, packed, parcel_row, said, state_of
from tests.races.test_pickup import CLERKS, a_pass, confirmed, scanned
from tests.races.turns import levels_unlocked

T = TypeVar("T")
ROUNDS = int(os.environ.get("PLUSONE_RACE_ROUNDS", "30"))
HOUR = timedelta(hours=1)


async def all_of(*races: Awaitable[Any]) -> list[Any]:
    return await asyncio.gather(*races, return_exceptions=True)


async def elsewhere(act: Coroutine[Any, Any, T]) -> T:
    """Run this outside of the caller's transaction, as another process would."""
    return await asyncio.create_task(act, context=contextvars.Context())


async def sent(order: Any) -> Heard:
    """Packed and given to the carrier, in two acts."""
    return await said(order, await packed(order), S.SHIPPED)


async def test_a_piece_is_collected_or_sent_and_never_both(db: str) -> None:
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=1000)
    ends = set()
    for number in range(ROUNDS):
        due = await a_pass(shop, variant)
        scan = await scanned(due, CLERKS[0])
        race = [confirmed(due, scan, CLERKS[0]), sent(due.order)]
        answers = await all_of(*(race if number % 2 else reversed(race)))
        ordered, handed, kept, shipped = await line_of(due.order)
        assert (ordered, handed + shipped, kept) == (1, 1, 0), answers
        refused = [answer for answer in answers if isinstance(answer, BaseException)]
        assert [type(one) for one in refused] == ([PiecesGone] if handed else [PickupRefused])
        if not handed:
            assert refused[0].refusal in (PickupRefusal.CANCELLED, PickupRefusal.NOT_READY)
        ends.add(await state_of(due.order))
    assert ends <= {("COMPLETED", "HANDED_OVER"), ("OPEN", "SHIPPED")}
    assert await figures(variant) == (1000 - ROUNDS, 0, 0)
    await all_agrees(but=("I9",))


@pytest.fixture
async def without_the_last_nets(db: str) -> AsyncIterator[None]:
    """The tables' own guards off, so that only the locks stand between the two."""
    await database.execute("alter table order_line drop constraint order_line_pieces")
    await database.execute("alter table order_line drop constraint order_line_handed_over")
    await database.execute('alter table "order" disable trigger order_guard')
    await database.execute("alter table shipment disable trigger shipment_guard")
    yield
    await empty(db)
    await database.execute("alter table order_line add constraint order_line_handed_over check (handed_over between 0 and quantity)")
    await database.execute(
        """alter table order_line add constraint order_line_pieces
           check (packed >= 0 and shipped >= 0 and handed_over + packed + shipped <= quantity)"""
    )
    await database.execute('alter table "order" enable trigger order_guard')
    await database.execute("alter table shipment enable trigger shipment_guard")


async def test_without_the_lock_a_piece_is_collected_and_sent(without_the_last_nets: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin: the clerk hands it over between the packer's look and the packing."""
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=9)
    await an_order_to_send(shop, [(variant, 3)])
    due = await a_pass(shop, variant)
    scan, lines_of = await scanned(due, CLERKS[0]), commands.lines_of

    async def look_and_be_late(tx: Tx, order_ids: Any) -> Any:
        seen = await lines_of(tx, order_ids)
        assert isinstance(await elsewhere(confirmed(due, scan, CLERKS[0])), HandOverResult)
        return seen

    monkeypatch.setattr(commands, "LOCK_ORDERS_OF_LINES", commands.LOCK_ORDERS_OF_LINES.replace("for update of o", ""))
    with monkeypatch.context() as late:
        late.setattr(commands, "lines_of", look_and_be_late)
        parcel = await packed(due.order, {0: 1})
    await said(due.order, parcel, S.SHIPPED)
    assert await line_of(due.order) == (1, 1, 0, 1)
    assert (await figures(variant))[0] == 7
    with pytest.raises(AssertionError):
        await books_agree()


async def test_one_thing_said_many_times_at_once_is_one_departure(db: str) -> None:
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=1000)
    for _ in range(ROUNDS // 3):
        order = await an_order_to_send(shop, [(variant, 2)])
        parcel = await packed(order)
        same = await all_of(*(said(order, parcel, S.SHIPPED) for _ in range(6)))
        assert sorted(one.name for one in same) == ["KNOWN"] * 5 + ["MOVED"]
        assert (await line_of(order), await notices(order)) == ((2, 0, 0, 2), [("SHIPMENT_SENT", "SHIPPED")])
    assert await figures(variant) == (1000 - 2 * (ROUNDS // 3), 0, 0)
    await all_agrees()


async def test_all_of_a_parcels_life_told_at_once_ends_as_it_did(db: str) -> None:
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=1000)
    life = [S.SHIPPED, S.IN_TRANSIT, S.ARRIVED_AT_STORE, S.DELIVERED]
    for _ in range(ROUNDS // 3):
        order = await an_order_to_send(shop, [(variant, 1)])
        parcel = await packed(order)
        heard = await all_of(*(said(order, parcel, state, at=NOW + n * HOUR, now=NOW + 9 * HOUR) for n, state in enumerate(life)))
        assert [one for one in heard if not isinstance(one, Heard)] == []
        assert ((await parcel_row(parcel))["state"], await state_of(order)) == ("DELIVERED", ("COMPLETED", "DELIVERED"))
        assert len(await notices(order)) == heard.count(Heard.MOVED)
    await all_agrees()


async def test_without_the_locks_a_parcel_leaves_twice(without_the_last_nets: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin: two different things are said, and both find the parcel still there."""
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=9)
    await an_order_to_send(shop, [(variant, 3)])
    order = await an_order_to_send(shop, [(variant, 1)])
    parcel = await packed(order)
    both_looked, leave = asyncio.Barrier(2), goods.leave

    async def look_and_wait(*args: Any, **more: Any) -> None:
        await both_looked.wait()
        await leave(*args, **more)

    async def orders_unlocked(tx: Tx, shop_id: UUID, shipment_id: UUID) -> Any:
        return [await _unlocked(tx, order.id)]

    monkeypatch.setattr(commands, "_lock_orders", orders_unlocked)
    monkeypatch.setattr(parcels, "PARCEL", parcels.PARCEL.replace("for update", ""))
    monkeypatch.setattr(goods, "lock_levels", levels_unlocked)
    monkeypatch.setattr(commands, "leave", look_and_wait)
    answers = await all_of(said(order, parcel, S.SHIPPED), said(order, parcel, S.IN_TRANSIT, at=NOW + HOUR, now=NOW + HOUR))
    assert answers == [Heard.MOVED, Heard.MOVED]
    assert await line_of(order) == (1, 0, -1, 2)
    assert (await figures(variant))[0] == 7
    assert await database.fetchval("select count(*) from stock_movement where kind = 'SHIPPED'") == 2


async def _unlocked(tx: Tx, order_id: UUID) -> Any:
    from domain.orders.commands import COLUMNS, as_locked

    row = await tx.fetchrow(f'select {COLUMNS} from "order" o where o.id = $1', order_id)
    assert row is not None
    return as_locked(row)


async def test_two_packers_pack_a_piece_once(db: str) -> None:
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=1000)
    for _ in range(ROUNDS // 3):
        order = await an_order_to_send(shop, [(variant, 3)])
        answers = await all_of(*(packed(order, {0: 2}) for _ in range(4)))
        assert sorted(type(answer).__name__ for answer in answers) == ["PiecesGone"] * 3 + ["UUID"]
        assert await line_of(order) == (3, 0, 2, 0)
    await all_agrees()


async def test_a_parcel_is_cancelled_or_leaves(db: str) -> None:
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=1000)
    gone = 0
    for number in range(ROUNDS):
        order = await an_order_to_send(shop, [(variant, 1)])
        parcel = await packed(order)
        race: list[Any] = [cancelled(order, parcel), said(order, parcel, S.SHIPPED)]
        answers = await all_of(*(race if number % 2 else reversed(race)))
        assert [type(one) for one in answers if isinstance(one, BaseException)] == [InvalidMove]
        state = (await parcel_row(parcel))["state"]
        assert (state, await line_of(order)) in (("CANCELLED", (1, 0, 0, 0)), ("SHIPPED", (1, 0, 0, 1)))
        gone += state == "SHIPPED"
    assert await figures(variant) == (1000 - gone, 0, ROUNDS - gone)
    await all_agrees()


async def test_orders_that_share_parcels_never_wait_for_each_other_in_a_circle(db: str) -> None:
    """Parcels with lines of the same two orders, named the other way round, all at once."""
    from domain.orders.carriers import Carrier
    from domain.shipping.commands import Label
    from domain.shipping.rules import Pieces
    from tests.build import a_buyer
    from tests.parcels import PACKER

    shop = await a_shop()
    buyer = await a_buyer(shop)
    variants = [await a_variant(shop, on_hand=1000) for _ in range(2)]
    first, second = [
        await an_order_to_send(shop, [(variant, 40) for variant in order], buyer=buyer) for order in (variants, variants[::-1])
    ]

    async def one(n: int) -> Heard:
        lines = [first.lines[n % 2], second.lines[n % 2]][:: 1 if n % 3 else -1]
        parcel = await commands.create(
            shop_id=shop.id, pieces=[Pieces(line, 1) for line in lines], label=Label(Carrier.POST), actor=PACKER, now=NOW
        )
        return await said(first, parcel, S.SHIPPED)

    answers = await all_of(*(one(n) for n in range(ROUNDS)))
    assert [answer for answer in answers if answer is not Heard.MOVED] == []
    assert [await figures(variant) for variant in variants] == [(1000 - ROUNDS, 0, 80 - ROUNDS)] * 2
    await all_agrees()


async def test_an_order_is_paid_and_packed_at_once_or_refused(db: str) -> None:
    from domain.orders.errors import InvalidTransition
    from tests.races.test_pickup import pay

    shop = await a_shop()
    variant = await a_variant(shop, on_hand=1000)
    for _ in range(ROUNDS // 3):
        order = await an_order(shop, [(variant, 1)])
        answers = await all_of(pay(order), packed(order))
        assert [type(one) for one in answers if isinstance(one, BaseException)] in ([], [InvalidTransition])
    await all_agrees(but=("I9",))
