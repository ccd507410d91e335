"""A carrier tells late, again and in any order: every order of five events leads to the same end, and no news is told twice."""

from __future__ import annotations

import itertools
import random
from datetime import timedelta

import pytest

from domain import db as database
from domain.shipping.commands import Heard
from domain.shipping.errors import InvalidMove
from domain.shipping.rules import ACTIVE, EXPECTED, MOVES, WITH_CARRIER, ShipmentState, is_newer
from tests.books import figures
from tests.build import NOW, a_shop, a_variant
from tests.parcels import S, all_agrees, an_order_to_send, line_of, notices, packed, parcel_row, said, state_of

HOUR = timedelta(hours=1)
LIVES = {
    "collected": [S.SHIPPED, S.IN_TRANSIT, S.ARRIVED_AT_STORE, S.IN_TRANSIT, S.DELIVERED],
    "not collected": [S.SHIPPED, S.IN_TRANSIT, S.ARRIVED_AT_STORE, S.RETURNING, S.RETURNED],
    "scanned by mistake": [S.SHIPPED, S.ARRIVED_AT_STORE, S.DELIVERED, S.RETURNING, S.RETURNED],
    "found again": [S.SHIPPED, S.LOST, S.IN_TRANSIT, S.RETURNING, S.DELIVERED],
}
"""Five events, an hour between them, and where they lead."""
ENDS = {
    "collected": ("DELIVERED", ("COMPLETED", "DELIVERED")), "not collected": ("RETURNED", ("OPEN", "RETURNED")),
    "scanned by mistake": ("RETURNED", ("OPEN", "RETURNED")), "found again": ("DELIVERED", ("COMPLETED", "DELIVERED")),
}  # fmt: skip


@pytest.mark.parametrize("life", LIVES)
async def test_all_120_orders_of_five_events_end_alike(db: str, life: str) -> None:
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=1000)
    told = [(state, NOW + n * HOUR) for n, state in enumerate(LIVES[life])]
    count = 0
    for order_of_events in itertools.permutations(told):
        order = await an_order_to_send(shop, [(variant, 2)])
        parcel = await packed(order)
        heard = [await said(order, parcel, state, at=at, now=NOW + 6 * HOUR) for state, at in order_of_events]
        again = [await said(order, parcel, state, at=at, now=NOW + 6 * HOUR) for state, at in reversed(order_of_events)]
        assert again == [Heard.KNOWN] * 5
        row = await parcel_row(parcel)
        assert ((row["state"], row["state_at"]), await state_of(order)) == ((told[-1][0], told[-1][1]), ENDS[life][1])
        assert row["state"] == ENDS[life][0]
        assert await line_of(order) == (2, 0, 0, 2)
        changes = [state for (state, _), what in zip(order_of_events, heard, strict=True) if what is Heard.MOVED]
        assert [state for _, state in await notices(order)] == [state.value for state in changes]
        assert changes[-1].value == ENDS[life][0]
        count += 1
    assert count == 120
    assert await database.fetchval("select count(*) from shipment_event") == 600
    assert await figures(variant) == (1000 - 240, 0, 0)
    await all_agrees()


async def test_whatever_is_told_in_whatever_order_the_newest_counts(db: str) -> None:
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=100)
    drawn = random.Random(7)
    for _ in range(30):
        order = await an_order_to_send(shop, [(variant, 1)])
        parcel = await packed(order)
        events = [(drawn.choice(WITH_CARRIER), NOW + drawn.randrange(3) * HOUR) for _ in range(5)]
        for state, at in events:
            await said(order, parcel, state, at=at, now=NOW + 3 * HOUR)
        row = await parcel_row(parcel)
        newest = max(events, key=lambda one: (one[1], WITH_CARRIER.index(one[0])))
        assert (row["state"], row["state_at"]) == newest
    await all_agrees()


def test_of_any_two_events_one_is_newer_and_of_three_too() -> None:
    events = list(itertools.product(WITH_CARRIER, (NOW, NOW + HOUR)))
    newer = {(a, b) for a, b in itertools.product(events, repeat=2) if is_newer(*a, *b)}
    assert all(((a, b) in newer) + ((b, a) in newer) == (a != b) for a, b in itertools.product(events, repeat=2))
    assert all((a, c) in newer for (a, b), c in itertools.product(newer, events) if (b, c) in newer)


@pytest.mark.parametrize(("first", "second"), list(itertools.product(WITH_CARRIER, repeat=2)))
def test_of_one_instant_the_later_of_the_list_counts(first: ShipmentState, second: ShipmentState) -> None:
    assert is_newer(second, NOW, first, NOW) is (WITH_CARRIER.index(second) > WITH_CARRIER.index(first))
    assert is_newer(second, NOW, S.PREPARING, NOW + HOUR)
    assert not is_newer(second, NOW - HOUR, first, NOW)


def test_every_state_has_its_row_and_what_is_expected_is_possible() -> None:
    assert set(MOVES) == set(EXPECTED) == set(ShipmentState)
    assert [state for state in ShipmentState if not EXPECTED[state] <= MOVES[state] or state in MOVES[state]] == []
    assert {S.PREPARING, S.CANCELLED}.isdisjoint(WITH_CARRIER)
    assert {*WITH_CARRIER, S.PREPARING, S.CANCELLED} == set(ShipmentState)
    assert all(S.PREPARING not in nexts for nexts in MOVES.values())
    assert {state for state in ShipmentState if MOVES[state] == frozenset()} == {S.CANCELLED}
    assert set(ShipmentState) > ACTIVE


@pytest.mark.parametrize("old", WITH_CARRIER)
async def test_a_person_says_what_can_follow_or_that_it_is_a_correction(db: str, old: ShipmentState) -> None:
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=100)
    for new in WITH_CARRIER:
        if new is old:
            continue
        order = await an_order_to_send(shop, [(variant, 1)])
        parcel = await packed(order)
        await said(order, parcel, old)
        if new in EXPECTED[old]:
            assert await said(order, parcel, new, at=NOW + HOUR, freely=False) is Heard.MOVED
            continue
        with pytest.raises(InvalidMove) as refused:
            await said(order, parcel, new, at=NOW + HOUR, freely=False)
        assert (refused.value.current, refused.value.wanted) == (old.value, new.value)
        assert (await parcel_row(parcel))["state"] == old.value
        assert await said(order, parcel, new, at=NOW + HOUR, freely=True) is Heard.MOVED
    await all_agrees()
