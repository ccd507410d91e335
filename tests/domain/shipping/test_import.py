"""A table of parcels: each row is done whole or not at all, may be sent again, and says what is wrong with it."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import db as database
from domain.errors import DomainError
from domain.orders.carriers import STORES, TRACKING, TRACKING_URL, Carrier, tracking_url
from domain.shipping.errors import BadImport
from domain.shipping.importing import RowResult, take_rows
from domain.shipping.rules import MOST_ROWS, ImportOutcome, ShipmentState
from domain.shipping.table import LONGEST, ImportRow, read_table
from domain.stock.rules import SellBeyond
from tests.books import everything, figures
from tests.build import NOW, AnOrder, a_shop, a_variant
from tests.parcels import JOBS, PACKER, all_agrees, an_order_to_send, notices, packed, parcel_row, state_of

I = ImportOutcome  # noqa: E741
HEAD = "order_number,carrier,tracking_number,state,at\n"


def rows_of(text: str, *, zone: str = "Asia/Taipei") -> list[ImportRow]:
    return read_table(text, time_zone=zone, now=NOW)


async def taken(order: AnOrder, text: str, *, now: datetime = NOW) -> list[RowResult]:
    rows = read_table(text, time_zone="Asia/Taipei", now=now)
    return await take_rows(
        rows, shop_id=order.shop_id, describe=lambda error: {"code": error.code, **vars(error)}, actor=PACKER, now=now, jobs=JOBS
    )


def outcomes(results: list[RowResult]) -> list[str]:
    return [f"{row.outcome}" if row.refusal is None else f"{row.refusal['code']} {row.refusal.get('field', '')}".strip() for row in results]


async def test_rows_are_done_one_by_one_and_a_refused_one_stops_no_other(db: str) -> None:
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=3)
    first, second, third = [await an_order_to_send(shop, [(variant, 1)]) for _ in range(3)]
    scarce = await a_variant(shop, on_hand=0, sell_beyond=SellBeyond.PREORDER, backorder_limit=5)
    empty = await an_order_to_send(shop, [(scarce, 1)])
    table = HEAD + "".join(
        f"{line}\n"
        for line in (
            f"{first.number},t_cat,A-1,shipped,2026-11-21 15:30",
            "unknown,POST,A-2,,",
            f"{second.number},POST,A-3,,",
            f"{second.number},PIGEON,A-4,,",
            f"{empty.number},POST,A-5,SHIPPED,",
            f"{third.number},POST,A 6,,",
            f"{third.number},POST,A-7,FLYING,",
            f"{third.number},POST,A-8,SHIPPED,yesterday",
            f"{third.number},POST,A-1,SHIPPED,2030-01-01 00:00",
            f"{second.number},POST,A-9,,",
            f"{third.number},T_CAT,A-1,SHIPPED,",
            "too,few",
        )
    )
    found = await taken(first, table)
    assert outcomes(found) == [
        "CREATED", "NOT_FOUND", "CREATED", "INVALID_INPUT carrier", "INSUFFICIENT_STOCK", "INVALID_INPUT tracking_number", "INVALID_INPUT state",
        "INVALID_INPUT at", "INVALID_INPUT at", "OVER_LIMIT", "INVALID_INPUT order_number", "INVALID_INPUT csv",
    ]  # fmt: skip
    assert [row.line for row in found] == list(range(2, 14))
    assert await database.fetchval("select count(*) from shipment") == 2
    assert await figures(variant) == (2, 0, 2)
    assert [await state_of(order) for order in (first, second, third, empty)] == [
        ("OPEN", "SHIPPED"), ("OPEN", "LABELLED"), ("OPEN", "UNFULFILLED"), ("OPEN", "UNFULFILLED"),
    ]  # fmt: skip
    event = await database.fetchrow("select at from shipment_event")
    assert event is not None
    assert event["at"] == datetime(2026, 11, 21, 7, 30, tzinfo=UTC)
    before = await everything()
    again = await taken(first, table)
    assert outcomes(again)[0] == outcomes(again)[2] == "UNCHANGED"
    assert [row.outcome for row in again].count(I.REFUSED) == 10
    assert await everything() == before
    await all_agrees()


async def test_a_carriers_table_in_any_order_and_again_ends_alike(db: str) -> None:
    shop = await a_shop()
    variant = await a_variant(shop, on_hand=50)
    life = [
        (state, f"2026-11-21T0{n}:00:00+00:00") for n, state in enumerate(("SHIPPED", "IN_TRANSIT", "ARRIVED_AT_STORE", "DELIVERED"), 3)
    ]
    for n, told in enumerate(itertools.permutations(life)):
        order = await an_order_to_send(shop, [(variant, 1)])
        rows = "".join(f"{order.number},FAMILY_MART,F-{n},{state},{at}\n" for state, at in (*told, *told))
        found = await taken(order, HEAD + rows)
        assert (found[0].outcome, {row.outcome for row in found[4:]}) == (I.CREATED, {I.UNCHANGED})
        assert found[0].shipment_id is not None
        assert (await parcel_row(found[0].shipment_id))["state"] == "DELIVERED"
        assert await state_of(order) == ("COMPLETED", "DELIVERED")
        assert (await notices(order))[-1] == ("SHIPMENT_DELIVERED", "DELIVERED")
    assert await database.fetchval("select count(*) from shipment_event") == 4 * 24
    assert await figures(variant) == (50 - 24, 0, 0)
    await all_agrees()


async def test_a_row_of_a_known_parcel_tells_its_store_and_last_day(db: str) -> None:
    from domain.shipping.commands import Label

    shop = await a_shop()
    order = await an_order_to_send(shop, [(await a_variant(shop), 1)])
    parcel = await packed(order, label=Label(Carrier.HI_LIFE, "", "H1"))
    head = "carrier\ttracking_number\torder_number\tstore_code\tstore_name\tstore_address\tlast_pickup_day\tstate\n"
    table = head + "HI_LIFE\tH1\t\t2001\t中山店\t台北市\t2026/11/28\tARRIVED_AT_STORE\n"
    assert outcomes(await taken(order, table)) == ["UPDATED"]
    row = await parcel_row(parcel)
    assert (row["store_code"], row["store_name"], row["last_pickup_day"], row["state"]) == (
        "2001",
        "中山店",
        date(2026, 11, 28),
        "ARRIVED_AT_STORE",
    )
    assert row["remind_at"] == datetime(2026, 11, 27, 2, 0, tzinfo=UTC)
    before = await everything()
    assert outcomes(await taken(order, table)) == ["UNCHANGED"]
    assert await everything() == before


async def test_a_number_does_not_reach_into_another_shop(db: str) -> None:
    from domain.shipping.commands import Label

    mine, theirs = await a_shop(), await a_shop()
    order = await an_order_to_send(mine, [(await a_variant(mine), 1)])
    other = await an_order_to_send(theirs, [(await a_variant(theirs), 1)])
    await packed(other, label=Label(Carrier.POST, "", "P1"))
    found = await taken(order, HEAD + f"{other.number},POST,P1,SHIPPED,\n{order.number},POST,P1,,\n")
    assert outcomes(found) == ["NOT_FOUND", "CREATED"]
    assert await state_of(other) == ("OPEN", "LABELLED")


@pytest.mark.parametrize(
    "text",
    [
        "", " \n", "a,b\n1,2\n", HEAD, HEAD.replace("state", "carrier") + "1,POST,1,,\n", "order_number,carrier\n1,POST\n", HEAD + 'x,"unclosed\n',
        HEAD + "1,POST,1,,\n" * (MOST_ROWS + 1), "x" * (LONGEST + 1), HEAD + '"a"b,POST,1,,\n',
    ],
)  # fmt: skip
def test_what_is_no_table_is_refused_as_a_whole(text: str) -> None:
    with pytest.raises(BadImport):
        rows_of(text)


def test_spreadsheets_write_texts_in_their_own_ways() -> None:
    table = '\ufeffOrder_Number,Carrier,Tracking_Number,note,state\r\n"=""0012""",T_CAT,\'0034,=cmd|x,SHIPPED\r\n\r\n 5 , post ,"6",,\r\n'
    first, second = rows_of(table)
    assert (first.order_number, first.tracking_number, first.said and first.said.note) == ("0012", "0034", "=cmd|x")
    assert (second.order_number, second.carrier, second.tracking_number, second.said, second.line) == ("5", Carrier.POST, "6", None, 4)


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-11-21 15:30", "2026-11-21T07:30:00+00:00"), ("2026/11/21 15:30:10", "2026-11-21T07:30:10+00:00"),
        ("2026-11-21T15:30:00Z", "2026-11-21T15:30:00+00:00"), ("2026-11-21T15:30:00+09:00", "2026-11-21T06:30:00+00:00"),
    ],
)  # fmt: skip
def test_times_are_the_shops_unless_they_say_otherwise(text: str, utc: str) -> None:
    (row,) = rows_of(HEAD + f"1,POST,1,SHIPPED,{text}\n")
    assert row.said is not None
    assert row.said.at == datetime.fromisoformat(utc)


