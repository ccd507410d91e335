"""A parcel that came back: its pieces are nowhere in the stock until the seller has decided, once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain import db as database
from domain.jobs import RESTOCKED
from domain.orders import requests
from domain.orders.errors import InvalidTransition
from domain.shipping.errors import InvalidMove
from domain.shipping.rules import ReturnDecision
from tests.books import everything, figures, queued
from tests.build import NOW, AnOrder, AVariant, a_buyer, a_member, a_shop, a_variant
from tests.parcels import JOBS, PACKER, S, all_agrees, an_order_to_send, cancelled, line_of, packed, parcel_row, said, settled, state_of

D = ReturnDecision
HOUR = timedelta(hours=1)


async def returned(*, pieces: int = 2) -> tuple[AnOrder, AVariant, object]:
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=5)
    order = await an_order_to_send(shop, [(variant, pieces)])
    parcel = await packed(order)
    await said(order, parcel, S.SHIPPED)
    await said(order, parcel, S.RETURNED, at=NOW + HOUR)
    assert (await state_of(order), await figures(variant)) == (("OPEN", "RETURNED"), (3, 0, 0))
    await all_agrees()
    return order, variant, parcel


@pytest.mark.parametrize(
    ("decision", "level", "line", "fulfilment", "words"),
    [
        (D.RESTOCK, (5, 0, 0), (2, 0, 0, 2), "RETURNED", 1),
        (D.SHIP_AGAIN, (5, 0, 2), (2, 0, 0, 0), "UNFULFILLED", 0),
        (D.WRITE_OFF, (3, 0, 0), (2, 0, 0, 2), "RETURNED", 0),
    ],
)
async def test_the_seller_decides_once(db: str, decision: D, level, line, fulfilment: str, words: int) -> None:
    order, variant, parcel = await returned()
    await settled(order, parcel, decision)
    assert (await figures(variant), await line_of(order), (await state_of(order))[1]) == (level, line, fulfilment)
    assert len(await queued(RESTOCKED)) == words
    row = await parcel_row(parcel)
    assert (row["return_decision"], row["settled_at"], row["state"]) == (decision.value, NOW, "RETURNED")
    await all_agrees()
    before = await everything()
    await settled(order, parcel, decision)
    for other in D:
        if other is not decision:
            with pytest.raises(InvalidMove):
                await settled(order, parcel, other)
    for state in (S.DELIVERED, S.LOST):
        with pytest.raises(InvalidMove):
            await said(order, parcel, state, at=NOW + 2 * HOUR)
    assert await everything() == before


async def test_it_is_sent_again_and_arrives(db: str) -> None:
    order, variant, parcel = await returned()
    await settled(order, parcel, D.SHIP_AGAIN)
    second = await packed(order)
    assert await state_of(order) == ("OPEN", "LABELLED")
    await said(order, second, S.DELIVERED, at=NOW + 2 * HOUR)
    assert (await state_of(order), await figures(variant), await line_of(order)) == (("COMPLETED", "DELIVERED"), (3, 0, 0), (2, 0, 0, 2))
    assert await database.fetchval("select count(*) from stock_movement where kind = 'SHIPPED'") == 2
    assert await database.fetchval("select count(*) from stock_movement where kind = 'RETURNED'") == 1
    await all_agrees()


async def test_what_did_not_come_back_is_not_settled(db: str) -> None:
    shop = await a_shop()
    order = await an_order_to_send(shop, [(await a_variant(shop), 1)])
    parcel = await packed(order)
    for state in (None, S.SHIPPED, S.IN_TRANSIT, S.ARRIVED_AT_STORE, S.DELIVERED, S.RETURNING, S.LOST):
        if state is not None:
            await said(order, parcel, state, at=NOW + HOUR)
        before = await everything()
        for decision in D:
            with pytest.raises(InvalidMove):
                await settled(order, parcel, decision)
        assert await everything() == before


async def test_nothing_is_sent_again_for_an_order_that_the_shop_works_on(db: str) -> None:
    order, variant, parcel = await returned()
    await database.execute("""update "order" set state = 'LOCKED', version = version + 1 where id = $1""", order.id)
    before = await everything()
    with pytest.raises(InvalidTransition):
        await settled(order, parcel, D.SHIP_AGAIN)
    assert await everything() == before
    await settled(order, parcel, D.RESTOCK)
    assert await figures(variant) == (5, 0, 0)


async def test_a_pickup_that_was_sent_and_came_back_may_be_collected(db: str) -> None:
    from tests.counter import Counter

    counter = await Counter.open()
    order = counter.order
    parcel = await packed(order)
    await said(order, parcel, S.RETURNED)
    await settled(order, parcel, D.SHIP_AGAIN)
    assert await state_of(order) == ("OPEN", "READY_FOR_PICKUP")
    scan = await counter.scan((await counter.issue()).token)
    await counter.confirm(scan.scan_id)
    assert await state_of(order) == ("COMPLETED", "HANDED_OVER")
    await all_agrees(but=())


async def test_an_order_is_not_cancelled_while_pieces_of_it_lie_packed(db: str) -> None:
    shop, member = await a_shop(), await a_member()
    order = await an_order_to_send(shop, buyer=await a_buyer(shop, member_id=member))
    await requests.request(order_id=order.id, reason="", member_id=member, now=NOW)
    parcel = await packed(order, {0: 1})

    async def accept() -> None:
        await requests.answer(
            order_id=order.id,
            shop_id=shop.id,
            accept=True,
            note="",
            refund_reference="r",
            may_refund=True,
            actor=PACKER,
            now=NOW,
            jobs=JOBS,
        )

    with pytest.raises(InvalidTransition):
        await accept()
    await cancelled(order, parcel)
    await accept()
    assert await database.fetchval('select state from "order" where id = $1', order.id) == "CANCELLED"
    await all_agrees()
