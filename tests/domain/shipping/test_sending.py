"""A parcel from the packing table to its buyer: what it does to orders, lines, stock, passes, and who is told."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import uuid4

import pytest

from domain import db as database
from domain.errors import NotFound
from domain.orders.carriers import Carrier
from domain.orders.errors import InvalidTransition
from domain.orders.rules import FulfilmentState, OrderState, PaymentState
from domain.posts.rules import DeliveryMethod
from domain.shipping import commands
from domain.shipping.chosen import Label
from domain.shipping.commands import Heard
from domain.shipping.errors import BadParcel, InvalidMove, NumberTaken, PiecesGone, TwoBuyers
from domain.shipping.rules import Pieces, Store
from domain.stock.errors import InsufficientStock
from domain.stock.rules import SellBeyond
from tests.books import everything, figures
from tests.build import NOW, a_buyer, a_device, a_member, a_product, a_shop, a_variant, an_order
from tests.parcels import (
    JOBS,
    PACKER,
    S,
    all_agrees,
    an_order_to_send,
    cancelled,
    line_of,
    notices,
    packed,
    parcel_row,
    said,
    state_of,
)

HOUR = timedelta(hours=1)
UNTOUCHED = ("audit_entry",)


async def test_a_parcel_goes_its_whole_way(db: str) -> None:
    shop, member = await a_shop(), await a_member()
    await a_device(member)
    buyer = await a_buyer(shop, member_id=member)
    variant = await a_variant(shop, on_hand=5)
    order = await an_order_to_send(shop, [(variant, 2)], buyer=buyer)
    label = Label(Carrier.SEVEN_ELEVEN, "", "G65445297175", Store("131386", "鑫台北", "台北市忠孝東路一段 1 號"))
    parcel = await packed(order, label=label)
    assert (await state_of(order), await line_of(order)) == (("OPEN", "LABELLED"), (2, 0, 2, 0))
    assert (await figures(variant), await notices(order)) == ((5, 0, 2), [])
    assert await said(order, parcel, S.SHIPPED) is Heard.MOVED
    assert (await state_of(order), await line_of(order), await figures(variant)) == (("OPEN", "SHIPPED"), (2, 0, 0, 2), (3, 0, 0))
    assert await said(order, parcel, S.IN_TRANSIT, at=NOW + HOUR) is Heard.MOVED
    assert await said(order, parcel, S.ARRIVED_AT_STORE, at=NOW + 2 * HOUR) is Heard.MOVED
    assert await state_of(order) == ("OPEN", "ARRIVED_AT_STORE")
    await commands.relabel(shop_id=shop.id, shipment_id=parcel, last_pickup_day=date(2026, 11, 28), actor=PACKER, now=NOW + 2 * HOUR)
    assert (await parcel_row(parcel))["last_pickup_day"] == date(2026, 11, 28)
    assert await said(order, parcel, S.DELIVERED, at=NOW + 3 * HOUR) is Heard.MOVED
    assert (await state_of(order), await figures(variant)) == (("COMPLETED", "DELIVERED"), (3, 0, 0))
    assert await notices(order) == [
        ("SHIPMENT_SENT", "SHIPPED"), ("SHIPMENT_UPDATED", "IN_TRANSIT"), ("SHIPMENT_ARRIVED", "ARRIVED_AT_STORE"), ("SHIPMENT_DELIVERED", "DELIVERED"),
    ]  # fmt: skip
    told = await database.fetchrow("select data, member_id from notice where kind = 'SHIPMENT_ARRIVED'")
    assert told is not None
    facts = database.from_jsonb(told["data"])
    assert (facts["carrier"], facts["trackingNumber"], facts["storeName"], told["member_id"]) == (
        "SEVEN_ELEVEN",
        "G65445297175",
        "鑫台北",
        member,
    )
    assert facts["lines"] == [{"title": "法式方巾", "label": "", "quantity": 2}]
    assert await database.fetchval("select count(*) from push_delivery") == 4
    kinds = [row["kind"] for row in await database.fetch("select kind from order_event where order_id = $1 order by id", order.id)]
    assert kinds == ["SHIPMENT_CREATED", "SHIPPED", "SHIPMENT_MOVED", "SHIPMENT_MOVED", "SHIPMENT_CHANGED", "SHIPMENT_MOVED"]
    actions = [row["action"] for row in await database.fetch("select action from audit_entry where object_id = $1 order by id", parcel)]
    assert actions == ["shipment.create", *["shipment.update"] * 3, "shipment.relabel", "shipment.update"]
    await all_agrees()


async def test_a_piece_moves_once_however_often_it_is_said(db: str) -> None:
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=5)
    order = await an_order_to_send(shop, [(variant, 2)])
    parcel = await packed(order)
    await said(order, parcel, S.SHIPPED)
    before = await everything()
    events = await database.fetch("select * from shipment_event")
    for _ in range(3):
        assert await said(order, parcel, S.SHIPPED) is Heard.KNOWN
    assert await everything() == before
    assert await database.fetch("select * from shipment_event") == events
    assert await said(order, parcel, S.SHIPPED, at=NOW + HOUR) is Heard.CONFIRMED
    assert await said(order, parcel, S.IN_TRANSIT, at=NOW - HOUR) is Heard.OLDER
    assert (await notices(order), await figures(variant)) == ([("SHIPMENT_SENT", "SHIPPED")], (3, 0, 0))
    assert (await parcel_row(parcel))["state"] == "SHIPPED"
    await all_agrees()


async def test_an_order_goes_in_parts(db: str) -> None:
    shop = await a_shop()
    red, white = (await a_product(shop, variants=["紅", "白"], on_hand=[4, 4])).variants
    order = await an_order_to_send(shop, [(red, 3), (white, 1)])
    first = await packed(order, {0: 2})
    assert await state_of(order) == ("OPEN", "UNFULFILLED")
    await said(order, first, S.SHIPPED)
    assert (await state_of(order), await line_of(order)) == (("OPEN", "PARTIAL"), (3, 0, 0, 2))
    second = await packed(order)
    assert (await line_of(order), await line_of(order, 1)) == ((3, 0, 1, 2), (1, 0, 1, 0))
    assert await state_of(order) == ("OPEN", "PARTIAL")
    await said(order, second, S.DELIVERED)
    assert await state_of(order) == ("OPEN", "SHIPPED")
    await said(order, first, S.ARRIVED_AT_STORE, at=NOW + HOUR)
    assert await state_of(order) == ("OPEN", "ARRIVED_AT_STORE")
    await said(order, first, S.DELIVERED, at=NOW + 2 * HOUR)
    assert await state_of(order) == ("COMPLETED", "DELIVERED")
    assert (await figures(red), await figures(white)) == ((1, 0, 0), (3, 0, 0))
    await all_agrees()


async def test_orders_of_one_buyer_share_a_parcel(db: str) -> None:
    shop, buyer = await a_shop(), None
    buyer = await a_buyer(shop)
    variant = await a_variant(shop, on_hand=9)
    orders = [await an_order_to_send(shop, [(variant, n)], buyer=buyer) for n in (1, 2)]
    parcel = await commands.create(
        shop_id=shop.id,
        pieces=[Pieces(orders[0].lines[0], 1), Pieces(orders[1].lines[0], 2)],
        label=Label(Carrier.POST),
        actor=PACKER,
        now=NOW,
    )
    await said(orders[0], parcel, S.SHIPPED)
    assert [await state_of(order) for order in orders] == [("OPEN", "SHIPPED")] * 2
    assert (await notices(orders[0]), await figures(variant)) == ([("SHIPMENT_SENT", "SHIPPED")], (6, 0, 0))
    await said(orders[0], parcel, S.DELIVERED, at=NOW + HOUR)
    assert [await state_of(order) for order in orders] == [("COMPLETED", "DELIVERED")] * 2
    await all_agrees()


async def test_what_is_packed_is_not_collected_and_comes_back_when_the_parcel_is_cancelled(db: str) -> None:
    from tests.counter import Counter

    counter = await Counter.open()
    order = counter.order
    code = (await counter.issue()).token
    parcel = await packed(order, {0: 2})
    preview = await counter.scan(code)
    assert [line.left for line in preview.lines] == [1]
    whole = await packed(order)
    assert await counter.state() == ("OPEN", "LABELLED", "CANCELLED")
    await cancelled(order, whole)
    assert await state_of(order) == ("OPEN", "READY_FOR_PICKUP")
    assert await database.fetchval("select count(*) from pickup where state = 'OPEN'") == 1
    await cancelled(order, parcel)
    before = await everything()
    await cancelled(order, parcel)
    assert await everything() == before
    assert [await line_of(order, place) for place in (0, 1)] == [(2, 0, 0, 0), (1, 0, 0, 0)]
    assert [line.left for line in (await counter.scan((await counter.issue()).token)).lines] == [2, 1]
    await all_agrees(but=())


async def test_some_is_collected_and_some_is_sent(db: str) -> None:
    from tests.counter import Counter

    counter = await Counter.open()
    order = counter.order
    parcel = await packed(order, {0: 2})
    scan = await counter.scan((await counter.issue()).token)
    await counter.confirm(scan.scan_id)
    assert await state_of(order) == ("OPEN", "PARTIAL")
    await said(order, parcel, S.SHIPPED)
    assert await state_of(order) == ("OPEN", "SHIPPED")
    await said(order, parcel, S.DELIVERED, at=NOW + HOUR)
    assert await state_of(order) == ("COMPLETED", "DELIVERED")
    assert [await line_of(order, place) for place in (0, 1)] == [(2, 0, 0, 2), (1, 1, 0, 0)]
    await all_agrees(but=())


async def test_delivered_goods_that_come_back_open_the_order_again(db: str) -> None:
    shop = await a_shop()
    order = await an_order_to_send(shop, [(await a_variant(shop), 1)])
    parcel = await packed(order)
    await said(order, parcel, S.DELIVERED)
    assert await state_of(order) == ("COMPLETED", "DELIVERED")
    with pytest.raises(InvalidMove):
        await said(order, parcel, S.IN_TRANSIT, at=NOW + HOUR, freely=False)
    await said(order, parcel, S.RETURNING, at=NOW + HOUR, freely=False)
    assert await state_of(order) == ("OPEN", "SHIPPED")
    await said(order, parcel, S.RETURNED, at=NOW + 2 * HOUR)
    assert await state_of(order) == ("OPEN", "RETURNED")
    await all_agrees()


async def test_goods_that_are_not_there_are_not_sent(db: str) -> None:
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=1, sell_beyond=SellBeyond.PREORDER, backorder_limit=5)
    order = await an_order_to_send(shop, [(variant, 2)])
    parcel = await packed(order)
    before = await everything()
    with pytest.raises(InsufficientStock) as refused:
        await said(order, parcel, S.SHIPPED)
    assert (refused.value.wanted, refused.value.available) == (2, 1)
    assert (await everything(), await database.fetchval("select count(*) from shipment_event")) == (before, 0)


@pytest.mark.parametrize(
    ("state", "payment", "may"),
    [(state, payment, state is OrderState.OPEN and payment is PaymentState.PAID) for state in OrderState for payment in PaymentState
     if payment not in (PaymentState.NONE_DUE, PaymentState.COLLECT_ON_DELIVERY)],
)  # fmt: skip
async def test_only_an_open_and_paid_order_is_packed(db: str, state: OrderState, payment: PaymentState, may: bool) -> None:
    shop = await a_shop()
    order = await an_order(shop, [(await a_variant(shop), 1)], state=state, payment=payment, method=DeliveryMethod.SHIP)
    before = await everything()
    if may:
        await packed(order)
        assert await state_of(order) == ("OPEN", "LABELLED")
        return
    with pytest.raises(InvalidTransition):
        await packed(order)
    assert await everything() == before
    assert await database.fetchval("select count(*) from shipment") == 0


@pytest.mark.parametrize("fulfilment", FulfilmentState)
async def test_an_order_is_packed_from_wherever_its_goods_are_still_here(db: str, fulfilment: FulfilmentState) -> None:
    """Pieces decide: an order whose lines have pieces left may be packed, whatever its state says."""
    shop = await a_shop()
    order = await an_order_to_send(shop, [(await a_variant(shop), 1)], fulfilment=fulfilment)
    reachable = {"UNFULFILLED", "WAITING_STOCK", "READY", "READY_FOR_PICKUP", "LABELLED"}
    if fulfilment.value in reachable:
        await packed(order)
        assert (await state_of(order))[1] == "LABELLED"
    else:
        with pytest.raises(InvalidTransition):
            await packed(order)
        assert await line_of(order) == (1, 0, 0, 0)


async def test_what_cannot_be_packed_is_refused_and_changes_nothing(db: str) -> None:
    shop, other = await a_shop(), await a_shop()
    variant = await a_variant(shop, on_hand=9)
    order = await an_order_to_send(shop, [(variant, 2)])
    stranger = await an_order_to_send(shop, [(variant, 1)])
    elsewhere = await an_order_to_send(other, [(await a_variant(other), 1)])
    label = Label(Carrier.T_CAT, "", "123")
    parcel = await packed(order, {0: 1}, label=label)
    before = await everything(), await database.fetch("select * from shipment_line")

    async def refused(error: type[Exception], pieces: list[Pieces], label: Label = Label(Carrier.T_CAT)) -> None:  # noqa: B008
        with pytest.raises(error):
            await commands.create(shop_id=shop.id, pieces=pieces, label=label, actor=PACKER, now=NOW)

    line, theirs = order.lines[0], stranger.lines[0]
    for count in (0, -1, 2, 2**31 - 1):
        await refused(PiecesGone, [Pieces(line, count)])
    await refused(NotFound, [])
    await refused(NotFound, [Pieces(line, 1), Pieces(line, 1)])
    await refused(NotFound, [Pieces(uuid4(), 1)])
    await refused(NotFound, [Pieces(line, 1), Pieces(elsewhere.lines[0], 1)])
    await refused(TwoBuyers, [Pieces(line, 1), Pieces(theirs, 1)])
    await refused(NumberTaken, [Pieces(line, 1)], label)
    for wrong in (
        Label(Carrier.T_CAT, "", "12 3"), Label(Carrier.T_CAT, "", "x" * 41), Label(Carrier.T_CAT, "", "=1"), Label(Carrier.OTHER), Label(Carrier.POST, "我"),
        Label(Carrier.OTHER, "x" * 61), Label(Carrier.T_CAT, "", "", Store("1")), Label(Carrier.HI_LIFE, "", "", Store("")),
        Label(Carrier.HI_LIFE, "", "", Store("1 2")), Label(Carrier.HI_LIFE, "", "", Store("1", "x" * 61)), Label(Carrier.HI_LIFE, "", "", Store("1", "", "x" * 201)),
    ):  # fmt: skip
        await refused(BadParcel, [Pieces(line, 1)], wrong)
    with pytest.raises(NotFound):
        await commands.create(shop_id=other.id, pieces=None, order_id=order.id, label=label, actor=PACKER, now=NOW)
    with pytest.raises(NotFound):
        await commands.cancel(shop_id=other.id, shipment_id=parcel, actor=PACKER, now=NOW, jobs=JOBS)
    assert (await everything(), await database.fetch("select * from shipment_line")) == before
    await packed(order)
    with pytest.raises(PiecesGone):
        await packed(order)


async def test_a_number_is_one_parcels_until_it_is_cancelled(db: str) -> None:
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=9)
    first, second = [await an_order_to_send(shop, [(variant, 1)]) for _ in range(2)]
    label = Label(Carrier.T_CAT, "", "903-1")
    parcel = await packed(first, label=label)
    other = await packed(second)
    with pytest.raises(NumberTaken):
        await commands.relabel(shop_id=shop.id, shipment_id=other, tracking_number="903-1", actor=PACKER, now=NOW)
    await cancelled(first, parcel)
    assert await commands.relabel(shop_id=shop.id, shipment_id=other, tracking_number="903-1", actor=PACKER, now=NOW)
    assert not await commands.relabel(shop_id=shop.id, shipment_id=other, tracking_number="903-1", actor=PACKER, now=NOW)
    assert [(await parcel_row(each))["tracking_number"] for each in (parcel, other)] == ["903-1", "903-1"]


async def test_a_parcel_that_left_is_not_cancelled_and_a_cancelled_one_is_over(db: str) -> None:
    shop = await a_shop()
    order = await an_order_to_send(shop, [(await a_variant(shop, on_hand=3), 2)])
    gone, dropped = await packed(order, {0: 1}), await packed(order, {0: 1})
    await said(order, gone, S.SHIPPED)
    with pytest.raises(InvalidMove):
        await cancelled(order, gone)
    await cancelled(order, dropped)
    assert await notices(order) == [("SHIPMENT_SENT", "SHIPPED"), ("SHIPMENT_UPDATED", "CANCELLED")]
    before = await everything()
    with pytest.raises(InvalidMove):
        await said(order, dropped, S.SHIPPED)
    with pytest.raises(InvalidMove):
        await commands.relabel(shop_id=shop.id, shipment_id=dropped, tracking_number="1", actor=PACKER, now=NOW)
    assert await everything() == before
    await all_agrees()


@pytest.mark.parametrize("at", [NOW + timedelta(minutes=11), NOW - timedelta(days=61), NOW.replace(year=1), NOW.replace(year=9999)])
async def test_what_cannot_have_happened_then_is_refused(db: str, at) -> None:
    shop = await a_shop()
    order = await an_order_to_send(shop, [(await a_variant(shop), 1)])
    parcel = await packed(order)
    before = await everything()
    with pytest.raises(BadParcel) as refused:
        await said(order, parcel, S.SHIPPED, at=at, now=NOW)
    for state in (S.PREPARING, S.CANCELLED):
        with pytest.raises(BadParcel):
            await said(order, parcel, state)
    assert (refused.value.field, await everything()) == ("at", before)