@pytest.mark.parametrize("text", ["2026-02-30 10:00", "2026-11-21", "10:00", "0000-01-01 00:00", "９９", "1e5", "2026-11-21 25:00"])
def test_what_is_no_time_is_the_rows_own_trouble(text: str) -> None:
    (row,) = rows_of(HEAD + f"1,POST,1,SHIPPED,{text}\n")
    assert (row.wrong, row.said) == ("at", None)


@given(st.text(max_size=200), st.sampled_from(["Asia/Taipei", "UTC", "America/New_York"]))
def test_whatever_the_text_is_it_is_a_table_or_refused(text: str, zone: str) -> None:
    for whole in (text, HEAD + text):
        try:
            found = rows_of(whole, zone=zone)
        except DomainError:
            continue
        assert all(row.wrong is not None or row.carrier in Carrier for row in found)


async def test_a_tracking_page_is_the_same_in_sql(db: str) -> None:
    assert set(TRACKING) | {Carrier.OTHER} == set(Carrier)
    assert set(TRACKING) > STORES
    for carrier in Carrier:
        for number in ("", "A-1"):
            found = await database.fetchval(
                f"select {TRACKING_URL} from (select $1::text as carrier, $2::text as tracking_number) sh", carrier.value, number
            )
            assert found == tracking_url(carrier, number), carrier
            assert found is None or found.startswith("https://")


async def test_a_buyer_is_reminded_once_of_a_stores_last_day(db: str) -> None:
    from domain.shipping.commands import Label, relabel
    from domain.shipping.reminders import remind_last_days
    from domain.shipping.rules import Store, remind_at
    from tests.parcels import said

    shop = await a_shop()
    order = await an_order_to_send(shop, [(await a_variant(shop), 1)])
    parcel = await packed(order, label=Label(Carrier.OK_MART, "", "1", Store("1328", "光復店", "", date(2026, 11, 28))))
    assert (await parcel_row(parcel))["remind_at"] is None
    await said(order, parcel, ShipmentState.ARRIVED_AT_STORE)
    due = datetime(2026, 11, 27, 2, 0, tzinfo=UTC)
    assert (await parcel_row(parcel))["remind_at"] == due
    assert await remind_last_days(now=due - timedelta(seconds=1), limit=10, jobs=JOBS) == 0
    assert await remind_last_days(now=due, limit=10, jobs=JOBS) == 1
    assert await remind_last_days(now=due + timedelta(days=1), limit=10, jobs=JOBS) == 0
    told = await database.fetch("select data from notice where kind = 'SHIPMENT_LAST_DAY'")
    assert [database.from_jsonb(row["data"])["lastPickupDay"] for row in told] == ["2026-11-28"]
    await relabel(shop_id=shop.id, shipment_id=parcel, last_pickup_day=date(2026, 11, 30), actor=PACKER, now=due)
    assert (await parcel_row(parcel))["remind_at"] == due + timedelta(days=2)
    await said(order, parcel, ShipmentState.DELIVERED, at=due, now=due)
    assert (await parcel_row(parcel))["remind_at"] is None
    from zoneinfo import ZoneInfo

    for day, now, at in (
        (date(2026, 11, 21), NOW, None), (date(2026, 11, 22), NOW, datetime(2026, 11, 22, 2, tzinfo=UTC)),
        (date(9999, 12, 31), NOW, datetime(9999, 12, 30, 2, tzinfo=UTC)), (date(1, 1, 1), NOW, None),
    ):  # fmt: skip
        assert remind_at(day, ZoneInfo("Asia/Taipei"), now) == at
